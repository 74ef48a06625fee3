"""OpenID Connect, the relying party's side. Knows neither Django nor any app.

A sign-in in the order it happens: `parse_issuer` when the connection is made, `check_provider` for *Check*;
then `ProviderCache.metadata` → `authorization_url` → (browser) → `check_response_issuer` → `exchange_code` →
`verify_id_token` → `Claims`. Every no on the way is a `Refused` with a `Code`.
"""

from identity.oidc.authorization import (
    AuthMethod,
    RelyingParty,
    authorization_url,
    challenge_of,
    check_response_issuer,
    fresh_nonce,
    fresh_state,
    fresh_verifier,
    refusal_of_response,
)
from identity.oidc.check import Finding, Line, State, check_provider
from identity.oidc.client_keys import CLIENT_ALGORITHMS, SigningKey
from identity.oidc.documents import Malformed, thawed
from identity.oidc.id_token import Claims, verify_id_token, verify_refreshed_id_token
from identity.oidc.issuer import IssuerCode, IssuerProblem, parse_issuer
from identity.oidc.keys import KeySet, KeySource, ProviderCache, fetch_keys
from identity.oidc.logout import (
    SignOut,
    Whom,
    logout_url,
    parse_revocation,
    verify_logout_token,
    verify_revocation_token,
)
from identity.oidc.metadata import Metadata, discover, parse_metadata
from identity.oidc.refusals import Code, Refused, origin_of, shown
from identity.oidc.tokens import RefreshedTokens, TokenResponse, basic_credentials, exchange_code, refresh
from identity.oidc.userinfo import lacks, with_userinfo

__all__ = [
    "CLIENT_ALGORITHMS",
    "AuthMethod",
    "Claims",
    "Code",
    "Finding",
    "IssuerCode",
    "IssuerProblem",
    "KeySet",
    "KeySource",
    "Line",
    "Malformed",
    "Metadata",
    "ProviderCache",
    "RefreshedTokens",
    "Refused",
    "RelyingParty",
    "SignOut",
    "SigningKey",
    "State",
    "TokenResponse",
    "Whom",
    "authorization_url",
    "basic_credentials",
    "challenge_of",
    "check_provider",
    "check_response_issuer",
    "discover",
    "exchange_code",
    "fetch_keys",
    "fresh_nonce",
    "fresh_state",
    "fresh_verifier",
    "lacks",
    "logout_url",
    "origin_of",
    "parse_issuer",
    "parse_metadata",
    "parse_revocation",
    "refresh",
    "refusal_of_response",
    "shown",
    "thawed",
    "verify_id_token",
    "verify_logout_token",
    "verify_refreshed_id_token",
    "verify_revocation_token",
    "with_userinfo",
]
