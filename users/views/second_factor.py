"""After the password: the second factor, or setting up the first one. Nobody here has a session yet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from users import enrolment, halfway
from users.arrival import arrive, drill, refuse_changed
from users.enrolment import Enrolment
from users.forms.factors import AddApp, AddFactor, AddPasskey
from users.forms.second_factor import Asked
from users.halfway import Halfway
from users.models import AccountChangedError, Enterprise, FactorRefused, Factors, FactorTakenError, User
from users.throttling import Guess
from users.views.doors import at_its_own_door

if TYPE_CHECKING:
    from collections.abc import Callable

asks_and_acts = require_http_methods(["GET", "HEAD", "POST"])


def after_password(request: HttpRequest, user: User, *, wanted: str = "", is_drill: bool = False) -> HttpResponse:
    """Answer somebody whose password was right: ask for the second factor, have one set up, or let them in."""
    factors = Factors(user)
    if not factors and not user.needs_second_factor:
        try:
            return _inside(request, user, wanted, factors, kind="")
        except AccountChangedError:
            refuse_changed(request, user)
            return _once_more(request, user.enterprise)
    is_drill = is_drill and bool(factors)  # What is not set up cannot be tested: setting it up signs in.
    lasts = halfway.LASTS if factors else halfway.LASTS_TO_ENROL
    response = redirect("users:factor" if factors else "users:enrol", user.enterprise.slug)
    halfway.keep(response, request, user, lasts=lasts, wanted=wanted, is_drill=is_drill)
    return response


def _inside(request: HttpRequest, user: User, wanted: str, factors: Factors, *, kind: str) -> HttpResponse:
    arrive(request, user, factors, kind)
    response = redirect(wanted or settings.LOGIN_REDIRECT_URL)
    _leave_the_doorstep(request, response, user)
    return response


def _drilled(request: HttpRequest, user: User, factors: Factors, *, kind: str) -> HttpResponse:
    """Say that the break-glass account works. Whoever is signed in here stays so."""
    drill(request, user, factors, kind)
    is_admin = request.user.is_authenticated and request.enterprise == user.enterprise  # type: ignore[attr-defined]
    context = {"enterprise": user.enterprise, "person": user, "is_admin": is_admin}
    response = render(request, "users/drilled.html", context)
    _leave_the_doorstep(request, response, user)
    return response


def _leave_the_doorstep(request: HttpRequest, response: HttpResponse, user: User) -> None:
    """The browser is known as the owner's from now on, and what the sign-in was kept in goes."""
    Guess(request, user.enterprise, user.email).remember(response)
    halfway.clear(response)
    enrolment.clear(response)


def _once_more(request: HttpRequest, enterprise: Enterprise, *, is_late: bool = True) -> HttpResponse:
    """Ask for the password again; say why to whoever gave it before."""
    if is_late:
        messages.warning(request, _("This took too long, or the account has changed meanwhile. Sign in again."))
    response = redirect("users:local", enterprise.slug)
    halfway.clear(response)
    return response


def _is_halfway(view: Callable[[HttpRequest, Halfway], HttpResponse]) -> Callable[[HttpRequest, str], HttpResponse]:
    """Hand the view the half-done sign-in of this browser; without one, the password is asked for once more."""

    def asked(request: HttpRequest, enterprise: Enterprise) -> HttpResponse:
        if half := halfway.found(request, enterprise):
            try:
                return view(request, half)
            except (FactorRefused, FactorTakenError):
                pass  # Completed in another tab, or by somebody who was quicker.
            except (AccountChangedError, User.DoesNotExist):
                refuse_changed(request, half.user)
                return _once_more(request, enterprise)
        if request.user.is_authenticated and request.enterprise == enterprise:  # type: ignore[attr-defined]
            return redirect(settings.LOGIN_REDIRECT_URL)
        return _once_more(request, enterprise, is_late=halfway.COOKIE in request.COOKIES)

    return login_not_required(never_cache(asks_and_acts(at_its_own_door(asked))))


@_is_halfway
def factor(request: HttpRequest, half: Halfway) -> HttpResponse:
    """Ask for the second factor."""
    factors = Factors(half.user)
    if not factors:  # Reset a moment ago.
        return redirect("users:enrol", half.user.enterprise.slug)
    asked = Asked(request, half.user, factors, half.id)
    if asked.tried.is_valid():
        half.complete()
        if half.is_drill:
            return _drilled(request, half.user, factors, kind=asked.tried.kind)
        return _inside(request, half.user, half.next, factors, kind=asked.tried.kind)
    context = {"enterprise": half.user.enterprise, "person": half.user, "is_drill": half.is_drill, **asked.context()}
    return render(request, "users/second_factor.html", context)


@_is_halfway
def enrol(request: HttpRequest, half: Halfway) -> HttpResponse:
    """Have an authenticator app set up as the first second factor."""
    setting_up = Enrolment(request, half.user, half.id)
    form = AddApp(request, setting_up, is_first=True)
    return _first_factor(request, half, form, "users/enrol.html", {"enrolment": setting_up})


@_is_halfway
def enrol_passkey(request: HttpRequest, half: Halfway) -> HttpResponse:
    """Have a passkey made as the first second factor."""
    form = AddPasskey(request, half.user, half.id, is_first=True)
    return _first_factor(request, half, form, "users/enrol_passkey.html", {})


def _first_factor(
    request: HttpRequest, half: Halfway, form: AddFactor, template: str, context: dict[str, object]
) -> HttpResponse:
    user = half.user
    if Factors(user):
        return redirect("users:factor", user.enterprise.slug)
    if request.method == "POST" and form.is_valid():
        with transaction.atomic():
            half.complete()
            codes = form.save()
            arrive(request, user, Factors(user), form.kind)
        response = render(
            request,
            "users/first_codes.html",
            {"enterprise": user.enterprise, "codes": codes, "next": half.next or reverse(settings.LOGIN_REDIRECT_URL)},
        )
        _leave_the_doorstep(request, response, user)
        return response
    if isinstance(form, AddPasskey):
        context["passkey"] = form.ask()
    response = render(request, template, {"enterprise": user.enterprise, "person": user, "form": form, **context})
    if isinstance(form, AddApp):
        form.enrolment.keep(response)
    return response
