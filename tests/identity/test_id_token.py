"""An ID token becomes claims only when everything it says is right (R2)."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from identity.oidc import Code, Refused, RelyingParty, thawed, verify_refreshed_id_token
from tests.identity.tokens import (
    EC,
    HONEST,
    ISSUER,
    KEYS,
    METADATA,
    NOW,
    RP,
    b64,
    json_values,
    refusal,
    rs256,
    saying,
    verify,
)
from tests.identity.walk import Walk, relying_party
from tests.provider import half_hash


def test_an_honest_token_becomes_frozen_claims() -> None:
    """H1, R2."""
    claims = verify(saying(email="alice@example.com", amr=["pwd", "mfa"], groups=["Everyone"], sid="s1"))
    assert (claims.iss, claims.sub, claims.aud, claims.sid) == (ISSUER, "00u1alice", "gatehouse", "s1")
    assert claims.email == "alice@example.com"
    assert claims.amr == ("pwd", "mfa")
    assert (claims.algorithm, claims.kid, claims.typ) == ("RS256", "rsa", "JWT")
    assert (claims.exp, claims.iat, claims.nonce) == (NOW + 3600, NOW, "the-nonce")
    assert claims.raw["groups"] == ("Everyone",)
    with pytest.raises(AttributeError):
        claims.sub = "someone-else"
    with pytest.raises(TypeError):
        claims.raw["sub"] = "someone-else"
    assert thawed(claims.raw)["groups"] == ["Everyone"]


def test_es256_is_as_good_as_rs256() -> None:
    """R3."""
    assert verify(EC.sign(HONEST)).algorithm == "ES256"


def test_a_sign_in_over_http_ends_in_claims(walk: Walk) -> None:
    """H1, H14: discovery, keys, code and token, all over the wire."""
    assert walk.sign_in().email == "alice@example.com"


def test_the_clock_may_be_an_aware_datetime_but_never_a_naive_one() -> None:
    assert verify(saying(), at=datetime.fromtimestamp(NOW, UTC)).iat == NOW
    with pytest.raises(ValueError, match="zone"):
        verify(saying(), at=datetime.fromtimestamp(NOW, UTC).replace(tzinfo=None))


@pytest.mark.parametrize("name", ["iss", "sub", "aud", "exp", "iat", "nonce"])
def test_no_required_claim_may_be_missing(name: str) -> None:
    """H2, H3, H4, H6, H12: invalid-missing-iss, missing-sub, missing-aud, missing-exp, missing-iat, missing-nonce."""
    refused = refusal(saying(**{name: None}))
    assert (refused.code, refused.expected) == (Code.MISSING_CLAIM, name)


@pytest.mark.parametrize(
    "issuer",
    [
        ISSUER + "/",
        "https://EXAMPLE.okta.com",
        "http://example.okta.com",
        ISSUER + "/oauth2/default",
        "https://example.okta.com.evil.example",
        "",
        7,
        [ISSUER],
    ],
)
def test_a_nearly_right_issuer_is_the_wrong_issuer(issuer: object) -> None:
    """H2: invalid-iss."""
    assert refusal(saying(iss=issuer)).code is Code.ISSUER_MISMATCH


@pytest.mark.parametrize("subject", ["", "   ", "x" * 256, 17, ["00u1alice"], {"id": 1}, True, "a\nb", "\u202eab"])
def test_a_subject_is_a_sane_non_empty_string(subject: object) -> None:
    """H3, R2: missing-sub; at most 255 characters, nothing unprintable."""
    assert refusal(saying(sub=subject)).code is Code.BAD_SUBJECT
    assert verify(saying(sub="x" * 255)).sub == "x" * 255


@pytest.mark.parametrize(
    "audience",
    ["someone-else", ["gatehouse", "other"], ["other", "gatehouse"], [], ["gatehouse", "gatehouse"], 5, {}, [[]]],
)
def test_a_wrong_or_an_extra_audience_is_refused(audience: object) -> None:
    """H4: invalid-aud, invalid-secondary-aud."""
    assert refusal(saying(aud=audience)).code is Code.AUDIENCE_MISMATCH


def test_our_client_id_alone_in_a_list_is_fine() -> None:
    """H5: valid-aud-as-array."""
    assert verify(saying(aud=["gatehouse"])).aud == "gatehouse"


def test_an_authorized_party_must_be_us() -> None:
    """R2."""
    assert verify(saying(azp="gatehouse")).sub == "00u1alice"
    assert refusal(saying(azp="other")).code is Code.AZP_MISMATCH
    assert refusal(saying(azp=["gatehouse"])).code is Code.AZP_MISMATCH


@pytest.mark.parametrize(
    ("claims", "code"),
    [
        ({"iat": NOW - 4000, "exp": NOW - 60}, Code.EXPIRED),
        ({"iat": NOW + 61}, Code.ISSUED_IN_FUTURE),
        ({"iat": NOW - 601}, Code.TOO_OLD),
        ({"exp": NOW - 1, "iat": NOW}, Code.ABSURD_TIME),
        ({"exp": NOW * 1000}, Code.ABSURD_TIME),
        ({"exp": 10**400}, Code.ABSURD_TIME),
        ({"exp": str(NOW + 60)}, Code.ABSURD_TIME),
        ({"exp": True}, Code.ABSURD_TIME),
        ({"iat": -1}, Code.ABSURD_TIME),
        ({"iat": {}}, Code.ABSURD_TIME),
        ({"nbf": NOW + 61}, Code.NOT_YET_VALID),
        ({"nbf": "soon"}, Code.NOT_YET_VALID),
    ],
)
def test_old_future_and_absurd_times_are_refused(claims: dict[str, Any], code: Code) -> None:
    """H6: invalid-expired-exp and its neighbours; R2: at most 10 minutes old, at most 60 s of skew."""
    assert refusal(saying(**claims)).code is code


@pytest.mark.parametrize(
    "claims", [{"exp": NOW - 59, "iat": NOW - 500}, {"iat": NOW + 60}, {"iat": NOW - 600}, {"exp": NOW + 60.5}]
)
def test_a_minute_of_skew_is_forgiven(claims: dict[str, Any]) -> None:
    """R2."""
    assert verify(saying(**claims)).sub == "00u1alice"


@pytest.mark.parametrize(
    ("claims", "code"),
    [
        ({"exp": NOW, "iat": NOW}, None),
        ({"exp": NOW + 366 * 24 * 3600}, None),
        ({"exp": NOW + 366 * 24 * 3600 + 1}, Code.ABSURD_TIME),
        ({"nbf": NOW + 60}, None),
        ({"nbf": NOW}, None),
        ({"session_expiry": NOW + 1}, None),
        ({"session_expiry": NOW}, Code.SESSION_OVER),
        ({"session_expiry": NOW - 1}, Code.SESSION_OVER),
        ({"session_expiry": "soon"}, Code.BAD_CLAIM),
    ],
)
def test_each_time_has_its_edge(claims: dict[str, Any], code: Code | None) -> None:
    """R2, H6: one second more or less decides."""
    if code:
        assert refusal(saying(**claims)).code is code
    else:
        assert verify(saying(**claims)).session_expiry == claims.get("session_expiry")


def test_an_infinite_time_is_no_time() -> None:
    """H6: JSON numbers can overflow to infinity."""
    header, _, _ = saying().split(".")
    payload = json.dumps(HONEST).replace(str(NOW + 3600), "1e400").encode()
    signed = f"{header}.{b64(payload)}"
    signature = rs256(signed)
    assert refusal(f"{signed}.{b64(signature)}").code is Code.ABSURD_TIME


@pytest.mark.parametrize("nonce", ["another", "the-nonce ", "THE-NONCE", "ünïcode"])
def test_a_wrong_nonce_is_refused_and_never_repeated(nonce: str) -> None:
    """H12: nonce-invalid; R12."""
    refused = refusal(saying(nonce=nonce))
    assert (refused.code, refused.expected, refused.got) == (Code.NONCE_MISMATCH, "", "")


def test_an_attempt_without_a_nonce_accepts_nothing() -> None:
    """H12: an empty nonce on our side must not match an empty one on theirs."""
    assert refusal(saying(), nonce="").code is Code.NONCE_MISMATCH
    assert refusal(saying(nonce=""), nonce="").code is Code.BAD_CLAIM


def test_hashes_are_checked_when_present() -> None:
    """H13: invalid-athash; and c_hash alike."""
    good = saying(at_hash=half_hash("the-token"), c_hash=half_hash("the-code"))
    assert verify(good, access_token="the-token", code="the-code").sub == "00u1alice"
    assert refusal(good, access_token="another", code="the-code").code is Code.AT_HASH_MISMATCH
    assert refusal(good, access_token="the-token", code="another").code is Code.C_HASH_MISMATCH
    assert refusal(good).code is Code.AT_HASH_MISMATCH
    assert refusal(saying(at_hash=5), access_token="the-token").code is Code.AT_HASH_MISMATCH


def test_a_promised_authentication_age_is_checked() -> None:
    """K7: max_age and acr_values may be ignored by a provider, so what comes back is checked."""
    assert verify(saying(auth_time=NOW - 30), max_age=60).auth_time == NOW - 30
    assert verify(saying(auth_time=NOW - 60), max_age=0).auth_time == NOW - 60
    assert verify(saying(auth_time=NOW - 90), max_age=30).auth_time == NOW - 90
    assert refusal(saying(auth_time=NOW - 91), max_age=30).code is Code.AUTHENTICATION_TOO_OLD
    assert refusal(saying(auth_time=NOW - 61), max_age=0).code is Code.AUTHENTICATION_TOO_OLD
    assert refusal(saying(), max_age=0).code is Code.MISSING_CLAIM
    assert refusal(saying(auth_time="now")).code is Code.BAD_CLAIM
    assert verify(saying(acr="phr"), acr_values=("phr", "phrh")).acr == "phr"
    assert refusal(saying(acr="pwd"), acr_values=("phr",)).code is Code.ACR_MISMATCH
    assert refusal(saying(), acr_values=("phr",)).code is Code.ACR_MISMATCH


@pytest.mark.parametrize(
    ("claims", "known", "expected", "got"),
    [
        ({"iss": "https://evil.example"}, {}, ISSUER, "https://evil.example"),
        ({"iss": 7}, {}, ISSUER, ""),
        ({"aud": "other"}, {}, "gatehouse", "other"),
        ({"aud": ["gatehouse", "other"]}, {}, "gatehouse", "gatehouse other"),
        ({"aud": [[]]}, {}, "gatehouse", ""),
        ({"aud": 5}, {}, "gatehouse", ""),
        ({"azp": "other"}, {}, "gatehouse", "other"),
        ({"azp": 5}, {}, "gatehouse", ""),
        ({"exp": NOW - 60, "iat": NOW - 600}, {}, str(NOW), str(NOW - 60)),
        ({"iat": NOW + 61.5}, {"at": NOW + 0.25}, str(NOW), str(NOW + 61)),
        ({"iat": NOW - 601}, {}, str(NOW), str(NOW - 601)),
        ({"nbf": NOW + 61}, {}, str(NOW), str(NOW + 61)),
        ({"nbf": "soon"}, {}, str(NOW), "0"),
        ({"session_expiry": NOW - 5}, {}, str(NOW), str(NOW - 5)),
        ({"auth_time": NOW - 100}, {"max_age": 30}, "30", "100"),
        ({}, {"max_age": 30}, "auth_time", ""),
        ({"acr": "pwd"}, {"acr_values": ("phr", "phrh")}, "phr phrh", "pwd"),
        ({"at_hash": "x"}, {}, "at_hash", ""),
        ({"sid": 5}, {}, "", "sid"),
        ({"acr": 5}, {}, "", "acr"),
        ({"auth_time": "now"}, {}, "", "auth_time"),
        ({"session_expiry": "now"}, {}, "", "session_expiry"),
    ],
)
def test_a_refusal_says_what_was_expected_and_what_came(
    claims: dict[str, Any], known: dict[str, Any], expected: str, got: str
) -> None:
    """R4, R12: whoever has to repair it sees both, and all that the provider did sign."""
    refused = refusal(saying(**claims), **known)
    assert (refused.expected, refused.got) == (expected, got)
    assert refused.said == HONEST | claims


def test_of_what_nobody_signed_nothing_is_quoted() -> None:
    """R12: the claims of a token are repeated only when they are the provider's."""
    assert refusal(saying() + "x").said is None
    assert refusal(saying(nonce="another")).said == HONEST | {"nonce": "another"}


