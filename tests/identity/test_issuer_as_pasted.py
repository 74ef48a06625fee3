"""Every way people paste an issuer gets its exact fix, and nothing is guessed silently (K1, T1)."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from identity.oidc import IssuerCode, IssuerProblem, parse_issuer


@pytest.mark.parametrize(
    "issuer",
    [
        "https://example.okta.com",
        "https://example.okta.com/oauth2/default",
        "https://example.okta.com/oauth2/aus9o8wzkhckw9TLa0h7z",
        "https://dev-123456.okta.com",
        "https://login.example.com",
        "https://login.example.com:8443",
        "https://login.example.com:443",
        "https://accounts.google.com",
        "https://login.microsoftonline.com/9188040d-6c67-4c5b-b112-36a304b66dad/v2.0",
        "https://tenant.eu.auth0.com/",
        "https://id.example.com/realms/Staff/",
        "https://xn--bcher-kva.example",
        "https://admin.example.com",
        "https://example-admin.example.com",
        "https://login.example.com/v1/token",
        "https://notokta.com/login/",
        "https://okta.com.example/login",
        "https://login.example.com/oauth2/default",
        "https://login.example.com/oauth2/a/b",
        "https://login.example.com/a...b/.c",
        "https://login.example.com/oauth2/v1x",
        "https://login.example.com/.well-known/openid-configurations",
        "https://login.example.4you",
    ],
)
def test_a_right_issuer_is_kept_to_the_letter(issuer: str) -> None:
    """K1, T1: paths, ports, slashes and case of the path are the provider's business."""
    assert parse_issuer(issuer) == issuer


@pytest.mark.parametrize(
    ("pasted", "kept"),
    [
        ("  https://example.okta.com\n", "https://example.okta.com"),
        ("HTTPS://Example.OKTA.com", "https://example.okta.com"),
        ("https://Bücher.example/Staff", "https://xn--bcher-kva.example/Staff"),
        ("https://bu\u0308cher.example", "https://xn--bcher-kva.example"),
    ],
)
def test_scheme_and_host_have_one_spelling(pasted: str, kept: str) -> None:
    """T1: normalised by IDNA."""
    assert parse_issuer(pasted) == kept


