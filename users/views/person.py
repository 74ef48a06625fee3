"""One person's pages."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

from django.core.exceptions import PermissionDenied
from django.db.models import Q, prefetch_related_objects
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.views.decorators.http import require_safe

from audit.actions import phrase
from audit.keyset import page
from audit.models import Event
from users.access import Access, Permission, allowed, person_or_404
from users.forms.acts import Delete, Disable, Enable, EndSessions
from users.forms.email import KeepEmail, TakeProviderEmail
from users.forms.factors import ResetFactors
from users.forms.roles import GiveRole, RevokeRoles
from users.http import ConsoleRequest
from users.models import Factors, RoleAssignment, Status, User

RECENT = 4
EVENTS = 50


def head(request: ConsoleRequest, person: User) -> dict[str, Any]:
    """What every page of a person needs."""
    return {
        "person": person,
        "is_own": person.pk == request.user.pk,
        "may_manage": request.access.may_act_on(Permission.MANAGE_PEOPLE, person),
        "may_see_activity": _may_see_activity(request, person),
    }


def _may_see_activity(request: ConsoleRequest, person: User) -> bool:
    """Who may read the audit log; and everyone, what they did themselves."""
    return request.access.may(Permission.SEE_AUDIT_LOG) or person.pk == request.user.pk


def _events(request: ConsoleRequest, person: User) -> Any:
    mine = Q(actor=person) | Q(target_type="user", target_id=person.pk)
    return Event.objects.of(request.enterprise).filter(mine)


def _told(events: Iterable[Event]) -> list[dict[str, Any]]:
    return [{"event": event, "phrase": phrase(event.action, has_target=bool(event.target_label))} for event in events]


@allowed(Permission.SEE_PEOPLE)
@require_safe
def detail(request: HttpRequest, pk: str) -> HttpResponse:
    request = cast(ConsoleRequest, request)
    person = person_or_404(request, pk)
    context = head(request, person)
    # Read once, for the table and for every dialog about a role.
    prefetch_related_objects([person], "role_assignments__organization", "role_assignments__given_by")
    assignments = person.role_assignments.all()
    gives = request.access.may_act_on(Permission.GIVE_ROLES, person)
    revocable = [a for a in assignments if gives and request.access.may_revoke(a)]
    context |= {
        "assignments": [
            {"given": a, "revoke": RevokeRoles(request, person, a) if a in revocable else None} for a in assignments
        ],
        "give": GiveRole(request, person) if gives else None,
        "recent": _told(_events(request, person).newest_first()[:RECENT]) if context["may_see_activity"] else [],
        "invitation": _open_invitation(request, person),
        "waiting_subjects": _waiting_subjects(request, person),
        "switch": _switch(request, person),
    }
    if context["may_manage"]:
        sessions = list(person.sessions.live(timezone.now()).last_seen_first())
        context |= {
            "factors": Factors(person) if person.is_active and person.signs_in_with_password else None,
            "reset_factors": ResetFactors(request, person),
            "sessions": sessions,
            "endable": [s for s in sessions if s.pk != request.session.row.pk],  # type: ignore[union-attr]
            "end_sessions": EndSessions(request, person),
            "take_email": TakeProviderEmail(request, person) if person.has_email_to_decide else None,
            "keep_email": KeepEmail(request, person),
            "disable": Disable(request, person),
            "enable": Enable(request, person),
            "delete": Delete(request, person),
            "revoke_roles": RevokeRoles(request, person) if len(revocable) == len(assignments) else None,
        }
    return render(request, "users/detail.html", context)


def _waiting_subjects(request: ConsoleRequest, person: User) -> list[Any]:
    """Return who waits to be linked to this account, for those who decide it. By its related name: a floor above."""
    if not request.access.may(Permission.MANAGE_CONNECTIONS):
        return []
    return list(person.waiting_subjects.undecided().select_related("connection__organization"))


def _open_invitation(request: ConsoleRequest, person: User) -> dict[str, Any] | None:
    """Return the invitation of somebody who has not joined, with where to send it again and to revoke it."""
    if person.status != Status.INVITED or not request.access.may_act_on(Permission.INVITE_PEOPLE, person):
        return None
    invitation = person.invitations.filter(accepted_at=None, revoked_at=None).order_by("-issued_at").first()
    if invitation is None:
        return None
    try:
        return {
            "row": invitation,
            "resend": reverse("invitations:resend", args=[invitation.pk]),
            "revoke": reverse("invitations:revoke", args=[invitation.pk]),
        }
    except NoReverseMatch:
        return None


def _switch(request: ConsoleRequest, person: User) -> dict[str, Any] | None:
    """Return the switch that is under way and where to go on with it, or else where to begin one."""
    if not request.access.may_act_on(Permission.MIGRATE_PEOPLE, person) or not person.is_active:
        return None
    try:
        if person.switching_to_id:
            related = ("batch", "connection", "leaving__organization", "leaving__serving")
            row = person.moves.under_way().select_related(*related).first()
            if row is None:
                return None
            row.enterprise = request.enterprise
            acts = {name: reverse(f"invitations:move_{name}", args=[row.pk]) for name in ("remind", "undo")}
            now = timezone.now()
            is_open = row.is_old_way_open(now)
            return {"row": row, "may_remind": row.may_be_reminded(now), "is_old_way_open": is_open, **acts}
        if person.connection_id or person.is_break_glass:
            return None
        connection = request.enterprise.connections.enabled().first()
        return {"begin": f"{reverse('invitations:dry_run')}?user={person.pk}", "to": connection} if connection else None
    except NoReverseMatch:
        return None


@allowed(Permission.SEE_PEOPLE)
@require_safe
def abilities(request: HttpRequest, pk: str) -> HttpResponse:
    """What this person can do, and through which role."""
    request = cast(ConsoleRequest, request)
    person = person_or_404(request, pk)
    prefetch_related_objects([person], "role_assignments__organization")
    access = Access(person, person.ranked_roles)
    rows = [{"words": permission.label, "through": _widest(access.through(permission))} for permission in Permission]
    return render(request, "users/abilities.html", head(request, person) | {"rows": rows})


def _widest(assignments: list[RoleAssignment]) -> list[RoleAssignment]:
    """Leave out what an enterprise-wide role of the same person covers anyway."""
    return [a for a in assignments if a.is_everywhere][:1] or assignments


@allowed(Permission.SEE_PEOPLE)
@require_safe
def activity(request: HttpRequest, pk: str) -> HttpResponse:
    request = cast(ConsoleRequest, request)
    person = person_or_404(request, pk)
    context = head(request, person)
    if not context["may_see_activity"]:
        raise PermissionDenied
    found = page(_events(request, person), by=("-at", "-id"), cursor=request.GET.get("cursor", ""), size=EVENTS)
    return render(request, "users/activity.html", context | {"page": found, "events": _told(found.rows)})
