"""What travels through the browser: the request to the provider, and its response (R13, H22)."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import pytest

from identity.oidc import (
    Code,
    Refused,
    challenge_of,
    check_response_issuer,
    fresh_nonce,
    fresh_state,
    fresh_verifier,
    refusal_of_response,
    shown,
)
from tests.identity.metadata import ISSUER, RP, parse, url
from tests.identity.walk import REDIRECT_URI, Walk


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
    query = parse_qs(urlsplit(url(parse())).query, keep_blank_values=True)
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