@pytest.mark.parametrize(
    ("pasted", "code", "suggestion"),
    [
        ("", IssuerCode.EMPTY, ""),
        ("   ", IssuerCode.EMPTY, ""),
        ("https://example.com/" + "a" * 500, IssuerCode.TOO_LONG, ""),
        ("https://example-admin.okta.com", IssuerCode.ADMIN_HOST, "https://example.okta.com"),
        ("https://example-admin.okta.com/admin/dashboard", IssuerCode.ADMIN_HOST, "https://example.okta.com"),
        (
            "https://example-admin.okta.com/oauth2/default",
            IssuerCode.ADMIN_HOST,
            "https://example.okta.com/oauth2/default",
        ),
        ("https://dev-1-admin.oktapreview.com", IssuerCode.ADMIN_HOST, "https://dev-1.oktapreview.com"),
        ("https://example.okta.com/", IssuerCode.TRAILING_SLASH, "https://example.okta.com"),
        (
            "https://example.okta.com/oauth2/default/",
            IssuerCode.TRAILING_SLASH,
            "https://example.okta.com/oauth2/default",
        ),
        (
            "https://example.okta.com/.well-known/openid-configuration",
            IssuerCode.WELL_KNOWN,
            "https://example.okta.com",
        ),
        (
            "https://example.okta.com/oauth2/default/.well-known/oauth-authorization-server",
            IssuerCode.WELL_KNOWN,
            "https://example.okta.com/oauth2/default",
        ),
        (
            "https://login.example.com/.well-known/oauth-authorization-server/oauth2/default",
            IssuerCode.WELL_KNOWN,
            "https://login.example.com/oauth2/default",
        ),
        ("https://example.okta.com/oauth2/v1/authorize", IssuerCode.ENDPOINT, "https://example.okta.com"),
        ("https://example.okta.com/oauth2/v1/token/", IssuerCode.TRAILING_SLASH, "https://example.okta.com"),
        (
            "https://example.okta.com/oauth2/default/v1/keys",
            IssuerCode.ENDPOINT,
            "https://example.okta.com/oauth2/default",
        ),
        ("https://login.example.com/oauth2/v1/userinfo", IssuerCode.ENDPOINT, "https://login.example.com"),
        ("https://example.okta.com/app/UserHome", IssuerCode.PAGE_ADDRESS, "https://example.okta.com"),
        ("example.okta.com", IssuerCode.NO_SCHEME, "https://example.okta.com"),
        ("example.okta.com:8443/x", IssuerCode.NO_SCHEME, "https://example.okta.com:8443"),
        ("login.example.com:8443/x", IssuerCode.NO_SCHEME, "https://login.example.com:8443/x"),
        ("login.example.com:8443", IssuerCode.NO_SCHEME, "https://login.example.com:8443"),
        ("//example.okta.com", IssuerCode.NO_SCHEME, "https://example.okta.com"),
        ("example-admin.okta.com/", IssuerCode.NO_SCHEME, "https://example.okta.com"),
        ("http://example.okta.com", IssuerCode.NOT_HTTPS, "https://example.okta.com"),
        ("http://127.0.0.1:8000", IssuerCode.NOT_HTTPS, ""),
        ("javascript:alert(1)", IssuerCode.NOT_HTTPS, ""),
        ("ftp://example.com", IssuerCode.NOT_HTTPS, ""),
        ("mailto:alice@example.com", IssuerCode.NOT_HTTPS, ""),
        ("https://alice:secret@example.okta.com", IssuerCode.USER_INFO, "https://example.okta.com"),
        ("https://example.okta.com@evil.example", IssuerCode.USER_INFO, "https://evil.example"),
        ("https://alice@login.example.com/at@work", IssuerCode.USER_INFO, "https://login.example.com/at@work"),
        ("https://example.okta.com?client_id=x", IssuerCode.QUERY, "https://example.okta.com"),
        ("https://example.okta.com/oauth2/v1/authorize?x=1", IssuerCode.QUERY, "https://example.okta.com"),
        ("https://example.okta.com#top", IssuerCode.FRAGMENT, "https://example.okta.com"),
        ("https://exam ple.okta.com", IssuerCode.WHITESPACE, "https://example.okta.com"),
        ("https://exam\u200bple.okta.com", IssuerCode.INVISIBLE_CHARACTERS, "https://example.okta.com"),
        ("\ufeffhttps://example.okta.com", IssuerCode.INVISIBLE_CHARACTERS, "https://example.okta.com"),
        ("https://example\u202e.okta.com", IssuerCode.INVISIBLE_CHARACTERS, "https://example.okta.com"),
        ("https://example\r\n.okta.com", IssuerCode.INVISIBLE_CHARACTERS, "https://example.okta.com"),
        ("https://example\x00.okta.com", IssuerCode.INVISIBLE_CHARACTERS, "https://example.okta.com"),
        ("https://", IssuerCode.NO_HOST, ""),
        ("https:/example.okta.com", IssuerCode.NO_HOST, "https://example.okta.com"),
        ("https:example.okta.com", IssuerCode.NO_HOST, "https://example.okta.com"),
        ("https://okta", IssuerCode.NO_DOT, ""),
        ("https://localhost", IssuerCode.NO_DOT, ""),
        ("https://example.okta.com.", IssuerCode.TRAILING_DOT, "https://example.okta.com"),
        ("https://example.com:0", IssuerCode.BAD_PORT, ""),
        ("https://example.com:99999", IssuerCode.BAD_HOST, ""),
        ("https://exa_mple.com", IssuerCode.BAD_HOST, ""),
        ("https://exa%6dple.com", IssuerCode.BAD_HOST, ""),
        ("https://-.example", IssuerCode.BAD_HOST, ""),
        ("https://[::1", IssuerCode.BAD_HOST, ""),
        ("https://login.example.com/a/../b", IssuerCode.BAD_PATH, ""),
        ("https://login.example.com//a", IssuerCode.BAD_PATH, ""),
        ("https:\\\\login.example.com", IssuerCode.BAD_PATH, "https://login.example.com"),
        ("https://a_b.1", IssuerCode.IP_ADDRESS, ""),
        ("https://a_b.\uff11", IssuerCode.IP_ADDRESS, ""),
        ("https://example.okta.com/v1/token", IssuerCode.PAGE_ADDRESS, "https://example.okta.com"),
        ("https://example.okta.com/oauth2/ausX/", IssuerCode.TRAILING_SLASH, "https://example.okta.com/oauth2/ausX"),
        ("XX.okta.com", IssuerCode.NO_SCHEME, "https://xx.okta.com"),
        ("https:XX.okta.com", IssuerCode.NO_HOST, "https://xx.okta.com"),
        ("https:login.example.com:8443", IssuerCode.NO_HOST, "https://login.example.com:8443"),
        ("http://login.example.com/a://b.example", IssuerCode.NOT_HTTPS, ""),
        ("https://exam\tple.okta.com", IssuerCode.WHITESPACE, "https://example.okta.com"),
        ("https://exam\u00a0ple.okta.com", IssuerCode.WHITESPACE, "https://example.okta.com"),
        ("https://exam\ue000ple.okta.com", IssuerCode.INVISIBLE_CHARACTERS, "https://example.okta.com"),
        ("https://exam\u0378ple.okta.com", IssuerCode.INVISIBLE_CHARACTERS, "https://example.okta.com"),
        ("https://exam\ud800ple.okta.com", IssuerCode.INVISIBLE_CHARACTERS, "https://example.okta.com"),
        ("https://login.example.com.:8443/Staff/", IssuerCode.TRAILING_DOT, "https://login.example.com:8443/Staff/"),
        ("https://example.com:", IssuerCode.BAD_PORT, ""),
        ("https:///oauth2/default", IssuerCode.NO_HOST, ""),
        ("://example.okta.com", IssuerCode.NO_SCHEME, "https://example.okta.com"),
        ("https://login.example.com/ü", IssuerCode.BAD_PATH, ""),
        ("https://login.example.com/./a", IssuerCode.BAD_PATH, ""),
        ("https://login.example.com/..", IssuerCode.BAD_PATH, ""),
        (
            "https://login.example.com/a/.WELL-KNOWN/OpenID-Configuration/",
            IssuerCode.WELL_KNOWN,
            "https://login.example.com/a",
        ),
        (
            "https://example.okta.com/.Well-Known/oauth-authorization-server/oauth2/default",
            IssuerCode.WELL_KNOWN,
            "https://example.okta.com/oauth2/default",
        ),
        (
            "https://login.example.com:8443/.well-known/openid-configuration",
            IssuerCode.WELL_KNOWN,
            "https://login.example.com:8443",
        ),
        ("https://Example-Admin.OKTA.com/", IssuerCode.ADMIN_HOST, "https://example.okta.com"),
        ("https://example-admin.okta.com/oauth2/default/", IssuerCode.ADMIN_HOST, "https://example.okta.com"),
        ("https://example.okta.com//", IssuerCode.BAD_PATH, ""),
        ("https://example.okta.com/oauth2", IssuerCode.PAGE_ADDRESS, "https://example.okta.com"),
        ("https://example.okta.com/oauth2/a/b", IssuerCode.PAGE_ADDRESS, "https://example.okta.com"),
        ("https://okta.com/login", IssuerCode.PAGE_ADDRESS, "https://okta.com"),
        ("https://example.okta-emea.com/login", IssuerCode.PAGE_ADDRESS, "https://example.okta-emea.com"),
        ("https://example.okta-gov.com/login", IssuerCode.PAGE_ADDRESS, "https://example.okta-gov.com"),
        ("https://example.okta.mil/login", IssuerCode.PAGE_ADDRESS, "https://example.okta.mil"),
        ("https://example.trexcloud.com/login", IssuerCode.PAGE_ADDRESS, "https://example.trexcloud.com"),
        (
            "https://login.example.com/oauth2/aus1/V1/Device/Authorize",
            IssuerCode.ENDPOINT,
            "https://login.example.com/oauth2/aus1",
        ),
        (
            "https://login.example.com/oauth2/default/v1/",
            IssuerCode.ENDPOINT,
            "https://login.example.com/oauth2/default",
        ),
    ],
)
def test_a_wrong_paste_is_named_and_its_fix_is_exact(pasted: str, code: IssuerCode, suggestion: str) -> None:
    """K1: the suggestion is what the form would accept; where nothing sure can be said, nothing is."""
    with pytest.raises(IssuerProblem) as caught:
        parse_issuer(pasted)
    assert (caught.value.code, caught.value.suggestion) == (code, suggestion)


