"""A sign-in that failed: which check said no, why, and which value to correct."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _

from identity.oidc import Code
from identity.refusal_pages import Stop
from identity.refused import REASONS, Reason, reason_of

# Which value on the set-up page to correct, where there is one, and what the check is called there.
_CORRECT: dict[Code | Reason, tuple[str, Promise]] = {
    Code.INVALID_CLIENT: ("client_secret", _("Client secret")),
    Reason.SECRET_UNREADABLE: ("client_secret", _("Client secret")),
    Reason.CONNECTION_INCOMPLETE: ("client_secret", _("Client secret")),
    Code.CLIENT_AUTHENTICATION_IMPOSSIBLE: ("client_authentication", _("Client authentication")),
    Code.INVALID_SCOPE: ("scopes", _("OAuth scopes")),
    Code.AUTHENTICATION_TOO_OLD: ("max_age_minutes", _("Age of the sign-in")),
    Code.ACR_MISMATCH: ("acr_values", _("Strength of the sign-in")),
    Code.AUDIENCE_MISMATCH: ("client_id", _("Client ID")),
    Code.AZP_MISMATCH: ("client_id", _("Client ID")),
    Code.ISSUER_MISMATCH: ("issuer", _("Issuer")),
    Code.RESPONSE_ISSUER_MISMATCH: ("issuer", _("Issuer")),
    Code.DISCOVERY_ISSUER_MISMATCH: ("issuer", _("Issuer")),
    Code.DISCOVERY_NOT_FOUND: ("issuer", _("Issuer")),
    Code.PROVIDER_REDIRECTED: ("issuer", _("Issuer")),
    Code.PROVIDER_ADDRESS_BLOCKED: ("issuer", _("Issuer")),
}
# What is called by its own name though nothing here is to be corrected.
_CHECKS: dict[Code | Reason, Promise] = {
    Code.NOT_ASSIGNED: _("Assignment"),
    Code.ACCESS_DENIED: _("Sign-on policy"),
    Code.UNAUTHORIZED_CLIENT: _("Grant types"),
    Code.UNSUPPORTED_GRANT_TYPE: _("Grant types"),
    Code.INVALID_GRANT: _("Redirect URI"),
    Code.BAD_SIGNATURE: _("Signature"),
    Code.UNKNOWN_KEY: _("Signing keys"),
    Code.AMBIGUOUS_KEY: _("Signing keys"),
    Code.KEY_TOO_SMALL: _("Signing keys"),
    Code.ALGORITHM_NOT_ALLOWED: _("Signatures"),
    Code.EXPIRED: _("Clocks"),
    Code.NOT_YET_VALID: _("Clocks"),
    Code.ISSUED_IN_FUTURE: _("Clocks"),
    Code.TOO_OLD: _("Clocks"),
    Code.NONCE_MISMATCH: _("Nonce"),
    Code.ENDPOINTS_ELSEWHERE: _("Addresses"),
}
_AT = {Stop.PROVIDER: _("Answer"), Stop.HOUSE: _("Proof"), Stop.UNTRIED: _("Connection")}


@dataclass(frozen=True)
class Mistake:
    """``check`` names what said no; ``text`` is why, with the fix; ``field`` is the value to correct, or empty.

    ``stop`` and ``note`` are where the path ended and the word beneath it.
    """

    code: str
    check: str
    text: str
    field: str
    stop: str
    note: str

    @property
    def anchor(self) -> str:
        """Where on the set-up page that value is, to be put behind its address; empty where there is none."""
        if self.field == "client_secret":
            return "?replace#secret"
        if self.field == "credentials":
            return "#credentials"
        return f"#id_{self.field}" if self.field else ""


def of(refusal: Mapping[str, str], *, provider: str, enterprise: str, is_proved_by_key: bool) -> Mistake:
    """Return the mistake behind ``refusal`` (code, expected, got); the names are for its words."""
    reason = reason_of(refusal["code"]) or Code.PROVIDER_ERROR
    page, fix = REASONS[reason].page, REASONS[reason].fix
    field, check = _CORRECT.get(reason) or ("", _CHECKS.get(reason) or _AT[page.stop])
    if field == "client_secret" and is_proved_by_key:
        field, check = "credentials", _("Public key")
    text = str(fix) % {
        "provider": provider,
        "enterprise": enterprise,
        "app": "Gatehouse",
        "expected": refusal.get("expected") or "—",
        "got": refusal.get("got") or "—",
    }
    return Mistake(reason.value, str(check), capfirst(text), field, page.stop.value, str(page.note))
