"""One's own account: everyone has one, so no permission is asked for."""

from __future__ import annotations

from datetime import datetime

from django.contrib import messages
from django.db import transaction
from django.db.models import QuerySet
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from audit.compiled import compiled
from audit.models import record
from users.forms.account import ChangePasswordForm, ProfileForm
from users.http import ConsoleRequest
from users.models import AccountChangedError, Enterprise, Factors, Session, User
from users.sessions import sign_out
from users.views.entrance import signed_out


@compiled
def _live_sessions(user: User, at: datetime) -> QuerySet[Session]:
    return Session.objects.filter(user=user).live(at).last_seen_first()


@require_safe
def account(request: ConsoleRequest) -> HttpResponse:
    """Profile, password and sessions. Where sign-ins often land: without a password it reads only the sessions."""
    row = request.session.row
    assert row is not None  # noqa: S101 - the gate has let a session in
    sessions = _live_sessions(request.user, timezone.now())
    return render(
        request,
        "users/account.html",
        {
            "person": request.user,
            "this": row,
            "sessions": sessions,
            "others": len(sessions) - 1,
            "factors": Factors(request.user) if request.user.signs_in_with_password else None,
        },
    )


@require_http_methods(["GET", "HEAD", "POST"])
def profile(request: ConsoleRequest) -> HttpResponse:
    form = ProfileForm(request.POST if request.method == "POST" else None, user=request.user)
    if request.method == "POST" and form.is_valid():
        form.save(request)
        messages.success(request, _("Your profile is saved."))
        return redirect("users:account")
    return render(request, "users/profile.html", {"form": form})


@require_http_methods(["GET", "HEAD", "POST"])
def change_password(request: ConsoleRequest) -> HttpResponse:
    """404 for those whose provider has the password."""
    if not request.user.signs_in_with_password:
        raise Http404
    form = ChangePasswordForm(request.POST if request.method == "POST" else None, user=request.user)
    if request.method == "POST" and form.is_valid():
        try:
            with transaction.atomic():
                form.save(request, keep=request.session.row)
                request.session.cycle_key()
        except AccountChangedError:
            return redirect("users:account")  # Which asks for a sign-in: whoever changed it has ended this session.
        messages.success(request, _("Your password is changed. All other sessions have ended."))
        return redirect("users:account")
    return render(request, "users/change_password.html", {"form": form})


@require_POST
def end_session(request: ConsoleRequest, handle: str) -> HttpResponse:
    """End one of one's own sessions; the one in use signs out."""
    session = request.user.sessions.filter(handle=handle).first()
    if session is None:
        raise Http404
    if session.pk == request.session.row.pk:  # type: ignore[union-attr]
        enterprise = end_this_session(request)
        return signed_out(request, enterprise)
    _end(request, [session])
    messages.success(request, _("The session on %(session)s has ended.") % {"session": session})
    return redirect("users:account")


@require_POST
def end_other_sessions(request: ConsoleRequest) -> HttpResponse:
    number = _end(request, list(request.user.sessions.exclude(pk=request.session.row.pk)))  # type: ignore[union-attr]
    messages.success(
        request,
        ngettext("%(n)d other session has ended.", "%(n)d other sessions have ended.", number) % {"n": number},
    )
    return redirect("users:account")


def _end(request: ConsoleRequest, sessions: list[Session]) -> int:
    """End ``sessions``, and return how many of them had not run out by themselves."""
    ended = [session for session in sessions if session.is_live(timezone.now())]
    with transaction.atomic():
        for session in ended:
            record("session:ended", enterprise=request.enterprise, request=request, target=request.user,
                   device=session.device, reason="ended_by_owner")  # fmt: skip
        request.user.sessions.filter(pk__in=[session.pk for session in sessions]).delete()
    return len(ended)


def end_this_session(request: ConsoleRequest) -> Enterprise:
    """End this browser's session, put it on record, and return the enterprise it was of."""
    enterprise = request.enterprise
    with transaction.atomic():
        record("session:ended", enterprise=enterprise, request=request, target=request.user, reason="signed_out")
        sign_out(request)
    return enterprise
