"""What a provider says about itself is checked before any of it is used (H14, H15, H31)."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from identity.egress import Egress
from identity.oidc import (
    Code,
    Line,
    Metadata,
    Refused,
    RelyingParty,
    State,
    authorization_url,
    challenge_of,
    check_provider,
    check_response_issuer,
    discover,
    fresh_nonce,
    fresh_state,
    fresh_verifier,
    parse_metadata,
    refusal_of_response,
    shown,
)
from identity.oidc.metadata import discovery_url, is_endpoint
from tests.identity.walk import REDIRECT_URI, Walk, relying_party
from tests.provider import Provider, Reply, SigningKey

ISSUER = "https://example.okta.com"
HONEST: dict[str, Any] = {
    "issuer": ISSUER,
    "authorization_endpoint": f"{ISSUER}/oauth2/v1/authorize",
    "token_endpoint": f"{ISSUER}/oauth2/v1/token",
    "jwks_uri": f"{ISSUER}/oauth2/v1/keys",
    "response_types_supported": ["code"],
    "id_token_signing_alg_values_supported": ["RS256"],
}
RP = RelyingParty("c0nnect10n00", 1, ISSUER, "gatehouse", REDIRECT_URI)


def parse(**changes: Any) -> Metadata:
    document = {name: value for name, value in (HONEST | changes).items() if value is not None}
    return parse_metadata(json.dumps(document).encode(), ISSUER)


def refusal(**changes: Any) -> Refused:
    with pytest.raises(Refused) as caught:
        parse(**changes)
    return caught.value


def url(metadata: Metadata, rp: RelyingParty = RP, **options: Any) -> str:
    return authorization_url(rp, metadata, state="s", nonce="n", verifier="v" * 43, **options)


def test_honest_metadata_is_used(provider: Provider, egress: Egress) -> None:
    """H14: discovery-openid-config, discovery-jwks-uri-keys."""
    metadata = discover(provider.issuer, egress, key="c1")
    assert metadata.token_endpoint == f"{provider.issuer}/token"
    assert metadata.is_s256_advertised
    assert metadata.is_response_issuer_promised
    assert metadata.algorithms == ("RS256", "ES256")


def test_the_address_of_the_metadata_is_the_issuers(provider: Provider, egress: Egress) -> None:
    """H14: Discovery 1.0, section 4.1: a slash at the end counts once; and JSON is asked for."""
    well_known = "/.well-known/openid-configuration"
    assert discovery_url("https://example.okta.com") == "https://example.okta.com" + well_known
    assert discovery_url("https://tenant.eu.auth0.com/") == "https://tenant.eu.auth0.com" + well_known
    assert discovery_url("https://id.example.com/realms/X") == "https://id.example.com/realms/X" + well_known
    discover(provider.issuer, egress, key="c1")
    assert provider.requests[0].headers["accept"] == "application/json"


@pytest.mark.parametrize("issuer", [ISSUER + "/", "https://evil.example", "", None, 5, [ISSUER]])
def test_metadata_of_another_issuer_is_refused(issuer: object) -> None:
    """H15: discovery-issuer-mismatch, to the letter."""
    assert refusal(issuer=issuer).code is Code.DISCOVERY_ISSUER_MISMATCH


def test_another_issuer_stops_the_start(walk: Walk) -> None:
    """H15: and nobody is sent anywhere."""
    walk.provider.on_discovery = lambda said, request: said | {"issuer": "https://evil.example"}
    assert walk.refusal() is Code.DISCOVERY_ISSUER_MISMATCH
    assert walk.provider.requests_to("/authorize") == []
    assert walk.provider.requests_to("/token") == []


@pytest.mark.parametrize("name", ["authorization_endpoint", "token_endpoint", "jwks_uri"])
def test_no_required_endpoint_may_be_missing(name: str) -> None:
    """H31."""
    refused = refusal(**{name: None})
    assert (refused.code, refused.expected) == (Code.DISCOVERY_MISSING_ENDPOINT, name)


@pytest.mark.parametrize(
    "name", ["authorization_endpoint", "token_endpoint", "jwks_uri", "userinfo_endpoint", "end_session_endpoint"]
)
@pytest.mark.parametrize(
    "endpoint",
    [
        "javascript:alert(1)",
        "data:text/html,x",
        "http://example.okta.com/x",
        "//example.okta.com/x",
        "/x",
        "",
        "https://10.0.0.1/x",
        "https://2130706433/x",
        "https://[::1]/x",
        "https://localhost/x",
        "https://intranet/x",
        "https://a:b@example.okta.com/x",
        "https://example.okta.com/x#y",
        "https://example.okta.com/\r\nx",
        "https://example.okta.com\\@evil.example/",
        "https://exämple.okta.com/x",
        "https://example.okta.com:99999/x",
        "https://example.okta.com/" + "x" * 2048,
        5,
        ["https://example.okta.com/x"],
    ],
)
def test_an_endpoint_is_https_to_a_named_host(name: str, endpoint: object) -> None:
    """H31, T1."""
    refused = refusal(**{name: endpoint})
    assert (refused.code, refused.expected) == (Code.DISCOVERY_BAD_ENDPOINT, name)


@pytest.mark.parametrize(
    ("endpoint", "is_good"),
    [
        ("https://a.example/" + "x" * (2048 - 18), True),
        ("https://a.example/" + "x" * (2048 - 17), False),
        ("https://example.okta.com:8443/x?y=z", True),
        ("https://example.okta.com:0/x", False),
        ("https://example.okta.com/x#", False),
        ("https://@example.okta.com/x", False),
        ("https://example.okta.com/x y", False),
        ("https://example.okta.com/x\x7f", False),
        ("https://example.okta.com/\\x", False),
        ("https://[x/", False),
        ("https:///x", False),
        ("ftp://example.okta.com/x", False),
        ("https://example.okta.com./x", True),
        ("https://127.0.0.1/x", False),
        ("https://127.0.0.1./x", False),
        ("https://[fe80::1%25eth.a]/x", False),
        ("https://[::ffff:10.0.0.1]/x", False),
        ("http://127.0.0.1/x", False),
    ],
)
def test_an_endpoint_has_no_tricks(endpoint: str, is_good: bool) -> None:
    """H31, T1: neither in a browser nor in a server."""
    assert is_endpoint(endpoint) is is_good


@pytest.mark.parametrize(
    ("endpoint", "is_good"),
    [
        ("http://127.0.0.1:8000/x", True),
        ("https://localhost/x", True),
        ("http://provider.localhost/x", True),
        ("ftp://127.0.0.1/x", False),
        ("http://example.okta.com/x", False),
        ("http://10.0.0.1/x", False),
        ("https://10.0.0.1/x", False),
        ("http://127.0.0.1:0/x", False),
        ("http://a@127.0.0.1/x", False),
        ("https://intranet/x", False),
        ("https://example.okta.com/x", True),
    ],
)
def test_development_takes_this_machine_and_nothing_else(endpoint: str, is_good: bool) -> None:
    """T1, H31."""
    assert is_endpoint(endpoint, allow_loopback_http=True) is is_good
    document = json.dumps(HONEST | {"jwks_uri": endpoint}).encode()
    if is_good:
        assert parse_metadata(document, ISSUER, allow_loopback_http=True).jwks_uri == endpoint
    else:
        with pytest.raises(Refused):
            parse_metadata(document, ISSUER, allow_loopback_http=True)


def test_what_is_not_said_has_its_default() -> None:
    """H14: those of Discovery 1.0, section 3; what is no list of texts says nothing."""
    for nothing in (None, "RS256", [5], {}):
        metadata = parse(
            id_token_signing_alg_values_supported=nothing,
            token_endpoint_auth_methods_supported=nothing,
            token_endpoint_auth_signing_alg_values_supported=nothing,
            code_challenge_methods_supported=nothing,
            scopes_supported=nothing,
            acr_values_supported=nothing,
            response_types_supported=nothing,
            grant_types_supported=nothing,
        )
        assert metadata.algorithms == ("RS256",)
        assert metadata.auth_methods == ("client_secret_basic",)
        assert (metadata.auth_signing_algorithms, metadata.scopes, metadata.acr_values) == ((), (), ())
        assert (metadata.is_s256_advertised, metadata.is_refresh_token_granted) == (False, True)
        endpoints = (metadata.userinfo_endpoint, metadata.end_session_endpoint, metadata.revocation_endpoint)
        assert endpoints == ("", "", "")
        assert metadata.origins_elsewhere == frozenset()


def test_what_is_said_is_kept() -> None:
    """H14, H22: and a promise is one only when it is made in so many words."""
    metadata = parse(
        token_endpoint_auth_methods_supported=["private_key_jwt"],
        token_endpoint_auth_signing_alg_values_supported=["ES256"],
        code_challenge_methods_supported=["plain", "S256"],
        scopes_supported=["openid", "groups"],
        acr_values_supported=["phr"],
        grant_types_supported=["authorization_code"],
        authorization_response_iss_parameter_supported=True,
        userinfo_endpoint=f"{ISSUER}/userinfo",
        end_session_endpoint=f"{ISSUER}/logout",
        revocation_endpoint=f"{ISSUER}/revoke",
    )
    assert (metadata.auth_methods, metadata.auth_signing_algorithms) == (("private_key_jwt",), ("ES256",))
    assert (metadata.scopes, metadata.acr_values) == (("openid", "groups"), ("phr",))
    assert (metadata.is_s256_advertised, metadata.is_refresh_token_granted) == (True, False)
    assert metadata.is_response_issuer_promised
    assert metadata.userinfo_endpoint == f"{ISSUER}/userinfo"
    assert metadata.end_session_endpoint == f"{ISSUER}/logout"
    assert metadata.revocation_endpoint == f"{ISSUER}/revoke"
    assert parse(grant_types_supported=["authorization_code", "refresh_token"]).is_refresh_token_granted
    for no_promise in ("true", 1, False, None):
        assert not parse(authorization_response_iss_parameter_supported=no_promise).is_response_issuer_promised
    assert not parse(code_challenge_methods_supported=["plain"]).is_s256_advertised


@pytest.mark.parametrize(
    ("changes", "expected", "got"),
    [
        ({"issuer": "https://evil.example"}, ISSUER, "https://evil.example"),
        ({"issuer": 5}, ISSUER, ""),
        ({"response_types_supported": ["id_token", "token"]}, "code", "id_token token"),
        ({"grant_types_supported": ["implicit", "password"]}, "authorization_code", "implicit password"),
        ({"id_token_signing_alg_values_supported": ["HS256", "none"]}, "RS256 ES256 PS256", "HS256 none"),
    ],
)
def test_a_refusal_says_what_was_expected_and_what_came(changes: dict[str, Any], expected: str, got: str) -> None:
    """R4, H15: whoever has to repair it sees both."""
    refused = refusal(**changes)
    assert (refused.expected, refused.got) == (expected, got)


@pytest.mark.parametrize("name", ["userinfo_endpoint", "end_session_endpoint", "revocation_endpoint", "jwks_uri"])
def test_every_endpoint_counts_as_one_elsewhere(name: str) -> None:
    """H31: by its origin, with the port and in lower case."""
    metadata = parse(**{name: "https://Keys.Example.net:8443/x"})
    assert metadata.origins_elsewhere == {"https://keys.example.net:8443"}
    assert parse(**{name: "https://EXAMPLE.okta.com/x"}).origins_elsewhere == frozenset()
    with pytest.raises(Refused) as caught:
        url(parse(token_endpoint="https://b.example.net/", **{name: "https://a.example.net/"}))
    assert (caught.value.expected, caught.value.got) == (ISSUER, "https://a.example.net https://b.example.net")


def test_a_yes_to_one_origin_is_no_yes_to_another() -> None:
    """H31: and metadata of another issuer is refused though all its endpoints are at home."""
    metadata = parse(token_endpoint="https://b.example.net/", jwks_uri="https://a.example.net/")
    rp = replace(RP, accepted_origins=frozenset({"https://a.example.net", "https://c.example.net"}))
    with pytest.raises(Refused) as caught:
        rp.accept(metadata)
    assert (caught.value.code, caught.value.got) == (Code.ENDPOINTS_ELSEWHERE, "https://b.example.net")
    replace(RP, accepted_origins=frozenset({"https://a.example.net", "https://b.example.net"})).accept(metadata)
    with pytest.raises(Refused) as caught:
        replace(RP, issuer=ISSUER + "/").accept(parse())
    assert (caught.value.code, caught.value.expected, caught.value.got) == (
        Code.DISCOVERY_ISSUER_MISMATCH,
        ISSUER + "/",
        ISSUER,
    )


@pytest.mark.parametrize(
    ("home", "companion"),
    [
        ("https://accounts.google.com", "https://oauth2.googleapis.com"),
        ("https://accounts.google.com", "https://openidconnect.googleapis.com"),
        ("https://accounts.google.com", "https://www.googleapis.com"),
        ("https://login.microsoftonline.com", "https://graph.microsoft.com"),
    ],
)
def test_a_companion_is_one_to_its_own_provider_only(home: str, companion: str) -> None:
    """H31."""
    issuer = home + "/tenant/v2.0"
    document = {
        name: value.replace(ISSUER, home) if isinstance(value, str) else value for name, value in HONEST.items()
    }
    document |= {"issuer": issuer, "userinfo_endpoint": companion + "/me"}
    assert parse_metadata(json.dumps(document).encode(), issuer).origins_elsewhere == frozenset()
    assert parse(userinfo_endpoint=companion + "/me").origins_elsewhere == {companion}


def test_endpoints_elsewhere_need_an_administrators_yes() -> None:
    """H31: another origin is refused until the relying party carries the yes to exactly that origin."""
    metadata = parse(token_endpoint="https://tokens.example.net/token")
    assert metadata.origins_elsewhere == {"https://tokens.example.net"}
    with pytest.raises(Refused) as caught:
        url(metadata)
    assert (caught.value.code, caught.value.got) == (Code.ENDPOINTS_ELSEWHERE, "https://tokens.example.net")
    accepting = RelyingParty(
        "c1", 1, ISSUER, "gatehouse", REDIRECT_URI, accepted_origins=frozenset({"https://tokens.example.net"})
    )
    assert url(metadata, accepting).startswith(ISSUER)


def test_google_and_microsoft_are_known_to_live_in_several_places() -> None:
    """H31: their published companions need nobody's yes; nobody else gets them."""
    google = "https://accounts.google.com"
    document = HONEST | {
        "issuer": google,
        "authorization_endpoint": f"{google}/o/oauth2/v2/auth",
        "token_endpoint": "https://oauth2.googleapis.com/token",
        "jwks_uri": "https://www.googleapis.com/oauth2/v3/certs",
    }
    assert parse_metadata(json.dumps(document).encode(), google).origins_elsewhere == frozenset()
    assert parse(jwks_uri="https://www.googleapis.com/oauth2/v3/certs").origins_elsewhere


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"response_types_supported": ["id_token"]}, Code.DISCOVERY_NO_CODE_FLOW),
        ({"grant_types_supported": ["implicit"]}, Code.DISCOVERY_NO_CODE_FLOW),
        ({"id_token_signing_alg_values_supported": ["HS256", "none"]}, Code.DISCOVERY_NO_ALGORITHM),
    ],
)
def test_a_provider_that_cannot_do_it_is_told_so(changes: dict[str, Any], code: Code) -> None:
    """R3, M5."""
    assert refusal(**changes).code is code


