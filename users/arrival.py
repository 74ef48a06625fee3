"""The end of a local sign-in: everything is proven, a session begins, and in an emergency everybody is told.

A drill proves the same and begins nothing.
"""

from __future__ import annotations

from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone

from audit.actions import Action
from audit.models import Result, client_address, record
from users.models import Method, Session, User
from users.sessions import local_method, sign_in
from users.tasks import tell_admins


def arrive(request: HttpRequest, user: User, factor: str) -> Session:
    """Begin the session of ``user``. ``factor`` is the kind of the second factor; empty where none is needed."""
    method, enterprise = local_method(user), user.enterprise
    is_emergency = method == Method.BREAK_GLASS
    with transaction.atomic():
        session = sign_in(request, user, method)
        record(
            "session:started", enterprise=enterprise, request=request, actor=user, method=method, second_factor=factor
        )
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


def drill(request: HttpRequest, user: User, factor: str) -> None:
    """Note that the break-glass account ``user`` works, both factors proven. Nobody is signed in."""
    enterprise = user.enterprise
    with transaction.atomic():
        user.proved_break_glass(timezone.now(), is_use=False)
        record(
            Action.BREAK_GLASS_TESTED,
            enterprise=enterprise,
            request=request,
            actor=user,
            target=user,
            second_factor=factor,
        )
        tell_admins(
            enterprise, "break_glass_changed", what="tested", account=user.label, address=client_address(request)
        )
