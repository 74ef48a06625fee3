"""Invitations: issued, sent, opened, redeemed at a proven sign-in."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from django.db import models, transaction
from django.db.models import Q
from django.urls import reverse
from django.utils import timezone
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext_lazy as _

from audit.ids import new_id
from audit.models import Result, record
from users.access import Access
from users.models import Enterprise, Organization, Role, RoleAssignment, Sendable, User, fold_email
from users.models.mail import SendableQuerySet

if TYPE_CHECKING:
    from identity.models import Connection

LASTS = timedelta(days=7)
LASTS_AT_MOST = timedelta(days=30)


class State(models.TextChoices):
    LIVE = "live", _("Sending")
    SENT = "sent", _("Sent")
    OPENED = "opened", _("Opened")
    REFUSED = "refused", _("Refused")
    ACCEPTED = "accepted", _("Accepted")
    REVOKED = "revoked", _("Revoked")
    EXPIRED = "expired", _("Expired")


class NotRedeemable(Exception):
    """The invitation cannot be redeemed; ``reason`` is the code of the refusal."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class InvitationQuerySet(SendableQuerySet):
    def of(self, enterprise: Enterprise) -> InvitationQuerySet:
        return self.filter(enterprise=enterprise)

    def live(self, at: datetime) -> InvitationQuerySet:
        return self.filter(accepted_at=None, revoked_at=None, expires_at__gt=at)

    def due(self, at: datetime) -> InvitationQuerySet:
        """An invitation that was revoked, used or has expired before it was sent is not sent."""
        return super().due(at).filter(accepted_at=None, revoked_at=None, expires_at__gt=at)

    def for_email(self, email: str) -> InvitationQuerySet:
        return self.filter(email_folded=fold_email(email))

    def with_token(self, token: str) -> InvitationQuerySet:
        return self.filter(token_hash=hash_token(token))


