"""*Check*: what a provider says about itself, line by line and coarse (T4)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from identity.egress import Egress
from identity.oidc.authorization import AuthMethod, RelyingParty
from identity.oidc.client_keys import CLIENT_ALGORITHMS
from identity.oidc.issuer import IssuerProblem, parse_issuer
from identity.oidc.keys import RSA_BITS_MIN, KeySet, fetch_keys
from identity.oidc.metadata import Metadata, discover
from identity.oidc.refusals import Code, Refused


class State(StrEnum):
    """How a finding ended. A warning does not stand in the way of enabling."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    NOT_CHECKED = "not_checked"


class Line(StrEnum):
    """What is looked at, in the order it is shown."""

    ANSWERS = "answers"
    ISSUER = "issuer"
    ENDPOINTS = "endpoints"
    ORIGINS = "origins"
    CODE_FLOW = "code_flow"
    PKCE = "pkce"
    ALGORITHMS = "algorithms"
    KEYS = "keys"
    CLIENT_AUTHENTICATION = "client_authentication"
    REFRESH_TOKEN = "refresh_token"  # noqa: S105 - a line, not a password
    RESPONSE_ISSUER = "response_issuer"
    LOGOUT = "logout"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line. `problem` is a refusal's code or empty; `data` holds short, safe values for the sentence."""

    line: Line
    state: State
    problem: str = ""
    data: Mapping[str, str | int] = field(default_factory=lambda: MappingProxyType({}), hash=False)

    def as_json(self) -> dict[str, object]:
        """Return it as plain data, to be stored."""
        return {"line": self.line.value, "state": self.state.value, "problem": self.problem, "data": dict(self.data)}


# At which line a refusal of discovery is seen, if not at the first; the lines before it passed.
_LINE_OF = {
    Code.DISCOVERY_ISSUER_MISMATCH: Line.ISSUER,
    Code.DISCOVERY_MISSING_ENDPOINT: Line.ENDPOINTS,
    Code.DISCOVERY_BAD_ENDPOINT: Line.ENDPOINTS,
    Code.DISCOVERY_NO_CODE_FLOW: Line.CODE_FLOW,
    Code.DISCOVERY_NO_ALGORITHM: Line.ALGORITHMS,
}


def check_provider(rp: RelyingParty, egress: Egress, *, signs_with: str = "") -> list[Finding]:
    """Ask the provider of `rp` afresh, in two requests, and return a finding for every line. Never raises `Refused`.

    `signs_with` is the algorithm of the key that proves us, where it is a key.
    """
    try:
        metadata = discover(rp.issuer, egress, key=rp.connection_id)
    except Refused as refused:
        found = {finding.line: finding for finding in _refused(refused, rp.issuer, egress.allow_loopback_http)}
    else:
        found = {finding.line: finding for finding in _findings(rp, metadata, egress, signs_with)}
    return [found.get(line) or Finding(line, State.NOT_CHECKED) for line in Line]


def _refused(refused: Refused, issuer: str, allow_loopback_http: bool) -> Iterator[Finding]:
    line = _LINE_OF.get(refused.code, Line.ANSWERS)
    # What was certainly looked at before: the order of `parse_metadata`.
    for passed in (Line.ANSWERS, Line.ISSUER, Line.ENDPOINTS, Line.CODE_FLOW):
        if passed is line:
            break
        yield Finding(passed, State.OK)
    data: dict[str, str | int] = {}
    if refused.expected:
        data["expected"] = refused.expected
    if refused.got:
        data["got"] = refused.got
    # Only what differs in a trailing slash is surely meant; another issuer is for a person to judge.
    is_near = refused.got.rstrip("/") == issuer.rstrip("/")
    if refused.code is Code.DISCOVERY_ISSUER_MISMATCH and is_near and _is_usable(refused.got, allow_loopback_http):
        data["suggestion"] = refused.got
    yield Finding(line, State.FAILED, refused.code.value, MappingProxyType(data))


def _is_usable(issuer: str, allow_loopback_http: bool) -> bool:
    try:
        return parse_issuer(issuer, allow_loopback_http=allow_loopback_http) == issuer
    except IssuerProblem:
        return False


def _findings(rp: RelyingParty, metadata: Metadata, egress: Egress, signs_with: str) -> Iterator[Finding]:
    yield Finding(Line.ANSWERS, State.OK)
    yield _with(Line.ISSUER, State.OK, issuer=metadata.issuer)
    yield Finding(Line.ENDPOINTS, State.OK)
    strangers = " ".join(sorted(metadata.origins_elsewhere - rp.accepted_origins))
    if strangers:
        yield _with(Line.ORIGINS, State.FAILED, Code.ENDPOINTS_ELSEWHERE, origins=strangers)
    else:
        yield Finding(Line.ORIGINS, State.OK)
    yield Finding(Line.CODE_FLOW, State.OK)
    yield Finding(Line.PKCE, State.OK if metadata.is_s256_advertised else State.WARNING)
    yield _with(Line.ALGORITHMS, State.OK, algorithms=" ".join(metadata.algorithms))
    yield _keys(rp, metadata, egress)
    yield _client_authentication(rp, metadata, signs_with)
    has_refresh = "offline_access" in metadata.scopes and metadata.is_refresh_token_granted
    yield Finding(Line.REFRESH_TOKEN, State.OK if has_refresh else State.WARNING)
    yield Finding(Line.RESPONSE_ISSUER, State.OK if metadata.is_response_issuer_promised else State.WARNING)
    yield Finding(Line.LOGOUT, State.OK if metadata.end_session_endpoint else State.WARNING)


def _keys(rp: RelyingParty, metadata: Metadata, egress: Egress) -> Finding:
    if metadata.origins_elsewhere - rp.accepted_origins:
        return Finding(Line.KEYS, State.NOT_CHECKED)
    try:
        keys: KeySet = fetch_keys(metadata, egress, key=rp.connection_id)
    except Refused as refused:
        return Finding(Line.KEYS, State.FAILED, refused.code.value)
    usable = [key for key in keys.keys if key.kty != "RSA" or key.bits >= RSA_BITS_MIN]
    if not usable:
        return _with(Line.KEYS, State.FAILED, Code.KEY_TOO_SMALL, expected=RSA_BITS_MIN)
    nameless = any(count > 1 for count in Counter(key.kid for key in keys.keys).values())
    return _with(Line.KEYS, State.WARNING if nameless else State.OK, keys=len(usable))


def _client_authentication(rp: RelyingParty, metadata: Metadata, signs_with: str) -> Finding:
    line, offered = Line.CLIENT_AUTHENTICATION, [name for name in metadata.auth_methods if name in set(AuthMethod)]
    said: dict[str, Any] = {"method": str(rp.auth_method), "offered": " ".join(offered)}
    if rp.auth_method not in offered:
        return _with(line, State.FAILED, Code.CLIENT_AUTHENTICATION_IMPOSSIBLE, **said)
    if rp.auth_method == AuthMethod.PRIVATE_KEY_JWT:
        taken = [name for name in CLIENT_ALGORITHMS if name in metadata.auth_signing_algorithms]
        said |= {"signs_with": signs_with, "algorithms": " ".join(taken)}
        if metadata.auth_signing_algorithms and signs_with not in taken:
            return _with(line, State.FAILED, Code.CLIENT_AUTHENTICATION_IMPOSSIBLE, **said)
    return _with(line, State.OK, **said)


def _with(line: Line, state: State, problem: Code | None = None, **data: str | int) -> Finding:
    return Finding(line, state, problem.value if problem else "", MappingProxyType(data))
