"""*Check*: what a provider says about itself, line by line (T4)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from identity.oidc import (
    Code,
    Line,
    State,
    check_provider,
)
from tests.identity.walk import Walk, relying_party
from tests.provider import SigningKey


def lines(walk: Walk) -> dict[Line, Any]:
    return {finding.line: finding for finding in check_provider(walk.rp, walk.egress)}


def test_check_finds_an_honest_provider_in_order(walk: Walk) -> None:
    """T4: every line, coarse."""
    found = lines(walk)
    assert list(found) == list(Line)
    assert {(finding.state, finding.problem) for finding in found.values()} == {(State.OK, "")}
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
    """K1, H15: a slash too few or too many is suggested; another issuer, or none that we take, is only shown."""
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
    walk.provider.on_discovery = lambda said, request: said | {"issuer": said["issuer"] + "//"}
    found = lines(walk)
    assert (found[Line.ISSUER].state, "suggestion" in found[Line.ISSUER].data) == (State.FAILED, False)
    walk.provider.on_discovery = lambda said, request: said
    walk.rp = relying_party(walk.provider, issuer=walk.provider.issuer + "/")
    assert lines(walk)[Line.ISSUER].data["suggestion"] == walk.provider.issuer


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
        ("client_secret_basic", "", {"algorithms": ["ES256"]}, State.OK, {"method": "client_secret_basic"}),
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