def test_what_people_read_has_its_length() -> None:
    """H30: and an address that is too long or odd is none, as is a flag that is not one."""
    long = "x" * 300
    claims = verify(
        saying(
            name=long,
            given_name=long,
            family_name=long,
            preferred_username=long,
            locale=long,
            zoneinfo=long,
            email_verified="true",
        )
    )
    texts = (claims.given_name, claims.family_name, claims.preferred_username, claims.locale, claims.zoneinfo)
    assert [len(text) for text in texts] == [100, 100, 254, 35, 64]
    assert (claims.is_email_verified, claims.email, claims.amr) == (None, "", ())
    assert verify(saying(email_verified=False)).is_email_verified is False
    silent = verify(saying())
    assert (silent.name, silent.given_name, silent.family_name, silent.preferred_username) == ("", "", "", "")
    assert (silent.email, silent.locale, silent.zoneinfo, silent.amr) == ("", "", "", ())
    longest = "a" * 250 + "@b.c"
    assert verify(saying(email=longest)).email == longest
    for odd in ("a" + longest, "a b@example.com", "a\nb@example.com", 5):
        assert verify(saying(email=odd)).email == ""
    assert (claims.sid, claims.acr, claims.session_expiry, claims.auth_time) == ("", "", None, None)


@pytest.mark.parametrize("sid", ["", "x" * 256, "a\nb", 5, ["s1"]])
def test_a_session_has_a_sane_name_or_none(sid: object) -> None:
    """R11: what a sign-out is matched by is never guessed at."""
    assert refusal(saying(sid=sid)).code is Code.BAD_CLAIM
    assert verify(saying(sid="x" * 255)).sid == "x" * 255


