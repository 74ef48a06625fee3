"""Proving once more who one is, at the provider one came in with: there, and back into the same session."""

from __future__ import annotations

from django.conf import settings
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, resolve_url
from django.urls import reverse
from django.views.decorators.http import require_GET

from identity.attempts import Attempt, Purpose
from identity.backends import OIDCBackend
from identity.models import Connection, Grant
from identity.refused import Reason, SignInRefused
from identity.round_trip import begin, proved, serving, unchanged
from identity.views.responses import refuse, sent
from identity.vouching import renew
from users.http import ConsoleRequest
from users.models import Session
from users.sessions import prove
from users.views.entrance import safe_next


@require_GET
def start(request: ConsoleRequest) -> HttpResponse:
    """Send the person of this session to the provider it came through, which is to ask for a new sign-in (K7)."""
    row, next_page = request.session.row, safe_next(request)
    assert row is not None  # noqa: S101 - the gate has let a session in
    grants = Grant.objects.select_related("connection__serving__secret")
    grant = grants.filter(session=row, connection__enterprise=request.enterprise).first()
    if grant is None:  # Signed in with a password: that page knows how.
        return redirect(reverse("users:prove", query={"next": next_page} if next_page else None))
    connection = grant.connection
    connection.enterprise = request.enterprise
    try:
        url, state, attempt = begin(
            serving(connection),
            max_age=0,
            prompt="login" if request.GET.get("prompt") == "login" else "",
            login_hint=request.user.email,
            purpose=Purpose.STEP_UP,
            user=request.user.pk,
            session=row.handle,
            next=next_page,
        )
    except SignInRefused as refusal:
        return refuse(request, connection, refusal, purpose=Purpose.STEP_UP, next_page=next_page)
    return sent(HttpResponseRedirect(url), request, state, attempt)


def finished(request: HttpRequest, connection: Connection, attempt: Attempt) -> HttpResponse:
    """Note the proof in the session that asked for it. Raises SignInRefused; then the session is as it was (R6).

    The answer has to be about the very subject the session is pinned to, known to this connection and issuer, and
    still an active user. The user's row stays locked until it is noted: a deactivation meanwhile waits, and ends the
    session (T17).
    """
    row = _session_of(request, connection, attempt)
    proof = proved(request, connection, unchanged(serving(connection), attempt), attempt)
    grants = Grant.objects.filter(session=row, session__enterprise=connection.enterprise_id, connection=connection)
    grant = grants.select_related("session").first()
    if grant is None:
        raise SignInRefused(Reason.NOT_THE_SAME_SESSION)
    if (grant.issuer, grant.sub) != (proof.claims.iss, proof.claims.sub):
        raise SignInRefused(Reason.NOT_THE_SAME_PERSON, expected=grant.sub, got=proof.claims.sub, claims=proof.claims)
    with transaction.atomic():
        user = OIDCBackend().authenticate(request, proof=proof)
        if user.pk != row.user_id:
            raise SignInRefused(Reason.NOT_THE_SAME_PERSON, claims=proof.claims)
        if prove(request, through=connection):
            renew(row, grant, proof)
    return HttpResponseRedirect(attempt.next or resolve_url(settings.LOGIN_REDIRECT_URL))


def _session_of(request: HttpRequest, connection: Connection, attempt: Attempt) -> Session:
    """Return the session of ``request`` if it is the one that ``attempt`` began in. Raises SignInRefused."""
    row: Session | None = request.session.row if request.user.is_authenticated else None  # type: ignore[attr-defined]
    if (
        row is None
        or (row.handle, row.user_id) != (attempt.session, attempt.user)
        or row.enterprise_id != connection.enterprise_id
    ):
        raise SignInRefused(Reason.NOT_THE_SAME_SESSION)
    return row
