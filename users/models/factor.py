"""Second factors of accounts that sign in with a password: an authenticator app, passkeys, and recovery codes."""

from __future__ import annotations

import hmac
import secrets
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pyotp
from django.contrib.auth.hashers import Argon2PasswordHasher
from django.db import IntegrityError, models, transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from audit.ids import new_id
from users.models.enterprise import Enterprise
from users.models.user import User
from users.sealing import seal, unseal

if TYPE_CHECKING:
    from users.passkeys import Registered

STEP = 30  # seconds that a code of an authenticator app lasts
DRIFT = 1  # steps that a phone's clock may be early or late
RECOVERY_CODES = 10
MOST_PASSKEYS = 10

# Without those that are taken for one another on paper. Twelve are 59 random bits.
_LETTERS = "23456789abcdefghjkmnpqrstuvwxyz"
_CODE_LENGTH = 12


class FactorRefused(Exception):
    """A second factor was not accepted, and nothing was changed. ``reason`` is for the audit log."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class LastFactorError(Exception):
    """The account needs a second factor, and this is the only one it has. Nothing was changed."""


class FactorTakenError(Exception):
    """There is a second factor already, or this very passkey. Nothing was changed."""


class AuthenticatorAppQuerySet(models.QuerySet["AuthenticatorApp"]):
    def of(self, enterprise: Enterprise) -> AuthenticatorAppQuerySet:
        return self.filter(enterprise=enterprise)


class AuthenticatorApp(models.Model):
    """A secret shared with an app that makes a new code of it every 30 seconds (TOTP, RFC 6238)."""

    id = models.CharField(primary_key=True, max_length=12, default=new_id, editable=False)
    enterprise = models.ForeignKey(Enterprise, on_delete=models.CASCADE, related_name="authenticator_apps")
    user = models.OneToOneField(User, on_delete=models.CASCADE, related_name="authenticator_app")
    secret_sealed = models.TextField(editable=False)
    last_step = models.BigIntegerField()
    created_at = models.DateTimeField(default=timezone.now)
    last_used_at = models.DateTimeField(null=True, blank=True)

    objects = AuthenticatorAppQuerySet.as_manager()

    def __str__(self) -> str:
        return str(_("Authenticator app"))

    @property
    def _place(self) -> str:
        return f"{self.enterprise_id}/{self.pk}/authenticator-secret"

    def keep(self, secret: str) -> None:
        self.secret_sealed = seal(secret.encode(), bound_to=self._place)

    def accept(self, code: str, at: datetime) -> None:
        """Use ``code`` up, or raise FactorRefused.

        The step it belongs to is written down in the same statement that compares it with the last one: of two who
        bring the same code at once, one is refused.
        """
        step = step_of(unseal(self.secret_sealed, bound_to=self._place).decode(), code, at)
        if step is None:
            raise FactorRefused("wrong_code")
        unused = AuthenticatorApp.objects.filter(pk=self.pk, last_step__lt=step)
        if not unused.update(last_step=step, last_used_at=at):
            raise FactorRefused("code_used")


def new_secret() -> str:
    """Return a secret for an authenticator app: 160 random bits, as RFC 4226 recommends, in base32."""
    return pyotp.random_base32(32)


def step_of(secret: str, code: str, at: datetime) -> int | None:
    """Return the step whose code ``code`` is, of those that count at ``at``; None when it is none of theirs."""
    app, now = pyotp.TOTP(secret, interval=STEP), int(at.timestamp()) // STEP
    steps = range(now - DRIFT, now + DRIFT + 1)
    matching = [step for step in steps if hmac.compare_digest(app.generate_otp(step).encode(), code.encode())]
    return max(matching, default=None)


class PasskeyQuerySet(models.QuerySet["Passkey"]):
    def of(self, enterprise: Enterprise) -> PasskeyQuerySet:
        return self.filter(enterprise=enterprise)

    def oldest_first(self) -> PasskeyQuerySet:
        return self.order_by("created_at", "id")


class Passkey(models.Model):
    """A key pair in an authenticator (WebAuthn), of which we keep the public half.

    ``sign_count`` is what the authenticator last counted; it stays 0 for passkeys that live on several devices.
    """

    id = models.CharField(primary_key=True, max_length=12, default=new_id, editable=False)
    enterprise = models.ForeignKey(Enterprise, on_delete=models.CASCADE, related_name="passkeys")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="passkeys")
    name = models.CharField(_("name"), max_length=100)
    # In base64url. Unique everywhere, as the standard asks: nobody registers what is somebody else's.
    credential_id = models.CharField(max_length=1400, unique=True, editable=False)
    public_key = models.BinaryField()
    sign_count = models.PositiveBigIntegerField(default=0)
    is_synced = models.BooleanField(default=False)
    transports = models.JSONField(default=list, blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    last_used_at = models.DateTimeField(null=True, blank=True)

    objects = PasskeyQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["user", "created_at"], name="passkey_by_user")]

    def __str__(self) -> str:
        return self.name

    def counted(self, sign_count: int, at: datetime) -> None:
        """Write down what the authenticator counts by now; the caller has locked the row and verified the signature.

        Raises FactorRefused when it does not count on: then two authenticators hold the same key.
        """
        if (sign_count or self.sign_count) and sign_count <= self.sign_count:
            raise FactorRefused("passkey_copied")
        self.sign_count, self.last_used_at = sign_count, at
        self.save(update_fields=["sign_count", "last_used_at"])


class RecoveryHasher(Argon2PasswordHasher):
    """Argon2id at the least that OWASP recommends: what is hashed is random, and ten are hashed at once."""

    time_cost = 2
    memory_cost = 19 * 1024  # KiB
    parallelism = 1


class RecoveryCodeQuerySet(models.QuerySet["RecoveryCode"]):
    def of(self, enterprise: Enterprise) -> RecoveryCodeQuerySet:
        return self.filter(enterprise=enterprise)

    def unused(self) -> RecoveryCodeQuerySet:
        return self.filter(used_at=None)

    def issue(self, user: User, at: datetime) -> list[str]:
        """Make ten new codes for ``user`` and return them: they cannot be read again. All older ones end."""
        hasher = RecoveryHasher()
        # One salt for the ten: a single computation then finds the code that was typed.
        salt = hasher.salt()
        codes = ["".join(secrets.choice(_LETTERS) for _ in range(_CODE_LENGTH)) for _ in range(RECOVERY_CODES)]
        user.recovery_codes.all().delete()
        RecoveryCode.objects.bulk_create(
            RecoveryCode(enterprise=user.enterprise, user=user, hash=hasher.encode(code, salt), created_at=at)
            for code in codes
        )
        return ["-".join(code[n : n + 4] for n in range(0, _CODE_LENGTH, 4)) for code in codes]

    def spend(self, user: User, code: str, at: datetime) -> None:
        """Use ``code`` up, or raise FactorRefused. Of two who bring the same code at once, one is refused."""
        typed = "".join(c for c in code.lower() if c.isalnum())
        mine = self.filter(user=user)
        one = mine.first()
        if one is None or len(typed) != _CODE_LENGTH:
            raise FactorRefused("wrong_recovery_code")
        hasher = RecoveryHasher()
        known = hasher.decode(one.hash)
        hasher.time_cost, hasher.memory_cost = known["time_cost"], known["memory_cost"]
        hasher.parallelism = known["parallelism"]
        same = mine.filter(hash=hasher.encode(typed, known["salt"]))
        if not same.unused().update(used_at=at):
            raise FactorRefused("recovery_code_used" if same.exists() else "wrong_recovery_code")


class RecoveryCode(models.Model):
    """A code on paper, for the day the phone is lost. Kept hashed, and works once."""

    id = models.CharField(primary_key=True, max_length=12, default=new_id, editable=False)
    enterprise = models.ForeignKey(Enterprise, on_delete=models.CASCADE, related_name="recovery_codes")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="recovery_codes")
    hash = models.CharField(max_length=200, editable=False)
    created_at = models.DateTimeField(default=timezone.now)
    used_at = models.DateTimeField(null=True, blank=True)

    objects = RecoveryCodeQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "hash"], name="recovery_code_once")]

    def __str__(self) -> str:
        return str(_("Recovery code"))


class SpentChallenge(models.Model):
    """Something that may be answered once and was, remembered until its age alone refuses it."""

    name = models.CharField(primary_key=True, max_length=64)
    until = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return self.name

    @classmethod
    def spend(cls, name: str, until: datetime) -> None:
        """Use it up, or raise FactorRefused when somebody has: in the database, so that every process knows."""
        _row, is_new = cls.objects.get_or_create(name=name, defaults={"until": until})
        if not is_new:
            raise FactorRefused("challenge_over")

    @classmethod
    def forget(cls, at: datetime) -> None:
        cls.objects.filter(until__lt=at - timedelta(minutes=1)).delete()


class Factors:
    """The second factors of one account: two queries."""

    def __init__(self, user: User) -> None:
        self.user = user
        self.app = AuthenticatorApp.objects.filter(user=user).first()
        self.passkeys = list(user.passkeys.oldest_first())

    def __len__(self) -> int:
        return len(self.passkeys) + bool(self.app)

    def are_unchanged(self) -> bool:
        """Return whether the account still has these, and no others."""
        now = Factors(self.user)
        return (now.app, now.passkeys) == (self.app, self.passkeys)

    @property
    def codes_left(self) -> int:
        return self.user.recovery_codes.unused().count()

    def add_app(self, secret: str, step: int, at: datetime) -> AuthenticatorApp:
        """Let the app that holds ``secret`` count from now on, in place of the one before. ``step`` is used up."""
        if self.app:
            self.app.delete()
        self.app = AuthenticatorApp(
            enterprise=self.user.enterprise, user=self.user, last_step=step, created_at=at, last_used_at=at
        )
        self.app.keep(secret)
        self.app.save(force_insert=True)
        return self.app

    def add_passkey(self, name: str, registered: Registered, at: datetime) -> Passkey:
        """Let this passkey count from now on. Raises FactorTakenError for one that is known here already."""
        passkey = Passkey(
            enterprise=self.user.enterprise,
            user=self.user,
            name=name,
            created_at=at,
            credential_id=registered.credential_id,
            public_key=registered.public_key,
            sign_count=registered.sign_count,
            is_synced=registered.is_synced,
            transports=registered.transports,
        )
        try:
            with transaction.atomic():
                passkey.save(force_insert=True)
        except IntegrityError as error:  # The constraint decides, also between two who bring it at once.
            raise FactorTakenError from error
        self.passkeys.append(passkey)
        return passkey

    def remove(self, factor: AuthenticatorApp | Passkey) -> None:
        """Take one away; recovery codes go with the last. Raises LastFactorError while the account needs one."""
        if len(self) == 1:
            if self.user.needs_second_factor:
                raise LastFactorError
            self.user.recovery_codes.all().delete()
        factor.delete()
        self.app = None if factor == self.app else self.app
        self.passkeys = [passkey for passkey in self.passkeys if passkey != factor]

    def reset(self) -> int:
        """Take all of them away, the recovery codes too, and return how many factors there were."""
        number = len(self)
        AuthenticatorApp.objects.filter(user=self.user).delete()
        self.user.passkeys.all().delete()
        self.user.recovery_codes.all().delete()
        self.app, self.passkeys = None, []
        return number
