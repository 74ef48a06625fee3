"""Two rows of every table that has a sealed column, in places of their own: one line in ``SAMPLES`` for each."""

from __future__ import annotations

from collections.abc import Callable

from django.db.models import Model

from identity.credentials import ClientKey
from identity.models import Connection, Grant
from tests.cast import Cast, browser_of, enable_okta, hold
from users.models import Factors, Session
from users.sealing import seal

SECRETS = ("the first secret", "the second secret")
Pair = tuple[Model, Model]


def client_secrets(cast: Cast) -> Pair:
    """The secrets of two enterprises' connections."""
    pair = []
    for enterprise, by, secret in ((cast.halden, cast.ingrid, 0), (cast.stranger, cast.mallory, 1)):
        row = enable_okta(enterprise, by).secrets.get()
        row.sealed = seal(SECRETS[secret].encode(), bound_to=row._place)
        row.save()
        pair.append(row)
    return pair[0], pair[1]


def client_keys(cast: Cast) -> Pair:
    """Two keys of one connection, as if each were one of the secrets."""
    connection = Connection.objects.of(cast.halden).first() or enable_okta(cast.halden, cast.ingrid)
    pair = [ClientKey.publish(connection, at=connection.created_at, algorithm="ES256") for _secret in SECRETS]
    for key, secret in zip(pair, SECRETS, strict=True):
        key.sealed = seal(secret.encode(), bound_to=key._place)
        key.save()
    return pair[0], pair[1]


def grants(cast: Cast) -> Pair:
    """The refresh tokens of two sessions of one person."""
    connection = Connection.objects.of(cast.halden).first() or enable_okta(cast.halden, cast.ingrid)
    pair = []
    for token in SECRETS:
        browser_of(cast.aiko)
        session = Session.objects.filter(user=cast.aiko, grant=None).get()
        grant = Grant(session=session, connection=connection, issuer="https://halden.okta.com", sub="aiko", revision=1)
        grant.refresh_sealed = seal(token.encode(), bound_to=grant._place)
        grant.save()
        pair.append(grant)
    return pair[0], pair[1]


def held_forms(cast: Cast) -> Pair:
    """What two people typed, as if each were one of the secrets."""
    pair = []
    for user, secret in zip((cast.aiko, cast.marcus), SECRETS, strict=True):
        browser_of(user)
        held = hold(user.sessions.order_by("-created_at")[0])
        held.sealed = seal(secret.encode(), bound_to=held._place)
        held.save()
        pair.append(held)
    return pair[0], pair[1]


def authenticator_apps(cast: Cast) -> Pair:
    """The secrets of two people's apps."""
    pair = []
    for user, secret in zip((cast.aiko, cast.marcus), SECRETS, strict=True):
        app = Factors(user).add_app(secret, 0, user.created_at)
        pair.append(app)
    return pair[0], pair[1]


SAMPLES: dict[str, Callable[[Cast], Pair]] = {
    "identity.ClientSecret.sealed": client_secrets,
    "identity.ClientKey.sealed": client_keys,
    "identity.Grant.refresh_sealed": grants,
    "users.HeldForm.sealed": held_forms,
    "users.AuthenticatorApp.secret_sealed": authenticator_apps,
}
