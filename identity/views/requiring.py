"""Advanced → Identity provider → Who has to use it."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from identity.requiring import RequireProvider, release
from users.access import Permission, allowed
from users.http import ConsoleRequest
from users.step_up import recently_proved


@require_http_methods(["GET", "POST"])
@allowed(Permission.MANAGE_CONNECTIONS)
def requiring(request: ConsoleRequest) -> HttpResponse:
    form = RequireProvider(request)
    if request.method == "POST" and form.is_valid() and form.save():
        messages.success(request, _("Everyone is told. Until then nothing changes for anybody."))
        return redirect("identity:requiring")
    status = 409 if form.non_field_errors() else 422 if form.errors else 200
    return render(request, "identity/requiring.html", {"form": form}, status=status)


@require_POST
@allowed(Permission.MANAGE_CONNECTIONS)
@recently_proved
def released(request: ConsoleRequest) -> HttpResponse:
    if release(request):
        messages.success(request, _("People with a password go on with it. New people use the provider."))
    return redirect("identity:requiring")
