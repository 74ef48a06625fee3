"""Signing out, from here and from there: each ends exactly its own sessions, within the request."""

from __future__ import annotations

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.clickjacking import xframe_options_exempt
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_POST

from identity import signing_out
from identity.models import Connection
from identity.oidc import origin_of
from identity.signing_out import Channel, NotHeard
from identity.views.responses import never_kept
from identity.views.sign_in import addressed

LONGEST_SID = 255


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