def test_only_asymmetric_algorithms_are_taken_from_metadata() -> None:
    """R3: intersected with ours."""
    offered = ["none", "HS256", "RS512", "ES256", "RS256"]
    assert parse(id_token_signing_alg_values_supported=offered).algorithms == ("RS256", "ES256")


def test_s256_is_sent_even_where_it_is_not_advertised() -> None:
    """R13."""
    metadata = parse()
    assert not metadata.is_s256_advertised
    query = parse_qs(urlsplit(url(metadata)).query)
    assert query["code_challenge_method"] == ["S256"]
    assert query["code_challenge"] == [challenge_of("v" * 43)]


def test_the_challenge_is_that_of_the_standard() -> None:
    """R13: the example of RFC 7636, appendix B."""
    verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    assert challenge_of(verifier) == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
    assert 43 <= len(fresh_verifier()) <= 128
    assert len({fresh_verifier() for _ in range(100)}) == 100


def test_an_endpoints_own_query_is_kept_but_cannot_speak_for_us() -> None:
    """H31: merged; parameters of ours win and appear once."""
    endpoint = f"{ISSUER}/authorize?tenant=a%20b&client_id=evil&redirect_uri=https://evil.example&empty="
    query = parse_qs(urlsplit(url(parse(authorization_endpoint=endpoint))).query, keep_blank_values=True)
    assert query["tenant"] == ["a b"]
    assert query["empty"] == [""]
    assert query["client_id"] == ["gatehouse"]
    assert query["redirect_uri"] == [REDIRECT_URI]