@pytest.mark.parametrize(
    "name",
    ["authorize", "token", "keys", "userinfo", "introspect", "revoke", "logout", "clients", "par", "device/authorize"],
)
def test_every_endpoint_of_okta_leads_back_to_its_issuer(name: str) -> None:
    """K1."""
    for issuer in ("https://example.okta.com/oauth2/default", "https://login.example.com/oauth2/aus1"):
        with pytest.raises(IssuerProblem) as caught:
            parse_issuer(f"{issuer}/v1/{name}")
        assert (caught.value.code, caught.value.suggestion) == (IssuerCode.ENDPOINT, issuer)


def test_an_issuer_has_its_longest_length() -> None:
    """T1: 500 characters, the spaces around it not counted."""
    longest = "https://login.example.com/" + "a" * 474
    assert parse_issuer(f" {longest}\n") == longest
    with pytest.raises(IssuerProblem) as caught:
        parse_issuer(longest + "a")
    assert (caught.value.code, str(caught.value)) == (IssuerCode.TOO_LONG, "too_long")


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "10.0.0.1",
        "8.8.8.8",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0x7f.0.0.1",
        "0177.0.0.1",
        "1.2.3.4.",
        "0x",
        "[::1]",
        "[::ffff:10.0.0.1]",
        "[64:ff9b::7f00:1]",
        "１２７.0.0.1",
        "127。0。0。1",
        "①②⑦.0.0.1",
    ],
)
def test_an_ip_literal_is_one_in_any_spelling(host: str) -> None:
    """T1."""
    with pytest.raises(IssuerProblem) as caught:
        parse_issuer(f"https://{host}")
    assert (caught.value.code, caught.value.suggestion) == (IssuerCode.IP_ADDRESS, "")


