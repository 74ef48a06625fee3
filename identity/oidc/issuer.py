"""The issuer as people paste it (T1, K1): kept exactly, or refused with the exact fix."""

from __future__ import annotations

import re
import unicodedata
from enum import StrEnum
from urllib.parse import urlsplit

import idna

MAX_CHARACTERS = 500

_OKTA = re.compile(r"(^|\.)(okta|oktapreview|okta-emea|okta-gov|trexcloud)\.(com|mil)$")
_OKTA_ADMIN = re.compile(r"([a-z0-9-]+)-admin\.(.+)")
_OKTA_ISSUER_PATH = re.compile(r"(/oauth2/[A-Za-z0-9_-]+)?")
_WELL_KNOWN = re.compile(r"/\.well-known/(openid-configuration|oauth-authorization-server)/?$", re.IGNORECASE)
_WELL_KNOWN_FIRST = re.compile(r"/\.well-known/oauth-authorization-server(/.+)", re.IGNORECASE)
_ENDPOINT = re.compile(
    r"/v1(/(authorize|token|keys|userinfo|introspect|revoke|logout|clients|par|device/authorize))?/?$", re.IGNORECASE
)
_NUMERIC_LABEL = re.compile(r"[0-9]+|0[xX][0-9a-fA-F]*")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:(?!\d+(/|$))")
_LOOPBACK_HOSTS = frozenset({"127.0.0.1", "::1", "localhost"})


class IssuerCode(StrEnum):
    """What is wrong with an issuer as typed."""

    EMPTY = "empty"
    TOO_LONG = "too_long"
    INVISIBLE_CHARACTERS = "invisible_characters"
    WHITESPACE = "whitespace"
    NO_SCHEME = "no_scheme"
    NOT_HTTPS = "not_https"
    USER_INFO = "user_info"
    QUERY = "query"
    FRAGMENT = "fragment"
    NO_HOST = "no_host"
    BAD_HOST = "bad_host"
    NO_DOT = "no_dot"
    IP_ADDRESS = "ip_address"
    BAD_PORT = "bad_port"
    BAD_PATH = "bad_path"
    TRAILING_DOT = "trailing_dot"
    ADMIN_HOST = "admin_host"
    WELL_KNOWN = "well_known"
    ENDPOINT = "endpoint"
    TRAILING_SLASH = "trailing_slash"
    PAGE_ADDRESS = "page_address"


class IssuerProblem(ValueError):
    """The text is not an issuer. `suggestion` is the exact issuer that was probably meant, or empty."""

    def __init__(self, code: IssuerCode, suggestion: str = "") -> None:
        self.code = code
        self.suggestion = suggestion
        super().__init__(code.value)


def is_loopback_host(host: str) -> bool:
    """Whether `host` can only be this machine, by its name alone (RFC 6761)."""
    return host in _LOOPBACK_HOSTS or host.endswith(".localhost")


def is_ip_literal(host: str) -> bool:
    """Whether any resolver would read `host` as a number: dotted, decimal, octal, hex, or version 6."""
    return ":" in host or bool(_NUMERIC_LABEL.fullmatch(host.rstrip(".").rsplit(".", 1)[-1]))


def parse_issuer(text: str, *, allow_loopback_http: bool = False) -> str:
    """Return the issuer in `text`: scheme and host in their one spelling, everything else kept exactly.

    Spaces around it are dropped. With `allow_loopback_http` (development only), http and IP literals of
    this machine pass. Raises `IssuerProblem`, whose suggestion has itself passed every rule here.
    """
    try:
        return _parsed(text.strip(), allow_loopback_http)
    except IssuerProblem as problem:
        raise IssuerProblem(problem.code, _followed(problem.suggestion, allow_loopback_http)) from None


def _followed(suggestion: str, allow_loopback_http: bool) -> str:
    """Fix what the fix still has wrong; a suggestion is only given when it would be accepted."""
    for _ in range(8):
        if not suggestion:
            return ""
        try:
            return _parsed(suggestion, allow_loopback_http)
        except IssuerProblem as problem:
            suggestion = problem.suggestion
    return ""