def test_the_request_says_what_was_asked_and_nothing_else() -> None:
    """R9: the redirect URI is the relying party's. H17: a login hint is bounded and clean."""
    query = parse_qs(urlsplit(url(parse())).query)
    assert set(query) == {
        "response_type",
        "client_id",
        "redirect_uri",
        "scope",
        "state",
        "nonce",
        "code_challenge",
        "code_challenge_method",
    }
    assert query["scope"] == ["openid profile email"]
    hint = "bob\r\n\u202e@example.com" + "x" * 400
    query = parse_qs(urlsplit(url(parse(), prompt="login", max_age=0, login_hint=hint, acr_values=["a", "b"])).query)
    assert query["prompt"] == ["login"]
    assert query["max_age"] == ["0"]
    assert query["acr_values"] == ["a b"]
    assert len(query["login_hint"][0]) == 254
    assert query["login_hint"][0].isprintable()


def test_what_is_asked_for_is_asked_for_once() -> None:
    """R13: openid always, and no scope twice."""
    rp = replace(RP, scopes=("email", "openid", "email"))
    query = parse_qs(urlsplit(url(parse(), rp)).query)
    assert query["scope"] == ["openid email"]
    assert (query["response_type"], query["state"], query["nonce"]) == (["code"], ["s"], ["n"])
    assert (query["client_id"], query["redirect_uri"]) == (["gatehouse"], [REDIRECT_URI])


