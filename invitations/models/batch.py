"""People who are switched together: taken in, reminded and switched back in parts, by a worker."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, cast

from django.db import models, transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from audit.actions import Action
from audit.forgetting import GONE, Forgotten
from audit.ids import new_id
from audit.models import record_each
from invitations.models.choice import Choice
from invitations.models.dry_run import Target, Verdict, goes_to, judged, serving
from invitations.models.link import NotRedeemable
from invitations.models.move import LASTS, Move
from users.access import Access, Permission
from users.models import Enterprise, User

if TYPE_CHECKING:
    from invitations.models.dry_run import Judged
    from users.models.user_queryset import UserQuerySet


class Busy(Exception):
    """The batch is still at what was asked before. Nothing was changed."""


class BeyondReach(Exception):
    """Of the people of the batch, so many may not be acted on by whoever asks. Nothing was changed."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


class Doing(models.TextChoices):
    NOTHING = "", _("Nothing")
    TAKING_IN = "taking_in", _("Taking people in")
    REMINDING = "reminding", _("Reminding")
    UNDOING = "undoing", _("Switching back")


class BatchQuerySet(models.QuerySet["Batch"]):
    def of(self, enterprise: Enterprise) -> BatchQuerySet:
        return self.filter(enterprise=enterprise)

    def unfinished(self) -> BatchQuerySet:
        """Keep those that still have something to do themselves; not those that wait for people."""
        return self.exclude(doing=Doing.NOTHING)

    def forget(self, whom: Forgotten) -> None:
        """Take the addresses of a person who is deleted out of what batches are called, say, and were chosen by."""
        changed = []
        for batch in self.filter(whom.standing_in("name", "message") | models.Q(chosen__text__icontains="@")):
            text = batch.chosen.get("text", "")
            left = GONE if whom.is_sought_by(text) else whom.left_of(text)
            if left != text:
                batch.name = batch.name.replace(text, left)
                batch.chosen["text"] = left
            batch.name, batch.message = whom.left_of(batch.name), whom.left_of(batch.message)
            changed.append(batch)
        Batch.objects.bulk_update(changed, ["name", "message", "chosen"])


