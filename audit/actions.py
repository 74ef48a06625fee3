"""The vocabulary of the audit log: every action there is, and how it reads after a person's name."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class Action(models.TextChoices):
    """``noun:verbed``, and the verb phrase that stands between who did it and whom or what it was done to."""

    ENTERPRISE_CREATED = "enterprise:created", _("created the enterprise")
    ENTERPRISE_EXPORTED = "enterprise:exported", _("exported everything in")
    ENTERPRISE_CLOSED = "enterprise:closed", _("closed")
    ENTERPRISE_REOPENED = "enterprise:reopened", _("opened again")
    ENTERPRISE_DELETED = "enterprise:deleted", _("deleted for good")
    EMAIL_CONFIRMED = "email:confirmed", _("confirmed the email of")
    SESSION_STARTED = "session:started", _("signed in")
    SESSION_PROVED = "session:proved", _("signed in again")
    SESSION_REFUSED = "session:refused", _("was refused")
    SESSION_ENDED = "session:ended", _("ended a session of")
    SESSION_ENDED_BY_PROVIDER = "session:ended-by-provider", _("was signed out by")
    SESSION_NOT_REPROVED = "session:not-reproved", _("could not be asked about with")
    SIGN_OUT_REFUSED = "sign-out:refused", _("could not sign anybody out through")
    SESSION_LIMITS_CHANGED = "session-limits:changed", _("changed how long sessions last in")
    PASSWORD_CHANGED = "password:changed", _("changed the password of")
    PASSWORD_RESET_REQUESTED = "password:reset-requested", _("asked for a new password for")
    FACTOR_ADDED = "factor:added", _("added a second factor to")
    FACTOR_RENAMED = "factor:renamed", _("renamed a second factor of")
    FACTOR_REMOVED = "factor:removed", _("removed a second factor of")
    FACTOR_RESET = "factor:reset", _("reset the second factor of")
    FACTOR_COPIED = "factor:copied", _("was refused with what may be a copied passkey of")
    RECOVERY_CODES_ISSUED = "recovery-codes:issued", _("made new recovery codes for")
    RECOVERY_CODE_USED = "recovery-code:used", _("used a recovery code of")
    PROFILE_CHANGED = "profile:changed", _("changed the profile of")
    LOCAL_SIGN_IN_CHANGED = "local-sign-in:changed", _("changed what local accounts need to sign in to")
    BREAK_GLASS_USED = "break-glass:used", _("used the break-glass account")
    BREAK_GLASS_TESTED = "break-glass:tested", _("tested the break-glass account")
    BREAK_GLASS_ADDED = "break-glass:added", _("added the break-glass account")
    BREAK_GLASS_INVITED = "break-glass:invited", _("sent a link to choose the password of the break-glass account")
    BREAK_GLASS_RETIRED = "break-glass:retired", _("retired the break-glass account")
    BREAK_GLASS_RECOVERY_ISSUED = "break-glass:recovery-issued", _("issued a recovery link for the break-glass account")
    BREAK_GLASS_RECOVERED = "break-glass:recovered", _("recovered the break-glass account")
    USER_DISABLED = "user:disabled", _("disabled")
    USER_ENABLED = "user:enabled", _("enabled")
    USER_DELETED = "user:deleted", _("deleted")
    USER_EMAIL_CHANGED = "user:email-changed", _("changed the email of")
    USER_EMAIL_DIFFERS = "user:email-differs", _("came with another email than")
    USER_EMAIL_KEPT = "user:email-kept", _("kept the email of")
    CONNECTION_EMAIL_RULE_CHANGED = "connection:email-rule-changed", _("changed what follows a new email at")
    ROLE_GIVEN = "role:given", _("gave a role to")
    ROLE_REVOKED = "role:revoked", _("revoked a role of")
    ROLE_CREATED = "role:created", _("created the role")
    ROLE_EDITED = "role:edited", _("changed the role")
    ROLE_DELETED = "role:deleted", _("deleted the role")
    ORGANIZATION_CREATED = "organization:created", _("created the organization")
    ORGANIZATION_RENAMED = "organization:renamed", _("renamed the organization")
    ORGANIZATION_DELETED = "organization:deleted", _("deleted the organization")
    CONNECTION_CREATED = "connection:created", _("began to set up")
    CONNECTION_REVISED = "connection:revised", _("changed the settings of")
    CONNECTION_CHECKED = "connection:checked", _("checked")
    CONNECTION_TESTED = "connection:tested", _("tested a sign-in through")
    CONNECTION_ENABLED = "connection:enabled", _("enabled")
    CONNECTION_PUT_FIRST = "connection:put_first", _("let new people use")
    CONNECTION_DISABLED = "connection:disabled", _("disabled")
    CONNECTION_DELETED = "connection:deleted", _("deleted the draft of")
    PROVIDER_REQUIRED = "provider:required", _("had everyone use the provider in")
    PROVIDER_RELEASED = "provider:released", _("let passwords go on in")
    SUBJECT_LINKED = "subject:linked", _("linked somebody at the provider to")
    SUBJECT_REFUSED = "subject:refused", _("kept out somebody who came with the email of")
    CREDENTIAL_REFUSED = "credential:refused", _("had to be proved another way to")
    SECRET_RETIRED = "secret:retired", _("retired a client secret of")
    SECRET_DATED = "secret:dated", _("noted when a client secret ends of")
    KEY_PUBLISHED = "key:published", _("published a key for")
    KEY_SIGNS = "key:put-in-use", _("put a key in use for")
    KEY_WITHDRAWN = "key:withdrawn", _("withdrew a key of")
    KEYS_DELIVERED = "keys:delivery-changed", _("changed how keys get to")
    INVITATION_ISSUED = "invitation:issued", _("invited")
    INVITATION_RESENT = "invitation:resent", _("sent the invitation again to")
    INVITATION_REVOKED = "invitation:revoked", _("revoked the invitation of")
    INVITATION_OPENED = "invitation:opened", _("opened the invitation of")
    INVITATION_REDEEMED = "invitation:redeemed", _("accepted the invitation of")
    INVITATION_REFUSED = "invitation:refused", _("could not use the invitation of")
    INVITATION_BOUNCED = "invitation:bounced", _("could not be reached at")
    BATCH_BEGUN = "batch:begun", _("began to switch")
    BATCH_REMINDED = "batch:reminded", _("reminded those who wait in")
    BATCH_UNDONE = "batch:undone", _("switched back those who wait in")
    SWITCH_BEGUN = "switch:begun", _("began to switch")
    SWITCH_REMINDED = "switch:reminded", _("sent the switch link again to")
    SWITCH_UNDONE = "switch:undone", _("switched back")
    SWITCH_REDEEMED = "switch:redeemed", _("switched to")
    SWITCH_BOUNCED = "switch:bounced", _("could not be reached at")
    EMAIL_BOUNCED = "email:bounced", _("could not be reached at")
    VALUES_RESEALED = "values:resealed", _("sealed stored secrets again")
    SEALING_KEY_EMPTIED = "sealing-key:emptied", _("left nothing to a key")
    SEALING_KEY_RETIRED = "sealing-key:retired", _("retired a key")
    AUDIT_DOWNLOADED = "audit:downloaded", _("downloaded the audit log")


# By whoever runs Gatehouse, for all enterprises at once: in no enterprise's log.
OPERATORS = frozenset({Action.VALUES_RESEALED, Action.SEALING_KEY_EMPTIED, Action.SEALING_KEY_RETIRED})


def phrase(action: str, *, has_target: bool) -> str:
    """Return how ``action`` reads after the name of who did it; what it was done to follows, if anything does."""
    if action == Action.SESSION_STARTED and has_target:
        return str(_("signed in with"))
    if action == Action.SESSION_REFUSED and has_target:
        return str(_("was refused at the sign-in with"))
    if action == Action.SESSION_PROVED and has_target:
        return str(_("signed in again with"))
    return str(Action(action).label) if action in Action else action
