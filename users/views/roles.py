"""Advanced → Roles: what each permits and who has it; making, changing and deleting the enterprise's own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import Count, Exists, OuterRef, Prefetch
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from audit.ids import is_id
from audit.keyset import page
from users.access import Access, Gift, Permission, allowed, is_for_enterprise_only, permissions_of
from users.forms.custom_roles import DeleteRole, RevokeFromEveryone, RoleForm
from users.forms.many import MOST_AT_ONCE
from users.http import ConsoleRequest
from users.models import MOST_CUSTOM_ROLES, AnyRole, CustomRole, Role, RoleAssignment
from users.models.user_queryset import UserQuerySet
from users.step_up import proof_asked

PAGE = 50
# How many of those who stand in the way are named.
NAMED = 8
asks_and_acts = require_http_methods(["GET", "HEAD", "POST"])


@dataclass(frozen=True)
class Line:
    """A role in the list."""

    role: AnyRole
    permissions: int
    people: int
    may_edit: bool

    @property
    def is_built_in(self) -> bool:
        return isinstance(self.role, Role)

    @property
    def permits_all(self) -> bool:
        return self.permissions == len(Permission)


@allowed(Permission.GIVE_ROLES)
@require_safe
def roles(request: HttpRequest) -> HttpResponse:
    """List them, the built-in ones first, with how many of the people one sees have each."""
    request = cast(ConsoleRequest, request)
    counts = _people_by_role(request)
    lines = [
        Line(
            role,
            len(permissions_of(role)),
            counts.get(role.key, 0),
            isinstance(role, CustomRole) and request.access.may_define(permissions_of(role)),
        )
        for role in request.access.roles
    ]
    context = {
        "lines": lines,
        "built_in": len(Role),
        "own": len(lines) - len(Role),
        "may_create": bool(request.access.definable),
        "most": MOST_CUSTOM_ROLES,
        "all": len(Permission),
    }
    return render(request, "users/roles.html", context)


def _people_by_role(request: ConsoleRequest) -> dict[str, int]:
    given = RoleAssignment.objects.of(request.enterprise).filter(user__in=request.access.people())
    rows = given.order_by().values("role", "custom_role").annotate(people=Count("user", distinct=True))
    return {row["role"] or row["custom_role"]: row["people"] for row in rows}


@allowed(Permission.GIVE_ROLES)
@require_safe
def role(request: HttpRequest, key: str) -> HttpResponse:
    """What the role permits, and who has it, of the people one sees."""
    request = cast(ConsoleRequest, request)
    found = request.access.role_or_404(key)
    people = _holders(request, found)
    context = _about(request, found) | {
        "page": page(people, by=("listed_as", "id"), cursor=request.GET.get("cursor", ""), size=PAGE),
        "people": people.count(),
    }
    ids = [person.pk for person in context["page"].rows]
    within_reach = request.access.people(Permission.GIVE_ROLES).filter(pk__in=ids)
    context["within_reach"] = set(within_reach.values_list("pk", flat=True)) if context["may_give"] else set()
    return render(request, "users/role.html", context)


def _holders(request: ConsoleRequest, role: AnyRole) -> UserQuerySet:
    """Return who has ``role``, of the people one sees, each with where (``given_here``)."""
    given = RoleAssignment.objects.of(request.enterprise).holding(role)
    here = Prefetch("role_assignments", given.select_related("organization", "given_by"), to_attr="given_here")
    people: UserQuerySet = request.access.people().filter(Exists(given.filter(user=OuterRef("pk"))))
    return people.prefetch_related(here)


def _about(request: ConsoleRequest, role: AnyRole) -> dict[str, Any]:
    access, permitted = request.access, permissions_of(role)
    own = role if isinstance(role, CustomRole) else None
    may_define = own is not None and access.may_define(permitted)
    return {
        "role": role,
        "own": own,
        "permitted": [p for p in Permission if p in permitted],
        "not_permitted": [p for p in Permission if p not in permitted],
        "permits_all": len(permitted) == len(Permission),
        "is_for_enterprise_only": is_for_enterprise_only(role),
        "gives": _given_through(access, role, permitted),
        "invites_only": Permission.GIVE_ROLES not in permitted,
        "may_give": access.may_give_somewhere(role),
        "may_copy": bool(access.definable),
        "may_edit": may_define,
        "may_delete": may_define,
    }


def _given_through(access: Access, role: AnyRole, permitted: frozenset[Permission]) -> list[AnyRole]:
    """Return what somebody with ``role``, enterprise-wide, may give in turn."""
    if not permitted & {Permission.GIVE_ROLES, Permission.INVITE_PEOPLE}:
        return []
    permission = Permission.GIVE_ROLES if Permission.GIVE_ROLES in permitted else Permission.INVITE_PEOPLE
    gift = Gift.through(role, None, permitted, permission)
    return [other for other in access.roles if gift.covers(other, None)]


@allowed(Permission.GIVE_ROLES)
@require_safe
def pick_people(request: HttpRequest, key: str) -> HttpResponse:
    """Choose whom to give the role to, by name; who is chosen stays so from one search to the next."""
    request = cast(ConsoleRequest, request)
    found = request.access.role_or_404(key)
    if not request.access.may_give_somewhere(found):
        raise PermissionDenied
    ids = [pk for pk in request.GET.getlist("user") if is_id(pk)][:MOST_AT_ONCE]
    text = request.GET.get("q", "").replace("\x00", "").strip()[:100]
    within = request.access.people(Permission.GIVE_ROLES)
    given = RoleAssignment.objects.of(request.enterprise).holding(found).select_related("organization")
    rows = within.select_related("connection").prefetch_related(
        Prefetch("role_assignments", given, to_attr="given_here")
    )
    others = list(rows.search(text).exclude(pk__in=ids).order_by("listed_as", "id")[: PAGE + 1])
    context = {
        "role": found,
        "q": text,
        "chosen": rows.filter(pk__in=ids).order_by("listed_as", "id") if ids else [],
        "others": others[:PAGE],
        "are_more": len(others) > PAGE,
    }
    return render(request, "users/role_people.html", context)


@allowed(Permission.MANAGE_ROLES)
@asks_and_acts
def create(request: HttpRequest) -> HttpResponse:
    """Make a role; with ``copy`` in the address it begins as a copy of another, as far as one has what that permits."""
    request = cast(ConsoleRequest, request)
    if not request.access.definable:
        raise PermissionDenied
    key = request.GET.get("copy", "")
    return _answer(request, RoleForm(request, copied=request.access.role_or_404(key) if key else None))


@allowed(Permission.MANAGE_ROLES)
@asks_and_acts
def edit(request: HttpRequest, key: str) -> HttpResponse:
    request = cast(ConsoleRequest, request)
    return _answer(request, RoleForm(request, _own_role(request, key)))


def _own_role(request: ConsoleRequest, key: str) -> CustomRole:
    """Return a role of the enterprise's own that one may change, or raise Http404 or PermissionDenied."""
    found = request.access.role_or_404(key)
    if not isinstance(found, CustomRole):
        raise Http404
    if not request.access.may_define(permissions_of(found)):
        raise PermissionDenied
    return found