def test_a_claim_of_null_is_a_claim_left_out() -> None:
    """R2: but only of those that are optional."""
    header, _, _ = saying().split(".")
    for name, value in (("sid", ""), ("acr", ""), ("auth_time", None), ("session_expiry", None)):
        signed = f"{header}.{b64(HONEST | {name: None})}"
        assert getattr(verify(f"{signed}.{b64(rs256(signed))}"), name) == value
    for name in ("iss", "sub", "aud", "exp", "iat"):
        signed = f"{header}.{b64(HONEST | {name: None})}"
        assert refusal(f"{signed}.{b64(rs256(signed))}").code is Code.MISSING_CLAIM


def test_markup_and_direction_marks_do_not_get_far() -> None:
    """H30: what people read is one clean, short line; what decides is refused when it is not clean."""
    claims = verify(saying(name="Al\u202eice\r\nSet-Cookie: x" + "y" * 500, email="a\u200bb@example.com"))
    assert claims.name.startswith("Al ice Set-Cookie: x")
    assert len(claims.name) == 200
    assert claims.email == ""
    refused = refusal(saying(iss="https://evil.example/\r\n\u2066<script>" + "z" * 900))
    assert refused.got.isprintable()
    assert len(refused.got) <= 160


def test_metadata_of_another_issuer_verifies_nothing() -> None:
    """R1: the relying party of A with the metadata of B."""
    other = RelyingParty("c2", 1, "https://other.okta.com", "gatehouse", "https://x.example/cb")
    assert refusal(saying(), rp=other).code is Code.DISCOVERY_ISSUER_MISMATCH


