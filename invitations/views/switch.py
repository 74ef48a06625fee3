"""Switching people to the identity provider the documented way (M6): one at a time, each step a button."""

from __future__ import annotations

from typing import cast

from django.contrib import messages
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from audit.actions import Action
from audit.keyset import page
from audit.models import record
from invitations import tasks
from invitations.models import HereAlready, NotReady, Place, Step, Switch
from users.access import Permission, allowed, is_administrative, person_or_404
from users.forms.acts import Delete, refusal_of
from users.forms.email import ChangeEmail
from users.forms.roles import RevokeRoles
from users.http import ConsoleRequest
from users.models import User, enterprise_admins
from users.step_up import proof_asked

PAGE = 50
MOST_UNDER_WAY = 20


@allowed(Permission.MIGRATE_PEOPLE)
@require_GET
def migrate(request: HttpRequest) -> HttpResponse:
    """Say what will happen, and offer those who can switch. Break-glass accounts are never among them."""
    request = cast(ConsoleRequest, request)
    people = _able_to_switch(request)
    text = request.GET.get("q", "").replace("\x00", "")[:254]
    found = page(
        people.search(text).prefetch_related("role_assignments__organization"),
        by=("listed_as", "id"),
        cursor=request.GET.get("cursor", ""),
        size=PAGE,
    )
    connections = list(request.enterprise.connections.enabled())
    under_way = Switch.objects.of(request.enterprise).under_way().select_related("user", "begun_by")
    context = {
        "page": found,
        "q": text,
        "provider": connections[0].label if connections else "",
        "under_way": under_way.order_by("-begun_at")[:MOST_UNDER_WAY],
        "admins": enterprise_admins(request.enterprise).filter(connection=None)[:3],
    }
    return render(request, "invitations/migrate.html", context)


def _able_to_switch(request: ConsoleRequest):  # type: ignore[no-untyped-def]
    """Whoever has joined and signs in with a password, but for oneself: half-way one could not go on."""
    people = User.objects.of(request.enterprise).signing_in_with_password()
    waiting = {
        "is_break_glass": False,
        "joined_at__isnull": False,
        "disabled_at": None,
        "switch": None,
        "switching_to": None,
    }
    return people.filter(**waiting).exclude(pk=request.user.pk)


@allowed(Permission.MIGRATE_PEOPLE)
@require_POST
def begin(request: HttpRequest) -> HttpResponse:
    """Take one person up. Nothing changes for anybody yet."""
    request = cast(ConsoleRequest, request)
    person = person_or_404(request, request.POST.get("user", ""), Permission.MANAGE_PEOPLE)
    if not _able_to_switch(request).filter(pk=person.pk).exists():
        messages.warning(request, _("%(name)s cannot be switched this way.") % {"name": person.label})
        return redirect("invitations:migrate")
    switch = Switch.begin(person, by=request.user, at=timezone.now())
    return redirect("invitations:switch", switch.pk)


@allowed(Permission.MIGRATE_PEOPLE)
@require_GET
def switch(request: HttpRequest, pk: str) -> HttpResponse:
    """Show the steps: what is done, and the one that is next."""
    request = cast(ConsoleRequest, request)
    found = _switch_or_404(request, pk)
    return _steps(request, found, ChangeEmail(request, found.user) if found.user else None)


def _steps(request: ConsoleRequest, found: Switch, email_form: ChangeEmail | None, status: int = 200) -> HttpResponse:
    context = {
        "switch": found,
        "step": found.step.value,
        "places": found.places,
        "connection": found.connection(),
        "email_form": email_form,
    }
    return render(request, "invitations/switch.html", context, status=status)


@allowed(Permission.MIGRATE_PEOPLE)
@require_POST
def switch_revoke(request: HttpRequest, pk: str) -> HttpResponse:
    """Revoke the roles, and remember them."""
    request = cast(ConsoleRequest, request)
    found = _at(request, pk, Step.REVOKE)
    if found is None or found.user is None:
        return _moved_on(request, pk)
    found.remember_roles()
    return _told(request, found, refusal_of(RevokeRoles, request, found.user))


