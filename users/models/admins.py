"""Who administers an enterprise, and that somebody always can (M7)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from users.models.enterprise import Enterprise
from users.models.role import LastAdminError, Role

if TYPE_CHECKING:
    from users.models.user import User
    from users.models.user_queryset import UserQuerySet


def enterprise_admins(enterprise: Enterprise) -> UserQuerySet:
    """Return the Enterprise Admins of ``enterprise`` who are able to sign in now; open invitations do not count."""
    return enterprise.users.able_to_sign_in().filter(role_assignments__role=Role.ENTERPRISE_ADMIN)


def only_local_admin(enterprise: Enterprise) -> User | None:
    """Return the one Enterprise Admin who gets in without a provider; None when there are others, or none at all.

    Whoever it is stays so: with the provider down, nobody else could repair it.
    """
    local: list[User] = list(enterprise_admins(enterprise).filter(connection=None)[:2])
    return local[0] if len(local) == 1 else None


def admins_to_tell(enterprise: Enterprise) -> UserQuerySet:
    """Return every Enterprise Admin who has joined and is not disabled: news of an emergency is also, and above all,
    for those who cannot sign in because of it (T5, T13).
    """
    users = enterprise.users.filter(joined_at__isnull=False, disabled_at=None)
    return users.filter(role_assignments__role=Role.ENTERPRISE_ADMIN)


def keep_an_admin(enterprise: Enterprise) -> None:
    """Raise LastAdminError when no Enterprise Admin could sign in any more.

    Call it after the change and within its transaction, which has locked the enterprise's row first: the exception
    then undoes the change. Asking afterwards means one rule for delete, disable, demotion and every other path.
    """
    if not enterprise_admins(enterprise).exists():
        raise LastAdminError
