"""R4: nothing a provider returns can cause a 500, whatever it is."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from audit.models import Event
from tests.conformance.acts import b64, changed
from tests.conformance.stage import Stage, open_door
from tests.provider import Said
from tests.serving import Reply, Request

pytestmark = pytest.mark.servers

strange = ["", "\0", "\ud7ff", "\u202e", "%s", "<b>", "a\r\nb", "http://[", "//x", "\\"]
words = st.text(max_size=30) | st.sampled_from(strange)
numbers = st.integers() | st.floats() | st.sampled_from([10**400, -1, 2**63, 1e308])
anything = st.recursive(
    st.none() | st.booleans() | numbers | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=6,
)
statuses = st.sampled_from([200, 201, 204, 206, 300, 302, 400, 401, 403, 404, 418, 429, 500, 503, 599, 999])
header_names = st.sampled_from(
    ["Content-Type", "Content-Encoding", "Cache-Control", "Location", "Set-Cookie", "Transfer-Encoding", "Age", "X"]
)
header_values = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=30) | st.sampled_from(
    ["max-age=99999999999", "no-store", "gzip", "br", "chunked", "text/html; charset=utf-7"]
)
replies = st.builds(
    Reply, statuses, st.binary(max_size=200), st.dictionaries(header_names, header_values, max_size=3),
    raw=st.sampled_from([False, False, False, True]),
)  # fmt: skip
METADATA = ["issuer", "authorization_endpoint", "token_endpoint", "jwks_uri", "userinfo_endpoint",
            "response_types_supported", "id_token_signing_alg_values_supported", "scopes_supported",
            "token_endpoint_auth_methods_supported", "authorization_response_iss_parameter_supported"]  # fmt: skip
JWK = ["kty", "n", "e", "kid", "use", "alg", "key_ops", "x", "y", "crv", "d"]
TOKENS = [
    "access_token",
    "token_type",
    "expires_in",
    "id_token",
    "refresh_token",
    "scope",
    "error",
    "error_description",
]
CLAIMS = ["iss", "sub", "aud", "azp", "exp", "iat", "nbf", "nonce", "auth_time", "at_hash", "c_hash", "sid", "acr",
          "amr", "email", "email_verified", "name", "given_name", "groups", "zoneinfo", "locale"]  # fmt: skip
HEADER = ["alg", "kid", "typ", "crit", "jku", "jwk", "x5u", "cty", "b64", "zip"]
QUERY = ["code", "state", "iss", "error", "error_description", "session_state"]


def some(names: list[str]) -> st.SearchStrategy[dict[str, Any]]:
    return st.dictionaries(st.sampled_from(names) | words, anything, max_size=3)


def play(stage: Stage, is_invited: bool) -> None:
    """Sign in, whatever comes of it, and undo it. Refusals are on record with a reason."""
    stage.is_invited = is_invited
    with transaction.atomic():
        open_door()
        if is_invited:
            stage.first_time()
        else:
            stage.journey.is_dana()
        answer = stage.sign_in()
        assert answer.status_code < 500 or answer.status_code == 503
        if answer.status_code >= 400:
            assert Event.objects.newest_first()[0].reason
        stage.browser.cookies.clear()
        transaction.set_rollback(True)


thorough = settings(
    max_examples=30, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.mark.parametrize("endpoint", ["discovery", "keys", "token", "userinfo"])
@given(data=st.data())
@thorough
def test_any_answer_of_any_endpoint(stage: Stage, endpoint: str, data: st.DataObject) -> None:
    """Documents with strange members, or any bytes under any status and headers."""
    names = {"discovery": METADATA, "keys": JWK, "token": TOKENS, "userinfo": CLAIMS}[endpoint]
    answer = data.draw(some(names) | anything | replies)

    def say(said: Said, request: Request) -> Reply:
        if isinstance(answer, Reply):
            return answer
        if not isinstance(answer, dict):
            return Reply.json(answer)
        if endpoint == "keys":
            return Reply.json({"keys": [said["keys"][0] | answer]})
        return Reply.json(said | answer)

    setattr(stage.provider, f"on_{endpoint}", say)
    if endpoint == "userinfo":
        stage.provider.on_id_token = lambda said, request: changed(said, {"email": ""})
    play(stage, endpoint == "userinfo")


@given(header=some(HEADER), claims=some(CLAIMS), is_invited=st.booleans())
@thorough
def test_any_claims_under_any_header(
    stage: Stage, header: dict[str, Any], claims: dict[str, Any], is_invited: bool
) -> None:
    """Signed as it should be, so that everything behind the signature is reached."""

    def token(said: Said, request: Request) -> str:
        key = stage.provider.signing_key
        if not header:
            return key.sign(said | claims)
        return f"{b64({'alg': 'RS256', 'kid': key.kid} | header)}.{b64(said | claims)}.{b64(b'x')}"

    stage.provider.on_id_token = token
    play(stage, is_invited)


@given(query=st.dictionaries(st.sampled_from(QUERY), words, max_size=4), left_out=st.sets(st.sampled_from(QUERY)))
@thorough
def test_any_response_of_the_browser(stage: Stage, query: dict[str, str], left_out: set[str]) -> None:
    """Strange parameters, and missing ones."""
    stage.on_return = [lambda back: {name: value for name, value in (back | query).items() if name not in left_out}]
    play(stage, False)
