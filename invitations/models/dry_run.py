"""Who of the people chosen can switch, and what stands in the way of the others: decided by the database, for many."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from django.db import models
from django.db.models import Case, CharField, Exists, F, Max, Min, OuterRef, Q, Subquery, Value, When
from django.utils.translation import gettext_lazy as _

from invitations.models.invitation import Invitation
from invitations.models.move import Move, has_ended
from invitations.models.switch import Switch
from users.models import Enterprise, RoleAssignment, enterprise_admins

if TYPE_CHECKING:
    from typing import TypedDict

    from django_stubs_ext import WithAnnotations

    from identity.models import Connection
    from users.models import User
    from users.models.user_queryset import UserQuerySet

    class Judgement(TypedDict):
        verdict: str
        target: str  # None where the verdict is NO_CONNECTION.

    Judged = WithAnnotations[User, Judgement]


class Verdict(models.TextChoices):
    """What becomes of one person, and why. The first that applies is the one that is said."""

    BREAK_GLASS = "break_glass", _("Break-glass account: never switched")
    DISABLED = "disabled", _("Disabled")
    NOT_JOINED = "not_joined", _("Invited, has not joined yet")
    NO_CONNECTION = "no_connection", _("No enabled connection serves the organizations of this account")
    # Of a batch only: what was shown is not so any more, or whoever began it may not do this (any more).
    NOT_AS_SHOWN = "not_as_shown", _("The connection shown is not the one for this account any more")
    BEYOND = "beyond", _("More rights than whoever began this may give")
    STOPPED = "stopped", _("Not taken in: whoever began this may not switch people any more")
    ON_IT = "on_it", _("Signs in that way already")
    SWITCHING = "switching", _("Switching already")
    STEP_BY_STEP = "step_by_step", _("Being switched step by step")
    UNCONFIRMED = "unconfirmed", _("Email not confirmed")
    CLASH = "clash", _("Somebody else is invited at this address")
    LAST_ADMIN = "last_admin", _("The only Enterprise Admin who gets in without a provider")
    CAN = "can", _("Can switch")

    @property
    def is_for_good(self) -> bool:
        """Whether nothing is to be done about it."""
        return self in (Verdict.BREAK_GLASS, Verdict.ON_IT, Verdict.SWITCHING)


class Target(NamedTuple):
    """Where people can go: a connection, by its id, and the organization it is for; None is everybody."""

    connection: str
    organization: str | None


def targets(connections: Iterable[Connection]) -> list[Target]:
    return [Target(connection.pk, connection.organization_id) for connection in connections]


def serving(enterprise: Enterprise) -> list[Connection]:
    """Return the enabled connections, those of one organization before the one for everybody, and of several for the
    same people the one that leads first."""
    connections = enterprise.connections.enabled().select_related("organization", "serving")
    return list(connections.order_by(F("organization").desc(nulls_last=True), "-leads", "enabled_at"))


def judged(people: UserQuerySet, enterprise: Enterprise, connections: Sequence[Connection]) -> UserQuerySet:
    """Add to each of ``people`` the ``verdict``, and as ``target`` the id of the connection that is to serve them.

    That is the first of ``connections`` that is for everybody, or for an organization the person has a role in.
    """
    # As ``only_local_admin`` says for one. Whether there are others is not asked about each of 10,000 people: where the
    # least and the greatest id are the same, there is one, and the database finds out once.
    local_admins = enterprise_admins(enterprise).filter(connection=None).order_by().values("enterprise")
    the_last = local_admins.annotate(least=Min("pk"), most=Max("pk")).filter(least=F("most")).values("least")
    moving = Move.objects.of(enterprise).filter(user=OuterRef("pk"), redeemed_at=None, undone_at=None)
    under_way = Switch.objects.of(enterprise).under_way().filter(user=OuterRef("pk"))
    others = Invitation.objects.of(enterprise).filter(
        email_folded=OuterRef("email_folded"), accepted_at=None, revoked_at=None
    )
    return people.annotate(target=goes_to(targets(connections))).annotate(
        verdict=Case(
            When(is_break_glass=True, then=Value(Verdict.BREAK_GLASS)),
            When(disabled_at__isnull=False, then=Value(Verdict.DISABLED)),
            When(joined_at=None, then=Value(Verdict.NOT_JOINED)),
            When(target=None, then=Value(Verdict.NO_CONNECTION)),
            When(connection_id=F("target"), then=Value(Verdict.ON_IT)),
            When(Q(switching_to__isnull=False) | Q(Exists(moving)), then=Value(Verdict.SWITCHING)),
            When(Exists(under_way), then=Value(Verdict.STEP_BY_STEP)),
            When(email_confirmed_at=None, then=Value(Verdict.UNCONFIRMED)),
            When(Exists(others.exclude(user=OuterRef("pk"))), then=Value(Verdict.CLASH)),
            When(pk=Subquery(the_last), then=Value(Verdict.LAST_ADMIN)),
            default=Value(Verdict.CAN),
            output_field=CharField(),
        )
    )


def goes_to(targets: Iterable[Target]) -> Case:
    """Return the id of the first of ``targets`` that is for everybody or for an organization of the person, or NULL."""
    cases = []
    for target in targets:
        here = RoleAssignment.objects.filter(
            enterprise=OuterRef("enterprise"), user=OuterRef("pk"), organization=target.organization
        )
        serves = Q(Exists(here)) if target.organization else Q(pk__isnull=False)
        cases.append(When(serves, then=Value(target.connection)))
    return Case(*cases, default=Value(None), output_field=CharField())


def with_verdict(people: UserQuerySet, *verdicts: Verdict) -> UserQuerySet:
    """Keep those of judged ``people`` of whom one of ``verdicts`` is said."""
    return people.filter(verdict__in=verdicts)  # type: ignore[misc]


class Number(NamedTuple):
    """How many there are; and how many of them cannot sign in any more the way they did (``has_ended``)."""

    people: int
    shut_out: int


def tally(people: UserQuerySet, at: datetime) -> dict[str, Number]:
    """Count judged ``people`` by verdict; one query."""
    shut_out = models.Count("pk", filter=has_ended("connection", at))
    counted = people.order_by().values("verdict").annotate(number=models.Count("pk"), shut_out=shut_out)  # type: ignore[misc]
    return {row["verdict"]: Number(row["number"], row["shut_out"]) for row in counted}
