"""The link in the email, the page behind it, and joining with a password."""

from __future__ import annotations

import re

from django.contrib.auth.decorators import login_not_required
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST, require_safe

from invitations.cookies import clear, keep
from invitations.cookies import opened as opened_invitation
from invitations.endings import ending
from invitations.forms import AcceptForm
from invitations.models import Invitation, NotRedeemable
from users.emails import zone
from users.views.second_factor import after_password

TOKEN = re.compile(r"[0-9a-f]{64}")


@login_not_required
@never_cache
@require_safe
def open_link(request: HttpRequest, token: str) -> HttpResponse:
    """Take the secret out of the address bar. Whoever asks, a person or a scanner, changes nothing (T9)."""
    response = redirect("invitations:opened")
    if TOKEN.fullmatch(token):
        keep(response, token)
    else:
        clear(response)  # Or the page would show whichever invitation was opened before.
    response["Referrer-Policy"] = "no-referrer"
    return response


@login_not_required
@never_cache
@require_safe
def opened(request: HttpRequest) -> HttpResponse:
    """Say who invites to what, and what will happen; never for whom it was meant."""
    invitation = opened_invitation(request)
    obstacle = _obstacle(invitation)
    if invitation is None or obstacle:
        return _ended(request, invitation, obstacle)
    return _page(request, invitation, AcceptForm(invitation=invitation))


@login_not_required
@never_cache
@sensitive_post_parameters("password")
@require_POST
def accept(request: HttpRequest) -> HttpResponse:
    """Join with a name and a password, where no identity provider is enabled. The emailed link is the proof."""
    invitation = opened_invitation(request)
    obstacle = _obstacle(invitation)
    if invitation is None or obstacle:
        return _ended(request, invitation, obstacle)
    if request.user.is_authenticated or invitation.way_in() is not None:
        return redirect("invitations:opened")  # It says what to do instead.
    invitation.mark_opened(timezone.now())
    form = AcceptForm(request.POST, invitation=invitation)
    if not form.is_valid():
        return _page(request, invitation, form)
    try:
        with transaction.atomic():  # Nobody has joined without being in, or being led to a second factor.
            response = after_password(request, form.save(request))
    except NotRedeemable as refusal:
        return _ended(request, invitation, refusal.reason)
    clear(response)
    return response


def _obstacle(invitation: Invitation | None) -> str:
    if invitation is None:
        return "invitation_unknown"
    obstacle = invitation.obstacle(timezone.now())
    if obstacle:
        return obstacle
    way_in = invitation.way_in()
    return "connection_disabled" if way_in is not None and not way_in.is_enabled else ""


def _page(request: HttpRequest, invitation: Invitation, form: AcceptForm) -> HttpResponse:
    by = invitation.invited_by
    with timezone.override(zone(by.time_zone if by else "")):
        return render(
            request,
            "invitations/opened.html",
            {
                "invitation": invitation,
                "enterprise": invitation.enterprise,
                "by": by,
                "way_in": invitation.way_in(),
                "form": form,
            },
        )


def _ended(request: HttpRequest, invitation: Invitation | None, reason: str) -> HttpResponse:
    end = ending(reason, invitation)
    context = {"ending": end, "enterprise": invitation.enterprise if invitation else None}
    return render(request, "invitations/ended.html", context, status=end.status)
