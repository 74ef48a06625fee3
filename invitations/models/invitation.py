"""Invitations: issued, sent, opened, redeemed at a proven sign-in."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.contrib.auth.hashers import make_password
from django.db import models, transaction
from django.db.models import Q
from django.urls import reverse
from django.utils import timezone
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext_lazy as _

from audit.ids import new_id
from audit.models import Result, printable, record
from users.access import Access, Permission
from users.models import Enterprise, Organization, Role, RoleAssignment, Sendable, User, fold_email
from users.models.mail import MOST_ATTEMPTS, SendableQuerySet

if TYPE_CHECKING:
    from identity.models import Connection

LASTS = timedelta(days=7)
LASTS_AT_MOST = timedelta(days=30)
# RFC 3463: "5.1.2 No such domain".
_STATUS_NUMBERS = re.compile(r"^(?:\d{3}[ -])?(?:[45]\.\d{1,3}\.\d{1,3}\s+)?")
# From here on the list says that an invitation ends soon.
ENDS_SOON = timedelta(hours=24)


class State(models.TextChoices):
    LIVE = "live", _("Sending")
    SENT = "sent", _("Sent")
    OPENED = "opened", _("Opened")
    REFUSED = "refused", _("Refused")
    BOUNCED = "bounced", _("Bounced")
    ACCEPTED = "accepted", _("Accepted")
    REVOKED = "revoked", _("Revoked")
    EXPIRED = "expired", _("Expired")


ON_THEIR_WAY = (State.LIVE, State.SENT, State.OPENED)
NEED_SOMEONE = (State.REFUSED, State.BOUNCED)
ENDED = (State.ACCEPTED, State.REVOKED, State.EXPIRED)


class NotRedeemable(Exception):
    """The invitation cannot be redeemed; ``reason`` is the code of the refusal."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class HereAlready(Exception):
    """Some of the people to invite have an account that is in use, or was disabled. Nobody was invited."""

    def __init__(self, people: Sequence[User]) -> None:
        super().__init__(len(people))
        self.people = people


class InvitationQuerySet(SendableQuerySet):
    def of(self, enterprise: Enterprise) -> InvitationQuerySet:
        return self.filter(enterprise=enterprise)

    def within_reach(self, access: Access) -> InvitationQuerySet:
        """Keep what ``access`` could have issued: that is what its holder may see, send again and revoke."""
        return self.filter(access.reach(Permission.INVITE_PEOPLE))

    def live(self, at: datetime) -> InvitationQuerySet:
        return self.filter(accepted_at=None, revoked_at=None, user__isnull=False, expires_at__gt=at)

    def in_state(self, state: State, at: datetime) -> InvitationQuerySet:
        """Keep those in ``state``; the same rules as ``Invitation.state``, for many rows at once."""
        return self.filter(is_in_state(state, at))

    def due(self, at: datetime) -> InvitationQuerySet:
        """Not sent are those that were revoked, used or have expired before; nor, yet, whose inviter is unconfirmed.

        In a closed enterprise they wait, too: it may be opened again.
        """
        confirmed = Q(invited_by__email_confirmed_at__isnull=False, invited_by__disabled_at=None)
        return super().due(at).live(at).filter(confirmed, enterprise__closed_at=None)

    def for_email(self, email: str) -> InvitationQuerySet:
        return self.filter(email_folded=fold_email(email))

    def with_token(self, token: str) -> InvitationQuerySet:
        return self.filter(token_hash=hash_token(token))


def is_in_state(state: State, at: datetime) -> Q:
    """Return the condition for being in ``state`` at ``at``, for filters and counts."""
    live = Q(accepted_at=None, revoked_at=None, user__isnull=False, expires_at__gt=at)
    untouched = live & Q(refused_at=None, opened_at=None)
    return {
        State.ACCEPTED: Q(accepted_at__isnull=False),
        State.REVOKED: Q(accepted_at=None) & (Q(revoked_at__isnull=False) | Q(user=None)),
        State.EXPIRED: Q(accepted_at=None, revoked_at=None, user__isnull=False, expires_at__lte=at),
        State.REFUSED: live & Q(refused_at__isnull=False),
        State.OPENED: live & Q(refused_at=None, opened_at__isnull=False),
        State.BOUNCED: untouched & Q(bounced_at__isnull=False),
        State.SENT: untouched & Q(bounced_at=None, sent_at__isnull=False),
        State.LIVE: untouched & Q(bounced_at=None, sent_at=None),
    }[state]