def test_what_must_not_be_guessed_has_256_bits() -> None:
    """R13, H12: and is another one each time."""
    for fresh in (fresh_state, fresh_nonce):
        assert len(fresh()) == 43
        assert len({fresh() for _ in range(50)}) == 50
    assert len(fresh_verifier()) == 64


def test_the_response_must_come_from_the_issuer() -> None:
    """H22: invalid-authorization-response-iss, remove-authorization-response-iss (RFC 9207)."""
    silent, promising = parse(), parse(authorization_response_iss_parameter_supported=True)
    check_response_issuer(RP, silent, None)
    check_response_issuer(RP, promising, ISSUER)
    for metadata, iss, code in [
        (promising, None, Code.RESPONSE_ISSUER_MISSING),
        (promising, "", Code.RESPONSE_ISSUER_MISMATCH),
        (silent, "https://evil.example", Code.RESPONSE_ISSUER_MISMATCH),
        (silent, ISSUER + "/", Code.RESPONSE_ISSUER_MISMATCH),
    ]:
        with pytest.raises(Refused) as caught:
            check_response_issuer(RP, metadata, iss)
        assert (caught.value.code, caught.value.expected, caught.value.got) == (code, ISSUER, iss or "")


def test_a_mix_up_never_reaches_the_token_endpoint(walk: Walk) -> None:
    """H22."""
    walk.provider.on_authorize = lambda said, request: said | {"iss": "https://evil.example"}
    assert walk.refusal() is Code.RESPONSE_ISSUER_MISMATCH
    assert walk.provider.requests_to("/token") == []


