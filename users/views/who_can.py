"""Who can do what: everybody who may do one thing, and through which role."""

from __future__ import annotations

from typing import cast

from django.db.models import Exists, OuterRef, Prefetch, Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from audit.keyset import page
from users.access import Permission, allowed, permitting
from users.http import ConsoleRequest
from users.models import RoleAssignment

PAGE = 50


@allowed(Permission.SEE_PEOPLE)
@require_safe
def who_can(request: HttpRequest) -> HttpResponse:
    """Answer for the permission, the organization and the name in the address, of the people one sees.

    Asked about an organization, whoever may do it in the whole enterprise may do it there.
    """
    request = cast(ConsoleRequest, request)
    asked = request.GET
    permission = Permission(asked["what"]) if asked.get("what") in Permission.values else None
    organizations = list(request.access.organizations(Permission.SEE_PEOPLE))
    organization = next((place for place in organizations if place.pk == asked.get("where")), None)
    text = asked.get("q", "").replace("\x00", "").strip()[:100]

    given = RoleAssignment.objects.of(request.enterprise)
    if permission:
        given = given.filter(permitting(permission))
    if organization:
        given = given.filter(Q(organization=None) | Q(organization=organization))
    people = request.access.people().search(text)
    if permission or organization:
        people = people.filter(Exists(given.filter(user=OuterRef("pk"))))
    people = people.prefetch_related(
        Prefetch("role_assignments", given.select_related("organization"), to_attr="through")
    )
    found = page(people, by=("listed_as", "id"), cursor=asked.get("cursor", ""), size=PAGE)
    for person in found.rows:
        person.through.sort(key=lambda given: given.standing)  # type: ignore[attr-defined]
    context = {
        "permissions": Permission,
        "permission": permission,
        "organizations": organizations,
        "organization": organization,
        "q": text,
        "people": people.count(),
        "page": found,
    }
    return render(request, "users/who_can.html", context)
