"""What the emails about an account say. Links are made here, when the email is sent, so that no row holds one."""

from __future__ import annotations

from typing import Any

from django.core.mail import EmailMessage
from django.db import transaction
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from audit.models import record
from users.emails import compose
from users.models import OutgoingEmail, User
from users.tokens import confirmation_token, reset_token

# One address may have accounts in so many enterprises; the answer names no more.
MOST_ENTERPRISES = 20
# Emails whose button leads to the enterprise's sign-in page.
LEAD_TO_THE_DOOR = frozenset(
    {
        "enterprise_closed", "enterprise_ends_soon", "enterprise_reopened", "provider_released", "provider_required",
        "subject_linked", "your_enterprise",
    }
)  # fmt: skip


def write(row: OutgoingEmail) -> EmailMessage | None:
    """Return the message of ``row``, or None when there is nothing to say any more."""
    user, enterprise = row.user, row.enterprise
    if user is None or enterprise is None:
        return None
    user.enterprise = enterprise
    context = _context(row.name, user)
    if context is None:
        return None
    return compose(
        row.name,
        # Who is told that an address changed is told at both.
        to=row.context.get("to", user.email),
        enterprise=enterprise,
        key=row.message_key,
        context={**row.context, "user": user, "created_at": row.created_at, **context},
        time_zone=user.time_zone,
    )


def _context(name: str, user: User) -> dict[str, Any] | None:
    """What an email says beyond its row: its button. None when it has become pointless."""
    enterprise = user.enterprise
    match name:
        case "confirm_email":
            if user.is_email_confirmed:
                return None
            path = reverse("users:confirm", args=[user.pk, confirmation_token.make_token(user)])
            return {"button_url": enterprise.url(path), "button_text": _("Confirm this email")}
        case "reset_password":
            if not user.is_active or not user.signs_in_with_password:
                return None
            path = reverse("users:reset", args=[user.pk, reset_token.make_token(user)])
            return {"button_url": enterprise.url(path), "button_text": _("Choose a new password")}
        case "break_glass_invited":
            if not user.is_active or user.has_usable_password():
                return None
            path = reverse("users:reset", args=[user.pk, reset_token.make_token(user)])
            return {"button_url": enterprise.url(path), "button_text": _("Choose its password")}
        case "break_glass_changed":
            path = reverse("users:break_glass")
            return {"button_url": enterprise.url(path), "button_text": _("Look at the break-glass accounts")}
        case "how_you_sign_in":
            if not user.is_active or user.connection is None:
                return None
            path = reverse("users:enterprise", args=[enterprise.slug])
            return {
                "provider": user.connection.label,
                "button_url": enterprise.url(path),
                "button_text": _("Go to the sign-in page"),
            }
        case "provider_required" if not user.signs_in_with_password or enterprise.provider_required_from is None:
            return None
        case "provider_released" if not user.signs_in_with_password or enterprise.provider_required_from is not None:
            return None
        case "enterprise_closed" | "enterprise_ends_soon" if not enterprise.is_closed:
            return None
        case _ if name in LEAD_TO_THE_DOOR:
            path = reverse("users:enterprise", args=[enterprise.slug])
            return {"button_url": enterprise.url(path), "button_text": _("Go to the sign-in page")}
        case _:
            return {}


def answer(question: OutgoingEmail) -> list[OutgoingEmail]:
    """Turn a question asked at the entrance into the emails that answer it, to whom it concerns; maybe none.

    They go to the addresses on file, never to the one that was typed: two addresses can fold to the same text.
    The question forgets the address in the same transaction.
    """
    users = User.objects.with_email(question.context.get("email", "")).filter(joined_at__isnull=False, disabled_at=None)
    if question.enterprise is not None:
        users = users.of(question.enterprise)
    answers = []
    with transaction.atomic():
        for user in users.select_related("enterprise").order_by("enterprise__name", "pk")[:MOST_ENTERPRISES]:
            name = "your_enterprise"
            if question.name == "forgotten_password":
                name = "reset_password" if user.signs_in_with_password else "how_you_sign_in"
                record("password:reset-requested", enterprise=user.enterprise, target=user, email=name)
            answers.append(OutgoingEmail.objects.create(enterprise=user.enterprise, user=user, name=name))
        question.context = {}
        question.save(update_fields=["context"])
        question.mark_sent(timezone.now())
    return answers
