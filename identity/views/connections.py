"""Advanced → Identity provider: the list, the choice, and the guided set-up page."""

from __future__ import annotations

import json

from django.contrib import messages
from django.db.models import Count, Q
from django.http import Http404, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from identity import findings, proving, steps
from identity.expiry import ending, endings
from identity.forms import ChooseForm, SettingsForm
from identity.models import Connection, NotTestedError, Revision, SecretGoneError, StillNeededError, WaitingSubject
from identity.proving import Neighbour, Touched
from identity.revising import Saved
from users.access import Permission, allowed
from users.http import ConsoleRequest
from users.models import LastAdminError, Region
from users.step_up import proof_asked, recently_proved

SHOWN_REVISIONS = 10


@require_GET
@allowed(Permission.MANAGE_CONNECTIONS)
def advanced(request: ConsoleRequest) -> HttpResponse:
    return redirect("identity:connections")


@require_GET
@allowed(Permission.MANAGE_CONNECTIONS)
def connections(request: ConsoleRequest) -> HttpResponse:
    people = Count("users", filter=Q(users__joined_at__isnull=False, users__disabled_at=None))
    rows = (
        Connection.objects.of(request.enterprise)
        .select_related("organization", "serving__secret")
        .prefetch_related("revisions")
        .annotate(people=people)
    )
    if not rows:
        return _choice(request, ChooseForm(request))
    today = timezone.now().date()
    listed = [(connection, ending(connection, today)) for connection in rows]
    most_urgent = next(iter(endings(rows, today)), None)
    waiting = WaitingSubject.objects.of(request.enterprise).undecided().count()
    context = {"listed": listed, "most_urgent": most_urgent, "waiting": waiting}
    return render(request, "identity/connections.html", context)


@require_http_methods(["GET", "POST"])
@allowed(Permission.MANAGE_CONNECTIONS)
def choose(request: ConsoleRequest) -> HttpResponse:
    form = ChooseForm(request, request.POST if request.method == "POST" else None)
    if form.is_valid():
        return redirect("identity:setup", form.save().pk)
    return _choice(request, form)


def _choice(request: ConsoleRequest, form: ChooseForm) -> HttpResponse:
    context = {"form": form, "has_connections": Connection.objects.of(request.enterprise).exists()}
    return render(request, "identity/choose.html", context, status=422 if form.errors else 200)


def connection_or_404(request: ConsoleRequest, pk: str) -> Connection:
    """Return the connection ``pk`` of this enterprise, or raise Http404."""
    connection = (
        Connection.objects.of(request.enterprise)
        .select_related("organization", "serving__secret")
        .filter(pk=pk)
        .first()
    )
    if connection is None:
        raise Http404
    connection.enterprise = request.enterprise
    return connection


def newest_or_404(request: ConsoleRequest, pk: str) -> tuple[Connection, Revision]:
    """Return the connection ``pk`` and its newest revision, or raise Http404."""
    connection = connection_or_404(request, pk)
    revision = connection.latest
    if revision is None:
        raise Http404
    revision.connection = connection
    return connection, revision


@require_http_methods(["GET", "POST"])
@allowed(Permission.MANAGE_CONNECTIONS)
def setup(request: ConsoleRequest, pk: str) -> HttpResponse:
    connection = connection_or_404(request, pk)
    form = SettingsForm(request, connection, request.POST if request.method == "POST" else None)
    if form.is_valid():
        if form.changes and (question := proof_asked(request)):
            return question
        saved = form.save()
        _say_what_was_saved(request, saved)
        return _back(connection, "" if saved.is_secret_cleared else "check")
    return setup_page(request, connection, form, status=422 if form.errors else 200)


@require_POST
@allowed(Permission.MANAGE_CONNECTIONS)
@recently_proved
def fix(request: ConsoleRequest, pk: str) -> HttpResponse:
    """Apply a fix the last check offered: the button says which field, the finding says to what."""
    connection, revision = newest_or_404(request, pk)
    for name in ("issuer", "client_authentication", "accepted_origins"):
        offered = findings.fix_named(revision, name) if name in request.POST else None
        if offered and offered.value == request.POST[name]:
            _say_what_was_saved(request, proving.apply_fix(request, revision, offered))
            return _back(connection, "values")
    problem = _("The newest revision has no such finding. Check again: the settings may have changed since.")
    return setup_page(request, connection, status=409, problem=problem)


