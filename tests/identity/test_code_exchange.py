"""A code becomes tokens in one request, and every other answer is a coded refusal (R4, R12, R14, H24)."""

from __future__ import annotations

import json
import logging
import time
from base64 import b64decode
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from identity.egress import Breaker, Egress
from identity.oidc import (
    Code,
    RefreshedTokens,
    Refused,
    TokenResponse,
    authorization_url,
    exchange_code,
    refresh,
    verify_refreshed_id_token,
    with_userinfo,
)
from tests.identity.walk import Walk, relying_party
from tests.provider import Reply


def test_a_wrong_secret_is_the_client_and_a_used_code_is_the_grant(walk: Walk) -> None:
    """R4."""
    metadata = walk.cache.metadata(walk.rp)
    url = authorization_url(walk.rp, metadata, state="s", nonce="n", verifier="v" * 43)
    code = walk.provider.code_for(url)["code"]
    exchange_code(walk.rp, metadata, code, "v" * 43, walk.egress, at=time.time())
    for rp, used, expected in [
        (walk.rp, code, Code.INVALID_GRANT),
        (relying_party(walk.provider, client_secret="wrong"), code, Code.INVALID_CLIENT),
    ]:
        with pytest.raises(Refused) as caught:
            exchange_code(rp, metadata, used, "v" * 43, walk.egress, at=time.time())
        assert caught.value.code is expected


def test_a_code_without_its_verifier_is_worth_nothing(walk: Walk) -> None:
    """R13: what the provider enforces, and we always send."""
    metadata = walk.cache.metadata(walk.rp)
    code = walk.provider.code_for(authorization_url(walk.rp, metadata, state="s", nonce="n", verifier="v" * 43))
    with pytest.raises(Refused) as caught:
        exchange_code(walk.rp, metadata, code["code"], "w" * 43, walk.egress, at=time.time())
    assert caught.value.code is Code.INVALID_GRANT


@pytest.mark.parametrize("token_type", ["Bearer", "bearer", "BEARER", "bEaReR"])
def test_the_token_type_has_no_case(walk: Walk, token_type: str) -> None:
    """H24: token-type-case-insensitivity."""
    walk.provider.on_token = lambda said, request: said | {"token_type": token_type}
    assert walk.sign_in().sub == "00u1alice"


@pytest.mark.parametrize("token_type", ["mac", "DPoP", "", None, 5, "bearer "])
def test_an_unknown_token_type_is_refused(walk: Walk, token_type: object) -> None:
    """H24."""
    walk.provider.on_token = lambda said, request: said | {"token_type": token_type}
    assert walk.refusal() is Code.BAD_TOKEN_RESPONSE


@pytest.mark.parametrize("expires_in", [None, "soon", -5, 1e400, [], True])
def test_an_odd_lifetime_is_no_lifetime(walk: Walk, expires_in: object) -> None:
    """H24: token-endpoint-response-without-expires_in."""
    body = {"expires_in": expires_in} if expires_in is not None else {}

    def without(said: dict[str, Any], request: object) -> Reply:
        kept = {name: value for name, value in said.items() if name != "expires_in"} | body
        return Reply(200, json.dumps(kept).replace("Infinity", "1e400").encode())

    walk.provider.on_token = without
    tokens, _ = walk.tokens()
    assert tokens.expires_in is None


