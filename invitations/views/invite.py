"""Inviting people: a page of its own, and a dialog on the lists."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods
from django_htmx.http import HttpResponseClientRedirect

from invitations.forms import InviteForm
from users.access import Permission, allowed, is_administrative
from users.http import ConsoleRequest
from users.step_up import proof_asked


@allowed(Permission.INVITE_PEOPLE)
@require_http_methods(["GET", "POST"])
def invite(request: ConsoleRequest) -> HttpResponse:
    """Show the form and take it. ``email``, ``role`` and ``organization`` in the address fill it in."""
    as_dialog = bool(request.headers.get("HX-Request"))
    form = InviteForm(
        request.POST if request.method == "POST" else None, access=request.access, initial=_asked(request)
    )
    if form.is_valid():
        gives_much = is_administrative(form.cleaned_data["role"])
        if gives_much and (question := proof_asked(request)):
            return question
        invitations = form.save(request)
        if invitations:
            messages.success(request, _told(form, len(invitations)))
            there = reverse("invitations:list")
            return HttpResponseClientRedirect(there) if as_dialog else redirect(there)
    template = "invitations/invite_dialog.html" if as_dialog else "invitations/invite.html"
    return render(request, template, {"form": form, "way_in": _way_in(form)})


def _asked(request: ConsoleRequest) -> dict[str, str]:
    names = {"email": "emails", "role": "role", "organization": "organization"}
    return {field: request.GET[name] for name, field in names.items() if request.GET.get(name)}


def _way_in(form: InviteForm) -> str:
    """How everybody invited here will sign in, in words; empty when that depends on the place."""
    connections = form.connections
    if not connections:
        return _("choose a password")
    if len(connections) == 1 and connections[0].organization_id is None:
        return _("sign in with %(provider)s") % {"provider": connections[0].label}
    return ""


def _told(form: InviteForm, count: int) -> str:
    parts = [ngettext("%(count)d person is invited.", "%(count)d people are invited.", count) % {"count": count}]
    if form.repeated:
        parts.append(
            ngettext("%(count)d address was there twice.", "%(count)d addresses were there twice.", form.repeated)
            % {"count": form.repeated}
        )
    if form.left_out:
        left = len(form.left_out)
        parts.append(ngettext("%(count)d was left out.", "%(count)d were left out.", left) % {"count": left})
    if not form.access.user.is_email_confirmed:
        parts.append(_("The emails wait until you have confirmed yours."))
    return " ".join(parts)