@allowed(Permission.MIGRATE_PEOPLE)
@require_POST
def switch_delete(request: HttpRequest, pk: str) -> HttpResponse:
    """Delete the account, which frees its address."""
    request = cast(ConsoleRequest, request)
    found = _at(request, pk, Step.FREE)
    if found is None or found.user is None:
        return _moved_on(request, pk)
    return _told(request, found, refusal_of(Delete, request, found.user))


@allowed(Permission.MIGRATE_PEOPLE)
@require_POST
def switch_email(request: HttpRequest, pk: str) -> HttpResponse:
    """Or give the old account another address: it stays, and its own address is free."""
    request = cast(ConsoleRequest, request)
    found = _switch_or_404(request, pk)
    if found.user is None or found.step not in (Step.REVOKE, Step.FREE):
        return _moved_on(request, pk)
    form = ChangeEmail(request, found.user)
    is_valid = form.is_valid()
    if is_valid and form.needs_proof and (question := proof_asked(request)):
        return question
    with transaction.atomic():
        if not (is_valid and form.save()):
            return _steps(request, found, form, status=422)
        found.moved_to = form.cleaned_data["email"]
        found.save(update_fields=["moved_to"])
    return redirect("invitations:switch", found.pk)


@allowed(Permission.MIGRATE_PEOPLE)
@require_POST
def switch_invite(request: HttpRequest, pk: str) -> HttpResponse:
    """Invite the person again, with the same roles."""
    request = cast(ConsoleRequest, request)
    found = _switch_or_404(request, pk)
    if _give_much(found.places) and (question := proof_asked(request)):
        return question
    try:
        with transaction.atomic():
            invitation = found.invite(by=request.user, at=timezone.now())
            roles = [str(place) for place in found.places]
            record(
                Action.INVITATION_ISSUED, enterprise=request.enterprise, request=request, target=invitation, roles=roles
            )
            tasks.send([invitation])
    except NotReady:
        return _moved_on(request, pk)
    except HereAlready:
        messages.error(request, _("%(email)s belongs to an account by now.") % {"email": found.email})
    return redirect("invitations:switch", found.pk)


@allowed(Permission.MIGRATE_PEOPLE)
@require_POST
def switch_give_up(request: HttpRequest, pk: str) -> HttpResponse:
    """Leave everything as it was, as long as the account is there; and afterwards keep nothing of who it was."""
    request = cast(ConsoleRequest, request)
    found = _switch_or_404(request, pk)
    given_back = found.to_give_back
    if _give_much(given_back) and (question := proof_asked(request)):
        return question
    try:
        with transaction.atomic():
            if given_back:
                roles = [str(place) for place in given_back]
                record(
                    Action.ROLE_GIVEN, enterprise=request.enterprise, request=request, target=found.user, roles=roles
                )
            found.give_up(by=request.user, at=timezone.now())
    except NotReady:
        return _moved_on(request, pk)
    if found.user:
        messages.success(request, _("%(name)s stays with a password, with all roles.") % {"name": str(found)})
    else:
        messages.success(request, _("%(name)s is not invited again, and forgotten here.") % {"name": str(found)})
    return redirect("invitations:migrate")


def _give_much(places: list[Place]) -> bool:
    return any(is_administrative(place.role) for place in places)


def _switch_or_404(request: ConsoleRequest, pk: str) -> Switch:
    switches = Switch.objects.of(request.enterprise).select_related("user__connection", "invitation", "begun_by")
    found = switches.filter(pk=pk).first()
    if found is None:
        raise Http404
    found.enterprise = request.enterprise
    if found.user:
        found.user.enterprise = request.enterprise
    return found


def _at(request: ConsoleRequest, pk: str, step: Step) -> Switch | None:
    found = _switch_or_404(request, pk)
    return found if found.step == step else None


def _told(request: ConsoleRequest, found: Switch, refusal: str) -> HttpResponse:
    if refusal:
        messages.error(request, refusal)
    return redirect("invitations:switch", found.pk)


def _moved_on(request: ConsoleRequest, pk: str) -> HttpResponse:
    messages.warning(request, _("That step is not the next one. This is where things stand."))
    return redirect("invitations:switch", pk)
