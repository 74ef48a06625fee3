"""T15: whoever has lost the role by the time it is their turn does nothing more. On real connections."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from django.http import HttpResponse
from django.urls import reverse
from django.utils import timezone

from audit.models import Event
from identity.credentials import ClientKey, ClientSecret
from identity.models import ClientAuthentication, Connection, Provider, Revision, WaitingSubject
from tests.cast import Browser, Cast, browser_of, enable_okta
from tests.meanwhile import while_it_waits
from users.models import Organization, OutgoingEmail, User

pytestmark = [pytest.mark.servers, pytest.mark.django_db(transaction=True)]


@dataclass
class Halden:
    """Aiko's enterprise: an Okta that serves, a tested draft beside it, and somebody who waits for a yes."""

    cast: Cast
    okta: Connection = field(init=False)
    draft: Connection = field(init=False)
    waiting: WaitingSubject = field(init=False)

    def __post_init__(self) -> None:
        halden, aiko = self.cast.halden, self.cast.aiko
        self.okta = enable_okta(halden, aiko)
        self.draft = Connection.objects.create(enterprise=halden, provider=Provider.OKTA, created_by=aiko)
        revision = self.draft.revise(
            by=aiko, at=timezone.now(), secret="a secret", issuer="https://other.okta.com", client_id="0oa2"
        )
        revision.mark_tested(by=aiko, at=timezone.now())
        tomas, issuer = self.cast.tomas, self.okta.latest.issuer
        self.waiting = WaitingSubject.objects.create(
            connection=self.okta, issuer=issuer, sub="00u", user=tomas, email=tomas.email
        )

    def at(self, name: str, *args: object, connection: Connection | None = None) -> str:
        return reverse(f"identity:{name}", args=[(connection or self.okta).pk, *args])

    def settings(self) -> dict[str, str]:
        values = {name: value for name, value in self.okta.latest.values.items() if isinstance(value, str)}
        return values | {"organization": ""}


def new_organization(halden: Halden) -> Organization:
    return Organization.objects.create(enterprise=halden.cast.halden, name="Bergen", created_at=timezone.now())


def ready_to_close(halden: Halden, browser: Browser) -> None:
    assert browser.get("/advanced/enterprise/export/").status_code == 200


def has_a_key(halden: Halden, browser: Browser) -> None:
    ClientKey.publish(halden.okta, by=halden.cast.aiko, at=timezone.now())


def spare_secret(halden: Halden) -> ClientSecret:
    """One that nothing depends on: saved after the one that serves."""
    halden.okta.revise(by=halden.cast.aiko, at=timezone.now(), secret="spare", **halden.okta.latest.values)
    return halden.okta.latest.secret


def waiting_key(halden: Halden) -> ClientKey:
    """One that signs only when it is told to: beside one that sign-ins depend on."""
    has_a_key(halden, browser_of(halden.cast.aiko))
    Revision.objects.filter(pk=halden.okta.serving_id).update(client_authentication=ClientAuthentication.KEY)
    return ClientKey.publish(Connection.objects.get(pk=halden.okta.pk), by=halden.cast.aiko, at=timezone.now())


def is_closed(halden: Halden, browser: Browser) -> None:
    halden.cast.halden.closed_at = timezone.now()
    halden.cast.halden.save()


def is_required(halden: Halden, browser: Browser) -> None:
    halden.cast.halden.require_provider(timezone.now() + timedelta(days=7))


