"""What somebody has typed and sent too early: kept until they have proved who they are."""

from __future__ import annotations

import json
from datetime import datetime, timedelta

from django.db import models, transaction
from django.http import QueryDict

from audit.ids import is_id, new_id
from users.models.enterprise import Enterprise
from users.models.session import Session
from users.models.user import User
from users.sealing import SealBroken, seal, unseal

KEPT_FOR = timedelta(minutes=30)
# Of one person, whatever the browser: tabs do not disturb each other, and rows do not pile up.
AT_MOST = 5
LARGEST = 128 * 1024  # bytes, before sealing
LONGEST_PATH = 1000

# The field that names a held form when it goes on.
FIELD = "held"
# Not even sealed: these are for one moment. A test looks at every form there is for others that would be.
NEVER_KEPT = frozenset({FIELD, "csrfmiddlewaretoken", "password", "current", "code", "passkey", "challenge"})


class OverError(Exception):
    """The form has gone on already, or has waited for too long. ``page`` is the one it was sent from."""

    def __init__(self, page: str) -> None:
        super().__init__(page)
        self.page = page


class HeldFormQuerySet(models.QuerySet["HeldForm"]):
    def of(self, session: Session) -> HeldFormQuerySet:
        """Keep what was held in this very session, for its person."""
        return self.filter(session=session, user=session.user_id, enterprise=session.enterprise_id)

    def waiting(self, at: datetime) -> HeldFormQuerySet:
        return self.filter(used_at=None, expires_at__gt=at)

    def newest_first(self) -> HeldFormQuerySet:
        return self.order_by("-held_at", "-id")

    def forget(self, at: datetime) -> None:
        """Delete what has waited for too long."""
        self.filter(expires_at__lte=at).delete()


class HeldForm(models.Model):
    """A form that was sent before its sender had proved enough, sealed: it may hold a client secret.

    It goes on once, to the address it was sent to, and only in the session it was sent in or in the one in which the
    same person signs in again after that has run out. Whatever ends a session ends what it holds, too: the rows go
    with it. ``page`` is where the form stood.
    """

    id = models.CharField(primary_key=True, max_length=12, default=new_id, editable=False)
    enterprise = models.ForeignKey(Enterprise, on_delete=models.CASCADE, related_name="held_forms")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="held_forms")
    session = models.ForeignKey(Session, on_delete=models.CASCADE, related_name="held_forms")
    path = models.CharField(max_length=LONGEST_PATH)
    page = models.CharField(max_length=LONGEST_PATH)
    sealed = models.TextField(blank=True, editable=False)
    held_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)

    objects = HeldFormQuerySet.as_manager()

    def __str__(self) -> str:
        return self.path

    @classmethod
    def hold(cls, session: Session, *, path: str, page: str, typed: QueryDict, at: datetime) -> HeldForm | None:
        """Keep ``typed``, which was sent to ``path`` by the person of ``session``; None when it is too large for that.

        The oldest of more than ``AT_MOST`` goes. The person's row is locked, so that many at once are no more.
        """
        fields = [(name, typed.getlist(name)) for name in typed if name not in NEVER_KEPT]
        plain = json.dumps(fields).encode()
        if len(plain) > LARGEST or max(len(path), len(page)) > LONGEST_PATH:
            return None
        held = cls(
            enterprise_id=session.enterprise_id,
            user_id=session.user_id,
            session=session,
            path=path,
            page=page,
            held_at=at,
            expires_at=at + KEPT_FOR,
        )
        held.sealed = seal(plain, bound_to=held._place)
        with transaction.atomic():
            User.objects.select_for_update(no_key=True).get(pk=session.user_id)
            held.save(force_insert=True)
            theirs = cls.objects.filter(user=session.user_id)
            theirs.exclude(pk__in=theirs.newest_first().values("pk")[:AT_MOST]).delete()
        return held

    @classmethod
    def take(cls, pk: str, session: Session, *, path: str, at: datetime) -> QueryDict:
        """Use up what waits under ``pk`` for ``path``, and return what was typed.

        Raises OverError when it waits no longer, and DoesNotExist for everything else: an id of nobody's or of
        somebody else's, another address, or a seal that is broken.
        """
        if not is_id(pk):
            raise cls.DoesNotExist
        with transaction.atomic():
            held = cls.objects.of(session).select_for_update(of=("self",)).get(pk=pk, path=path)
            if not held.is_waiting(at):
                raise OverError(held.page)
            try:
                fields = json.loads(unseal(held.sealed, bound_to=held._place))
            except SealBroken:
                raise cls.DoesNotExist from None
            held.used_at, held.sealed = at, ""
            held.save(update_fields=["used_at", "sealed"])
        typed = QueryDict(mutable=True)
        for name, values in fields:
            typed.setlist(name, values)
        typed._mutable = False
        return typed

    def is_waiting(self, at: datetime) -> bool:
        return self.used_at is None and self.expires_at > at

    @property
    def _place(self) -> str:
        return f"{self.enterprise_id}/{self.user_id}/{self.pk}/held/{self.path}"
