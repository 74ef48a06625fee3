"""Every reason a sign-in is refused for, in one list: what the person reads, and what an administrator does about it.

``REASONS`` has an entry for each ``Code`` of the protocol and each ``Reason`` of ours: a page of ``refusal_pages`` for
the person, and a sentence for the administrator, which may also name ``%(expected)s`` and ``%(got)s``.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from identity.oidc import Claims, Code, Refused
from identity.refusal_pages import (
    ANOTHER_PERSON,
    ANOTHER_SESSION,
    BEGIN_AGAIN,
    CHANGED,
    CLOSED,
    DECLINED,
    DISABLED,
    INVITED,
    LINK_FIRST,
    LINK_OVER,
    NAMELESS,
    NO_LONGER,
    NOT_ANEW,
    NOT_SWITCHED,
    NOT_YOUR_LINK,
    OTHER_TESTER,
    OUTAGE,
    SEND_AGAIN,
    SOMEONE_ELSE,
    STRANGER,
    SWITCHED_ALREADY,
    SWITCHED_BACK,
    SWITCHED_OFF,
    TOO_LATE,
    UNASSIGNED,
    UNPROVED,
    UNREPAIRED,
    USED_UP,
    WEAKER,
    Page,
)

if TYPE_CHECKING:
    from invitations.models import Invitation, Move
    from users.models import User


class Reason(StrEnum):
    """Why we refuse, beside the protocol's own reasons."""

    ATTEMPT_UNKNOWN = "attempt_unknown"
    ATTEMPT_EXPIRED = "attempt_expired"
    RESPONSE_INCOMPLETE = "response_incomplete"
    NOT_THE_TESTER = "not_the_tester"
    NOT_THE_SAME_PERSON = "not_the_same_person"
    NOT_THE_SAME_SESSION = "not_the_same_session"
    CONNECTION_CHANGED = "connection_changed"
    CONNECTION_DISABLED = "connection_disabled"
    CONNECTION_INCOMPLETE = "connection_incomplete"
    SECRET_UNREADABLE = "secret_unreadable"  # noqa: S105 - a reason, not a password
    INITIATED_ELSEWHERE = "initiated_elsewhere"
    NOT_VOUCHED_FOR = "not_vouched_for"
    SIGNED_IN_AS_ANOTHER = "signed_in_as_another"
    NO_ACCOUNT = "no_account"
    ACCOUNT_NOT_LINKED = "account_not_linked"
    ACCOUNT_DISABLED = "account_disabled"
    SUBJECT_TAKEN = "subject_taken"
    EMAIL_MISSING = "email_missing"
    INVITATION_WAITING = "invitation_waiting"
    INVITATION_GONE = "invitation_gone"
    INVITATION_ACCEPTED = "invitation_accepted"
    INVITATION_REVOKED = "invitation_revoked"
    INVITATION_EXPIRED = "invitation_expired"
    INVITATION_FOR_SOMEONE_ELSE = "invitation_for_someone_else"
    INVITATION_FOR_ANOTHER_WAY = "invitation_for_another_way"
    ENTERPRISE_CLOSED = "enterprise_closed"
    SWITCH_WAITING = "switch_waiting"
    SWITCH_GONE = "switch_gone"
    SWITCH_DONE = "switch_done"
    SWITCH_UNDONE = "switch_undone"
    SWITCH_EXPIRED = "switch_expired"
    SWITCH_EMAIL_CHANGED = "switch_email_changed"
    SWITCH_FOR_SOMEONE_ELSE = "switch_for_someone_else"
    SWITCH_SUBJECT_TAKEN = "switch_subject_taken"
    SWITCH_LAST_ADMIN = "switch_last_admin"
    INVITER_GONE = "inviter_gone"
    INVITER_MAY_NOT_GIVE_ROLE = "inviter_may_not_give_role"


