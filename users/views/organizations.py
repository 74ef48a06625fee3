"""The parts of an enterprise."""

from __future__ import annotations

from typing import cast

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from audit.keyset import page
from users.access import Permission, allowed, organization_or_404
from users.forms.organizations import DeleteOrganization, OrganizationForm
from users.http import ConsoleRequest
from users.models import Organization

PAGE = 100
asks_and_acts = require_http_methods(["GET", "HEAD", "POST"])


@allowed(Permission.MANAGE_ORGANIZATIONS)
@require_safe
def organizations(request: HttpRequest) -> HttpResponse:
    request = cast(ConsoleRequest, request)
    found = page(
        Organization.objects.of(request.enterprise).with_counts(),
        by=("name", "id"),
        cursor=request.GET.get("cursor", ""),
        size=PAGE,
    )
    return render(request, "users/organizations.html", {"page": found, "form": OrganizationForm(request)})


@allowed(Permission.MANAGE_ORGANIZATIONS)
@asks_and_acts
def create(request: HttpRequest) -> HttpResponse:
    request = cast(ConsoleRequest, request)
    return _answer(request, OrganizationForm(request))


@allowed(Permission.MANAGE_ORGANIZATIONS)
@asks_and_acts
def rename(request: HttpRequest, pk: str) -> HttpResponse:
    request = cast(ConsoleRequest, request)
    return _answer(request, OrganizationForm(request, organization_or_404(request.enterprise, pk)))


def _answer(request: ConsoleRequest, form: OrganizationForm) -> HttpResponse:
    status = 200
    if request.method == "POST":
        if form.is_valid() and form.save():
            messages.success(request, form.done)
            return redirect("users:organizations")
        status = 422
    return render(request, "users/organization_form.html", {"form": form}, status=status)


@allowed(Permission.MANAGE_ORGANIZATIONS)
@asks_and_acts
def delete(request: HttpRequest, pk: str) -> HttpResponse:
    request = cast(ConsoleRequest, request)
    form = DeleteOrganization(request, organization_or_404(request.enterprise, pk))
    status = 200
    if request.method == "POST":
        if form.is_valid() and form.save():
            messages.success(request, form.done)
            return redirect("users:organizations")
        status = 409
    return render(request, "users/organization_delete.html", {"form": form}, status=status)
