"""Sign-up."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods

from users.forms.sign_up import AddressForm, SignUpForm
from users.models import Region, User
from users.views.second_factor import after_password


def _region_here(request: HttpRequest) -> Region:
    return next((region for region in Region if region.host == request.get_host()), Region.EU)


@login_not_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def sign_up(request: HttpRequest) -> HttpResponse:
    """Create an enterprise and its break-glass account (M1)."""
    here = _region_here(request)
    form = SignUpForm(request.POST if request.method == "POST" else None, request=request, initial={"region": here})
    if request.method == "POST" and form.is_valid() and (user := form.save()):
        return _inside(request, user)
    return render(request, "users/sign_up.html", {"form": form, "region": here.label})


def _inside(request: HttpRequest, user: User) -> HttpResponse:
    """Lead the founder to the second factor; at another region's address that takes the password once more."""
    enterprise = user.enterprise
    if request.get_host() != enterprise.host:
        return redirect(enterprise.url(reverse("users:local", args=[enterprise.slug])) + "?created")
    messages.success(request, _("%(enterprise)s is created.") % {"enterprise": enterprise.name})
    return after_password(request, user)


@login_not_required
@never_cache
@require_GET
def address(request: HttpRequest) -> HttpResponse:
    """Say whether an address is free, while it is typed."""
    form = AddressForm(request.GET)
    form.is_valid()
    state = "taken" if form.has_error("slug", "taken") else "" if form.has_error("slug") else "free"
    return render(request, "users/sign_up_address.html", {"form": form, "state": state})
