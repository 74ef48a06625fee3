"""Advanced → Local sign-in."""

from __future__ import annotations

from typing import cast

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from users.access import Permission, allowed
from users.forms.local_sign_in import LocalSignInRules
from users.http import ConsoleRequest
from users.step_up import recently_proved


@allowed(Permission.MANAGE_SIGN_IN)
@require_http_methods(["GET", "HEAD", "POST"])
@recently_proved
def local_sign_in(request: HttpRequest) -> HttpResponse:
    """Whether accounts with a password need a second factor, and how many have one."""
    request = cast(ConsoleRequest, request)
    form = LocalSignInRules(request)
    if request.method == "POST" and form.is_valid():
        form.save()
        messages.success(request, form.done)
        return redirect("users:local_sign_in")
    return render(request, "users/local_sign_in.html", {"form": form}, status=422 if form.is_bound else 200)
