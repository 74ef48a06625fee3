"""What proves us to a provider: client secrets, and keys of our own. Each has a life beside that of the settings.

A secret comes from the provider and is replaced by a person. A key is ours: it is published before it signs, and for
a while after it has signed (R14, K11). Neither is ever shown; what is given up is erased.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING

from django.db import models, transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.functional import cached_property

from audit.ids import new_id
from identity.oidc import SigningKey
from users.models import User
from users.sealing import seal, unseal

if TYPE_CHECKING:
    from identity.models import Connection

# A sign-in writes down that a credential was used, but not more often than that.
USE_NOTED_EVERY = timedelta(minutes=1)
REFUSAL_NOTED_EVERY = timedelta(hours=1)

# How long a key is published before it signs: every provider has fetched it by then, whatever it caches.
PUBLISHED_BEFORE = timedelta(hours=24)
# And after: for what was signed last, and as what to fall back on.
PUBLISHED_AFTER = timedelta(hours=24)
SIGNS_FOR = timedelta(days=90)

# Every Enterprise Admin is told so many days before a secret ends, and pages say so from the second on.
REMIND_BEFORE = (30, 14, 7, 1)
WARN_BEFORE = 14


class StillInUseError(Exception):
    """What proves us now is not given up: something else has to take its place first."""


class KeyWaitsError(Exception):
    """A key is published already and waits for its turn; there is one successor at a time."""


class KeyNotKnownError(Exception):
    """Nothing shows that the provider knows the key, so it does not sign yet."""


class Credential(models.Model):
    """What a secret and a key have in common. ``sealed`` is empty once it is given up."""

    sealed = models.TextField(blank=True, editable=False)
    used_at = models.DateTimeField(null=True, editable=False)
    refused_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        abstract = True

    @property
    def is_refused(self) -> bool:
        """Whether the provider did not take it when it last was offered."""
        return self.refused_at is not None and (self.used_at is None or self.used_at < self.refused_at)

    def note_use(self, at: datetime) -> None:
        """Remember that the provider took it. Nothing is written when that was noted a moment ago."""
        if not self.is_refused and self.used_at is not None and at - self.used_at < USE_NOTED_EVERY:
            return
        self.used_at = at
        type(self)._default_manager.filter(pk=self.pk).update(used_at=at)

    def note_refusal(self, at: datetime) -> bool:
        """Remember that the provider did not take it, and return whether that is news."""
        lately = Q(refused_at__gte=at - REFUSAL_NOTED_EVERY)
        self.refused_at = at
        return bool(type(self)._default_manager.filter(~lately | Q(refused_at=None), pk=self.pk).update(refused_at=at))


class ClientSecretQuerySet(models.QuerySet["ClientSecret"]):
    def kept(self) -> ClientSecretQuerySet:
        return self.filter(retired_at=None)

    def serving(self) -> ClientSecretQuerySet:
        """Keep those that sign-ins depend on now."""
        return self.filter(
            connection__enabled_at__isnull=False, connection__serving__secret=models.F("pk"), retired_at=None
        )


class ClientSecret(Credential):
    """A secret the provider gave us, as long as we know it. Two may be good at once (K11)."""

    id = models.CharField(primary_key=True, max_length=12, default=new_id, editable=False)
    connection = models.ForeignKey("identity.Connection", on_delete=models.CASCADE, related_name="secrets")
    last_four = models.CharField(max_length=4, blank=True, editable=False)
    set_at = models.DateTimeField(default=timezone.now, editable=False)
    set_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+", editable=False)
    # When it first served sign-ins; a test does not count.
    serves_since = models.DateTimeField(null=True, editable=False)
    expires_on = models.DateField(null=True, blank=True)
    # The last reminder that went out, by how many days before the end it was for.
    reminded = models.PositiveSmallIntegerField(null=True, editable=False)
    retired_at = models.DateTimeField(null=True, editable=False)

    objects = ClientSecretQuerySet.as_manager()

    class Meta:
        ordering = ["-set_at", "-id"]

    def __str__(self) -> str:
        return f"…{self.last_four}"

    @property
    def _place(self) -> str:
        return f"{self.connection.enterprise_id}/{self.connection_id}/secret"

    @classmethod
    def taken(
        cls, connection: Connection, secret: str, *, by: User, at: datetime, expires_on: date | None = None
    ) -> ClientSecret:
        """Seal ``secret`` and keep it. It is never shown again, only its last four characters (R10)."""
        last_four = secret[-4:] if len(secret) >= 12 else ""
        row = cls(connection=connection, last_four=last_four, set_at=at, set_by=by, expires_on=expires_on)
        row.sealed = seal(secret.encode(), bound_to=row._place)
        row.save(force_insert=True)
        return row

    def open(self) -> str:
        """Return the secret. Raises SealBroken."""
        return unseal(self.sealed, bound_to=self._place).decode()

    def retire(self, at: datetime) -> bool:
        """Erase it. Return False when that was done before.

        Raises StillInUseError when sign-ins depend on it; then nothing is changed.
        """
        with transaction.atomic():
            serving = self.connection.lock().serving
            if serving is not None and serving.secret_id == self.pk:
                raise StillInUseError
            return bool(self.connection.secrets.filter(pk=self.pk).kept().update(sealed="", retired_at=at))

    def expires(self, on: date | None) -> None:
        """Note when it ends, as the provider said; None is never. Reminders begin anew."""
        self.expires_on, self.reminded = on, None
        self.save(update_fields=["expires_on", "reminded"])

    def days_left(self, today: date) -> int | None:
        """Return for how many days it is still good: 0 on its last one, None without end."""
        return (self.expires_on - today).days if self.expires_on else None

    def due_reminder(self, today: date) -> int | None:
        """Return which reminder is to go out now, by how many days before the end it is for; None when there is none.

        The most urgent one only: what was missed is made up for once, not once for each.
        """
        left = self.days_left(today)
        due = min((days for days in REMIND_BEFORE if left is not None and left <= days), default=None)
        return due if due is not None and (self.reminded is None or due < self.reminded) else None


class ClientKeyQuerySet(models.QuerySet["ClientKey"]):
    def published(self) -> ClientKeyQuerySet:
        return self.filter(withdrawn_at=None)

    def waiting(self) -> ClientKeyQuerySet:
        """Keep those that are published and have never signed."""
        return self.published().filter(signs_since=None)

    def served_out(self) -> ClientKeyQuerySet:
        """Keep those that are published and sign no more."""
        return self.published().filter(superseded_at__isnull=False)


class ClientKey(Credential):
    """A key of ours. Published, then signing, then only published, then withdrawn; by its timestamps."""

    id = models.CharField(primary_key=True, max_length=12, default=new_id, editable=False)
    connection = models.ForeignKey("identity.Connection", on_delete=models.CASCADE, related_name="keys")
    kid = models.CharField(max_length=43, editable=False)
    algorithm = models.CharField(max_length=8, editable=False)
    public = models.JSONField(editable=False)
    published_at = models.DateTimeField(default=timezone.now, editable=False)
    # None: by the clock.
    published_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+", editable=False)
    signs_since = models.DateTimeField(null=True, editable=False)
    superseded_at = models.DateTimeField(null=True, editable=False)
    withdrawn_at = models.DateTimeField(null=True, editable=False)

    objects = ClientKeyQuerySet.as_manager()

    class Meta:
        ordering = ["-published_at", "-id"]
        constraints = [models.UniqueConstraint(fields=["connection", "kid"], name="key_published_once")]

    def __str__(self) -> str:
        return self.kid

    @property
    def _place(self) -> str:
        return f"{self.connection.enterprise_id}/{self.connection_id}/{self.kid}/key"

    @property
    def is_waiting(self) -> bool:
        return self.signs_since is None and self.withdrawn_at is None

    @property
    def is_known(self) -> bool:
        """Whether the provider has shown that it knows the key: by a test sign-in, or because it has signed before."""
        return self.used_at is not None and not self.is_refused

    @property
    def signs_from(self) -> datetime:
        """When it takes over by itself, if the provider fetches keys."""
        return self.published_at + PUBLISHED_BEFORE

    @property
    def published_until(self) -> datetime | None:
        """When it is withdrawn, if its successor is taken by then."""
        return self.superseded_at + PUBLISHED_AFTER if self.superseded_at else None

    @classmethod
    def publish(cls, connection: Connection, *, at: datetime, by: User | None = None, algorithm: str = "") -> ClientKey:
        """Make a key and publish it. It signs at once where no sign-in depends on another one.

        ``algorithm`` empty means that of the key before it, and RS256 for the first: every provider that takes keys
        at all has to know that one, ES256 only some. Raises KeyWaitsError.
        """
        before = connection.keys.filter(pk=connection.signing_key_id).first()
        # Making it takes a while, and nobody has to wait for the row meanwhile.
        pem = SigningKey.generate(algorithm or (before.algorithm if before else "RS256"))
        parsed = SigningKey.from_pem(pem)
        with transaction.atomic():
            fresh = connection.lock()
            others = fresh.keys.published()
            if fresh.depends_on_keys and others.waiting().exists():
                raise KeyWaitsError
            key = cls(connection=connection, kid=parsed.kid, algorithm=parsed.algorithm, public=parsed.public_jwk())
            key.published_at, key.published_by = at, by
            key.sealed = seal(pem, bound_to=key._place)
            if not fresh.depends_on_keys:
                others.exclude(pk=fresh.signing_key_id).update(sealed="", withdrawn_at=at)
            key.save(force_insert=True)
            if not fresh.depends_on_keys:
                key._take_over(fresh, at)
                connection.signing_key = key
        return key

    @classmethod
    def opened(cls, pk: str) -> ClientKey:
        """Return the key ``pk``, kept by the process: to open an RSA key takes longer than the rest of a sign-in.

        A key never changes, and one that was given up is not asked for.
        """
        return _opened(pk)

    @cached_property
    def signing_key(self) -> SigningKey:
        """What signs. Raises SealBroken."""
        return SigningKey.from_pem(unseal(self.sealed, bound_to=self._place))

    def sign(self, at: datetime) -> bool:
        """Have this key sign from now on; the one before it stays published. Return False when it does already.

        Raises KeyNotKnownError: a provider that has its keys pasted has to have shown that it knows this one, by a
        test sign-in.
        """
        with transaction.atomic():
            fresh = self.connection.lock()
            self.refresh_from_db(fields=["signs_since", "withdrawn_at", "used_at", "refused_at"])
            if not self.is_waiting:
                return False
            if fresh.are_keys_pasted and not self.is_known:
                raise KeyNotKnownError
            self._take_over(fresh, at)
        return True

    def _take_over(self, connection: Connection, at: datetime) -> None:
        connection.keys.filter(pk=connection.signing_key_id).update(superseded_at=at)
        self.signs_since = at
        self.save(update_fields=["signs_since"])
        connection.signing_key = self
        connection.save(update_fields=["signing_key"])

    def withdraw(self, at: datetime) -> bool:
        """Publish it no more, and erase its private half. Return False when that was done before.

        Raises StillInUseError when it signs.
        """
        with transaction.atomic():
            if self.connection.lock().signing_key_id == self.pk:
                raise StillInUseError
            published = self.connection.keys.filter(pk=self.pk).published()
            return bool(published.update(sealed="", withdrawn_at=at))


@lru_cache(maxsize=256)
def _opened(pk: str) -> ClientKey:
    return ClientKey.objects.select_related("connection").get(pk=pk)
