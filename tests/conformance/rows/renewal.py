"""H18 and R11: the provider is asked about a session, and says something else than that it still vouches for it."""

from __future__ import annotations

import time

from django.utils import timezone

from identity.models import Grant
from identity.providers import door
from tests.conformance.acts import (
    GONE,
    Say,
    altered,
    answers,
    both,
    claims,
    header,
    honest,
    impatient,
    payload,
    redirects,
    signed_by,
    times,
    token,
    unsigned,
)
from tests.conformance.rows.transport import HEAD, bomb, closes, half, large
from tests.conformance.scenario import CLIENT_TEST, Act, Renewed, Row, Scenario, ended, goes_on, left_to_browser
from tests.conformance.stage import Stage
from tests.provider import Said, SigningKey
from tests.serving import Reply, Request

H18 = Row("H18", CLIENT_TEST + "refresh-token")
R11 = Row("R11")
ISSUER, SUBJECT = CLIENT_TEST + "refresh-token-invalid-issuer", CLIENT_TEST + "refresh-token-invalid-sub"
HOUR = 3600


def alarm(reason: str) -> Renewed:
    return ended(reason, is_alarm=True)


def says(reply: Reply | Say | dict[str, object]) -> Act:
    return answers("token", reply)


def refuses(error: str, status: int = 400) -> Act:
    return says(Reply.json({"error": error}, status))


def tells(stage: Stage) -> None:
    """Repeat our secret and the refresh token in the description of an error."""
    secret = stage.provider.clients["gatehouse"]
    stage.provider.on_token = lambda said, request: Reply.json(
        {"error": "strange", "error_description": f"{request.form['refresh_token']} {secret}"}, 400
    )


def was_lost(grace: float) -> Act:
    """Have taken the token before, and have answered nobody; with so many seconds of grace."""

    def arrange(stage: Stage) -> None:
        stage.provider.grace = grace
        grant = Grant.objects.select_related("session").get()
        stage.provider._used(grant.kept()[0])
        Grant.objects.update(asked_at=timezone.now())

    return arrange


def deactivated(stage: Stage) -> None:
    stage.provider.withdraw()


def expiry(offset: float) -> Act:
    return token(
        lambda stage, said: stage.provider.signing_key.sign(said | {"session_expiry": int(time.time() + offset)})
    )


def rotates_keys(stage: Stage) -> None:
    stage.provider.rotate("second")


def keys_down(stage: Stage) -> None:
    rotates_keys(stage)
    stage.provider.on_keys = lambda said, request: Reply(503)


def breaker_open(stage: Stage) -> None:
    for _ in range(5):
        door().egress.breaker.failed(stage.connection.pk)


def access_token_only(stage: Stage, said: Said, request: Request) -> Said:
    return {name: said[name] for name in ("access_token", "token_type")}


