"""Okta's Universal Logout: one call ends everything of one person (draft-parecki-oauth-global-token-revocation)."""

from __future__ import annotations

from django.contrib.auth.decorators import login_not_required
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from identity import signing_out
from identity.models import Connection
from identity.oidc import (
    KeySource,
    Malformed,
    Metadata,
    RelyingParty,
    SignOut,
    parse_revocation,
    verify_revocation_token,
)
from identity.signing_out import Channel, NotHeard, Outcome
from identity.views.responses import never_kept
from identity.views.sign_in import addressed

STATUS = {Outcome.ENDED: 204, Outcome.NOT_ITS_OWN: 403, Outcome.UNKNOWN: 404, Outcome.OTHER_SESSIONS: 422}


@csrf_exempt
@login_not_required
@require_POST
def revoke(request: HttpRequest, pk: str) -> HttpResponse:
    """Answer with a status and nothing else (K10).

    204 done; 400 the body is not what it must be; 401 the bearer is not proved; 403 another issuer's subject; 404
    nobody of this connection; 422 the person signs in another way by now, and sessions of that way go on. Nothing
    is looked up for a bearer who is not proved, and whether a connection exists is nothing to ask for here either.
    """
    try:
        connection = addressed(pk)
    except Http404:
        return _answer(401)
    try:
        said = _bearer(request, connection)
        with transaction.atomic():
            signing_out.spend(connection, said, timezone.now())
            return _answer(_heard(request, connection, said))
    except NotHeard as refusal:
        signing_out.record_refusal(request, connection, Channel.GLOBAL, refusal)
        return _answer(401)


def _bearer(request: HttpRequest, connection: Connection) -> SignOut:
    """Return who speaks. Raises NotHeard."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise NotHeard("bearer_missing")
    audience = connection.enterprise.url(reverse("identity:global_token_revocation", args=[connection.pk]))

    def verify(rp: RelyingParty, metadata: Metadata, keys: KeySource) -> SignOut:
        return verify_revocation_token(token.strip(), rp, metadata, keys, audience=audience, at=timezone.now())

    return signing_out.spoken(connection, verify)


def _heard(request: HttpRequest, connection: Connection, said: SignOut) -> int:
    """Do what somebody who is proved asks for, and return the status. What is not done is on record too."""
    try:
        whom = parse_revocation(request.body)
    except Malformed:
        signing_out.record_refusal(request, connection, Channel.GLOBAL, NotHeard("malformed_request"))
        return 400
    outcome = signing_out.revoke(request, connection, said, whom, timezone.now())
    if outcome is not Outcome.ENDED:
        signing_out.record_refusal(request, connection, Channel.GLOBAL, NotHeard(outcome.value))
    return STATUS[outcome]


def _answer(status: int) -> HttpResponse:
    response = HttpResponse(status=status)
    if status == 401:
        response["WWW-Authenticate"] = "Bearer"
    never_kept(response)
    return response
