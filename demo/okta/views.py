"""The pages: pick a person, try an outage, see what to paste."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

from django import forms
from django.conf import settings
from django.contrib.auth import login, logout
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from demo.okta.models import KEYS, Application, Person

OUTAGE = settings.FOLDER / "outage"
ISSUER = settings.OAUTH2_PROVIDER["OIDC_ISS_ENDPOINT"]


class PickForm(forms.Form):
    """Whoever types an address here is that person: this is a demo."""

    email = forms.EmailField(max_length=254)


class KeysForm(forms.Form):
    """Where the app publishes its keys; empty for none."""

    keys_address = forms.RegexField(
        KEYS,
        required=False,
        max_length=200,
        error_messages={"invalid": "This is not the address of the keys of a Gatehouse on this machine."},
    )


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    return _home(request)


def _home(request: HttpRequest, keys: KeysForm | None = None) -> HttpResponse:
    application = Application.objects.get()
    return render(
        request,
        "okta/home.html",
        {
            "issuer": ISSUER,
            "application": application,
            "keys": keys or KeysForm({"keys_address": application.keys_address}),
            "people": Person.objects.order_by("-is_assigned", "given_name"),
            "is_out": OUTAGE.exists(),
        },
        status=400 if keys else 200,
    )


@require_POST
def client_secrets(request: HttpRequest) -> HttpResponse:
    """Make a second secret, or deactivate one of two, as one does while a secret is replaced."""
    application = Application.objects.get()
    if "deactivate" in request.POST:
        application.deactivate(request.POST["deactivate"])
    else:
        application.add_secret()
    return redirect("home")


@require_POST
def keys(request: HttpRequest) -> HttpResponse:
    form = KeysForm(request.POST)
    if not form.is_valid():
        return _home(request, form)
    Application.objects.update(keys_address=form.cleaned_data["keys_address"])
    return redirect("home")


@require_http_methods(["GET", "HEAD", "POST"])
def sign_in(request: HttpRequest) -> HttpResponse:
    next_url = request.GET.get("next", "")
    if not url_has_allowed_host_and_scheme(next_url, allowed_hosts=None):
        next_url = "/"
    form = PickForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        person = Person.objects.named(form.cleaned_data["email"])
        login(request, person)
        request.session["sid"] = f"102{secrets.token_urlsafe(18)}"
        return HttpResponseRedirect(next_url)
    hint = parse_qs(urlsplit(next_url).query).get("login_hint", [""])[0]
    people = Person.objects.order_by("-is_assigned", "given_name")
    status = 400 if form.errors else 200
    return render(request, "okta/sign_in.html", {"people": people, "form": form, "hint": hint}, status=status)


@require_POST
def forget(request: HttpRequest) -> HttpResponse:
    logout(request)
    return redirect("home")


@require_POST
def outage(request: HttpRequest) -> HttpResponse:
    """Begin an outage, or end it: the flag is a file, so that every worker sees it at once."""
    if request.POST.get("state") == "out":
        OUTAGE.touch()
    else:
        OUTAGE.unlink(missing_ok=True)
    return redirect("home")


def _out(request: HttpRequest) -> HttpResponse:
    """A page for whoever is sent here by a browser, and a line for programs."""
    if request.accepts("text/html"):
        return render(request, "okta/outage.html", status=503)
    return HttpResponse("The demo Okta plays an outage.\n", status=503, content_type="text/plain")


def guard(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Answer 503 for the provider's part during an outage, and set the headers of our own pages.

    There is no form-action in the policy: the form that picks a person ends, by redirects, at the app.
    """

    def middleware(request: HttpRequest) -> HttpResponse:
        is_out = request.path.startswith("/oauth2/") and OUTAGE.exists()
        response = _out(request) if is_out else get_response(request)
        response.setdefault("Content-Security-Policy", "default-src 'none'; style-src 'self'; frame-ancestors 'none'")
        return response

    return middleware
