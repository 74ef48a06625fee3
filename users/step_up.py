"""A recent sign-in before what changes who gets in (T5), and forms that wait for one.

``@recently_proved`` on a view is all it takes. Whoever signed in, or proved who they are, more than ten minutes ago
is asked to do it again, the way they signed in, and what they sent is held meanwhile, sealed: afterwards the view
runs with it as if it came now.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar
from urllib.parse import urlencode

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django_htmx.http import HttpResponseClientRedirect

from users.http import page_of
from users.models import HeldForm, OverError, Session
from users.models.held import FIELD, NEVER_KEPT

View = TypeVar("View", bound=Callable[..., HttpResponseBase])


def is_sent(request: HttpRequest) -> bool:
    """Return whether ``request`` may change something; reading a page needs no recent proof."""
    return request.method not in ("GET", "HEAD", "OPTIONS")


def recently_proved(
    view: Callable[..., HttpResponseBase] | None = None, *, when: Callable[[HttpRequest], bool] = is_sent
) -> Any:
    """Let a view be called only by somebody who has proved who they are in the last ten minutes.

    Below ``allowed``, so that nobody is asked for what they may not do anyway. As a rule only what is sent asks::

        @allowed(Permission.MANAGE_CONNECTIONS)
        @require_POST
        @recently_proved
        def enable(request, pk): ...

    ``when`` says which requests ask instead: ``when=lambda request: True`` also for a page that shows a secret. A
    view that knows only after reading its form whether it matters asks itself, in one line::

        if question := proof_asked(request):
            return question

    The view is called again with all that was sent, except passwords and codes (``NEVER_KEPT``): it looks at
    everything anew, since a page's form may have waited for half an hour.
    """

    def decorate(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
        @functools.wraps(view)
        def proved(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            question = proof_asked(request) if when(request) else None
            return question or view(request, *args, **kwargs)

        return proved

    return decorate(view) if view else decorate


def proof_asked(request: HttpRequest) -> HttpResponse | None:
    """Return the way to where one proves who one is, with what was sent held; None when that was done recently.

    htmx is led there by a header of its own, since it would put the page in place of what it asked for.
    """
    row: Session = request.session.row  # type: ignore[attr-defined]
    now = timezone.now()
    if row.is_recently_proved(now):
        return None
    page = page_of(request)
    asked = {"next": page}
    if request.method == "POST":
        held = HeldForm.hold(row, path=request.get_full_path(), page=page, typed=request.POST, at=now)
        if held is None:
            messages.warning(request, _("What you sent is too large to be kept. Send it again afterwards."))
        else:
            asked = {FIELD: held.pk}
    url = f"{reverse('users:prove')}?{urlencode(asked)}"
    return HttpResponseClientRedirect(url) if request.headers.get("HX-Request") else HttpResponseRedirect(url)


def never_held(view: View) -> View:
    """Mark a view for which nothing is held, nor put back: what is sent there is for one moment."""
    view.is_never_held = True  # type: ignore[attr-defined]
    return view


def _may_be_held(view: Callable[..., Any]) -> bool:
    return not getattr(view, "is_never_held", False)


def kept_for_later(request: HttpRequest, view: Callable[..., Any], row: Session | None) -> bool:
    """Keep what somebody has sent in the session ``row``, which does not count just now; return whether it is kept.

    Only for the person of that session, still active in an open enterprise; a session that somebody has ended keeps
    nothing.
    """
    if request.method != "POST" or row is None or not _may_be_held(view):
        return False
    if not row.user.is_active or row.enterprise.is_closed:
        return False
    if not request.POST.keys() - NEVER_KEPT:
        return False  # A button that was pressed is found again on its page.
    path, now = request.get_full_path(), timezone.now()
    return HeldForm.hold(row, path=path, page=page_of(request), typed=request.POST, at=now) is not None


def put_back(request: HttpRequest, view: Callable[..., Any]) -> HttpResponse | None:
    """Put what was held in place of what ``request`` sends, if it names a held form.

    Raises Http404 for one that is not there: forged, somebody else's, or for another address. One that waits no longer
    leads back to its page.
    """
    if request.method != "POST" or FIELD not in request.POST or not _may_be_held(view):
        return None
    row: Session = request.session.row  # type: ignore[attr-defined]
    try:
        typed = HeldForm.take(request.POST[FIELD], row, path=request.get_full_path(), at=timezone.now())
    except HeldForm.DoesNotExist:
        raise Http404 from None
    except OverError as over:
        return over_already(request, over.page)
    request.POST = typed  # type: ignore[assignment]
    return None


def over_already(request: HttpRequest, page: str) -> HttpResponse:
    messages.info(request, _("What you sent has gone on, or has waited for too long. Here is how things stand."))
    return redirect(page)
