"""A test sign-in: a real round trip through the newest settings that signs nobody in."""

from __future__ import annotations

import time
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.http import require_GET

from audit.actions import Action
from audit.models import Result, record
from identity.attempts import Attempt, Purpose
from identity.backends import OIDCBackend
from identity.models import Connection, Revision
from identity.refused import Reason, SignInRefused
from identity.round_trip import Proof, begin, proved, unchanged
from identity.views.responses import readable, refuse, sent
from users.access import Permission, allowed
from users.http import ConsoleRequest


@require_GET
@allowed(Permission.MANAGE_CONNECTIONS)
def start(request: ConsoleRequest, pk: str) -> HttpResponse:
    """Send the administrator to the provider with the newest revision, even of a draft."""
    connection = Connection.objects.of(request.enterprise).filter(pk=pk).first()
    revision = connection.latest if connection else None
    if connection is None or revision is None:
        raise Http404
    connection.enterprise, revision.connection = request.enterprise, connection
    try:
        url, state, attempt = begin(revision, purpose=Purpose.TEST, user=request.user.pk)
    except SignInRefused as refusal:
        return _ended(request, connection, revision, refusal, milliseconds=0)
    return sent(HttpResponseRedirect(url), request, state, attempt)


def finished(request: HttpRequest, connection: Connection, attempt: Attempt) -> HttpResponse:
    """Keep what came back for the administrator who began it, in this very session, and show it."""
    if not _is_the_tester(request, connection, attempt):
        return refuse(request, connection, SignInRefused(Reason.NOT_THE_TESTER), purpose=Purpose.TEST)
    began = time.perf_counter()
    revision = connection.latest
    if revision is None:
        raise Http404
    revision.connection = connection
    outcome: Proof | SignInRefused
    try:
        outcome = proved(request, connection, unchanged(revision, attempt), attempt)
    except SignInRefused as refusal:
        outcome = refusal
    return _ended(request, connection, revision, outcome, milliseconds=round((time.perf_counter() - began) * 1000))


def _is_the_tester(request: HttpRequest, connection: Connection, attempt: Attempt) -> bool:
    user = request.user
    return (
        user.is_authenticated
        and user.pk == attempt.user
        and user.enterprise_id == connection.enterprise_id
        and request.access.may(Permission.MANAGE_CONNECTIONS)  # type: ignore[attr-defined]
    )


def _ended(
    request: HttpRequest,
    connection: Connection,
    revision: Revision,
    outcome: Proof | SignInRefused,
    *,
    milliseconds: int,
) -> HttpResponse:
    now = timezone.now()
    result: dict[str, Any] = {
        "connection": connection.pk,
        "revision": revision.number,
        "at": now.isoformat(),
        "claims": {},
        "header": {},
        "verdict": "",
        "verdict_user": "",
        "ok": isinstance(outcome, Proof),
        "refusal": None,
        "milliseconds": milliseconds,
    }
    if isinstance(outcome, Proof):
        claims = outcome.claims
        verdict, user = OIDCBackend().verdict(outcome)
        result |= {
            "claims": readable(claims.raw),
            "header": {"alg": claims.algorithm, "kid": claims.kid, "typ": claims.typ},
            "verdict": verdict,
            "verdict_user": user.pk if user else "",
        }
        revision.mark_tested(by=request.user, at=now)  # type: ignore[arg-type]
    else:
        result["refusal"] = {"code": outcome.code.value, "expected": outcome.expected, "got": outcome.got}
    record(
        Action.CONNECTION_TESTED,
        enterprise=connection.enterprise,
        request=request,
        target=connection,
        result=Result.DONE if result["ok"] else Result.REFUSED,
        reason=result["refusal"]["code"] if result["refusal"] else "",
        revision=revision.number,
        verdict=result["verdict"],
    )
    request.session["test_result"] = result
    return redirect("identity:test_result", connection.pk)