def test_a_refreshed_token_is_about_the_same_person() -> None:
    """H18: refresh-token, refresh-token-invalid-issuer, refresh-token-invalid-sub."""

    def refreshed(token: str, nonce: str | None = "the-nonce") -> Any:
        return verify_refreshed_id_token(token, RP, METADATA, KEYS, subject="00u1alice", at=NOW, nonce=nonce)

    assert refreshed(saying(nonce=None)).sub == "00u1alice"
    assert refreshed(saying(nonce=None)).nonce == ""
    assert refreshed(saying()).sub == "00u1alice"
    for token, code in [
        (saying(sub="00u2mallory"), Code.SUBJECT_CHANGED),
        (saying(iss="https://evil.example"), Code.ISSUER_MISMATCH),
        (saying(aud="other"), Code.AUDIENCE_MISMATCH),
        (saying(nonce="another"), Code.NONCE_MISMATCH),
    ]:
        with pytest.raises(Refused) as caught:
            refreshed(token)
        assert caught.value.code is code
    with pytest.raises(Refused) as caught:
        refreshed(saying(), nonce=None)
    assert caught.value.code is Code.NONCE_MISMATCH


@pytest.mark.parametrize("known", [None, ""])
@pytest.mark.parametrize("said", ["the-nonce", "None", "XXXX", "0"])
def test_where_no_nonce_is_known_a_refreshed_token_has_none(said: str, known: str | None) -> None:
    """H18: nothing stands in for the nonce that is missing, so there is none that the token could guess."""
    with pytest.raises(Refused) as caught:
        verify_refreshed_id_token(saying(nonce=said), RP, METADATA, KEYS, subject="00u1alice", at=NOW, nonce=known)
    assert caught.value.code is Code.NONCE_MISMATCH