@require_POST
@allowed(Permission.MANAGE_CONNECTIONS)
@recently_proved
def return_to(request: ConsoleRequest, pk: str, number: int) -> HttpResponse:
    connection = connection_or_404(request, pk)
    old = connection.revisions.filter(number=number).first()
    if old is None:
        raise Http404
    try:
        new = proving.return_to(request, connection, old)
    except NotTestedError:
        return setup_page(request, connection, status=409, problem=_("Revision %d was never tested.") % number)
    except SecretGoneError:
        problem = _("The client secret of revision %d is retired. Save its values again, with a secret, and test them.")
        return setup_page(request, connection, status=409, problem=problem % number)
    except LastAdminError:
        return nobody_left(request, connection)
    sentence = (
        _("Revision %(new)d has the values of revision %(old)d, and serves.")
        if connection.is_enabled
        else _("Revision %(new)d has the values of revision %(old)d, and its proof.")
    )
    messages.success(request, sentence % {"new": new.number, "old": old.number})
    return _back(connection)


@require_POST
@allowed(Permission.MANAGE_CONNECTIONS)
@recently_proved
def discard(request: ConsoleRequest, pk: str) -> HttpResponse:
    connection = connection_or_404(request, pk)
    name = connection.name
    try:
        proving.discard(request, connection)
    except StillNeededError:
        problem = _("This connection has been in use, or somebody is invited with it. It can be disabled, not deleted.")
        return setup_page(request, connection, status=409, problem=problem)
    messages.success(request, _("The draft of %(provider)s is deleted.") % {"provider": name})
    return redirect("identity:connections")


def setup_page(
    request: ConsoleRequest,
    connection: Connection,
    form: SettingsForm | None = None,
    *,
    status: int = 200,
    problem: str = "",
) -> HttpResponse:
    """Draw the guided page; ``problem`` says, at its top, why what was asked for was not done."""
    revision = connection.latest
    if revision:
        revision.connection = connection
    form = form or SettingsForm(request, connection)
    today = timezone.now().date()
    lines = findings.sentences(revision, today) if revision else []
    keys = list(connection.keys.published().select_related("published_by"))
    regions = [region for region in Region if region != request.enterprise.region]
    context = {
        "connection": connection,
        "revision": revision,
        "form": form,
        "problem": problem,
        "is_replacing": "replace" in request.GET or not form.has_secret or "client_secret" in form.data,
        "other_regions": [(region.label, region.origin + connection.callback_path) for region in regions],
        "lines": lines,
        "failures": sum(line.state == "failed" for line in lines),
        "end": ending(connection, today),
        "is_issuer_offered": any(line.fix and line.fix.name == "issuer" for line in lines),
        "steps": steps.steps(connection, revision),
        "check_waits_for": steps.check_waits_for(revision),
        "test_waits_for": steps.test_waits_for(revision),
        "enable_waits_for": steps.enable_waits_for(revision),
        "touched": Touched.by(connection),
        "neighbours": Neighbour.of(connection),
        "revisions": connection.revisions.select_related("created_by", "secret").order_by("-number")[:SHOWN_REVISIONS],
        "secrets": connection.secrets.kept().select_related("set_by"),
        "keys": keys,
        "key_set": json.dumps({"keys": [key.public for key in keys]}),
        "guide": f"identity/guides/{connection.provider}.html",
    }
    return render(request, "identity/setup.html", context, status=status)


def nobody_left(request: ConsoleRequest, connection: Connection) -> HttpResponse:
    """Say why the last Enterprise Admin who can sign in is not lost (M7); nothing was changed."""
    connection.refresh_from_db()
    problem = _(
        "Nobody could administer this enterprise any more: every Enterprise Admin signs in with %(provider)s. "
        "Give the role to somebody with a password first."
    ) % {"provider": connection.name}
    return setup_page(request, connection, status=409, problem=problem)


def _back(connection: Connection, part: str = "") -> HttpResponseRedirect:
    return HttpResponseRedirect(reverse("identity:setup", args=[connection.pk]) + (f"#{part}" if part else ""))


def _say_what_was_saved(request: ConsoleRequest, saved: Saved) -> None:
    if not saved.changed:
        if not saved.notes:
            messages.info(request, _("Nothing has changed."))
    elif saved.revision is None:
        messages.success(request, _("Who will use it is saved."))
    else:
        messages.success(request, _("Revision %(number)d is saved.") % {"number": saved.revision.number})
    if saved.is_secret_cleared:
        messages.warning(
            request, _("The issuer changed, so the client secret was cleared. Paste the secret that belongs to it.")
        )
    for note in saved.notes:
        messages.info(request, note)
