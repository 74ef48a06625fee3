"""One person's account in one enterprise."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import BaseUserManager
from django.contrib.postgres.indexes import GinIndex, OpClass
from django.db import IntegrityError, models, transaction
from django.db.models import Q
from django.db.models.functions import Concat, Lower, Trim
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from audit.actions import Action
from audit.compiled import update
from audit.forgetting import Forgotten
from audit.ids import new_id
from audit.models import Event
from users.models.admins import keep_an_admin
from users.models.break_glass import BreakGlass
from users.models.enterprise import Enterprise
from users.models.user_queryset import Status, UserQuerySet, fold_email

if TYPE_CHECKING:
    from users.models.factor import PasskeyQuerySet, RecoveryCodeQuerySet
    from users.models.role_assignment import RoleAssignment, RoleAssignmentQuerySet
    from users.models.session import SessionQuerySet


# Events about a person whose details are addresses.
TELL_ADDRESSES = (Action.USER_EMAIL_CHANGED, Action.USER_EMAIL_DIFFERS, Action.USER_EMAIL_KEPT)


class HasRolesError(Exception):
    """The account has roles; they have to be revoked before it can be deleted (M6)."""


class AccountChangedError(Exception):
    """The account is not as it was when somebody proved to be its owner, or gone. Nothing was changed."""


class EmailTakenError(Exception):
    """Somebody of this enterprise has the address already."""


class UserManager(BaseUserManager["User"].from_queryset(UserQuerySet)):  # type: ignore[misc]
    pass


class User(BreakGlass, AbstractBaseUser):
    """An account. ``email`` is unique within the enterprise only, and never a sign-in key for a connection.

    ``connection`` is how this person signs in: an identity provider, or None for a password. Somebody who was
    invited is here already, without ``joined_at``, until the invitation is redeemed.
    """

    id = models.CharField(primary_key=True, max_length=12, default=new_id, editable=False)
    enterprise = models.ForeignKey(Enterprise, on_delete=models.CASCADE, related_name="users")
    email = models.EmailField(_("email"), max_length=254)
    email_folded = models.CharField(max_length=320, editable=False)
    name = models.CharField(_("name"), max_length=100, blank=True)
    time_zone = models.CharField(_("time zone"), max_length=64, blank=True)
    connection = models.ForeignKey(
        "identity.Connection", on_delete=models.RESTRICT, null=True, blank=True, related_name="users"
    )
    switching_to = models.ForeignKey(
        "identity.Connection",
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="switching_users",
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    email_confirmed_at = models.DateTimeField(null=True, blank=True)
    # What the provider called this person's email at the last sign-in, when that is another address than ours; and
    # whether an administrator has looked at the difference and lets it be.
    provider_email = models.EmailField(max_length=254, blank=True, editable=False)
    is_email_kept = models.BooleanField(default=False, editable=False)
    joined_at = models.DateTimeField(null=True, blank=True)
    disabled_at = models.DateTimeField(null=True, blank=True)

    # What the list of people is sorted and searched by: name, then email; computed by the database, so that it can
    # never be stale.
    listed_as = models.GeneratedField(
        expression=Lower(Trim(Concat("name", models.Value(" "), "email_folded"))),
        output_field=models.TextField(),
        db_persist=True,
    )

    objects = UserManager()
    passkeys: PasskeyQuerySet
    recovery_codes: RecoveryCodeQuerySet
    role_assignments: RoleAssignmentQuerySet
    sessions: SessionQuerySet

    USERNAME_FIELD = "id"
    EMAIL_FIELD = "email"

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["enterprise", "email_folded"], name="email_once_per_enterprise"),
            # Twice at most is a rule for forms; that a break-glass account never signs in by a provider is for good.
            models.CheckConstraint(
                condition=Q(is_break_glass=False) | Q(connection=None, switching_to=None),
                name="break_glass_is_local",
            ),
        ]
        indexes = [
            models.Index(fields=["enterprise", "listed_as", "id"], name="user_as_listed"),
            # “Contains” cannot use a B-tree; three letters of a name find their few rows here instead of reading
            # everybody. There is none on last_login: it is written at every sign-in, which would then rewrite an
            # entry in each of these indexes, too, while sorting by it is an administrator's rare wish.
            GinIndex(OpClass("listed_as", name="gin_trgm_ops"), name="user_search"),
        ]

    def __str__(self) -> str:
        return self.label

    def save(self, *args: object, **kwargs: object) -> None:
        self.email_folded = fold_email(self.email)
        super().save(*args, **kwargs)  # type: ignore[arg-type]

    @property
    def label(self) -> str:
        """What to call this person in running text."""
        return self.name or self.email

    @property
    def short_name(self) -> str:
        """The first word of the name, for headings about this person."""
        return self.name.split()[0] if self.name.strip() else self.email

    @property
    def status(self) -> Status:
        if self.disabled_at:
            return Status.DISABLED
        if self.joined_at is None:
            return Status.INVITED
        return Status.SWITCHING if self.switching_to_id else Status.ACTIVE

    @property
    def is_active(self) -> bool:  # type: ignore[override]
        return self.joined_at is not None and self.disabled_at is None

    @property
    def ranked_roles(self) -> list[RoleAssignment]:
        """This person's roles: the built-in ones, the highest first, then the enterprise's own by name."""
        return sorted(self.role_assignments.all(), key=lambda given: given.standing)

    @property
    def is_email_confirmed(self) -> bool:
        return self.email_confirmed_at is not None

    @property
    def signs_in_with_password(self) -> bool:
        return self.connection_id is None

    def must_use_provider(self, at: datetime) -> bool:
        """Return whether this person's password opens nothing any more, since the provider is required (T16)."""
        return self.signs_in_with_password and not self.is_break_glass and self.enterprise.requires_provider(at)

    def may_use_password(self, at: datetime) -> bool:
        """Return whether the right password opens this account, or gets as far as the second factor."""
        return self.is_active and self.signs_in_with_password and not self.must_use_provider(at)

    @property
    def needs_second_factor(self) -> bool:
        """Whether a password alone is not enough here: a rule of the enterprise, and always one for break-glass."""
        return self.signs_in_with_password and (self.is_break_glass or self.enterprise.is_second_factor_required)

    def lock(self) -> User:
        """Take this account's row lock until the transaction ends, and return the row as it is now.

        Whoever adds or removes a second factor takes it first, so that such acts happen one after another.
        """
        rows = User.objects.select_for_update(no_key=True, of=("self",)).select_related("enterprise")
        return rows.get(pk=self.pk)

    def lock_unchanged(self) -> User:
        """Lock the account, whose password was known when it was read, and return the row as it is now.

        Raises AccountChangedError when it was disabled, switched or deleted since, or has another password. Whoever is
        about to do so waits, and finds what is done meanwhile.
        """
        try:
            row = self.lock()
        except User.DoesNotExist as gone:
            raise AccountChangedError from gone
        if not (row.is_active and row.signs_in_with_password) or row.password != self.password:
            raise AccountChangedError
        return row

    def lock_to_sign_in(self, at: datetime) -> User:
        """As above, for a session that is to begin: one that somebody else then ends, or that never begins (T17)."""
        row = self.lock_unchanged()
        if not row.may_use_password(at):
            raise AccountChangedError
        return row

    def sign_in_recorded(self, at: datetime) -> None:
        """Remember when this person last signed in: one UPDATE of one column."""
        self.last_login = at
        update(self, "last_login")

    # ---- What is done to an account. Each locks the enterprise's row, so that two administrators acting at once
    # ---- see each other's work (M7, T15). Sessions end in the same transaction.

    def disable(self, at: datetime) -> None:
        """Keep this person out from now on. Raises LastAdminError or BreakGlassError; then nothing is changed."""
        with transaction.atomic():
            enterprise = self.enterprise.lock()
            self._not_the_only_break_glass_account()
            self.disabled_at = at
            self.save(update_fields=["disabled_at"])
            self.sessions.all().delete()
            keep_an_admin(enterprise)

    def enable(self) -> None:
        self.disabled_at = None
        self.save(update_fields=["disabled_at"])

    def remove(self) -> None:
        """Delete the account for good, and forget the person. Raises HasRolesError, LastAdminError or BreakGlassError.

        What it did stays on record under its label; every address and identifier goes, wherever it stands.
        """
        with transaction.atomic():
            enterprise = self.enterprise.lock()
            # Before what goes with it is looked up: a session that begins just now is either seen, or refused.
            User.objects.select_for_update().get(pk=self.pk)
            self._not_the_only_break_glass_account()
            if self.role_assignments.exists():
                raise HasRolesError
            self._forget(enterprise)
            self.delete()
            keep_an_admin(enterprise)

    def _forget(self, enterprise: Enterprise) -> None:
        """Remove what would outlive the account: history of invitations and moves, and addresses in the audit log.

        Sessions, grants, subjects, factors and emails go with the account itself. By the related names, as these
        models are floors above.
        """
        events = Event.objects.of(enterprise)
        told = events.filter(target_type=self._meta.model_name, target_id=self.pk, action__in=TELL_ADDRESSES)
        theirs = Q(user=self) | Q(user=None, email_folded=self.email_folded)
        invitations = enterprise.invitations.filter(theirs)
        waiting = list(self.waiting_subjects.values_list("email", "sub"))
        addresses = {
            self.email, self.provider_email, *(email for email, _sub in waiting),
            *invitations.values_list("email", flat=True), *self.moves.values_list("email", flat=True),
            *(str(value) for details in told.values_list("details", flat=True) for value in details.values()),
        }  # fmt: skip
        folded = {fold_email(text) for text in addresses if "@" in text}
        others = User.objects.of(enterprise).exclude(pk=self.pk).filter(email_folded__in=folded)
        # An address this account gave up may be somebody else's by now.
        folded -= set(others.values_list("email_folded", flat=True))
        emails = folded | {text for text in addresses if fold_email(text) in folded}
        ids = {sub for _email, sub in waiting} | set(self.subjects.values_list("sub", flat=True))
        whom = Forgotten(frozenset(emails), frozenset(ids), self.label)
        events.forget(whom)
        enterprise.batches.forget(whom)
        invitations.delete()
        self.moves.forget(self.label)

    def confirm_email(self, at: datetime) -> None:
        """Note that somebody has read an email to the address that this row was read with.

        Raises AccountChangedError when it has another address by now, was disabled or is gone; then nothing is changed.
        """
        with transaction.atomic():
            try:
                row = self.lock()
            except User.DoesNotExist as gone:
                raise AccountChangedError from gone
            if not row.is_active or row.email_folded != self.email_folded:
                raise AccountChangedError
            self.email_confirmed_at = at
            self.save(update_fields=["email_confirmed_at"])

    def change_email(self, email: str) -> None:
        """Give the account another address, to be confirmed again. Raises EmailTakenError; then nothing is changed.

        That the one before was kept beside the provider's decides nothing about this one.
        """
        old = self.email, self.email_confirmed_at, self.provider_email, self.is_email_kept
        self.email, self.email_confirmed_at, self.is_email_kept = email, None, False
        if fold_email(email) == fold_email(self.provider_email):
            self.provider_email = ""
        try:
            with transaction.atomic():
                self.save(
                    update_fields=["email", "email_folded", "email_confirmed_at", "provider_email", "is_email_kept"]
                )
        except IntegrityError as error:  # The constraint decides, so that two changes at once cannot both win.
            self.email, self.email_confirmed_at, self.provider_email, self.is_email_kept = old
            raise EmailTakenError from error

    def hear_email(self, email: str) -> bool:
        """Note what the provider calls this person's email, and return whether that is a difference not seen before.

        Usually it is the address we have, and nothing is written. It never becomes the account's by itself: see
        ``Connection.email_rule``. An empty ``email`` says nothing.
        """
        differs = bool(email) and fold_email(email) != self.email_folded
        heard = email if differs else ""
        if not email or fold_email(heard) == fold_email(self.provider_email):
            return False
        self.provider_email, self.is_email_kept = heard, False
        self.save(update_fields=["provider_email", "is_email_kept"])
        return differs

    def keep_email(self) -> None:
        """Let the difference to the provider's address be, until the provider names yet another."""
        self.is_email_kept = True
        self.save(update_fields=["is_email_kept"])

    @property
    def has_email_to_decide(self) -> bool:
        return bool(self.provider_email) and not self.is_email_kept

    def forget_local_ways(self) -> None:
        """Remove what proves this person here: from now on a provider does. Within the caller's transaction."""
        from users.models.factor import Factors  # Built on this model.

        self.set_unusable_password()
        self.save(update_fields=["password"])
        Factors(self).reset()
