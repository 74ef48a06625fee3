"""The list of people, and what is done to several of them at once."""

from __future__ import annotations

from typing import cast

from django.contrib import messages
from django.db.models import Value
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from users.access import Permission, allowed
from users.forms.acts import Disable, refusal_of
from users.forms.many import Chosen, GiveToMany, RevokeFromMany, RoleForMany, chosen_among
from users.forms.people import PeopleList
from users.http import ConsoleRequest
from users.models import Status
from users.step_up import proof_asked


@allowed(Permission.SEE_PEOPLE)
@require_safe
def people_list(request: HttpRequest) -> HttpResponse:
    request = cast(ConsoleRequest, request)
    found = PeopleList(request)
    page = found.page()
    manageable, choosable = _within_reach(request, [person.pk for person in page.rows])
    return render(
        request,
        "users/list.html",
        {
            "list": found,
            "page": page,
            "within_reach": manageable,
            "choosable": choosable,
            "may_invite": request.access.may(Permission.INVITE_PEOPLE),
            "switch_to": found.switch_to if request.access.may(Permission.MIGRATE_PEOPLE) else "",
            "may_give": request.access.may(Permission.GIVE_ROLES),
            "may_manage": request.access.may(Permission.MANAGE_PEOPLE),
        },
    )


def _within_reach(request: ConsoleRequest, ids: list[str]) -> tuple[set[str], set[str]]:
    """Return whom of ``ids`` one may manage, and whom one may do something to that several are chosen for."""
    manageable, giveable = (
        request.access.people(permission)
        .filter(pk__in=ids)
        .annotate(by=Value(permission.value))
        .values_list("pk", "by")
        for permission in (Permission.MANAGE_PEOPLE, Permission.GIVE_ROLES)
    )
    found = set(manageable.union(giveable))
    return {pk for pk, by in found if by == Permission.MANAGE_PEOPLE}, {pk for pk, _by in found}


def _to_disable(request: ConsoleRequest, ids: list[str]) -> list[Chosen]:
    """Return the people behind ``ids``, as far as they may be seen, with what stands in the way of disabling each."""
    chosen = chosen_among(request, ids, Permission.MANAGE_PEOPLE)
    for one in chosen:
        if one.obstacle:
            continue
        if one.person.pk == request.user.pk:
            one.obstacle = _("This is your own account. Another administrator can do this.")
        elif one.person.status == Status.DISABLED:
            one.obstacle = _("Disabled already.")
    return chosen


@allowed(Permission.MANAGE_PEOPLE)
@require_http_methods(["GET", "HEAD", "POST"])
def bulk_disable(request: HttpRequest) -> HttpResponse:
    """GET asks, with everyone named; POST disables them one by one, and says what became of each."""
    request = cast(ConsoleRequest, request)
    asked = request.POST if request.method == "POST" else request.GET
    ids = asked.getlist("user")
    chosen = _to_disable(request, ids)
    if ids and not chosen:
        raise Http404
    if not chosen:
        messages.warning(request, _("Nobody is chosen. Choose people in the list first."))
        return redirect("users:list")
    if request.method == "POST":
        for one in chosen:
            if not one.obstacle:
                one.obstacle = refusal_of(Disable, request, one.person)
                one.is_done = not one.obstacle
    return render(
        request,
        "users/bulk_disable.html",
        {
            "chosen": chosen,
            "to_disable": [one for one in chosen if not one.obstacle],
            "done": [one for one in chosen if one.is_done],
            "is_result": request.method == "POST",
        },
    )


@allowed(Permission.GIVE_ROLES)
@require_http_methods(["GET", "HEAD", "POST"])
def bulk_give_role(request: HttpRequest) -> HttpResponse:
    """Give a role to everyone chosen: in the list, or for the role named in the address."""
    request = cast(ConsoleRequest, request)
    return _answer(request, GiveToMany(request, *_asked(request)), "users/bulk_give_role.html")


@allowed(Permission.GIVE_ROLES)
@require_http_methods(["GET", "HEAD", "POST"])
def bulk_revoke_role(request: HttpRequest) -> HttpResponse:
    request = cast(ConsoleRequest, request)
    return _answer(request, RevokeFromMany(request, *_asked(request)), "users/bulk_revoke_role.html")


def _asked(request: ConsoleRequest) -> tuple[list[str], str]:
    """Return who is chosen and, where it was not chosen in the form, for which role: the address names that."""
    asked = request.POST if request.method == "POST" else request.GET
    return asked.getlist("user"), request.GET.get("for", "")


def _answer(request: ConsoleRequest, form: RoleForMany, template: str) -> HttpResponse:
    """GET asks, with everyone named; POST acts on them one by one, and says what became of each."""
    if not form.chosen:
        if (request.POST if request.method == "POST" else request.GET).getlist("user"):
            raise Http404
        messages.warning(request, _("Nobody is chosen. Choose people in the list first."))
        return redirect("users:list")
    is_result, status = False, 200
    if request.method == "POST":
        is_valid = form.is_valid()
        if is_valid and form.needs_proof and (question := proof_asked(request)):
            return question
        is_result = is_valid and form.save()
        status = 200 if is_result else 409 if form.is_refused else 422
    context = {"form": form, "chosen": form.chosen, "is_result": is_result}
    return render(request, template, context, status=status)
