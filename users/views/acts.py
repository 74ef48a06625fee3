"""What is done to one person: every act asks on a page of its own (GET) and is done by POST.

The dialogs of the person's page post to the same addresses.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST

from users.access import Access, Permission, allowed, person_or_404
from users.forms.acts import Act, Delete, Disable, Enable, EndSessions
from users.forms.email import ChangeEmail, KeepEmail, TakeProviderEmail
from users.forms.factors import ResetFactors
from users.forms.roles import GiveRole, RevokeRoles
from users.http import ConsoleRequest
from users.models import User
from users.step_up import proof_asked, recently_proved

asks_and_acts = require_http_methods(["GET", "HEAD", "POST"])


def _answer(request: ConsoleRequest, form: Act) -> HttpResponse:
    status = 200
    if request.method == "POST":
        is_valid = form.is_valid()
        if is_valid and form.needs_proof and (question := proof_asked(request)):
            return question
        if is_valid and form.save():
            messages.success(request, form.done)
            return redirect(_next(request, form.person.pk))
        status = 409 if form.is_refused else 422
        form.person.refresh_from_db()
    return render(request, "users/act.html", {"form": form, "person": form.person}, status=status)


def _next(request: ConsoleRequest, pk: str) -> str:
    """Go back to the person, or as near as one may still get: also one's own roles may be gone by now."""
    access = Access.of(request.user)
    if access.people().filter(pk=pk).exists():
        return reverse("users:detail", args=[pk])
    return "users:list" if access.may(Permission.SEE_PEOPLE) else "users:account"


def _act(form: Callable[[ConsoleRequest, User], Act], permission: Permission) -> Callable[..., HttpResponseBase]:
    """Return the view of an act that needs nothing but the person; 404 and 403 as ``person_or_404`` says."""

    @allowed(permission)
    @asks_and_acts
    def act(request: HttpRequest, pk: str) -> HttpResponse:
        request = cast(ConsoleRequest, request)
        return _answer(request, form(request, person_or_404(request, pk, permission)))

    return act


disable = _act(Disable, Permission.MANAGE_PEOPLE)
enable = _act(Enable, Permission.MANAGE_PEOPLE)
delete = _act(Delete, Permission.MANAGE_PEOPLE)
change_email = _act(ChangeEmail, Permission.MANAGE_PEOPLE)
take_email = _act(TakeProviderEmail, Permission.MANAGE_PEOPLE)
keep_email = _act(KeepEmail, Permission.MANAGE_PEOPLE)
end_sessions = _act(EndSessions, Permission.MANAGE_PEOPLE)
give_role = _act(GiveRole, Permission.GIVE_ROLES)
revoke_roles = _act(RevokeRoles, Permission.GIVE_ROLES)


@allowed(Permission.MANAGE_PEOPLE)
@asks_and_acts
@recently_proved
def reset_factors(request: HttpRequest, pk: str) -> HttpResponse:
    """404 for those whose provider asks for a second factor, or does not."""
    request = cast(ConsoleRequest, request)
    person = person_or_404(request, pk, Permission.MANAGE_PEOPLE)
    if not person.signs_in_with_password:
        raise Http404
    return _answer(request, ResetFactors(request, person))


@allowed(Permission.MANAGE_PEOPLE)
@require_POST
def end_session(request: HttpRequest, pk: str, handle: str) -> HttpResponse:
    request = cast(ConsoleRequest, request)
    person = person_or_404(request, pk, Permission.MANAGE_PEOPLE)
    session = person.sessions.live(timezone.now()).filter(handle=handle).first()
    if session is None:
        raise Http404
    return _answer(request, EndSessions(request, person, session))


@allowed(Permission.GIVE_ROLES)
@asks_and_acts
def revoke_role(request: HttpRequest, pk: str, assignment_pk: str) -> HttpResponse:
    request = cast(ConsoleRequest, request)
    person = person_or_404(request, pk, Permission.GIVE_ROLES)
    assignment = person.role_assignments.select_related("organization").filter(pk=assignment_pk).first()
    if assignment is None:
        raise Http404
    return _answer(request, RevokeRoles(request, person, assignment))
