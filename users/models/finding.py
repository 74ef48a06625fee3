"""Which people a search and its filters mean: what stands in the address of the list, and what a batch keeps of it."""

from __future__ import annotations

from collections.abc import Mapping

from django.db.models import Exists, OuterRef, Q

from users.models.role_assignment import RoleAssignment
from users.models.user_queryset import UserQuerySet

# Values of the filters that are no row's id and no status.
PASSWORD, BREAK_GLASS, ANY = "password", "break-glass", "any"
# Neither invited nor disabled: those who may sign in.
HERE = "here"
FILTERS = ("status", "via", "role", "organization")


def narrowed(people: UserQuerySet, text: str, filters: Mapping[str, str]) -> UserQuerySet:
    """Keep those of ``people`` whom ``text`` finds and every filter that is set lets through."""
    people = people.search(text)
    status, via, role, organization = (filters.get(name, "") for name in FILTERS)
    if status == HERE:
        people = people.filter(joined_at__isnull=False, disabled_at=None)
    elif status:
        people = people.with_status(status)
    if via == PASSWORD:
        people = people.signing_in_with_password().filter(is_break_glass=False)
    elif via == BREAK_GLASS:
        people = people.filter(is_break_glass=True)
    elif via:
        people = people.filter(connection=via)
    roles = RoleAssignment.objects.filter(user=OuterRef("pk"))
    if role and role != ANY:
        roles = roles.filter(Q(role=role) | Q(custom_role=role))
    if organization:
        roles = roles.filter(organization=organization)
    return people.filter(Exists(roles)) if role or organization else people
