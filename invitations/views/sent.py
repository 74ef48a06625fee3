"""The invitations there are: what became of each, and sending again or revoking."""

from __future__ import annotations

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Count
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from audit.keyset import page
from audit.models import record
from invitations import tasks
from invitations.models import (
    ENDED,
    NEED_SOMEONE,
    ON_THEIR_WAY,
    Invitation,
    InvitationQuerySet,
    NotRedeemable,
    State,
    is_in_one_of,
)
from invitations.stories import tell
from users.access import Permission, allowed
from users.forms.acts import fresh_access
from users.http import ConsoleRequest
from users.models import User, fold_email

PAGE = 50
MOST_INVITERS = 50


@allowed(Permission.INVITE_PEOPLE)
@require_GET
def index(request: ConsoleRequest) -> HttpResponse:
    """List the invitations this person could have issued. Every choice is in the address."""
    now = timezone.now()
    mine = _mine(request)
    counts = mine.aggregate(
        on_their_way=Count("pk", filter=is_in_one_of(ON_THEIR_WAY, now)),
        need_someone=Count("pk", filter=is_in_one_of(NEED_SOMEONE, now)),
        ended=Count("pk", filter=is_in_one_of(ENDED, now)),
    )
    chosen = {name: request.GET.get(name, "").replace("\x00", "") for name in ("q", "state", "by", "organization")}
    inviters = list(User.objects.of(request.enterprise).filter(pk__in=mine.values("invited_by"))[:MOST_INVITERS])
    organizations = list(request.access.organizations(Permission.INVITE_PEOPLE))
    found = page(
        _filtered(mine, chosen)
        .with_reach(request.access)
        .select_related("organization", "invited_by", "connection", "custom_role"),
        by=("-issued_at", "-id"),
        cursor=request.GET.get("cursor", ""),
        size=PAGE,
    )
    context = {
        "stories": [tell(invitation, now) for invitation in found.rows],
        "page": found,
        "counts": counts,
        "chosen": chosen,
        "states": State,
        "state_label": State(chosen["state"]).label if chosen["state"] in State.values else "",
        "inviters": inviters,
        "inviter": next((user for user in inviters if user.pk == chosen["by"]), None),
        "organizations": organizations,
        "organization": next((place for place in organizations if place.pk == chosen["organization"]), None),
        "is_filtered": any(value for name, value in chosen.items() if name != "state" or value != "all"),
        "total": sum(counts.values()),
    }
    return render(request, "invitations/list.html", context)


def _mine(request: ConsoleRequest) -> InvitationQuerySet:
    return Invitation.objects.of(request.enterprise).within_reach(request.access)


def _filtered(invitations: InvitationQuerySet, chosen: dict[str, str]) -> InvitationQuerySet:
    """Without a choice of state, what has ended is left out."""
    now = timezone.now()
    if chosen["state"] in State.values:
        invitations = invitations.in_state(State(chosen["state"]), now)
    elif chosen["state"] != "all":
        invitations = invitations.filter(is_in_one_of((*ON_THEIR_WAY, *NEED_SOMEONE), now))
    if chosen["q"].strip():
        invitations = invitations.filter(email_folded__contains=fold_email(chosen["q"][:254]))
    if chosen["by"]:
        invitations = invitations.filter(invited_by=chosen["by"])
    if chosen["organization"]:
        invitations = invitations.filter(organization=chosen["organization"])
    return invitations


@allowed(Permission.INVITE_PEOPLE)
@require_POST
def resend(request: ConsoleRequest, pk: str) -> HttpResponse:
    """Send a new link. The one sent before ends."""
    invitation = _invitation_or_404(request, pk)
    try:
        with transaction.atomic():
            invitation.resend(by=request.user, at=timezone.now())
            record("invitation:resent", enterprise=request.enterprise, request=request, target=invitation)
            tasks.send([invitation])
    except NotRedeemable as refusal:
        return _too_late(request, invitation, refusal)
    messages.success(
        request, _("A new link is on its way to %(email)s. The one before has ended.") % {"email": invitation.email}
    )
    return _back(request)


@allowed(Permission.INVITE_PEOPLE)
@require_POST
def revoke(request: ConsoleRequest, pk: str) -> HttpResponse:
    """End the link, and forget the person who never came, unless that person has been given more roles since."""
    invitation = _invitation_or_404(request, pk)
    try:
        with transaction.atomic():
            access = fresh_access(request, request.enterprise.lock(), Permission.INVITE_PEOPLE)
            if _mine(request).with_reach(access).filter(pk=pk, is_beyond=True).exists():
                raise PermissionDenied
            invitation.revoke(by=request.user, at=timezone.now())
            record("invitation:revoked", enterprise=request.enterprise, request=request, target=invitation)
    except NotRedeemable as refusal:
        return _too_late(request, invitation, refusal)
    messages.success(request, _("The invitation of %(email)s is revoked.") % {"email": invitation.email})
    return _back(request)


def _invitation_or_404(request: ConsoleRequest, pk: str) -> Invitation:
    invitation = _mine(request).filter(pk=pk).first()
    if invitation is None:
        raise Http404
    invitation.enterprise = request.enterprise
    return invitation


def _too_late(request: ConsoleRequest, invitation: Invitation, refusal: NotRedeemable) -> HttpResponse:
    if refusal.reason == "invitation_accepted":
        text = _("%(email)s has accepted meanwhile. Nothing was changed.")
    else:
        text = _("The invitation of %(email)s was revoked meanwhile. Nothing was changed.")
    messages.warning(request, text % {"email": invitation.email})
    return _back(request)


def _back(request: ConsoleRequest) -> HttpResponse:
    """To the list as it was: its choices stand in the form's address."""
    query = request.GET.urlencode()
    return redirect(reverse("invitations:list") + (f"?{query}" if query else ""))
