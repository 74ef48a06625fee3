"""What a provider vouches a session with."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils import timezone

from identity.models.connection import Connection
from users.models import Session
from users.sealing import seal, unseal


class GrantQuerySet(models.QuerySet["Grant"]):
    def for_session(self, session: Session) -> GrantQuerySet:
        """Keep the one of ``session``, by its handle: the key may have changed since it was read."""
        return self.filter(session__handle=session.handle)

    def made_by(self, connection: Connection, issuer: str, *, sub: str = "", sid: str = "") -> GrantQuerySet:
        """Keep what ``issuer`` vouched for through ``connection``: for this subject, in this session of its own.

        Each narrows; with neither, nothing is kept.
        """
        if not sub and not sid:
            return self.none()
        grants = self.filter(connection=connection, issuer=issuer)
        if sub:
            grants = grants.filter(sub=sub)
        return grants.filter(sid=sid) if sid else grants


class Grant(models.Model):
    """What the provider vouches a session with: where it came from and, when there is one, the refresh token.

    ``asked_at`` is since when a use of the refresh token has been without an answer: the provider may have taken it,
    and have given another one that got lost.
    """

    session = models.OneToOneField(Session, on_delete=models.CASCADE, primary_key=True, related_name="grant")
    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, related_name="grants")
    issuer = models.CharField(max_length=500)
    sub = models.CharField(max_length=255)
    sid = models.CharField(max_length=255, blank=True)
    revision = models.PositiveIntegerField()
    refresh_sealed = models.TextField(blank=True, editable=False)
    asked_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now)

    objects = GrantQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["connection", "sub"], name="grant_by_subject"),
            models.Index(fields=["connection", "sid"], name="grant_by_sid", condition=~Q(sid="")),
        ]

    def __str__(self) -> str:
        return f"{self.sub} through {self.connection_id}"

    @property
    def _place(self) -> str:
        # By the handle: the session's key changes while it lasts.
        return f"{self.session.enterprise_id}/{self.session.handle}/refresh"

    def keep(self, refresh_token: str, nonce: str) -> None:
        """Seal ``refresh_token``, with the nonce of the sign-in it comes from: a later ID token may repeat that."""
        self.refresh_sealed = seal(f"{refresh_token}\0{nonce}".encode(), bound_to=self._place)

    def kept(self) -> tuple[str, str]:
        """Return refresh token and nonce. Raises SealBroken."""
        refresh_token, _, nonce = unseal(self.refresh_sealed, bound_to=self._place).decode().partition("\0")
        return refresh_token, nonce
