"""Asking the provider through the browser, there and back, without anybody typing: ``prompt=none``.

For sessions without a refresh token. Only a page that somebody opens is worth it: never what a form sends, a script
asks for or a browser loads ahead. When it is due, the browser is sent at most every few minutes, and whatever else
comes is served, until ``Session.vouch_by``; after that nothing is, before the provider has answered. Only what we see
ourselves counts as an outage then: an error that comes with the browser may be made up by whoever holds it.

The browser moves on from a page of ours: it may come from a form, and ``form-action`` holds for redirects, too.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _

from identity import vouching
from identity.attempts import Attempt, Purpose
from identity.ended import DENIALS, UNPROVED, SessionEnded
from identity.models import Connection, Grant, Revision
from identity.oidc import Refused
from identity.providers import door
from identity.refused import SignInRefused
from identity.round_trip import begin, proved, unchanged
from identity.views.responses import sent, session_ended
from users.http import is_by_script, page_of
from users.middleware import sign_in_first
from users.models import Session
from users.step_up import kept_for_later
from users.views.entrance import LONGEST_NEXT

# How often a browser is sent that does not come back.
SENT_EVERY = timedelta(minutes=5)


def is_navigating(request: HttpRequest) -> bool:
    """Whether a page is to be shown in a window of its own, as browsers say it; else a script asks, or an element."""
    said = request.headers
    is_document = said.get("Sec-Fetch-Dest", "document") == "document"
    return said.get("Sec-Fetch-Mode", "navigate") == "navigate" and is_document and not is_by_script(request)


def is_opened(request: HttpRequest) -> bool:
    """Whether somebody opens a page, rather than sending something."""
    said = request.headers
    return (
        request.method == "GET"
        and is_navigating(request)
        and "prefetch" not in said.get("Sec-Purpose", "")
        and len(request.get_full_path()) <= LONGEST_NEXT
    )


def ask(request: HttpRequest, view: Callable[..., Any], row: Session, at: datetime) -> HttpResponse | None:
    """Send the browser to ask about the session ``row``, which is due; or return None, to serve what it wants."""
    is_overdue = row.vouch_by is not None and at > row.vouch_by
    if not is_overdue and not (is_opened(request) and row.put_off_vouch(at + SENT_EVERY)):
        return None
    grant = vouching.grant_of(row)
    if grant is None:
        return sign_in_first(request)
    try:
        return _sent_away(request, view, row, grant, vouching.pinned(grant))
    except SessionEnded as ended:
        return _over(request, row, grant, ended, _page(request))
    except SignInRefused as refusal:
        # Seen by ourselves: it does not answer, or we cannot speak to it.
        vouching.put_off(request, row, grant.connection, refusal, at + vouching.LATER)
        return None


def _sent_away(
    request: HttpRequest, view: Callable[..., Any], row: Session, grant: Grant, revision: Revision
) -> HttpResponse:
    """Answer with a page that moves on to the provider. Raises SignInRefused when the provider does not answer.

    What was sent is kept meanwhile, to go on by one press.
    """
    try:
        with door().egress.within(vouching.LONGEST_SECONDS):
            door().feel_pulse(revision.relying_party())
    except Refused as refused:
        raise SignInRefused.by_protocol(refused) from None
    page = _page(request)
    if kept_for_later(request, view, row):
        page = reverse("users:held")
    elif request.method not in ("GET", "HEAD"):
        messages.warning(request, _("Nothing was done: your session had to be checked first. Do it again."))
    if not is_navigating(request):
        # The page it is led to is opened, and asks.
        return HttpResponse(status=401, headers={"HX-Redirect": page})
    url, state, attempt = begin(
        revision, prompt="none", login_hint=row.user.email, purpose=Purpose.QUIET, session=row.handle, next=page
    )
    # What is to be said waits for the page that is meant: nobody reads this one.
    context = {"connection": grant.connection, "enterprise": row.enterprise, "url": url, "messages": ()}
    response = sent(render(request, "identity/quiet.html", context), request, state, attempt)
    response["Refresh"] = f"0; url={url}"
    return response


def _page(request: HttpRequest) -> str:
    """Return the page of ours to come back to."""
    page = page_of(request)
    is_ours = len(page) <= LONGEST_NEXT and url_has_allowed_host_and_scheme(page, allowed_hosts=None)
    return page if is_ours else reverse("console:dashboard")


def finished(request: HttpRequest, connection: Connection, attempt: Attempt) -> HttpResponse:
    """Have the session go on, or end it, as the provider says; and lead back to the page that was to be opened."""
    row = _asked_about(request, attempt)
    grant = vouching.grant_of(row) if row else None
    if row is None or grant is None or grant.connection_id != connection.pk:
        # It has ended by now, or another one has begun: the page itself says what is to be done.
        return redirect(attempt.next)
    is_overdue = row.vouch_by is not None and timezone.now() > row.vouch_by
    try:
        proof = proved(request, connection, unchanged(vouching.pinned(grant), attempt), attempt)
        vouching.renew(row, grant, proof)
    except SessionEnded as ended:
        return _over(request, row, grant, ended, attempt.next)
    except SignInRefused as refusal:
        is_seen = refusal.is_outage and "error" not in request.GET
        if refusal.code in DENIALS | UNPROVED or (is_overdue and not is_seen):
            no = SessionEnded(refusal.code, expected=refusal.expected, got=refusal.got)
            return _over(request, row, grant, no, attempt.next)
        vouching.put_off(request, row, connection, refusal, timezone.now() + SENT_EVERY)
    return redirect(attempt.next)


def _asked_about(request: HttpRequest, attempt: Attempt) -> Session | None:
    """Return the session the attempt was begun for, if that is still this browser's."""
    if not request.user.is_authenticated:
        return None
    row: Session = request.session.row  # type: ignore[attr-defined]
    return row if row.handle == attempt.session else None


def _over(request: HttpRequest, row: Session, grant: Grant, ended: SessionEnded, page: str) -> HttpResponse:
    vouching.end(request, row, grant.connection, ended, "quiet")
    return session_ended(request, grant.connection, ended, page)
