"""What the owner of an account is told by email when its second factors change, or somebody tries them."""

from __future__ import annotations

from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _

from audit.models import client_address, printable
from users.models import User
from users.sessions import device_name
from users.tasks import post_email


def tell_owner(user: User, what: str, request: HttpRequest, **context: object) -> None:
    """Email ``factor_changed`` to ``user``, once the caller's transaction has committed.

    ``what`` is added, removed, reset, codes_issued, code_used or guessed. ``context`` is shown, and holds no secret.
    """
    post_email(
        "factor_changed",
        user=user,
        what=what,
        address=client_address(request),
        device=printable(device_name(request.headers.get("User-Agent", "")), 120),
        button_url=user.enterprise.url(reverse("users:account")),
        button_text=_("Look at your account"),
        **context,
    )
