"""H22, H23, H30, R1 and R6: what comes back with the browser, from wherever it comes."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import urlencode

from django.conf import settings
from django.http import HttpResponse
from django.test import RequestFactory
from django.urls import reverse
from django.utils import timezone

from identity import attempts
from identity.models import ClientAuthentication
from tests.cast import Browser
from tests.conformance.acts import GONE, both, claims, meanwhile, metadata, returns
from tests.conformance.scenario import FAPI, Act, Row, Scenario, at_once, refused, signed_in
from tests.conformance.stage import Back, Stage
from tests.identity.journey import connect
from tests.provider import Said
from tests.serving import Request

H22 = Row("H22", FAPI + "invalid-authorization-response-iss")
H23 = Row("H23", FAPI + "invalid-state")
H30 = Row("H30")
R1 = Row("R1")
R4 = Row("R4")
R6 = Row("R6")
K11 = Row("K11")
REMOVED, MISSING_STATE = FAPI + "remove-authorization-response-iss", FAPI + "missing-state"
mixed_up, unknown = at_once("response_issuer_mismatch"), at_once("attempt_unknown")
incomplete, strange = at_once("response_incomplete"), at_once("provider_error")
MARKUP = "<script>alert(1)</script>"


def near(change: str) -> Act:
    return lambda stage: stage.on_return.append(lambda back: back | {"iss": change.format(back["iss"])})


def says(error: str, description: str = "") -> Act:
    """End at the provider with an error."""

    def arrange(stage: Stage) -> None:
        def say(said: Said, request: Request) -> Said:
            described = {"error_description": description} if description else {}
            return {"state": said["state"], "iss": said["iss"], "error": error, **described}

        stage.provider.on_authorize = say

    return arrange


def not_assigned(stage: Stage) -> None:
    stage.provider.person = None


# ---- The attempt


def another_browser(stage: Stage) -> None:
    """Have a victim's browser finish what the attacker began."""
    stage.browser_back = Browser(stage.enterprise)


def other_tab(stage: Stage) -> None:
    """Bring the state of one tab with the code of another."""

    def swap(back: Back) -> Back:
        other = stage.at_provider(stage.start())
        return back | {"state": other["state"]}

    stage.on_return.append(swap)


def swapped_cookies(stage: Stage) -> None:
    """Put the cookie of one attempt under the name of another."""

    def swap(back: Back) -> Back:
        stage.start()
        first, second = (morsel for name, morsel in stage.browser.cookies.items() if name.startswith("attempt-"))
        first.set(first.key, second.value, second.value)
        return back

    stage.on_return.append(swap)


def comes_twice(stage: Stage) -> None:
    """Be used once before."""
    stage.before_return.append(stage.come_back)
    stage.before_return.append(lambda back: stage.provider.requests.clear())


def late(stage: Stage) -> None:
    """Lie open for eleven minutes: sealed by the same hand, only earlier."""

    def aged(back: Back) -> None:
        host = stage.enterprise.origin.partition("://")[2]
        request = RequestFactory(headers={"host": host}).get("/")
        request.COOKIES = {name: morsel.value for name, morsel in stage.browser.cookies.items()}
        attempt = attempts.opened(request, back["state"])
        assert attempt
        response = HttpResponse()
        attempts.keep(response, request, back["state"], replace(attempt, started_at=attempt.started_at - 660_000))
        stage.browser.cookies.update(response.cookies)

    stage.before_return.append(aged)


def cookie_altered(stage: Stage) -> None:
    """Change the end of the sealed attempt."""

    def alter(back: Back) -> None:
        for name, morsel in stage.browser.cookies.items():
            if name.startswith("attempt-"):
                morsel.set(name, morsel.value[:-4] + "AAAA", morsel.value[:-4] + "AAAA")

    stage.before_return.append(alter)


def at_another_host(stage: Stage) -> None:
    """Come back at another region's address."""
    stage.before_return.append(
        lambda back: stage.browser.defaults.update(HTTP_HOST=settings.REGION_ORIGINS["na"].partition("://")[2])
    )


# ---- The connection


def edited(stage: Stage) -> None:
    """Have an administrator change, test and enable the settings meanwhile."""
    now, by = timezone.now(), stage.journey.cast.ingrid
    old = stage.connection.serving
    newer = stage.connection.revise(by=by, at=now, secret=None, **(old.values | {"scopes": "openid email"}))
    newer.mark_tested(by=by, at=now)
    stage.connection.enable(newer, now)


def returned_to(stage: Stage) -> None:
    """Have an administrator return to the very same values: another revision, with the same terms."""
    stage.connection.return_to(stage.connection.serving, by=stage.journey.cast.ingrid, at=timezone.now())


