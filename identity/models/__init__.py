from identity.credentials import ClientKey, ClientSecret
from identity.models.connection import (
    Connection,
    EmailRule,
    NotEnabledError,
    NotTestedError,
    Provider,
    SecretGoneError,
    StillNeededError,
)
from identity.models.grant import Grant, GrantQuerySet
from identity.models.revision import EDITED, ClientAuthentication, Revision
from identity.models.spent_token import ReplayedError, SpentToken
from identity.models.subject import NotLinkable, Subject, WaitingSubject

__all__ = [
    "EDITED",
    "ClientAuthentication",
    "ClientKey",
    "ClientSecret",
    "Connection",
    "EmailRule",
    "Grant",
    "GrantQuerySet",
    "NotEnabledError",
    "NotLinkable",
    "NotTestedError",
    "Provider",
    "ReplayedError",
    "Revision",
    "SecretGoneError",
    "SpentToken",
    "StillNeededError",
    "Subject",
    "WaitingSubject",
]
