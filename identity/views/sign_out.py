"""Signing out, from here and from there: each ends exactly its own sessions, within the request."""

from __future__ import annotations

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.clickjacking import xframe_options_exempt
from django.views.decorators.http import require_GET

from identity import signing_out
from identity.models import Connection, Grant
from identity.oidc import origin_of
from identity.signing_out import Channel
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
        grants = Grant.objects.made_by(connection, issuer, sid=sid)
        ended = signing_out.end(request, connection, Channel.FRONT, grants)
    response = render(request, "identity/front_channel.html", {"ended": ended}, status=200 if ended else 400)
    return framed(response, connection)


def framed(response: HttpResponse, connection: Connection) -> HttpResponse:
    """Let pages of the connection's issuer, and no others, show ``response`` in a frame."""
    never_kept(response)
    origins = [origin_of(connection.serving.issuer)] if connection.serving else ["'none'"]
    response._csp_replace = {"frame-ancestors": origins}  # type: ignore[attr-defined]
    return response
