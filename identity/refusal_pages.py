"""What somebody reads whose sign-in is refused.

Sentences name ``%(provider)s``, ``%(enterprise)s`` and ``%(app)s``. None says whether an email is known, for whom an
invitation was meant, or what a provider's answer contained.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _


class Stop(StrEnum):
    """Where the path from person to provider to us ended, as ``components/path.html`` knows it."""

    PROVIDER = "provider"
    HOUSE = "house"
    UNTRIED = "untried"


@dataclass(frozen=True)
class Page:
    """What the person reads. ``retry`` offers to begin again, ``other_account`` to do so as somebody else there.

    ``local`` mentions the break-glass account, for administrators who cannot get in otherwise. ``old_way`` says of
    somebody who was to be switched whether what they signed in with before still works.
    """

    status: int
    stop: Stop
    note: Promise
    title: Promise
    text: Promise
    steps: tuple[Promise, ...]
    retry: bool = True
    other_account: bool = False
    local: bool = False
    old_way: bool = False


_SAID_NO, _NO_ANSWER, _NOT_ASKED = _("said no"), _("no answer"), _("not asked")
_UNEXPECTED, _NO_ACCOUNT, _UNSURE = _("did not expect you"), _("no account"), _("not convinced")
_TELL = _("If it ends like this again, give an administrator of %(enterprise)s the reference below.")
_TELL_NOW = _("Tell an administrator of %(enterprise)s, and give them the reference below.")
_INVITE_AGAIN = _("Ask whoever invited you to send the invitation again.")

UNASSIGNED = Page(
    403, Stop.PROVIDER, _SAID_NO,
    _("%(provider)s has not been told you may use this"),
    _("Your %(provider)s account works, but it is not assigned to the %(enterprise)s app. That is set by the people who"
      " run your %(provider)s."),
    (_("Ask your IT team to assign you to %(app)s in %(provider)s. Give them the reference below."),),
    other_account=True,
)  # fmt: skip
DECLINED = Page(
    403, Stop.PROVIDER, _SAID_NO,
    _("%(provider)s did not let you through"),
    _("The sign-in was cancelled there, or a rule of your IT team does not allow it."),
    (_("Try again."), _("If it ends the same way, give your IT team the reference below.")),
    other_account=True,
)  # fmt: skip
OUTAGE = Page(
    503, Stop.PROVIDER, _NO_ANSWER,
    _("%(provider)s does not answer"),
    _("Nobody can sign in through it at the moment. People who are signed in stay so."),
    (_("Try again in a few minutes."),),
    local=True,
)  # fmt: skip
UNREPAIRED = Page(
    400, Stop.PROVIDER, _SAID_NO,
    _("The connection to %(provider)s needs repair"),
    _("%(provider)s and Gatehouse do not agree about the settings of this connection. It is nothing you did."),
    (_TELL_NOW,),
    local=True,
)  # fmt: skip
UNPROVED = Page(
    400, Stop.HOUSE, _UNSURE,
    _("What %(provider)s answered did not pass our checks"),
    _("A sign-in has to prove itself in every detail. This one did not, so nobody was signed in."),
    (_("Try again."), _TELL),
    local=True,
)  # fmt: skip
BEGIN_AGAIN = Page(
    400, Stop.HOUSE, _UNEXPECTED,
    _("This sign-in did not begin in this browser"),
    _("It was used already, or it began in another browser or at another address. Nothing has changed."),
    (_("Begin again from the sign-in page of %(enterprise)s, and finish in the same browser."),),
)  # fmt: skip
TOO_LATE = Page(
    400, Stop.HOUSE, _UNEXPECTED,
    _("This sign-in took longer than ten minutes"),
    _("A sign-in that lies open is dropped, so that nobody else can finish it."),
    (_("Begin again."),),
)  # fmt: skip
CHANGED = Page(
    409, Stop.HOUSE, _UNEXPECTED,
    _("The settings changed while you were signing in"),
    _("An administrator of %(enterprise)s has just changed the connection to %(provider)s. A sign-in that began before"
      " does not count."),
    (_("Begin again."), _TELL),
)  # fmt: skip
SWITCHED_OFF = Page(
    403, Stop.UNTRIED, _NOT_ASKED,
    _("Sign-in with %(provider)s is switched off"),
    _("It is not enabled for %(enterprise)s at the moment."),
    (_("Ask an administrator of %(enterprise)s how you sign in now."),),
    retry=False, local=True,
)  # fmt: skip
STRANGER = Page(
    403, Stop.HOUSE, _NO_ACCOUNT,
    _("%(enterprise)s has not invited this account yet"),
    _("%(provider)s knows you. To come in, you also need an invitation to %(enterprise)s."),
    (_("Ask an administrator of %(enterprise)s to invite you at the email address of your %(provider)s account."),
     _("Then open the link in the email.")),
    other_account=True,
)  # fmt: skip
INVITED = Page(
    403, Stop.HOUSE, _("waits for the link"),
    _("Open the link in your invitation first"),
    _("You are invited to %(enterprise)s. The very first sign-in begins at the link in the email, so that nobody else"
      " can take your place."),
    (_("Open the email from %(enterprise)s and follow its link."),
     _("If you cannot find it, ask whoever invited you to send it again.")),
    retry=False, other_account=True,
)  # fmt: skip
DISABLED = Page(
    403, Stop.HOUSE, _SAID_NO,
    _("Your account at %(enterprise)s is disabled"),
    _("%(provider)s knows you, but an administrator of %(enterprise)s has disabled this account."),
    (_("Ask an administrator of %(enterprise)s, and give them the reference below."),),
    retry=False, other_account=True,
)  # fmt: skip
NAMELESS = Page(
    403, Stop.HOUSE, _UNSURE,
    _("%(provider)s did not tell us your email address"),
    _("The link you followed is for one email address, and without yours it cannot be used."),
    (_TELL_NOW,),
)  # fmt: skip
SOMEONE_ELSE = Page(
    403, Stop.HOUSE, _SAID_NO,
    _("This invitation is for another account"),
    _("You are signed in to %(provider)s as somebody this invitation was not made for. It is still good for whom it was"
      " made."),
    (_("If you have another %(provider)s account, use that one."),
     _("If this is your only one, ask whoever invited you to send an invitation to the email address it has.")),
    other_account=True,
)  # fmt: skip
USED_UP = Page(
    403, Stop.HOUSE, _SAID_NO,
    _("This invitation was accepted already"),
    _("An invitation works once. If it was you who accepted it, sign in as usual."),
    (_("Go to the sign-in page of %(enterprise)s."), _("If it was not you, tell whoever invited you at once.")),
    retry=False,
)  # fmt: skip
NO_LONGER = Page(
    403, Stop.HOUSE, _SAID_NO,
    _("This invitation is no longer good"),
    _("It was taken back, it has expired, or a newer one has taken its place."),
    (_("Look for a newer email from %(enterprise)s."), _INVITE_AGAIN),
    retry=False,
)  # fmt: skip
SEND_AGAIN = Page(
    403, Stop.HOUSE, _SAID_NO,
    _("This invitation has to be sent again"),
    _("Since it was sent, something about it has changed at %(enterprise)s. It cannot be accepted as it is."),
    (_("Ask an administrator of %(enterprise)s to send the invitation again. Give them the reference below."),),
    retry=False,
)  # fmt: skip
CLOSED = Page(
    403, Stop.HOUSE, _SAID_NO,
    _("%(enterprise)s is closed"),
    _("Its administrators have closed it. While it is, nobody can join, nor switch to another way of signing in."),
    (_("Ask whoever had the link sent to you whether it will be opened again. It works then, as long as it lasts."),),
    retry=False,
)  # fmt: skip
_SWITCH_AGAIN = _("Ask an administrator of %(enterprise)s to send the link again.")
LINK_FIRST = Page(
    403, Stop.HOUSE, _("waits for the link"),
    _("Open the link in your email first"),
    _("%(enterprise)s is switching you to %(provider)s. The first sign-in begins at the link in the email, so that"
      " nobody else can take your account. Until then nothing changes."),
    (_("Open the email from %(enterprise)s and follow its link."),
     _("If you cannot find it, ask an administrator of %(enterprise)s to send it again.")),
    retry=False, other_account=True, local=True,
)  # fmt: skip
LINK_OVER = Page(
    403, Stop.HOUSE, _SAID_NO,
    _("This link is no longer good"),
    _("It has ended, or a newer one has taken its place."),
    (_("Look for a newer email from %(enterprise)s."), _SWITCH_AGAIN),
    retry=False, old_way=True,
)  # fmt: skip
SWITCHED_ALREADY = Page(
    403, Stop.HOUSE, _SAID_NO,
    _("This link has been used"),
    _("A link works once, and this one has done its work: the account signs in with %(provider)s."),
    (_("If it was you, sign in with %(provider)s as usual."),
     _("If it was not you, tell an administrator of %(enterprise)s at once.")),
    retry=False,
)  # fmt: skip
SWITCHED_BACK = Page(
    403, Stop.HOUSE, _SAID_NO,
    _("You were switched back"),
    _("An administrator of %(enterprise)s has taken the switch to %(provider)s back. This link does nothing any more."),
    (_("If you cannot sign in, ask an administrator of %(enterprise)s to switch you again."),),
    retry=False, old_way=True,
)  # fmt: skip
NOT_YOUR_LINK = Page(
    403, Stop.HOUSE, _SAID_NO,
    _("This link is for another account"),
    _("You are signed in to %(provider)s as somebody this link was not made for. Nothing has changed: whoever it was"
      " made for can use it."),
    (_("If you have another %(provider)s account, use that one."),
     _("If this is your only one, tell an administrator of %(enterprise)s which email address it has.")),
    other_account=True,
)  # fmt: skip
NOT_SWITCHED = Page(
    403, Stop.HOUSE, _SAID_NO,
    _("You stay with local credentials"),
    _("Nobody else could repair %(enterprise)s if %(provider)s were down. So this account keeps its password."),
    (_("Make somebody else Enterprise Admin with local credentials, then try again."),),
    retry=False, old_way=True,
)  # fmt: skip
OTHER_TESTER = Page(
    403, Stop.HOUSE, _UNEXPECTED,
    _("This test belongs to another session"),
    _("A test sign-in ends where it began: with the administrator who started it, still signed in."),
    (_("Sign in to %(enterprise)s, and test again."),),
    retry=False,
)  # fmt: skip
ANOTHER_PERSON = Page(
    403, Stop.HOUSE, _SAID_NO,
    _("That was another account"),
    _("Confirm with the %(provider)s account you signed in with. You are still signed in, and nothing has changed."),
    (_("Try again, and choose the account you signed in with."), _TELL),
    other_account=True,
)  # fmt: skip
ANOTHER_SESSION = Page(
    403, Stop.HOUSE, _UNEXPECTED,
    _("This belongs to another session"),
    _("Confirming ends where it began: in the same browser, in the same session. That session has ended meanwhile."),
    (_("Go back to the page you came from, and begin again there."),),
    retry=False,
)  # fmt: skip
NOT_ANEW = Page(
    403, Stop.PROVIDER, _("did not ask you"),
    _("%(provider)s did not ask you to sign in again"),
    _("It let you through with the sign-in it remembered, and that is too old for this. Nothing has changed."),
    (_("Sign out of %(provider)s, then try again."), _TELL),
    other_account=True,
)  # fmt: skip
WEAKER = Page(
    403, Stop.PROVIDER, _("asked for too little"),
    _("%(provider)s did not ask you for enough"),
    _("%(enterprise)s wants a stronger sign-in than the one you have made there, such as one with a second factor."),
    (_("Try again, and take the stronger way if %(provider)s offers a choice."), _TELL),
    other_account=True,
)  # fmt: skip