def there_and_back(stage: Stage) -> None:
    """Have an administrator change the settings, and return to those before."""
    first = stage.connection.serving
    edited(stage)
    stage.connection.return_to(first, by=stage.journey.cast.ingrid, at=timezone.now())


def secret_replaced(stage: Stage) -> None:
    """Have the secret replaced on both sides: the old one is worth nothing any more."""
    now, by, secret = timezone.now(), stage.journey.cast.ingrid, "the-second-secret-that-is-good-now"
    newer = stage.connection.revise(by=by, at=now, secret=secret, **stage.connection.serving.values)
    newer.mark_tested(by=by, at=now)
    stage.connection.enable(newer, now)
    stage.provider.clients["gatehouse"] = secret


def secret_deactivated(stage: Stage) -> None:
    """Have the new secret tested but not enabled when the old one is deactivated over there."""
    now, by, secret = timezone.now(), stage.journey.cast.ingrid, "the-second-secret-that-is-good-now"
    newer = stage.connection.revise(by=by, at=now, secret=secret, **stage.connection.serving.values)
    newer.mark_tested(by=by, at=now)
    stage.provider.clients["gatehouse"] = secret


def key_instead(stage: Stage) -> None:
    """Have a public key take the place of the secret on both sides."""
    now, by = timezone.now(), stage.journey.cast.ingrid
    values = stage.connection.serving.values | {"client_authentication": ClientAuthentication.KEY}
    newer = stage.connection.revise(by=by, at=now, secret=None, **values)
    newer.mark_tested(by=by, at=now)
    stage.connection.enable(newer, now)
    stage.provider.client_keys["gatehouse"] = stage.connection.keys.get().public
    stage.provider.clients["gatehouse"] = "deleted"


def disabled(stage: Stage) -> None:
    stage.connection.disable(timezone.now())


def finished_elsewhere(stage: Stage) -> None:
    """Come back to another connection of the same enterprise and provider."""

    def move(back: Back) -> None:
        disabled(stage)
        other = connect(stage.enterprise, stage.provider, stage.journey.cast.ingrid)
        stage.address = reverse("identity:callback", args=[other.pk])

    stage.before_return.append(move)


def person_disabled(stage: Stage) -> None:
    stage.journey.dana.disable(timezone.now())


def signed_in_already(stage: Stage) -> None:
    """Be signed in as Aiko, who stays so."""
    stage.browser.sign_in(stage.journey.cast.aiko)

    def check() -> None:
        assert stage.browser.get(reverse("users:account")).status_code == 200

    stage.checks.append(check)


def repeated(name: str, value: str) -> Act:
    """Bring one parameter twice."""

    def arrange(stage: Stage) -> None:
        come_back = stage.come_back
        stage.come_back = lambda back: come_back(f"{urlencode(back)}&{urlencode({name: value})}")  # type: ignore[method-assign, arg-type]

    return arrange


