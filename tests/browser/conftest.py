"""A real Chromium, and axe to judge what it shows."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urldefrag

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, ConsoleMessage, Page, Response, expect, sync_playwright

from tests.browser.chromium import launch

# Playwright's loop runs in this thread, which Django takes for asynchronous code.
os.environ.setdefault("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
# Milliseconds. Waiting ends as soon as what is waited for is there; a busy machine needs the patience.
expect.set_options(timeout=20_000)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = launch(playwright)
        yield browser
        browser.close()


@pytest.fixture
def new_page(chromium: Browser) -> Iterator[Callable[..., Page]]:
    """Make pages of a width (pixels) and theme, without motion to wait for.

    Whatever one of them, or a tab opened from it, complains about in its console fails the test at its end:
    errors of scripts, and what the content security policy kept out.
    """
    complaints: list[tuple[str, str]] = []
    refusals: set[str] = set()
    contexts = []

    def hear(said: ConsoleMessage) -> None:
        if said.type == "error":
            complaints.append((said.location["url"], said.text))

    def note_refusal(response: Response) -> None:
        # Chromium complains of every document that is not a 200. Those pages are meant; tests look at what they say.
        if response.status >= 400 and response.request.is_navigation_request():
            refusals.add(urldefrag(response.url).url)

    def make(width: int = 1280, theme: Any = "light", **options: Any) -> Page:
        context = chromium.new_context(
            viewport={"width": width, "height": 800}, color_scheme=theme, reduced_motion="reduce", **options
        )
        contexts.append(context)
        context.on("console", hear)
        context.on("weberror", lambda problem: complaints.append(("", str(problem.error))))
        context.on("response", note_refusal)
        return context.new_page()

    yield make
    for context in contexts:
        context.close()
    assert [
        text
        for url, text in complaints
        if not (urldefrag(url).url in refusals and text.startswith("Failed to load resource"))
    ] == []


# What axe's rules about colours are called: everything else is the same in both themes.
COLOURS = ("color-contrast", "link-in-text-block")


def findings(page: Page, *rules: str) -> list[str]:
    """What axe finds wrong with a page, by these of its rules or by all: empty is what we ship."""
    if page.evaluate("typeof axe") == "undefined":
        page.evaluate(Axe().axe_script)
    options: dict[str, Any] = {"resultTypes": ["violations"]}
    if rules:
        options["runOnly"] = {"type": "rule", "values": rules}
    # Only what is wrong is brought here: what is right is long.
    violations = "({violations}) => violations.map(({id, nodes}) => [id, nodes.map((node) => node.html.slice(0, 160))])"
    found = page.evaluate(f"(options) => axe.run(options).then({violations})", options)
    return [f"{rule}: {nodes}" for rule, nodes in found]


def in_theme(page: Page, theme: Any) -> None:
    """Let the page be light or dark, and wait until it is: colours glide, and axe would measure them on their way."""
    page.emulate_media(color_scheme=theme)
    page.evaluate(
        """async () => {
            // What changes begins to glide with the next picture, which a hidden page never draws.
            const drawn = () => new Promise((go) => { requestAnimationFrame(go); setTimeout(go, 100) })
            await drawn()
            await Promise.allSettled(document.getAnimations().map((animation) => animation.finished))
            await drawn()
        }"""
    )
