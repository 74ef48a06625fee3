"""How an email is written and a batch of them sent; invitations go out through here too."""

from __future__ import annotations

import logging
import smtplib
import zoneinfo
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from email.utils import formataddr, parseaddr
from typing import Any, TypeVar

from anymail.exceptions import AnymailAPIError, AnymailInvalidAddress, AnymailRecipientsRefused
from django.conf import settings
from django.core.mail import EmailMessage, EmailMultiAlternatives, get_connection
from django.core.mail.backends.base import BaseEmailBackend
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.translation import gettext as _

from audit.models import printable
from users.models import Enterprise, Sendable, User, fold_email
from users.models.mail import CLAIM_LASTS

logger = logging.getLogger(__name__)

Row = TypeVar("Row", bound=Sendable)

LONGEST_FOLDED = User._meta.get_field("email_folded").max_length or 0
BATCH = 50
# A batch is given up in time for nobody else to take its rows while it is still being worked on.
TIME_FOR_A_BATCH = CLAIM_LASTS - timedelta(seconds=60)

# What a mail server, or the way to it, can answer; and an address or a header that cannot be written at all.
FAILURES = (
    OSError, smtplib.SMTPException, AnymailAPIError, AnymailInvalidAddress, AnymailRecipientsRefused, ValueError,
)  # fmt: skip


def compose(
    name: str,
    *,
    to: str,
    enterprise: Enterprise,
    key: str,
    context: Mapping[str, Any],
    time_zone: str = "",
    reply_to: str = "",
    metadata: Mapping[str, str | int] | None = None,
) -> EmailMultiAlternatives:
    """Write the email ``name`` from ``templates/emails/<name>-{subject.txt,body.txt,body.html}``, from ``enterprise``.

    ``key`` makes the Message-ID (``Sendable.message_key``). Times are given in ``time_zone`` (IANA; UTC when empty).
    A provider hands ``metadata`` back when it reports what became of the email.
    """
    words = {**context, "enterprise": enterprise, "region": enterprise.get_region_display()}
    with timezone.override(zone(time_zone)):
        # On one line and without marks, whatever a name in it contains: it becomes a header.
        subject = printable(" ".join(render_to_string(f"emails/{name}-subject.txt", words).split()), 200)
        words["subject"] = subject
        text = render_to_string(f"emails/{name}-body.txt", words)
        html = render_to_string(f"emails/{name}-body.html", words)
    address = parseaddr(settings.EMAIL_FROM)[1]
    sender = _("%(enterprise)s via Gatehouse") % {"enterprise": printable(enterprise.name, 100)}
    message = EmailMultiAlternatives(
        subject,
        "\n".join(line.rstrip() for line in text.strip().splitlines()) + "\n",
        formataddr((sender, address)),
        [to],
        reply_to=[reply_to] if reply_to else None,
        headers={
            "Message-ID": f"<{key}@{address.rpartition('@')[2]}>",
            # Nobody's out-of-office note is to answer (RFC 3834).
            "Auto-Submitted": "auto-generated",
            "X-Auto-Response-Suppress": "All",
        },
    )
    message.attach_alternative(html, "text/html")
    if metadata is not None:
        message.metadata = dict(metadata)  # type: ignore[attr-defined]  # Read by anymail; SMTP knows nothing of it.
    return message


def is_deliverable(address: str) -> bool:
    """Return whether an email to ``address``, which reads like one, can be written, and its folded form be kept."""
    try:
        address.rpartition("@")[2].encode("idna")
    except UnicodeError:  # A label that is too long once it is spelled in ASCII.
        return False
    return len(fold_email(address)) <= LONGEST_FOLDED


def zone(name: str) -> zoneinfo.ZoneInfo:
    """Return the time zone called ``name``; UTC when it is empty or unknown here."""
    try:
        return zoneinfo.ZoneInfo(name or "UTC")
    except (zoneinfo.ZoneInfoNotFoundError, ValueError):
        return zoneinfo.ZoneInfo("UTC")


def send_batch(rows: Iterable[Row], build: Callable[[Row], EmailMessage | None]) -> None:
    """Send the email of each claimed row over one connection, and write down on the row how it went.

    ``build`` returns a row's message, or None when there is nothing to send any more. A failure is put back for
    later; one that is refused for good, or too often, is given up and audited. Rows that are not reached in time
    stay claimed, and are due again when the claim ends.
    """
    started = timezone.now()
    connection = get_connection()
    try:
        for row in rows:
            now = timezone.now()
            if now - started > TIME_FOR_A_BATCH:
                logger.warning("mail is slow; the rest of the batch waits")
                return
            message = build(row)
            if message is None:
                row.drop()
                continue
            _send(connection, row, message)
    finally:
        _close(connection)


def _send(connection: BaseEmailBackend, row: Sendable, message: EmailMessage) -> None:
    try:
        connection.open()  # Nothing happens when it is open; after a failure it is opened again.
        connection.send_messages([message])
    except FAILURES as error:
        if not isinstance(error, smtplib.SMTPRecipientsRefused):
            _close(connection)
        row.mark_failed(timezone.now(), type(error).__name__, for_good=_is_for_good(error), answer=_answer(error))
        # The class only: a server's answer may quote the address, or the message.
        logger.warning("email not sent: %s", type(error).__name__)
        if row.is_given_up:
            row.record_bounce(type(error).__name__)
    else:
        row.mark_sent(timezone.now())


def _close(connection: BaseEmailBackend) -> None:
    try:
        connection.close()
    except FAILURES as error:
        logger.info("mail connection ended badly: %s", type(error).__name__)


def _is_for_good(error: Exception) -> bool:
    """A 5xx about this recipient or this message will be the same next time; one about us may be mended."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return all(code // 100 == 5 for code, _answer in error.recipients.values())
    if isinstance(error, smtplib.SMTPDataError):
        return error.smtp_code // 100 == 5
    return isinstance(error, (AnymailRecipientsRefused, AnymailInvalidAddress, ValueError))


def _answer(error: Exception) -> str:
    """Return the words in which a mail server refused, or an empty string where there were none."""
    said: bytes | str = b""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        _code, said = next(iter(error.recipients.values()))
    elif isinstance(error, smtplib.SMTPResponseException):
        said = error.smtp_error
    return said.decode(errors="replace") if isinstance(said, bytes) else said
