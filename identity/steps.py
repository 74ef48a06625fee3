"""Where a connection stands on its way to being enabled, and what each next step waits for."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from identity.models import Connection, Revision


@dataclass(frozen=True)
class Step:
    """One line of the summary. ``state`` is done, now, failed or later."""

    state: str
    text: str


def steps(connection: Connection, revision: Revision | None) -> list[Step]:
    """Return the five steps, as far as ``revision``, the newest one, has come."""
    texts = [_("Create the app"), _("Save the values"), _("Check"), _("Test sign-in"), _("Enable")]
    done = [
        revision is not None,
        revision is not None and revision.is_complete,
        revision is not None and revision.is_check_passed,
        revision is not None and revision.tested_at is not None,
        revision is not None and connection.is_enabled and connection.serving_id == revision.pk,
    ]
    now = done.index(False) if False in done else len(done)
    lines = []
    for place, text in enumerate(texts):
        state = "done" if done[place] else "now" if place == now else "later"
        if place == 2 and revision and revision.failures:
            count = revision.failures
            text, state = ngettext("Check: %(n)d finding", "Check: %(n)d findings", count) % {"n": count}, "failed"
        lines.append(Step(state, text))
    return lines


def check_waits_for(revision: Revision | None) -> str:
    """Return why there is nothing to check yet; empty when there is."""
    return "" if revision else _("Waits for the values of step 2.")


def test_waits_for(revision: Revision | None) -> str:
    """Return why a test sign-in makes no sense yet; empty when it does."""
    if revision is None:
        return _("Waits for the values of step 2.")
    if not revision.is_complete:
        return _("Waits for the client secret.")
    if revision.checked_at is None:
        return _("Waits for the check.")
    if count := revision.failures:
        return ngettext(
            "Waits for the check: %(n)d finding left.", "Waits for the check: %(n)d findings left.", count
        ) % {"n": count}
    return ""


def enable_waits_for(revision: Revision | None) -> str:
    """Return why the newest revision cannot be enabled; empty when it can."""
    if revision is None:
        return _("Waits for the values of step 2.")
    if revision.tested_at is None:
        return _("Waits for a successful test of revision %(number)d.") % {"number": revision.number}
    return ""
