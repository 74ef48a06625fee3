"""Which connection serves whom: for places, and for one person. What is said here is what a sign-in would come to."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.utils.translation import gettext as _

from identity.models import Connection
from invitations.models import Invitation
from invitations.reasons import told
from users.models import Enterprise, Organization, User


@dataclass(frozen=True)
class Place:
    """Where people are invited to, and the connection that serves them there; None is a password."""

    organization: Organization | None
    connection: Connection | None

    @property
    def name(self) -> str:
        return self.organization.name if self.organization else _("The whole enterprise")


def places_of(enterprise: Enterprise) -> list[Place]:
    """Return the whole enterprise, and each organization with an enabled connection of its own: one query."""
    leading = Connection.objects.of(enterprise).enabled().filter(leads=True).select_related("organization")
    by_place = {connection.organization: connection for connection in leading.order_by("organization__name")}
    everywhere = Place(None, by_place.pop(None, None))
    return [everywhere, *(Place(organization, connection) for organization, connection in by_place.items())]


@dataclass(frozen=True)
class WayIn:
    """How somebody would sign in today. ``is_open`` False: not at all, and ``text`` says what to do about it.

    ``user`` is who has the address here, and ``connection`` the one that would serve; None is a password, or nothing.
    """

    is_open: bool
    fact: str
    text: str
    user: User | None = None
    connection: Connection | None = None


def way_in_of(enterprise: Enterprise, email: str, at: datetime) -> WayIn:
    """Return how whoever has ``email`` would sign in to ``enterprise`` now."""
    users = (
        User.objects.of(enterprise)
        .with_email(email)
        .select_related(
            "connection__serving", "connection__organization", "switching_to__organization", "switching_to__serving"
        )
    )
    user = users.first()
    if user is None:
        return WayIn(
            False,
            _("Nobody here has this address."),
            _("Invited, this person would use the connection of the place the role is for, as below."),
        )
    user.enterprise = enterprise
    said = {"name": user.label}
    if user.disabled_at:
        return WayIn(False, _("%(name)s is disabled.") % said, _("No way in works until the account is enabled."), user)
    if user.joined_at is None:
        return _way_of_the_invited(user, at)
    if user.connection is None:
        return _way_by_password(user, at)
    return _way_through(user, user.connection)


def _way_of_the_invited(user: User, at: datetime) -> WayIn:
    invitation = (
        Invitation.objects.of(user.enterprise)
        .live(at)
        .filter(user=user)
        .select_related("connection__organization", "organization", "invited_by", "custom_role", "user")
        .first()
    )
    said = {"name": user.label}
    if invitation is None:
        fact = _("%(name)s was invited, and the invitation has ended.") % said
        return WayIn(False, fact, _("Send it again."), user)
    invitation.enterprise = user.enterprise
    if obstacle := invitation.obstacle(at):
        fact = _("%(name)s is invited, and would be refused.") % said
        return WayIn(False, fact, _("%(why)s.") % {"why": told(obstacle)}, user)
    connection = invitation.way_in()
    fact = _("%(name)s is invited, and comes in by the link in the email.") % said
    if connection is None:
        return WayIn(True, fact, _("The page behind it asks for a password to choose."), user)
    if not connection.is_enabled:
        text = _("It leads to %(provider)s, which is disabled. Enable it, or send the invitation again.")
        return WayIn(False, fact, text % {"provider": connection.title}, user, connection)
    text = _("The page behind it leads to %(provider)s.") % {"provider": connection.title}
    return WayIn(True, fact, text, user, connection)


def _way_by_password(user: User, at: datetime) -> WayIn:
    said = {"name": user.label}
    if not user.has_usable_password():
        fact = _("%(name)s has no password yet.") % said
        return WayIn(False, fact, _("The link to choose one was emailed. Send it again if it got lost."), user)
    if user.must_use_provider(at):
        return _way_past_the_password(user)
    if user.is_break_glass:
        fact = _("%(name)s signs in with a password, always: it is a break-glass account.") % said
        return WayIn(True, fact, _("It is never moved to a provider, and every use of it is told."), user)
    fact = _("%(name)s signs in with a password.") % said
    if user.switching_to:
        text = _("Until the first sign-in through %(provider)s, to which the account is switching.")
        return WayIn(True, fact, text % {"provider": user.switching_to.title}, user)
    return WayIn(True, fact, _("That stays so until the account is switched to a provider."), user)


def _way_past_the_password(user: User) -> WayIn:
    fact = _("The password of %(name)s opens nothing any more: everyone has to use the provider.") % {
        "name": user.label
    }
    if user.switching_to is None:
        return WayIn(False, fact, _("Switch the account to the provider, or let passwords go on."), user)
    said = {"provider": user.switching_to.title}
    if not user.switching_to.is_enabled:
        text = _("The link that was emailed leads to %(provider)s, which is disabled. Enable it.") % said
        return WayIn(False, fact, text, user)
    return WayIn(True, fact, _("What works is the link that was emailed: it leads to %(provider)s.") % said, user)


def _way_through(user: User, connection: Connection) -> WayIn:
    said = {"name": user.label, "provider": connection.title}
    fact = _("%(name)s signs in through %(provider)s.") % said
    if not connection.is_enabled or connection.serving is None:
        text = _("It is disabled, so nobody gets in through it. Enable it, or move the account.")
        return WayIn(False, fact, text, user, connection)
    known = user.subjects.filter(connection=connection, issuer=connection.serving.issuer).first()
    if known is None:
        text = _("But is not known to its issuer %(issuer)s, so the next sign-in is refused. Invite the person again.")
        return WayIn(False, fact, text % {"issuer": connection.serving.issuer}, user, connection)
    text = _("Known there as %(sub)s.") % {"sub": known.sub}
    if user.switching_to:
        moving = _("That ends with the first sign-in through %(provider)s, to which the account is switching.")
        text = f"{text} {moving % {'provider': user.switching_to.title}}"
    return WayIn(True, fact, text, user, connection)
