"""Invitations to work with."""

from __future__ import annotations

import pytest
from django.utils import timezone

from invitations.models import Invitation
from tests.cast import Browser, Cast
from users.models import Organization, Role, User

EMAIL = "lena.fischer@halden.example"


def invite(
    cast: Cast,
    email: str = EMAIL,
    *,
    role: Role = Role.VIEWER,
    organization: Organization | None = None,
    by: User | None = None,
    **values: object,
) -> Invitation:
    """An invitation to Halden whose link works, as if it had been sent."""
    invitation = Invitation.issue(
        enterprise=cast.halden,
        email=email,
        role=role,
        organization=organization,
        connection=values.pop("connection", None),
        by=by or cast.ingrid,
        at=values.pop("at", timezone.now()),
        message=values.pop("message", ""),
    )
    invitation.keep_token()
    for name, value in values.items():
        setattr(invitation, name, value)
    invitation.save()
    return invitation


@pytest.fixture
def invitation(cast: Cast) -> Invitation:
    return invite(cast, organization=cast.oslo, message="Welcome <b>aboard</b>.")


def open_in(browser: Browser, invitation: Invitation):
    """Open the link as its person does, and return the page behind it."""
    return browser.get(f"/invitations/{invitation.token}/", follow=True)
