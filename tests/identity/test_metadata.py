"""What a provider says about itself is checked before any of it is used (H14, H15, H31)."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from identity.egress import Egress
from identity.oidc import (
    Code,
    Refused,
    RelyingParty,
    discover,
    parse_metadata,
)
from identity.oidc.metadata import discovery_url, is_endpoint
from tests.identity.metadata import HONEST, ISSUER, RP, parse, refusal, url
from tests.identity.walk import REDIRECT_URI, Walk, relying_party
from tests.provider import Provider, Reply


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
