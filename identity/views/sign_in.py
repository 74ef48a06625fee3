"""Sign-in through a connection: there, and back again.

Built on mozilla-django-oidc's two views, whose documented hooks answer for one connection at a time. What differs:
the attempt is sealed into a cookie instead of the session, and every no is a coded refusal with a page.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.db import transaction
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render, resolve_url
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.views.generic import View
from mozilla_django_oidc.views import OIDCAuthenticationCallbackView, OIDCAuthenticationRequestView

from audit.actions import Action
from audit.compiled import compiled, insert
from audit.models import record
from identity import attempts
from identity.attempts import Attempt, Purpose
from identity.backends import OIDCBackend, name_of
from identity.models import Connection, Grant, WaitingSubject
from identity.oidc import Claims
from identity.refused import Reason, SignInRefused, reason_of
from identity.round_trip import Proof, begin, proved, serving, unchanged
from identity.views import quiet, step_up, trial
from identity.views.responses import never_kept, refuse, sent
from invitations import cookies
from invitations.models import Invitation, Move
from users.models import Method, User
from users.sessions import sign_in
from users.views.entrance import safe_next


@compiled
def _named(pk: str) -> QuerySet[Connection]:
    found = Connection.objects.select_related("enterprise", "serving__secret").filter(pk=pk)
    return found.defer("serving__findings")  # Long, and only the set-up page reads them.


def addressed(pk: str) -> Connection:
    """Return the connection that is named in an address of ours, or raise Http404: one query."""
    found = _named(pk)
    if not found:
        raise Http404
    return found[0]


@method_decorator(login_not_required, name="dispatch")
class StartView(OIDCAuthenticationRequestView):
    """Begins an attempt and sends the browser to the provider. Writes nothing to the database.

    GET for somebody who has an account; POST for somebody with an emailed link, which it marks as opened.
    """

    http_method_names = ["get", "post"]
    request: HttpRequest
    connection: Connection

    def __init__(self, **kwargs: Any) -> None:
        # Not the parent's: it reads the settings of a single provider.
        View.__init__(self, **kwargs)

    def get_settings(self, attr: str, *args: Any) -> Any:
        """Answer for this connection; what it has no opinion on comes from Django's settings."""
        if attr == "OIDC_AUTH_REQUEST_EXTRA_PARAMS":
            # “Use another account”: the provider asks for one even from somebody who is signed in there.
            return {"prompt": "login"} if self.request.GET.get("prompt") == "login" else {}
        return OIDCAuthenticationRequestView.get_settings(attr, *args)

    def get(self, request: HttpRequest, pk: str) -> HttpResponse:
        self.connection = addressed(pk)
        home = self.connection.enterprise.origin
        if request.get_host() != urlsplit(home).netloc:
            # The provider comes back to the region's own address (R9), and only there the cookie is found again.
            return HttpResponseRedirect(home + request.get_full_path())
        next_page = safe_next(request)
        try:
            url, state, attempt = begin(serving(self.connection), next=next_page, **self.get_extra_params(request))
        except SignInRefused as refusal:
            return refuse(request, self.connection, refusal, next_page=next_page)
        return sent(HttpResponseRedirect(url), request, state, attempt)

    def post(self, request: HttpRequest, pk: str) -> HttpResponse:
        """Begin with the invitation, or ``for=switch`` with the switch, that was opened in this browser.

        The answer is a page that moves on by itself: a redirect after a form would have to be allowed by
        ``form-action`` for every provider there is.
        """
        self.connection = addressed(pk)
        link: Invitation | Move | None
        if request.GET.get("for") == Purpose.SWITCH:
            link, name, purpose, gone = cookies.opened_move(request), "move", Purpose.SWITCH, Reason.SWITCH_GONE
        else:
            link, name, purpose = cookies.opened(request), "invitation", Purpose.INVITATION
            gone = Reason.INVITATION_GONE
        if link is not None and link.enterprise_id != self.connection.enterprise_id:
            link = None
        try:
            if link is None:
                raise SignInRefused(gone)
            if obstacle := link.obstacle(timezone.now()):
                raise SignInRefused(reason_of(obstacle) or gone)
            revision = serving(self.connection)
            link.mark_opened(timezone.now())
            named: dict[str, Any] = {name: link.pk, **self.get_extra_params(request)}
            url, state, attempt = begin(revision, purpose=purpose, **named)
        except SignInRefused as refusal:
            setattr(refusal, name, link)
            return refuse(request, self.connection, refusal, purpose=purpose)
        context = {"connection": self.connection, "enterprise": self.connection.enterprise, "url": url}
        response = sent(render(request, "identity/continue.html", context), request, state, attempt)
        response["Refresh"] = f"0; url={url}"
        return response


def authenticated_at(claims: Claims) -> datetime | None:
    """Return when the person proved to the provider who they are, if it says so: that may be hours ago, never later."""
    return None if claims.auth_time is None else datetime.fromtimestamp(min(claims.auth_time, time.time()), UTC)


