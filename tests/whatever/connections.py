"""What administrators do to the ways in: connections, who is known through them, break-glass, sessions, the whole."""

from __future__ import annotations

from datetime import timedelta

from django.urls import reverse
from django.utils import timezone
from hypothesis import strategies as st

from identity.credentials import ClientKey
from identity.models import EmailRule, Provider, WaitingSubject
from tests.whatever.house import House, actors, connections, nth, people, places, subjects, tried
from users.models import Enterprise

ON_CONNECTIONS = ("enable", "disable", "lead", "discard", "email_rule")
ON_KEYS = ("rotate_key", "deliver_keys", "use_key", "withdraw_key")
issuers = st.sampled_from(["https://halden.okta.com", "https://old.okta.com", "https://new.okta.com"])


class Connections(House):
    # The first there is, and so what Hypothesis tries where it is to try the simplest.
    @tried()
    def let_the_day_come(self) -> None:
        """The time of grace is over: from now on passwords open nothing."""
        Enterprise.objects.filter(pk=self.halden.pk, provider_required_from__isnull=False).update(
            provider_required_from=timezone.now()
        )

    def of(self, by: str, route: str, /, name: str, *ids: str | None, **fields: str) -> None:
        """Press a button of the page of a connection."""
        found = self.connection(name)
        self.press(by, f"identity:{route}", found.pk if found else None, *ids, **fields)

    # ---- Setting up

    @tried(by=actors, provider=st.sampled_from(Provider.values), place=places)
    def choose(self, by: str, provider: str, place: str) -> None:
        scope = {"scope": "enterprise"}
        if (organization := self.place(place)) != "everywhere":
            scope = {"scope": "organization", "organization": organization}
        self.press(by, "identity:choose", provider=provider, **scope)

    @tried(by=actors, name=connections, issuer=issuers, is_proved=st.booleans())
    def set_up(self, by: str, name: str, issuer: str, is_proved: bool) -> None:
        """Save other values, and perhaps test a sign-in with them."""
        self.tried += 1
        found = self.connection(name)
        organization = {"organization": found.organization_id} if found and found.organization_id else {}
        self.of(
            by, "setup", name, issuer=issuer, client_id=f"gatehouse{self.tried}",
            client_secret=f"one-of-the-provider-{self.tried}", scopes="openid email",
            client_authentication="client_secret_basic", **organization,
        )  # fmt: skip
        tester = self.people().order_by("created_at").first()
        if is_proved and found and found.latest and tester:
            found.latest.mark_tested(by=tester, at=timezone.now())

    @tried(
        3, by=actors, act=st.sampled_from(ON_CONNECTIONS), name=connections, follows=st.sampled_from(EmailRule.values)
    )
    def treat_connection(self, by: str, act: str, name: str, follows: str = "follow") -> None:
        found = self.connection(name)
        newest = found.latest if found else None
        self.of(by, act, name, revision=str(newest.number if newest else 1), email_rule=follows)

    @tried(by=actors, name=connections, number=st.integers(1, 4))
    def return_to(self, by: str, name: str, number: int) -> None:
        self.of(by, "return_to", name, str(number))

    # ---- Credentials

    @tried(by=actors, act=st.sampled_from(ON_KEYS), which=nth, carrier=st.sampled_from(["paste", "address"]))
    def treat_keys(self, by: str, act: str, which: int = 0, carrier: str = "paste") -> None:
        keys = ClientKey.objects.filter(connection=self.world.ids["keyed"]).published().order_by("-published_at")
        key = next(iter(keys.values_list("pk", flat=True)[which : which + 1]), None)
        self.of(by, act, "keyed", *[key] if act in ("use_key", "withdraw_key") else [], by=carrier)

    @tried(by=actors, act=st.sampled_from(["retire_secret", "secret_expiry"]), name=connections, which=nth)
    def treat_secret(self, by: str, act: str, name: str, which: int) -> None:
        found = self.connection(name)
        kept = list(found.secrets.kept().order_by("-set_at")[which : which + 1]) if found else []
        self.tried += 1
        ends = timezone.now().date() + timedelta(days=self.tried)
        self.of(by, act, name, kept[0].pk if kept else None, expires_on=ends.isoformat())

    # ---- Who is known

    @tried(name=connections, sub=subjects, whom=people)
    def come_unknown(self, name: str, sub: str, whom: str) -> None:
        """Somebody comes with the email of an account, and is let in only if known already (T7, T8)."""
        found, person = self.connection(name), self.person(whom)
        if found and person:
            self.signs_in(found, sub, person.email)

    def waiting(self, which: int) -> str | None:
        rows = WaitingSubject.objects.of(self.halden).order_by("-first_seen_at")
        return next(iter(rows.values_list("pk", flat=True)[which : which + 1]), None)

    @tried(by=actors, act=st.sampled_from(["link_subject", "refuse_subject"]), which=nth)
    def decide(self, by: str, act: str, which: int) -> None:
        self.press(by, f"identity:{act}", self.waiting(which))

    # ---- Everyone

    @tried(by=actors)
    def require_provider(self, by: str) -> None:
        self.press(by, "identity:requiring", grace="7")

    @tried(by=actors)
    def release(self, by: str) -> None:
        self.press(by, "identity:release")

    @tried(by=actors, whom=people, is_new=st.booleans())
    def add_break_glass(self, by: str, whom: str, is_new: bool) -> None:
        who = "new" if is_new else self.pk(whom) or "new"
        self.press(by, "users:break_glass_add", who=who, name="Spare", email=self.fresh_email())

    @tried(by=actors, factor=st.sampled_from(["required", "optional"]))
    def change_local_sign_in(self, by: str, factor: str) -> None:
        self.press(by, "users:local_sign_in", second_factor=factor)

    @tried(by=actors, hours=st.sampled_from([1, 12, 24]))
    def limit_sessions(self, by: str, hours: int) -> None:
        limits = {"idle_minutes": 30, "session_hours": hours, "reprove_minutes": 5, "reauthenticate_minutes": 60}
        self.press(by, "users:session_limits", **limits)

    # Closed, nearly everything is refused: not often, and not for long.
    @tried(by=actors, seriously=st.integers(0, 3))
    def close(self, by: str, seriously: int) -> None:
        if by != "mallory" and seriously == 3:
            browser = self.browser(by)
            with self.watching(f"export by {by}") as step:
                step.answered(browser.get(reverse("console:export")))
            self.press(by, "console:close", name=self.halden.name)

    @tried(by=actors)
    def reopen(self, by: str) -> None:
        self.press(by, "console:reopen")

    @tried()
    def reopen_by_whoever_can(self) -> None:
        for name in ("aiko", "dana", "ingrid"):
            if self.is_closed:
                self.press(name, "console:reopen")
