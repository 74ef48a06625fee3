"""What administrators do to people, their roles, and the parts of the enterprise; and how the invited come."""

from __future__ import annotations

from typing import Any

from django.urls import reverse
from hypothesis import strategies as st

from identity.attempts import Purpose
from identity.models import Connection
from invitations.models import Invitation
from tests.cast import PASSWORD, Browser, browser_of
from tests.whatever.house import NEWEST, House, actors, nth, people, permissions, places, roles, subjects, tried
from users.models import AnyRole, CustomRole, Organization, Role

ON_PEOPLE = (
    "disable", "enable", "delete", "revoke_roles", "take_email", "keep_email", "end_person_sessions", "reset_factors",
    "break_glass_retire", "break_glass_link",
)  # fmt: skip
ON_MANY = ("bulk_give_role", "bulk_revoke_role", "bulk_disable")
own_roles = st.sampled_from(["lead", NEWEST])
some_people = st.lists(people, min_size=1, max_size=3)


class People(House):
    # ---- One person

    @tried(6, by=actors, act=st.sampled_from(ON_PEOPLE), whom=people)
    def treat(self, by: str, act: str, whom: str) -> None:
        if act == "end_person_sessions":
            self.begin_session(whom)
        self.press(by, f"users:{act}", self.pk(whom))

    @tried(by=actors, whom=people, is_taken=st.booleans())
    def change_email(self, by: str, whom: str, is_taken: bool) -> None:
        email = "marcus.feld@halden.example" if is_taken else self.fresh_email()
        self.press(by, "users:change_email", self.pk(whom), email=email)

    @tried(whom=people)
    def come_with_another_email(self, whom: str) -> None:
        """Somebody who is known signs in, and the provider names another address than we have."""
        person = self.person(whom)
        subject = person.subjects.select_related("connection__serving").first() if person else None
        if subject is not None:
            subject.connection.enterprise = self.halden
            self.signs_in(subject.connection, subject.sub, self.fresh_email())

    @tried(by=actors, whom=people)
    def end_session(self, by: str, whom: str) -> None:
        self.begin_session(whom)
        person = self.person(whom)
        session = person.sessions.order_by("created_at").last() if person else None
        if session is not None:
            self.press(by, "users:end_person_session", self.pk(whom), session.handle)

    def begin_session(self, whom: str) -> None:
        person = self.person(whom)
        if person is not None and person.is_active:
            browser_of(person)

    # ---- Roles

    def role(self, name: str) -> AnyRole | None:
        return Role(name) if name in Role.values else self.custom_role(name)

    def custom_role(self, name: str) -> CustomRole | None:
        return self.find(CustomRole.objects.of(self.halden), name)

    def role_and_place(self, role: str, place: str) -> dict[str, Any]:
        found = self.role(role)
        return {"role": found.as_shown if found else role, "place": self.place(place)}

    def some(self, names: list[str]) -> list[str]:
        return [pk for name in names if (pk := self.pk(name))]

    @tried(by=actors, whom=people, role=roles, place=places)
    def give_role(self, by: str, whom: str, role: str, place: str) -> None:
        self.press(by, "users:give_role", self.pk(whom), **self.role_and_place(role, place))

    @tried(2, by=actors, act=st.sampled_from(ON_MANY), names=some_people, role=roles, place=places)
    def treat_many(self, by: str, act: str, names: list[str], role: str = "viewer", place: str = "everywhere") -> None:
        form = self.role_and_place(role, place)
        if act == "bulk_revoke_role":
            form["place"] = "wherever"
        self.press(by, f"users:{act}", user=self.some(names), **form)

    @tried(by=actors, whom=people, which=nth)
    def revoke_role(self, by: str, whom: str, which: int) -> None:
        person = self.person(whom)
        given = list(person.role_assignments.all()) if person else []
        self.press(by, "users:revoke_role", self.pk(whom), given[which].pk if which < len(given) else None)

    @tried(by=actors, permits=permissions)
    def create_role(self, by: str, permits: set[str]) -> None:
        self.tried += 1
        self.press(by, "users:role_create", name=f"Role {self.tried}", permissions=sorted(permits))

    @tried(by=actors, role=own_roles, permits=permissions)
    def edit_role(self, by: str, role: str, permits: set[str]) -> None:
        found = self.custom_role(role)
        if found is not None:
            shown = {"name": found.name, "version": found.version, "confirmed": "1"}
            self.press(by, "users:role_edit", found.pk, permissions=sorted(permits), **shown)

    @tried(by=actors, act=st.sampled_from(["unassign", "delete"]), role=own_roles)
    def treat_role(self, by: str, act: str, role: str) -> None:
        found = self.custom_role(role)
        self.press(by, f"users:role_{act}", found.pk if found else None)

    # ---- Organizations

    @tried(by=actors, act=st.sampled_from(["create", "rename", "delete"]), name=st.sampled_from(["oslo", NEWEST]))
    def treat_organization(self, by: str, act: str, name: str) -> None:
        self.tried += 1
        found = self.find(Organization.objects.of(self.halden), name)
        ids = () if act == "create" else (found.pk if found else None,)
        self.press(by, f"users:organization_{act}", *ids, name=f"Terminal {self.tried}")

    # ---- Invitations

    def invitation(self, which: int) -> Invitation | None:
        related = Invitation.objects.of(self.halden).select_related("enterprise", "user", "connection__serving")
        return next(iter(related.order_by("-issued_at")[which : which + 1]), None)

    @tried(by=actors, role=roles, place=places)
    def invite(self, by: str, role: str, place: str) -> None:
        form = self.role_and_place(role, place)
        form["organization"] = form.pop("place")
        if Connection.objects.of(self.halden).enabled().count() > 1:
            form["connection"] = "fitting"
        self.press(by, "invitations:invite", emails=self.fresh_email(), **form)

    @tried(by=actors, act=st.sampled_from(["resend", "revoke"]), which=nth)
    def treat_invitation(self, by: str, act: str, which: int) -> None:
        found = self.invitation(which)
        self.press(by, f"invitations:{act}", found.pk if found else None)

    @tried(which=nth, sub=subjects)
    def accept(self, which: int, sub: str) -> None:
        """Somebody who was invited comes, the way they were invited to; a password is chosen at our own page."""
        found = self.invitation(which)
        if found is None:
            return
        if (connection := found.way_in()) is not None:
            connection.enterprise = self.halden
            self.signs_in(connection, sub, found.email, purpose=Purpose.INVITATION, invitation=found)
            return
        found.keep_token()
        browser = Browser(self.halden)
        browser.get(reverse("invitations:open", args=[found.token]))
        with self.watching("joining with a password") as step:
            form = {"name": "Somebody", "password": PASSWORD}
            step.answered(browser.post(reverse("invitations:accept"), form))
        self.did["invitations:accept"] += any(event["action"] == "invitation:redeemed" for event in step.change.events)