def _parsed(text: str, allow_loopback_http: bool) -> str:
    _check_characters(text)
    scheme_found = _SCHEME.match(text)
    if not scheme_found:
        raise IssuerProblem(IssuerCode.NO_SCHEME, "https://" + text.lstrip("/:"))
    try:
        parts = urlsplit(text)
        port = parts.port
        host = parts.hostname or ""
    except ValueError:
        raise IssuerProblem(IssuerCode.BAD_HOST) from None
    rest = text.partition("://")[2]
    if parts.scheme == "http" and not (allow_loopback_http and is_loopback_host(host)):
        raise IssuerProblem(IssuerCode.NOT_HTTPS, "https://" + rest if rest else "")
    if parts.scheme not in ("https", "http"):
        raise IssuerProblem(IssuerCode.NOT_HTTPS)
    if not host or not rest:
        meant = text.partition(":")[2].lstrip("/")
        raise IssuerProblem(IssuerCode.NO_HOST, f"{parts.scheme}://{meant}" if meant else "")
    if "@" in parts.netloc:
        raise IssuerProblem(IssuerCode.USER_INFO, f"{parts.scheme}://{rest.partition('@')[2]}")
    if "#" in text:
        raise IssuerProblem(IssuerCode.FRAGMENT, text.partition("#")[0])
    if "?" in text:
        raise IssuerProblem(IssuerCode.QUERY, text.partition("?")[0])
    if parts.netloc.endswith(":") or port == 0:
        raise IssuerProblem(IssuerCode.BAD_PORT)
    host = _checked_host(host, allow_loopback_http, f"{parts.scheme}://", f":{port}" if port else "", parts.path)
    netloc = (f"[{host}]" if ":" in host else host) + (f":{port}" if port is not None else "")
    _check_path(f"{parts.scheme}://{netloc}", host, parts.path)
    return f"{parts.scheme}://{netloc}{parts.path}"


def _check_characters(text: str) -> None:
    if not text:
        raise IssuerProblem(IssuerCode.EMPTY)
    if len(text) > MAX_CHARACTERS:
        raise IssuerProblem(IssuerCode.TOO_LONG)
    if any(unicodedata.category(character) in ("Cc", "Cf", "Cs", "Co", "Cn") for character in text.replace("\t", " ")):
        cleaned = "".join(c for c in text if unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Co", "Cn"))
        raise IssuerProblem(IssuerCode.INVISIBLE_CHARACTERS, cleaned)
    if any(character.isspace() for character in text):
        raise IssuerProblem(IssuerCode.WHITESPACE, "".join(text.split()))
    if "\\" in text:
        raise IssuerProblem(IssuerCode.BAD_PATH, text.replace("\\", "/"))


def _checked_host(host: str, allow_loopback: bool, before: str, port: str, path: str) -> str:
    if allow_loopback and is_loopback_host(host):
        return host
    if ":" in host:
        raise IssuerProblem(IssuerCode.IP_ADDRESS)
    try:
        name = idna.encode(host.rstrip("."), uts46=True).decode("ascii")
    except UnicodeError:  # IDNA's own errors are some
        if is_ip_literal(unicodedata.normalize("NFKC", host)):
            raise IssuerProblem(IssuerCode.IP_ADDRESS) from None
        raise IssuerProblem(IssuerCode.BAD_HOST) from None
    if is_ip_literal(name):
        raise IssuerProblem(IssuerCode.IP_ADDRESS)
    if host.endswith("."):
        raise IssuerProblem(IssuerCode.TRAILING_DOT, f"{before}{name}{port}{path}")
    if "." not in name:
        raise IssuerProblem(IssuerCode.NO_DOT)
    return name


def _check_path(origin: str, host: str, path: str) -> None:
    if well_known := _WELL_KNOWN_FIRST.fullmatch(path):
        raise IssuerProblem(IssuerCode.WELL_KNOWN, origin + well_known[1])
    if well_known := _WELL_KNOWN.search(path):
        raise IssuerProblem(IssuerCode.WELL_KNOWN, origin + path[: well_known.start()])
    if not path.isascii() or "//" in path or any(part in (".", "..") for part in path.split("/")):
        raise IssuerProblem(IssuerCode.BAD_PATH)
    if not _OKTA.search(host):
        # A domain of the customer's own may still be Okta; its paths give it away.
        if path.startswith("/oauth2/") and _ENDPOINT.search(path):
            raise IssuerProblem(IssuerCode.ENDPOINT, origin + _okta_path(path))
        return
    if admin := _OKTA_ADMIN.fullmatch(host):
        kept = path if _OKTA_ISSUER_PATH.fullmatch(path) else ""
        raise IssuerProblem(IssuerCode.ADMIN_HOST, f"https://{admin[1]}.{admin[2]}{kept}")
    if path.endswith("/"):
        raise IssuerProblem(IssuerCode.TRAILING_SLASH, origin + path.rstrip("/"))
    if path.startswith("/oauth2/") and _ENDPOINT.search(path):
        raise IssuerProblem(IssuerCode.ENDPOINT, origin + _okta_path(path))
    if not _OKTA_ISSUER_PATH.fullmatch(path):
        raise IssuerProblem(IssuerCode.PAGE_ADDRESS, origin)


def _okta_path(path: str) -> str:
    """Return the issuer's path of an endpoint: `/oauth2/v1/token` is the organization's own server."""
    kept = _ENDPOINT.sub("", path)
    return "" if kept == "/oauth2" else kept
