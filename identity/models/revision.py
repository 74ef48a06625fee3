"""The states of a connection's settings: each written once, checked, proved, and maybe let serve."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from audit.ids import new_id
from identity.credentials import ClientKey, ClientSecret
from identity.oidc import RelyingParty, check_provider
from users.models import User

if TYPE_CHECKING:
    from identity.egress import Egress

DEFAULT_SCOPES = "openid profile email offline_access"

# The parts of a revision that a person edits, beside the secret.
EDITED = (
    "issuer", "client_id", "client_authentication", "scopes", "accepted_origins", "max_age_minutes", "acr_values",
)  # fmt: skip
# Those a sign-in is agreed by; how we prove who we are is none of them.
TERMS = tuple(name for name in EDITED if name != "client_authentication")


class ClientAuthentication(models.TextChoices):
    BASIC = "client_secret_basic", _("Client secret, in the header")
    POST = "client_secret_post", _("Client secret, in the body")
    KEY = "private_key_jwt", _("Public key")


class Revision(models.Model):
    """One state of a connection's settings. Written once; a change is a new revision, to be tested again."""

    id = models.CharField(primary_key=True, max_length=12, default=new_id, editable=False)
    connection = models.ForeignKey("identity.Connection", on_delete=models.CASCADE, related_name="revisions")
    number = models.PositiveIntegerField()
    issuer = models.CharField(max_length=500)
    client_id = models.CharField(max_length=255)
    client_authentication = models.CharField(
        max_length=24, choices=ClientAuthentication.choices, default=ClientAuthentication.BASIC
    )
    scopes = models.CharField(max_length=500, default=DEFAULT_SCOPES)
    # Origins beside the issuer's own that an administrator said yes to (H31), separated by spaces.
    accepted_origins = models.TextField(blank=True)
    # What a sign-in has to prove besides who it is (K7): how recently the person proved it to the provider, and by one
    # of which authentication contexts, separated by spaces.
    max_age_minutes = models.PositiveIntegerField(null=True, blank=True)
    acr_values = models.CharField(max_length=500, blank=True)
    # None with a public key, and as long as none was given.
    secret = models.ForeignKey(
        ClientSecret, on_delete=models.RESTRICT, null=True, blank=True, related_name="revisions", editable=False
    )
    # The number of the revision whose terms these are: in nothing else than how we prove who we are does this one
    # differ from it. An attempt is pinned to terms, so that a new secret interrupts nobody (R1, K11).
    terms = models.PositiveIntegerField(default=0, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    created_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    checked_at = models.DateTimeField(null=True, editable=False)
    findings = models.JSONField(default=list, editable=False)
    tested_at = models.DateTimeField(null=True, editable=False)
    tested_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+", editable=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["connection", "number"], name="revision_numbered_once")]

    def __str__(self) -> str:
        return f"{self.connection.get_provider_display()}, revision {self.number}"

    @property
    def values(self) -> dict[str, Any]:
        """What a person can change, without the secret."""
        return {name: getattr(self, name) for name in EDITED}

    def has_terms_of(self, other: Revision) -> bool:
        """Whether a sign-in that began with ``other`` may finish with this one."""
        return all(getattr(self, name) == getattr(other, name) for name in TERMS)

    @property
    def is_proved_by_key(self) -> bool:
        return self.client_authentication == ClientAuthentication.KEY

    @property
    def has_secret(self) -> bool:
        return self.secret is not None and self.secret.sealed != ""

    @property
    def issuer_host(self) -> str:
        return urlsplit(self.issuer).hostname or ""

    @property
    def is_complete(self) -> bool:
        is_provable = self.connection.signing_key_id is not None if self.is_proved_by_key else self.has_secret
        return bool(self.issuer and self.client_id and is_provable)

    @property
    def is_check_passed(self) -> bool:
        return self.checked_at is not None and self.failures == 0

    @property
    def failures(self) -> int:
        """How many findings of the last check stand in the way."""
        return sum(finding["state"] == "failed" for finding in self.findings)

    @property
    def is_testable(self) -> bool:
        """Whether a test sign-in makes sense: the values are there and the provider answered as it should."""
        return self.is_complete and self.is_check_passed

    def check_now(self, egress: Egress, at: datetime) -> None:
        """Ask the provider what it says about itself and keep the findings (T4: nothing of its answers)."""
        keys = self.connection.keys.published() if self.is_proved_by_key else ClientKey.objects.none()
        signs_with = keys.values_list("algorithm", flat=True).first() or ""
        found = check_provider(self.relying_party(), egress, signs_with=signs_with)
        self.findings, self.checked_at = [finding.as_json() for finding in found], at
        self.save(update_fields=["findings", "checked_at"])

    def mark_tested(self, *, by: User, at: datetime) -> None:
        """Note that a test sign-in with exactly these values came back proved."""
        self.tested_at, self.tested_by = at, by
        self.save(update_fields=["tested_at", "tested_by"])

    def credential(self, *, to_test: bool = False) -> ClientSecret | ClientKey | None:
        """Return what proves us by this revision; a test is for the newest key, whether it signs by now or not."""
        connection = self.connection
        if not self.is_proved_by_key:
            if self.secret:
                self.secret.connection = connection
            return self.secret
        newest = connection.keys.published().values_list("pk", flat=True).first() if to_test else None
        signing = newest or connection.signing_key_id
        return ClientKey.opened(signing) if signing else None

    def relying_party(self, credential: ClientSecret | ClientKey | None = None) -> RelyingParty:
        """Return the frozen value the protocol works with: us, towards this issuer, proved by ``credential``.

        Raises SealBroken when it does not open. Without one, nothing can be asked at the token endpoint.
        """
        return RelyingParty(
            connection_id=self.connection_id,
            revision=self.terms,
            issuer=self.issuer,
            client_id=self.client_id,
            client_secret=credential.open() if isinstance(credential, ClientSecret) else "",
            auth_method=self.client_authentication,
            redirect_uri=self.connection.redirect_uri,
            scopes=tuple(self.scopes.split()),
            accepted_origins=frozenset(self.accepted_origins.split()),
            max_age=None if self.max_age_minutes is None else self.max_age_minutes * 60,
            acr_values=tuple(self.acr_values.split()),
            signing_key=credential.signing_key if isinstance(credential, ClientKey) else None,
        )