def test_a_refreshed_token_belongs_to_the_access_token_it_came_with() -> None:
    """R2, R11: at_hash is checked here as at a sign-in."""

    def refreshed(access_token: str | None) -> Any:
        token = saying(nonce=None, at_hash=half_hash("the-token"))
        return verify_refreshed_id_token(
            token, RP, METADATA, KEYS, subject="00u1alice", at=NOW, access_token=access_token
        )

    assert refreshed("the-token").sub == "00u1alice"
    for access_token in ("another-token", None):
        with pytest.raises(Refused) as caught:
            refreshed(access_token)
        assert caught.value.code is Code.AT_HASH_MISMATCH


def test_a_refreshed_token_is_no_weaker_than_what_was_asked_for() -> None:
    """R11, K7: it may be silent about how somebody signed in, and may not say something else."""

    def refreshed(**claims: Any) -> Any:
        token = saying(nonce=None, **claims)
        return verify_refreshed_id_token(
            token, RP, METADATA, KEYS, subject="00u1alice", at=NOW, acr_values=("phr", "phrh")
        )

    assert refreshed().acr == ""
    assert refreshed(acr="phrh").acr == "phrh"
    assert refreshed(acr="phr", auth_time=NOW - 30 * 24 * 3600).acr == "phr"
    with pytest.raises(Refused) as caught:
        refreshed(acr="pwd")
    assert caught.value.code is Code.ACR_MISMATCH


@settings(max_examples=150, deadline=None)
@given(
    claims=st.dictionaries(
        st.sampled_from([*HONEST, "azp", "nbf", "auth_time", "sid", "amr", "email", "name", "at_hash", "acr"]),
        json_values,
        max_size=5,
    )
)
def test_whatever_a_provider_signs_is_claims_or_a_refusal(claims: dict[str, Any]) -> None:
    """R4."""
    payload = json.dumps(HONEST | claims).encode()
    signed = f"{b64({'alg': 'RS256', 'kid': 'rsa'})}.{b64(payload)}"
    signature = rs256(signed)
    with suppress(Refused):
        assert verify(f"{signed}.{b64(signature)}", access_token="x").iss == ISSUER


def test_verification_is_cheap() -> None:
    """A sign-in must not cost what parsing keys costs: keys are parsed once and only then used."""
    token = saying()
    verify(token)
    started = time.process_time()
    for _ in range(50):
        verify(token)
    assert (time.process_time() - started) / 50 < 0.002


def test_the_relying_party_keeps_its_secret(walk: Walk) -> None:
    """R12."""
    rp = relying_party(walk.provider, client_secret="canary-secret")
    assert "canary-secret" not in repr(rp)
    tokens, _ = walk.tokens()
    assert tokens.access_token not in repr(tokens)
    assert tokens.unverified_id_token not in repr(tokens)
