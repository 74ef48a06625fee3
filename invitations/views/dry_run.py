"""Who would be switched, shown before anybody is; and the decision."""

from __future__ import annotations

from django.contrib import messages
from django.db import transaction
from django.http import Http404, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_POST

from invitations.models import Batch, Switch
from invitations.progress import Progress
from invitations.switching import BeginForm, DryRun
from users.access import Permission, allowed, person_or_404
from users.http import ConsoleRequest
from users.models import Throttle
from users.step_up import recently_proved
from users.tasks import post_email

# Of the newest batches, beneath the dry run; the others have a page of their own.
NEWEST = 5
CONFIRMATIONS = 3


@allowed(Permission.MIGRATE_PEOPLE)
@require_GET
def dry_run(request: ConsoleRequest) -> HttpResponse:
    """Show whoever the address means, everyone with a password if it means nobody, and what would become of them."""
    run = DryRun(request, request.GET)
    if run.choice.users and not run.total:
        raise Http404
    return _page(request, run, BeginForm(run=run))


@allowed(Permission.MIGRATE_PEOPLE)
@require_POST
@recently_proved
def begin(request: ConsoleRequest) -> HttpResponse:
    """Begin to switch those who can be. They have until they come; nothing they sign in with ends before."""
    run = DryRun(request, request.POST)
    if run.choice.users and not run.total:
        raise Http404
    form = BeginForm(request.POST, run=run)
    if not form.is_valid():
        return _page(request, run, form, status=422)
    said = ngettext("%(n)d person gets an email.", "%(n)d people get an email.", run.can) % {"n": run.can}
    if not run.locked_out:
        said = f"{said} {_('The old way works until then.')}"
    batch = form.save()
    messages.success(request, said)
    return redirect("invitations:batch", batch.pk)


def _page(request: ConsoleRequest, run: DryRun, form: BeginForm, status: int = 200) -> HttpResponse:
    batches = Batch.objects.of(request.enterprise).select_related("begun_by")
    newest = list(batches.order_by("-begun_at", "-id")[: NEWEST + 1])
    context = {
        "run": run,
        "form": form,
        "batches": Progress.of(newest[:NEWEST], timezone.now(), request.access),
        "has_more_batches": len(newest) > NEWEST,
        "step_by_step": Switch.objects.of(request.enterprise).under_way().count(),
    }
    return render(request, "invitations/dry_run.html", context, status=status)


@allowed(Permission.MIGRATE_PEOPLE)
@require_GET
def download(request: ConsoleRequest) -> HttpResponseBase:
    """The dry run as a file, all of it."""
    run = DryRun(request, request.GET)
    name = f"switch-{request.enterprise.slug}-{timezone.localdate():%Y-%m-%d}.csv"
    return StreamingHttpResponse(
        run.lines(),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


@allowed(Permission.MIGRATE_PEOPLE)
@require_POST
def confirm_again(request: ConsoleRequest) -> HttpResponse:
    """Send somebody the link that confirms their email, which a switch waits for."""
    person = person_or_404(request, request.POST.get("person", ""), Permission.MANAGE_PEOPLE)
    if not person.is_email_confirmed and person.is_active:
        Throttle.admit({Throttle.key_for("confirmation", person.pk): CONFIRMATIONS}, timezone.now())
        with transaction.atomic():
            post_email("confirm_email", user=person)
        messages.success(request, _("A link to confirm it is on its way to %(email)s.") % {"email": person.email})
    return redirect(DryRun(request, request.POST).address())
