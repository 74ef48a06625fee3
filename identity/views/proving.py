"""Check, the result of a test sign-in, enable, disable."""

from __future__ import annotations

import math
from datetime import datetime, timedelta

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_POST

from identity import claims, proving, steps
from identity.models import Connection, EmailRule, NotEnabledError, NotTestedError
from identity.views.connections import connection_or_404, newest_or_404, nobody_left, setup_page
from users.access import Permission, allowed
from users.http import ConsoleRequest
from users.models import LastAdminError, User
from users.step_up import recently_proved

RESULT_LASTS = timedelta(minutes=10)


@require_POST
@allowed(Permission.MANAGE_CONNECTIONS)
def check(request: ConsoleRequest, pk: str) -> HttpResponse:
    connection, revision = newest_or_404(request, pk)
    wait = proving.check(request, revision, timezone.now())
    if wait:
        seconds = math.ceil(wait.total_seconds())
        problem = ngettext(
            "Many checks have failed. Wait %(n)d second, then check again.",
            "Many checks have failed. Wait %(n)d seconds, then check again.",
            seconds,
        ) % {"n": seconds}
        response = setup_page(request, connection, status=429, problem=problem)
        response["Retry-After"] = str(seconds)
        return response
    return HttpResponseRedirect(reverse("identity:setup", args=[connection.pk]) + "#check")


@require_POST
@allowed(Permission.MANAGE_CONNECTIONS)
@recently_proved
def enable(request: ConsoleRequest, pk: str) -> HttpResponse:
    connection, newest = newest_or_404(request, pk)
    if str(newest.number) != request.POST.get("revision"):
        problem = _("The settings have changed since: revision %d is the newest. Look at it, then enable it.")
        return setup_page(request, connection, status=409, problem=problem % newest.number)
    try:
        proving.enable(request, connection, newest)
    except NotTestedError:
        problem = _("Revision %d is not tested yet. Test a sign-in with it; then it can be enabled.") % newest.number
        return setup_page(request, connection, status=409, problem=problem)
    except LastAdminError:
        return nobody_left(request, connection)
    messages.success(request, _enabled(connection))
    return redirect("identity:setup", connection.pk)


def _enabled(connection: Connection) -> str:
    if not connection.leads:
        return _("%(provider)s is enabled. New users go on using the other one until you let them use this.") % {
            "provider": connection.title
        }
    if connection.organization:
        return _("%(provider)s is enabled. All new users of %(organization)s use it from now on.") % {
            "provider": connection.name,
            "organization": connection.organization.name,
        }
    return _("%(provider)s is enabled. All new users use it from now on.") % {"provider": connection.name}


@require_POST
@allowed(Permission.MANAGE_CONNECTIONS)
@recently_proved
def lead(request: ConsoleRequest, pk: str) -> HttpResponse:
    connection = connection_or_404(request, pk)
    try:
        proving.lead(request, connection)
    except NotEnabledError:
        problem = _("%(provider)s is not enabled. Enable it, then let new users use it.") % {
            "provider": connection.name
        }
        return setup_page(request, connection, status=409, problem=problem)
    messages.success(request, _("New users use %(provider)s from now on.") % {"provider": connection.title})
    return HttpResponseRedirect(reverse("identity:setup", args=[connection.pk]) + "#beside")


@require_POST
@allowed(Permission.MANAGE_CONNECTIONS)
@recently_proved
def disable(request: ConsoleRequest, pk: str) -> HttpResponse:
    connection = connection_or_404(request, pk)
    if not connection.is_enabled:
        problem = _("%(provider)s is not enabled.") % {"provider": connection.name}
        return setup_page(request, connection, status=409, problem=problem)
    try:
        proving.disable(request, connection)
    except LastAdminError:
        return nobody_left(request, connection)
    messages.success(request, _("%(provider)s is disabled.") % {"provider": connection.name})
    return redirect("identity:setup", connection.pk)


@require_POST
@allowed(Permission.MANAGE_CONNECTIONS)
@recently_proved
def email_rule(request: ConsoleRequest, pk: str) -> HttpResponse:
    connection = connection_or_404(request, pk)
    rule = request.POST.get("email_rule", "")
    if rule not in EmailRule:
        return setup_page(request, connection, status=422, problem=_("Choose what happens when an email changes."))
    proving.set_email_rule(request, connection, EmailRule(rule))
    messages.success(request, _("Saved. It holds from the next sign-in on."))
    return HttpResponseRedirect(reverse("identity:setup", args=[connection.pk]) + "#emails")


@require_GET
@allowed(Permission.MANAGE_CONNECTIONS)
def test_result(request: ConsoleRequest, pk: str) -> HttpResponse:
    """Show what the test sign-in of this very session brought back, for ten minutes."""
    connection, newest = newest_or_404(request, pk)
    result = request.session.get("test_result") or {}
    if result.get("connection") != connection.pk or _is_old(result["at"]):
        messages.info(request, _("A result is kept for 10 minutes, for who tested only. Test again to see one."))
        return HttpResponseRedirect(reverse("identity:setup", args=[connection.pk]) + "#test")
    tested = connection.revisions.filter(number=result["revision"]).first() or newest
    user = User.objects.of(request.enterprise).filter(pk=result["verdict_user"] or None).first()
    context = {
        "connection": connection,
        "revision": tested,
        "result": result,
        "is_newest": tested.pk == newest.pk,
        "is_serving": connection.is_enabled and connection.serving_id == tested.pk,
        "enable_waits_for": steps.enable_waits_for(newest),
        "shown": claims.Shown(result, tested, user),
    }
    return render(request, "identity/test_result.html", context)


def _is_old(at: str) -> bool:
    return timezone.now() - datetime.fromisoformat(at) > RESULT_LASTS
