"""The set-up page gives every address that a provider has to be told."""

from __future__ import annotations

import pytest
from django.urls import reverse

from identity.models import Connection, Provider
from tests.cast import Cast, browser_of

SHOWN = {
    Provider.OKTA: {"signed_out", "initiate", "front_channel", "global_token_revocation"},
    Provider.ENTRA: {"signed_out", "front_channel"},
    Provider.DUO: {"signed_out", "front_channel", "back_channel"},
    Provider.OIDC: {"signed_out", "front_channel", "back_channel"},
    Provider.GOOGLE: set(),
}
EVERY = {"signed_out", "initiate", "front_channel", "back_channel", "global_token_revocation"}


@pytest.mark.servers
@pytest.mark.parametrize("provider", Provider)
def test_the_page_has_the_addresses_its_provider_knows(cast: Cast, provider: Provider) -> None:
    """K8, K9, K10, R9: at the enterprise's region, whatever the request says, and no others."""
    connection = Connection.objects.create(enterprise=cast.halden, provider=provider, created_by=cast.aiko)
    page = browser_of(cast.aiko).get(reverse("identity:setup", args=[connection.pk])).text.replace("<wbr>", "")
    shown = {name for name in EVERY if cast.halden.url(reverse(f"identity:{name}", args=[connection.pk])) in page}
    assert shown == SHOWN[provider]