@method_decorator(login_not_required, name="dispatch")
class CallbackView(OIDCAuthenticationCallbackView):
    """Where the provider sends the browser back to: the redirect URI. Ends in a session, or in a refusal."""

    request: HttpRequest
    connection: Connection
    attempt: Attempt | None
    proof: Proof
    refusal: SignInRefused
    user: User

    def get_settings(self, attr: str, *args: Any) -> Any:
        """Answer for this attempt; what it has no opinion on comes from Django's settings."""
        if attr == "LOGIN_REDIRECT_URL" and self.attempt and self.attempt.next:
            return self.attempt.next
        return OIDCAuthenticationCallbackView.get_settings(attr, *args)

    def get(self, request: HttpRequest, pk: str) -> HttpResponse:
        state = request.GET.get("state", "")
        # First of all: an attempt is used up by whatever comes back for it (R6, H23).
        self.attempt = attempts.opened(request, state)
        self.connection = addressed(pk)
        response = self.answered()
        attempts.clear(response, request, state)
        never_kept(response)
        return response

    def answered(self) -> HttpResponse:
        try:
            attempt = self.expected()
        except SignInRefused as refusal:
            self.refusal = refusal
            return self.login_failure()
        if attempt.purpose is Purpose.TEST:
            return trial.finished(self.request, self.connection, attempt)
        if attempt.purpose is Purpose.QUIET:
            return quiet.finished(self.request, self.connection, attempt)
        invitation, move = self.invitation_of(attempt), self.move_of(attempt)
        try:
            if attempt.purpose is Purpose.STEP_UP:
                return step_up.finished(self.request, self.connection, attempt)
            revision = unchanged(serving(self.connection), attempt)
            self.proof = proved(self.request, self.connection, revision, attempt, invitation, move)
            # The user's row stays locked until the session is there: a deactivation meanwhile waits, and ends it (T17).
            with transaction.atomic():
                self.user = OIDCBackend().authenticate(self.request, proof=self.proof)
                return self.login_success()
        except SignInRefused as refusal:
            refusal.invitation, refusal.move = invitation, move
            self.refusal = refusal
            return self.login_failure()

    def expected(self) -> Attempt:
        """Return the attempt if this is what it waits for. Raises SignInRefused."""
        attempt = self.attempt
        if attempt is None or attempt.connection != self.connection.pk:
            raise SignInRefused(Reason.ATTEMPT_UNKNOWN)
        if attempt.is_expired:
            raise SignInRefused(Reason.ATTEMPT_EXPIRED)
        return attempt

    def invitation_of(self, attempt: Attempt) -> Invitation | None:
        if attempt.purpose is not Purpose.INVITATION:
            return None
        invitations = Invitation.objects.of(self.connection.enterprise).select_related("invited_by", "user")
        return invitations.filter(pk=attempt.invitation).first()

    def move_of(self, attempt: Attempt) -> Move | None:
        if attempt.purpose is not Purpose.SWITCH:
            return None
        moves = Move.objects.of(self.connection.enterprise)
        return moves.select_related("enterprise", "user", "batch__begun_by", "leaving").filter(pk=attempt.move).first()

    # ---- The frame's hooks

    @property
    def success_url(self) -> str:
        """Where the attempt wanted to go: proved to be an address of ours when it began, and sealed since."""
        return resolve_url(self.get_settings("LOGIN_REDIRECT_URL"))

    def login_success(self) -> HttpResponse:
        """Begin a session that is pinned to where it came from, within the transaction that locked its user."""
        proof, claims = self.proof, self.proof.claims
        grant = Grant(
            session=sign_in(
                self.request,
                self.user,
                Method.CONNECTION,
                proved_at=authenticated_at(claims),
                voucher=proof.voucher,
            ),
            connection=self.connection,
            issuer=claims.iss,
            sub=claims.sub,
            sid=claims.sid,
            revision=proof.revision.terms,
        )
        if proof.refresh_token:
            grant.keep(proof.refresh_token, proof.attempt.nonce)
        insert(grant)
        record(
            Action.SESSION_STARTED,
            enterprise=self.connection.enterprise,
            request=self.request,
            actor=self.user,
            target=self.connection,
            method=Method.CONNECTION.value,
            connection=self.connection.pk,
            revision=proof.revision.number,
        )
        response = HttpResponseRedirect(self.success_url)
        if proof.attempt.purpose is Purpose.INVITATION:
            cookies.clear(response)
        if proof.attempt.purpose is Purpose.SWITCH:
            cookies.clear(response, name=cookies.SWITCH_NAME)
            messages.success(
                self.request, _("You sign in with %(provider)s from now on.") % {"provider": self.connection.title}
            )
        return response

    def login_failure(self) -> HttpResponse:
        """Answer with the refusal's page. Whatever session there was before lives on (R6)."""
        attempt, claims = self.attempt, self.refusal.claims
        if self.refusal.code is Reason.ACCOUNT_NOT_LINKED and claims:
            # Outside of the transaction that was undone: it waits for an administrator's yes (T8).
            WaitingSubject.note(
                self.connection, issuer=claims.iss, sub=claims.sub, email=claims.email, name=name_of(claims),
                at=timezone.now(),
            )  # fmt: skip
        return refuse(
            self.request,
            self.connection,
            self.refusal,
            purpose=attempt.purpose if attempt else Purpose.SIGN_IN,
            next_page=attempt.next if attempt else "",
            revision=attempt.revision if attempt else 0,
        )
