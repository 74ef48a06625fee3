"""One's own second factors, of the account page. 404 for those whose provider has all of that."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from users import enrolment
from users.enrolment import Enrolment
from users.forms.factors import AddApp, AddFactor, AddPasskey, NewCodes, RemoveFactor, RenamePasskey
from users.http import ConsoleRequest
from users.models import AuthenticatorApp, Factors, FactorTakenError, Passkey
from users.step_up import recently_proved

asks_and_acts = require_http_methods(["GET", "HEAD", "POST"])


def always(_request: HttpRequest) -> bool:
    """Ask before the page is shown: what is sent from it is good for a moment only, and cannot wait for a proof."""
    return True


def _local_only(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    @wraps(view)
    def local(request: ConsoleRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not request.user.signs_in_with_password:
            raise Http404
        return view(request, *args, **kwargs)

    return local


def _added(request: ConsoleRequest, form: AddFactor) -> HttpResponse | None:
    """Add it, and show the recovery codes if these are the first; None when there is nothing to add yet."""
    if request.method != "POST" or not form.is_valid():
        return None
    try:
        codes = form.save()
    except FactorTakenError:
        form.add_error(None, _("This passkey is here already."))
        return None
    if codes:
        return render(request, "users/new_codes.html", {"codes": codes})
    messages.success(request, _("The second factor is added."))
    return redirect("users:account")


@asks_and_acts
@_local_only
@recently_proved(when=always)
def add_app(request: ConsoleRequest) -> HttpResponse:
    """Set up an authenticator app, or another one in place of the first."""
    setting_up = Enrolment(request, request.user, request.session.row.handle)  # type: ignore[union-attr]
    form = AddApp(request, setting_up)
    if response := _added(request, form):
        enrolment.clear(response)
        return response
    replaces = AuthenticatorApp.objects.of(request.enterprise).filter(user=request.user).exists()
    response = render(request, "users/add_app.html", {"form": form, "enrolment": setting_up, "replaces": replaces})
    setting_up.keep(response)
    return response


@asks_and_acts
@_local_only
@recently_proved(when=always)
def add_passkey(request: ConsoleRequest) -> HttpResponse:
    form = AddPasskey(request, request.user, request.session.row.handle)  # type: ignore[union-attr]
    return _added(request, form) or render(request, "users/add_passkey.html", {"form": form, "passkey": form.ask()})


def _own_passkey(request: ConsoleRequest, pk: str) -> Passkey:
    passkey = Passkey.objects.of(request.enterprise).filter(user=request.user, pk=pk).first()
    if passkey is None:
        raise Http404
    passkey.user = request.user
    return passkey


@asks_and_acts
@_local_only
def rename_passkey(request: ConsoleRequest, pk: str) -> HttpResponse:
    form = RenamePasskey(request, _own_passkey(request, pk))
    if request.method == "POST" and form.is_valid():
        form.save()
        messages.success(request, _("The passkey is now called %(name)s.") % {"name": form.passkey.name})
        return redirect("users:account")
    return render(request, "users/rename_passkey.html", {"form": form})


@asks_and_acts
@_local_only
@recently_proved
def remove_passkey(request: ConsoleRequest, pk: str) -> HttpResponse:
    return _remove(request, _own_passkey(request, pk))


@asks_and_acts
@_local_only
@recently_proved
def remove_app(request: ConsoleRequest) -> HttpResponse:
    app = AuthenticatorApp.objects.of(request.enterprise).filter(user=request.user).first()
    if app is None:
        raise Http404
    return _remove(request, app)


def _remove(request: ConsoleRequest, factor: AuthenticatorApp | Passkey) -> HttpResponse:
    form = RemoveFactor(request, factor)
    status = 200
    if request.method == "POST":
        if form.is_valid() and form.save(request.user, request.session.row):  # type: ignore[arg-type]
            messages.success(request, _("%(factor)s is removed. All other sessions have ended.") % {"factor": factor})
            return redirect("users:account")
        status = 409
    what = factor.name if isinstance(factor, Passkey) else _("the authenticator app")
    context = {"form": form, "what": what, "left": len(Factors(request.user)) - 1}
    return render(request, "users/remove_factor.html", context, status=status)


@asks_and_acts
@_local_only
@recently_proved
def new_codes(request: ConsoleRequest) -> HttpResponse:
    """Ask, and by POST show ten new recovery codes: once, since they are kept hashed."""
    factors = Factors(request.user)
    if not factors:
        raise Http404
    if request.method == "POST":
        codes = NewCodes(request.POST).save(request, request.user)
        return render(request, "users/new_codes.html", {"codes": codes})
    return render(request, "users/ask_new_codes.html", {"left": factors.codes_left})
