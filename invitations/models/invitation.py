"""Invitations: issued, sent, opened, redeemed at a proven sign-in."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.contrib.auth.hashers import make_password
from django.db import models, transaction
from django.db.models import Q
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from audit.ids import new_id
from audit.models import Result, record
from invitations.models.link import EmailedLink, NotRedeemable, hash_token
from users.access import Access, Permission
from users.models import (
    AnyRole,
    CustomRole,
    Enterprise,
    Organization,
    Role,
    RoleAssignment,
    User,
    columns_of,
    fold_email,
)
from users.models.mail import SendableQuerySet

if TYPE_CHECKING:
    from identity.models import Connection

LASTS = timedelta(days=7)
LASTS_AT_MOST = timedelta(days=30)
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

    def with_reach(self, access: Access) -> InvitationQuerySet:
        """Add ``is_beyond``: whether the person invited has been given a role since that ``access`` could not give.

        Revoking forgets the person with all of these roles.
        """
        beyond = access.beyond(Permission.INVITE_PEOPLE, of="user")
        return self.annotate(is_beyond=models.Exists(beyond))

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


class Invitation(EmailedLink):
    """One login link for one person. Issuing another for the same person ends this one."""

    id = models.CharField(primary_key=True, max_length=12, default=new_id, editable=False)
    enterprise = models.ForeignKey(Enterprise, on_delete=models.CASCADE, related_name="invitations")
    # The person invited: a user who has not joined yet. None once a revoked invitation's person is forgotten.
    user = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, blank=True, related_name="invitations")
    role = models.CharField(max_length=20, choices=Role.choices, blank=True)
    # Instead of a built-in one. Both are empty in the history of invitations to a role that is deleted.
    custom_role = models.ForeignKey(CustomRole, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, null=True, blank=True, related_name="+")
    connection = models.ForeignKey(
        "identity.Connection", on_delete=models.CASCADE, null=True, blank=True, related_name="invitations"
    )
    message = models.TextField(blank=True, max_length=1000)
    # Who vouches for it: whoever issued it, or sent it again last.
    invited_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    issued_at = models.DateTimeField(default=timezone.now)
    accepted_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    revoked_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    token_salt = "invitations.token"  # noqa: S105 - no secret, but what it is mixed with

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
            ),
            models.CheckConstraint(condition=Q(role="") | Q(custom_role=None), name="invitation_to_one_role"),
        ]

    def __str__(self) -> str:
        return self.email

    @property
    def link(self) -> str:
        return self.enterprise.url(reverse("invitations:open", args=[self.token]))

    @property
    def held(self) -> AnyRole | None:
        """The role it is to; None when that is deleted."""
        return self.custom_role or (Role(self.role) if self.role else None)

    def get_role_display(self) -> str:  # type: ignore[no-redef]
        """The role's name; Django's own would know the built-in ones only."""
        return str(self.held.label) if self.held else str(_("A deleted role"))

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
        role: AnyRole,
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
                User.objects.of(enterprise).filter(pk__in=[user.pk for user in here]).update(connection=connection)
                RoleAssignment.objects.of(enterprise).filter(user__in=here).delete()
                cls.objects.of(enterprise).filter(email_folded__in=known, accepted_at=None, revoked_at=None).update(
                    revoked_at=at, revoked_by=by
                )
            people = known | {user.email_folded: user for user in fresh}
            RoleAssignment.objects.bulk_create(
                RoleAssignment(
                    enterprise=enterprise,
                    user=user,
                    organization=organization,
                    given_by=by,
                    given_at=at,
                    **columns_of(role),
                )
                for user in people.values()
            )
            return Invitation.objects.bulk_create(
                Invitation(
                    enterprise=enterprise,
                    email=folded[key],
                    email_folded=key,
                    user=people[key],
                    organization=organization,
                    connection=connection,
                    message=message,
                    invited_by=by,
                    issued_at=at,
                    expires_at=at + LASTS,
                    send_after=at,
                    **columns_of(role),
                )
                for key in folded
            )

    def resend(self, *, by: User, at: datetime) -> None:
        """Have a new link sent, good for the full time again; the one sent before stops working (T10).

        ``by`` vouches for it from now on. Raises NotRedeemable when it was accepted or revoked meanwhile.
        """
        with transaction.atomic():
            self._lock_unless(State.ACCEPTED, State.REVOKED, at=at)
            RoleAssignment.objects.of(self.enterprise).filter(user=self.user_id, given_by=self.invited_by_id).update(
                given_by=by
            )
            connection = self.way_in()
            if connection is not None and connection.enabled_at is None:
                connection = self._fitting_connection()
            self.connection, self.invited_by = connection, by
            User.objects.of(self.enterprise).filter(pk=self.user_id).update(connection=connection)
            self.renew(at, LASTS)
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

    def record_bounce(self, reason: str) -> None:
        record("invitation:bounced", enterprise=self.enterprise, target=self, result=Result.REFUSED, reason=reason)

    def _this_link(self) -> models.QuerySet[Invitation]:
        links = Invitation.objects.filter(enterprise=self.enterprise_id, pk=self.pk, serial=self.serial)
        return links.filter(accepted_at=None, revoked_at=None)

    # ---- Redeemed

    def obstacle(self, at: datetime) -> str:
        """Return the code of what keeps anyone from accepting this now, or an empty string.

        T10: the inviter must still be allowed to give that role, and every other one they gave with it.
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
        access = Access.of(self.invited_by)
        # Whoever is switched step by step gets several roles back with one invitation.
        beyond = self.user.role_assignments.filter(given_by=self.invited_by).exclude(
            access.reach(Permission.INVITE_PEOPLE)
        )
        if self.held is None or not access.may_give(self.held, self.organization) or beyond.exists():
            return "inviter_may_not_give_role"
        return ""

    def redeem(self, *, email: str, at: datetime) -> User:
        """Use the invitation up for whoever has just proved to be ``email``, and return the user, now joined.

        Under a row lock, within the caller's transaction: of two tries at once one raises NotRedeemable (T10).
        """
        fresh = (
            Invitation.objects.of(self.enterprise)
            .select_for_update(of=("self",))
            .select_related("user", "invited_by", "organization", "enterprise", "connection", "custom_role")
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