@pytest.mark.parametrize(
    "issuer",
    [
        "http://127.0.0.1:9001",
        "http://localhost:9001",
        "http://okta.localhost:9001/oauth2/default",
        "http://[::1]:9001",
        "https://localhost:9001",
    ],
)
def test_development_may_use_this_machine(issuer: str) -> None:
    """T1: only with the development setting."""
    assert parse_issuer(issuer, allow_loopback_http=True) == issuer
    with pytest.raises(IssuerProblem):
        parse_issuer(issuer)


@pytest.mark.parametrize(
    "issuer",
    [
        "http://10.0.0.1",
        "http://example.com",
        "https://127.1",
        "http://localhost.evil.example",
        "http://evillocalhost",
        "https://[::2]",
        "ftp://127.0.0.1",
        "http://127.0.0.1:0",
        "http://127.0.0.1//a",
        "http://a@localhost",
        "http:///x",
    ],
)
def test_development_opens_nothing_else(issuer: str) -> None:
    """T1."""
    with pytest.raises(IssuerProblem):
        parse_issuer(issuer, allow_loopback_http=True)


def test_a_fix_in_development_is_one_for_development() -> None:
    """K1, T1: what is suggested is what the form would accept there, and only there."""
    for allowed, suggestion in ((True, "http://127.0.0.1:9001"), (False, "")):
        with pytest.raises(IssuerProblem) as caught:
            parse_issuer("http://127.0.0.1:9001/.well-known/openid-configuration", allow_loopback_http=allowed)
        assert caught.value.suggestion == suggestion


@settings(max_examples=400, deadline=None)
@given(text=st.text(max_size=60) | st.text(max_size=40).map(lambda text: "https://" + text), development=st.booleans())
def test_whatever_is_typed_is_an_issuer_or_a_problem(text: str, development: bool) -> None:
    """T1: what comes out comes out unchanged the next time, and so does every suggestion."""
    try:
        issuer = parse_issuer(text, allow_loopback_http=development)
    except IssuerProblem as problem:
        issuer = problem.suggestion
    if issuer:
        assert parse_issuer(issuer, allow_loopback_http=development) == issuer
        assert issuer.isascii()
