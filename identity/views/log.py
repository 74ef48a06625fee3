"""Advanced → Sign-in log."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET

from audit.ids import reference_as_typed
from audit.keyset import page
from audit.models import Event
from identity.models import Connection
from identity.sign_in_log import Entry, Row, SignInFilter, sign_ins_of
from users.access import Permission, allowed
from users.http import ConsoleRequest

PAGE_SIZE = 50


@require_GET
@allowed(Permission.SEE_AUDIT_LOG)
def sign_in_log(request: ConsoleRequest) -> HttpResponse:
    """List the sign-ins that the filter matches; a reference leads to its entry at once."""
    reference = reference_as_typed(request.GET.get("q", ""))
    if reference and (event := sign_ins_of(request.enterprise).filter(reference=reference).first()):
        return redirect("identity:sign_in_entry", event.pk)
    connections = Connection.objects.of(request.enterprise).select_related("organization").order_by("created_at")
    form = SignInFilter(request.GET, connections)
    events = Event.objects.none()
    if form.is_valid():
        events = form.events(request.enterprise, ZoneInfo(timezone.get_current_timezone_name()))
    found = page(events, by=("-at", "-id"), cursor=request.GET.get("at", ""), size=PAGE_SIZE)
    filters = _filters(request)
    context = {
        "form": form,
        "rows": [Row(event) for event in found.rows],
        "previous_url": f"?{filters}&at={found.previous}" if found.previous else "",
        "next_url": f"?{filters}&at={found.next}" if found.next else "",
        "is_filtered": bool(filters),
        "reference": reference,
        "zone": timezone.get_current_timezone_name(),
    }
    return render(request, "identity/sign_in_log.html", context, status=200 if form.is_valid() else 400)


@require_GET
@allowed(Permission.SEE_AUDIT_LOG)
def sign_in_entry(request: ConsoleRequest, pk: str) -> HttpResponse:
    event = sign_ins_of(request.enterprise).select_related("actor").filter(pk=pk).first()
    if event is None:
        raise Http404
    context = {
        "entry": Entry(event, request.enterprise),
        "may_correct": request.access.may(Permission.MANAGE_CONNECTIONS),
    }
    return render(request, "identity/sign_in_entry.html", context)


def _filters(request: ConsoleRequest) -> str:
    query = request.GET.copy()
    query.pop("at", None)
    for name in [name for name, value in query.items() if not value]:
        del query[name]
    return query.urlencode()
