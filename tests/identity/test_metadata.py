"""What a provider says about itself is checked before any of it is used (H14, H15, H31)."""

from __future__ import annotations

import json
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
    fresh_verifier,
    parse_metadata,
    refusal_of_response,
)
from tests.identity.walk import REDIRECT_URI, Walk, relying_party
from tests.provider import Provider, Reply

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
        assert caught.value.code is code


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
        ("login_required", "", Code.LOGIN_REQUIRED),
        ("temporarily_unavailable", "", Code.PROVIDER_UNAVAILABLE),
        ("something_else", "<b>\r\n\u202ex</b>", Code.PROVIDER_ERROR),
    ],
)
def test_an_error_response_is_a_coded_refusal(error: str, description: str, code: Code) -> None:
    """K6, H30: the provider's words are kept, on one clean line."""
    refused = refusal_of_response(error, description)
    assert refused.code is code
    assert refused.got.startswith(error)
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