class SignInRefused(Exception):
    """A deliberate no. ``expected`` and ``got`` are short, printable and never secret; ``claims`` are verified ones.

    ``said`` is what the provider signed, whether or not it passed the checks.
    ``user`` is who it was, when that is proved, and ``invitation`` or ``move`` the one that was to be redeemed.
    """

    def __init__(
        self,
        code: Code | Reason,
        *,
        expected: str = "",
        got: str = "",
        claims: Claims | None = None,
        said: Mapping[str, object] | None = None,
        invitation: Invitation | None = None,
        move: Move | None = None,
        user: User | None = None,
    ) -> None:
        super().__init__(code.value)
        self.code = code
        self.expected = expected
        self.got = got
        self.claims = claims
        self.said = claims.raw if claims else said
        self.invitation = invitation
        self.move = move
        self.user = user

    @classmethod
    def by_protocol(cls, refused: Refused) -> SignInRefused:
        return cls(refused.code, expected=refused.expected, got=refused.got, said=refused.said)

    @property
    def page(self) -> Page:
        return REASONS[self.code].page

    @property
    def is_somebodys(self) -> bool:
        """Whether the provider has proved who it was, be it somebody we know or not."""
        return self.claims is not None or self.user is not None

    @property
    def is_outage(self) -> bool:
        """Whether the provider did not answer, rather than saying no."""
        return self.page.status == 503


class Why(NamedTuple):
    """``page`` is for the person; ``fix`` is a sentence for the administrator who looks the reference up."""

    page: Page
    fix: Promise


_LATER = _("Nothing to fix here if it passes. If it lasts: is the issuer's host up, and may it be reached from here?")
_HOSTILE = _(
    "A token that was changed, or made for another purpose. If it happens again, tell whoever runs %(provider)s."
)
_CLOCK = _("The clocks disagree: %(provider)s says %(got)s where %(expected)s was expected. Set the provider's clock.")
_METADATA = _("The issuer's metadata is not what it must be. Run Check: it names the part to repair.")
_SECRET = _(
    "%(provider)s does not accept our client. Enter client ID and secret again, or see that it has the address of our"
    " keys; then test, and enable."
)

