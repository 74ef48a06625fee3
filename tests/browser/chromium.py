"""Debian's Chromium, driven by Playwright."""

from __future__ import annotations

import os
import shutil

from playwright.sync_api import Browser, Playwright

# The first is Chromium without windows, for tests like these: it costs a fifth less.
NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
# The first would each load a page of Chromium's own for the address bar, in a process of its own, with every window;
# the next would start one ahead of need. The others are what Playwright leaves out: only the last such flag counts.
WITHOUT = [
    "WebUIOmniboxPopup", "WebUIOmniboxFullPopup", "WebUIOmniboxAimPopup", "SpareRendererForSitePerProcess",
    "AvoidUnnecessaryBeforeUnloadCheckSync", "DestroyProfileOnBrowserClose", "HttpsUpgrades",
    "HttpsFirstBalancedModeAutoEnable", "LensOverlay", "MediaRouter", "OptimizationHints", "PaintHolding",
    "ThirdPartyStoragePartitioning",
]  # fmt: skip
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", f"--disable-features={','.join(WITHOUT)}",
]  # fmt: skip


def path() -> str | None:
    """Return where Chromium is: what CHROMIUM says, or the first one on the path."""
    return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)


def launch(playwright: Playwright) -> Browser:
    """Start Chromium without a window. Raises RuntimeError, loudly, when there is none."""
    executable = path()
    if executable is None:
        raise RuntimeError("Chromium is missing, so no browser test can run: script/bootstrap test installs it.")
    return playwright.chromium.launch(executable_path=executable, args=FLAGS)
