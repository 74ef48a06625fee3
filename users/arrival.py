"""The end of a local sign-in: everything is proven, a session begins, and in an emergency everybody is told."""

from __future__ import annotations

from django.db import transaction
from django.http import HttpRequest

from audit.models import Result, record
from users.models import Method, Session, User
from users.sessions import local_method, sign_in
from users.tasks import tell_admins


def arrive(request: HttpRequest, user: User, factor: str) -> Session:
    """Begin the session of ``user``. ``factor`` is the kind of the second factor; empty where none is needed."""
    method, enterprise = local_method(user), user.enterprise
    with transaction.atomic():
        session = sign_in(request, user, method)
        record(
            "session:started", enterprise=enterprise, request=request, actor=user, method=method, second_factor=factor
        )
        if method == Method.BREAK_GLASS:
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
