"""An administrator's yes or no to somebody the provider vouches for and we do not know (T8). On record, and told."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.utils import timezone

from audit.actions import Action
from audit.models import Result, record
from identity.models import WaitingSubject
from identity.permitted import permitted
from users.http import ConsoleRequest
from users.models import LastAdminError
from users.tasks import post_email


def link(request: ConsoleRequest, waiting: WaitingSubject) -> None:
    """Know ``waiting`` as its user from now on. Raises NotLinkable or LastAdminError; then nothing has happened."""
    try:
        with transaction.atomic():
            access = permitted(request)
            if access.user.pk == waiting.user_id:
                raise PermissionDenied  # Nobody vouches for themselves.
            waiting.link(by=access.user, at=timezone.now())
            _record(Action.SUBJECT_LINKED, request, waiting)
            told = {"provider": waiting.connection.title, "by": access.user.label}
            post_email("subject_linked", user=waiting.user, **told)
    except LastAdminError:
        _record(Action.SUBJECT_LINKED, request, waiting, result=Result.REFUSED, reason="last_admin")
        raise


def refuse(request: ConsoleRequest, waiting: WaitingSubject) -> None:
    """Keep ``waiting`` out, also when it comes again."""
    with transaction.atomic():
        access = permitted(request)
        waiting.refuse(by=access.user, at=timezone.now())
        _record(Action.SUBJECT_REFUSED, request, waiting)


def _record(action: Action, request: ConsoleRequest, waiting: WaitingSubject, **details: Any) -> None:
    record(
        action,
        enterprise=request.enterprise,
        request=request,
        target=waiting.user,
        connection=waiting.connection_id,
        provider=waiting.connection.title,
        subject=waiting.sub,
        **details,
    )