@pytest.mark.parametrize(
    ("error", "description", "code"),
    [
        ("access_denied", "User is not assigned to the client application.", Code.NOT_ASSIGNED),
        ("access_denied", "The resource owner denied the request.", Code.ACCESS_DENIED),
        ("access_denied", "", Code.ACCESS_DENIED),
        ("access_denied", "USER IS NOT ASSIGNED", Code.NOT_ASSIGNED),
        ("login_required", "User is not assigned", Code.LOGIN_REQUIRED),
        ("login_required", "", Code.LOGIN_REQUIRED),
        ("interaction_required", "", Code.INTERACTION_REQUIRED),
        ("account_selection_required", "", Code.INTERACTION_REQUIRED),
        ("consent_required", "", Code.CONSENT_REQUIRED),
        ("invalid_request", "", Code.INVALID_REQUEST),
        ("invalid_scope", "", Code.INVALID_SCOPE),
        ("unauthorized_client", "", Code.UNAUTHORIZED_CLIENT),
        ("server_error", "", Code.PROVIDER_UNAVAILABLE),
        ("temporarily_unavailable", "", Code.PROVIDER_UNAVAILABLE),
        ("something_else", "<b>\r\n\u202ex</b>", Code.PROVIDER_ERROR),
    ],
)
def test_an_error_response_is_a_coded_refusal(error: str, description: str, code: Code) -> None:
    """K6, H30: the provider's words are kept, on one clean line."""
    refused = refusal_of_response(error, description)
    assert refused.code is code
    assert refused.got == (f"{error}: {shown(description)}" if description else error)
    assert refused.got.isprintable()


