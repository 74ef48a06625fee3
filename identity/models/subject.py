"""Who is known through a connection, and who waits to be."""

from __future__ import annotations

from datetime import datetime

from django.db import models
from django.db.models import Q
from django.utils import timezone

from audit.ids import new_id
from identity.models.connection import Connection
from users.models import Enterprise, User, keep_an_admin


class Subject(models.Model):
    """(connection, issuer, sub) → user. The only key a sign-in through a provider is matched by (T7)."""

    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, related_name="subjects")
    issuer = models.CharField(max_length=500)
    sub = models.CharField(max_length=255)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="subjects")
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["connection", "issuer", "sub"], name="subject_once_per_connection_and_issuer"
            ),
            models.UniqueConstraint(fields=["connection", "user"], name="user_once_per_connection"),
        ]

    def __str__(self) -> str:
        return f"{self.sub} at {self.issuer}"


class NotLinkable(Exception):
    """Somebody who waits cannot be linked: the account or the connection is not what it was. Nothing was changed."""


class WaitingSubjectQuerySet(models.QuerySet["WaitingSubject"]):
    def of(self, enterprise: Enterprise) -> WaitingSubjectQuerySet:
        return self.filter(connection__enterprise=enterprise)

    def undecided(self) -> WaitingSubjectQuerySet:
        return self.filter(refused_at=None)

    def kept_out(self) -> WaitingSubjectQuerySet:
        return self.filter(refused_at__isnull=False)


class WaitingSubject(models.Model):
    """Somebody the provider vouches for, unknown here, with the email of an account (T8): waits for a yes.

    An email alone never links. An administrator who knows the person sees what both say, and decides.
    """

    id = models.CharField(primary_key=True, max_length=12, default=new_id, editable=False)
    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, related_name="waiting_subjects")
    issuer = models.CharField(max_length=500)
    sub = models.CharField(max_length=255)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="waiting_subjects")
    email = models.EmailField(max_length=254)
    name = models.CharField(max_length=100, blank=True)
    first_seen_at = models.DateTimeField(default=timezone.now)
    last_seen_at = models.DateTimeField(default=timezone.now)
    refused_at = models.DateTimeField(null=True, blank=True)
    refused_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")

    objects = WaitingSubjectQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["connection", "issuer", "sub"], name="subject_waits_once")]
        indexes = [models.Index(fields=["user"], condition=Q(refused_at=None), name="subject_waiting_by_user")]

    def __str__(self) -> str:
        return f"{self.sub} at {self.issuer}"

    @classmethod
    def note(cls, connection: Connection, *, issuer: str, sub: str, email: str, name: str, at: datetime) -> None:
        """Let an administrator see that this subject came, when its email is that of an account that can be linked.

        Break-glass accounts never can. Who was refused stays so, unless the email is another account's by now.
        """
        user = User.objects.of(connection.enterprise).with_email(email).linkable().first()
        if user is None:
            return
        seen = {"email": email[:254], "name": name[:100], "last_seen_at": at}
        row, is_new = cls.objects.get_or_create(
            connection=connection, issuer=issuer, sub=sub, defaults={**seen, "user": user, "first_seen_at": at}
        )
        if is_new:
            return
        changes: dict[str, object] = dict(seen)
        if row.user_id != user.pk:
            changes |= {"user": user, "refused_at": None, "refused_by": None}
        connection.waiting_subjects.filter(pk=row.pk).update(**changes)

    def link(self, *, by: User, at: datetime) -> None:
        """Know this subject as the account's from now on: it signs in through the connection, and no other way.

        Call it with the enterprise's row locked. What the account was known by before is forgotten, the password goes,
        and sessions end; roles and history stay. Raises NotLinkable when account or connection have changed, and
        LastAdminError when nobody could administer the enterprise any more.
        """
        enterprise = self.connection.enterprise
        waiting = WaitingSubject.objects.of(enterprise).select_for_update(of=("self",)).filter(pk=self.pk).first()
        user = User.objects.of(enterprise).linkable().select_for_update(of=("self",)).filter(pk=self.user_id).first()
        connection = Connection.objects.of(enterprise).enabled().select_related("serving").filter(pk=self.connection_id)
        serving = next((one.serving for one in connection if one.serving), None)
        if waiting is None or user is None or serving is None or serving.issuer != self.issuer:
            raise NotLinkable
        if self.connection.subjects.filter(issuer=self.issuer, sub=self.sub).exists():
            raise NotLinkable
        user.enterprise = enterprise
        user.subjects.all().delete()
        self.connection.subjects.create(issuer=self.issuer, sub=self.sub, user=user, created_at=at)
        user.connection, user.switching_to = self.connection, None
        user.save(update_fields=["connection", "switching_to"])
        user.forget_local_ways()
        user.moves.overtake(self.connection, at)
        user.sessions.all().delete()
        self.user = user
        waiting.delete()
        keep_an_admin(enterprise)

    def refuse(self, *, by: User, at: datetime) -> None:
        self.refused_at, self.refused_by = at, by
        self.save(update_fields=["refused_at", "refused_by"])
