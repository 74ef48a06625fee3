"""The audit log, as a page and as a file."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from django.http import StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_GET

from audit.actions import Action
from audit.keyset import page
from audit.models import Event, record
from audit.sheets import as_csv
from console.export import EVENT_COLUMNS, event_rows
from console.forms import AuditFilter
from users.access import Permission, allowed
from users.http import ConsoleRequest

PAGE_SIZE = 50
MOST_ROWS_IN_A_FILE = 100_000


@allowed(Permission.SEE_AUDIT_LOG)
@require_GET
def audit_log(request: ConsoleRequest) -> HttpResponseBase:
    form = AuditFilter(request.GET)
    events = Event.objects.none()
    if form.is_valid():
        events = form.events(request.enterprise, _zone())
    found = page(events, by=("-at", "-id"), cursor=request.GET.get("at", ""), size=PAGE_SIZE)
    filters = _without_cursor(request)
    context = {
        "form": form,
        "page": found,
        "filters": filters,
        "previous_url": f"?{filters}&at={found.previous}" if found.previous else "",
        "next_url": f"?{filters}&at={found.next}" if found.next else "",
        "is_filtered": bool(filters),
        "person": request.enterprise.users.filter(pk=form.cleaned_data.get("person") or None).first(),
        "zone": timezone.get_current_timezone_name(),
    }
    return render(request, "console/audit.html", context, status=200 if form.is_valid() else 400)


@allowed(Permission.SEE_AUDIT_LOG)
@require_GET
def download(request: ConsoleRequest) -> HttpResponseBase:
    """Stream what the filter matches as CSV, read through a server-side cursor so that memory stays flat."""
    form = AuditFilter(request.GET)
    if not form.is_valid():
        return audit_log(request)
    events = form.events(request.enterprise, _zone())
    record(Action.AUDIT_DOWNLOADED, enterprise=request.enterprise, request=request)
    name = f"audit-{request.enterprise.slug}-{timezone.localdate():%Y-%m-%d}.csv"
    return StreamingHttpResponse(
        as_csv(EVENT_COLUMNS, event_rows(events[:MOST_ROWS_IN_A_FILE])),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def _zone() -> ZoneInfo:
    return ZoneInfo(timezone.get_current_timezone_name())


def _without_cursor(request: ConsoleRequest) -> str:
    query = request.GET.copy()
    query.pop("at", None)
    for name in [name for name, value in query.items() if not value]:
        del query[name]
    return query.urlencode()
