"""Every reason the protocol refuses for, in one list (R4), and safe words about what was seen (R12, H30)."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from enum import StrEnum
from urllib.parse import urlsplit

from identity.egress import (
    Blocked,
    BreakerOpen,
    EgressError,
    Redirected,
    TimedOut,
    TooLarge,
)

SHOWN_CHARACTERS = 160


class Code(StrEnum):
    """Why a sign-in, or a look at a provider, was refused."""

    # The provider could not be asked.
    PROVIDER_UNREACHABLE = "provider_unreachable"
    PROVIDER_TIMEOUT = "provider_timeout"
    PROVIDER_PAUSED = "provider_paused"
    PROVIDER_UNAVAILABLE = "provider_unavailable"
    PROVIDER_ADDRESS_BLOCKED = "provider_address_blocked"
    PROVIDER_ANSWER_TOO_LARGE = "provider_answer_too_large"
    PROVIDER_REDIRECTED = "provider_redirected"
    # What it says about itself.
    DISCOVERY_NOT_FOUND = "discovery_not_found"
    DISCOVERY_MALFORMED = "discovery_malformed"
    DISCOVERY_ISSUER_MISMATCH = "discovery_issuer_mismatch"
    DISCOVERY_MISSING_ENDPOINT = "discovery_missing_endpoint"
    DISCOVERY_BAD_ENDPOINT = "discovery_bad_endpoint"
    DISCOVERY_NO_CODE_FLOW = "discovery_no_code_flow"
    DISCOVERY_NO_ALGORITHM = "discovery_no_algorithm"
    ENDPOINTS_ELSEWHERE = "endpoints_elsewhere"
    KEYS_MALFORMED = "keys_malformed"
    NO_USABLE_KEYS = "no_usable_keys"
    # The authorization response.
    RESPONSE_ISSUER_MISMATCH = "response_issuer_mismatch"
    RESPONSE_ISSUER_MISSING = "response_issuer_missing"
    ACCESS_DENIED = "access_denied"
    NOT_ASSIGNED = "not_assigned"
    LOGIN_REQUIRED = "login_required"
    INTERACTION_REQUIRED = "interaction_required"
    CONSENT_REQUIRED = "consent_required"
    PROVIDER_ERROR = "provider_error"
    # The token endpoint.
    INVALID_CLIENT = "invalid_client"
    INVALID_GRANT = "invalid_grant"
    INVALID_REQUEST = "invalid_request"
    INVALID_SCOPE = "invalid_scope"
    UNAUTHORIZED_CLIENT = "unauthorized_client"
    UNSUPPORTED_GRANT_TYPE = "unsupported_grant_type"
    BAD_TOKEN_RESPONSE = "bad_token_response"  # noqa: S105 - a reason, not a password
    CLIENT_AUTHENTICATION_IMPOSSIBLE = "client_authentication_impossible"
    # The ID token.
    MALFORMED_TOKEN = "malformed_token"  # noqa: S105
    HEADER_NOT_ALLOWED = "header_not_allowed"
    WRONG_TOKEN_TYPE = "wrong_token_type"  # noqa: S105
    ALGORITHM_NOT_ALLOWED = "algorithm_not_allowed"
    UNKNOWN_KEY = "unknown_key"
    AMBIGUOUS_KEY = "ambiguous_key"
    KEY_TOO_SMALL = "key_too_small"
    BAD_SIGNATURE = "bad_signature"
    MISSING_CLAIM = "missing_claim"
    BAD_CLAIM = "bad_claim"
    ISSUER_MISMATCH = "issuer_mismatch"
    AUDIENCE_MISMATCH = "audience_mismatch"
    AZP_MISMATCH = "azp_mismatch"
    BAD_SUBJECT = "bad_subject"
    SUBJECT_CHANGED = "subject_changed"
    EXPIRED = "expired"
    NOT_YET_VALID = "not_yet_valid"
    ISSUED_IN_FUTURE = "issued_in_future"
    TOO_OLD = "too_old"
    ABSURD_TIME = "absurd_time"
    NONCE_MISMATCH = "nonce_mismatch"
    AT_HASH_MISMATCH = "at_hash_mismatch"
    C_HASH_MISMATCH = "c_hash_mismatch"
    AUTHENTICATION_TOO_OLD = "authentication_too_old"
    ACR_MISMATCH = "acr_mismatch"
    SESSION_OVER = "session_over"
    # Userinfo.
    USERINFO_REFUSED = "userinfo_refused"
    BAD_USERINFO_RESPONSE = "bad_userinfo_response"
    USERINFO_SUBJECT_MISMATCH = "userinfo_subject_mismatch"


_OUTAGES = frozenset(
    {Code.PROVIDER_UNREACHABLE, Code.PROVIDER_TIMEOUT, Code.PROVIDER_PAUSED, Code.PROVIDER_UNAVAILABLE}
)


def shown(value: object, limit: int = SHOWN_CHARACTERS) -> str:
    """Return `value` as one short line of text that is safe to log and, escaped, to show (H30).

    Control, direction, zero-width and unassigned characters go, and so does what is over `limit` characters.
    """
    text = value if isinstance(value, str) else str(value)
    text = text[: limit * 4]
    if not (text.isascii() and text.isprintable()):
        text = "".join(" " if unicodedata.category(c)[0] in "CZ" else c for c in text)
    text = " ".join(text.split())
    return text if len(text) <= limit else text[: limit - 1] + "…"


class Refused(Exception):
    """A deliberate no. `code` says why; `expected` and `got` are short, printable and never secret.

    `said` is what a token claims that the provider did sign, though a check of it failed: to look at, not to believe.
    """

    def __init__(
        self, code: Code, *, expected: object = "", got: object = "", said: Mapping[str, object] | None = None
    ) -> None:
        self.code = code
        self.expected = shown(expected)
        self.got = shown(got)
        self.said = said
        super().__init__(code.value)

    def __str__(self) -> str:
        return self.code.value

    @property
    def is_outage(self) -> bool:
        """Whether the provider could not answer, rather than answering wrongly (HTTP 503)."""
        return self.code in _OUTAGES


_OF_EGRESS: dict[type[EgressError], Code] = {
    Blocked: Code.PROVIDER_ADDRESS_BLOCKED,
    BreakerOpen: Code.PROVIDER_PAUSED,
    Redirected: Code.PROVIDER_REDIRECTED,
    TimedOut: Code.PROVIDER_TIMEOUT,
    TooLarge: Code.PROVIDER_ANSWER_TOO_LARGE,
}


def from_egress(error: EgressError) -> Refused:
    """Return the refusal that a request without a usable answer leads to."""
    return Refused(_OF_EGRESS.get(type(error), Code.PROVIDER_UNREACHABLE))


def origin_of(url: str) -> str:
    """Return scheme, host and port of a URL that was checked before."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}".lower()
