"""Moving one person from a password to the identity provider, step by step (M6)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from typing import TYPE_CHECKING

from django.core.exceptions import PermissionDenied
from django.db import models, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from audit.ids import new_id
from invitations.models.invitation import Invitation
from users.access import Access, Permission
from users.models import AnyRole, CustomRole, Enterprise, Organization, Role, RoleAssignment, User

if TYPE_CHECKING:
    from identity.models import Connection


class NotReady(Exception):
    """The step is not the next one. Nothing was changed."""


class Step(IntEnum):
    REVOKE = 1
    FREE = 2
    INVITE = 3
    DONE = 4


@dataclass(frozen=True)
class Place:
    """A role that was held, and where; None is the whole enterprise."""

    role: AnyRole
    organization: Organization | None

    @property
    def as_kept(self) -> list[str | None]:
        return [self.role.key, self.organization.pk if self.organization else None]

    def __str__(self) -> str:
        return f"{self.role.label}, {self.organization.name if self.organization else _('whole enterprise')}"


def _held_by(user: User) -> list[list[str | None]]:
    return [[given.held.key, given.organization_id] for given in user.ranked_roles]


class SwitchQuerySet(models.QuerySet["Switch"]):
    def of(self, enterprise: Enterprise) -> SwitchQuerySet:
        return self.filter(enterprise=enterprise)

    def under_way(self) -> SwitchQuerySet:
        return self.filter(invited_at=None)


class Switch(models.Model):
    """One person on the way. It remembers what the steps take away, so that whoever goes on gives it back.

    The old account's roles and address stand here, since the account itself is deleted in between.
    """

    id = models.CharField(primary_key=True, max_length=12, default=new_id, editable=False)
    enterprise = models.ForeignKey(Enterprise, on_delete=models.CASCADE, related_name="switches")
    user = models.OneToOneField(User, on_delete=models.SET_NULL, null=True, blank=True, related_name="switch")
    email = models.EmailField(max_length=254)
    name = models.CharField(max_length=100, blank=True)
    # [key of the role, organization id or null], the highest first.
    roles = models.JSONField(default=list)
    begun_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    begun_at = models.DateTimeField(default=timezone.now)
    moved_to = models.EmailField(max_length=254, blank=True)
    # Once that is forgotten, with the person it was for, so is this.
    invitation = models.OneToOneField(Invitation, on_delete=models.CASCADE, null=True, related_name="switch")
    invited_at = models.DateTimeField(null=True, blank=True)

    objects = SwitchQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["enterprise", "-begun_at"], name="switch_by_time")]

    def __str__(self) -> str:
        return self.name or self.email

    @classmethod
    def begin(cls, user: User, *, by: User, at: datetime) -> Switch:
        """Take ``user`` up, or whatever was begun for this account before. Nothing changes for the person yet."""
        switch, _is_new = cls.objects.get_or_create(
            user=user,
            defaults={
                "enterprise": user.enterprise,
                "email": user.email,
                "name": user.name,
                "roles": _held_by(user),
                "begun_by": by,
                "begun_at": at,
            },
        )
        return switch

    @property
    def step(self) -> Step:
        """The one step that can be taken now, from what is true: somebody may have gone on by other pages."""
        if self.invited_at:
            return Step.DONE
        if self.user is None or self.moved_to:
            return Step.INVITE
        return Step.REVOKE if self.user.role_assignments.exists() else Step.FREE

    @property
    def places(self) -> list[Place]:
        """What the person held and gets back; without any role, a Viewer. What was deleted since is left out."""
        known = {place.pk: place for place in Organization.objects.of(self.enterprise)}
        roles = {role.key: role for role in (*Role, *CustomRole.objects.of(self.enterprise))}
        held = [
            Place(roles[role], known.get(organization))
            for role, organization in self.roles
            if role in roles and (organization is None or organization in known)
        ]
        return held or [Place(Role.VIEWER, None)]

    @property
    def to_give_back(self) -> list[Place]:
        """What giving up gives the account again: what was held and is not now. Nothing once the account is gone."""
        if self.user is None or not self.roles:
            return []
        held = _held_by(self.user)
        return [place for place in self.places if place.as_kept not in held]

    def _places_given_by(self, by: User) -> list[Place]:
        """Return what the person gets back. Raises PermissionDenied when that is more than ``by`` may give."""
        access, places = Access.of(by), self.places
        if not all(access.may_give(place.role, place.organization, Permission.GIVE_ROLES) for place in places):
            raise PermissionDenied
        return places

    def connection(self) -> Connection | None:
        """Return the connection the person will use, or None when none that is enabled serves the place."""
        return self.enterprise.connections.fitting(self.places[0].organization).first()

    def remember_roles(self) -> None:
        """Note the roles as they are now, just before they are revoked."""
        if self.user is not None and (held := _held_by(self.user)):
            self.roles = held
            self.save(update_fields=["roles"])

    def invite(self, *, by: User, at: datetime) -> Invitation:
        """Invite the person again with the same roles, and return the invitation, to be sent after the commit.

        Raises NotReady before the address is free, or when no enabled connection serves the place, and
        PermissionDenied when ``by`` may not give one of the roles (T10).
        """
        with transaction.atomic():
            fresh = Switch.objects.select_for_update(of=("self",)).select_related("user", "enterprise").get(pk=self.pk)
            connection = fresh.connection()
            if fresh.step != Step.INVITE or connection is None:
                raise NotReady
            first, *others = fresh._places_given_by(by)
            invitation = Invitation.issue(
                enterprise=fresh.enterprise,
                email=fresh.email,
                role=first.role,
                organization=first.organization,
                connection=connection,
                by=by,
                at=at,
            )
            person = invitation.user
            if person is not None:
                person.enterprise = fresh.enterprise
                for place in others:
                    RoleAssignment.objects.give(
                        user=person, role=place.role, organization=place.organization, by=by, at=at
                    )
                User.objects.of(fresh.enterprise).filter(pk=person.pk, name="").update(name=fresh.name)
            self.invitation, self.invited_at = invitation, at
            self.save(update_fields=["invitation", "invited_at"])
        return invitation

    def give_up(self, *, by: User, at: datetime) -> None:
        """Give back what was revoked, as long as the account is there, and forget the switch.

        Raises NotReady once the account is gone and its person invited again: that is to be revoked, or deleted.
        """
        with transaction.atomic():
            found = Switch.objects.select_for_update(of=("self",)).select_related("user", "enterprise")
            fresh = found.filter(pk=self.pk).first()
            if fresh is None or (fresh.user is None and fresh.invited_at):
                raise NotReady
            if fresh.user is not None:
                fresh.user.enterprise = fresh.enterprise
                for place in fresh._places_given_by(by) if fresh.roles else []:
                    RoleAssignment.objects.give(
                        user=fresh.user, role=place.role, organization=place.organization, by=by, at=at
                    )
            fresh.delete()
