"""What a row of the invitations page says: the state, and beneath it the reason or the time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.utils.translation import gettext as _

from invitations.models import ENDS_SOON, Invitation, State
from invitations.reasons import OF_THE_PROVIDER, told


@dataclass(frozen=True)
class Story:
    """One row. ``kind`` is a badge's kind; ``text`` and then ``at`` make the second line, either may be absent."""

    invitation: Invitation
    state: State
    kind: str
    word: str = ""
    text: str = ""
    at: datetime | None = None
    is_ago: bool = False  # "14 minutes ago" rather than "Today, 11:20".

    @property
    def may_resend(self) -> bool:
        return self.state not in (State.ACCEPTED, State.REVOKED)

    @property
    def may_revoke(self) -> bool:
        """Whether the person, who is forgotten then, has no role by now that is out of reach (``with_reach``)."""
        return self.may_resend and not self.invitation.is_beyond  # type: ignore[attr-defined]


def tell(invitation: Invitation, now: datetime) -> Story:
    """Return what ``invitation`` (with its inviter and connection at hand) is to say at ``now``."""
    state = invitation.state(now)
    match state:
        case State.ACCEPTED:
            return Story(invitation, state, "accepted", at=invitation.accepted_at)
        case State.REVOKED:
            return Story(invitation, state, "revoked", at=invitation.revoked_at)
        case State.EXPIRED:
            return Story(invitation, state, "expired", text=_not_used(invitation), at=invitation.expires_at)
        case State.REFUSED:
            return _refused(invitation, state)
        case State.BOUNCED:
            reason = invitation.bounce_reason or _("The mail server did not take it")
            return Story(invitation, state, "bounced", text=reason)
    if invitation.sent_at and invitation.expires_at - now < ENDS_SOON:
        return Story(invitation, state, "ends_soon", text=_not_used(invitation), at=invitation.opened_at)
    if state == State.OPENED:
        return Story(invitation, state, "opened", at=invitation.opened_at)
    if state == State.SENT:
        word = "" if invitation.delivered_at else _("Sent")
        return Story(invitation, state, "delivered", word=word, at=invitation.delivered_at or invitation.sent_at)
    return _on_its_way(invitation, state)


def _on_its_way(invitation: Invitation, state: State) -> Story:
    by = invitation.invited_by
    if by is None or not by.is_active:
        return Story(invitation, state, "sending", text=told("inviter_gone"))
    if not by.is_email_confirmed:
        return Story(
            invitation, state, "sending", text=_("Waits until %(name)s has confirmed the email") % {"name": by.label}
        )
    if invitation.send_error:
        text = _("The mail server did not take it; next try")
        return Story(invitation, state, "sending", text=text, at=invitation.send_after)
    return Story(invitation, state, "sending", text=_("Queued"), at=invitation.send_after, is_ago=True)


def _refused(invitation: Invitation, state: State) -> Story:
    word = _("Refused")
    if invitation.refused_reason in OF_THE_PROVIDER and invitation.connection is not None:
        word = _("Refused by %(provider)s") % {"provider": invitation.connection.label}
    return Story(
        invitation, state, "refused", word, text=told(invitation.refused_reason), at=invitation.refused_at, is_ago=True
    )


def _not_used(invitation: Invitation) -> str:
    return _("Opened, not accepted") if invitation.opened_at else _("Not opened")
