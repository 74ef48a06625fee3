"""From saved values to an enabled connection, and back: check, enable, disable. Each on record, each told."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Count, Q
from django.utils import timezone

from audit.actions import Action
from audit.models import Result, record
from identity import findings, rotation
from identity.models import Connection, EmailRule, Revision
from identity.news import tell_admins
from identity.permitted import permitted
from identity.providers import door
from identity.requiring import passwords_go_on
from identity.revising import Saved, keep, scope_name
from invitations.models import Invitation
from users.http import ConsoleRequest
from users.models import Throttle, User


def check(request: ConsoleRequest, revision: Revision, at: datetime) -> timedelta:
    """Check ``revision`` and return zero, or, without checking, how long to wait (T4).

    Only checks that fail count: a scan of addresses consists of those, and setting up does not.
    """
    keys = [
        Throttle.key_for("check", "enterprise", request.enterprise.pk),
        Throttle.key_for("check", "user", request.user.pk),
    ]
    if wait := Throttle.wait(keys, at):
        return wait
    revision.check_now(door().egress, at)
    if rotation.is_unfit(revision) and not revision.connection.depends_on_keys:
        # Nobody knows this one yet, so the one that fits takes its place at once.
        rotation.publish(request, revision.connection)
        revision.check_now(door().egress, at)
    with transaction.atomic():
        if not revision.is_check_passed:
            Throttle.failed(keys, at)
        record(
            Action.CONNECTION_CHECKED,
            enterprise=request.enterprise,
            request=request,
            target=revision.connection,
            result=Result.DONE if revision.is_check_passed else Result.REFUSED,
            reason=findings.first_problem(revision),
            revision=revision.number,
            failed=findings.failed_names(revision),
        )
    return timedelta()


def apply_fix(request: ConsoleRequest, revision: Revision, fix: findings.Fix) -> Saved:
    """Save the newest values with the one the check suggested."""
    values = revision.values
    if fix.name == "accepted_origins":
        values["accepted_origins"] = " ".join(sorted({*revision.accepted_origins.split(), *fix.value.split()}))
    else:
        values[fix.name] = fix.value
    if fix.name == "issuer":
        values["accepted_origins"] = ""
    connection = revision.connection
    with transaction.atomic():
        return keep(request, connection, values, secret=None, organization=connection.organization, notes=[])


def enable(request: ConsoleRequest, connection: Connection, revision: Revision) -> None:
    """Let ``revision`` serve. Raises NotTestedError."""
    with transaction.atomic():
        permitted(request)
        connection.enable(revision, timezone.now())
        record(
            Action.CONNECTION_ENABLED,
            enterprise=request.enterprise,
            request=request,
            target=connection,
            revision=revision.number,
            scope=scope_name(connection),
            leads=connection.leads,
        )
        leader = None if connection.leads else connection.beside().first()
        tell_admins(
            connection, "enabled", by=request.user, revision=revision.number, leader=leader.title if leader else ""
        )


def lead(request: ConsoleRequest, connection: Connection) -> None:
    """Let new people use ``connection``, and what they used before go on beside it. Raises NotEnabledError."""
    with transaction.atomic():
        permitted(request)
        connection.lead()
        record(
            Action.CONNECTION_PUT_FIRST,
            enterprise=request.enterprise,
            request=request,
            target=connection,
            scope=scope_name(connection),
        )
        tell_admins(connection, "put_first", by=request.user)


def return_to(request: ConsoleRequest, connection: Connection, revision: Revision) -> Revision:
    """Make an older, proved revision the newest again. Raises NotTestedError or SecretGoneError."""
    with transaction.atomic():
        permitted(request)
        new = connection.return_to(revision, by=request.user, at=timezone.now())
        record(
            Action.CONNECTION_REVISED,
            enterprise=request.enterprise,
            request=request,
            target=connection,
            revision=new.number,
            returned_to=revision.number,
        )
        tell_admins(connection, "returned", by=request.user, revision=new.number, old=revision.number)
    return new


def disable(request: ConsoleRequest, connection: Connection) -> None:
    """Stop sign-ins through ``connection``. Raises LastAdminError; then nothing has happened."""
    with transaction.atomic():
        permitted(request)
        touched = Touched.by(connection)
        is_released = connection.disable(timezone.now())
        record(
            Action.CONNECTION_DISABLED,
            enterprise=request.enterprise,
            request=request,
            target=connection,
            people=touched.people,
            sessions_ended=touched.sessions,
        )
        if is_released:
            passwords_go_on(request, request.enterprise)
        tell_admins(connection, "disabled", by=request.user, people=touched.people, is_released=is_released)


def set_email_rule(request: ConsoleRequest, connection: Connection, rule: EmailRule) -> None:
    """Change what follows when the provider calls somebody by another email. No sign-in depends on it: no new test."""
    if connection.email_rule == rule:
        return
    with transaction.atomic():
        permitted(request)
        connection.email_rule = rule
        connection.save(update_fields=["email_rule"])
        record(
            Action.CONNECTION_EMAIL_RULE_CHANGED,
            enterprise=request.enterprise,
            request=request,
            target=connection,
            rule=rule.value,
        )


def discard(request: ConsoleRequest, connection: Connection) -> None:
    """Delete a draft. Raises StillNeededError."""
    with transaction.atomic():
        permitted(request)
        record(Action.CONNECTION_DELETED, enterprise=request.enterprise, request=request, target=connection)
        tell_admins(connection, "deleted", by=request.user)
        connection.discard()


@dataclass(frozen=True)
class Neighbour:
    """Another connection that is enabled for the same people, and how many of them sign in through it."""

    connection: Connection
    people: int

    @classmethod
    def of(cls, connection: Connection) -> list[Neighbour]:
        """Return those of ``connection``, the one that leads first."""
        people = Count("users", filter=Q(users__joined_at__isnull=False, users__disabled_at=None))
        return [cls(other, other.number) for other in connection.beside().annotate(number=people)]


class Touched:
    """Whom disabling a connection concerns, counted. ``others`` have a password and are no break-glass accounts."""

    def __init__(self, people: int, sessions: int, others: int, invitations: int) -> None:
        self.people, self.sessions, self.others, self.invitations = people, sessions, others, invitations

    @classmethod
    def by(cls, connection: Connection) -> Touched:
        now, enterprise = timezone.now(), connection.enterprise
        here = User.objects.of(enterprise).filter(joined_at__isnull=False, disabled_at=None)
        return cls(
            people=here.filter(connection=connection).count(),
            sessions=connection.sessions().live(now).values("user").distinct().count(),  # type: ignore[attr-defined]
            others=here.filter(connection=None, is_break_glass=False).count(),
            invitations=Invitation.objects.of(enterprise).live(now).filter(connection=connection).count(),
        )
