"""Advanced → Break-glass: the accounts for the day the provider is down."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import cast

from django.contrib import messages
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from audit.actions import Action
from audit.models import record
from users.access import Permission, allowed
from users.forms.break_glass import AddBreakGlass, RetireBreakGlass
from users.http import ConsoleRequest
from users.models import Factors, Throttle, User
from users.models.break_glass import MOST_BREAK_GLASS, TEST_LASTS
from users.step_up import recently_proved
from users.tasks import post_email

asks_and_acts = require_http_methods(["GET", "HEAD", "POST"])
LINKS = 3


@dataclass(frozen=True)
class Account:
    """One of them, as the page shows it."""

    user: User
    factors: Factors
    retire: RetireBreakGlass
    at: datetime

    @property
    def is_disabled(self) -> bool:
        return self.user.disabled_at is not None

    @property
    def has_password(self) -> bool:
        return self.user.has_usable_password()

    @property
    def is_ready(self) -> bool:
        return self.user.is_active and self.has_password and bool(self.factors)

    @property
    def is_due(self) -> bool:
        return self.is_ready and self.user.is_test_due(self.at)


@allowed(Permission.MANAGE_SIGN_IN)
@require_safe
def break_glass(request: HttpRequest) -> HttpResponse:
    request = cast(ConsoleRequest, request)
    now = timezone.now()
    users = User.objects.of(request.enterprise).break_glass().order_by("created_at", "id")
    accounts = []
    for user in users:
        user.enterprise = request.enterprise
        accounts.append(Account(user, Factors(user), RetireBreakGlass(request, user), now))
    context = {
        "accounts": accounts,
        "due": [account for account in accounts if account.is_due],
        "may_add": len(accounts) < MOST_BREAK_GLASS and AddBreakGlass.is_for(request.access),
        "days": TEST_LASTS.days,
    }
    return render(request, "users/break_glass.html", context)


@allowed(Permission.MANAGE_SIGN_IN)
@asks_and_acts
@recently_proved
def add(request: HttpRequest) -> HttpResponse:
    """The second one: a local Enterprise Admin, or a new account."""
    request = cast(ConsoleRequest, request)
    form = AddBreakGlass(request)
    status = 200
    if request.method == "POST":
        if form.is_valid() and form.save():
            messages.success(request, form.done)
            return redirect("users:break_glass")
        status = 422
    is_full = User.objects.of(request.enterprise).break_glass().count() >= MOST_BREAK_GLASS
    return render(request, "users/break_glass_add.html", {"form": form, "is_full": is_full}, status=status)


def _account(request: ConsoleRequest, pk: str) -> User:
    user = User.objects.of(request.enterprise).break_glass().filter(pk=pk).first()
    if user is None:
        raise Http404
    user.enterprise = request.enterprise
    return user


@allowed(Permission.MANAGE_SIGN_IN)
@asks_and_acts
@recently_proved
def retire(request: HttpRequest, pk: str) -> HttpResponse:
    request = cast(ConsoleRequest, request)
    form = RetireBreakGlass(request, _account(request, pk))
    status = 200
    if request.method == "POST":
        if form.is_valid() and form.save():
            messages.success(request, form.done)
            return redirect("users:break_glass")
        status = 409
    return render(request, "users/break_glass_retire.html", {"form": form}, status=status)


@allowed(Permission.MANAGE_SIGN_IN)
@require_POST
def send_link(request: HttpRequest, pk: str) -> HttpResponse:
    """Once more the link to choose a password, for an account that has none yet."""
    request = cast(ConsoleRequest, request)
    user = _account(request, pk)
    if user.has_usable_password():
        raise Http404
    Throttle.admit({Throttle.key_for("break-glass-link", user.pk): LINKS}, timezone.now())
    with transaction.atomic():
        record(Action.BREAK_GLASS_INVITED, enterprise=request.enterprise, request=request, target=user)
        post_email("break_glass_invited", user=user, by=request.user.label)
    messages.success(request, _("An email is on its way to %(email)s.") % {"email": user.email})
    return redirect("users:break_glass")
