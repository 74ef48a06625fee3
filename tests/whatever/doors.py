"""People who come with a password and a second factor, as the pages for that ask for them: to sign in, or to drill."""

from __future__ import annotations

from django.http import HttpResponse
from django.urls import reverse
from django.utils import timezone
from hypothesis import strategies as st

from tests.cast import Browser
from tests.factors import App, enter_password, key_to_copy
from tests.whatever.house import ADMINISTERING, NEWEST, House, people, tried
from users.models import AuthenticatorApp, Session, Throttle, User, enterprise_admins
from users.sealing import unseal


class Doors(House):
    @tried(whom=people)
    def sign_in_locally(self, whom: str) -> None:
        """Whoever may gets in, and nobody else."""
        person = self.person(whom)
        if person is None:
            return
        self.is_closed  # noqa: B018 - reads the enterprise anew
        required = self.halden.requires_provider(timezone.now()) and not person.is_break_glass
        may = person.is_active and person.connection is None and person.has_usable_password() and not required
        before = Session.objects.filter(user=person).count()
        self.enters(person)
        is_in = Session.objects.filter(user=person).count() > before
        assert is_in == may, f"{whom} with a password: {is_in}, where {may} is right"
        self.did["local sign-in"] += is_in
        self.did["break-glass sign-in"] += is_in and person.is_break_glass

    @tried(whom=st.sampled_from(["ingrid", NEWEST, *ADMINISTERING]))
    def drill(self, whom: str) -> None:
        """Prove both factors of a break-glass account, which signs nobody in."""
        person = self.person(whom)
        if person is None or not AuthenticatorApp.objects.filter(user=person).exists():
            return
        before = Session.objects.count()
        _browser, page = self.enters(person, "?drill")
        assert Session.objects.count() == before, "a drill signed somebody in"
        assert ("The break-glass account works" in page.text) == (person.is_break_glass and person.is_active)
        self.did["drill"] += "The break-glass account works" in page.text

    def enters(self, person: User, query: str = "") -> tuple[Browser, HttpResponse]:
        """Give what is asked for at the enterprise's own door, and return the browser and the last page."""
        Throttle.objects.all().delete()  # As if it had been left alone for a while.
        AuthenticatorApp.objects.filter(user=person).update(last_step=0)
        browser, sessions = Browser(self.halden), Session.objects.count()
        with self.watching(f"{person.label} with a password {query}") as step:
            page = enter_password(browser, person, path=reverse("users:local", args=[self.halden.slug]) + query)
            door = page.headers.get("Location", "")
            if door == reverse("users:factor", args=[self.halden.slug]):
                app = AuthenticatorApp.objects.filter(user=person).first()
                code = App(unseal(app.secret_sealed, bound_to=app._place).decode()).code() if app else ""
                page = browser.post(door, {"code": code})
            elif door == reverse("users:enrol", args=[self.halden.slug]):
                page = browser.post(door, {"code": key_to_copy(browser.get(door)).code()})
            step.answered(page)
            step.is_refused = Session.objects.count() == sessions and "account works" not in page.text
        return browser, page

    def somebody_really_administers(self) -> None:
        """Each of those who count as able to (M7) comes in, and stands where one administers."""
        for person in enterprise_admins(self.halden).select_related("enterprise", "connection__serving"):
            self.comes_to_administer(person)
        self.did["administering"] += 1

    def comes_to_administer(self, person: User) -> None:
        subject = person.subjects.first()
        if person.connection is None:
            browser, _page = self.enters(person)
        else:
            assert subject is not None
            person.connection.enterprise = self.halden
            # As the provider calls this person: anything else would be news of another kind.
            email = person.provider_email or person.email
            assert self.signs_in(person.connection, subject.sub, email), f"{person} cannot sign in (M7)"
            browser = self.signed_in(person)
        page = browser.get("/", follow=True)
        stands = reverse("console:reopen") if self.is_closed else "<title>Dashboard"
        assert stands in page.text, f"{person} counts as able to administer, and gets {page.status_code} (M7)"
