"""Userinfo: asked only for what the ID token lacks, and never the authority (R15, H11)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from identity.egress import Egress, EgressError
from identity.oidc.authorization import RelyingParty
from identity.oidc.documents import Malformed, parse_object
from identity.oidc.id_token import Claims, person
from identity.oidc.metadata import Metadata
from identity.oidc.refusals import Code, Refused, from_egress


def lacks(claims: Claims, *wanted: str) -> bool:
    """Whether one of the `wanted` claims (names of `Claims`, such as "email") is not in the ID token."""
    return any(not getattr(claims, name) for name in wanted)


def with_userinfo(claims: Claims, rp: RelyingParty, metadata: Metadata, access_token: str, egress: Egress) -> Claims:
    """Return `claims` with what they lack filled in from userinfo (Core, section 5.3). Raises `Refused`.

    Nothing the ID token says is changed, and `raw` stays the ID token's. Without an endpoint, nothing is added.
    """
    rp.accept(metadata)
    if not metadata.userinfo_endpoint:
        return claims
    found = person(_fetched(claims, rp, metadata, access_token, egress))
    added = {name: value for name, value in found.items() if value and not getattr(claims, name)}
    # An email proves nothing about another: the flag goes with the email it came with.
    added.pop("is_email_verified", None)
    if "email" in added:
        added["is_email_verified"] = found["is_email_verified"]
    return replace(claims, **added)  # type: ignore[arg-type]


def _fetched(
    claims: Claims, rp: RelyingParty, metadata: Metadata, access_token: str, egress: Egress
) -> Mapping[str, object]:
    headers = {"Accept": "application/json", "Authorization": f"Bearer {access_token}"}
    try:
        response = egress.get(metadata.userinfo_endpoint, key=rp.connection_id, headers=headers)
    except EgressError as error:
        raise from_egress(error) from None
    if response.status >= 500 or response.status == 429:
        raise Refused(Code.PROVIDER_UNAVAILABLE, got=response.status)
    if response.status != 200:
        raise Refused(Code.USERINFO_REFUSED, got=response.status)
    try:
        document = parse_object(response.body)
    except Malformed:
        raise Refused(Code.BAD_USERINFO_RESPONSE) from None
    if document.get("sub") != claims.sub:
        raise Refused(Code.USERINFO_SUBJECT_MISMATCH)
    return document
