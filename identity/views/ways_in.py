"""Advanced → Identity provider → Who signs in how."""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_GET

from identity.forms import WayInForm
from identity.ways_in import places_of, way_in_of
from users.access import Permission, allowed
from users.http import ConsoleRequest


@require_GET
@allowed(Permission.MANAGE_CONNECTIONS)
def ways_in(request: ConsoleRequest) -> HttpResponse:
    """Say which connection serves whom, and how one person would sign in. Asks nobody and changes nothing."""
    form = WayInForm(request.GET if "email" in request.GET else None)
    way = None
    if form.is_valid():
        way = way_in_of(request.enterprise, form.cleaned_data["email"], timezone.now())
    context = {"form": form, "way": way, "places": places_of(request.enterprise)}
    return render(request, "identity/ways_in.html", context, status=422 if form.errors else 200)
