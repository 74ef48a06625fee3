"""Whatever is tried in whatever order: nobody ever gives anybody a permission they do not hold for that place.

Random people with random roles make, copy, change, give, revoke and delete roles and invite others, through the
console's own addresses. After every step each role somebody has gained is held against what the actor had before it,
by rules written down here once more: not by the gate's own code.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from invitations.models import Invitation, NotRedeemable
from tests.cast import Browser, browser_of, make_enterprise, make_user
from tests.users.test_who_may_do_what import TABLE
from users.models import CustomRole, Enterprise, Organization, Role, RoleAssignment, User

pytestmark = pytest.mark.servers

EVERYTHING = sorted(TABLE[Role.ENTERPRISE_ADMIN])
OF_ENTERPRISE = {
    "manage_roles", "manage_organizations", "manage_connections", "set_session_limits", "migrate_people",
    "see_audit_log", "close_enterprise",
}  # fmt: skip
# Drawn more often than the rest, or most steps would be refused for want of any right.
USEFUL = ["see_people", "give_roles", "invite_people", "manage_roles"]
some_permissions = st.sets(st.sampled_from(EVERYTHING + 2 * USEFUL), min_size=1, max_size=7)


@dataclass(frozen=True)
class Held:
    """A role as somebody has it: what it permits there."""

    permissions: frozenset[str]
    place: str | None
    is_enterprise_admin: bool

    @classmethod
    def of(cls, given: RoleAssignment) -> Held:
        permissions = set(given.custom_role.permissions) if given.custom_role else TABLE[Role(given.role)]
        if given.organization_id:
            permissions = permissions - OF_ENTERPRISE
        return cls(frozenset(permissions), given.organization_id, given.role == Role.ENTERPRISE_ADMIN)

    def covers(self, other: Held, *rights: str) -> bool:
        return (
            set(rights) <= self.permissions
            and other.permissions <= self.permissions
            and self.place in (None, other.place)
            and (self.is_enterprise_admin or not other.is_enterprise_admin)
        )


def _snapshot(enterprise: Enterprise) -> dict[str, Held]:
    """Every role somebody has, by the row that gives it."""
    return {given.pk: Held.of(given) for given in RoleAssignment.objects.of(enterprise)}


def _definitions(enterprise: Enterprise) -> dict[str, frozenset[str]]:
    return {role.pk: frozenset(role.permissions) for role in CustomRole.objects.of(enterprise)}


@dataclass
class Play:
    """One enterprise, with people who try things."""

    data: st.DataObject
    tried: Counter[str]
    enterprise: Enterprise = field(default_factory=lambda: make_enterprise("Play", "play"))
    people: list[User] = field(default_factory=list)
    places: list[Organization | None] = field(default_factory=list)
    browsers: dict[str, Browser] = field(default_factory=dict)

    def set_the_scene(self) -> None:
        places = [Organization.objects.create(enterprise=self.enterprise, name=name) for name in ("North", "South")]
        self.places = [None, *places]
        for number in range(2):
            self._role(f"At first {number}", self.data.draw(some_permissions))
        self.people.append(make_user(self.enterprise, "Admin", "admin@play.example", (Role.ENTERPRISE_ADMIN, None)))
        for number in range(3):
            person = make_user(self.enterprise, f"Person {number}", f"p{number}@play.example")
            for role, place in self.data.draw(st.lists(st.tuples(self.some_role(), self.some_place()), max_size=2)):
                if role != Role.ENTERPRISE_ADMIN:
                    RoleAssignment.objects.give(
                        user=person, role=role, organization=place, by=person, at=timezone.now()
                    )
            self.people.append(person)
        # Somebody other than the admin who makes roles and changes them, also the own one.
        defines = self._role("Defines", self.data.draw(some_permissions) | {"see_people", "give_roles", "manage_roles"})
        RoleAssignment.objects.give(
            user=self.people[1], role=defines, organization=None, by=self.people[0], at=timezone.now()
        )
        besides = self._role("Besides", self.data.draw(some_permissions))
        RoleAssignment.objects.give(
            user=self.people[1], role=besides, organization=None, by=self.people[0], at=timezone.now()
        )
        # And somebody with the right to give in two places, and different things to give.
        for place in places:
            gives = self._role(f"Gives in {place}", self.data.draw(some_permissions) | {"see_people", "give_roles"})
            RoleAssignment.objects.give(
                user=self.people[2], role=gives, organization=place, by=self.people[0], at=timezone.now()
            )

    def _role(self, name: str, permissions: set[str]) -> CustomRole:
        return CustomRole.objects.create(enterprise=self.enterprise, name=name, permissions=sorted(permissions))

    def some_role(self) -> st.SearchStrategy[Any]:
        return st.sampled_from([*Role, *CustomRole.objects.of(self.enterprise)])

    def some_place(self) -> st.SearchStrategy[Any]:
        return st.sampled_from(self.places)

    def browser(self, person: User) -> Browser:
        return self.browsers.setdefault(person.pk, browser_of(person))

    def step(self) -> None:
        # Those who may give are tried more often: most of what the others try is refused.
        actor = self.data.draw(st.sampled_from([*self.people, *self.people[:3]]))
        had = [Held.of(given) for given in actor.role_assignments.all()]
        before, defined = _snapshot(self.enterprise), _definitions(self.enterprise)
        act = self.data.draw(st.sampled_from([self.create, self.change, self.give, self.give_many, self.revoke,
                                              self.delete, self.invite]))  # fmt: skip
        right = "invite_people" if act == self.invite else "give_roles"
        act(actor)
        self.tried[act.__name__] += 1
        after = _snapshot(self.enterprise)
        for pk, held in after.items():
            if (
                before.get(pk) != held
                and not held.permissions <= before.get(pk, Held(frozenset(), None, False)).permissions
            ):
                assert any(mine.covers(held, right) for mine in had), f"{act.__name__} gave {held} with {had}"
                self.tried[f"{act.__name__} gave"] += 1
        for pk, permissions in _definitions(self.enterprise).items():
            was = defined.get(pk, frozenset())
            if permissions != was:
                self.tried[f"{act.__name__} defined"] += 1
                for version in (was, permissions):
                    definition = Held(version, None, False)
                    assert any(mine.covers(definition, "give_roles", "manage_roles") for mine in had), (version, had)

    # ---- What people try; most of it is refused

    def create(self, actor: User) -> None:
        copied = self.data.draw(st.none() | self.some_role())
        permissions = self._some_of(actor)
        if copied and self.data.draw(st.booleans()):
            permissions = set(copied.permissions) if isinstance(copied, CustomRole) else TABLE[copied]
        self.browser(actor).post(
            "/advanced/roles/create/" + (f"?copy={copied.key}" if copied else ""),
            {"name": f"Role {sum(self.tried.values())}", "permissions": sorted(permissions)},
        )

    def _some_of(self, actor: User) -> set[str]:
        """Anything at all, or everything ``actor`` may do by any role: added up, or some of it."""
        mine = set().union(*(Held.of(given).permissions for given in actor.role_assignments.all()))
        return self.data.draw(some_permissions | (st.just(mine) if mine else some_permissions))

    def change(self, actor: User) -> None:
        role = self.data.draw(st.sampled_from(list(CustomRole.objects.of(self.enterprise)) or [None]))
        if role:
            permissions = self._some_of(actor)
            if self.data.draw(st.booleans()):
                permissions = permissions | set(role.permissions)
            shown = {"name": role.name, "version": role.version, "confirmed": "1"}
            self.browser(actor).post(f"/advanced/roles/{role.pk}/edit/", shown | {"permissions": sorted(permissions)})

    def give(self, actor: User) -> None:
        person = self.data.draw(st.sampled_from(self.people))
        self.browser(actor).post(f"/users/{person.pk}/roles/give/", self._some_role_and_place())

    def give_many(self, actor: User) -> None:
        people = self.data.draw(st.lists(st.sampled_from(self.people), min_size=1, max_size=3))
        form = self._some_role_and_place() | {"user": [person.pk for person in people]}
        self.browser(actor).post("/users/roles/give/", form)

    def _some_role_and_place(self) -> dict[str, Any]:
        role, place = self.data.draw(self.some_role()), self.data.draw(self.some_place())
        return {"role": role.as_shown, "place": place.pk if place else "everywhere"}

    def revoke(self, actor: User) -> None:
        person = self.data.draw(st.sampled_from(self.people))
        role = self.data.draw(self.some_role())
        form = {"role": role.as_shown, "place": "wherever", "user": [person.pk]}
        self.browser(actor).post("/users/roles/revoke/", form)

    def delete(self, actor: User) -> None:
        role = self.data.draw(st.sampled_from(list(CustomRole.objects.of(self.enterprise)) or [None]))
        if role:
            self.browser(actor).post(f"/advanced/roles/{role.pk}/unassign/")
            self.browser(actor).post(f"/advanced/roles/{role.pk}/delete/")

    def invite(self, actor: User) -> None:
        """Somebody new, who comes at once, or never."""
        email = f"new{sum(self.tried.values())}@play.example"
        choice = self._some_role_and_place()
        form = {"emails": email, "role": choice["role"], "organization": choice["place"]}
        self.browser(actor).post("/users/invite/", form)
        invitation = Invitation.objects.of(self.enterprise).for_email(email).first()
        if invitation and self.data.draw(st.booleans()):
            try:
                person = invitation.redeem(email=email, at=timezone.now())
            except NotRedeemable:
                return
            person.set_unusable_password()
            person.save()
            self.people.append(person)


def test_no_sequence_of_acts_gives_anybody_more_than_the_actor_had(db: None) -> None:
    tried: Counter[str] = Counter()

    @settings(
        max_examples=25,
        derandomize=True,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    @given(st.data())
    def play(data: st.DataObject) -> None:
        with transaction.atomic():
            scene = Play(data, tried)
            scene.set_the_scene()
            for _step in range(data.draw(st.integers(12, 20))):
                scene.step()
            transaction.set_rollback(True)

    play()
    # Something must have been given each way, or nothing was shown.
    for way in ("give gave", "give_many gave", "invite gave", "change gave", "create defined", "change defined"):
        assert tried[way] > 0, tried
