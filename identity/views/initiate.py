"""A sign-in that begins at the provider: the tile (OpenID Connect Core 1.0, section 4; K8)."""

from __future__ import annotations

from urllib.parse import urlencode

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from identity.models import Connection
from identity.refused import Reason, SignInRefused
from identity.round_trip import begin, serving
from identity.views.responses import never_kept, refuse, sent
from identity.views.sign_in import addressed
from users.views.entrance import LONGEST_NEXT

# The longest email there is (RFC 5321); half a hint would be a wrong one.
LONGEST_HINT = 254


# Begun by another site on purpose: nothing is done here but what opening the sign-in page would do.
@csrf_exempt
@login_not_required
@require_http_methods(["GET", "POST"])
def initiate(request: HttpRequest, pk: str) -> HttpResponse:
    """Begin a fresh attempt (H17). A session there is already lives on until the new one is proved (R6)."""
    connection = addressed(pk)
    said = request.POST if request.method == "POST" else request.GET
    asked = {name: said.get(name, "") for name in ("iss", "login_hint", "target_link_uri")}
    if request.get_host() != connection.enterprise.host:
        # The provider comes back to the region's own address (R9), and only there the cookie is found again.
        response: HttpResponse = HttpResponseRedirect(
            connection.enterprise.url(
                f"{request.path}?{urlencode({name: value for name, value in asked.items() if value})}"
            )
        )
        never_kept(response)
        return response
    next_page = page_of_ours(connection, asked["target_link_uri"])
    try:
        revision = serving(connection)
        if asked["iss"] != revision.issuer:
            raise SignInRefused(Reason.INITIATED_ELSEWHERE, expected=revision.issuer, got=asked["iss"][:LONGEST_HINT])
        hint = asked["login_hint"] if len(asked["login_hint"]) <= LONGEST_HINT else ""
        url, state, attempt = begin(revision, login_hint=hint, next=next_page)
    except SignInRefused as refusal:
        return refuse(request, connection, refusal, next_page=next_page)
    return sent(HttpResponseRedirect(url), request, state, attempt)


def page_of_ours(connection: Connection, target: str) -> str:
    """Return path and query of ``target`` when it is an address at the connection's own region, else nothing.

    Nor is one that begins or ends a sign-in a page to come to after one.
    """
    origin = connection.enterprise.origin
    if len(target) > LONGEST_NEXT or not target.startswith(f"{origin}/"):
        return ""
    hosts = {connection.enterprise.host}
    page = target.removeprefix(origin)
    is_safe = url_has_allowed_host_and_scheme(target, hosts, require_https=settings.HTTPS)
    if not is_safe or not url_has_allowed_host_and_scheme(page, allowed_hosts=None) or page.startswith("/sso/"):
        return ""
    return page
