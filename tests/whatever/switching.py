"""Switching people to a provider: many at once in place, or one by one the documented way."""

from __future__ import annotations

from datetime import timedelta

from django.utils import timezone
from hypothesis import strategies as st

from identity.attempts import Purpose
from invitations.models import Batch, Move, Switch
from tests.invitations.switching import PAGE, carry_out
from tests.whatever.house import House, actors, connections, nth, people, subjects, tried


class Switching(House):
    # ---- In place

    @tried(by=actors, names=st.lists(people, max_size=4), to=connections, is_carried_out=st.booleans())
    def begin_to_switch(self, by: str, names: list[str], to: str, is_carried_out: bool) -> None:
        """Look at the dry run, and begin with it. Nobody named means everybody with a password."""
        target = self.connection(to)
        if names and not any(self.pk(name) for name in names):
            return
        asked = {"to": target.pk if target else ""}
        if users := [pk for name in names if (pk := self.pk(name))]:
            asked["user"] = users
        shown = ""
        if by != "mallory" or users:
            browser = self.browser(by)
            with self.watching(f"dry run by {by}") as step:
                page = browser.get(PAGE, asked)
                step.answered(page)
                step.is_refused = True  # Whatever it answers, it changes nothing.
            shown = page.context["run"].shown if page.status_code == 200 else ""
        self.press(by, "invitations:batch_begin", name="A batch", count="1000", shown=shown, **asked)
        if is_carried_out:
            self.carry_out_batch(which=0)

    def batch(self, which: int) -> Batch | None:
        batches = Batch.objects.of(self.halden).order_by("-begun_at")
        return next(iter(batches[which : which + 1]), None)

    def move(self, which: int) -> Move | None:
        moves = Move.objects.of(self.halden).exclude(user=None).order_by("-batch__begun_at", "listed_as")
        related = moves.select_related("enterprise", "user", "batch", "connection__serving", "leaving")
        return next(iter(related[which : which + 1]), None)

    @tried(which=nth)
    def carry_out_batch(self, which: int) -> None:
        """A worker does what was asked; the emails are there a day later."""
        found = self.batch(which)
        if found is None:
            return
        with self.watching("a worker") as step:
            carry_out(found)
        self.did["carry out"] += bool(step.change)
        found.moves.filter(sent_at=None).update(sent_at=timezone.now() - timedelta(hours=25))

    @tried(which=nth, sub=subjects)
    def arrive(self, which: int, sub: str) -> None:
        """Somebody follows the link, and signs in at the provider (T7)."""
        found = self.move(which)
        if found is not None:
            found.connection.enterprise = self.halden
            self.signs_in(found.connection, sub, found.email, purpose=Purpose.SWITCH, move=found)

    @tried(by=actors, act=st.sampled_from(["remind", "undo"]), which=nth, is_carried_out=st.booleans())
    def treat_batch(self, by: str, act: str, which: int, is_carried_out: bool = False) -> None:
        found = self.batch(which)
        self.press(by, f"invitations:batch_{act}", found.pk if found else None)
        if is_carried_out:
            self.carry_out_batch(which)

    @tried(by=actors, act=st.sampled_from(["remind", "undo"]), which=nth)
    def treat_move(self, by: str, act: str, which: int) -> None:
        found = self.move(which)
        self.press(by, f"invitations:move_{act}", found.pk if found else None)

    @tried(by=actors, whom=people)
    def ask_to_confirm(self, by: str, whom: str) -> None:
        """Send somebody whose switch waits for it the link that confirms their email."""
        if by != "mallory" and (pk := self.pk(whom)):
            self.press(by, "invitations:confirm_again", person=pk)

    # ---- Step by step (M6)

    @tried(by=actors, whom=people)
    def take_up(self, by: str, whom: str) -> None:
        if pk := self.pk(whom):
            self.press(by, "invitations:switch_begin", user=pk)

    @tried(2, by=actors, act=st.sampled_from(["revoke", "delete", "email", "invite", "give_up"]))
    def step(self, by: str, act: str) -> None:
        found = Switch.objects.of(self.halden).order_by("-begun_at").first()
        self.press(by, f"invitations:switch_{act}", found.pk if found else None, email=self.fresh_email())