def _answer(request: ConsoleRequest, form: RoleForm) -> HttpResponse:
    status = 200
    if request.method == "POST":
        if form.is_valid():
            if form.has_to_be_confirmed:
                return render(request, "users/role_confirm.html", {"form": form, "role": form.role})
            if form.needs_proof and (question := proof_asked(request)):
                return question
            if saved := form.save():
                messages.success(request, form.done)
                return redirect("users:role", saved.key)
        status = 409 if form.is_refused else 422
    return render(request, "users/role_form.html", {"form": form, "role": form.role}, status=status)


@allowed(Permission.MANAGE_ROLES)
@asks_and_acts
def delete(request: HttpRequest, key: str) -> HttpResponse:
    """Ask, or say who has it and offer to take it back from them first."""
    request = cast(ConsoleRequest, request)
    form = DeleteRole(request, _own_role(request, key))
    status = 200
    if request.method == "POST":
        if form.is_valid() and form.save():
            messages.success(request, form.done)
            return redirect("users:roles")
        status = 409
    context = {"form": form, "role": form.role} | _named(_holders(request, form.role), form.uses.people)
    return render(request, "users/role_delete.html", context, status=status)


@allowed(Permission.GIVE_ROLES)
@asks_and_acts
def unassign(request: HttpRequest, key: str) -> HttpResponse:
    """Take a role of the enterprise's own back from everyone who has it."""
    request = cast(ConsoleRequest, request)
    found = request.access.role_or_404(key)
    if not isinstance(found, CustomRole) or not request.access.may_give_somewhere(found):
        raise PermissionDenied
    form = RevokeFromEveryone(request, found)
    if request.method == "POST":
        form.save()
        messages.success(request, form.done)
        return redirect("users:role", found.key)
    context = {"form": form, "role": found} | _named(_holders(request, found), form.people + form.out_of_reach)
    return render(request, "users/role_unassign.html", context)


def _named(people: UserQuerySet, number: int) -> dict[str, Any]:
    """Return some of ``people`` by name, and how many more of ``number`` there are."""
    holders = list(people.order_by("listed_as", "id")[:NAMED])
    return {"holders": holders, "more": number - len(holders)}