@pytest.mark.parametrize("name", ["id_token", "access_token"])
@pytest.mark.parametrize("value", [None, "", 5, [], "x" * 70000])
def test_both_tokens_must_be_there(walk: Walk, name: str, value: object) -> None:
    """R4."""
    walk.provider.on_token = lambda said, request: said | {name: value}
    assert walk.refusal() is Code.BAD_TOKEN_RESPONSE


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        (Reply.json({"error": "invalid_client"}, 401), Code.INVALID_CLIENT),
        (Reply(401, b"<html>"), Code.INVALID_CLIENT),
        (Reply.json({"error": "invalid_grant"}, 400), Code.INVALID_GRANT),
        (Reply.json({"error": "invalid_grant"}, 200), Code.INVALID_GRANT),
        (Reply.json({"error": "unauthorized_client"}, 400), Code.UNAUTHORIZED_CLIENT),
        (Reply.json({"error": "\u202e<b>\r\n", "error_description": "x" * 9999}, 400), Code.PROVIDER_ERROR),
        (Reply.json({"error": ["invalid_grant"]}, 400), Code.PROVIDER_ERROR),
        (Reply.json({"error": "temporarily_unavailable"}, 400), Code.PROVIDER_UNAVAILABLE),
        (Reply.json({}, 429), Code.PROVIDER_UNAVAILABLE),
        (Reply(500, b"trace"), Code.PROVIDER_UNAVAILABLE),
        (Reply.json({}, 400), Code.BAD_TOKEN_RESPONSE),
        (Reply(200, b"access_token=x&token_type=bearer"), Code.BAD_TOKEN_RESPONSE),
        (Reply(200, b""), Code.BAD_TOKEN_RESPONSE),
        (Reply.json([]), Code.BAD_TOKEN_RESPONSE),
        (Reply(200, b"x" * 600_000), Code.PROVIDER_ANSWER_TOO_LARGE),
    ],
)
def test_every_other_answer_is_a_coded_refusal(walk: Walk, reply: Reply, code: Code) -> None:
    """R4, H29, H30."""
    walk.provider.on_token = lambda said, request: reply
    with pytest.raises(Refused) as caught:
        walk.sign_in()
    assert caught.value.code is code
    assert caught.value.got.isprintable()
    assert len(caught.value.got) <= 160
    assert caught.value.is_outage is (code is Code.PROVIDER_UNAVAILABLE)


@pytest.mark.parametrize(
    ("reply", "expected", "got"),
    [
        (Reply.json({"error": "invalid_grant", "error_description": "Gone."}, 400), "", "invalid_grant: Gone."),
        (Reply.json({"error": "invalid_grant", "error_description": 5}, 400), "", "invalid_grant"),
        (Reply.json({"error": 5}, 400), "", ""),
        (Reply(500), "", "500"),
        (Reply.json({}, 429), "", "429"),
        (Reply(401, b"<html>"), "", "401"),
        (Reply(200, b"<html>"), "", "200"),
        (Reply.json({"token_type": "Bearer"}, 201), "200", "201"),
        (Reply.json({"token_type": "mac"}), "Bearer", "mac"),
        (Reply.json({"token_type": "x" * 16}), "Bearer", "x" * 16),
        (Reply.json({"token_type": "x" * 17}), "Bearer", ""),
        (Reply.json({"token_type": "Bearer"}), "id_token", ""),
        (Reply.json({"token_type": "Bearer", "id_token": "a.b.c"}), "access_token", ""),
        (Reply.json({"token_type": "Bearer", "id_token": "a.b.c", "access_token": "a b"}), None, ""),
        (Reply.json({"token_type": "Bearer", "id_token": "a.b.c", "access_token": "ü"}), "access_token", ""),
        (Reply.json({"token_type": "Bearer", "id_token": "a.b.c", "access_token": "a\n"}), "access_token", ""),
    ],
)
def test_a_refusal_says_what_was_expected_and_what_came(
    walk: Walk, reply: Reply, expected: str | None, got: str
) -> None:
    """R4, R12: whoever has to repair it sees both, and never a token."""
    walk.provider.on_token = lambda said, request: reply
    if expected is None:
        assert walk.tokens()[0].access_token == "a b"
        return
    with pytest.raises(Refused) as caught:
        walk.tokens()
    assert (caught.value.expected, caught.value.got) == (expected, got)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        ("invalid_client", Code.INVALID_CLIENT),
        ("invalid_request", Code.INVALID_REQUEST),
        ("invalid_scope", Code.INVALID_SCOPE),
        ("unsupported_grant_type", Code.UNSUPPORTED_GRANT_TYPE),
        ("access_denied", Code.ACCESS_DENIED),
        ("login_required", Code.LOGIN_REQUIRED),
        ("interaction_required", Code.INTERACTION_REQUIRED),
        ("consent_required", Code.CONSENT_REQUIRED),
        ("server_error", Code.PROVIDER_UNAVAILABLE),
        ("Invalid_Grant", Code.PROVIDER_ERROR),
    ],
)
def test_each_error_of_the_standard_has_its_code(walk: Walk, error: str, code: Code) -> None:
    """R4, R11: what is said of the person ends a session, what is said of the client does not."""
    walk.provider.on_token = lambda said, request: Reply.json({"error": error}, 400)
    assert walk.refusal() is code


