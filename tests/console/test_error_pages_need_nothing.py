"""Error pages are drawn when nothing else works: no request, no database, no context."""

from __future__ import annotations

import pytest
from django.template.loader import render_to_string

PAGES = ["400.html", "403.html", "403_csrf.html", "404.html", "429.html", "500.html", "503.html"]


@pytest.mark.parametrize("page", PAGES)
def test_an_error_page_shows_its_reference(page: str) -> None:
    """visual.md 4, Reference: on every refusal and error page."""
    assert "HF-7K2M-41QX" in render_to_string(page, {"reference": "HF-7K2M-41QX"})


@pytest.mark.parametrize("page", PAGES)
def test_an_error_page_needs_no_context_and_blames_no_one(page: str) -> None:
    """visual.md 5: no please, sorry, oops or exclamation marks."""
    shown = render_to_string(page).lower()
    assert "<h1>" in shown
    assert not any(word in shown for word in ("please", "sorry", "oops", "successfully"))
    assert "!" not in shown.replace("<!doctype", "")


def test_too_many_tries_says_when_to_come_back() -> None:
    assert "Try again in 1 minute." in render_to_string("429.html", {"minutes": 1})
    assert "Try again in 5 minutes." in render_to_string("429.html", {"minutes": 5})
