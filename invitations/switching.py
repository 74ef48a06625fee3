"""Switching people in place: the dry run, and beginning what it shows."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlencode

from django import forms
from django.core.exceptions import ValidationError
from django.db import models, transaction
from django.db.models import Count, OuterRef, Subquery
from django.db.models.functions import Coalesce
from django.http import QueryDict
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from audit.actions import Action
from audit.ids import is_id
from audit.keyset import Page, page
from audit.models import record
from audit.sheets import as_csv
from invitations import tasks
from invitations.models import Batch, Choice, Number, Verdict, judged, serving, tally, targets, with_verdict
from users.access import Permission
from users.forms.fields import NameField
from users.http import ConsoleRequest
from users.models import Organization, RoleAssignment, Session, Status
from users.models.finding import ANY, HERE, PASSWORD

if TYPE_CHECKING:
    from identity.models import Connection
    from invitations.models.dry_run import Judged

PAGE = 50
# What the table can be narrowed to: verdicts, by a word in the address.
CAN, SWITCHING, STAYS = "can", "switching", "stays"
NARROWED = {
    CAN: (Verdict.CAN,),
    SWITCHING: (Verdict.SWITCHING,),
    STAYS: tuple(set(Verdict) - {Verdict.CAN, Verdict.SWITCHING}),
}


@dataclass(frozen=True)
class Row:
    """One person of the dry run: what becomes of the account, and why."""

    person: Judged
    verdict: Verdict

    @property
    def can(self) -> bool:
        return self.verdict == Verdict.CAN

    @property
    def said(self) -> str:
        if self.can:
            return _("Can switch")
        if self.verdict == Verdict.SWITCHING:
            return _("Switching")
        return _("Stays") if self.verdict.is_for_good else _("Not yet")

    @property
    def kind(self) -> str:
        """The kind of status that ``said`` is (components/status.html)."""
        return {Verdict.CAN: "done", Verdict.SWITCHING: "switching"}.get(self.verdict, "waiting")

    @property
    def keeps(self) -> str:
        if not self.can:
            return _("Everything")
        number = self.person.role_count  # type: ignore[attr-defined]
        if not number:
            return _("History")
        return ngettext("%(n)d role, history", "%(n)d roles, history", number) % {"n": number}

    @property
    def ends(self) -> str:
        """What stops working at the first sign-in through the provider."""
        if not self.can:
            return _("Nothing")
        way = self.person.connection.title if self.person.connection else _("Password")
        number = self.person.session_count  # type: ignore[attr-defined]
        sessions = ngettext("%(n)d session", "%(n)d sessions", number) % {"n": number}
        return ", ".join([way, *([sessions] if number else [])])

    @property
    def why(self) -> str:
        return "" if self.can else str(self.verdict.label)

    @property
    def values(self) -> tuple[str, ...]:
        return (self.person.name, self.person.email, self.said, self.why, self.keeps, self.ends)


@dataclass(frozen=True)
class Narrowing:
    """One of several to choose from; the parameters of components/chip.html."""

    text: str
    url: str
    current: bool


class DryRun:
    """What would become of the people chosen, as things are now. Changes nothing."""

    def __init__(self, request: ConsoleRequest, query: QueryDict) -> None:
        self.request, self.enterprise = request, request.enterprise
        self.choice = Choice.asked(query)
        self.only = only if (only := query.get("only", "")) in NARROWED else ""
        self.cursor = query.get("cursor", "")
        self.connections = serving(self.enterprise)
        self.asked_for = query.get("to", "")
        self.to = next((each for each in self.connections if each.pk == self.asked_for), None)
        chosen = self.choice.among(request.access.people(Permission.MIGRATE_PEOPLE))
        self.possible = [self.to] if self.to else self.connections
        self.people = judged(chosen, self.enterprise, self.possible)

    @property
    def shown(self) -> str:
        """Where people can go as things are, for the form to send along: what was shown is what happens."""
        return json.dumps(targets(self.possible), separators=(",", ":"))

    @property
    def gone(self) -> Connection | None:
        """The connection that was chosen, if it is not enabled any more."""
        if self.to or not is_id(self.asked_for):
            return None
        return self.enterprise.connections.select_related("organization", "serving").filter(pk=self.asked_for).first()

    @property
    def provider(self) -> str:
        """What everybody would use, in a word; empty when that depends on the person."""
        labels = {self.to.title} if self.to else {connection.label for connection in self.connections}
        return labels.pop() if len(labels) == 1 else ""

    @cached_property
    def numbers(self) -> Mapping[str, Number]:
        return tally(self.people, timezone.now())

    @property
    def total(self) -> int:
        return sum(number.people for number in self.numbers.values())

    @property
    def can(self) -> int:
        return self._number(Verdict.CAN)

    def _number(self, verdict: Verdict) -> int:
        return self.numbers[verdict].people if verdict in self.numbers else 0

    @property
    def switching(self) -> int:
        return self._number(Verdict.SWITCHING)

    @property
    def stay(self) -> int:
        return self.total - self.can - self.switching

    @property
    def locked_out(self) -> int:
        """How many cannot sign in any more, since passwords have ended or the connection is disabled; the link of a
        switch is their way in (T16).
        """
        apart = {Verdict.BREAK_GLASS, Verdict.DISABLED, Verdict.NOT_JOINED, Verdict.ON_IT}
        return sum(number.shut_out for verdict, number in self.numbers.items() if verdict not in apart)

    @property
    def sentence(self) -> str:
        """The dry run in numbers."""
        number = self.total
        if self.choice.is_everyone:
            who = ngettext("%(n)d person signs in with a password", "%(n)d people sign in with a password", number)
        else:
            who = ngettext("%(n)d person chosen", "%(n)d people chosen", number)
        parts = [_("%(n)d can switch") % {"n": self.can}]
        if self.switching:
            words = ngettext("%(n)d is switching already", "%(n)d are switching already", self.switching)
            parts.append(words % {"n": self.switching})
        if self.stay:
            words = ngettext("%(n)d stays for now", "%(n)d stay as they are for now", self.stay)
            parts.append(words % {"n": self.stay})
        return f"{who % {'n': number}}: {', '.join(parts)}. {_('Nothing has been sent.')}"

    @cached_property
    def page(self) -> Page[Any]:
        return page(self._shown(), by=("listed_as", "id"), cursor=self.cursor, size=PAGE)

    @cached_property
    def rows(self) -> list[Row]:
        return [Row(person, Verdict(person.verdict)) for person in self.page.rows]

    def _shown(self) -> Any:
        people = with_verdict(self.people, *NARROWED[self.only]) if self.only else self.people
        roles = RoleAssignment.objects.filter(user=OuterRef("pk"))
        sessions = Session.objects.live(timezone.now()).filter(user=OuterRef("pk"))
        return people.select_related("connection__serving", "connection__organization").annotate(
            role_count=_number(roles), session_count=_number(sessions)
        )

    @property
    def fields(self) -> list[tuple[str, str]]:
        """The choice as hidden fields of a form."""
        return [*self.choice.fields, *([("to", self.to.pk)] if self.to else [])]

    def address(self, route: str = "invitations:dry_run", **other: str) -> str:
        """Return where these people are shown, with something else about it as ``other`` says; empty is without."""
        fields = [*self.choice.fields, ("to", other.pop("to", self.to.pk if self.to else ""))]
        query = urlencode([(name, value) for name, value in [*fields, *other.items()] if value])
        return reverse(route) + (f"?{query}" if query else "")

    @property
    def picker(self) -> str:
        """Where to choose other people: the list, as it was."""
        query = urlencode(self.choice.fields) if self.choice.filters or self.choice.text else f"via={PASSWORD}"
        return f"{reverse('users:list')}?{query}"

    @property
    def file_address(self) -> str:
        return self.address("invitations:dry_run_download", only=self.only)

    @property
    def previous_url(self) -> str:
        return self.address(only=self.only, cursor=self.page.previous) if self.page.previous else ""

    @property
    def next_url(self) -> str:
        return self.address(only=self.only, cursor=self.page.next) if self.page.next else ""

    @property
    def narrowings(self) -> list[Narrowing]:
        """Everybody, those who can, those who are under way, those who stay."""
        everybody = Narrowing(_("All %(n)d") % {"n": self.total}, self.address(), not self.only)
        some = (
            (CAN, _("Can switch %(n)d"), self.can),
            (SWITCHING, _("Switching %(n)d"), self.switching),
            (STAYS, _("Stay for now %(n)d"), self.stay),
        )
        return [
            everybody,
            *(Narrowing(words % {"n": n}, self.address(only=key), self.only == key) for key, words, n in some if n),
        ]

    @property
    def targets(self) -> list[Narrowing]:
        """Where to, when there is a choice."""
        if len(self.connections) < 2:
            return []
        fitting = Narrowing(_("To: whichever serves the organization"), self.address(to=""), self.to is None)
        return [fitting, *(self._target(connection) for connection in self.connections)]

    def _target(self, connection: Connection) -> Narrowing:
        words = _("To: %(provider)s") % {"provider": connection.title}
        return Narrowing(words, self.address(to=connection.pk), connection == self.to)

    @cached_property
    def title(self) -> str:
        """What a batch of these people is called unless somebody says otherwise."""
        if self.choice.is_everyone:
            return _("Everyone with a password")
        if number := len(self.choice.users):
            named = [row.person.label for row in self.rows] if number == 1 else []
            return named[0] if named else ngettext("%(n)d person", "%(n)d people", number) % {"n": number}
        return ", ".join(self._filter_words())[:100]

    def _filter_words(self) -> list[str]:
        filters = self.choice.filters
        words = [f"“{self.choice.text}”"] if self.choice.text else []
        known = {each.pk: each.title for each in self.connections}
        known |= {PASSWORD: _("Password"), ANY: _("Has a role"), HERE: _("Active or switching")}
        known |= {status.value: str(status.label) for status in Status}
        if filters.get("role"):
            known |= {role.key: str(role.label) for role in self.request.access.roles}
        words += [known[filters[name]] for name in ("status", "via", "role") if filters.get(name) in known]
        if filters.get("organization"):
            place = Organization.objects.of(self.enterprise).filter(pk=filters["organization"]).first()
            words += [place.name] if place else []
        return words or [_("Chosen people")]

    def lines(self) -> Iterator[str]:
        """Everybody as CSV, read through a server-side cursor."""
        people = self._shown().order_by("listed_as", "id").iterator(chunk_size=1000)
        rows = (Row(cast("Judged", person), Verdict(person.verdict)) for person in people)
        columns = ("name", "email", "verdict", "why", "keeps", "ends")
        return as_csv(columns, (row.values for row in rows))


def _number(rows: models.QuerySet[Any]) -> Coalesce:
    """Count related ``rows`` for each person, and for those on the page only."""
    counted = rows.order_by().values("user").annotate(number=Count("pk")).values("number")
    return Coalesce(Subquery(counted), 0)


class BeginForm(forms.Form):
    """Begin to switch whoever a dry run says can be. Those who cannot stay as they are."""

    name = NameField(label=gettext_lazy("Name of the batch"))
    message = forms.CharField(
        label=gettext_lazy("Message"),
        help_text=gettext_lazy("Stands in the email to each of them."),
        required=False,
        max_length=1000,
        widget=forms.Textarea(attrs={"rows": 3}),
    )
    # What the administrator was shown: how many it would be, and where they would go. Sent by the page of the dry run
    # as it is now, so that a form that was refused shows, and asks for, what there is by then.
    count = forms.IntegerField(widget=forms.HiddenInput, min_value=0)
    shown = forms.CharField(widget=forms.HiddenInput, required=False)

    def __init__(self, data: QueryDict | None = None, *, run: DryRun) -> None:
        super().__init__(data, initial={"name": run.title})
        self.run = run

    def clean(self) -> dict[str, Any]:
        data = self.cleaned_data
        if gone := self.run.gone:
            raise ValidationError(
                _("%(provider)s is not enabled any more, so nobody was switched. This is where people would go now."),
                "gone",
                {"provider": gone.title},
            )
        if data.get("shown") != self.run.shown:
            raise ValidationError(
                _("Other connections serve people by now than when you were shown this. Nothing was sent; look again."),
                "elsewhere",
            )
        if not self.run.can:
            raise ValidationError(_("Nobody of these can switch now. Nothing was sent."), "nobody")
        if self.run.can > data.get("count", 0):
            raise ValidationError(
                _("Meanwhile %(now)d can switch, more than you were shown. Nothing was sent; look again."),
                "more",
                {"now": self.run.can},
            )
        return data

    def save(self) -> Batch:
        """Write down what was decided; a worker carries it out. Returns the batch."""
        request, run = self.run.request, self.run
        with transaction.atomic():
            batch = Batch.objects.create(
                enterprise=run.enterprise,
                name=self.cleaned_data["name"],
                message=self.cleaned_data["message"],
                connection=run.to,
                shown=targets(run.possible),
                chosen=run.choice.as_json(),
                begun_by=request.user,
                begun_at=timezone.now(),
                expected=run.can,
            )
            record(Action.BATCH_BEGUN, enterprise=run.enterprise, request=request, target=batch, people=run.can)
            tasks.carry_out(batch)
        return batch
