"""The four built-in roles."""

from __future__ import annotations

from django.db import models
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _


class LastAdminError(Exception):
    """The act would leave the enterprise without an Enterprise Admin who can sign in (M7). Nothing was changed."""


class Role(models.TextChoices):
    """What they permit is in ``users/access.py``. ``CustomRole`` answers to the same names."""

    ENTERPRISE_ADMIN = "enterprise_admin", _("Enterprise Admin")
    ORGANIZATION_ADMIN = "organization_admin", _("Organization Admin")
    MANAGER = "manager", _("Manager")
    VIEWER = "viewer", _("Viewer")

    @property
    def rank(self) -> int:
        """Higher ranks may do all that lower ones may."""
        return {Role.VIEWER: 1, Role.MANAGER: 2, Role.ORGANIZATION_ADMIN: 3, Role.ENTERPRISE_ADMIN: 4}[self]

    @property
    def key(self) -> str:
        """What stands for it in addresses and filters."""
        return str(self.value)

    @property
    def as_shown(self) -> str:
        """What a form sends for it; of a custom role also which version of it was shown."""
        return self.key

    @property
    def description(self) -> str | Promise:
        return _DESCRIPTIONS[self]


_DESCRIPTIONS: dict[Role, str | Promise] = {
    Role.ENTERPRISE_ADMIN: _("Everything, in the whole enterprise. One who can sign in always stays."),
    Role.ORGANIZATION_ADMIN: _("Looks after people: invites them, gives them roles, disables and deletes accounts."),
    Role.MANAGER: _("Sees people, and invites Viewers."),
    Role.VIEWER: _("Sees the dashboard and people, and changes nothing."),
}
