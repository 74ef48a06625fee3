"""One person on the way from how they sign in now to a connection, in place: the account stays, and so does the old way
until the new one has worked once.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from django.db import models, transaction
from django.db.models import F, Q
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from audit.ids import new_id
from audit.models import Result, record
from invitations.models.link import AFRESH, EmailedLink, NotRedeemable, hash_token
from users.access import Access, Permission
from users.models import Enterprise, User, fold_email, only_local_admin
from users.models.mail import SendableQuerySet

LASTS = timedelta(days=14)
# After this long without a sign-in somebody may be reminded, together with others; and so often in all.
REMIND_AFTER = timedelta(hours=24)
MOST_REMINDERS = 5


if TYPE_CHECKING:
    from identity.models import Connection


class Stage(models.TextChoices):
    SENDING = "sending", _("Sending")
    SENT = "sent", _("Sent")
    OPENED = "opened", _("Opened")
    EXPIRED = "expired", _("Link ended")
    REFUSED = "refused", _("Refused")
    BOUNCED = "bounced", _("Bounced")
    DONE = "done", _("Done")
    UNDONE = "undone", _("Switched back")


WAITING = (Stage.SENDING, Stage.SENT, Stage.OPENED, Stage.EXPIRED)
STUCK = (Stage.REFUSED, Stage.BOUNCED)
# Whoever is in one of these still signs in the old way, and can be reminded or switched back.
UNDER_WAY = (*WAITING, *STUCK)


def is_at_stage(stage: Stage, at: datetime) -> Q:
    """Return the condition for being at ``stage``; the same rules as ``Move.stage``, for many rows at once."""
    under_way = Q(redeemed_at=None, undone_at=None, batch__undone_at=None, user__isnull=False)
    quiet = under_way & Q(refused_at=None)
    bounced = Q(opened_at=None, bounced_at__isnull=False)
    live = quiet & ~bounced & Q(expires_at__gt=at)
    return {
        Stage.DONE: Q(redeemed_at__isnull=False),
        Stage.UNDONE: Q(redeemed_at=None)
        & (Q(undone_at__isnull=False) | Q(batch__undone_at__isnull=False) | Q(user=None)),
        Stage.REFUSED: under_way & Q(refused_at__isnull=False),
        Stage.BOUNCED: quiet & bounced,
        Stage.EXPIRED: quiet & ~bounced & Q(expires_at__lte=at),
        Stage.OPENED: live & Q(opened_at__isnull=False),
        Stage.SENT: live & Q(opened_at=None, sent_at__isnull=False),
        Stage.SENDING: live & Q(opened_at=None, sent_at=None),
    }[stage]


def is_at_one_of(stages: Iterable[Stage], at: datetime) -> Q:
    condition = Q(pk__in=[])
    for stage in stages:
        condition |= is_at_stage(stage, at)
    return condition


def is_to_remind(at: datetime) -> Q:
    """Return the condition for a reminder among many: the last email is a day old or did not arrive, the account is as
    it was, and there were not too many reminders yet.
    """
    quiet = Q(sent_at__lte=at - REMIND_AFTER) | Q(bounced_at__lte=at) | Q(expires_at__lte=at)
    there = Q(user__disabled_at=None, email_folded=F("user__email_folded"), reminders__lt=MOST_REMINDERS)
    return is_at_one_of(UNDER_WAY, at) & quiet & there


def has_ended(way: str, at: datetime) -> Q:
    """Return the condition for ``way``, a field with somebody's connection or None for a password, to let nobody in any
    more; the same rule as ``Move.is_old_way_open``, for many rows at once.
    """
    password = Q(**{way: None, "enterprise__provider_required_from__lte": at})
    return password | Q(**{f"{way}__isnull": False, f"{way}__enabled_at": None})


# What the index of those who need somebody holds; ``stuck`` is a little narrower.
_STUCK = Q(redeemed_at=None, undone_at=None) & (Q(refused_at__isnull=False) | Q(bounced_at__isnull=False))


class MoveQuerySet(SendableQuerySet):
    def of(self, enterprise: Enterprise) -> MoveQuerySet:
        return self.filter(enterprise=enterprise)

    def under_way(self) -> MoveQuerySet:
        """Keep those who have neither arrived nor been switched back."""
        return self.filter(redeemed_at=None, undone_at=None, batch__undone_at=None, user__isnull=False)

    def stuck(self) -> MoveQuerySet:
        """Keep those who need an administrator: refused at a sign-in, or not reached by email."""
        bounced = Q(bounced_at__isnull=False, opened_at=None)
        return self.filter(_STUCK).under_way().filter(Q(refused_at__isnull=False) | bounced)

    def at_stage(self, stage: Stage, at: datetime) -> MoveQuerySet:
        return self.filter(is_at_stage(stage, at))

    def due(self, at: datetime) -> MoveQuerySet:
        """Not sent is what has ended before, nor anything to a disabled account; while the enterprise is closed, or the
        connection disabled, it waits.
        """
        is_open = Q(user__disabled_at=None, enterprise__closed_at=None, connection__enabled_at__isnull=False)
        return super().due(at).under_way().filter(is_open, expires_at__gt=at)

    def shut_out(self, at: datetime) -> MoveQuerySet:
        """Keep those who have nothing but the link to get in by: what they signed in with before has ended."""
        return self.under_way().filter(has_ended("leaving", at))

    def beyond(self, access: Access) -> MoveQuerySet:
        """Keep those under way whom ``access`` does not let one act on: their roles are more than one may give."""
        return self.under_way().exclude(user__in=access.people(Permission.MIGRATE_PEOPLE))

    def to_remind(self, at: datetime) -> MoveQuerySet:
        return self.filter(is_to_remind(at))

    def remind(self, at: datetime) -> int:
        """Have a new link sent to each, and return how many there are. The link before ends."""
        return self.update(
            **AFRESH, serial=F("serial") + 1, reminders=F("reminders") + 1, send_after=at, expires_at=at + LASTS
        )

    def overtake(self, connection: Connection, at: datetime) -> None:
        """End what is under way for people who sign in by ``connection`` from now on, for another reason."""
        under_way = self.filter(redeemed_at=None, undone_at=None)
        under_way.filter(connection=connection).update(redeemed_at=at)
        under_way.update(undone_at=at)

    def forget(self, label: str) -> None:
        """Keep of people who are deleted that somebody called ``label`` was switched, or was to be."""
        self.update(name=label, listed_as=label.lower(), email="", email_folded="", bounce_reason="")

    def with_token(self, token: str) -> MoveQuerySet:
        return self.filter(token_hash=hash_token(token))


class Move(EmailedLink):
    """Who was switched, from what to what, and what came of it. Kept when the account goes.

    ``leaving`` is the connection the person signed in by when it began, or None for a password.
    """

    id = models.CharField(primary_key=True, max_length=12, default=new_id, editable=False)
    enterprise = models.ForeignKey(Enterprise, on_delete=models.CASCADE, related_name="moves")
    batch = models.ForeignKey("invitations.Batch", on_delete=models.CASCADE, related_name="moves")
    user = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, blank=True, related_name="moves")
    name = models.CharField(max_length=100, blank=True)
    # As ``User.listed_as`` was: what the list of a batch is sorted and searched by.
    listed_as = models.TextField(blank=True)
    leaving = models.ForeignKey(
        "identity.Connection", on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    connection = models.ForeignKey("identity.Connection", on_delete=models.CASCADE, related_name="moves")
    reminders = models.PositiveSmallIntegerField(default=0)
    redeemed_at = models.DateTimeField(null=True, blank=True)
    undone_at = models.DateTimeField(null=True, blank=True)
    undone_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")

    token_salt = "invitations.move"  # noqa: S105 - no secret, but what it is mixed with

    objects = MoveQuerySet.as_manager()  # type: ignore[misc]

    class Meta:
        indexes = [
            models.Index(fields=["batch", "listed_as", "id"], name="move_as_listed"),
            models.Index(fields=["send_after", "id"], condition=Q(sent_at=None), name="move_to_send"),
            models.Index(fields=["enterprise"], condition=_STUCK, name="move_stuck"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["user"], condition=Q(redeemed_at=None, undone_at=None), name="move_one_under_way_per_person"
            )
        ]

    def __str__(self) -> str:
        return self.name or self.email

    @property
    def link(self) -> str:
        return self.enterprise.url(reverse("invitations:move_open", args=[self.token]))

    @property
    def old_way(self) -> str:
        """How the person signs in until then, inside a sentence to that person."""
        return self.leaving.title if self.leaving else str(_("your password"))

    @property
    def their_old_way(self) -> str:
        """The same, inside a sentence to somebody else."""
        return self.leaving.title if self.leaving else str(_("the password"))

    def is_old_way_open(self, at: datetime) -> bool:
        """Whether the person can sign in as before: not once the provider is required of everyone (T16), or where the
        connection before is disabled. Then the link is the only way in.
        """
        if self.user_id is None:
            return False
        return self.leaving.is_enabled if self.leaving else not self.enterprise.requires_provider(at)

    @property
    def is_undone(self) -> bool:
        return self.undone_at is not None or self.batch.undone_at is not None or self.user_id is None

    def stage(self, at: datetime) -> Stage:
        if self.redeemed_at:
            return Stage.DONE
        if self.is_undone:
            return Stage.UNDONE
        if self.refused_at:
            return Stage.REFUSED
        if self.bounced_at and not self.opened_at:
            return Stage.BOUNCED
        if self.expires_at <= at:
            return Stage.EXPIRED
        if self.opened_at:
            return Stage.OPENED
        return Stage.SENT if self.sent_at else Stage.SENDING

    def may_be_reminded(self, at: datetime) -> bool:
        """Whether one more email may go to this person: not while one is on its way, nor too often."""
        is_queued = self.stage(at) == Stage.SENDING
        return self.stage(at) in UNDER_WAY and not is_queued and self.reminders < MOST_REMINDERS

    # ---- What administrators do

    def remind(self, at: datetime) -> None:
        """Send a new link, to the address the account has now; the one before ends.

        Raises NotRedeemable when there is nobody to remind any more, or nothing proves that the address is theirs.
        """
        with transaction.atomic():
            user = self._lock_under_way()
            if not self.may_be_reminded(at):
                raise NotRedeemable("switch_reminded_enough")
            if user.email_folded != self.email_folded and not user.is_email_confirmed:
                raise NotRedeemable("switch_email_changed")
            self.email = user.email
            self.reminders += 1
            self.renew(at, LASTS)
            self.save()

    def undo(self, *, by: User, at: datetime) -> None:
        """Leave the person with the old way, and end the link. Raises NotRedeemable when it is too late."""
        with transaction.atomic():
            self.enterprise.lock()
            self._lock_under_way()
            self.undone_at, self.undone_by = at, by
            self.save(update_fields=["undone_at", "undone_by"])
            User.objects.of(self.enterprise).filter(pk=self.user_id).update(switching_to=None)

    def _lock_under_way(self) -> User:
        """Take the row's lock and read it anew; return whom it is about, or raise NotRedeemable when it has ended."""
        self.refresh_from_db(from_queryset=Move.objects.select_for_update(of=("self",)).select_related("batch", "user"))
        if self.redeemed_at:
            raise NotRedeemable("switch_done")
        if self.is_undone or self.user is None:
            raise NotRedeemable("switch_undone")
        return self.user

    # ---- On its way

    def record_bounce(self, reason: str) -> None:
        record("switch:bounced", enterprise=self.enterprise, target=self.user, result=Result.REFUSED, reason=reason)

    def _this_link(self) -> models.QuerySet[Move]:
        return Move.objects.filter(enterprise=self.enterprise_id, pk=self.pk, serial=self.serial).under_way()

    # ---- Redeemed

    def obstacle(self, at: datetime) -> str:
        """Return the code of what keeps anyone from using this now, or an empty string."""
        if self.redeemed_at:
            return "switch_done"
        user = self.user
        if self.is_undone or user is None:
            return "switch_undone"
        if self.expires_at <= at:
            return "switch_expired"
        if self.enterprise.is_closed:
            return "enterprise_closed"
        if user.disabled_at:
            return "account_disabled"
        if user.email_folded != self.email_folded:
            return "switch_email_changed"
        is_as_it_was = user.connection_id == self.leaving_id and user.switching_to_id == self.connection_id
        return "" if is_as_it_was else "switch_undone"

    def redeem(self, *, email: str, at: datetime) -> User:
        """Let whoever has just proved to be ``email`` sign in by the connection from now on, and by nothing else.

        Within the caller's transaction, with the enterprise's row locked: of two tries at once one raises
        NotRedeemable. Roles and history are not touched. The caller binds the subject, and then asks whether an
        administrator is left (M7).
        """
        enterprise = self.enterprise.lock()
        fresh = (
            Move.objects.of(enterprise)
            .select_for_update(of=("self",))
            .select_related("user", "batch", "connection")
            .get(pk=self.pk)
        )
        fresh.enterprise = enterprise
        if obstacle := fresh.obstacle(at):
            raise NotRedeemable(obstacle)
        if fresh.email_folded != fold_email(email):
            raise NotRedeemable("switch_for_someone_else")
        only = only_local_admin(enterprise)
        if only is not None and only.pk == fresh.user_id:
            raise NotRedeemable("switch_last_admin")
        user = User.objects.of(enterprise).select_for_update(of=("self",)).get(pk=fresh.user_id)
        user.enterprise, user.connection, user.switching_to = enterprise, fresh.connection, None
        user.save(update_fields=["connection", "switching_to"])
        user.forget_local_ways()
        user.sessions.all().delete()
        fresh.redeemed_at, fresh.refused_at, fresh.refused_reason = at, None, ""
        fresh.save(update_fields=["redeemed_at", "refused_at", "refused_reason"])
        return user