HONEST: list[Scenario] = [
    H18("honest", "still vouches for the session, with a new refresh token", honest, goes_on()),
    H18("not-rotated", "gives no new refresh token", says({"refresh_token": GONE}), goes_on()),
    H18("no-id-token", "gives no ID token", says({"id_token": GONE}), goes_on()),
    H18("little", "gives an access token and nothing else", says(access_token_only), goes_on()),
    H18("no-nonce", "leaves the nonce out, as it should", claims(nonce=GONE), goes_on()),
    H18("few-claims", "says only what it must", claims(nonce=GONE, sid=GONE, auth_time=GONE, at_hash=GONE), goes_on()),
    H18("rotated-keys", "has rotated its keys", rotates_keys, goes_on()),
    H18("expiry", "says that the session ends in an hour", expiry(HOUR), goes_on()),
    H18("far-expiry", "says that the session ends in a thousand years", expiry(HOUR * 24 * 365_000), goes_on()),
    R11("grace", "took the token before, its answer was lost, and takes it once more", was_lost(30), goes_on()),
]  # fmt: skip
SWAPPED: list[Scenario] = [
    H18(name, act, arrange, alarm(reason), module=module)
    for name, act, arrange, reason, module in (
        ("sub", "vouches for somebody else", claims(sub="00u1ingrid"), "subject_changed", SUBJECT),
        ("sub-case", "writes the subject in capitals", claims(sub="00U1DANA"), "subject_changed", SUBJECT),
        ("sub-space", "puts a space behind the subject", claims(sub="00u1dana "), "subject_changed", SUBJECT),
        ("sub-absent", "vouches for nobody", claims(sub=GONE), "missing_claim", SUBJECT),
        ("sub-list", "vouches for a list of subjects", claims(sub=["00u1dana"]), "bad_subject", SUBJECT),
        ("iss", "names another issuer", claims(iss="https://evil.example"), "issuer_mismatch", ISSUER),
        ("iss-slash", "puts a slash behind the issuer",
         token(lambda stage, said: stage.provider.signing_key.sign(said | {"iss": said["iss"] + "/"})),
         "issuer_mismatch", ISSUER),
        ("iss-absent", "names no issuer", claims(iss=GONE), "missing_claim", ISSUER),
        ("aud", "vouches to somebody else", claims(aud="another"), "audience_mismatch", ""),
        ("aud-more", "vouches to others as well", claims(aud=["gatehouse", "another"]), "audience_mismatch", ""),
        ("aud-absent", "vouches to nobody", claims(aud=GONE), "missing_claim", ""),
        ("azp", "was asked by somebody else", claims(azp="another"), "azp_mismatch", ""),
        ("nonce", "repeats another nonce", claims(nonce="another"), "nonce_mismatch", ""),
        ("at-hash", "vouches with another access token", claims(at_hash="AAAA"), "at_hash_mismatch", ""),
        ("expired", "gives an ID token that has expired", times(iat=-300, exp=-120), "expired", ""),
        ("old", "gives an ID token of an hour ago", times(iat=-HOUR, exp=HOUR), "too_old", ""),
        ("future", "gives an ID token of in an hour", times(iat=HOUR, exp=HOUR * 2), "issued_in_future", ""),
        ("none", "does not sign", unsigned("none"), "algorithm_not_allowed", ""),
        ("altered", "signs and then changes the subject", token(altered), "bad_signature", ""),
        ("forged", "signs with a key it does not publish", signed_by(SigningKey("forger"), "first"),
         "bad_signature", ""),
        ("kid", "signs with a key nobody knows", header(kid="nobody-knows"), "unknown_key", ""),
        ("jwk", "brings its key along", header(jwk=SigningKey("forger").jwk), "header_not_allowed", ""),
        ("type", "gives a token of another type", header(typ="logout+jwt"), "wrong_token_type", ""),
        ("not-json", "signs what is not JSON", payload(lambda said: b"{"), "malformed_token", ""),
        ("garbage", "gives no token at all", token(lambda stage, said: "a.b.c"), "malformed_token", ""),
        ("expiry-word", "says “soon” as the session's end", claims(session_expiry="soon"), "bad_claim", ""),
    )
]  # fmt: skip
NO: list[Scenario] = [
    R11("invalid-grant", "has deactivated the person", deactivated, ended("not_vouched_for")),
    R11("invalid-grant-401", "says invalid_grant with 401", refuses("invalid_grant", 401), ended("not_vouched_for")),
    R11("invalid-grant-200", "says invalid_grant with 200", refuses("invalid_grant", 200), ended("not_vouched_for")),
    R11("invalid-grant-inside", "says invalid_grant beside new tokens", says({"error": "invalid_grant"}),
        ended("not_vouched_for")),
    R11("access-denied", "denies access", refuses("access_denied"), ended("access_denied")),
    R11("interaction", "wants to ask the person something", refuses("interaction_required"),
        ended("interaction_required")),
    R11("expiry-past", "says that the session ended a second ago", expiry(-1), ended("session_over")),
]  # fmt: skip
OUTAGES: list[Scenario] = [
    R11(name, act, arrange, goes_on(told))
    for name, act, arrange, told in (
        ("500", "answers 500", says(Reply(500, b"<html>")), "provider_unavailable"),
        ("503", "answers 503", says(Reply(503)), "provider_unavailable"),
        ("429", "answers 429", says(Reply(429)), "provider_unavailable"),
        ("hangs-up", "takes the token and hangs up", says(Reply(raw=True)), "provider_unreachable"),
        ("half", "hangs up in the middle", says(half), "provider_unreachable"),
        ("not-http", "does not speak HTTP", says(Reply(body=b"SSH-2.0-OpenSSH_9.6\r\n\r\n", raw=True)),
         "provider_unreachable"),
        ("drip", "answers a byte every tenth of a second",
         both(impatient, says(Reply(body=HEAD + b"\r\n" + b"x" * 100, raw=True, pause=0.1))), "provider_timeout"),
        ("silent", "never answers", both(impatient, says(Reply(body=b"x", raw=True, pause=3))), "provider_timeout"),
        ("keys-down", "has rotated its keys, and they cannot be had", keys_down, "provider_unavailable"),
    )
] + [
    R11("down", "is down", closes, goes_on("provider_unreachable", tokens=0)),
    R11("breaker", "has failed five times in a row", breaker_open, goes_on("provider_paused", tokens=0)),
]  # fmt: skip
TROUBLE: list[Scenario] = [
    R11(name, act, arrange, goes_on(told))
    for name, act, arrange, told in (
        ("302", "redirects", redirects("token", 302), "provider_redirected"),
        ("307", "redirects, with the token", redirects("token", 307), "provider_redirected"),
        ("308", "redirects, with the token, for good", redirects("token", 308), "provider_redirected"),
        ("large", "answers with more than 512 KiB", says(large), "provider_answer_too_large"),
        ("bomb", "answers with 20 MB in a small packet", says(bomb), "provider_answer_too_large"),
        ("html", "answers with a page", says(Reply(200, b"<html>")), "bad_token_response"),
        ("list", "answers with a list", says(Reply.json([])), "bad_token_response"),
        ("mac", "calls the token type mac", says({"token_type": "mac"}), "bad_token_response"),
        ("no-access-token", "gives no access token", says({"access_token": GONE}), "bad_token_response"),
        ("breaks", "puts a line break into the access token", says({"access_token": "a\r\nX: 1"}),
         "bad_token_response"),
        ("client", "does not know our secret any more", refuses("invalid_client", 401), "invalid_client"),
        ("request", "does not understand us", refuses("invalid_request"), "invalid_request"),
        ("strange", "says something nobody knows", refuses("strange", 418), "provider_error"),
        ("tells", "repeats our secret and the refresh token in an error", tells, "provider_error"),
    )
]  # fmt: skip
LEFT_TO_BROWSER: list[Scenario] = [
    R11(name, act, arrange, left_to_browser())
    for name, act, arrange in (
        ("lost", "took the token before, its answer was lost, and does not take it again", was_lost(0)),
        ("unauthorized", "no longer allows refresh tokens", refuses("unauthorized_client")),
        ("unsupported", "no longer knows refresh tokens", refuses("unsupported_grant_type")),
        ("scope", "no longer allows the scope", refuses("invalid_scope")),
    )
]  # fmt: skip

SCENARIOS = [*HONEST, *SWAPPED, *NO, *OUTAGES, *TROUBLE, *LEFT_TO_BROWSER]