def hash_token(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


class Invitation(Sendable):
    """One login link for one person. Issuing another for the same person ends this one."""

    id = models.CharField(primary_key=True, max_length=12, default=new_id, editable=False)
    enterprise = models.ForeignKey(Enterprise, on_delete=models.CASCADE, related_name="invitations")
    email = models.EmailField(_("email"), max_length=254)
    email_folded = models.CharField(max_length=320, editable=False)
    # The person invited: a user who has not joined yet. None once a revoked invitation's person is forgotten.
    user = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, blank=True, related_name="invitations")
    role = models.CharField(max_length=20, choices=Role.choices)
    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, null=True, blank=True, related_name="+")
    connection = models.ForeignKey(
        "identity.Connection", on_delete=models.CASCADE, null=True, blank=True, related_name="invitations"
    )
    message = models.TextField(blank=True, max_length=1000)
    invited_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    issued_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField()
    # Of the link in the newest email. The link itself is derived when it is sent, and nowhere stored (T9).
    token_hash = models.CharField(max_length=64, blank=True, db_index=True)
    serial = models.PositiveIntegerField(default=1)
    opened_at = models.DateTimeField(null=True, blank=True)
    accepted_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    revoked_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    refused_at = models.DateTimeField(null=True, blank=True)
    refused_reason = models.CharField(max_length=64, blank=True)

    objects = InvitationQuerySet.as_manager()  # type: ignore[misc]

    class Meta:
        indexes = [
            models.Index(fields=["enterprise", "-issued_at", "-id"], name="invitation_by_time"),
            models.Index(fields=["send_after"], condition=Q(sent_at=None), name="invitation_to_send"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["enterprise", "email_folded"],
                condition=Q(accepted_at=None, revoked_at=None),
                name="invitation_one_open_per_person",
            )
        ]

    def __str__(self) -> str:
        return self.email

    def save(self, *args: object, **kwargs: object) -> None:
        self.email_folded = fold_email(self.email)
        super().save(*args, **kwargs)  # type: ignore[arg-type]

    @property
    def message_key(self) -> str:
        return f"{self.pk}.{self.serial}"

    def record_bounce(self, reason: str) -> None:
        record("invitation:bounced", enterprise=self.enterprise, target=self, result=Result.REFUSED, reason=reason)

    @property
    def token(self) -> str:
        """The 256-bit secret of the link, derived from our key, this row and how often it was sent anew."""
        return salted_hmac("invitations.token", f"{self.pk}:{self.serial}", algorithm="sha256").hexdigest()

    @property
    def link(self) -> str:
        return self.enterprise.url(reverse("invitations:open", args=[self.token]))

    def state(self, at: datetime) -> State:
        if self.accepted_at:
            return State.ACCEPTED
        if self.revoked_at:
            return State.REVOKED
        if self.expires_at <= at:
            return State.EXPIRED
        if self.refused_at:
            return State.REFUSED
        if self.opened_at:
            return State.OPENED
        return State.SENT if self.sent_at else State.LIVE

    @classmethod
    def issue(
        cls,
        *,
        enterprise: Enterprise,
        email: str,
        role: Role,
        organization: Organization | None,
        connection: Connection | None,
        by: User,
        at: datetime,
        message: str = "",
    ) -> Invitation:
        """Invite ``email`` and return the invitation, to be sent by a worker once this is committed.

        The person becomes a user at once, as *invited*, with the role; an older open link for the same person ends.
        The caller has checked that ``by`` may give the role, and that nobody who has joined has this address.
        """
        with transaction.atomic():
            user = User.objects.of(enterprise).with_email(email).select_for_update(of=("self",)).first()
            if user is None:
                user = User(enterprise=enterprise, email=email.strip())
                user.set_unusable_password()
            if user.joined_at is not None:
                raise NotRedeemable("already_joined")
            user.connection = connection
            user.save()
            cls.objects.of(enterprise).for_email(email).filter(accepted_at=None, revoked_at=None).update(
                revoked_at=at, revoked_by=by
            )
            user.role_assignments.all().delete()
            RoleAssignment.objects.create(
                enterprise=enterprise,
                user=user,
                role=role,
                organization=organization,
                given_by=by,
                given_at=at,
            )
            return cls.objects.create(
                enterprise=enterprise,
                email=user.email,
                user=user,
                role=role,
                organization=organization,
                connection=connection,
                message=message,
                invited_by=by,
                issued_at=at,
                expires_at=at + LASTS,
                send_after=at,
            )

    def resend(self, *, at: datetime) -> None:
        """Have a new link sent, good for the full time again; the one sent before stops working (T10)."""
        self.serial += 1
        self.token_hash, self.sent_at, self.claimed_at, self.attempts, self.send_error = "", None, None, 0, ""
        self.opened_at, self.refused_at, self.refused_reason = None, None, ""
        self.send_after, self.expires_at = at, at + LASTS
        self.save()

    def revoke(self, *, by: User, at: datetime) -> None:
        """End the link and forget the person who never came."""
        with transaction.atomic():
            self.revoked_at, self.revoked_by = at, by
            self.save(update_fields=["revoked_at", "revoked_by"])
            User.objects.of(self.enterprise).filter(pk=self.user_id, joined_at=None).delete()

    def mark_opened(self, at: datetime) -> None:
        self.opened_at = self.opened_at or at
        self.save(update_fields=["opened_at"])

    def mark_refused(self, reason: str, at: datetime) -> None:
        """Note that a sign-in for this invitation was refused, and why, for the administrator to see."""
        self.refused_at, self.refused_reason = at, reason
        self.save(update_fields=["refused_at", "refused_reason"])

    def redeem(self, *, email: str, at: datetime) -> User:
        """Use the invitation up for whoever has just proved to be ``email``, and return the user, now joined.

        Under a row lock, within the caller's transaction: of two tries at once one raises NotRedeemable (T10).
        """
        fresh = (
            Invitation.objects.of(self.enterprise)
            .select_for_update(of=("self",))
            .select_related("user", "invited_by")
            .get(pk=self.pk)
        )
        state = fresh.state(at)
        if state in (State.ACCEPTED, State.REVOKED, State.EXPIRED):
            raise NotRedeemable(f"invitation_{state.value}")
        if fresh.user is None or fresh.email_folded != fold_email(email):
            raise NotRedeemable("invitation_for_someone_else")
        if fresh.invited_by is None or not fresh.invited_by.is_active:
            raise NotRedeemable("inviter_gone")
        if not Access.of(fresh.invited_by).may_give(Role(fresh.role), fresh.organization):
            raise NotRedeemable("inviter_may_not_give_role")
        fresh.accepted_at, fresh.refused_at, fresh.refused_reason = at, None, ""
        fresh.save(update_fields=["accepted_at", "refused_at", "refused_reason"])
        user = fresh.user
        user.joined_at, user.email_confirmed_at = at, at
        user.save(update_fields=["joined_at", "email_confirmed_at"])
        return user
