"""People to switch, and a worker's work done on the spot."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.utils import timezone

from identity.models import Connection
from invitations import tasks
from invitations.models import Batch, Move
from tests.cast import Browser, Cast, browser_of
from users.models import User

PAGE = "/advanced/switch/"


def begin(browser: Browser, *people: User, count: int = 1000, **form: str) -> Batch:
    """Look at the dry run, and press “Switch … people” for these, or for everyone with a password."""
    response = press(browser, looked_at(browser, *people, **form), count=count)
    assert response.status_code == 302, response.text
    return Batch.objects.get(pk=response["Location"].split("/")[4])


def looked_at(browser: Browser, *people: User, **form: str) -> dict[str, Any]:
    """What the form of the dry run for these people holds."""
    asked = {"user": [person.pk for person in people], **form}
    run = browser.get(PAGE, asked).context["run"]
    return {"name": "A batch", **asked, "count": run.can, "shown": run.shown}


def press(browser: Browser, form: dict[str, Any], **changed: Any) -> HttpResponse:
    return browser.post(PAGE + "begin/", {**form, **changed})


def carry_out(batch: Batch) -> Batch:
    """Do what was asked of ``batch``, as a worker does, but for the sending."""
    while Batch.objects.get(pk=batch.pk).go_on(timezone.now(), 2):
        pass
    return Batch.objects.get(pk=batch.pk)


def switching(cast: Cast, okta: Connection, *people: User, **form: str) -> list[Move]:
    """Have Aiko begin to switch ``people``; their links work, as if they had been sent."""
    batch = carry_out(begin(browser_of(cast.aiko), *people, **form))
    moves = list(
        batch.moves.select_related("enterprise", "user", "batch", "connection", "leaving").order_by("listed_as")
    )
    assert {move.user for move in moves} == set(people)
    assert {move.connection for move in moves} == {okta}
    for move in moves:
        move.keep_token()
        move.mark_sent(timezone.now())
    return moves


def send(batch: Batch) -> None:
    tasks.send_links([batch.pk])