REASONS: dict[Code | Reason, Why] = {
    # The provider could not be asked.
    Code.PROVIDER_UNREACHABLE: Why(OUTAGE, _LATER),
    Code.PROVIDER_TIMEOUT: Why(OUTAGE, _LATER),
    Code.PROVIDER_PAUSED: Why(OUTAGE, _("It has failed several times in a row and is asked again in half a minute.")),
    Code.PROVIDER_UNAVAILABLE: Why(OUTAGE, _LATER),
    Code.PROVIDER_ADDRESS_BLOCKED: Why(
        UNREPAIRED, _("The issuer's host leads to an address inside a network. Only public addresses are asked.")
    ),
    Code.PROVIDER_ANSWER_TOO_LARGE: Why(UNREPAIRED, _("An answer was larger than 512 KiB. Is this the issuer?")),
    Code.PROVIDER_REDIRECTED: Why(
        UNREPAIRED, _("The issuer answers with a redirect, which is never followed. Enter the address it leads to.")
    ),
    # What it says about itself.
    Code.DISCOVERY_NOT_FOUND: Why(UNREPAIRED, _("There is no provider at this issuer. Run Check for the exact fix.")),
    Code.DISCOVERY_MALFORMED: Why(UNREPAIRED, _METADATA),
    Code.DISCOVERY_ISSUER_MISMATCH: Why(
        UNREPAIRED, _("%(provider)s calls itself %(got)s; the connection says %(expected)s. The two must be the same.")
    ),
    Code.DISCOVERY_MISSING_ENDPOINT: Why(UNREPAIRED, _METADATA),
    Code.DISCOVERY_BAD_ENDPOINT: Why(UNREPAIRED, _METADATA),
    Code.DISCOVERY_NO_CODE_FLOW: Why(UNREPAIRED, _("Allow the grant type Authorization Code at %(provider)s.")),
    Code.DISCOVERY_NO_ALGORITHM: Why(UNREPAIRED, _("Have %(provider)s sign ID tokens with RS256 or ES256.")),
    Code.ENDPOINTS_ELSEWHERE: Why(
        UNREPAIRED, _("The issuer wants to be asked at %(got)s too. Say yes to that on the set-up page.")
    ),
    Code.KEYS_MALFORMED: Why(UNREPAIRED, _METADATA),
    Code.NO_USABLE_KEYS: Why(UNREPAIRED, _("The issuer publishes no key for RS256 or ES256 of a safe size.")),
    # The authorization response.
    Code.RESPONSE_ISSUER_MISMATCH: Why(
        UNPROVED, _("The answer came from %(got)s, not from %(expected)s. Somebody may be mixing up two providers.")
    ),
    Code.RESPONSE_ISSUER_MISSING: Why(UNPROVED, _("The answer lacks the issuer that the metadata promises.")),
    Code.ACCESS_DENIED: Why(
        DECLINED, _("Cancelled at %(provider)s, or refused by a sign-on policy there. Its log has the details.")
    ),
    Code.NOT_ASSIGNED: Why(UNASSIGNED, _("Assign this person, or a group of theirs, to the app in %(provider)s.")),
    Code.LOGIN_REQUIRED: Why(DECLINED, _("The person was not signed in at %(provider)s and was not asked to.")),
    Code.INTERACTION_REQUIRED: Why(DECLINED, _("%(provider)s wanted to ask the person something and could not.")),
    Code.CONSENT_REQUIRED: Why(DECLINED, _("Grant consent for the app in %(provider)s, for everyone who uses it.")),
    Code.PROVIDER_ERROR: Why(UNREPAIRED, _("%(provider)s answered with an error of its own: %(got)s")),
    # The token endpoint.
    Code.INVALID_CLIENT: Why(UNREPAIRED, _SECRET),
    Code.INVALID_GRANT: Why(
        UNPROVED, _("%(provider)s did not take the code back. Are redirect URI and client ID the same on both sides?")
    ),
    Code.INVALID_REQUEST: Why(UNREPAIRED, _("%(provider)s did not understand the request: %(got)s")),
    Code.INVALID_SCOPE: Why(UNREPAIRED, _("%(provider)s does not know one of the scopes. Remove it: %(got)s")),
    Code.UNAUTHORIZED_CLIENT: Why(
        UNREPAIRED, _("Allow the app the grant types Authorization Code and Refresh Token in %(provider)s.")
    ),
    Code.UNSUPPORTED_GRANT_TYPE: Why(UNREPAIRED, _("Allow the grant type Authorization Code at %(provider)s.")),
    Code.BAD_TOKEN_RESPONSE: Why(UNPROVED, _("The token endpoint did not answer as OpenID Connect says.")),
    Code.CLIENT_AUTHENTICATION_IMPOSSIBLE: Why(UNREPAIRED, _SECRET),
    # The ID token.
    Code.MALFORMED_TOKEN: Why(UNPROVED, _("The ID token cannot be read. Is encryption of tokens switched on?")),
    Code.HEADER_NOT_ALLOWED: Why(UNPROVED, _HOSTILE),
    Code.WRONG_TOKEN_TYPE: Why(UNPROVED, _HOSTILE),
    Code.ALGORITHM_NOT_ALLOWED: Why(
        UNPROVED, _("The ID token is signed with %(got)s. Have %(provider)s sign it with one of: %(expected)s")
    ),
    Code.UNKNOWN_KEY: Why(UNPROVED, _("The key that signed the ID token is not among those the issuer publishes.")),
    Code.AMBIGUOUS_KEY: Why(UNPROVED, _("The issuer publishes several keys and does not say which one signed.")),
    Code.KEY_TOO_SMALL: Why(UNPROVED, _("Have %(provider)s sign with an RSA key of at least 2048 bits.")),
    Code.BAD_SIGNATURE: Why(UNPROVED, _HOSTILE),
    Code.MISSING_CLAIM: Why(UNPROVED, _("The ID token lacks the claim %(expected)s, which this sign-in needs.")),
    Code.BAD_CLAIM: Why(UNPROVED, _("The claim %(got)s makes no sense.")),
    Code.ISSUER_MISMATCH: Why(
        UNPROVED, _("The ID token is from %(got)s; the connection says %(expected)s. The two must be the same.")
    ),
    Code.AUDIENCE_MISMATCH: Why(
        UNPROVED, _("The ID token is for %(got)s; our client ID is %(expected)s. Is that the ID of this very app?")
    ),
    Code.AZP_MISMATCH: Why(UNPROVED, _("The ID token was asked for by %(got)s; our client ID is %(expected)s.")),
    Code.BAD_SUBJECT: Why(UNPROVED, _("The claim sub is empty, longer than 255 characters, or not printable.")),
    Code.SUBJECT_CHANGED: Why(UNPROVED, _HOSTILE),
    Code.EXPIRED: Why(UNPROVED, _CLOCK),
    Code.NOT_YET_VALID: Why(UNPROVED, _CLOCK),
    Code.ISSUED_IN_FUTURE: Why(UNPROVED, _CLOCK),
    Code.TOO_OLD: Why(UNPROVED, _CLOCK),
    Code.ABSURD_TIME: Why(UNPROVED, _("The times in the ID token make no sense together.")),
    Code.NONCE_MISMATCH: Why(UNPROVED, _HOSTILE),
    Code.AT_HASH_MISMATCH: Why(UNPROVED, _HOSTILE),
    Code.C_HASH_MISMATCH: Why(UNPROVED, _HOSTILE),
    Code.AUTHENTICATION_TOO_OLD: Why(NOT_ANEW, _("%(provider)s was told to ask for a new sign-in, and did not.")),
    Code.ACR_MISMATCH: Why(WEAKER, _("The person signed in with %(got)s; asked for was %(expected)s.")),
    Code.SESSION_OVER: Why(DECLINED, _("The session at %(provider)s had ended already (session_expiry).")),
    # Userinfo.
    Code.USERINFO_REFUSED: Why(UNREPAIRED, _("Userinfo was refused. With the scope email it is not needed.")),
    Code.BAD_USERINFO_RESPONSE: Why(UNPROVED, _("Userinfo did not answer as OpenID Connect says.")),
    Code.USERINFO_SUBJECT_MISMATCH: Why(UNPROVED, _HOSTILE),
    # The attempt.
    Reason.ATTEMPT_UNKNOWN: Why(
        BEGIN_AGAIN, _("Forged, used twice, or finished in another browser. Once in a while that is just a reload.")
    ),
    Reason.ATTEMPT_EXPIRED: Why(TOO_LATE, _("Nothing to fix: more than ten minutes passed at %(provider)s.")),
    Reason.RESPONSE_INCOMPLETE: Why(UNPROVED, _("%(provider)s sent the person back with neither a code nor an error.")),
    Reason.NOT_THE_TESTER: Why(OTHER_TESTER, _("The administrator who began the test was not signed in any more.")),
    Reason.NOT_THE_SAME_PERSON: Why(
        ANOTHER_PERSON, _("Nothing to fix: signed in as %(expected)s, and came back as %(got)s to confirm a change.")
    ),
    Reason.NOT_THE_SAME_SESSION: Why(
        ANOTHER_SESSION, _("Nothing to fix: the session that asked for it had ended, or another person had signed in.")
    ),
    # The connection.
    Reason.CONNECTION_CHANGED: Why(CHANGED, _("Nothing to fix: the settings changed between start and finish.")),
    Reason.CONNECTION_DISABLED: Why(SWITCHED_OFF, _("Enable the connection, if people are to sign in through it.")),
    Reason.CONNECTION_INCOMPLETE: Why(UNREPAIRED, _("Enter issuer and client ID first, and what proves us.")),
    Reason.SECRET_UNREADABLE: Why(
        UNREPAIRED, _("The stored secret or key does not open any more. Enter the secret again, or rotate the key.")
    ),
    Reason.INITIATED_ELSEWHERE: Why(
        UNREPAIRED,
        _("A tile began this sign-in for the issuer %(got)s; the connection says %(expected)s. Both must be the same."),
    ),
    # A session there was.
    Reason.NOT_VOUCHED_FOR: Why(
        DECLINED, _("%(provider)s took the refresh token back. Was the person disabled or unassigned there?")
    ),
    Reason.SIGNED_IN_AS_ANOTHER: Why(BEGIN_AGAIN, _("Nothing to fix: somebody else had signed in to %(provider)s.")),
    # The person.
    Reason.NO_ACCOUNT: Why(STRANGER, _("Invite this person, if they are to come in.")),
    Reason.ACCOUNT_NOT_LINKED: Why(
        STRANGER,
        _("A user with this email is known in another way. Under Identity provider, Waiting, say if they are one."),
    ),
    Reason.ACCOUNT_DISABLED: Why(DISABLED, _("Enable the account, if this person is to come in.")),
    Reason.SUBJECT_TAKEN: Why(SOMEONE_ELSE, _("This %(provider)s account is linked to another user here.")),
    Reason.EMAIL_MISSING: Why(NAMELESS, _("In %(provider)s, allow the app the scope email.")),
    # The invitation.
    Reason.INVITATION_WAITING: Why(INVITED, _("The invitation is still open. Send it again if the email got lost.")),
    Reason.INVITATION_GONE: Why(NO_LONGER, _("The link was replaced by a newer one, or the invitation was deleted.")),
    Reason.INVITATION_ACCEPTED: Why(USED_UP, _("Nothing to fix: an invitation works once.")),
    Reason.INVITATION_REVOKED: Why(NO_LONGER, _("The invitation was revoked. Invite again, if that was not meant.")),
    Reason.INVITATION_EXPIRED: Why(NO_LONGER, _("The invitation has expired. Send it again.")),
    Reason.INVITATION_FOR_SOMEONE_ELSE: Why(
        SOMEONE_ELSE, _("Signed in as %(got)s, who was not invited by this link. Invite that address, if it is right.")
    ),
    Reason.INVITATION_FOR_ANOTHER_WAY: Why(SEND_AGAIN, _("Invited to sign in another way. Send the invitation again.")),
    Reason.ENTERPRISE_CLOSED: Why(CLOSED, _("Open the enterprise again, if people are to join it or to switch.")),
    # The switch.
    Reason.SWITCH_WAITING: Why(LINK_FIRST, _("The link in the email comes first. Send it again if it got lost.")),
    Reason.SWITCH_GONE: Why(LINK_OVER, _("The link was replaced by a newer one, or the switch is gone.")),
    Reason.SWITCH_DONE: Why(SWITCHED_ALREADY, _("Nothing to fix: the link of a switch works once.")),
    Reason.SWITCH_UNDONE: Why(SWITCHED_BACK, _("The switch was taken back. Begin another one, if that was not meant.")),
    Reason.SWITCH_EXPIRED: Why(LINK_OVER, _("The link has ended. Send it again.")),
    Reason.SWITCH_EMAIL_CHANGED: Why(
        LINK_OVER, _("The email of the account has changed since. Send the link again, to the new address.")
    ),
    Reason.SWITCH_FOR_SOMEONE_ELSE: Why(
        NOT_YOUR_LINK, _("Signed in as %(got)s, which is not the email of the account. The two must be the same.")
    ),
    Reason.SWITCH_SUBJECT_TAKEN: Why(
        NOT_YOUR_LINK, _("This %(provider)s account is linked to another user here. One person can be one user only.")
    ),
    Reason.SWITCH_LAST_ADMIN: Why(
        NOT_SWITCHED, _("The only Enterprise Admin who gets in without %(provider)s. Make somebody else one first.")
    ),
    Reason.INVITER_GONE: Why(SEND_AGAIN, _("Whoever invited is no longer active here. Send the invitation again.")),
    Reason.INVITER_MAY_NOT_GIVE_ROLE: Why(
        SEND_AGAIN, _("Whoever invited may not give this role any more. Send the invitation again yourself.")
    ),
}  # fmt: skip


def reason_of(code: str) -> Code | Reason | None:
    """Return the member whose value is ``code``, as it stands in the audit log and on invitations, or None."""
    return next((member for member in REASONS if member.value == code), None)
