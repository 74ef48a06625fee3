"""The list of people, and what is done to several of them at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from audit.ids import is_id
from users.access import Permission, allowed
from users.forms.acts import Disable, refusal_of
from users.forms.people import PAGE, PeopleList
from users.http import ConsoleRequest
from users.models import Status, User

# As many as a page shows.
MOST_AT_ONCE = PAGE


@allowed(Permission.SEE_PEOPLE)
@require_safe
def people_list(request: HttpRequest) -> HttpResponse:
    request = cast(ConsoleRequest, request)
    found = PeopleList(request)
    page = found.page()
    within_reach = request.access.people(Permission.MANAGE_PEOPLE).filter(pk__in=[person.pk for person in page.rows])
    return render(
        request,
        "users/list.html",
        {
            "list": found,
            "page": page,
            "within_reach": set(within_reach.values_list("pk", flat=True)),
            "may_invite": request.access.may(Permission.INVITE_PEOPLE),
            "switch_to": found.switch_to if request.access.may(Permission.MIGRATE_PEOPLE) else "",
        },
    )


@dataclass
class Chosen:
    """One of several people to disable, and why not, if not."""

    person: User
    obstacle: str = ""
    is_done: bool = False


def _chosen(request: ConsoleRequest, ids: list[str]) -> list[Chosen]:
    """Return the people behind ``ids``, as far as they may be seen."""
    ids = [pk for pk in ids if is_id(pk)][:MOST_AT_ONCE]
    people = request.access.people().select_related("connection").filter(pk__in=ids)
    within_reach = set(request.access.people(Permission.MANAGE_PEOPLE).filter(pk__in=ids).values_list("pk", flat=True))
    chosen = []
    for person in people.order_by("listed_as", "id"):
        person.enterprise = request.enterprise
        obstacle = ""
        if person.pk not in within_reach:
            obstacle = _("Out of your reach: has a role you cannot give.")
        elif person.pk == request.user.pk:
            obstacle = _("This is your own account. Another administrator can do this.")
        elif person.status == Status.DISABLED:
            obstacle = _("Disabled already.")
        chosen.append(Chosen(person, obstacle))
    return chosen


@allowed(Permission.MANAGE_PEOPLE)
@require_http_methods(["GET", "HEAD", "POST"])
def bulk_disable(request: HttpRequest) -> HttpResponse:
    """GET asks, with everyone named; POST disables them one by one, and says what became of each."""
    request = cast(ConsoleRequest, request)
    asked = request.POST if request.method == "POST" else request.GET
    ids = asked.getlist("user")
    chosen = _chosen(request, ids)
    if ids and not chosen:
        raise Http404
    if not chosen:
        messages.warning(request, _("Nobody is chosen. Choose people in the list first."))
        return redirect("users:list")
    if request.method == "POST":
        for one in chosen:
            if not one.obstacle:
                one.obstacle = refusal_of(Disable, request, one.person)
                one.is_done = not one.obstacle
    return render(
        request,
        "users/bulk_disable.html",
        {
            "chosen": chosen,
            "to_disable": [one for one in chosen if not one.obstacle],
            "done": [one for one in chosen if one.is_done],
            "is_result": request.method == "POST",
        },
    )