class Batch(models.Model):
    """What an administrator decided about several people at once. The decision is one row, and holds at once;
    ``go_on`` carries it to each of them, part by part, and can be interrupted anywhere.

    ``connection`` is where everybody goes, or None for whichever serves each person's organizations.
    """

    id = models.CharField(primary_key=True, max_length=12, default=new_id, editable=False)
    enterprise = models.ForeignKey(Enterprise, on_delete=models.CASCADE, related_name="batches")
    name = models.CharField(_("name"), max_length=100)
    message = models.TextField(_("message"), blank=True, max_length=1000)
    connection = models.ForeignKey(
        "identity.Connection", on_delete=models.CASCADE, null=True, blank=True, related_name="batches"
    )
    chosen = models.JSONField(default=dict)
    # Where people could go when it was begun, as ``Target``s: nobody is sent anywhere else.
    shown = models.JSONField(default=list)
    begun_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    begun_at = models.DateTimeField(default=timezone.now)
    # How many could switch when it was begun, and how many have been taken in.
    expected = models.PositiveIntegerField(default=0)
    taken = models.PositiveIntegerField(default=0)
    # Numbers by verdict of those who were chosen and not taken in.
    left_out = models.JSONField(default=dict)
    doing = models.CharField(max_length=12, choices=Doing.choices, default=Doing.TAKING_IN, blank=True)
    # The last person that was looked at; everybody after it in the order of ids is still to come.
    reached = models.CharField(max_length=12, blank=True)
    reminded_at = models.DateTimeField(null=True, blank=True)
    reminded_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    undone_at = models.DateTimeField(null=True, blank=True)
    undone_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")

    objects = BatchQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["enterprise", "-begun_at", "-id"], name="batch_by_time"),
            models.Index(fields=["begun_at"], condition=~models.Q(doing=""), name="batch_unfinished"),
        ]

    def __str__(self) -> str:
        return self.name

    # ---- What administrators ask for. ``go_on`` does it.

    def remind(self, *, by: User, at: datetime) -> None:
        """Remind everybody who may be. Raises Busy, NotRedeemable when it is undone, or BeyondReach."""
        with transaction.atomic():
            fresh = Batch.objects.select_for_update(of=("self",)).get(pk=self.pk)
            if fresh.undone_at:
                raise NotRedeemable("switch_undone")
            if fresh.doing:
                raise Busy
            self._keep_within_reach(by, fresh)
            self.doing, self.reminded_at, self.reminded_by = Doing.REMINDING, at, by
            self.save(update_fields=["doing", "reminded_at", "reminded_by"])

    def undo(self, *, by: User, at: datetime) -> None:
        """Switch back everybody who has not arrived; from now on no link of this batch works.

        Raises NotRedeemable, or BeyondReach.
        """
        with transaction.atomic():
            # Somebody who is arriving right now holds the enterprise's row, and has arrived before this.
            self.enterprise.lock()
            fresh = Batch.objects.select_for_update(of=("self",)).get(pk=self.pk)
            if fresh.undone_at:
                raise NotRedeemable("switch_undone")
            self._keep_within_reach(by, fresh)
            self.doing, self.undone_at, self.undone_by = Doing.UNDOING, at, by
            self.save(update_fields=["doing", "undone_at", "undone_by"])

    def _keep_within_reach(self, by: User, fresh: Batch) -> None:
        """Raise BeyondReach if ``by`` may not act on somebody this is about: under way, or still to be taken in."""
        access = Access.of(by)
        number = self.moves.beyond(access).count()
        theirs = self._within_reach()
        if fresh.doing == Doing.TAKING_IN and theirs is not None:
            to_come = self._chosen().filter(pk__gt=fresh.reached, pk__in=theirs.values("pk"))
            number += to_come.exclude(pk__in=access.people(Permission.MIGRATE_PEOPLE)).count()
        if number:
            raise BeyondReach(number)

    # ---- The worker's side

    def go_on(self, at: datetime, most: int) -> bool:
        """Do the next part of what was asked, for at most ``most`` people, and return whether there is more to do.

        One transaction: killed in the middle, a part has not happened and is done anew; nobody is taken in twice.
        """
        with transaction.atomic():
            enterprise = self.enterprise.lock()
            fresh = Batch.objects.select_for_update(of=("self",)).select_related("begun_by").get(pk=self.pk)
            fresh.enterprise = enterprise
            match fresh.doing:
                case Doing.TAKING_IN:
                    done = fresh._take_in(at, most)
                case Doing.REMINDING:
                    done = fresh._remind(at, most)
                case Doing.UNDOING:
                    done = fresh._undo(at, most)
                case _:
                    return False
            if done < most:
                fresh.doing = Doing.NOTHING
            fresh.save(update_fields=["doing", "taken", "left_out", "reached"])
        return bool(fresh.doing)

    def _chosen(self) -> UserQuerySet:
        people = User.objects.of(self.enterprise).filter(joined_at__lte=self.begun_at)
        return Choice.from_json(self.chosen).among(people)

    def _within_reach(self) -> UserQuerySet | None:
        """Return on whom whoever began this may act; None when that person may not switch anybody any more."""
        by = self.begun_by
        if by is None or not by.is_active:
            return None
        by.enterprise = self.enterprise
        access = Access.of(by)
        return access.people(Permission.MIGRATE_PEOPLE) if access.may(Permission.MIGRATE_PEOPLE) else None

    def _verdicts(self, people: Sequence[Judged]) -> dict[str, str]:
        """Return by id what becomes of each of ``people`` now that this is carried out: the dry run's verdict, unless
        that was about another connection, or whoever began this may not switch them.
        """
        verdicts, mine, out_of_reach = dict[str, str](), set[str](), Verdict.STOPPED
        within_reach = self._within_reach()
        if within_reach is not None:
            out_of_reach = Verdict.BEYOND
            mine = set(within_reach.filter(pk__in=[person.pk for person in people]).values_list("pk", flat=True))
        for person in people:
            verdict = person.verdict
            if verdict in (Verdict.CAN, Verdict.NO_CONNECTION) and person.target != person.shown:  # type: ignore[attr-defined]
                verdict = Verdict.NOT_AS_SHOWN
            elif verdict == Verdict.CAN and person.pk not in mine:
                verdict = out_of_reach
            verdicts[person.pk] = verdict
        return verdicts

    def _take_in(self, at: datetime, most: int) -> int:
        connections = serving(self.enterprise)
        if self.connection_id:
            connections = [connection for connection in connections if connection.pk == self.connection_id]
        people = judged(self._chosen(), self.enterprise, connections).filter(pk__gt=self.reached).order_by("pk")
        people = people.annotate(shown=goes_to(Target(*each) for each in self.shown))
        looked_at = cast("list[Judged]", list(people.select_for_update(of=("self",), no_key=True)[:most]))
        if not looked_at:
            return 0
        verdicts = self._verdicts(looked_at)
        taken = [person for person in looked_at if verdicts[person.pk] == Verdict.CAN]
        Move.objects.bulk_create(
            Move(
                enterprise=self.enterprise, batch=self, user=person, name=person.name, listed_as=person.listed_as,
                email=person.email, email_folded=person.email_folded, leaving_id=person.connection_id,
                connection_id=person.target, send_after=at, expires_at=at + LASTS,
            )
            for person in taken
        )  # fmt: skip
        for target in {person.target for person in taken}:
            going = [person.pk for person in taken if person.target == target]
            User.objects.of(self.enterprise).filter(pk__in=going).update(switching_to=target)
        self._record(Action.SWITCH_BEGUN, taken, self.begun_by)
        self.taken += len(taken)
        others = Counter(verdicts.values())
        del others[Verdict.CAN]
        self.left_out = dict(Counter(self.left_out) + others)
        self.reached = looked_at[-1].pk
        return len(looked_at)

    def _remind(self, at: datetime, most: int) -> int:
        # As of when it was asked: whoever is sent a link by this is not quiet any more, and not found again.
        quiet = self.moves.to_remind(self.reminded_at or at).order_by("pk").select_related("user")
        found = list(quiet.select_for_update(of=("self",))[:most])
        self.moves.filter(pk__in=[move.pk for move in found]).remind(at)
        self._record(Action.SWITCH_REMINDED, [move.user for move in found if move.user], self.reminded_by)
        return len(found)

    def _undo(self, at: datetime, most: int) -> int:
        waiting = self.moves.filter(redeemed_at=None, undone_at=None).order_by("pk").select_related("user")
        found = list(waiting.select_for_update(of=("self",))[:most])
        people = [move.user for move in found if move.user]
        self.moves.filter(pk__in=[move.pk for move in found]).update(undone_at=at, undone_by=self.undone_by)
        User.objects.of(self.enterprise).filter(pk__in=[person.pk for person in people]).update(switching_to=None)
        self._record(Action.SWITCH_UNDONE, people, self.undone_by)
        return len(found)

    def _record(self, action: Action, people: Sequence[User], by: User | None) -> None:
        record_each(action, enterprise=self.enterprise, actor=by, targets=people, batch=self.pk, name=self.name)
