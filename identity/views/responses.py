"""How a sign-in leaves for the provider, and how it ends when it is refused: a page, and an entry in the audit log."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.contrib.auth.models import AnonymousUser
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.html import conditional_escape, format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.text import capfirst
from django.utils.translation import gettext as _

from audit.actions import Action
from audit.models import Event, Result, printable, record
from identity import attempts
from identity.attempts import Attempt, Purpose
from identity.claims import as_text
from identity.ended import SessionEnded
from identity.floods import record_unproved
from identity.models import Connection
from identity.oidc import thawed
from identity.refusal_pages import Stop
from identity.refused import SignInRefused
from invitations.models import Move
from users.access import Permission
from users.http import is_by_script

# Of the token and not of the person: good for nothing once it is verified.
_SPENT = frozenset({"nonce", "at_hash", "c_hash", "s_hash"})
MOST_CLAIMS = 40


def readable(said: Mapping[str, object]) -> dict[str, Any]:
    """Return what a token said, for administrators: without the parts that only prove it (R12)."""
    kept = [(name, thawed(value)) for name, value in said.items() if name not in _SPENT]
    return {printable(name, 60): value for name, value in kept[:MOST_CLAIMS]}


def refuse(
    request: HttpRequest,
    connection: Connection,
    refusal: SignInRefused,
    *,
    purpose: Purpose = Purpose.SIGN_IN,
    next_page: str = "",
    revision: int = 0,
) -> HttpResponse:
    """Put ``refusal`` on record, on its invitation too, and answer with its page. No session and no account changes.

    ``revision`` is the number of the one it began with; without it, that which serves.
    """
    event = _recorded(request, connection, refusal, purpose, revision)
    response = render(
        request,
        "identity/refused.html",
        _words(connection, refusal)
        | _ways_on(connection, refusal, purpose, next_page)
        | {"enterprise": connection.enterprise, "reference": event.reference, "entry_url": _entry_url(request, event)},
        status=refusal.page.status,
    )
    # Its forms need an origin to be trusted; with no referrer at all, a browser sends “null” for that.
    response["Referrer-Policy"] = "strict-origin"
    never_kept(response)
    return response


def session_ended(request: HttpRequest, connection: Connection, ended: SessionEnded, page: str) -> HttpResponse:
    """Answer who had a session: it is over, and here is why and how to come back to ``page``. It is on record by now.

    A script gets 401 and where to sign in again (R8); the words wait there. The cookie is left alone: by now another
    tab may have been given a new one.
    """
    request.session.row = None  # type: ignore[attr-defined]
    request.user = AnonymousUser()
    words = _words(connection, ended)
    if is_by_script(request):
        messages.error(request, f"{words['title']}. {words['text']}")
        sign_in = reverse("users:enterprise", args=[connection.enterprise.slug])
        response = HttpResponse(status=401, headers={"HX-Redirect": f"{sign_in}?{urlencode({'next': page})}"})
    else:
        context = words | _ways_on(connection, ended, Purpose.SIGN_IN, page)
        context |= {"enterprise": connection.enterprise, "reference": ended.reference, "is_ended": True}
        response = render(request, "identity/refused.html", context, status=ended.page.status)
    never_kept(response)
    return response


def _entry_url(request: HttpRequest, event: Event) -> str:
    """Return where the sign-in log has it, for somebody of the enterprise who is signed in here and may read that."""
    user = request.user
    if not user.is_authenticated or user.enterprise_id != event.enterprise_id:
        return ""
    may_read = request.access.may(Permission.SEE_AUDIT_LOG)  # type: ignore[attr-defined]
    return reverse("identity:sign_in_entry", args=[event.pk]) if may_read else ""


def never_kept(response: HttpResponse) -> None:
    """Have nobody store the page, nor learn its address from it: it may carry a code or a state (T18)."""
    response["Cache-Control"] = "no-store"
    response.setdefault("Referrer-Policy", "no-referrer")


def sent(response: HttpResponse, request: HttpRequest, state: str, attempt: Attempt) -> HttpResponse:
    """Let ``response``, which leads to the provider, carry ``attempt`` in a cookie."""
    attempts.keep(response, request, state, attempt)
    never_kept(response)
    return response


def _recorded(
    request: HttpRequest, connection: Connection, refusal: SignInRefused, purpose: Purpose, revision: int
) -> Event:
    details: dict[str, Any] = {"purpose": purpose.value}
    if revision or connection.serving:
        details["revision"] = revision or connection.serving.number  # type: ignore[union-attr]
    if refusal.expected:
        details["expected"] = refusal.expected
    if refusal.got:
        details["got"] = refusal.got
    if refusal.said is not None:
        details["claims"] = {name: printable(as_text(value), 200) for name, value in readable(refusal.said).items()}
    reason, now = refusal.code.value, timezone.now()
    with transaction.atomic():
        for link in filter(None, (refusal.invitation, refusal.move)):
            link.mark_refused(reason, now)
        if not refusal.is_somebodys:
            return record_unproved(
                Action.SESSION_REFUSED,
                request=request,
                connection=connection,
                reason=reason,
                at=now,
                link=refusal.invitation or refusal.move,
                **details,
            )
        return record(
            Action.SESSION_REFUSED,
            enterprise=connection.enterprise,
            request=request,
            actor=refusal.user,
            target=refusal.invitation or (refusal.move and refusal.move.user) or connection,
            result=Result.REFUSED,
            reason=reason,
            connection=connection.pk,
            provider=connection.label,
            **details,
        )


def _words(connection: Connection, refusal: SignInRefused) -> dict[str, Any]:
    page = refusal.page
    names: dict[str, Any] = {
        "provider": connection.label,
        "enterprise": connection.enterprise.name,
        "app": format_html("<b>{}</b>", _("Gatehouse for %s") % connection.enterprise.name),
    }
    steps = [_filled(step, names) for step in page.steps]
    text = str(page.text) % names
    if refusal.invitation and page.stop is Stop.PROVIDER:
        text = f"{text} {_('Your invitation is still good.')}"
        steps.append(_filled(_("Then open the link in your invitation again."), {}))
    if refusal.move and (page.old_way or page.stop is Stop.PROVIDER):
        text = f"{text} {_of_old_way(refusal.move)}"
    if refusal.move and page.stop is Stop.PROVIDER:
        steps.append(_filled(_("Then open the link in the email again."), {}))
    path = {
        Stop.PROVIDER: _("You reached %(provider)s: %(note)s. %(enterprise)s was not reached."),
        Stop.HOUSE: _("You and %(provider)s came through. %(enterprise)s: %(note)s."),
        Stop.UNTRIED: _("%(provider)s was not asked, and %(enterprise)s was not reached."),
    }[page.stop]
    note = str(page.note)
    return {
        "connection": connection,
        "title": capfirst(str(page.title) % names),
        "text": capfirst(text),
        "steps": steps,
        "stopped": page.stop.value,
        "path_label": capfirst(path % (names | {"note": note})),
        "provider_name": capfirst(connection.label),
        "provider_note": note if page.stop is Stop.PROVIDER else "",
        "house_note": note if page.stop is Stop.HOUSE else "",
    }


def _of_old_way(move: Move) -> str:
    """Say whether whoever was to be switched can go on as before (T16)."""
    old = {"old": move.old_way}
    if move.is_old_way_open(timezone.now()):
        return _("Nothing has changed: %(old)s works as before.") % old
    return capfirst(_("%(old)s no longer works, so a link is your way in.") % old)


def _filled(sentence: str | Promise, names: dict[str, Any]) -> SafeString:
    """Return a sentence of ours with names in it: the names are escaped, what is ours is not."""
    words = conditional_escape(str(sentence))
    return mark_safe(capfirst(words % {name: conditional_escape(value) for name, value in names.items()}))  # noqa: S308


def _ways_on(connection: Connection, refusal: SignInRefused, purpose: Purpose, next_page: str) -> dict[str, Any]:
    page, invitation, move = refusal.page, refusal.invitation, refusal.move
    start, slug = reverse("identity:start", args=[connection.pk]), connection.enterprise.slug
    if purpose is Purpose.STEP_UP:
        start = reverse("identity:step_up")
    asked = {"next": next_page} if next_page else {"for": purpose.value} if purpose is Purpose.SWITCH else {}
    again = f"{start}?{urlencode(asked)}" if asked else start
    other = f"{start}?{urlencode(asked | {'prompt': 'login'})}"
    return {
        # With a link both begin by POST, like the first time (T9).
        "by_post": invitation is not None or move is not None,
        "again_url": again if page.retry and purpose is not Purpose.TEST else "",
        "other_url": other if page.other_account and purpose is not Purpose.TEST else "",
        "sign_in_url": reverse("users:enterprise", args=[slug]),
        "local_url": reverse("users:local", args=[slug]) if page.local else "",
        "invited_by": invitation.invited_by if invitation else None,
        "switched_by": move.batch.begun_by if move else None,
    }