def lines(walk: Walk) -> dict[Line, Any]:
    return {finding.line: finding for finding in check_provider(walk.rp, walk.egress)}


def test_check_finds_an_honest_provider_in_order(walk: Walk) -> None:
    """T4: every line, coarse."""
    found = lines(walk)
    assert list(found) == list(Line)
    assert {finding.state for finding in found.values()} == {State.OK}
    assert found[Line.KEYS].data["keys"] == 1
    assert found[Line.CLIENT_AUTHENTICATION].as_json()["state"] == "ok"
    json.dumps([finding.as_json() for finding in found.values()])


def test_check_reports_what_is_missing_without_refusing_it(walk: Walk) -> None:
    """R13, K4: no S256, no refresh token, no logout, no promised iss: worth a line, not a no."""
    gone = ("code_challenge_methods_supported", "scopes_supported", "end_session_endpoint")
    walk.provider.on_discovery = lambda said, request: {
        name: value for name, value in said.items() if name not in gone and not name.startswith("authorization_r")
    }
    found = lines(walk)
    warned = {line for line, finding in found.items() if finding.state is State.WARNING}
    assert warned == {Line.PKCE, Line.REFRESH_TOKEN, Line.LOGOUT, Line.RESPONSE_ISSUER}


def test_check_names_the_issuer_the_provider_calls_itself(walk: Walk) -> None:
    """K1, H15: a trailing slash is suggested; another issuer is only shown."""
    walk.provider.on_discovery = lambda said, request: said | {"issuer": said["issuer"] + "/"}
    found = lines(walk)
    assert found[Line.ANSWERS].state is State.OK
    assert found[Line.ISSUER].state is State.FAILED
    assert found[Line.ISSUER].data["suggestion"] == walk.provider.issuer + "/"
    assert found[Line.KEYS].state is State.NOT_CHECKED
    walk.provider.on_discovery = lambda said, request: said | {"issuer": "https://other.okta.com"}
    found = lines(walk)
    assert found[Line.ISSUER].data["got"] == "https://other.okta.com"
    assert "suggestion" not in found[Line.ISSUER].data


def test_check_fails_on_keys_clients_and_strange_origins(walk: Walk) -> None:
    walk.provider.on_keys = lambda said, request: {"keys": []}
    walk.provider.on_discovery = lambda said, request: (
        said | {"token_endpoint_auth_methods_supported": ["private_key_jwt"]}
    )
    found = lines(walk)
    assert found[Line.KEYS].problem == Code.NO_USABLE_KEYS
    assert found[Line.CLIENT_AUTHENTICATION].state is State.FAILED
    walk.provider.on_discovery = lambda said, request: said | {"jwks_uri": "https://keys.example.net/"}
    found = lines(walk)
    assert found[Line.ORIGINS].data["origins"] == "https://keys.example.net"
    assert found[Line.KEYS].state is State.NOT_CHECKED


def test_check_counts_the_keys_that_will_do(walk: Walk) -> None:
    """T4, R3: a short one will not, and two of one name are worth a warning."""
    first, second, small = SigningKey("first").jwk, SigningKey("second").jwk, SigningKey("small", bits=1024).jwk

    def found(*members: dict[str, Any]) -> tuple[State, str, dict[str, Any]]:
        walk.provider.on_keys = lambda said, request: {"keys": list(members)}
        finding = lines(walk)[Line.KEYS]
        return finding.state, finding.problem, dict(finding.data)

    assert found(first, second, small) == (State.OK, "", {"keys": 2})
    assert found(SigningKey("curve", "ES256").jwk) == (State.OK, "", {"keys": 1})
    assert found(small) == (State.FAILED, "key_too_small", {"expected": 2048})
    assert found(first, second | {"kid": "first"}) == (State.WARNING, "", {"keys": 2})
    assert found(first, second | {"kid": None}) == (State.OK, "", {"keys": 2})
    assert found(first | {"kid": None}, second | {"kid": None}) == (State.WARNING, "", {"keys": 2})


