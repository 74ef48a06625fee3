"""The audit log, as a page and as a file."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from zoneinfo import ZoneInfo

from django.http import StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_GET

from audit.actions import Action
from audit.keyset import page
from audit.models import Event, EventQuerySet, record
from console.forms import AuditFilter
from users.access import Permission, allowed
from users.http import ConsoleRequest

PAGE_SIZE = 50
MOST_ROWS_IN_A_FILE = 100_000
COLUMNS = (
    "at", "action", "result", "reason", "actor", "target_type", "target", "address", "device", "request_id",
    "reference", "times", "details",
)  # fmt: skip


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
        _rows(events[:MOST_ROWS_IN_A_FILE]),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


class _Line:
    """A file that hands back what is written to it, so that csv can be streamed."""

    def write(self, line: str) -> str:
        return line


def _rows(events: EventQuerySet) -> Iterator[str]:
    writer = csv.writer(_Line())
    yield writer.writerow(COLUMNS)
    for event in events.iterator(chunk_size=2000):
        values = (
            event.at.isoformat(), event.action, event.result, event.reason, event.actor_label, event.target_type,
            event.target_label, event.address or "", event.device, event.request_id, event.reference, str(event.times),
            json.dumps(event.details, ensure_ascii=False) if event.details else "",
        )  # fmt: skip
        yield writer.writerow([_plain(value) for value in values])


def _plain(value: str) -> str:
    """Keep a spreadsheet from taking what somebody typed for a formula."""
    return f"'{value}" if value[:1] in "=+-@\t\r" and value else value


def _zone() -> ZoneInfo:
    return ZoneInfo(timezone.get_current_timezone_name())


def _without_cursor(request: ConsoleRequest) -> str:
    query = request.GET.copy()
    query.pop("at", None)
    for name in [name for name, value in query.items() if not value]:
        del query[name]
    return query.urlencode()
