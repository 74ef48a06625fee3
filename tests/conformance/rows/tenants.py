"""H32: another enterprise's provider says things about ours. Nothing comes of it, here or there."""

from __future__ import annotations

from django.utils import timezone

from audit.models import Event
from tests.cast import Browser
from tests.conformance.scenario import Act, Row, Scenario, at_once, refused
from tests.conformance.stage import Back, Stage
from tests.identity.journey import connect
from tests.provider import Provider, Said, SigningKey
from tests.serving import Request
from users.models import Role, RoleAssignment

H32 = Row("H32")


def stranger(stage: Stage) -> Provider:
    """Have Stranger Ltd sign in through a provider of its own, which is to play tricks; Halden is not to notice."""
    provider = stage.another_provider()
    stage.connection = connect(stage.journey.cast.stranger, provider, stage.journey.cast.mallory)
    stage.browser = Browser(stage.journey.cast.stranger)
    provider.person = stage.provider.person
    halden = stage.journey.cast.halden
    before = Event.objects.of(halden).count()

    def check() -> None:
        assert Event.objects.of(halden).count() == before
        assert not stage.journey.sessions()
        assert not stage.provider.requests

    stage.checks.append(check)
    return provider


def there(stage: Stage, provider: Provider) -> None:
    """Let the browser go to the stranger's provider."""
    at_provider = stage.at_provider
    stage.at_provider = lambda away, _=None: at_provider(away, provider)  # type: ignore[method-assign]


def strange(change: dict[str, object]) -> Act:
    """Say things about Halden's people; `{issuer}` stands for the issuer of Halden's provider."""

    def arrange(stage: Stage) -> None:
        provider = stranger(stage)
        there(stage, provider)
        known = {name: str(value).format(issuer=stage.provider.issuer) for name, value in change.items()}
        provider.on_id_token = lambda said, request: said | known

    return arrange


def claims_to_be_halden(stage: Stage) -> None:
    provider = stranger(stage)
    provider.on_discovery = lambda said, request: said | {"issuer": stage.provider.issuer}


def uses_haldens_keys(stage: Stage) -> None:
    provider = stranger(stage)
    provider.on_discovery = lambda said, request: said | {"jwks_uri": f"{stage.provider.issuer}/keys"}


def wants_haldens_codes(stage: Stage) -> None:
    provider = stranger(stage)
    provider.on_discovery = lambda said, request: said | {"token_endpoint": f"{stage.provider.issuer}/token"}


def publishes_haldens_kid(stage: Stage) -> None:
    """Publish another key under the name of Halden's, which must not be taken for it afterwards."""
    assert stage.journey.sign_in(Browser(stage.enterprise)).status_code == 302
    provider = stranger(stage)
    there(stage, provider)
    provider.signing_key = SigningKey("first-of-another")
    provider.on_keys = lambda said, request: {"keys": [provider.signing_key.jwk | {"kid": "first"}]}
    provider.on_id_token = lambda said, request: provider.signing_key.sign(
        said | {"iss": stage.provider.issuer}, kid="first"
    )
    stage.checks.pop()  # Dana has a session here, an honest one
    stage.checks.append(lambda: stage.journey.sign_in(Browser(stage.journey.cast.halden))["Location"] == "/" or None)


def same_issuer(stage: Stage) -> None:
    """Enter Halden's issuer at Stranger Ltd, and sign in there as Dana, whom that provider really knows."""
    halden = stage.journey.cast.halden
    stage.connection = connect(stage.journey.cast.stranger, stage.provider, stage.journey.cast.mallory)
    stage.browser = Browser(stage.journey.cast.stranger)
    before = Event.objects.of(halden).count()
    stage.checks.append(lambda: _same(Event.objects.of(halden).count(), before))


def _same(found: object, expected: object) -> None:
    assert found == expected


def mix_up(iss: str) -> Act:
    """Have Halden's code come back to Stranger Ltd; `iss` is whose issuer it names."""

    def arrange(stage: Stage) -> None:
        provider = stranger(stage)
        there(stage, provider)
        stage.checks.pop()
        stage.checks.append(lambda: _same(stage.provider.requests_to("/token"), []))

        def swap(back: Back) -> Back:
            # Halden's own sign-in, begun by Mallory in another browser.
            away = stage.journey.start(Browser(stage.journey.cast.halden))
            issued = stage.provider.code_for(away["Location"])
            named = stage.provider.issuer if iss == "halden" else provider.issuer
            return back | {"code": issued["code"], "iss": named}

        stage.on_return.append(swap)

    return arrange


def finished_at_halden(stage: Stage) -> None:
    """Begin at Stranger Ltd with its provider, and come back to Halden's address."""
    from django.urls import reverse

    halden = stage.connection
    provider = stranger(stage)
    stage.checks.clear()
    there(stage, provider)
    stage.address = reverse("identity:callback", args=[halden.pk])

    def back_home(back: Back) -> None:
        stage.connection = halden

    stage.before_return.append(back_home)


def an_admin_of_both(stage: Stage) -> None:
    """Let the email be an administrator's of Halden, whom Stranger Ltd has not invited."""
    cast = stage.journey.cast
    RoleAssignment.objects.create(enterprise=cast.halden, user=stage.journey.dana, role=Role.ENTERPRISE_ADMIN)
    strange({"sub": "00u1dana"})(stage)
    assert timezone.now()


def silent(said: Said, request: Request) -> Said:
    return said


SCENARIOS: list[Scenario] = [
    H32("issuer", "is another enterprise's, and names our issuer in the ID token", strange({"iss": "{issuer}"}),
        refused("issuer_mismatch")),
    H32("subject", "is another enterprise's, and names our subject", strange({"sub": "00u1dana"}),
        refused("no_account", 403)),
    H32("email", "is another enterprise's, and names our email",
        strange({"sub": "00u9", "email": "dana.whitfield@halden.example", "email_verified": True}),
        refused("no_account", 403)),
    H32("admin-email", "is another enterprise's, and names our administrator's email",
        strange({"sub": "00u9", "email": "ingrid.solberg@halden.example"}), refused("no_account", 403)),
    H32("own-admin", "is another enterprise's, and names the email of its own administrator, who has a password",
        strange({"sub": "00u9", "email": "mallory@stranger.example"}), refused("account_not_linked", 403)),
    H32("audience", "is another enterprise's, and makes a token for a client of its own", strange({"aud": "stranger"}),
        refused("audience_mismatch")),
    H32("metadata", "is another enterprise's, and publishes our issuer's metadata", claims_to_be_halden,
        at_once("discovery_issuer_mismatch")),
    H32("keys", "is another enterprise's, and gives our issuer's keys as its own", uses_haldens_keys,
        at_once("endpoints_elsewhere")),
    H32("token-endpoint", "is another enterprise's, and gives our token endpoint as its own", wants_haldens_codes,
        at_once("endpoints_elsewhere")),
    H32("kid", "is another enterprise's, and publishes its key under our key's name", publishes_haldens_kid,
        refused("issuer_mismatch")),
    H32("same-issuer", "is ours, entered by another enterprise", same_issuer, refused("no_account", 403)),
    H32("mix-up", "is another enterprise's, and is brought our code", mix_up("stranger"), refused("invalid_grant")),
    H32("mix-up-iss", "is another enterprise's, and is brought our code with our issuer", mix_up("halden"),
        at_once("response_issuer_mismatch")),
    H32("finished-here", "is another enterprise's, and sends the browser to our address", finished_at_halden,
        at_once("attempt_unknown")),
]  # fmt: skip
