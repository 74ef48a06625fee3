from invitations.models.invitation import (
    ENDED,
    ENDS_SOON,
    LASTS,
    LASTS_AT_MOST,
    NEED_SOMEONE,
    ON_THEIR_WAY,
    HereAlready,
    Invitation,
    InvitationQuerySet,
    State,
    is_in_one_of,
    is_in_state,
)
from invitations.models.link import NotRedeemable, hash_token
from invitations.models.switch import NotReady, Step, Switch

__all__ = [
    "ENDED",
    "ENDS_SOON",
    "LASTS",
    "LASTS_AT_MOST",
    "NEED_SOMEONE",
    "ON_THEIR_WAY",
    "HereAlready",
    "Invitation",
    "InvitationQuerySet",
    "NotReady",
    "NotRedeemable",
    "State",
    "Step",
    "Switch",
    "hash_token",
    "is_in_one_of",
    "is_in_state",
]
