"""Halden, connected to a provider, and browsers that go there and back."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from urllib.parse import urlencode, urlsplit

from django.http import HttpResponse
from django.urls import reverse
from django.utils import timezone

from audit.models import Event
from identity.models import ClientSecret, Connection, Grant, Provider, Revision, Subject
from invitations import cookies
from invitations.models import Invitation, hash_token
from tests import provider as providers
from tests.cast import Browser, Cast, make_user
from users.models import Enterprise, Role, Session, User
from users.models.session import TOLERANCE


def connect(enterprise: Enterprise, provider: providers.Provider, by: User, *, enabled: bool = True) -> Connection:
    """An Okta connection of ``enterprise`` to ``provider``, tested and enabled."""
    if enabled and not Connection.objects.of(enterprise).exists():
        return _connected(enterprise, provider, by)
    return connect_step_by_step(enterprise, provider, by, enabled=enabled)


def _connected(enterprise: Enterprise, provider: providers.Provider, by: User) -> Connection:
    """What ``connect_step_by_step`` makes (and a test says so), at once: hundreds of tests begin with it."""
    now = timezone.now()
    connection = Connection(
        enterprise=enterprise, provider=Provider.OKTA, created_by=by, enabled_at=now, serving_terms=1
    )
    connection.save(force_insert=True)
    secret = ClientSecret.taken(connection, provider.clients["gatehouse"], by=by, at=now)
    ClientSecret.objects.filter(pk=secret.pk).update(serves_since=now)
    revision = Revision(
        connection=connection, number=1, terms=1, secret=secret, issuer=provider.issuer, client_id="gatehouse",
        created_by=by, created_at=now, tested_by=by, tested_at=now,
    )  # fmt: skip
    revision.save(force_insert=True)
    connection.serving = revision
    connection.save(update_fields=["serving"])
    return connection


def connect_step_by_step(
    enterprise: Enterprise, provider: providers.Provider, by: User, *, enabled: bool = True
) -> Connection:
    """As administrators do it: saved, tested, enabled."""
    now = timezone.now()
    connection = Connection.objects.create(enterprise=enterprise, provider=Provider.OKTA, created_by=by)
    revision = connection.revise(
        by=by, at=now, secret=provider.clients["gatehouse"], issuer=provider.issuer, client_id="gatehouse"
    )
    if enabled:
        revision.tested_at, revision.tested_by = now, by
        revision.save()
        connection.enable(revision, now)
    return connection


def link(connection: Connection, user: User, sub: str) -> User:
    """Have ``user`` sign in through ``connection`` from now on, as somebody who once redeemed an invitation."""
    user.connection = connection
    user.save()
    Subject.objects.create(connection=connection, issuer=connection.serving.issuer, sub=sub, user=user)
    return user


@dataclass
class Journey:
    """Dana signs in through Halden's Okta, and is who the provider knows as ``00u1dana``."""

    cast: Cast
    provider: providers.Provider
    connection: Connection = field(init=False)
    dana: User = field(init=False)
    browser: Browser = field(init=False)

    def __post_init__(self) -> None:
        self.connection = connect(self.cast.halden, self.provider, self.cast.ingrid)
        dana = make_user(
            self.cast.halden,
            "Dana Whitfield",
            "dana.whitfield@halden.example",
            (Role.VIEWER, self.cast.oslo),
            password="!",
        )
        self.dana = link(self.connection, dana, "00u1dana")
        self.is_dana()
        self.browser = Browser(self.cast.halden)

    def is_dana(self) -> None:
        self.provider.person = {"sub": "00u1dana", "email": "dana.whitfield@halden.example", "name": "Dana Whitfield"}

    def is_piotr(self) -> None:
        self.provider.person = {"sub": "00u1piotr", "email": "piotr.nowak@halden.example", "name": "Piotr Nowak"}

    # ---- There and back

    def start(self, browser: Browser | None = None, **query: str) -> HttpResponse:
        return (browser or self.browser).get(reverse("identity:start", args=[self.connection.pk]), query)

    def at_provider(self, url: str) -> str:
        """Be at the provider with this address; return where it sends the browser back to."""
        back = self.provider.code_for(url)
        return reverse("identity:callback", args=[self.connection.pk]) + "?" + urlencode(back)

    def sign_in(self, browser: Browser | None = None, **query: str) -> HttpResponse:
        """Start, sign in at the provider, and return what the callback answers."""
        browser = browser or self.browser
        return browser.get(self.at_provider(self.start(browser, **query)["Location"]))

    # ---- Invitations

    def invite(self, email: str = "piotr.nowak@halden.example", role: Role = Role.VIEWER) -> Invitation:
        invitation = Invitation.issue(
            enterprise=self.cast.halden,
            email=email,
            role=role,
            organization=self.cast.oslo,
            connection=self.connection,
            by=self.cast.aiko,
            at=timezone.now(),
        )
        invitation.token_hash = hash_token(invitation.token)
        invitation.save()
        return invitation

    def open(self, invitation: Invitation, browser: Browser | None = None) -> None:
        """Open the link: the browser has its cookie from then on."""
        response = HttpResponse()
        cookies.keep(response, invitation.token)
        (browser or self.browser).cookies[cookies.NAME] = response.cookies[cookies.NAME].value

    def accept(self, invitation: Invitation, browser: Browser | None = None, query: str = "") -> HttpResponse:
        """Press the button of the invitation's page."""
        browser = browser or self.browser
        self.open(invitation, browser)
        return browser.post(reverse("identity:start", args=[self.connection.pk]) + query)

    def redeem(self, invitation: Invitation, browser: Browser | None = None) -> HttpResponse:
        browser = browser or self.browser
        return browser.get(self.at_provider(sent_to(self.accept(invitation, browser))))

    # ---- Being asked about

    def make_due(self, ago: timedelta = timedelta(seconds=1)) -> None:
        """Have the provider be asked about every session of Dana's at the next request."""
        now = timezone.now()
        Session.objects.filter(user=self.dana).update(vouch_due_at=now - ago)
        Session.objects.filter(user=self.dana, vouch_by__isnull=False).update(vouch_by=now - ago + TOLERANCE)

    def grant(self) -> Grant:
        return Grant.objects.select_related("session__enterprise").get(session__user=self.dana)

    # ---- What came of it

    def sessions(self, user: User | None = None) -> list[Session]:
        return list(Session.objects.filter(user=user or self.dana))

    def refusal(self) -> Event:
        return Event.objects.of(self.cast.halden).filter(action="session:refused").newest_first()[0]


def sent_to(page: HttpResponse) -> str:
    """Return where a page with a ``Refresh`` header moves on to."""
    seconds, _, url = page["Refresh"].partition("; url=")
    assert seconds == "0"
    return url


def attempt_cookies(browser: Browser) -> list[str]:
    return [name for name, morsel in browser.cookies.items() if name.startswith("attempt-") and morsel.value]


def is_signed_in(browser: Browser, user: User) -> bool:
    from django.conf import settings

    from users.models.session import stored_key

    cookie = browser.cookies.get(settings.SESSION_COOKIE_NAME)
    return bool(cookie) and Session.objects.filter(session_key=stored_key(cookie.value), user=user).exists()


def grants() -> int:
    return Grant.objects.count()


def path_of(url: str) -> str:
    return urlsplit(url).path
