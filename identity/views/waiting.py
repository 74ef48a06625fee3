"""Advanced → Identity provider → Waiting: people the provider vouches for, whom we know by email only (T8)."""

from __future__ import annotations

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from audit.ids import is_id
from audit.keyset import page
from identity import linking
from identity.models import NotLinkable, WaitingSubject
from users.access import Permission, allowed
from users.http import ConsoleRequest
from users.models import LastAdminError
from users.step_up import recently_proved

PAGE = 50


@require_GET
@allowed(Permission.MANAGE_CONNECTIONS)
def waiting(request: ConsoleRequest) -> HttpResponse:
    """Who waits, or, with ``kept_out``, about whom somebody has said no: that can be thought over."""
    rows, is_kept_out = WaitingSubject.objects.of(request.enterprise), "kept_out" in request.GET
    rows = rows.kept_out() if is_kept_out else rows.undecided()
    found = page(
        rows.select_related("user", "connection__organization", "refused_by"),
        by=("-last_seen_at", "-id"),
        cursor=request.GET.get("cursor", ""),
        size=PAGE,
    )
    return render(request, "identity/waiting.html", {"page": found, "is_kept_out": is_kept_out})


@require_GET
@allowed(Permission.MANAGE_CONNECTIONS)
def subject(request: ConsoleRequest, pk: str) -> HttpResponse:
    """Both, side by side: who is here, and who came."""
    return _both(request, waiting_or_404(request, pk))


def _both(request: ConsoleRequest, found: WaitingSubject, problem: str = "", status: int = 200) -> HttpResponse:
    known = found.user.subjects.filter(connection=found.connection).first()
    context = {
        "waiting": found,
        "person": found.user,
        "known": known,
        "is_own": found.user_id == request.user.pk,
        "problem": problem,
    }
    return render(request, "identity/waiting_subject.html", context, status=status)


@require_POST
@allowed(Permission.MANAGE_CONNECTIONS)
@recently_proved
def link(request: ConsoleRequest, pk: str) -> HttpResponse:
    found = waiting_or_404(request, pk)
    if found.refused_at and "kept_out" not in request.POST:
        return _both(request, found, _("Somebody has kept this sign-in out meanwhile. Look at both again."), status=409)
    try:
        linking.link(request, found)
    except NotLinkable:
        problem = _("The account or the connection has changed since. Look at both again.")
        return _both(request, found, problem, status=409)
    except LastAdminError:
        problem = _("%(name)s is the only Enterprise Admin who can sign in. Give somebody else that role first.")
        return _both(request, found, problem % {"name": found.user.label}, status=409)
    messages.success(request, _("%(name)s is linked, and can sign in.") % {"name": found.user.label})
    return redirect("users:detail", found.user_id)


@require_POST
@allowed(Permission.MANAGE_CONNECTIONS)
def refuse(request: ConsoleRequest, pk: str) -> HttpResponse:
    found = waiting_or_404(request, pk)
    if not found.refused_at:  # Who said no first stays on record.
        linking.refuse(request, found)
    messages.success(request, _("%(sub)s stays out. The account is as it was.") % {"sub": found.sub})
    return redirect("identity:waiting")


def waiting_or_404(request: ConsoleRequest, pk: str) -> WaitingSubject:
    rows = WaitingSubject.objects.of(request.enterprise)
    found = rows.select_related("user__connection", "connection__organization", "refused_by").filter(pk=pk).first()
    if found is None or not is_id(pk):
        raise Http404
    found.connection.enterprise = found.user.enterprise = request.enterprise
    return found
