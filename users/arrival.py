"""The end of a local sign-in: everything is proven, a session begins, and in an emergency everybody is told.

A drill proves the same and begins nothing.
"""

from __future__ import annotations

from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone

from audit.actions import Action
from audit.models import Result, client_address, record
from users.models import AccountChangedError, Factors, Method, Session, User
from users.sessions import local_method, sign_in
from users.tasks import tell_admins, tell_of_break_glass


def _still_proved(user: User, factors: Factors) -> User:
    """Return the row of ``user``, locked, if what was proved just now still is (T17). Raises AccountChangedError."""
    row = user.lock_to_sign_in(timezone.now())
    if not factors.are_unchanged() or (row.needs_second_factor and not factors):
        raise AccountChangedError
    return row


def arrive(request: HttpRequest, user: User, factors: Factors, kind: str) -> Session:
    """Begin the session of ``user``, who has proved the password and one of ``factors``, of this ``kind``.

    Both are empty where none is needed. Raises AccountChangedError when something else is true by now.
    """
    with transaction.atomic():
        user = _still_proved(user, factors)
        method, enterprise = local_method(user), user.enterprise
        is_emergency = method == Method.BREAK_GLASS
        session = sign_in(request, user, method)
        record("session:started", enterprise=enterprise, request=request, actor=user, method=method, second_factor=kind)
        if user.is_break_glass:
            user.proved_break_glass(session.created_at, is_use=is_emergency)
        if is_emergency:
            event = record("break-glass:used", enterprise=enterprise, request=request, actor=user, result=Result.ALARM)
            tell_admins(
                enterprise,
                "break_glass_used",
                account=user.label,
                address=session.address,
                device=session.device,
                reference=event.reference,
            )
    return session


def drill(request: HttpRequest, user: User, factors: Factors, kind: str) -> None:
    """Note that the break-glass account ``user`` works, both factors proven. Nobody is signed in.

    Raises AccountChangedError, as ``arrive`` does.
    """
    with transaction.atomic():
        user = _still_proved(user, factors)
        enterprise = user.enterprise
        user.proved_break_glass(timezone.now(), is_use=False)
        record(
            Action.BREAK_GLASS_TESTED,
            enterprise=enterprise,
            request=request,
            actor=user,
            target=user,
            second_factor=kind,
        )
        tell_of_break_glass(user, "tested", address=client_address(request))


def refuse_changed(request: HttpRequest, user: User) -> None:
    """Put on record that the account of ``user`` was changed or deleted while its owner was signing in."""
    enterprise = user.enterprise
    record(
        Action.SESSION_REFUSED,
        enterprise=enterprise,
        request=request,
        target=User.objects.of(enterprise).filter(pk=user.pk).first(),
        result=Result.REFUSED,
        reason="account_changed",
    )
