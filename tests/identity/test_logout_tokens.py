"""What a provider says to end sessions is believed only when all of it is right (H20, K10)."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from identity.oidc import (
    Code,
    Malformed,
    Refused,
    Whom,
    logout_url,
    parse_revocation,
    verify_logout_token,
    verify_revocation_token,
)
from tests.identity.tokens import HONEST, ISSUER, KEYS, METADATA, NOW, RP, RSA, b64, refusal, rs256
from tests.provider import SigningKey

EVENT = "http://schemas.openid.net/event/backchannel-logout"
HERE = "https://eu.gatehouse.example/sso/c0nnect10n00/global-token-revocation/"
LOGOUT: dict[str, Any] = {
    "iss": ISSUER,
    "aud": "gatehouse",
    "iat": NOW,
    "exp": NOW + 120,
    "jti": "j1",
    "sub": "00u1alice",
    "sid": "s1",
    "events": {EVENT: {}},
}
REVOCATION: dict[str, Any] = {
    "iss": ISSUER,
    "aud": HERE,
    "iat": NOW,
    "exp": NOW + 300,
    "nbf": NOW - 300,
    "jti": "j1",
    "sub": "0oa1client",
}
LOGOUT_TYPE, REVOCATION_TYPE = "logout+jwt", "global-token-revocation+jwt"


def logout(header: dict[str, Any] | None = None, by: SigningKey = RSA, at: float = NOW, **claims: Any) -> Any:
    """Hear a logout token, honest but for `claims`; a claim of None is left out."""
    said = {name: value for name, value in (LOGOUT | claims).items() if value is not None}
    token = by.sign(said, **({"typ": LOGOUT_TYPE} | (header or {})))
    return verify_logout_token(token, RP, METADATA, KEYS, at=at)


def revocation(header: dict[str, Any] | None = None, by: SigningKey = RSA, at: float = NOW, **claims: Any) -> Any:
    said = {name: value for name, value in (REVOCATION | claims).items() if value is not None}
    token = by.sign(said, **({"typ": REVOCATION_TYPE} | (header or {})))
    return verify_revocation_token(token, RP, METADATA, KEYS, audience=HERE, at=at)


def reason(hear: Any, *arguments: Any, **claims: Any) -> tuple[Code, str, str]:
    with pytest.raises(Refused) as caught:
        hear(*arguments, **claims)
    return caught.value.code, caught.value.expected, caught.value.got


def test_an_honest_token_says_whose_sessions_end() -> None:
    """H20: of a subject, of a session, or of both."""
    said = logout()
    assert (said.iss, said.sub, said.sid) == (ISSUER, "00u1alice", "s1")
    assert (logout(sid=None).sub, logout(sid=None).sid) == ("00u1alice", "")
    assert (logout(sub=None).sub, logout(sub=None).sid) == ("", "s1")
    assert logout(aud=["gatehouse"]).sub == "00u1alice"
    revoked = revocation()
    assert (revoked.iss, revoked.sub, revoked.sid) == (ISSUER, "0oa1client", "")
    assert revocation(aud=[HERE]).sub == "0oa1client"


@pytest.mark.parametrize("hear", [logout, revocation])
@pytest.mark.parametrize(
    ("claims", "code"),
    [
        ({"iss": "https://evil.example"}, Code.ISSUER_MISMATCH),
        ({"iss": ISSUER + "/"}, Code.ISSUER_MISMATCH),
        ({"aud": "other"}, Code.AUDIENCE_MISMATCH),
        ({"aud": ["gatehouse", HERE]}, Code.AUDIENCE_MISMATCH),
        ({"aud": []}, Code.AUDIENCE_MISMATCH),
        ({"exp": NOW - 60, "iat": NOW - 120}, Code.EXPIRED),
        ({"iat": NOW - 601}, Code.TOO_OLD),
        ({"iat": NOW + 61}, Code.ISSUED_IN_FUTURE),
        ({"exp": "soon"}, Code.ABSURD_TIME),
        ({"nbf": NOW + 61}, Code.NOT_YET_VALID),
        ({"sub": ""}, Code.BAD_CLAIM),
        ({"sub": "  "}, Code.BAD_CLAIM),
        ({"sub": "a\nb"}, Code.BAD_CLAIM),
        ({"sub": "x" * 256}, Code.BAD_CLAIM),
        ({"sub": 5}, Code.BAD_CLAIM),
        ({"jti": ""}, Code.BAD_CLAIM),
        ({"jti": 5}, Code.BAD_CLAIM),
        ({"jti": "x" * 256}, Code.BAD_CLAIM),
    ],
)
def test_a_token_with_one_thing_wrong_ends_nothing(hear: Any, claims: dict[str, Any], code: Code) -> None:
    """H20, K10: issuer, audience, times, whom and which."""
    assert reason(hear, **claims)[0] is code
    assert hear(sub="x" * 255, jti="x" * 255).sub == "x" * 255


@pytest.mark.parametrize(
    ("hear", "names"),
    [(logout, ["iss", "aud", "iat", "exp", "jti", "events"]), (revocation, ["iss", "sub", "aud", "iat", "exp", "jti"])],
)
def test_no_required_claim_may_be_missing(hear: Any, names: list[str]) -> None:
    """H20, K10."""
    for name in names:
        assert reason(hear, **{name: None}) == (Code.MISSING_CLAIM, name, "")


def test_a_refusal_says_what_was_expected_and_what_came() -> None:
    """R4."""
    assert reason(logout, iss="https://evil.example")[1:] == (ISSUER, "https://evil.example")
    assert reason(logout, iss=5)[1:] == (ISSUER, "")
    assert reason(logout, aud="other")[1:] == ("gatehouse", "other")
    assert reason(logout, aud=["other"])[1:] == ("gatehouse", "")
    assert reason(revocation, aud="other")[1:] == (HERE, "other")
    assert reason(logout, sid=5)[1:] == ("", "sid")
    assert reason(logout, jti=5)[1:] == ("", "jti")
    assert reason(revocation, jti=5)[1:] == ("", "jti")


@pytest.mark.parametrize(
    "events", [{}, [], EVENT, [EVENT], {EVENT: []}, {EVENT: "x"}, {EVENT: None}, {"http://other.example": {}}]
)
def test_it_must_say_that_it_is_about_signing_out(events: object) -> None:
    """H20: the event, in exactly its words."""
    assert reason(logout, events=events) == (Code.BAD_CLAIM, EVENT, "events")
    assert logout(events={EVENT: {"x": 1}, "http://other.example": 5}).sub == "00u1alice"


def test_it_must_say_whom() -> None:
    """H20."""
    assert reason(logout, sub=None, sid=None) == (Code.MISSING_CLAIM, "sub, sid", "")
    assert reason(logout, sid="") == (Code.BAD_CLAIM, "", "sid")
    assert reason(logout, sub="", sid="s1") == (Code.BAD_CLAIM, "", "sub")


def test_what_is_made_for_one_purpose_serves_no_other() -> None:
    """H20, K10, R2: an ID token ends nothing, and what ends something signs nobody in."""
    assert reason(logout, nonce="the-nonce") == (Code.BAD_CLAIM, "", "nonce")
    assert reason(logout, {"typ": REVOCATION_TYPE})[0] is Code.WRONG_TOKEN_TYPE
    assert reason(logout, {"typ": "JWT"}) == (Code.WRONG_TOKEN_TYPE, LOGOUT_TYPE, "JWT")
    assert reason(revocation, {"typ": LOGOUT_TYPE})[0] is Code.WRONG_TOKEN_TYPE
    assert reason(revocation, {"typ": "JWT"}) == (Code.WRONG_TOKEN_TYPE, REVOCATION_TYPE, "JWT")
    for typ in (LOGOUT_TYPE, REVOCATION_TYPE):
        assert refusal(RSA.sign(HONEST, typ=typ)).code is Code.WRONG_TOKEN_TYPE


@pytest.mark.parametrize("prefix", ["", "application/", "Application/"])
def test_a_type_is_written_in_two_ways(prefix: str) -> None:
    """H20, K10."""
    assert logout({"typ": prefix + "Logout+JWT"}).sub == "00u1alice"
    assert revocation({"typ": prefix + REVOCATION_TYPE}).sub == "0oa1client"


def test_only_a_revocation_has_to_say_its_type() -> None:
    """H20: a logout token's is recommended (2.4); K10: a revocation's is required."""
    for claims, verify in (
        (LOGOUT, lambda token: verify_logout_token(token, RP, METADATA, KEYS, at=NOW)),
        (REVOCATION, lambda token: verify_revocation_token(token, RP, METADATA, KEYS, audience=HERE, at=NOW)),
    ):
        signed = f"{b64({'alg': 'RS256', 'kid': 'rsa'})}.{b64(claims)}"
        token = f"{signed}.{b64(rs256(signed))}"
        if claims is LOGOUT:
            assert verify(token).sub == "00u1alice"
        else:
            assert reason(verify, token) == (Code.WRONG_TOKEN_TYPE, REVOCATION_TYPE, "")


@pytest.mark.parametrize("hear", [logout, revocation])
def test_nobody_else_can_say_it(hear: Any) -> None:
    """R3, R1: neither with another key nor by the metadata of another provider."""
    assert reason(hear, {"kid": "rsa"}, SigningKey("impostor"))[0] is Code.BAD_SIGNATURE
    other = replace(METADATA, issuer="https://other.okta.com")
    for verify in (
        lambda: verify_logout_token("a.b.c", RP, other, KEYS, at=NOW),
        lambda: verify_revocation_token("a.b.c", RP, other, KEYS, audience=HERE, at=NOW),
    ):
        assert reason(verify)[0] is Code.DISCOVERY_ISSUER_MISMATCH


def test_a_replay_is_known_for_as_long_as_the_token_would_be_good() -> None:
    """H20: until its age or its end refuses it, and the skew with them; one purpose's is not the other's."""
    assert logout(exp=NOW + 120).spent_until == NOW + 180
    assert logout(exp=NOW + 600).spent_until == NOW + 660
    assert logout(exp=NOW + 601).spent_until == NOW + 660
    assert revocation(exp=NOW + 3600).spent_until == NOW + 660
    assert logout().fingerprint == logout(sub="00u2bob", iat=NOW - 5).fingerprint
    assert len({logout().fingerprint, logout(jti="j2").fingerprint, revocation().fingerprint}) == 3
    assert len(logout().fingerprint) == 43
    assert "j1" not in logout().fingerprint


@pytest.mark.parametrize(
    ("subject", "whom"),
    [
        ({"format": "iss_sub", "iss": ISSUER, "sub": "00u1"}, Whom(iss=ISSUER, sub="00u1")),
        ({"format": "iss_sub", "iss": ISSUER, "sub": "x" * 255}, Whom(iss=ISSUER, sub="x" * 255)),
        ({"format": "email", "email": "a@b.example"}, Whom(email="a@b.example")),
        ({"format": "email", "email": "x" * 254}, Whom(email="x" * 254)),
        ({"format": "email", "email": "x" * 255}, None),
        ({"format": "email", "email": "a\nb@b.example"}, None),
        ({"format": "email", "email": ""}, None),
        ({"format": "email", "email": ["a@b.example"]}, None),
        ({"format": "email", "email": "a@b.example", "sub": "00u1"}, None),
        ({"format": "email", "iss": ISSUER, "sub": "00u1"}, None),
        ({"format": "iss_sub", "iss": ISSUER, "sub": "00u1", "email": "a@b.example"}, None),
        ({"format": "iss_sub", "iss": ISSUER, "sub": "x" * 256}, None),
        ({"format": "iss_sub", "iss": ISSUER, "sub": "a\nb"}, None),
        ({"format": "iss_sub", "iss": ISSUER, "sub": ""}, None),
        ({"format": "iss_sub", "iss": "", "sub": "00u1"}, None),
        ({"format": "iss_sub", "iss": 5, "sub": "00u1"}, None),
        ({"format": "opaque", "id": "x"}, None),
        ({"format": "account", "email": "a@b.example"}, None),
        ({"format": "opaque", "iss": ISSUER, "sub": "00u1"}, None),
        ({"iss": ISSUER, "sub": "00u1"}, None),
        ("00u1", None),
        ([{"format": "email", "email": "a@b.example"}], None),
        (None, None),
    ],
)
def test_a_revocation_names_one_person_in_one_way(subject: object, whom: Whom | None) -> None:
    """K10: the two formats Okta sends, and nothing beside them."""
    body = json.dumps({"sub_id": subject}).encode()
    if whom:
        assert parse_revocation(body) == whom
    else:
        with pytest.raises(Malformed):
            parse_revocation(body)


def test_whom_it_is_about_is_in_no_repr() -> None:
    """R12."""
    assert "canary" not in repr(Whom(email="canary@b.example"))


def test_the_way_out_at_the_provider_says_who_asks_and_where_to_return() -> None:
    """H19, H31: the endpoint's own query stays, and cannot speak for us."""
    endpoint = f"{ISSUER}/logout?tenant=a%20b&client_id=evil&state=evil&empty="
    url = logout_url(RP, replace(METADATA, end_session_endpoint=endpoint), return_to="https://us.example/", state="s")
    assert url.startswith(f"{ISSUER}/logout?")
    assert parse_qs(urlsplit(url).query, keep_blank_values=True) == {
        "tenant": ["a b"],
        "empty": [""],
        "client_id": ["gatehouse"],
        "post_logout_redirect_uri": ["https://us.example/"],
        "state": ["s"],
    }
    assert logout_url(RP, METADATA, return_to="https://us.example/", state="s") == ""
    strange = replace(METADATA, end_session_endpoint=endpoint, issuer="https://other.okta.com")
    assert reason(logout_url, RP, strange, return_to="x", state="s")[0] is Code.DISCOVERY_ISSUER_MISMATCH