@pytest.mark.parametrize(
    ("method", "signs_with", "said", "state", "data"),
    [
        ("client_secret_basic", "", {}, State.OK, {"method": "client_secret_basic"}),
        ("client_secret_post", "", {"methods": ["client_secret_basic"]}, State.FAILED, {}),
        ("private_key_jwt", "ES256", {"methods": ["private_key_jwt"]}, State.OK, {"signs_with": "ES256"}),
        (
            "private_key_jwt",
            "RS256",
            {"methods": ["private_key_jwt", "tls_client_auth"], "algorithms": ["ES256", "PS256"]},
            State.FAILED,
            {"offered": "private_key_jwt", "signs_with": "RS256", "algorithms": "ES256"},
        ),
        (
            "private_key_jwt",
            "ES256",
            {"methods": ["private_key_jwt"], "algorithms": ["PS256", "ES256", "RS256"]},
            State.OK,
            {"algorithms": "RS256 ES256"},
        ),
        ("tls_client_auth", "", {"methods": ["tls_client_auth"]}, State.FAILED, {"offered": ""}),
    ],
)
def test_check_says_whether_we_can_prove_who_we_are(
    walk: Walk, method: str, signs_with: str, said: dict[str, list[str]], state: State, data: dict[str, str]
) -> None:
    """T4, R14, K11."""
    names = {"methods": "methods_supported", "algorithms": "signing_alg_values_supported"}
    told = {f"token_endpoint_auth_{names[name]}": value for name, value in said.items()}
    walk.provider.on_discovery = lambda honest, request: honest | told
    walk.rp = relying_party(walk.provider, auth_method=method)
    [finding] = [
        finding
        for finding in check_provider(walk.rp, walk.egress, signs_with=signs_with)
        if finding.line is Line.CLIENT_AUTHENTICATION
    ]
    assert finding.state is state
    assert finding.problem == ("client_authentication_impossible" if state is State.FAILED else "")
    assert finding.data["method"] == method
    assert data.items() <= dict(finding.data).items()


@pytest.mark.parametrize(
    ("changes", "line", "data"),
    [
        ({"token_endpoint": None}, Line.ENDPOINTS, {"expected": "token_endpoint"}),
        ({"token_endpoint": "x"}, Line.ENDPOINTS, {"expected": "token_endpoint"}),
        ({"response_types_supported": ["token"]}, Line.CODE_FLOW, {"expected": "code", "got": "token"}),
        (
            {"id_token_signing_alg_values_supported": ["none"]},
            Line.ALGORITHMS,
            {"expected": "RS256 ES256 PS256", "got": "none"},
        ),
    ],
)
def test_check_says_at_which_line_it_stopped(
    walk: Walk, changes: dict[str, Any], line: Line, data: dict[str, str]
) -> None:
    """T4: what was looked at before is good, and what comes after it was not looked at."""
    walk.provider.on_discovery = lambda said, request: {
        name: value for name, value in (said | changes).items() if value is not None
    }
    found = lines(walk)
    assert (found[line].state, dict(found[line].data)) == (State.FAILED, data)
    passed = [Line.ANSWERS, Line.ISSUER, Line.ENDPOINTS, Line.CODE_FLOW]
    before = passed[: passed.index(line)] if line in passed else passed
    assert [each for each in Line if found[each].state is State.OK] == before
    assert {found[each].state for each in Line if each is not line and each not in before} == {State.NOT_CHECKED}