def test_what_comes_with_a_token_is_taken_or_left(walk: Walk) -> None:
    """H24, R11: a refresh token that is no sane text is none, and a lifetime and a scope are kept."""
    said: dict[str, object] = {"refresh_token": "r" * 100, "expires_in": 1800, "scope": "openid email"}
    walk.provider.on_token = lambda honest, request: honest | said
    tokens, _ = walk.tokens()
    assert (tokens.refresh_token, tokens.expires_in, tokens.scope) == ("r" * 100, 1800, "openid email")
    for odd in ("ü", "a\nb", 5, "", "x" * 70_000):
        said["refresh_token"] = said["scope"] = odd
        tokens, _ = walk.tokens()
        assert tokens.refresh_token == ""
    assert tokens.scope == ""


def test_tokens_may_be_long(walk: Walk) -> None:
    """R4: longer than anything else that is read as text, for there may be many groups in one; K3."""
    walk.provider.on_token = lambda said, request: said | {"access_token": "a" * 30_000, "refresh_token": "r" * 30_000}
    walk.provider.on_id_token = lambda said, request: (
        {name: value for name, value in said.items() if name != "at_hash"} | {"groups": ["x" * 100] * 300}
    )
    assert len(walk.sign_in().raw["groups"]) == 300  # type: ignore[arg-type]
    walk.provider.on_token = lambda said, request: said
    tokens, _ = walk.tokens()
    metadata = walk.cache.metadata(walk.rp)
    walk.provider.on_token = lambda said, request: said | {"refresh_token": "r" * 30_000}
    refreshed = refresh(walk.rp, metadata, tokens.refresh_token, walk.egress, at=time.time())
    assert len(refreshed.unverified_id_token) > 30_000
    assert len(refreshed.refresh_token) == 30_000


def test_a_refresh_is_one_request_of_its_own_kind(walk: Walk) -> None:
    """R11, R14: it proves who we are as a code does, and an ID token need not come with it."""
    tokens, _ = walk.tokens()
    metadata = walk.cache.metadata(walk.rp)
    walk.provider.on_token = lambda said, request: (
        {name: value for name, value in said.items() if name not in ("id_token", "refresh_token")} | {"expires_in": 60}
    )
    refreshed = refresh(walk.rp, metadata, tokens.refresh_token, walk.egress, at=time.time())
    assert (refreshed.unverified_id_token, refreshed.refresh_token, refreshed.expires_in) == ("", "", 60)
    sent = walk.provider.requests_to("/token")[-1]
    assert sent.form == {"grant_type": "refresh_token", "refresh_token": tokens.refresh_token}
    assert sent.headers["content-type"] == "application/x-www-form-urlencoded"
    assert sent.headers["accept"] == "application/json"


def test_no_token_goes_to_a_server_of_somebody_else(walk: Walk) -> None:
    """R1, H31: metadata that the relying party does not accept is not asked for tokens nor for a profile."""
    claims = walk.sign_in()
    metadata = walk.cache.metadata(walk.rp)
    before = walk.egress.requests_made
    for strange in (
        replace(metadata, issuer="https://other.okta.com"),
        replace(metadata, origins_elsewhere=frozenset({"https://evil.example"})),
    ):
        for ask in (
            lambda strange=strange: exchange_code(walk.rp, strange, "code", "v" * 43, walk.egress, at=time.time()),
            lambda strange=strange: refresh(walk.rp, strange, "token", walk.egress, at=time.time()),
            lambda strange=strange: with_userinfo(claims, walk.rp, strange, "token", walk.egress),
        ):
            with pytest.raises(Refused):
                ask()
    assert walk.egress.requests_made == before


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirected_code_goes_nowhere(walk: Walk, status: int) -> None:
    """H28: the target sees nothing."""
    walk.provider.on_token = lambda said, request: Reply(
        status, headers={"Location": f"{walk.provider.issuer}/elsewhere"}
    )
    assert walk.refusal() is Code.PROVIDER_REDIRECTED
    assert walk.provider.requests_to("/elsewhere") == []


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    status=st.sampled_from([200, 200, 200, 400, 401, 403, 418, 500]),
    body=st.binary(max_size=120)
    | st.dictionaries(
        st.sampled_from(["access_token", "id_token", "token_type", "error", "expires_in", "refresh_token"]),
        st.none() | st.integers() | st.text(max_size=20) | st.just("bearer") | st.lists(st.text(), max_size=2),
    ).map(lambda document: json.dumps(document).encode()),
)
def test_whatever_the_token_endpoint_says_is_a_refusal(walk: Walk, status: int, body: bytes) -> None:
    """R4."""
    walk.provider.on_token = lambda said, request: Reply(status, body)
    assert isinstance(walk.refusal(), Code)


