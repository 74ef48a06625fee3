"""Behind the links in emails to oneself. Opening one changes nothing; pressing the button does."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from audit.models import record
from users.forms.account import ResetPasswordForm
from users.http import ConsoleRequest
from users.models import AccountChangedError, Throttle, User
from users.sealing import SealBroken, seal, unseal
from users.tasks import post_email
from users.tokens import confirmation_token, reset_token

if TYPE_CHECKING:
    from collections.abc import Callable

RESET_COOKIE = f"{settings.COOKIE_PREFIX}reset"
# The link in the cookie opens nothing elsewhere: it is sealed for this one use.
RESET_PLACE = "reset cookie"
CONFIRMATIONS = 3


def kept_secret(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """The page's address is a secret: it is not to be stored, nor told to the next page."""

    @wraps(view)
    def kept(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        response = view(request, *args, **kwargs)
        response["Referrer-Policy"] = "no-referrer"
        response["Cache-Control"] = "no-store"
        return response

    return kept


def _user(pk: str) -> User | None:
    """The account a signed link names; the signature, which comes from us, stands for the enterprise."""
    return User.objects.select_related("enterprise").filter(pk=pk, joined_at__isnull=False, disabled_at=None).first()


@login_not_required
@kept_secret
@require_http_methods(["GET", "HEAD", "POST"])
def confirm(request: HttpRequest, pk: str, token: str) -> HttpResponse:
    """Confirm an email address."""
    user = _user(pk)
    if user is None or not confirmation_token.check_token(user, token):
        return render(request, "users/link_over.html", {"what": "confirm"}, status=410)
    if request.method != "POST":
        return render(request, "users/confirm.html", {"person": user, "enterprise": user.enterprise})
    try:
        with transaction.atomic():
            user.confirm_email(timezone.now())
            record("email:confirmed", enterprise=user.enterprise, request=request, actor=user, target=user)
    except AccountChangedError:
        return render(request, "users/link_over.html", {"what": "confirm"}, status=410)
    messages.success(request, _("Your email is confirmed."))
    if request.user.pk == user.pk:
        return redirect(settings.LOGIN_REDIRECT_URL)
    return redirect(reverse("users:enterprise", args=[user.enterprise.slug]))


@require_POST
def send_confirmation(request: ConsoleRequest) -> HttpResponse:
    """Send the confirmation once more."""
    user = request.user
    if not user.is_email_confirmed:
        Throttle.admit({Throttle.key_for("confirmation", user.pk): CONFIRMATIONS}, timezone.now())
        post_email("confirm_email", user=user)
    messages.success(request, _("An email is on its way to %(email)s.") % {"email": user.email})
    return redirect("users:account")


@login_not_required
@kept_secret
@require_GET
def reset_link(request: HttpRequest, pk: str, token: str) -> HttpResponse:
    """Take the secret out of the address bar, into a sealed cookie, and show the form at an address without it."""
    response = redirect("users:reset_password")
    response.set_cookie(
        RESET_COOKIE,
        seal(f"{pk}/{token}".encode(), bound_to=RESET_PLACE),
        max_age=settings.PASSWORD_RESET_TIMEOUT,
        secure=settings.HTTPS,
        httponly=True,
        samesite="Lax",
    )
    return response


def _from_cookie(request: HttpRequest) -> User | None:
    try:
        pk, _slash, token = unseal(request.COOKIES.get(RESET_COOKIE, ""), bound_to=RESET_PLACE).decode().partition("/")
    except SealBroken:
        return None
    user = _user(pk)
    return user if user and user.signs_in_with_password and reset_token.check_token(user, token) else None


@login_not_required
@kept_secret
@require_http_methods(["GET", "HEAD", "POST"])
def reset_password(request: HttpRequest) -> HttpResponse:
    """Choose a new password."""
    user = _from_cookie(request)
    if user is None:
        return render(request, "users/link_over.html", {"what": "reset"}, status=410)
    form = ResetPasswordForm(request.POST if request.method == "POST" else None, user=user)
    if request.method == "POST" and form.is_valid():
        try:
            form.save(request)
        except AccountChangedError:
            return render(request, "users/link_over.html", {"what": "reset"}, status=410)
        messages.success(request, _("Your password is changed, and every session has ended. Sign in with the new one."))
        response = redirect(reverse("users:local", args=[user.enterprise.slug]))
        response.delete_cookie(RESET_COOKIE, samesite="Lax")
        return response
    return render(request, "users/reset_password.html", {"form": form, "person": user, "enterprise": user.enterprise})