def is_in_one_of(states: Iterable[State], at: datetime) -> Q:
    condition = Q(pk__in=[])
    for state in states:
        condition |= is_in_state(state, at)
    return condition


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
    # Who vouches for it: whoever issued it, or sent it again last.
    invited_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    issued_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField()
    # Of the link in the newest email. The link itself is derived when it is sent, and nowhere stored (T9).
    token_hash = models.CharField(max_length=64, blank=True, db_index=True)
    serial = models.PositiveIntegerField(default=1)
    delivered_at = models.DateTimeField(null=True, blank=True)
    bounced_at = models.DateTimeField(null=True, blank=True)
    bounce_reason = models.CharField(max_length=200, blank=True)
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
    def token(self) -> str:
        """The 256-bit secret of the link, derived from our key, this row and how often it was sent anew."""
        return salted_hmac("invitations.token", f"{self.pk}:{self.serial}", algorithm="sha256").hexdigest()

    @property
    def link(self) -> str:
        return self.enterprise.url(reverse("invitations:open", args=[self.token]))

    @property
    def place(self) -> str:
        """Where the role holds, in words."""
        return self.organization.name if self.organization else str(_("whole enterprise"))

    def state(self, at: datetime) -> State:
        if self.accepted_at:
            return State.ACCEPTED
        if self.revoked_at or self.user_id is None:
            return State.REVOKED
        if self.expires_at <= at:
            return State.EXPIRED
        if self.refused_at:
            return State.REFUSED
        if self.opened_at:
            return State.OPENED
        if self.bounced_at:
            return State.BOUNCED
        return State.SENT if self.sent_at else State.LIVE

    def way_in(self) -> Connection | None:
        """Return how this person will sign in, or None for a password.

        What was local when it was issued follows the rule that all new users use the provider once one is enabled
        (M3). The other way round there is no silent way down: a connection that was disabled stays the way in.
        """
        if self.connection is not None:
            return self.connection
        return self._fitting_connection()

    def _fitting_connection(self) -> Connection | None:
        # By its related name: identity is a floor above.
        return self.enterprise.connections.fitting(self.organization).first()

    # ---- Issued, sent again, revoked

    @classmethod
    def issue(cls, *, email: str, **values: Any) -> Invitation:
        """Invite one person; see ``issue_all``."""
        return cls.issue_all(emails=[email], **values)[0]

    @classmethod
    def issue_all(
        cls,
        *,
        enterprise: Enterprise,
        emails: Sequence[str],
        role: Role,
        organization: Organization | None,
        connection: Connection | None,
        by: User,
        at: datetime,
        message: str = "",
    ) -> list[Invitation]:
        """Invite ``emails`` and return the invitations, to be sent by a worker once this is committed.

        Each person becomes a user at once, as *invited*, with the role; an older open link for the same person ends.
        The caller has checked that ``by`` may give the role, and folded duplicates. Raises HereAlready, and then
        invites nobody, when an account among them is in use or disabled. The number of statements is the same
        however many are invited.
        """
        folded = {fold_email(email): email.strip() for email in emails}
        with transaction.atomic():
            enterprise.lock()  # Two administrators inviting the same person at once do so one after the other.
            here = list(User.objects.of(enterprise).filter(email_folded__in=folded))
            settled = [user for user in here if user.joined_at or user.disabled_at]
            if settled:
                raise HereAlready(settled)
            known = {user.email_folded: user for user in here}
            fresh = [
                User(
                    enterprise=enterprise, email=email, email_folded=key, connection=connection,
                    password=make_password(None), created_at=at,
                )
                for key, email in folded.items()
                if key not in known
            ]  # fmt: skip
            User.objects.bulk_create(fresh)
            if here:
                User.objects.filter(pk__in=[user.pk for user in here]).update(connection=connection)
                RoleAssignment.objects.filter(user__in=here).delete()
                cls.objects.of(enterprise).filter(email_folded__in=known, accepted_at=None, revoked_at=None).update(
                    revoked_at=at, revoked_by=by
                )
            people = known | {user.email_folded: user for user in fresh}
            RoleAssignment.objects.bulk_create(
                RoleAssignment(
                    enterprise=enterprise,
                    user=user,
                    role=role,
                    organization=organization,
                    given_by=by,
                    given_at=at,
                )
                for user in people.values()
            )
            return Invitation.objects.bulk_create(
                Invitation(
                    enterprise=enterprise,
                    email=folded[key],
                    email_folded=key,
                    user=people[key],
                    role=role,
                    organization=organization,
                    connection=connection,
                    message=message,
                    invited_by=by,
                    issued_at=at,
                    expires_at=at + LASTS,
                    send_after=at,
                )
                for key in folded
            )

    def resend(self, *, by: User, at: datetime) -> None:
        """Have a new link sent, good for the full time again; the one sent before stops working (T10).

        ``by`` vouches for it from now on. Raises NotRedeemable when it was accepted or revoked meanwhile.
        """
        with transaction.atomic():
            self._lock_unless(State.ACCEPTED, State.REVOKED, at=at)
            connection = self.way_in()
            if connection is not None and connection.enabled_at is None:
                connection = self._fitting_connection()
            self.connection, self.invited_by = connection, by
            User.objects.filter(pk=self.user_id).update(connection=connection)
            self.serial += 1
            self.token_hash, self.sent_at, self.claimed_at, self.attempts, self.send_error = "", None, None, 0, ""
            self.delivered_at, self.bounced_at, self.bounce_reason = None, None, ""
            self.opened_at, self.refused_at, self.refused_reason = None, None, ""
            self.send_after, self.expires_at = at, at + LASTS
            self.save()

    def revoke(self, *, by: User, at: datetime) -> None:
        """End the link and forget the person who never came. Raises NotRedeemable when that was done, or accepted."""
        with transaction.atomic():
            self._lock_unless(State.ACCEPTED, State.REVOKED, at=at)
            self.revoked_at, self.revoked_by = at, by
            self.save(update_fields=["revoked_at", "revoked_by"])
            User.objects.of(self.enterprise).filter(pk=self.user_id, joined_at=None).delete()
            self.user = None

    def _lock_unless(self, *states: State, at: datetime) -> None:
        """Take the row's lock and read it anew; raise NotRedeemable when it is in one of ``states`` by now."""
        queryset = Invitation.objects.select_for_update(of=("self",)).select_related("organization", "connection")
        self.refresh_from_db(from_queryset=queryset)
        state = self.state(at)
        if state in states:
            raise NotRedeemable(f"invitation_{state.value}")

    # ---- On its way: the worker's side of ``Sendable``. A worker reports on the link it sent; when that was
    # ---- replaced meanwhile, its news is old.

    @property
    def message_key(self) -> str:
        return f"{self.pk}.{self.serial}"

    def record_bounce(self, reason: str) -> None:
        record("invitation:bounced", enterprise=self.enterprise, target=self, result=Result.REFUSED, reason=reason)

    def _this_link(self) -> models.QuerySet[Invitation]:
        return Invitation.objects.filter(pk=self.pk, serial=self.serial, accepted_at=None, revoked_at=None)

    def keep_token(self) -> bool:
        """Store the hash of the link about to be sent, so that it works the moment it arrives.

        Return False when it must not be sent any more: revoked, accepted or sent anew since it was claimed.
        """
        self.token_hash = hash_token(self.token)
        return bool(self._this_link().update(token_hash=self.token_hash))

    def mark_sent(self, at: datetime) -> None:
        self.sent_at, self.claimed_at, self.send_error = at, None, ""
        self._this_link().update(sent_at=at, claimed_at=None, send_error="")

    def mark_failed(self, at: datetime, error: str, *, for_good: bool = False, answer: str = "") -> None:
        """Put it back with a growing pause; ``for_good``, or after too many tries, it has bounced."""
        self.claimed_at, self.send_error = None, error[:64]
        self.send_after = at + timedelta(seconds=15) * 2 ** min(self.attempts, 8)
        if for_good or self.attempts >= MOST_ATTEMPTS:
            self.attempts, self.bounced_at, self.bounce_reason = MOST_ATTEMPTS, at, self._without_link(answer)
        self._this_link().update(
            claimed_at=None, send_error=self.send_error, send_after=self.send_after, attempts=self.attempts,
            bounced_at=self.bounced_at, bounce_reason=self.bounce_reason,
        )  # fmt: skip

    def mark_bounced(self, reason: str, at: datetime) -> None:
        """The address does not take it. ``reason`` is what the mail server said; administrators see it."""
        self.bounced_at, self.bounce_reason = at, self._without_link(reason)
        self._this_link().update(bounced_at=at, bounce_reason=self.bounce_reason, delivered_at=None)

    def _without_link(self, answer: str) -> str:
        """What a mail server said may quote the email; its secret is not for keeping (R12), nor are its numbers."""
        said = _STATUS_NUMBERS.sub("", answer.strip())
        return printable(" ".join(said.replace(self.token, "…").split()), 200)

    def drop(self) -> None:
        """There is nothing to send after all; unless another link is to be sent by now."""
        self.claimed_at, self.send_after = None, None
        self._this_link().update(claimed_at=None, send_after=None)

    def mark_delivered(self, at: datetime) -> None:
        self.delivered_at = at
        self._this_link().filter(bounced_at=None).update(delivered_at=at)

    def mark_opened(self, at: datetime) -> None:
        self.opened_at = self.opened_at or at
        self.save(update_fields=["opened_at"])

    def mark_refused(self, reason: str, at: datetime) -> None:
        """Note that a sign-in for this invitation was refused, and why, for the administrator to see."""
        self.refused_at, self.refused_reason = at, reason
        # Not on one that has ended meanwhile: of two sign-ins at once, the other may have redeemed it.
        self._this_link().update(refused_at=at, refused_reason=reason)

    # ---- Redeemed

    def obstacle(self, at: datetime) -> str:
        """Return the code of what keeps anyone from accepting this now, or an empty string.

        T10: the inviter must still be allowed to give that role.
        """
        state = self.state(at)
        if state in ENDED:
            return f"invitation_{state.value}"
        if self.enterprise.is_closed:
            return "enterprise_closed"
        if self.user is None or self.user.email_folded != self.email_folded:
            return "invitation_for_someone_else"
        if self.user.disabled_at:
            return "account_disabled"
        if self.invited_by is None or not self.invited_by.is_active:
            return "inviter_gone"
        if not Access.of(self.invited_by).may_give(Role(self.role), self.organization):
            return "inviter_may_not_give_role"
        return ""

    def redeem(self, *, email: str, at: datetime) -> User:
        """Use the invitation up for whoever has just proved to be ``email``, and return the user, now joined.

        Under a row lock, within the caller's transaction: of two tries at once one raises NotRedeemable (T10).
        """
        fresh = (
            Invitation.objects.of(self.enterprise)
            .select_for_update(of=("self",))
            .select_related("user", "invited_by", "organization", "enterprise", "connection")
            .get(pk=self.pk)
        )
        obstacle = fresh.obstacle(at)
        if obstacle:
            raise NotRedeemable(obstacle)
        user = fresh.user
        if user is None or fresh.email_folded != fold_email(email):
            raise NotRedeemable("invitation_for_someone_else")
        fresh.accepted_at, fresh.refused_at, fresh.refused_reason = at, None, ""
        fresh.save(update_fields=["accepted_at", "refused_at", "refused_reason"])
        user.enterprise, user.connection = fresh.enterprise, fresh.way_in()
        user.joined_at, user.email_confirmed_at = at, at
        user.save(update_fields=["joined_at", "email_confirmed_at", "connection"])
        return user
