"""A session that was there and has ended, because the provider does not vouch for it any more: why, and what to read.

The reasons are those of refused sign-ins (``identity.refused``); what the person reads is not, since nobody was signing
in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.utils.translation import gettext_lazy as _

from identity.oidc import Code
from identity.refusal_pages import SWITCHED_OFF, Page, Stop
from identity.refused import Reason, SignInRefused

if TYPE_CHECKING:
    from identity.models import Connection

# The provider's no to the person.
DENIALS: frozenset[Code | Reason] = frozenset(
    {
        Code.ACCESS_DENIED, Code.NOT_ASSIGNED, Code.LOGIN_REQUIRED, Code.INTERACTION_REQUIRED, Code.CONSENT_REQUIRED,
        Code.AUTHENTICATION_TOO_OLD, Code.ACR_MISMATCH, Code.SESSION_OVER,
    }
)  # fmt: skip
# An ID token that does not prove that it is still the same person. Honest providers make none: each is an alarm (H18).
UNPROVED: frozenset[Code | Reason] = frozenset(
    {
        Code.MALFORMED_TOKEN, Code.HEADER_NOT_ALLOWED, Code.WRONG_TOKEN_TYPE, Code.ALGORITHM_NOT_ALLOWED,
        Code.UNKNOWN_KEY, Code.AMBIGUOUS_KEY, Code.KEY_TOO_SMALL, Code.BAD_SIGNATURE, Code.MISSING_CLAIM,
        Code.BAD_CLAIM, Code.ISSUER_MISMATCH, Code.AUDIENCE_MISMATCH, Code.AZP_MISMATCH, Code.BAD_SUBJECT,
        Code.SUBJECT_CHANGED, Code.EXPIRED, Code.NOT_YET_VALID, Code.ISSUED_IN_FUTURE, Code.TOO_OLD,
        Code.ABSURD_TIME, Code.NONCE_MISMATCH, Code.AT_HASH_MISMATCH, Code.C_HASH_MISMATCH,
    }
)  # fmt: skip

_SIGN_IN_AGAIN = _("Sign in again. You come back to the page you were on.")

WITHDRAWN = Page(
    403, Stop.PROVIDER, _("no longer vouches"),
    _("%(provider)s no longer vouches for you"),
    _("So your session at %(enterprise)s has ended. That happens when an account is disabled or unassigned there, or"
      " when its sign-ins are ended."),
    (_SIGN_IN_AGAIN,
     _("If %(provider)s does not let you, ask your IT team, and give them the reference below.")),
)  # fmt: skip
ASLEEP = Page(
    403, Stop.PROVIDER, _("wants you to sign in"),
    _("%(provider)s wants you to sign in again"),
    _("You are not signed in there any more, or not the way %(enterprise)s asks for. Your session here has ended."),
    (_SIGN_IN_AGAIN,),
)  # fmt: skip
OVER = Page(
    403, Stop.PROVIDER, _("ran out"),
    _("Your session at %(provider)s has run out"),
    _("%(provider)s says when a session ends, and the one at %(enterprise)s ends with it."),
    (_SIGN_IN_AGAIN,),
)  # fmt: skip
ANOTHER = Page(
    403, Stop.HOUSE, _("did not expect you"),
    _("You are signed in to %(provider)s as somebody else now"),
    _("Your session at %(enterprise)s belonged to the account that was signed in there before, so it has ended."),
    (_("Sign in again with the account you want to use here."),),
    other_account=True,
)  # fmt: skip
UNSURE = Page(
    403, Stop.HOUSE, _("not convinced"),
    _("What %(provider)s said about your session did not pass our checks"),
    _("It was asked whether it still vouches for you. Its answer was about somebody else, or could not be proved, so"
      " the session has ended."),
    (_("Tell an administrator of %(enterprise)s, and give them the reference below."), _("Sign in again.")),
)  # fmt: skip
CHANGED = Page(
    403, Stop.UNTRIED, _("not asked"),
    _("%(enterprise)s has changed how people sign in"),
    _("Your session began the way it was done before, so it has ended."),
    (_("Sign in again."), _("If that does not work, ask an administrator of %(enterprise)s.")),
)  # fmt: skip

# Whatever else it is: the provider wants, or at last needs, to be asked by the person.
_PAGES: dict[Code | Reason, Page] = {
    Code.ACCESS_DENIED: WITHDRAWN,
    Code.NOT_ASSIGNED: WITHDRAWN,
    Code.SESSION_OVER: OVER,
    Reason.NOT_VOUCHED_FOR: WITHDRAWN,
    Reason.SIGNED_IN_AS_ANOTHER: ANOTHER,
    Reason.CONNECTION_CHANGED: CHANGED,
    Reason.CONNECTION_DISABLED: SWITCHED_OFF,
}


class SessionEnded(SignInRefused):
    """The provider does not vouch for a session any more, so it ends.

    ``reference`` leads to its entry in the log, which is about ``connection``; both are there once it has ended.
    """

    reference: str
    connection: Connection

    @property
    def page(self) -> Page:
        if self.is_alarming:
            return UNSURE
        return _PAGES.get(self.code, ASLEEP)

    @property
    def is_alarming(self) -> bool:
        return self.code in UNPROVED
