"""Batches of people who are being switched: how far each has come, reminding, and switching back."""

from __future__ import annotations

from django.contrib import messages
from django.db import transaction
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_POST
from django_htmx.http import trigger_client_event

from audit.actions import Action
from audit.keyset import page
from audit.models import Result, record
from invitations import tasks
from invitations.models import STUCK, WAITING, Batch, BeyondReach, Busy, Move, NotRedeemable, Stage, is_at_one_of
from invitations.progress import Progress, beside
from users.access import Permission, allowed
from users.http import ConsoleRequest
from users.views.entrance import safe_next

PAGE = 50
# What the people of a batch can be narrowed by.
GROUPS = {"waiting": WAITING, "refused": STUCK, "done": (Stage.DONE,), "undone": (Stage.UNDONE,)}
LONGEST_SEARCH = 100
# What the titles of both connections of a switch are made of.
CONNECTIONS = ("leaving__organization", "leaving__serving", "connection__organization", "connection__serving")


@allowed(Permission.MIGRATE_PEOPLE)
@require_GET
def batches(request: ConsoleRequest) -> HttpResponse:
    """All batches there have been, the newest first."""
    found = page(
        Batch.objects.of(request.enterprise).select_related("begun_by"),
        by=("-begun_at", "-id"),
        cursor=request.GET.get("cursor", ""),
        size=20,
    )
    context = {"page": found, "batches": Progress.of(found.rows, timezone.now(), request.access)}
    return render(request, "invitations/batches.html", context)


@allowed(Permission.MIGRATE_PEOPLE)
@require_GET
def batch(request: ConsoleRequest, pk: str) -> HttpResponse:
    """One batch, person by person."""
    found, now = _batch_or_404(request, pk), timezone.now()
    text = request.GET.get("q", "").replace("\x00", "").strip()[:LONGEST_SEARCH]
    group = request.GET.get("show", "")
    moves = found.moves.select_related("user__connection", *CONNECTIONS)
    if group in GROUPS:
        moves = moves.filter(is_at_one_of(GROUPS[group], now))
    if text:
        moves = moves.filter(listed_as__contains=text.lower())
    people = page(moves, by=("listed_as", "id"), cursor=request.GET.get("cursor", ""), size=PAGE)
    for move in people.rows:
        move.batch, move.enterprise = found, request.enterprise
    mine = request.access.people(Permission.MIGRATE_PEOPLE).filter(pk__in=[move.user_id for move in people.rows])
    within_reach = set(mine.values_list("pk", flat=True))
    context = {
        "batch": found,
        "progress": Progress.of([found], now, request.access)[0],
        "page": people,
        "rows": [beside(move, now, may_act=move.user_id in within_reach) for move in people.rows],
        "group": group if group in GROUPS else "",
        "q": text,
    }
    return render(request, "invitations/batch.html", context)


@allowed(Permission.MIGRATE_PEOPLE)
@require_GET
def batch_progress(request: ConsoleRequest, pk: str) -> HttpResponse:
    """How far a batch is, for a page that is open while a worker is at it."""
    found = _batch_or_404(request, pk)
    progress = Progress.of([found], timezone.now(), request.access)[0]
    context = {"progress": progress, "is_alone": "alone" in request.GET}
    response = render(request, "invitations/batch_progress.html", context)
    if not progress.is_running:
        # The page asks no more; people are told, and the list shows how it ended.
        trigger_client_event(response, "announce", {"value": progress.said})
        trigger_client_event(response, "batch-finished")
    return response


@allowed(Permission.MIGRATE_PEOPLE)
@require_POST
def remind(request: ConsoleRequest, pk: str) -> HttpResponse:
    """Send a new link to those who wait since yesterday or longer."""
    found = _batch_or_404(request, pk)
    try:
        with transaction.atomic():
            found.remind(by=request.user, at=timezone.now())
            record(Action.BATCH_REMINDED, enterprise=request.enterprise, request=request, target=found)
            tasks.carry_out(found)
    except Busy:
        messages.warning(request, _("This batch is still being worked on. Remind people when that is done."))
    except NotRedeemable:
        messages.warning(request, _("This batch was switched back. There is nobody to remind."))
    except BeyondReach as beyond:
        _beyond_reach(request, found, Action.BATCH_REMINDED, beyond)
    else:
        messages.success(request, _("Reminders are on their way. Links sent before end."))
    return redirect("invitations:batch", found.pk)


