"""Signing out, and where that ends."""

from __future__ import annotations

import pytest

from tests.cast import Cast, browser_of


@pytest.mark.parametrize("wanted", ["", "https://evil.example/", "//evil.example/", "/\\evil.example"])
def test_signing_out_ends_at_the_enterprises_page(cast: Cast, wanted: str) -> None:
    """And never at another site."""
    browser = browser_of(cast.aiko)
    assert browser.post("/logout/", {"next": wanted})["Location"] == "/e/halden/"
    assert cast.aiko.sessions.count() == 0


def test_signing_out_to_accept_an_invitation_comes_back_to_it(cast: Cast) -> None:
    """Somebody else is signed in in this browser: the page of the invitation offers to sign out, and goes on."""
    browser = browser_of(cast.aiko)
    assert browser.post("/logout/", {"next": "/invitations/open/"})["Location"] == "/invitations/open/"