def test_check_shows_what_was_found(walk: Walk) -> None:
    """T4: the issuer, the algorithms and the strange origins, each where it belongs; H31."""
    found = lines(walk)
    assert dict(found[Line.ISSUER].data) == {"issuer": walk.provider.issuer}
    assert dict(found[Line.ALGORITHMS].data) == {"algorithms": "RS256 ES256"}
    walk.provider.on_discovery = lambda said, request: (
        said | {"jwks_uri": "https://b.example.net/", "token_endpoint": "https://a.example.net/"}
    )
    found = lines(walk)
    assert found[Line.ORIGINS].as_json() == {
        "line": "origins",
        "state": "failed",
        "problem": "endpoints_elsewhere",
        "data": {"origins": "https://a.example.net https://b.example.net"},
    }
    walk.rp = relying_party(walk.provider, accepted_origins=frozenset({"https://a.example.net"}))
    found = lines(walk)
    assert dict(found[Line.ORIGINS].data) == {"origins": "https://b.example.net"}
    assert found[Line.KEYS].state is State.NOT_CHECKED
    walk.provider.on_discovery = lambda said, request: said | {"token_endpoint": "https://a.example.net/"}
    assert {lines(walk)[line].state for line in (Line.ORIGINS, Line.KEYS)} == {State.OK}


@pytest.mark.parametrize("missing", ["scopes", "grant"])
def test_check_misses_a_refresh_token_that_is_not_granted(walk: Walk, missing: str) -> None:
    """K4: it takes the scope and the grant."""
    change = {
        "scopes": {"scopes_supported": ["openid"]},
        "grant": {"grant_types_supported": ["authorization_code"]},
    }[missing]
    walk.provider.on_discovery = lambda said, request: said | change
    assert lines(walk)[Line.REFRESH_TOKEN].state is State.WARNING


def test_check_of_a_dead_provider_says_only_that(walk: Walk) -> None:
    """T4: no address and no timing."""
    walk.provider.close()
    found = lines(walk)
    assert found[Line.ANSWERS].problem == Code.PROVIDER_UNREACHABLE
    assert found[Line.ANSWERS].data == {}
    assert {found[line].state for line in list(Line)[1:]} == {State.NOT_CHECKED}


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        (Reply(404), Code.DISCOVERY_NOT_FOUND),
        (Reply(503), Code.PROVIDER_UNAVAILABLE),
        (Reply(500), Code.PROVIDER_UNAVAILABLE),
        (Reply(429), Code.PROVIDER_UNAVAILABLE),
        (Reply(201), Code.DISCOVERY_NOT_FOUND),
        (Reply(200, b"<html>Sign in</html>", {"Content-Type": "text/html"}), Code.DISCOVERY_MALFORMED),
        (Reply.json({"error": "invalid_request"}), Code.DISCOVERY_ISSUER_MISMATCH),
        (Reply.json([1, 2]), Code.DISCOVERY_MALFORMED),
        (Reply(200, b'{"a":' * 5000), Code.DISCOVERY_MALFORMED),
        (Reply(302, headers={"Location": "https://evil.example/"}), Code.PROVIDER_REDIRECTED),
    ],
)
def test_any_other_answer_is_a_coded_refusal(provider: Provider, egress: Egress, reply: Reply, code: Code) -> None:
    """R4, H28, H29: wrong content, and errors with status 200."""
    provider.on_discovery = lambda said, request: reply
    with pytest.raises(Refused) as caught:
        discover(provider.issuer, egress, key="c1")
    assert caught.value.code is code
    if reply.status not in (200, 302):
        assert caught.value.got == str(reply.status)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)


@settings(max_examples=300, deadline=None)
@given(
    body=st.binary(max_size=200)
    | st.dictionaries(st.sampled_from(list(HONEST)), json_values).map(lambda d: json.dumps(HONEST | d).encode())
)
def test_whatever_a_provider_says_about_itself_is_metadata_or_a_refusal(body: bytes) -> None:
    """R4."""
    try:
        metadata = parse_metadata(body, ISSUER)
    except Refused as refused:
        code = refused.code.value
        metadata = parse()
    else:
        code = "discovery"
    assert code.startswith("discovery")
    assert metadata.issuer == ISSUER


def test_a_relying_party_of_another_issuer_accepts_nothing(walk: Walk) -> None:
    """R1."""
    metadata = walk.cache.metadata(walk.rp)
    with pytest.raises(Refused):
        relying_party(walk.provider, issuer="https://other.okta.com").accept(metadata)
