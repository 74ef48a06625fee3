"""The plain pages for links that lead nowhere (any more): what is true, and the next step."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils import timezone
from django.utils.translation import gettext as _

from invitations.models import Invitation, Move


@dataclass(frozen=True)
class Ending:
    status: int
    title: str
    text: str
    steps: tuple[str, ...] = ()
    # Offer the enterprise's sign-in page: for people who are in already.
    offers_sign_in: bool = False


def ending(reason: str, invitation: Invitation | None) -> Ending:
    """Return the page for ``reason``, a code of ``Invitation.obstacle`` or ``NotRedeemable``.

    An unknown link and a malformed one read alike, and say nothing about any enterprise.
    """
    if invitation is None:
        return Ending(
            404,
            _("This link leads nowhere"),
            _("It is not complete, or a newer one has taken its place."),
            (
                _("Open the newest invitation email, and press the button in it rather than copying the address."),
                _("If it still ends here, ask whoever invited you to send it again."),
            ),
        )
    by = invitation.invited_by.label if invitation.invited_by else _("an administrator")
    who = {"by": by, "enterprise": invitation.enterprise.name}
    ask_again = _("Ask %(by)s to send the invitation again. That takes one press of a button.") % who
    match reason:
        case "invitation_accepted":
            return Ending(
                410,
                _("This invitation has been used"),
                _("A link works once, and this one has done its work. If that was you, sign in as usual."),
                (_("If it was not you, tell %(by)s.") % who,),
                offers_sign_in=True,
            )
        case "invitation_revoked":
            return Ending(
                410,
                _("This invitation was revoked"),
                _("Somebody at %(enterprise)s has taken it back, or sent a newer one instead.") % who,
                (_("Look for a newer email from %(enterprise)s.") % who, _("If there is none, ask %(by)s.") % who),
            )
        case "invitation_expired":
            return Ending(
                410,
                _("This invitation has ended"),
                _("For safety, a link works for a few days only."),
                (ask_again,),
            )
        case "account_disabled":
            return Ending(
                403,
                _("This account is disabled"),
                _("Somebody at %(enterprise)s has disabled it since the invitation was sent.") % who,
                (_("Ask an administrator of %(enterprise)s.") % who,),
            )
        case "enterprise_closed":
            return Ending(
                403,
                _("%(enterprise)s is closed") % who,
                _("Its administrators have closed it. Nobody can join while it is."),
                (_("Ask %(by)s whether it will be opened again. The link works then, for as long as it lasts.") % who,),
            )
        case "connection_disabled":
            return Ending(
                403,
                _("Sign-in is switched off for now"),
                _("%(enterprise)s has disabled the way in that this invitation uses. The invitation is still good.")
                % who,
                (_("Ask %(by)s when it will be enabled again.") % who, _("Then open the link in your email again.")),
            )
    return Ending(
        403,
        _("This invitation does not hold any more"),
        _("Whoever sent it may no longer invite people to %(enterprise)s in this role, or it was meant for an address "
          "that has changed.") % who,
        (_("Ask an administrator of %(enterprise)s for a new one.") % who,),
    )  # fmt: skip


def switch_ending(reason: str, move: Move | None) -> Ending:
    """Return the page for ``reason``, a code of ``Move.obstacle``. However it ends, whoever could sign in before still
    can; where the old way has ended meanwhile, nobody is told to go back to it.
    """
    if move is None:
        return Ending(
            404,
            _("This link leads nowhere"),
            _("It is not complete, or a newer one has taken its place. Nothing has changed."),
            (
                _("Open the newest email, and press the button in it rather than copying the address."),
                _("If it still ends here, ask an administrator of your enterprise to send it again."),
            ),
        )
    by = move.batch.begun_by.label if move.batch.begun_by else _("an administrator")
    who = {"by": by, "enterprise": move.enterprise.name, "provider": move.connection.title, "old": move.old_way}
    is_open = move.is_old_way_open(timezone.now())
    ask_again = _("Ask %(by)s to send the link again. That takes one press of a button.") % who
    match reason:
        case "switch_done":
            return Ending(
                410,
                _("This link has been used"),
                _("A link works once, and this one has done its work: the account signs in with %(provider)s.") % who,
                (_("If it was not you, tell %(by)s at once.") % who,),
                offers_sign_in=True,
            )
        case "switch_undone" if not is_open:
            return Ending(
                410,
                _("This link has ended"),
                _("Somebody at %(enterprise)s has taken the switch to %(provider)s back, and %(old)s no longer works.")
                % who,
                (_("Ask %(by)s to switch you again. The link in that email is then your way in.") % who,),
            )
        case "switch_undone":
            return Ending(
                410,
                _("You sign in as before"),
                _("Somebody at %(enterprise)s has taken the switch to %(provider)s back. This link does nothing now.")
                % who,
                offers_sign_in=True,
            )
        case "account_disabled":
            return Ending(
                403,
                _("This account is disabled"),
                _("Somebody at %(enterprise)s has disabled it since the link was sent.") % who,
                (_("Ask an administrator of %(enterprise)s.") % who,),
            )
        case "enterprise_closed":
            return Ending(
                403,
                _("%(enterprise)s is closed") % who,
                _("Its administrators have closed it, and nobody can switch while it is. You sign in as before.")
                if is_open
                else _("Its administrators have closed it, and nobody can switch while it is."),
                (_("Ask %(by)s whether it will be opened again. The link works then, for as long as it lasts.") % who,),
                offers_sign_in=is_open,
            )
        case "connection_disabled":
            return Ending(
                403,
                _("Sign-in with %(provider)s is switched off for now") % who,
                _("The link is still good, and you sign in as before until it has worked.")
                if is_open
                else _("The link is still good. It is your way in, since %(old)s no longer works.") % who,
                (_("Ask %(by)s when it will be enabled again.") % who, _("Then open the link in your email again.")),
                offers_sign_in=is_open,
            )
    return Ending(
        410,
        _("This link has ended"),
        _("Nothing has changed: you sign in as before.")
        if is_open
        else _("A newer one is your way in, since %(old)s no longer works.") % who,
        (_("Look for a newer email from %(enterprise)s.") % who, ask_again),
        offers_sign_in=is_open,
    )