@allowed(Permission.MIGRATE_PEOPLE)
@require_POST
def undo(request: ConsoleRequest, pk: str) -> HttpResponse:
    """Leave everybody who has not come yet as they were. Those who have stay with the provider."""
    found, now = _batch_or_404(request, pk), timezone.now()
    locked_out = found.moves.shut_out(now).count()
    try:
        with transaction.atomic():
            found.undo(by=request.user, at=now)
            record(Action.BATCH_UNDONE, enterprise=request.enterprise, request=request, target=found)
            tasks.carry_out(found)
    except NotRedeemable:
        messages.warning(request, _("This batch was switched back already."))
    except BeyondReach as beyond:
        _beyond_reach(request, found, Action.BATCH_UNDONE, beyond)
    else:
        if locked_out:
            said = ngettext(
                "Switched back; the links have ended. %(n)d person cannot sign in until switched again.",
                "Switched back; the links have ended. %(n)d people cannot sign in until they are switched again.",
                locked_out,
            )
            messages.warning(request, said % {"n": locked_out})
        else:
            messages.success(request, _("Whoever has not come yet signs in as before. The links have ended."))
    return redirect("invitations:batch", found.pk)


def _beyond_reach(request: ConsoleRequest, found: Batch, action: Action, beyond: BeyondReach) -> None:
    """Put on record, and say, that nobody acts on a batch who may not act on somebody in it."""
    record(
        action, enterprise=request.enterprise, request=request, target=found,
        result=Result.REFUSED, reason="beyond_reach", people=beyond.number,
    )  # fmt: skip
    said = ngettext(
        "%(n)d person here has more rights than you may give. Nothing was changed. Act on the rest one by one.",
        "%(n)d people here have more rights than you may give. Nothing was changed. Act on the rest one by one.",
        beyond.number,
    )
    messages.error(request, said % {"n": beyond.number})


def _batch_or_404(request: ConsoleRequest, pk: str) -> Batch:
    found = Batch.objects.of(request.enterprise).select_related("begun_by", "undone_by").filter(pk=pk).first()
    if found is None:
        raise Http404
    found.enterprise = request.enterprise
    return found


# ---- One person of a batch


@allowed(Permission.MIGRATE_PEOPLE)
@require_POST
def move_remind(request: ConsoleRequest, pk: str) -> HttpResponse:
    """Send one person a new link."""
    move = _move_or_404(request, pk)
    try:
        with transaction.atomic():
            move.remind(timezone.now())
            record(Action.SWITCH_REMINDED, enterprise=request.enterprise, request=request, target=move.user)
            tasks.send_link(move)
    except NotRedeemable as refusal:
        messages.warning(request, _too_late(move, refusal))
    else:
        words = {"email": move.email, "provider": move.connection.title}
        if move.connection.is_enabled:
            said = _("A new link is on its way to %(email)s. The one before has ended.")
        else:
            said = _("The link before has ended. A new one goes to %(email)s once %(provider)s is enabled again.")
        messages.success(request, said % words)
    return _back(request, move)


@allowed(Permission.MIGRATE_PEOPLE)
@require_POST
def move_undo(request: ConsoleRequest, pk: str) -> HttpResponse:
    """Leave one person as they were."""
    move, now = _move_or_404(request, pk), timezone.now()
    try:
        with transaction.atomic():
            move.undo(by=request.user, at=now)
            record(Action.SWITCH_UNDONE, enterprise=request.enterprise, request=request, target=move.user)
    except NotRedeemable as refusal:
        messages.warning(request, _too_late(move, refusal))
    else:
        said = {"name": str(move), "old": move.their_old_way}
        if move.is_old_way_open(now):
            messages.success(request, _("%(name)s signs in as before. The link has ended.") % said)
        else:
            locked_out = _(
                "%(name)s was switched back and cannot sign in: the link has ended, and %(old)s no longer works. "
                "Switch this person again to send a new link."
            )
            messages.warning(request, locked_out % said)
    return _back(request, move)


def _move_or_404(request: ConsoleRequest, pk: str) -> Move:
    """Return somebody's switch, if that person may be acted on."""
    people = request.access.people(Permission.MIGRATE_PEOPLE)
    moves = Move.objects.of(request.enterprise).select_related("batch", "user", *CONNECTIONS)
    move = moves.filter(pk=pk, user__in=people).first()
    if move is None:
        raise Http404
    move.enterprise = request.enterprise
    return move


def _too_late(move: Move, refusal: NotRedeemable) -> str:
    name = {"name": str(move)}
    match refusal.reason:
        case "switch_done":
            return _("%(name)s has switched meanwhile. Nothing was changed.") % name
        case "switch_undone":
            return _("%(name)s was switched back meanwhile. Nothing was changed.") % name
        case "switch_email_changed":
            return _("%(name)s has a new email that is not confirmed yet. Nothing was sent.") % name
    return _("%(name)s was reminded often enough. Nothing was sent.") % name


def _back(request: ConsoleRequest, move: Move) -> HttpResponse:
    return redirect(safe_next(request) or reverse("invitations:batch", args=[move.batch_id]))
