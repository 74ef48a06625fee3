"""Somebody is asked to prove once more who they are, and does."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

from django.http import HttpResponse

from tests.cast import PASSWORD, Browser
from users.models import HeldForm


def is_asked(answer: HttpResponse) -> bool:
    return answer.status_code == 302 and answer["Location"].startswith("/account/prove/")


def held_by(question: HttpResponse) -> HeldForm:
    """Return what waits behind ``question``."""
    return HeldForm.objects.get(pk=parse_qs(urlsplit(question["Location"]).query)["held"][0])


def confirm(browser: Browser, question: HttpResponse, password: str = PASSWORD) -> HttpResponse:
    """Give ``password`` where ``question`` leads, and return what comes of what was held, as in a browser: with 307
    it sends the same form there.
    """
    form = {"held": held_by(question).pk, "password": password}
    answer = browser.post(question["Location"], form)
    if answer.status_code != 307:
        return answer
    return browser.post(answer["Location"], form)


def go_on(browser: Browser, held: HeldForm) -> HttpResponse:
    """Press Continue beside what is held."""
    return browser.post(held.path, {"held": held.pk})
