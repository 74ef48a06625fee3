"""Which people: every rule that picks some out of many."""

from __future__ import annotations

import functools
import operator
import unicodedata
from datetime import datetime
from typing import TYPE_CHECKING

from django.db import models
from django.db.models import Q
from django.db.models.functions import Coalesce
from django.utils.translation import gettext_lazy as _

from users.models.break_glass import TEST_LASTS
from users.models.enterprise import Enterprise, Organization
from users.models.role import Role

if TYPE_CHECKING:
    from users.models.user import User  # noqa: F401  # Named in quotes, where its rows are picked.


def fold_email(email: str) -> str:
    """Return the form of ``email`` that is compared: NFKC, then case-folded (T7)."""
    return unicodedata.normalize("NFKC", email).strip().casefold()


class Status(models.TextChoices):
    INVITED = "invited", _("Invited")
    ACTIVE = "active", _("Active")
    SWITCHING = "switching", _("Switching")
    DISABLED = "disabled", _("Disabled")


class UserQuerySet(models.QuerySet["User"]):
    def of(self, enterprise: Enterprise) -> UserQuerySet:
        return self.filter(enterprise=enterprise)

    def with_email(self, email: str) -> UserQuerySet:
        return self.filter(email_folded=fold_email(email))

    def in_organization(self, organization: Organization) -> UserQuerySet:
        return self.filter(role_assignments__organization=organization).distinct()

    def with_status(self, status: str) -> UserQuerySet:
        """Keep those who are in ``status``; the same rules as ``User.status``, for many rows at once."""
        match status:
            case Status.DISABLED:
                return self.filter(disabled_at__isnull=False)
            case Status.INVITED:
                return self.filter(disabled_at=None, joined_at=None)
            case Status.SWITCHING:
                return self.filter(disabled_at=None, joined_at__isnull=False, switching_to__isnull=False)
            case Status.ACTIVE:
                return self.filter(disabled_at=None, joined_at__isnull=False, switching_to=None)
        return self.none()

    def barred_by_requirement(self) -> UserQuerySet:
        """Keep those with a password who could not sign in any more if everyone had to use the provider."""
        return self.linkable().filter(connection=None)

    def break_glass(self) -> UserQuerySet:
        return self.filter(is_break_glass=True)

    def break_glass_tested(self, since: datetime) -> UserQuerySet:
        """Keep break-glass accounts with which somebody has proved both factors since then: they are known to work."""
        return self.break_glass().filter(disabled_at=None, break_glass_tested_at__gte=since)

    def break_glass_to_remind(self, at: datetime) -> UserQuerySet:
        """Keep break-glass accounts that were not tested for long, where nobody was told so for as long.

        Only where a provider serves: before that, people sign in with them anyway.
        """
        accounts = self.break_glass_to_test(at).filter(enterprise__closed_at=None)
        accounts = accounts.filter(Q(break_glass_reminded_at=None) | Q(break_glass_reminded_at__lte=at - TEST_LASTS))
        return accounts.filter(enterprise__connections__enabled_at__isnull=False).distinct()

    def break_glass_to_test(self, at: datetime) -> UserQuerySet:
        """Keep break-glass accounts that were not tested for long; the same rule as ``User.is_test_due``."""
        since = Coalesce("break_glass_tested_at", "joined_at")
        return self.break_glass().filter(disabled_at=None).annotate(since=since).filter(since__lte=at - TEST_LASTS)

    def able_to_become_break_glass(self) -> UserQuerySet:
        """Keep local Enterprise Admins who sign in with a password, and will: nobody who is being switched."""
        admins = self.able_to_sign_in().filter(role_assignments__role=Role.ENTERPRISE_ADMIN, connection=None)
        return admins.filter(is_break_glass=False, switching_to=None)

    def with_email_to_decide(self) -> UserQuerySet:
        """Keep those whom their provider calls by another email, where no administrator has decided yet."""
        return self.exclude(provider_email="").filter(is_email_kept=False)

    def linkable(self) -> UserQuerySet:
        """Keep those who may come to be known by a subject: joined, not disabled, and never break-glass (T8)."""
        return self.filter(is_break_glass=False, joined_at__isnull=False, disabled_at=None)

    def signing_in_with_password(self) -> UserQuerySet:
        return self.filter(connection=None)

    def with_second_factor(self) -> UserQuerySet:
        """Keep those whose password alone opens nothing."""
        return self.filter(Q(authenticator_app__isnull=False) | Q(passkeys__isnull=False)).distinct()

    def search(self, text: str) -> UserQuerySet:
        """Keep those whose name or email contains ``text``, whatever its case."""
        # PostgreSQL's lower() and Python's casefold() differ for a few letters (ß): names follow the one, emails
        # the other.
        wanted = {text.strip().lower(), fold_email(text)} - {""}
        return self.filter(functools.reduce(operator.or_, (Q(listed_as__contains=word) for word in wanted), Q()))

    def able_to_sign_in(self) -> UserQuerySet:
        """Keep those who could sign in now: joined, not disabled, by a password or an enabled connection."""
        # Unusable passwords begin with an exclamation mark, and there is one hasher.
        # Where the provider is required of everyone, or will be, a password counts for break-glass accounts only.
        local = Q(connection=None) & Q(password__startswith="argon2")  # noqa: S106
        local &= Q(is_break_glass=True) | Q(enterprise__provider_required_from=None)
        # A subject is one of an issuer: when that is changed, those who were known by the old one are strangers.
        connected = Q(connection__enabled_at__isnull=False) & Q(
            subjects__connection=models.F("connection"), subjects__issuer=models.F("connection__serving__issuer")
        )
        return self.filter(Q(joined_at__isnull=False, disabled_at=None) & (local | connected)).distinct()
