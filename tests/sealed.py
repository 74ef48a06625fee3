"""Two rows of every table that has a sealed column, in places of their own: one line in ``SAMPLES`` for each."""

from __future__ import annotations

from collections.abc import Callable

from django.db.models import Model

from identity.models import Connection, Grant
from tests.cast import Cast, browser_of, enable_okta
from users.models import Session

SECRETS = ("the first secret", "the second secret")
Pair = tuple[Model, Model]


def revisions(cast: Cast) -> Pair:
    """The secrets of two enterprises' connections."""
    pair = []
    for enterprise, by, secret in ((cast.halden, cast.ingrid, 0), (cast.stranger, cast.mallory, 1)):
        connection = enable_okta(enterprise, by)
        revision = connection.serving
        assert revision is not None
        revision.connection = connection
        revision.set_secret(SECRETS[secret], by=by, at=connection.created_at)
        revision.save()
        pair.append(revision)
    return pair[0], pair[1]


def grants(cast: Cast) -> Pair:
    """The refresh tokens of two sessions of one person."""
    connection = Connection.objects.of(cast.halden).first() or enable_okta(cast.halden, cast.ingrid)
    pair = []
    for token in SECRETS:
        browser_of(cast.aiko)
        session = Session.objects.filter(user=cast.aiko, grant=None).get()
        grant = Grant(session=session, connection=connection, issuer="https://halden.okta.com", sub="aiko", revision=1)
        grant.keep(token)
        grant.save()
        pair.append(grant)
    return pair[0], pair[1]


SAMPLES: dict[str, Callable[[Cast], Pair]] = {
    "identity.Revision.secret_sealed": revisions,
    "identity.Grant.refresh_sealed": grants,
}
