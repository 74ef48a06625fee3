"""Every reason for a refusal in a few words, for administrators who read lists: what failed, and nothing about the fix.

Beside the reasons of ``identity.refused``, which also have a page and a fix, there are a few that no page is about.
"""

from __future__ import annotations

from collections.abc import Mapping

from django.utils.functional import Promise
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from audit.models import Event
from identity.oidc import Code
from identity.refused import Reason
from identity.signing_out import Outcome

# Signing in without a provider, which no page of ours refuses: the form itself says no.
LOCAL: Mapping[str, Promise] = {
    "wrong_credentials": gettext_lazy("Email and password did not fit together"),
    "account_changed": gettext_lazy("The account was changed while its owner was signing in"),
    "provider_required": gettext_lazy("Has to sign in through the provider by now"),
}
WHAT: Mapping[str, Promise] = {
    **LOCAL,
    # The provider could not be asked.
    Code.PROVIDER_UNREACHABLE: gettext_lazy("%(provider)s could not be reached"),
    Code.PROVIDER_TIMEOUT: gettext_lazy("%(provider)s did not answer in time"),
    Code.PROVIDER_PAUSED: gettext_lazy("%(provider)s was not asked: it had failed several times in a row"),
    Code.PROVIDER_UNAVAILABLE: gettext_lazy("%(provider)s said that it cannot serve at the moment"),
    Code.PROVIDER_ADDRESS_BLOCKED: gettext_lazy("%(provider)s has an address that is not public"),
    Code.PROVIDER_ANSWER_TOO_LARGE: gettext_lazy("%(provider)s answered with more than 512 KiB"),
    Code.PROVIDER_REDIRECTED: gettext_lazy("%(provider)s answered with a redirect"),
    # What it says about itself.
    Code.DISCOVERY_NOT_FOUND: gettext_lazy("There is no provider at the issuer"),
    Code.DISCOVERY_MALFORMED: gettext_lazy("The metadata of %(provider)s cannot be read"),
    Code.DISCOVERY_ISSUER_MISMATCH: gettext_lazy("The metadata of %(provider)s names another issuer"),
    Code.DISCOVERY_MISSING_ENDPOINT: gettext_lazy("The metadata of %(provider)s lacks an address"),
    Code.DISCOVERY_BAD_ENDPOINT: gettext_lazy("The metadata of %(provider)s has an address that is not safe"),
    Code.DISCOVERY_NO_CODE_FLOW: gettext_lazy("%(provider)s does not offer the authorization code flow"),
    Code.DISCOVERY_NO_ALGORITHM: gettext_lazy("%(provider)s signs with no algorithm that is accepted"),
    Code.ENDPOINTS_ELSEWHERE: gettext_lazy("%(provider)s has addresses nobody said yes to"),
    Code.KEYS_MALFORMED: gettext_lazy("The signing keys of %(provider)s cannot be read"),
    Code.NO_USABLE_KEYS: gettext_lazy("%(provider)s publishes no signing key that is accepted"),
    # The authorization response.
    Code.RESPONSE_ISSUER_MISMATCH: gettext_lazy("The answer came from another provider"),
    Code.RESPONSE_ISSUER_MISSING: gettext_lazy("The answer does not say which provider it is from"),
    Code.ACCESS_DENIED: gettext_lazy("Cancelled, or not let through by %(provider)s"),
    Code.NOT_ASSIGNED: gettext_lazy("Not assigned to the app in %(provider)s"),
    Code.LOGIN_REQUIRED: gettext_lazy("Was not signed in at %(provider)s"),
    Code.INTERACTION_REQUIRED: gettext_lazy("%(provider)s had to ask something first"),
    Code.CONSENT_REQUIRED: gettext_lazy("Did not agree at %(provider)s"),
    Code.PROVIDER_ERROR: gettext_lazy("%(provider)s answered with an error"),
    # The token endpoint.
    Code.INVALID_CLIENT: gettext_lazy("%(provider)s does not accept our client ID and secret"),
    Code.INVALID_GRANT: gettext_lazy("%(provider)s does not accept the code it gave"),
    Code.INVALID_REQUEST: gettext_lazy("%(provider)s does not understand our request"),
    Code.INVALID_SCOPE: gettext_lazy("%(provider)s does not know one of the scopes"),
    Code.UNAUTHORIZED_CLIENT: gettext_lazy("%(provider)s does not allow the app this grant type"),
    Code.UNSUPPORTED_GRANT_TYPE: gettext_lazy("%(provider)s does not know this grant type"),
    Code.BAD_TOKEN_RESPONSE: gettext_lazy("The answer with the tokens cannot be read"),
    Code.CLIENT_AUTHENTICATION_IMPOSSIBLE: gettext_lazy("We have nothing to prove ourselves to %(provider)s with"),
    # The ID token.
    Code.MALFORMED_TOKEN: gettext_lazy("The ID token cannot be read"),
    Code.HEADER_NOT_ALLOWED: gettext_lazy("The ID token brings rules of its own"),
    Code.WRONG_TOKEN_TYPE: gettext_lazy("The token is no ID token"),
    Code.ALGORITHM_NOT_ALLOWED: gettext_lazy("The ID token is signed with an algorithm that is not accepted"),
    Code.UNKNOWN_KEY: gettext_lazy("The ID token is signed with an unknown key"),
    Code.AMBIGUOUS_KEY: gettext_lazy("The ID token does not say with which key it is signed"),
    Code.KEY_TOO_SMALL: gettext_lazy("The ID token is signed with a key that is too small"),
    Code.BAD_SIGNATURE: gettext_lazy("The signature of the ID token is wrong"),
    Code.MISSING_CLAIM: gettext_lazy("The ID token lacks a claim"),
    Code.BAD_CLAIM: gettext_lazy("A claim of the ID token makes no sense"),
    Code.ISSUER_MISMATCH: gettext_lazy("The ID token is from another issuer"),
    Code.AUDIENCE_MISMATCH: gettext_lazy("The ID token is for another app"),
    Code.AZP_MISMATCH: gettext_lazy("The ID token was asked for by another app"),
    Code.BAD_SUBJECT: gettext_lazy("The ID token names nobody"),
    Code.SUBJECT_CHANGED: gettext_lazy("The new ID token is about somebody else"),
    Code.EXPIRED: gettext_lazy("The ID token has expired"),
    Code.NOT_YET_VALID: gettext_lazy("The ID token is not valid yet"),
    Code.ISSUED_IN_FUTURE: gettext_lazy("The ID token is from the future"),
    Code.TOO_OLD: gettext_lazy("The ID token is too old"),
    Code.ABSURD_TIME: gettext_lazy("The times in the ID token make no sense"),
    Code.NONCE_MISMATCH: gettext_lazy("The ID token answers another sign-in"),
    Code.AT_HASH_MISMATCH: gettext_lazy("The ID token belongs to another access token"),
    Code.C_HASH_MISMATCH: gettext_lazy("The ID token belongs to another code"),
    Code.AUTHENTICATION_TOO_OLD: gettext_lazy("%(provider)s did not ask for a new sign-in"),
    Code.ACR_MISMATCH: gettext_lazy("Signed in less strongly than asked for"),
    Code.SESSION_OVER: gettext_lazy("The session at %(provider)s had run out"),
    # Userinfo.
    Code.USERINFO_REFUSED: gettext_lazy("%(provider)s refused to say more about the person"),
    Code.BAD_USERINFO_RESPONSE: gettext_lazy("What %(provider)s says about the person cannot be read"),
    Code.USERINFO_SUBJECT_MISMATCH: gettext_lazy("Userinfo is about somebody else"),
    # The attempt.
    Reason.ATTEMPT_UNKNOWN: gettext_lazy("Did not begin in this browser, or was used before"),
    Reason.ATTEMPT_EXPIRED: gettext_lazy("Took longer than ten minutes"),
    Reason.RESPONSE_INCOMPLETE: gettext_lazy("Came back with neither a code nor an error"),
    Reason.NOT_THE_TESTER: gettext_lazy("A test came back without whoever began it"),
    Reason.NOT_THE_SAME_PERSON: gettext_lazy("Came back as somebody else to confirm a change"),
    Reason.NOT_THE_SAME_SESSION: gettext_lazy("The session that asked for it had ended"),
    # The connection.
    Reason.CONNECTION_CHANGED: gettext_lazy("The settings changed during the sign-in"),
    Reason.CONNECTION_DISABLED: gettext_lazy("The connection is not enabled"),
    Reason.CONNECTION_INCOMPLETE: gettext_lazy("The connection is not complete"),
    Reason.SECRET_UNREADABLE: gettext_lazy("The stored client secret does not open"),
    Reason.INITIATED_ELSEWHERE: gettext_lazy("A tile began it for another issuer"),
    # A session there was.
    Reason.NOT_VOUCHED_FOR: gettext_lazy("%(provider)s no longer vouches for the person"),
    Reason.SIGNED_IN_AS_ANOTHER: gettext_lazy("Somebody else is signed in at %(provider)s by now"),
    # The person.
    Reason.NO_ACCOUNT: gettext_lazy("Has no account and no invitation"),
    Reason.ACCOUNT_NOT_LINKED: gettext_lazy("The account with this email signs in another way"),
    Reason.ACCOUNT_DISABLED: gettext_lazy("The account is disabled"),
    Reason.SUBJECT_TAKEN: gettext_lazy("Is linked to another user already"),
    Reason.EMAIL_MISSING: gettext_lazy("%(provider)s sent no email"),
    # The invitation.
    Reason.INVITATION_WAITING: gettext_lazy("Has not opened the invitation yet"),
    Reason.INVITATION_GONE: gettext_lazy("The link is no longer good"),
    Reason.INVITATION_ACCEPTED: gettext_lazy("The invitation was accepted before"),
    Reason.INVITATION_REVOKED: gettext_lazy("The invitation was revoked"),
    Reason.INVITATION_EXPIRED: gettext_lazy("The invitation has expired"),
    Reason.INVITATION_FOR_SOMEONE_ELSE: gettext_lazy("The invitation is for another email"),
    Reason.INVITATION_FOR_ANOTHER_WAY: gettext_lazy("Was invited to sign in another way"),
    Reason.ENTERPRISE_CLOSED: gettext_lazy("The enterprise is closed"),
    # The switch.
    Reason.SWITCH_WAITING: gettext_lazy("Has not opened the link of the switch yet"),
    Reason.SWITCH_GONE: gettext_lazy("The link of the switch is no longer good"),
    Reason.SWITCH_DONE: gettext_lazy("The switch was done before"),
    Reason.SWITCH_UNDONE: gettext_lazy("Was switched back"),
    Reason.SWITCH_EXPIRED: gettext_lazy("The link of the switch has expired"),
    Reason.SWITCH_EMAIL_CHANGED: gettext_lazy("The email changed after the link was sent"),
    Reason.SWITCH_FOR_SOMEONE_ELSE: gettext_lazy("The link of the switch is for another email"),
    Reason.SWITCH_SUBJECT_TAKEN: gettext_lazy("Is linked to another user already"),
    Reason.SWITCH_LAST_ADMIN: gettext_lazy("Is the only Enterprise Admin with a password"),
    Reason.INVITER_GONE: gettext_lazy("Whoever sent the invitation is no longer here"),
    Reason.INVITER_MAY_NOT_GIVE_ROLE: gettext_lazy("Whoever sent the invitation may no longer give this role"),
    # What is not done to people and organizations.
    "last_admin": gettext_lazy("Is the only Enterprise Admin who can sign in"),
    "has_roles": gettext_lazy("Still has roles"),
    "break_glass": gettext_lazy("Is the only break-glass account"),
    "own_account": gettext_lazy("Nobody does this to an account of their own"),
    "not_empty": gettext_lazy("Is still used"),
    "role_changed": gettext_lazy("The role was edited meanwhile"),
    "role_in_use": gettext_lazy("Somebody still has the role"),
    "beyond_reach": gettext_lazy("Somebody in it is out of reach of the roles of whoever tried"),
    # How a session ended.
    "signed_out": gettext_lazy("Signed out"),
    "ended_by_owner": gettext_lazy("By whose session it was, from another"),
    "ended_by_provider": gettext_lazy("%(provider)s asked for it"),
    "nothing_to_end": gettext_lazy("There was no session to end"),
    # Signing out, asked for by machines.
    Outcome.NOT_ITS_OWN: gettext_lazy("Asked to sign out somebody of another issuer"),
    Outcome.UNKNOWN: gettext_lazy("Asked to sign out somebody unknown"),
    Outcome.OTHER_SESSIONS: gettext_lazy("Asked to sign out somebody who signs in another way by now"),
    "replayed_token": gettext_lazy("The logout token was used before"),
    "bearer_missing": gettext_lazy("Nothing proves who asked"),
    "malformed_request": gettext_lazy("Does not say whom to sign out"),
}


def told(event: Event) -> str:
    """Return in a few words why ``event`` was refused; the bare code for one without words, and nothing without one."""
    words = WHAT.get(event.reason)
    return capfirst(str(words) % {"provider": provider_of(event)}) if words else event.reason


def provider_of(event: Event) -> str:
    return str(event.details.get("provider") or _("the provider"))
