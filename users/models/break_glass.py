"""Break-glass accounts: how an enterprise gets in when its provider is down or set up wrong."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from django.db import models, transaction

from users.models.admins import enterprise_admins, keep_an_admin

if TYPE_CHECKING:
    from users.models.enterprise import Enterprise

# A break-glass account that nobody has tested for so long is not known to work.
TEST_LASTS = timedelta(days=90)
MOST_BREAK_GLASS = 2


class BreakGlassError(Exception):
    """The act is not for the enterprise's only break-glass account, which is its way in when the provider is down."""


class BreakGlassFullError(Exception):
    """The enterprise has as many break-glass accounts as it may. Nothing was changed."""


class BreakGlassUnfitError(Exception):
    """Only a local Enterprise Admin can become a break-glass account. Nothing was changed."""


class BreakGlass(models.Model):
    """What makes an account one for emergencies, and what is known of it."""

    enterprise: Enterprise
    joined_at: datetime | None

    is_break_glass = models.BooleanField(default=False)
    # When both factors were last proved, in a drill or a sign-in; when it was last used in an emergency; when the
    # administrators were last told that it was not tested for long.
    break_glass_tested_at = models.DateTimeField(null=True, blank=True)
    break_glass_used_at = models.DateTimeField(null=True, blank=True)
    break_glass_reminded_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        abstract = True

    def become_break_glass(self) -> None:
        """Be a way in for emergencies. Raises BreakGlassFullError, or BreakGlassUnfitError for no local admin."""
        with transaction.atomic():
            enterprise = self.enterprise.lock()
            if enterprise.users.break_glass().count() >= MOST_BREAK_GLASS:
                raise BreakGlassFullError
            if not enterprise.users.able_to_become_break_glass().filter(pk=self.pk).exists():
                raise BreakGlassUnfitError
            self.is_break_glass = True
            self.save(update_fields=["is_break_glass"])

    def retire_from_break_glass(self) -> None:
        """Be an account like others, with the same roles. Raises BreakGlassError or LastAdminError."""
        with transaction.atomic():
            enterprise = self.enterprise.lock()
            if not enterprise_admins(enterprise).break_glass().exclude(pk=self.pk).exists():
                raise BreakGlassError
            self.is_break_glass = False
            self.break_glass_tested_at = self.break_glass_used_at = self.break_glass_reminded_at = None
            self.save()
            keep_an_admin(enterprise)

    def is_test_due(self, at: datetime) -> bool:
        """Return whether nobody has proved for ``TEST_LASTS`` that this break-glass account works."""
        since = self.break_glass_tested_at or self.joined_at
        return since is not None and at - since >= TEST_LASTS

    def proved_break_glass(self, at: datetime, *, is_use: bool) -> None:
        """Remember that both factors were proved, and whether it was for an emergency."""
        self.break_glass_tested_at, self.break_glass_reminded_at = at, None
        if is_use:
            self.break_glass_used_at = at
        self.save(update_fields=["break_glass_tested_at", "break_glass_reminded_at", "break_glass_used_at"])

    def _not_the_only_break_glass_account(self) -> None:
        if not self.is_break_glass:
            return
        others = enterprise_admins(self.enterprise).break_glass().exclude(pk=self.pk)
        if not others.exists():
            raise BreakGlassError
