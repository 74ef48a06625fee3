"""The last way in: a link that the operator issues for an enterprise that has lost everything."""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime, timedelta

from django.db import models, transaction

from audit.ids import new_id
from users.models.enterprise import Enterprise
from users.models.factor import Factors
from users.models.user import User

LASTS = timedelta(minutes=10)


class RecoveryOverError(Exception):
    """The link was used, is too old, or its account is no break-glass account any more. Nothing was changed."""


def _hashed(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


class RecoveryQuerySet(models.QuerySet["BreakGlassRecovery"]):
    def of(self, enterprise: Enterprise) -> RecoveryQuerySet:
        return self.filter(enterprise=enterprise)

    def open(self, token: str, at: datetime) -> BreakGlassRecovery:
        """Return what ``token`` may still recover, or raise RecoveryOverError. Changes nothing."""
        still = self.filter(token_hash=_hashed(token), used_at=None, expires_at__gt=at)
        found = still.select_related("enterprise", "user").filter(user__is_break_glass=True).first()
        if found is None or not found.user.is_active:
            raise RecoveryOverError
        found.user.enterprise = found.enterprise
        return found

    def issue(self, user: User, *, reason: str, at: datetime) -> tuple[BreakGlassRecovery, str]:
        """Return a new recovery of ``user`` and its token, which is kept hashed. Older ones end."""
        token = secrets.token_urlsafe(32)
        with transaction.atomic():
            user.lock()
            self.filter(user=user, used_at=None).delete()
            recovery = self.create(
                enterprise=user.enterprise,
                user=user,
                token_hash=_hashed(token),
                reason=reason,
                issued_at=at,
                expires_at=at + LASTS,
            )
        return recovery, token


class BreakGlassRecovery(models.Model):
    """Ten minutes in which whoever holds the link gives a break-glass account a new password, once."""

    id = models.CharField(primary_key=True, max_length=12, default=new_id, editable=False)
    enterprise = models.ForeignKey(Enterprise, on_delete=models.CASCADE, related_name="recoveries")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="recoveries")
    token_hash = models.CharField(max_length=64, unique=True)
    reason = models.CharField(max_length=200)
    issued_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)

    objects = RecoveryQuerySet.as_manager()

    def __str__(self) -> str:
        return self.user_id

    def use(self, password: str, at: datetime) -> int:
        """Set the password, take the second factors away, end the sessions, and return how many those were.

        Raises RecoveryOverError for whoever comes second. The account's row is locked, as for every act on factors.
        """
        with transaction.atomic():
            user = self.user.lock()
            if not BreakGlassRecovery.objects.filter(pk=self.pk, used_at=None, expires_at__gt=at).update(used_at=at):
                raise RecoveryOverError
            if not user.is_break_glass or not user.is_active:
                raise RecoveryOverError
            user.set_password(password)
            user.save(update_fields=["password"])
            Factors(user).reset()
            ended, _rows = user.sessions.all().delete()
        self.user = user
        return ended
