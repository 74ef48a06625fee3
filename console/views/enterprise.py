"""Advanced → Enterprise: what it is, everything in it as files, and closing it; and the page of a closed one."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from audit.actions import Action
from audit.models import record
from console.export import archive
from users.access import Permission, allowed, serves_closed
from users.forms.closing import CloseEnterprise, ReopenEnterprise
from users.http import ConsoleRequest
from users.step_up import proof_asked


@allowed(Permission.CLOSE_ENTERPRISE)
@require_GET
def enterprise(request: ConsoleRequest) -> HttpResponse:
    return render(request, "console/enterprise.html", {"form": CloseEnterprise(request)})


@serves_closed
@allowed(Permission.CLOSE_ENTERPRISE)
@require_GET
def export(request: ConsoleRequest) -> HttpResponseBase:
    """Hand out everything as a ZIP, on record."""
    record(Action.ENTERPRISE_EXPORTED, enterprise=request.enterprise, request=request, target=request.enterprise)
    name = f"{request.enterprise.slug}-{timezone.localdate():%Y-%m-%d}.zip"
    return StreamingHttpResponse(
        archive(request.enterprise),
        content_type="application/zip",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


@allowed(Permission.CLOSE_ENTERPRISE)
@require_http_methods(["GET", "HEAD", "POST"])
def close(request: ConsoleRequest) -> HttpResponse:
    form = CloseEnterprise(request)
    if request.method == "POST" and form.is_valid():
        if question := proof_asked(request):
            return question
        form.save()
        return redirect("console:closed")
    return render(request, "console/close.html", {"form": form}, status=422 if form.errors else 200)


@serves_closed
@require_GET
def closed(request: ConsoleRequest) -> HttpResponse:
    """What everybody sees who signs in to a closed enterprise."""
    if not request.enterprise.is_closed:
        return redirect("console:dashboard")
    context = {"enterprise": request.enterprise, "may_reopen": request.access.may(Permission.CLOSE_ENTERPRISE)}
    return render(request, "console/closed.html", context, status=403)


@serves_closed
@allowed(Permission.CLOSE_ENTERPRISE)
@require_POST
def reopen(request: ConsoleRequest) -> HttpResponse:
    if ReopenEnterprise(request).save():
        messages.success(request, _("%(name)s is open again. People can sign in.") % {"name": request.enterprise.name})
    return redirect("console:dashboard")
