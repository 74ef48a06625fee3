"""The connection that most tests begin with is made at once, and is what administrators would have made."""

from __future__ import annotations

import pytest
from django.db.models import Model

from tests.cast import Cast, make_enterprise, make_user
from tests.identity.journey import connect, connect_step_by_step
from tests.provider import Provider
from users.models import Role

pytestmark = pytest.mark.servers


def told(row: Model) -> dict[str, object]:
    """What stands in ``row``; of times only whether there is one, of other rows too."""
    values = {field.attname: getattr(row, field.attname) for field in row._meta.concrete_fields}
    apart = ("id", "sealed", "enterprise_id", "_at", "_since", "_by_id", "secret_id", "serving_id", "connection_id")
    return {name: value is not None if name.endswith(apart) else value for name, value in values.items()}


def test_it_is_what_administrators_would_have_made(cast: Cast, provider: Provider) -> None:
    nordlys = make_enterprise("Nordlys", "nordlys")
    kari = make_user(nordlys, "Kari Moe", "kari@nordlys.example", (Role.ENTERPRISE_ADMIN, None))
    quick, slow = connect(cast.halden, provider, cast.ingrid), connect_step_by_step(nordlys, provider, kari)
    for made in (quick, slow):
        made.refresh_from_db()
    assert told(quick) == told(slow)
    assert told(quick.serving) == told(slow.serving)
    assert told(quick.serving.secret) == told(slow.serving.secret)
    assert quick.serving.secret.open() == slow.serving.secret.open()
    assert quick.serving.connection_id == quick.pk
