"""Somebody with the link of a switch, and what they do with it."""

from __future__ import annotations

from django.http import HttpResponse
from django.urls import reverse

from invitations.models import Move
from tests.cast import PASSWORD, Browser
from tests.identity.journey import Journey, sent_to
from users.models import User

PATH = "/switch/"


def opened(journey: Journey, move: Move, browser: Browser | None = None) -> HttpResponse:
    """Open the link as its person does, and return the page behind it."""
    return (browser or journey.browser).get(f"{PATH}{move.token}/", follow=True)


def pressed(journey: Journey, browser: Browser | None = None, query: str = "") -> HttpResponse:
    """Press the button of that page."""
    address = reverse("identity:start", args=[journey.connection.pk]) + "?for=switch" + query
    return (browser or journey.browser).post(address)


def switched(journey: Journey, move: Move, browser: Browser | None = None) -> HttpResponse:
    browser = browser or journey.browser
    opened(journey, move, browser)
    return browser.get(journey.at_provider(sent_to(pressed(journey, browser))))


def fresh(move: Move) -> Move:
    return Move.objects.select_related("batch", "user", "enterprise").get(pk=move.pk)


def signs_in_with_password(user: User) -> bool:
    """Really sign in, as a person does."""
    browser, form = Browser(user.enterprise), {"email": user.email, "password": PASSWORD}
    return browser.post(f"/e/{user.enterprise.slug}/local/", form).status_code == 302


def nothing_has_changed(user: User) -> bool:
    fresh = User.objects.get(pk=user.pk)
    return fresh.connection is None and not fresh.subjects.exists() and signs_in_with_password(user)


def opened_and_pressed(journey: Journey, move: Move) -> HttpResponse:
    opened(journey, move)
    return pressed(journey)