def test_a_provider_that_is_down_is_an_outage(walk: Walk) -> None:
    """R4: 503 is what a page makes of it."""
    metadata = walk.cache.metadata(walk.rp)
    walk.provider.close()
    with pytest.raises(Refused) as caught:
        exchange_code(walk.rp, metadata, "code", "v" * 43, walk.egress, at=time.time())
    assert caught.value.code is Code.PROVIDER_UNREACHABLE
    assert caught.value.is_outage


def test_a_refresh_keeps_the_person(walk: Walk) -> None:
    """H18, R11: one request, a new refresh token, the same subject."""
    tokens, known = walk.tokens()
    metadata = walk.cache.metadata(walk.rp)
    before = walk.egress.requests_made
    refreshed = refresh(walk.rp, metadata, tokens.refresh_token, walk.egress, at=time.time())
    assert walk.egress.requests_made == before + 1
    assert refreshed.refresh_token not in ("", tokens.refresh_token)
    claims = verify_refreshed_id_token(
        refreshed.unverified_id_token,
        walk.rp,
        metadata,
        walk.cache.keys(walk.rp, metadata),
        subject="00u1alice",
        at=time.time(),
        nonce=known["nonce"],
        access_token=refreshed.access_token,
    )
    assert claims.sub == "00u1alice"
    with pytest.raises(Refused) as caught:
        refresh(walk.rp, metadata, tokens.refresh_token, walk.egress, at=time.time())
    assert caught.value.code is Code.INVALID_GRANT


def test_no_secret_is_in_any_refusal_log_or_repr(walk: Walk, caplog: pytest.LogCaptureFixture) -> None:
    """R12: canaries in secret, code, verifier and body; looked for in every text there is."""
    caplog.set_level(logging.DEBUG)
    walk.rp = relying_party(walk.provider, client_secret="canary-secret")
    metadata = walk.cache.metadata(walk.rp)
    seen = [repr(walk.rp), repr(walk.egress)]
    answers = [
        Reply(200, b"canary-body"),
        Reply.json({"access_token": "canary-body", "token_type": "x"}),
        Reply(302, headers={"Location": "https://canary-body.example"}),
    ]
    walk.provider.clients["gatehouse"] = "canary-secret"
    for reply in answers:
        walk.provider.on_token = lambda said, request, reply=reply: reply  # type: ignore[misc]
        url = authorization_url(walk.rp, metadata, state="s", nonce="n", verifier="canary-verifier" * 4)
        code = walk.provider.code_for(url)["code"]
        with pytest.raises(Refused) as caught:
            exchange_code(walk.rp, metadata, code, "canary-verifier" * 4, walk.egress, at=time.time())
        seen += [repr(caught.value), str(caught.value), caught.value.got, caught.value.expected]
        assert code not in "".join(seen)
    assert "canary" not in "".join(seen) + caplog.text
    sent = walk.provider.requests_to("/token")[0]
    assert b64decode(sent.headers["authorization"].removeprefix("Basic ")) == b"gatehouse:canary-secret"


def test_a_breaker_spares_a_dead_provider_and_everyone_waiting_for_it(walk: Walk) -> None:
    """T3: per connection; another connection is not affected."""
    egress = Egress(allow_loopback_http=True, breaker=Breaker(threshold=2))
    metadata = walk.cache.metadata(walk.rp)
    walk.provider.close()
    codes = []
    for _ in range(4):
        with pytest.raises(Refused) as caught:
            exchange_code(walk.rp, metadata, "code", "v" * 43, egress, at=time.time())
        codes.append(caught.value.code)
    assert codes == [Code.PROVIDER_UNREACHABLE] * 2 + [Code.PROVIDER_PAUSED] * 2
    other = relying_party(walk.provider, connection_id="another")
    with pytest.raises(Refused) as caught:
        exchange_code(other, metadata, "code", "v" * 43, egress, at=time.time())
    assert caught.value.code is Code.PROVIDER_UNREACHABLE


def test_no_token_is_in_the_repr_of_what_holds_it() -> None:
    """R12: neither of a sign-in nor of a refresh; how long they last and what for may be read."""
    held = [
        TokenResponse("canary-id", "canary-access", "canary-refresh", 60.0, "openid"),
        RefreshedTokens("canary-access", "canary-id", "canary-refresh", 60.0),
    ]
    for tokens in held:
        assert "canary" not in repr(tokens)
        assert "60.0" in repr(tokens)
