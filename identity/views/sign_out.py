"""Signing out, from here and from there: each ends exactly its own sessions, within the request."""

from __future__ import annotations

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.clickjacking import xframe_options_exempt
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_POST

from identity import signing_out
from identity.models import Connection, Grant, Revision
from identity.oidc import Metadata, Refused, RelyingParty, fresh_state, logout_url, origin_of
from identity.providers import door
from identity.signing_out import Channel, NotHeard
from identity.views.responses import never_kept
from identity.views.sign_in import addressed
from users.http import ConsoleRequest
from users.views.account import end_this_session
from users.views.entrance import safe_next
from users.views.entrance import signed_out as signed_out_here

LONGEST_SID = 255


# ---- From here: the session here first, and then the one at the provider


@login_not_required
@require_POST
def logout(request: ConsoleRequest) -> HttpResponse:
    """End this browser's session, whatever the provider does; then lead on to sign out there, if it offers that (H19).

    Who signs out to come back to a page, such as an invitation for another account, is not led away from it. A page
    that moves on by itself, since ``form-action`` does not let a form end elsewhere.
    """
    if not request.user.is_authenticated:
        return redirect("console:login")
    row = request.session.row
    grant = Grant.objects.filter(session=row).select_related("connection__enterprise", "connection__serving").first()
    enterprise = end_this_session(request)
    url = "" if grant is None or safe_next(request) else _way_out(grant)
    if not url or grant is None:
        return signed_out_here(request, enterprise)
    context = {"connection": grant.connection, "enterprise": enterprise, "url": url}
    response = render(request, "identity/signing_out.html", context)
    response["Refresh"] = f"0; url={url}"
    never_kept(response)
    return response


def _way_out(grant: Grant) -> str:
    """Return where somebody signs out at the provider of ``grant``, or nothing; without asking the provider.

    In a process that has not met this provider yet, that is a page of ours, which asks: the session is over by then.
    """
    revision = _still_serving(grant.connection)
    if revision is None or revision.issuer != grant.issuer:
        return ""
    rp = revision.relying_party()
    try:
        metadata = door().cache.known(rp)
        return (
            _at_provider(rp, metadata, revision)
            if metadata
            else reverse("identity:logout_at_provider", args=[grant.connection_id])
        )
    except Refused:
        return ""


@login_not_required
@require_GET
def logout_at_provider(request: HttpRequest, pk: str) -> HttpResponse:
    """Lead on to the provider's sign-out, or say that one is signed out where there is none to be had."""
    connection = addressed(pk)
    revision = _still_serving(connection)
    url = ""
    if revision is not None:
        rp = revision.relying_party()
        try:
            url = _at_provider(rp, door().cache.metadata(rp), revision)
        except Refused:
            url = ""
    response = HttpResponseRedirect(url or reverse("identity:signed_out", args=[connection.pk]))
    never_kept(response)
    return response


def _still_serving(connection: Connection) -> Revision | None:
    revision = connection.serving if connection.is_enabled else None
    if revision is not None:
        revision.connection = connection
    return revision


def _at_provider(rp: RelyingParty, metadata: Metadata, revision: Revision) -> str:
    # From the region's origin, never from the request (R9). Nothing waits for the state: the page is the same for all.
    return_to = revision.connection.enterprise.url(reverse("identity:signed_out", args=[rp.connection_id]))
    return logout_url(rp, metadata, return_to=return_to, state=fresh_state())


@login_not_required
@require_GET
def signed_out(request: HttpRequest, pk: str) -> HttpResponse:
    """Where the provider leads back to: one page, whatever comes along (H19)."""
    connection = addressed(pk)
    context = {"connection": connection, "enterprise": connection.enterprise}
    response = render(request, "identity/signed_out.html", context)
    never_kept(response)
    return response


# ---- Front channel: the provider's page opens ours in a frame, in the browser of whoever signs out there


@xframe_options_exempt
@login_not_required
@require_GET
def front_channel(request: HttpRequest, pk: str) -> HttpResponse:
    """End the session that ``sid`` names at the issuer (OpenID Connect Front-Channel Logout 1.0, section 2; H21).

    No cookie is needed: browsers send none into another site's frame. 400 when nothing is found that could end.
    """
    connection = addressed(pk)
    issuer, sid = request.GET.get("iss", ""), request.GET.get("sid", "")
    is_sane = all(word.isprintable() and len(word) <= longest for word, longest in ((issuer, 500), (sid, LONGEST_SID)))
    ended = 0
    if issuer and sid and is_sane:
        ended = signing_out.end(request, connection, Channel.FRONT, issuer, sid=sid)
    response = render(request, "identity/front_channel.html", {"ended": ended}, status=200 if ended else 400)
    return framed(response, connection)


def framed(response: HttpResponse, connection: Connection) -> HttpResponse:
    """Let pages of the connection's issuer, and no others, show ``response`` in a frame."""
    never_kept(response)
    origins = [origin_of(connection.serving.issuer)] if connection.serving else ["'none'"]
    response._csp_replace = {"frame-ancestors": origins}  # type: ignore[attr-defined]
    return response


# ---- Back channel: the provider's server calls ours


# No form of ours, and no cookie counts: the token is what proves who speaks.
@csrf_exempt
@login_not_required
@require_POST
def back_channel(request: HttpRequest, pk: str) -> HttpResponse:
    """End what a logout token says (OpenID Connect Back-Channel Logout 1.0, section 2.8; H20): 200, or 400."""
    connection = addressed(pk)
    try:
        signing_out.hear_logout_token(request, connection, request.POST.get("logout_token", ""), timezone.now())
    except NotHeard as refusal:
        signing_out.record_refusal(request, connection, Channel.BACK, refusal)
        # Why is on record, for the administrator; whoever sent it is told no more than that it was no good.
        response: HttpResponse = JsonResponse({"error": "invalid_request"}, status=400)
    else:
        response = HttpResponse()
    never_kept(response)
    return response
