"""Finding people: the search and the filters of the list, all of them in the address."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from django.db.models import Count, DateTimeField, Prefetch, Q, Value
from django.db.models.functions import Coalesce
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from audit.keyset import Page, page
from users.access import Permission
from users.http import ConsoleRequest
from users.models import RoleAssignment, Status, User
from users.models.finding import ANY, BREAK_GLASS, HERE, PASSWORD, narrowed
from users.models.user_queryset import UserQuerySet

PAGE = 50
LONGEST_SEARCH = 100
# Who never signed in comes last, and a keyset has no room for nulls.
NEVER = Value(datetime(1970, 1, 1, tzinfo=UTC), output_field=DateTimeField())


# Roles and their organizations in one statement.
_with_places = Prefetch("role_assignments", RoleAssignment.objects.select_related("organization", "custom_role"))


@dataclass(frozen=True)
class Filter:
    """One thing to narrow the list by; ``value`` is empty while it is not set."""

    name: str
    label: str | Promise
    choices: list[tuple[str, str]]
    value: str

    @property
    def shown(self) -> str:
        chosen = dict(self.choices).get(self.value, "")
        return chosen if self.value == ANY else f"{self.label}: {chosen}"


class PeopleList:
    """The people ``request`` asks for, of those its sender may see. What makes no sense in the address is ignored."""

    def __init__(self, request: ConsoleRequest) -> None:
        self.request = request
        self.asked = request.GET
        self.q = self.asked.get("q", "").replace("\x00", "").strip()[:LONGEST_SEARCH]
        self.sort = "last" if self.asked.get("sort") == "last" else "name"
        self.connections = {c.pk: c for c in request.enterprise.connections.all()}
        self.everyone = request.access.people()
        self.filters = [
            self._filter(
                "status",
                gettext_lazy("Status"),
                [*((s.value, str(s.label)) for s in Status), (HERE, _("Active or switching"))],
            ),
            self._filter("via", gettext_lazy("Signs in with"), self._ways()),
            self._filter(
                "role",
                gettext_lazy("Role"),
                [(ANY, _("Has a role")), *((role.key, str(role.label)) for role in request.access.roles)],
            ),
            self._filter(
                "organization",
                gettext_lazy("Organization"),
                [(o.pk, o.name) for o in request.access.organizations(Permission.SEE_PEOPLE)],
            ),
        ]

    def _filter(self, name: str, label: str | Promise, choices: list[tuple[str, str]]) -> Filter:
        value = self.asked.get(name, "")
        return Filter(name, label, choices, value if value in dict(choices) else "")

    def _ways(self) -> list[tuple[str, str]]:
        connections = [(c.pk, c.title) for c in self.connections.values()]
        return [*connections, (PASSWORD, _("Password")), (BREAK_GLASS, _("Break-glass"))]

    @property
    def switch_to(self) -> str:
        """What people can be switched to, in a word; empty while no provider is enabled."""
        labels = {c.label for c in self.connections.values() if c.is_enabled}
        return labels.pop() if len(labels) == 1 else _("a provider") if labels else ""

    @property
    def active(self) -> list[Filter]:
        return [each for each in self.filters if each.value]

    @property
    def is_narrowed(self) -> bool:
        return bool(self.q or self.active)

    @property
    def cleared(self) -> str:
        """What to press when nobody matches."""
        number = len(self.active)
        if not number:
            return _("Clear the search")
        return ngettext("Clear %(n)d filter", "Clear %(n)d filters", number) % {"n": number}

    def matching(self) -> UserQuerySet:
        return narrowed(self.everyone, self.q, {each.name: each.value for each in self.filters})

    def page(self) -> Page[User]:
        """Return the page the address asks for, with all that its rows show: one query for them, one for roles."""
        people = self.matching().select_related("connection").prefetch_related(_with_places)
        by: tuple[str, ...] = ("listed_as", "id")
        if self.sort == "last":
            people, by = people.annotate(seen=Coalesce("last_login", NEVER)), ("-seen", "-id")
        return page(people, by=by, cursor=self.asked.get("cursor", ""), size=PAGE)

    def sentence(self) -> str:
        """Say in numbers who is here: one query."""
        at_work = Q(joined_at__isnull=False, disabled_at=None, switching_to=None)
        counts = self.everyone.aggregate(
            people=Count("pk", Q(joined_at__isnull=False) | Q(disabled_at__isnull=False)),
            password=Count("pk", at_work & Q(connection=None, is_break_glass=False)),
            break_glass=Count("pk", at_work & Q(is_break_glass=True)),
            switching=Count("pk", Q(joined_at__isnull=False, disabled_at=None, switching_to__isnull=False)),
            disabled=Count("pk", Q(disabled_at__isnull=False)),
            invited=Count("pk", Q(joined_at=None, disabled_at=None)),
            **{f"via_{pk}": Count("pk", at_work & Q(connection=pk)) for pk in self.connections},
        )
        by_label: dict[str, int] = {}
        for pk, connection in self.connections.items():
            by_label[connection.label] = by_label.get(connection.label, 0) + counts[f"via_{pk}"]
        parts = [_("%(n)d with %(label)s") % {"n": n, "label": label} for label, n in by_label.items() if n]
        for name, words in (
            ("password", _("%(n)d with a password")),
            ("break_glass", _("%(n)d break-glass")),
            ("switching", _("%(n)d switching")),
            ("disabled", _("%(n)d disabled")),
        ):
            if counts[name]:
                parts.append(words % {"n": counts[name]})
        number = counts["people"]
        whole = ngettext("%(n)d person", "%(n)d people", number) % {"n": number}
        said = f"{whole}: {', '.join(parts)}." if parts else f"{whole}."
        if counts["invited"]:
            invited = counts["invited"]
            said += " " + ngettext("%(n)d more is invited.", "%(n)d more are invited.", invited) % {"n": invited}
        return said
