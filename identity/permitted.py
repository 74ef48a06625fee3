"""Whether an administrator may still change connections, asked when it is their turn."""

from __future__ import annotations

from users.access import Access, Permission
from users.forms.acts import fresh_access
from users.http import ConsoleRequest


def permitted(request: ConsoleRequest) -> Access:
    """Lock the enterprise's row, before that of any connection, and ask once more who may do this.

    Within the caller's transaction. Raises PermissionDenied for somebody who may not by now (T15).
    """
    return fresh_access(request, request.enterprise.lock(), Permission.MANAGE_CONNECTIONS)
