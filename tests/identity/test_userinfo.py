"""Userinfo fills in what an ID token lacks, and is never the authority (R15, H11)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from identity.oidc import (
    Code,
    Refused,
    lacks,
    with_userinfo,
)
from tests.identity.walk import Walk
from tests.provider import Reply


def test_userinfo_fills_in_what_the_token_lacks_and_changes_nothing(walk: Walk) -> None:
    """R15, H1: scope-userinfo-claims; the ID token stays the authority."""
    walk.provider.on_id_token = lambda said, request: {
        name: value for name, value in said.items() if not name.startswith("email")
    }
    walk.provider.on_userinfo = lambda said, request: said | {"name": "Somebody Else"}
    tokens, _ = walk.tokens()
    metadata = walk.cache.metadata(walk.rp)
    claims = walk.sign_in()
    assert lacks(claims, "email", "name")
    assert not lacks(claims, "name")
    filled = with_userinfo(claims, walk.rp, metadata, tokens.access_token, walk.egress)
    assert (filled.email, filled.is_email_verified, filled.name) == ("alice@example.com", True, "Alice Archer")
    assert filled.raw == claims.raw


def test_the_flag_of_an_email_goes_with_that_email(walk: Walk) -> None:
    """H11, R15: what is verified elsewhere proves nothing about the address in the ID token."""
    walk.provider.on_id_token = lambda said, request: said | {"email_verified": None, "name": "", "amr": ["pwd"]}
    walk.provider.on_userinfo = lambda said, request: (
        said | {"email": "mallory@example.com", "email_verified": True, "name": "Alice", "amr": ["hwk"]}
    )
    tokens, _ = walk.tokens()
    metadata = walk.cache.metadata(walk.rp)
    filled = with_userinfo(walk.sign_in(), walk.rp, metadata, tokens.access_token, walk.egress)
    assert (filled.email, filled.is_email_verified) == ("alice@example.com", None)
    assert (filled.name, filled.amr) == ("Alice", ("pwd",))
    [asked] = walk.provider.requests_to("/userinfo")
    assert asked.headers["accept"] == "application/json"
    assert asked.headers["authorization"] == f"Bearer {tokens.access_token}"
    walk.provider.on_id_token = lambda said, request: {name: value for name, value in said.items() if name != "email"}
    filled = with_userinfo(walk.sign_in(), walk.rp, metadata, tokens.access_token, walk.egress)
    assert (filled.email, filled.is_email_verified) == ("mallory@example.com", True)
    walk.provider.on_userinfo = lambda said, request: said | {"email_verified": False}
    filled = with_userinfo(walk.sign_in(), walk.rp, metadata, tokens.access_token, walk.egress)
    assert (filled.email, filled.is_email_verified) == ("alice@example.com", False)


def test_a_flag_without_an_email_says_nothing(walk: Walk) -> None:
    """H11, R15: neither has one, and userinfo calls it verified."""
    walk.provider.on_id_token = lambda said, request: {
        name: value for name, value in said.items() if not name.startswith("email")
    }
    walk.provider.on_userinfo = lambda said, request: {"sub": said["sub"], "email_verified": True}
    tokens, _ = walk.tokens()
    claims = walk.sign_in()
    filled = with_userinfo(claims, walk.rp, walk.cache.metadata(walk.rp), tokens.access_token, walk.egress)
    assert (filled.email, filled.is_email_verified) == ("", None)


def test_without_a_place_to_ask_nothing_is_added(walk: Walk) -> None:
    """R15."""
    claims = walk.sign_in()
    metadata = replace(walk.cache.metadata(walk.rp), userinfo_endpoint="")
    assert with_userinfo(claims, walk.rp, metadata, "token", walk.egress) == claims
    assert walk.provider.requests_to("/userinfo") == []


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        (Reply.json({"sub": "00u2mallory", "email": "alice@example.com"}), Code.USERINFO_SUBJECT_MISMATCH),
        (Reply.json({"email": "alice@example.com"}), Code.USERINFO_SUBJECT_MISMATCH),
        (Reply.json({"sub": ["00u1alice"]}), Code.USERINFO_SUBJECT_MISMATCH),
        (Reply(401), Code.USERINFO_REFUSED),
        (Reply(503), Code.PROVIDER_UNAVAILABLE),
        (Reply(500), Code.PROVIDER_UNAVAILABLE),
        (Reply(429), Code.PROVIDER_UNAVAILABLE),
        (Reply.json({"sub": "00u1alice"}, 201), Code.USERINFO_REFUSED),
        (Reply(200, b"eyJ.eyJ.sig", {"Content-Type": "application/jwt"}), Code.BAD_USERINFO_RESPONSE),
        (Reply(307, headers={"Location": "https://evil.example/"}), Code.PROVIDER_REDIRECTED),
    ],
)
def test_userinfo_of_another_subject_is_refused(walk: Walk, reply: Reply, code: Code) -> None:
    """H11: userinfo-invalid-sub; R4, H28."""
    tokens, _ = walk.tokens()
    claims = walk.sign_in()
    walk.provider.on_userinfo = lambda said, request: reply
    with pytest.raises(Refused) as caught:
        with_userinfo(claims, walk.rp, walk.cache.metadata(walk.rp), tokens.access_token, walk.egress)
    assert caught.value.code is code
    assert caught.value.got == (str(reply.status) if reply.status not in (200, 307) else "")
