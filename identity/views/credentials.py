"""Our keys for everybody to fetch; and what an administrator does with keys and secrets."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from identity import rotation
from identity.credentials import ClientKey, ClientSecret, KeyNotKnownError, KeyWaitsError, StillInUseError
from identity.forms import ExpiryForm
from identity.models import Connection
from identity.views.connections import connection_or_404, setup_page
from users.access import Permission, allowed
from users.http import ConsoleRequest
from users.step_up import recently_proved

# Much shorter than a key is published before it signs, so that whoever honours it never lacks one.
FRESH_SECONDS = 300


@login_not_required
@require_safe
def keys(request: HttpRequest, pk: str) -> HttpResponse:
    """Publish the public halves of the keys of the connection ``pk`` as a JWK set (RFC 7517, section 5).

    Nothing else is said: no keys and no such connection are the same 404. No enterprise is asked about, since nobody is
    signed in: providers fetch what is meant for everybody.
    """
    published = list(ClientKey.objects.filter(connection=pk).published().values_list("public", flat=True))
    if not published:
        raise Http404
    response = JsonResponse({"keys": published})
    response["Cache-Control"] = f"public, max-age={FRESH_SECONDS}"
    return response


def _key_or_404(request: ConsoleRequest, pk: str, key: str) -> tuple[Connection, ClientKey]:
    connection = connection_or_404(request, pk)
    found = connection.keys.published().filter(pk=key).first()
    if found is None:
        raise Http404
    return connection, found


def _secret_or_404(request: ConsoleRequest, pk: str, secret: str) -> tuple[Connection, ClientSecret]:
    connection = connection_or_404(request, pk)
    found = connection.secrets.kept().filter(pk=secret).first()
    if found is None:
        raise Http404
    return connection, found


def _back(connection: Connection) -> HttpResponse:
    return HttpResponseRedirect(reverse("identity:setup", args=[connection.pk]) + "#credentials")


@require_POST
@allowed(Permission.MANAGE_CONNECTIONS)
@recently_proved
def rotate(request: ConsoleRequest, pk: str) -> HttpResponse:
    connection = connection_or_404(request, pk)
    if connection.signing_key_id is None:
        raise Http404
    try:
        key = rotation.publish(request, connection)
    except KeyWaitsError:
        problem = _("A key is published already and waits for its turn. Let it sign first; then make the next one.")
        return setup_page(request, connection, status=409, problem=problem)
    if key.is_waiting:
        messages.success(
            request, _("A new key is published. The old one goes on signing until it is known everywhere.")
        )
    else:
        messages.success(request, _("A new key is published, and signs. No sign-in depended on the old one."))
    return _back(connection)


@require_POST
@allowed(Permission.MANAGE_CONNECTIONS)
@recently_proved
def sign(request: ConsoleRequest, pk: str, key: str) -> HttpResponse:
    connection, found = _key_or_404(request, pk, key)
    try:
        rotation.sign(request, found)
    except KeyNotKnownError:
        problem = _(
            "%(provider)s has not shown that it knows this key. Paste it there, then test a sign-in: that uses it."
        )
        return setup_page(request, connection, status=409, problem=problem % {"provider": connection.name})
    messages.success(request, _("The new key signs. The old one stays published for a day."))
    return _back(connection)


@require_POST
@allowed(Permission.MANAGE_CONNECTIONS)
@recently_proved
def withdraw(request: ConsoleRequest, pk: str, key: str) -> HttpResponse:
    connection, found = _key_or_404(request, pk, key)
    try:
        rotation.withdraw(request, found)
    except StillInUseError:
        problem = _("This key signs. Rotate it first; then it can be withdrawn.")
        return setup_page(request, connection, status=409, problem=problem)
    messages.success(request, _("The key is withdrawn, and erased."))
    return _back(connection)


@require_POST
@allowed(Permission.MANAGE_CONNECTIONS)
@recently_proved
def deliver(request: ConsoleRequest, pk: str) -> HttpResponse:
    """Say how our keys get to the provider: ``by`` is ``paste`` or ``address``."""
    connection = connection_or_404(request, pk)
    are_pasted = request.POST.get("by") == "paste"
    rotation.deliver(request, connection, are_pasted=are_pasted)
    if are_pasted:
        messages.success(request, _("Keys rotate only when you say so."))
    else:
        messages.success(request, _("Keys rotate by themselves."))
    return _back(connection)


@require_POST
@allowed(Permission.MANAGE_CONNECTIONS)
@recently_proved
def retire(request: ConsoleRequest, pk: str, secret: str) -> HttpResponse:
    connection, found = _secret_or_404(request, pk, secret)
    try:
        rotation.retire(request, found)
    except StillInUseError:
        problem = _("Sign-ins depend on this secret. Use another one first; then it can be retired.")
        return setup_page(request, connection, status=409, problem=problem)
    messages.success(request, _("The secret is retired, and erased here. Delete it in %s too.") % connection.name)
    return _back(connection)


@require_POST
@allowed(Permission.MANAGE_CONNECTIONS)
def expiry(request: ConsoleRequest, pk: str, secret: str) -> HttpResponse:
    connection, found = _secret_or_404(request, pk, secret)
    form = ExpiryForm(request.POST)
    if not form.is_valid():
        return setup_page(request, connection, status=422, problem=str(form.errors["expires_on"][0]))
    if rotation.set_expiry(request, found, form.cleaned_data["expires_on"]):
        messages.success(request, _("The date is noted. Nothing has to be tested for it."))
    return _back(connection)
