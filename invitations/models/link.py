"""A link that is emailed to one person: derived when it is sent, stored hashed, ended by the next one (T9)."""

from __future__ import annotations

import hashlib
import re
from abc import abstractmethod
from datetime import datetime, timedelta
from typing import Any

from django.db import models
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext_lazy as _

from audit.models import printable
from users.models import Sendable, fold_email
from users.models.mail import MOST_ATTEMPTS

# RFC 3463: "5.1.2 No such domain".
_STATUS_NUMBERS = re.compile(r"^(?:\d{3}[ -])?(?:[45]\.\d{1,3}\.\d{1,3}\s+)?")

# What a row is to say once a new link is to be sent: nothing of what became of the one before.
AFRESH: dict[str, Any] = {
    "token_hash": "", "sent_at": None, "claimed_at": None, "attempts": 0, "send_error": "", "delivered_at": None,
    "bounced_at": None, "bounce_reason": "", "opened_at": None, "refused_at": None, "refused_reason": "",
}  # fmt: skip


class NotRedeemable(Exception):
    """The link cannot be redeemed; ``reason`` is the code of the refusal."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def hash_token(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


class EmailedLink(Sendable):
    """The worker's side of a link. A worker reports on the one it sent; when that was replaced, its news is old."""

    email = models.EmailField(_("email"), max_length=254)
    email_folded = models.CharField(max_length=320, editable=False)
    expires_at = models.DateTimeField()
    # Of the link in the newest email. The link itself is derived when it is sent, and nowhere stored (T9).
    token_hash = models.CharField(max_length=64, blank=True, db_index=True)
    serial = models.PositiveIntegerField(default=1)
    delivered_at = models.DateTimeField(null=True, blank=True)
    bounced_at = models.DateTimeField(null=True, blank=True)
    bounce_reason = models.CharField(max_length=200, blank=True)
    opened_at = models.DateTimeField(null=True, blank=True)
    refused_at = models.DateTimeField(null=True, blank=True)
    refused_reason = models.CharField(max_length=64, blank=True)

    # What keeps a token of one kind of link from being one of another kind.
    token_salt: str

    class Meta:
        abstract = True

    def save(self, *args: object, **kwargs: object) -> None:
        self.email_folded = fold_email(self.email)
        super().save(*args, **kwargs)  # type: ignore[arg-type]

    @property
    def token(self) -> str:
        """The 256-bit secret of the link, derived from our key, this row and how often it was sent anew."""
        return salted_hmac(self.token_salt, f"{self.pk}:{self.serial}", algorithm="sha256").hexdigest()

    @property
    @abstractmethod
    def link(self) -> str:
        """The address in the email."""

    @abstractmethod
    def _this_link(self) -> models.QuerySet[Any]:
        """Return this row, unless its link has ended or was replaced since it was read."""

    def renew(self, at: datetime, lasts: timedelta) -> None:
        """Have a new link sent, good for ``lasts``; the one before stops working (T10). The caller saves."""
        for name, value in AFRESH.items():
            setattr(self, name, value)
        self.serial += 1
        self.send_after, self.expires_at = at, at + lasts

    @property
    def message_key(self) -> str:
        return f"{self.pk}.{self.serial}"

    def keep_token(self) -> bool:
        """Store the hash of the link about to be sent, so that it works the moment it arrives.

        Return False when it must not be sent any more: ended, or sent anew since it was claimed.
        """
        self.token_hash = hash_token(self.token)
        return bool(self._this_link().update(token_hash=self.token_hash))

    def mark_sent(self, at: datetime) -> None:
        self.sent_at, self.claimed_at, self.send_error = at, None, ""
        self._this_link().update(sent_at=at, claimed_at=None, send_error="")

    def mark_failed(self, at: datetime, error: str, *, for_good: bool = False, answer: str = "") -> None:
        """Put it back with a growing pause; ``for_good``, or after too many tries, it has bounced."""
        self.claimed_at, self.send_error = None, error[:64]
        self.send_after = at + timedelta(seconds=15) * 2 ** min(self.attempts, 8)
        if for_good or self.attempts >= MOST_ATTEMPTS:
            self.attempts, self.bounced_at, self.bounce_reason = MOST_ATTEMPTS, at, self._without_link(answer)
        self._this_link().update(
            claimed_at=None, send_error=self.send_error, send_after=self.send_after, attempts=self.attempts,
            bounced_at=self.bounced_at, bounce_reason=self.bounce_reason,
        )  # fmt: skip

    def mark_bounced(self, reason: str, at: datetime) -> None:
        """The address does not take it. ``reason`` is what the mail server said; administrators see it."""
        self.bounced_at, self.bounce_reason = at, self._without_link(reason)
        self._this_link().update(bounced_at=at, bounce_reason=self.bounce_reason, delivered_at=None)

    def _without_link(self, answer: str) -> str:
        """What a mail server said may quote the email; its secret is not for keeping (R12), nor are its numbers."""
        said = _STATUS_NUMBERS.sub("", answer.strip())
        return printable(" ".join(said.replace(self.token, "…").split()), 200)

    def drop(self) -> None:
        """There is nothing to send after all; unless another link is to be sent by now."""
        self.claimed_at, self.send_after = None, None
        self._this_link().update(claimed_at=None, send_after=None)

    def mark_delivered(self, at: datetime) -> None:
        self.delivered_at = at
        self._this_link().filter(bounced_at=None).update(delivered_at=at)

    def mark_opened(self, at: datetime) -> None:
        self.opened_at = self.opened_at or at
        self.save(update_fields=["opened_at"])

    def mark_refused(self, reason: str, at: datetime) -> None:
        """Note that a sign-in for this link was refused, and why, for the administrator to see."""
        self.refused_at, self.refused_reason = at, reason
        # Not on one that has ended meanwhile: of two sign-ins at once, the other may have redeemed it.
        self._this_link().update(refused_at=at, refused_reason=reason)
