"""The four built-in roles."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class LastAdminError(Exception):
    """The act would leave the enterprise without an Enterprise Admin who can sign in (M7). Nothing was changed."""


class Role(models.TextChoices):
    ENTERPRISE_ADMIN = "enterprise_admin", _("Enterprise Admin")
    ORGANIZATION_ADMIN = "organization_admin", _("Organization Admin")
    MANAGER = "manager", _("Manager")
    VIEWER = "viewer", _("Viewer")

    @property
    def rank(self) -> int:
        """Higher ranks may do all that lower ones may."""
        return {Role.VIEWER: 1, Role.MANAGER: 2, Role.ORGANIZATION_ADMIN: 3, Role.ENTERPRISE_ADMIN: 4}[self]