RESPONSES: list[Scenario] = [
    H22("another", "answers with another issuer beside the code", returns(iss="https://evil.example"), mixed_up),
    H22("error", "answers with another issuer beside an error",
        both(says("access_denied"), returns(iss="https://evil.example")), mixed_up),
    H22("trailing-slash", "adds a slash to the issuer beside the code", near("{}/"), mixed_up),
    H22("suffix", "adds a domain to the issuer beside the code", near("{}.evil.example"), mixed_up),
    H22("empty", "answers with an empty issuer", returns(iss=""), mixed_up),
    H22("markup", "answers with markup as issuer", returns(iss=MARKUP), mixed_up),
    H22("second", "answers with two issuers, another one last", repeated("iss", "https://evil.example"), mixed_up),
    H22("removed", "promises its issuer and leaves it out", returns(iss=GONE), at_once("response_issuer_missing"),
        module=REMOVED),
    H22("removed-error", "promises its issuer and leaves it out beside an error",
        both(says("access_denied"), returns(iss=GONE)), at_once("response_issuer_missing"), module=REMOVED),
    H22("not-promised", "does not promise its issuer, and answers with another",
        both(metadata(authorization_response_iss_parameter_supported=GONE), returns(iss="https://evil.example")),
        mixed_up),
    H23("forged", "answers with a state nobody began with", returns(state="A" * 43), unknown),
    H23("missing", "answers without the state", returns(state=GONE), unknown, module=MISSING_STATE),
    H23("empty", "answers with an empty state", returns(state=""), unknown, module=MISSING_STATE),
    H23("long", "answers with a state of 4000 characters", returns(state="A" * 4000), unknown),
    H23("strange", "answers with a state of other characters", returns(state="../é\x00" * 9), unknown),
    H23("replayed", "answers twice", comes_twice, unknown),
    H23("expired", "answers eleven minutes later", late, at_once("attempt_expired")),
    H23("another-browser", "is finished in another browser than it began in", another_browser, unknown),
    H23("another-tab", "answers one tab with the code of another", other_tab, refused("invalid_grant")),
    H23("swapped", "is finished with the cookie of another attempt", swapped_cookies, unknown),
    H23("altered", "is finished with an altered cookie", cookie_altered, unknown),
    H23("another-host", "comes back at another region's address", at_another_host, unknown),
    R4("no-code", "answers with neither code nor error", returns(code=GONE), incomplete),
    R4("empty-code", "answers with an empty code", returns(code=""), incomplete),
    R4("long-code", "answers with a code of 5000 characters", returns(code="c" * 5000), incomplete),
    R4("wrong-code", "answers with a code it does not know", returns(code="never-issued-by-anybody"),
       refused("invalid_grant")),
    R4("code-and-error", "answers with both code and error", returns(error="server_error"),
       at_once("provider_unavailable", 503)),
    R4("code-with-breaks", "answers with line breaks in the code", returns(code="a\r\nX-Evil: 1"),
       refused("invalid_grant")),
    R6("not-assigned", "has not assigned the person", not_assigned, at_once("not_assigned", 403)),
    R6("denied", "denies access", says("access_denied"), at_once("access_denied", 403)),
    R6("login-required", "wants a sign-in first", says("login_required"), at_once("login_required", 403)),
    R6("unavailable", "is temporarily unavailable", says("temporarily_unavailable"),
       at_once("provider_unavailable", 503)),
    R6("session-stays", "denies access to somebody who is signed in here",
       both(signed_in_already, says("access_denied")),
       at_once("access_denied", 403)),
    R6("session-stays-forged", "forges an error for somebody who is signed in here",
       both(signed_in_already, says("access_denied"), returns(state="A" * 43)), unknown),
    H30("error-markup", "denies in markup", says(MARKUP, MARKUP), strange),
    H30("error-breaks", "denies in several lines", says("a\r\nSet-Cookie: b=c", "x\n{\"level\": \"root\"}"), strange),
    H30("error-direction", "denies from right to left", says("\u202egnp.exe", "\u2066\u200b"), strange),
    H30("error-long", "denies at length", says("x" * 3000, "y" * 3000), strange),
    H30("error-format", "denies in format strings", says("%s%n%(provider)s", "{0.__class__}"), strange),
    H30("claims-markup", "knows somebody unknown by markup",
        claims(sub=MARKUP, name=MARKUP, email="a@b.example", groups=[MARKUP], **{MARKUP: MARKUP}),
        refused("no_account", 403)),
    H30("claims-breaks", "knows somebody unknown by several lines",
        claims(sub="00u1x", name="a\r\nb\u202ec", email="a@b.example", given_name="\x1b[31m"),
        refused("no_account", 403)),
    H30("claims-kid", "names its key in markup", claims(iss=MARKUP), refused("issuer_mismatch")),
]  # fmt: skip
CONNECTIONS: list[Scenario] = [
    R1("edited", "is honest; the settings change meanwhile", meanwhile(edited), at_once("connection_changed", 409)),
    R1("same-values", "is honest; the same values are saved anew meanwhile", meanwhile(returned_to), signed_in()),
    R1("there-and-back", "is honest; the settings change and change back meanwhile", meanwhile(there_and_back),
       at_once("connection_changed", 409)),
    K11("secret-replaced", "is honest; our secret is replaced meanwhile", meanwhile(secret_replaced), signed_in()),
    K11("secret-deactivated", "deactivates our old secret before the new one is enabled", meanwhile(secret_deactivated),
        signed_in(tokens=2)),
    K11("key-instead", "is honest; a public key takes the place of our secret meanwhile", meanwhile(key_instead),
        signed_in()),
    R1("disabled", "is honest; the connection is disabled meanwhile", meanwhile(disabled),
       at_once("connection_disabled", 403)),
    R1("disabled-before", "is honest; the connection is disabled before", disabled,
       at_once("connection_disabled", 403)),
    R1("another-connection", "is honest; the browser comes back to another connection", finished_elsewhere, unknown),
    R1("person-disabled", "is honest; the person is disabled meanwhile", meanwhile(person_disabled),
       refused("account_disabled", 403)),
]  # fmt: skip

SCENARIOS = [*RESPONSES, *CONNECTIONS]
