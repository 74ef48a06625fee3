"""Why an invitation or a switch was refused, in words for the administrators who see it in the list.

The codes come from the sign-in (``identity``, a floor above) and from ``obstacle``. What the person is told stands on
the refusal pages; here is what an administrator can do about it.
"""

from __future__ import annotations

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

# Codes by which the provider said no, rather than Gatehouse.
OF_THE_PROVIDER = frozenset(
    {"not_assigned", "access_denied", "login_required", "interaction_required", "consent_required"}
)

WORDS: dict[str, str | Promise] = {
    "not_assigned": gettext_lazy("Not assigned to the app"),
    "access_denied": gettext_lazy("Not let through: usually not assigned to the app"),
    "login_required": gettext_lazy("Was not signed in at the provider"),
    "interaction_required": gettext_lazy("The provider wanted to ask something first"),
    "consent_required": gettext_lazy("Did not agree at the provider"),
    "invitation_for_someone_else": gettext_lazy("Someone with another email signed in"),
    "email_missing": gettext_lazy("The provider sent no email: allow the scope “email” there"),
    "account_disabled": gettext_lazy("This account is disabled"),
    "enterprise_closed": gettext_lazy("The enterprise was closed"),
    "inviter_gone": gettext_lazy("Whoever sent it is no longer here: send it again"),
    "inviter_may_not_give_role": gettext_lazy("Whoever sent it may no longer give this role: send it again"),
    "subject_taken": gettext_lazy("That sign-in belongs to another person here already"),
    "provider_unreachable": gettext_lazy("The provider did not answer"),
    "provider_timeout": gettext_lazy("The provider did not answer in time"),
    "provider_paused": gettext_lazy("The provider did not answer"),
    "provider_unavailable": gettext_lazy("The provider did not answer"),
    "invalid_client": gettext_lazy("The provider does not accept our client secret"),
    "connection_disabled": gettext_lazy("The connection is disabled"),
    "connection_changed": gettext_lazy("The connection was changed during the sign-in"),
    "connection_incomplete": gettext_lazy("The connection is not complete"),
    "secret_unreadable": gettext_lazy("The client secret has to be entered again"),
    "switch_for_someone_else": gettext_lazy("Signed in there with another email than the account has here"),
    "switch_subject_taken": gettext_lazy("That sign-in belongs to another person here already"),
    "switch_last_admin": gettext_lazy("The only Enterprise Admin who gets in without the provider"),
    "switch_email_changed": gettext_lazy("The email has changed since: send the link again"),
    "switch_expired": gettext_lazy("The link has ended: send it again"),
    "switch_gone": gettext_lazy("Followed an older link"),
    "invitation_for_another_way": gettext_lazy("Signed in another way than was invited to"),
}


def told(code: str) -> str:
    """Return what ``code`` means for an administrator; a code without words of its own is shown as it is."""
    return str(WORDS[code]) if code in WORDS else _("The sign-in was refused (%(code)s)") % {"code": code}
