"""What templates need to say times, names and shares the way Gatehouse says them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache, lru_cache

from django import template
from django.template.base import Node, NodeList, Parser, Token
from django.template.context import Context
from django.template.exceptions import TemplateSyntaxError
from django.template.loader_tags import BlockNode
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import escape, format_html_join
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import get_language, ngettext
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as later
from lucide.templatetags.lucide import lucide

register = template.Library()

# Days from today: how they begin a sentence, and how they stand inside of one.
NEAR = {
    -1: (later("Yesterday"), later("yesterday")),
    0: (later("Today"), later("today")),
    1: (later("Tomorrow"), later("tomorrow")),
}


@register.simple_tag
@cache
def icon(name: str, size: int = 16, css: str = "") -> str:
    """A lucide icon, `size` pixels square, hidden from assistive technology: a word always stands beside it."""
    return lucide(name, size=size, stroke_width="1.75", aria_hidden="true", **{"class": f"icon {css}".strip()})


class _Once(Node):
    child_nodelists = ()  # There is no block inside, so nobody has to look for one, page after page.

    def __init__(self, nodelist: NodeList) -> None:
        self.nodelist = nodelist
        self.drawn: dict[str | None, SafeString] = {}  # by language

    def render(self, context: Context) -> SafeString:
        language = get_language()
        if language not in self.drawn:
            empty = Context()
            empty.template = context.template
            self.drawn[language] = self.nodelist.render(empty)
        return self.drawn[language]


@register.tag
def once(parser: Parser, token: Token) -> _Once:
    """Draw what is the same on every page, for everyone, a single time in each language: {% once %}…{% endonce %}.

    It is drawn with nothing in the context, so that nothing of one person's page can be shown to another.
    """
    nodelist = parser.parse(("endonce",))
    parser.delete_first_token()
    if nodelist.get_nodes_by_type(BlockNode):
        raise TemplateSyntaxError("A block is for other templates to fill: it cannot be drawn once.")
    return _Once(nodelist)


@register.filter
def initials(name: str) -> str:
    """First letters of the first and last word of a name: "Ingrid Solberg" is IS, "Bo" is B."""
    words = [word for word in str(name).split() if word[0].isalnum()]
    if not words:
        return "?"
    return "".join(word[0] for word in words[:1] + words[1:][-1:]).upper()


@lru_cache(maxsize=1024)
def _city(zone: str) -> str:
    """The city of a zone, or the zone's own name where it has no city ("UTC")."""
    return zone.rpartition("/")[2].replace("_", " ")


@lru_cache(maxsize=1024)
def _day(day: date, style: str, language: str | None) -> str:
    """A day in words: lists say the same few again and again."""
    return date_format(day, style)


@register.filter
def after_slashes(address: str) -> SafeString:
    """An address that may break after its slashes and nowhere else sooner; the text itself is unchanged."""
    return format_html_join(mark_safe("/<wbr>"), "{}", ((piece,) for piece in str(address).split("/")))


@register.filter
def local_time(moment: datetime | None, place: str = "") -> str:
    """A time in the person's zone, as short as it can be: "Today, 14:21", "Yesterday, 21:40", "18 Nov", "4 Mar 2025".

    With `place` "inside" the words are those for the inside of a sentence ("today, 14:21"). None is "—".
    """
    return "—" if moment is None else _short(timezone.localtime(moment), place)


def _short(local: datetime, place: str) -> str:
    today = timezone.localdate()
    words = NEAR.get((local.date() - today).days)
    if words:
        return f"{words[place == 'inside']}, {local:%H:%M}"
    return _day(local.date(), "j M" if local.year == today.year else "j M Y", get_language())


@register.filter
def exact_time(moment: datetime | None) -> str:
    """A time that cannot be misread, zone included: "Monday 30 November 2026, 14:00 (Oslo)". None is "—"."""
    return "—" if moment is None else _exact(timezone.localtime(moment))


def _exact(local: datetime) -> str:
    zone = _city(timezone.get_current_timezone_name())
    return f"{_day(local.date(), 'l j F Y', get_language())}, {local:%H:%M} ({zone})"


def _span(seconds: float) -> str:
    """A span in its largest whole unit; under a minute there is no number worth reading."""
    days, hours, minutes = int(seconds // 86_400), int(seconds // 3_600), int(seconds // 60)
    if days:
        return ngettext("%(n)d day", "%(n)d days", days) % {"n": days}
    if hours:
        return ngettext("%(n)d hour", "%(n)d hours", hours) % {"n": hours}
    return ngettext("%(n)d minute", "%(n)d minutes", minutes) % {"n": minutes}


@register.filter
def ago(moment: datetime | None) -> str:
    """How far a time is from now: "just now", "4 minutes ago", "in 6 days". None is "—"."""
    if moment is None:
        return "—"
    seconds = (timezone.now() - moment).total_seconds()
    if abs(seconds) < 60:
        return _("just now") if seconds >= 0 else _("in a moment")
    if seconds > 0:
        return _("%(span)s ago") % {"span": _span(seconds)}
    return _("in %(span)s") % {"span": _span(-seconds)}


@register.filter
def confirmed(moment: datetime) -> str:
    """When the identity provider last stood by a session: "Confirmed 4 minutes ago"."""
    return _("Confirmed %(ago)s") % {"ago": ago(moment)}


@register.simple_tag
def when(moment: datetime | None, style: str = "local") -> SafeString | str:
    """A <time> with the exact moment on demand. `style` is "local" ("Today, 14:21") or "ago" ("4 minutes ago")."""
    if moment is None:
        return "—"
    local = timezone.localtime(moment)
    words = ago(moment) if style == "ago" else _short(local, "")
    stamp, exact = moment.isoformat(timespec="seconds"), escape(_exact(local))
    # Put together by hand: a list has two of these in every row.
    return SafeString(f'<time datetime="{stamp}" title="{exact}">{escape(words)}</time>')


@dataclass(frozen=True)
class Share:
    """One part of a bar: where it starts and how wide it is, both as SVG percentages."""

    x: str
    width: str


@register.simple_tag
def shares(*counts: int) -> Sequence[Share]:
    """The parts of a bar for these counts, in order; zero counts keep a width of 0%. All zero gives empty parts."""
    total = sum(counts) or 1
    parts, start = [], 0.0
    for count in counts:
        width = 100 * count / total
        parts.append(Share(x=f"{start:.3f}%", width=f"{width:.3f}%"))
        start += width
    return parts


@register.simple_tag
def percent(part: int, whole: int) -> str:
    """A part of a whole as an SVG percentage, never above 100%; nothing of nothing is 0%."""
    return f"{min(100.0, 100 * part / whole if whole else 0.0):.3f}%"