# What each act sends where, and what has to be so before.
ACTS: dict[str, tuple[Callable[[Halden], tuple[str, dict[str, str]]], Callable[[Halden, Browser], None] | None]] = {
    "enable": (lambda h: (h.at("enable", connection=h.draft), {"revision": "1"}), None),
    "put first": (lambda h: (h.at("lead"), {}), None),
    "disable": (lambda h: (h.at("disable"), {}), None),
    "return to": (lambda h: (h.at("return_to", 1), {}), None),
    "delete the draft": (lambda h: (h.at("discard", connection=h.draft), {}), None),
    "email rule": (lambda h: (h.at("email_rule"), {"email_rule": "follow"}), None),
    "settings": (lambda h: (h.at("setup"), h.settings() | {"client_id": "0oa3"}), None),
    "link": (lambda h: (reverse("identity:link_subject", args=[h.waiting.pk]), {}), None),
    "keep out": (lambda h: (reverse("identity:refuse_subject", args=[h.waiting.pk]), {}), None),
    "rotate the key": (lambda h: (h.at("rotate_key"), {}), has_a_key),
    "have a key sign": (lambda h: (h.at("use_key", waiting_key(h).pk), {}), None),
    "withdraw a key": (lambda h: (h.at("withdraw_key", waiting_key(h).pk), {}), None),
    "paste keys": (lambda h: (h.at("deliver_keys"), {"by": "paste"}), has_a_key),
    "retire a secret": (lambda h: (h.at("retire_secret", spare_secret(h).pk), {}), None),
    "date a secret": (lambda h: (h.at("secret_expiry", spare_secret(h).pk), {"expires_on": "2199-01-01"}), None),
    "choose a provider": (lambda h: (reverse("identity:choose"), {"provider": "okta", "scope": "enterprise"}), None),
    "create an organization": (lambda h: ("/organizations/create/", {"name": "Bergen"}), None),
    "rename an organization": (lambda h: (f"/organizations/{h.cast.oslo.pk}/rename/", {"name": "Bergen"}), None),
    "delete an organization": (lambda h: (f"/organizations/{new_organization(h).pk}/delete/", {}), None),
    "require": (lambda h: (reverse("identity:requiring"), {"grace": "7"}), None),
    "release": (lambda h: (reverse("identity:release"), {}), is_required),
    "close": (lambda h: ("/advanced/enterprise/close/", {"name": "Halden Freight"}), ready_to_close),
    "reopen": (lambda h: ("/closed/reopen/", {}), is_closed),
    "break-glass": (lambda h: ("/advanced/break-glass/add/", {"who": h.cast.aiko.pk}), None),
    "local sign-in": (lambda h: ("/advanced/local-sign-in/", {"second_factor": "optional"}), None),
    "session limits": (lambda h: ("/advanced/sessions/", {"idle_minutes": "30", "session_hours": "12",
                                  "reprove_minutes": "5", "reauthenticate_minutes": "60"}), None),
    "disable somebody": (lambda h: (f"/users/{h.cast.tomas.pk}/disable/", {}), None),
}  # fmt: skip


def ready(act: str) -> tuple[Cast, Callable[[], HttpResponse]]:
    """Make a Halden in which Aiko can do ``act``, and return how she asks for it."""
    cast = Cast.assemble()
    halden, aiko = Halden(cast), browser_of(cast.aiko)
    sent, before = ACTS[act]
    if before:
        before(halden, aiko)
    path, form = sent(halden)
    return cast, lambda: aiko.post(path, form)


@pytest.mark.parametrize("act", ACTS)
def test_whoever_waits_for_the_one_who_revokes_the_role_does_nothing(transactional_db: None, act: str) -> None:
    cast, ask = ready(act)
    events, emails = Event.objects.count(), OutgoingEmail.objects.count()
    answer = while_it_waits(ask, cast.halden.lock, lambda: cast.aiko.role_assignments.all().delete())
    assert answer.status_code == 403
    assert (Event.objects.count(), OutgoingEmail.objects.count()) == (events, emails)
    assert not User.objects.get(pk=cast.aiko.pk).is_break_glass


@pytest.mark.parametrize("act", ACTS)
def test_so_it_is_not_with_whoever_still_has_it(transactional_db: None, act: str) -> None:
    """Else the test above would show nothing: each of these waits, and is then done, or refused for another reason."""
    cast, ask = ready(act)
    answer = while_it_waits(ask, cast.halden.lock, lambda: None)
    assert answer.status_code == (409 if act == "require" else 302), answer.text
