"""For an enterprise that has lost every way in: a link to its break-glass account, once, for ten minutes."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction
from django.urls import reverse
from django.utils import timezone

from audit.actions import Action
from audit.models import Result, record
from users.models import BreakGlassRecovery, Enterprise, User
from users.tasks import tell_admins


class Command(BaseCommand):
    help = (
        "Prints a link that gives a break-glass account of an enterprise a new password and a new second factor. It "
        "works once, for ten minutes. Make sure who asks: it is an alarm in the audit log, and every Enterprise Admin "
        "is told."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("enterprise", help="its address, such as halden")
        parser.add_argument("--reason", required=True, help="who asked, and how you made sure; its admins read it")
        parser.add_argument("--account", help="the email of the account, where there are two")

    def handle(self, *args: Any, **options: Any) -> None:
        enterprise = Enterprise.objects.filter(slug=options["enterprise"].lower()).first()
        if enterprise is None:
            raise CommandError(f"There is no enterprise at {options['enterprise']}.")
        reason = options["reason"].strip()
        if not 10 <= len(reason) <= 200:
            raise CommandError("Give a reason of 10 to 200 characters: who asked, and how you made sure.")
        user = self._account(enterprise, options["account"])
        with transaction.atomic():
            recovery, token = BreakGlassRecovery.objects.issue(user, reason=reason, at=timezone.now())
            event = record(
                Action.BREAK_GLASS_RECOVERY_ISSUED,
                enterprise=enterprise,
                target=user,
                result=Result.ALARM,
                stated_reason=reason,
            )
            tell_admins(
                enterprise,
                "break_glass_changed",
                what="recovery_issued",
                account=user.label,
                stated_reason=reason,
                reference=event.reference,
            )
        self.stdout.write(enterprise.url(reverse("users:recovery", args=[token])))
        self.stderr.write(f"For {user.email} of {enterprise.name}. Works once, until {recovery.expires_at:%H:%M} UTC.")

    def _account(self, enterprise: Enterprise, email: str | None) -> User:
        users = User.objects.of(enterprise).break_glass().filter(joined_at__isnull=False, disabled_at=None)
        if email:
            users = users.with_email(email)
        found = list(users.order_by("created_at", "id"))
        if not found:
            raise CommandError(f"{enterprise.name} has no such break-glass account.")
        if len(found) > 1:
            named = ", ".join(user.email for user in found)
            raise CommandError(f"{enterprise.name} has two break-glass accounts, {named}: say which, with --account.")
        found[0].enterprise = enterprise
        return found[0]
