"""Per-enterprise connections to identity providers, their revisions, and who is known through them."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from django.db import models, transaction
from django.db.models import Q
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from audit.ids import new_id
from users.models import Enterprise, Organization, Session, User, keep_an_admin
from users.sealing import seal, unseal

if TYPE_CHECKING:
    from identity.oidc import RelyingParty

DEFAULT_SCOPES = "openid profile email offline_access"


class NotTestedError(Exception):
    """A revision that no test sign-in has proved cannot be enabled."""


class Provider(models.TextChoices):
    OKTA = "okta", "Okta"
    ENTRA = "entra", "Microsoft Entra ID"
    GOOGLE = "google", "Google Workspace"
    DUO = "duo", "Duo"
    OIDC = "oidc", _("OpenID Connect")


class ClientAuthentication(models.TextChoices):
    BASIC = "client_secret_basic", _("Client secret, in the header")
    POST = "client_secret_post", _("Client secret, in the body")


class ConnectionQuerySet(models.QuerySet["Connection"]):
    def of(self, enterprise: Enterprise) -> ConnectionQuerySet:
        return self.filter(enterprise=enterprise)

    def enabled(self) -> ConnectionQuerySet:
        return self.filter(enabled_at__isnull=False)

    def fitting(self, organization: Organization | None) -> ConnectionQuerySet:
        """Keep enabled connections that serve ``organization``, its own before the enterprise's."""
        scope = Q(organization=None) | Q(organization=organization) if organization else Q(organization=None)
        return self.enabled().filter(scope).order_by(models.F("organization").desc(nulls_last=True), "enabled_at")


class Connection(models.Model):
    """An enterprise's identity provider. ``serving`` is the revision that sign-ins use; None until first enabled."""

    id = models.CharField(primary_key=True, max_length=12, default=new_id, editable=False)
    enterprise = models.ForeignKey(Enterprise, on_delete=models.CASCADE, related_name="connections")
    provider = models.CharField(max_length=8, choices=Provider.choices)
    organization = models.ForeignKey(
        Organization, on_delete=models.RESTRICT, null=True, blank=True, related_name="connections"
    )
    serving = models.ForeignKey("Revision", on_delete=models.RESTRICT, null=True, blank=True, related_name="+")
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    created_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    enabled_at = models.DateTimeField(null=True, blank=True)
    disabled_at = models.DateTimeField(null=True, blank=True)

    objects = ConnectionQuerySet.as_manager()

    class Meta:
        ordering = ["created_at", "id"]

    def __str__(self) -> str:
        return self.label

    @property
    def label(self) -> str:
        """What people call it: “Continue with …”."""
        return str(_("your identity provider")) if self.provider == Provider.OIDC else self.get_provider_display()

    @property
    def is_enabled(self) -> bool:
        return self.enabled_at is not None

    @property
    def status(self) -> str:
        return "enabled" if self.enabled_at else "disabled" if self.disabled_at else "draft"

    @property
    def redirect_uri(self) -> str:
        """The redirect URI for the region of this enterprise (R9, M8)."""
        return self.enterprise.url(self.callback_path)

    @property
    def callback_path(self) -> str:
        return reverse("identity:callback", args=[self.pk])

    @property
    def latest(self) -> Revision | None:
        """The newest revision: what the set-up page edits, and what a test sign-in tests."""
        return self.revisions.order_by("-number").first()

    def revise(self, *, by: User, at: datetime, secret: str | None, **values: object) -> Revision:
        """Write a new revision with ``values`` (issuer, client_id, scopes, client_authentication) and return it.

        ``secret`` None keeps the one there is, unless the issuer changes: then it is cleared (T6). What is serving
        goes on serving (T5).
        """
        with transaction.atomic():
            Connection.objects.select_for_update().get(pk=self.pk)
            old = self.latest
            new = Revision(connection=self, number=old.number + 1 if old else 1, created_by=by, created_at=at, **values)
            if secret is not None:
                new.set_secret(secret, by=by, at=at)
            elif old and old.issuer == new.issuer and old.secret_sealed:
                new.take_secret_of(old)
            new.save(force_insert=True)
        return new

    def enable(self, revision: Revision, at: datetime) -> None:
        """Let ``revision`` serve sign-ins from now on. Raises NotTestedError when no test sign-in has proved it."""
        if revision.tested_at is None:
            raise NotTestedError
        self.serving, self.disabled_at = revision, None
        self.enabled_at = self.enabled_at or at
        self.save(update_fields=["serving", "enabled_at", "disabled_at"])

    def disable(self, at: datetime) -> None:
        """Stop sign-ins and end the sessions made through it. Raises LastAdminError; then nothing is changed."""
        with transaction.atomic():
            enterprise = self.enterprise.lock()
            self.enabled_at, self.disabled_at = None, at
            self.save(update_fields=["enabled_at", "disabled_at"])
            self.sessions().delete()
            keep_an_admin(enterprise)

    def sessions(self) -> models.QuerySet[Session]:
        return Session.objects.of(self.enterprise).filter(grant__connection=self)


class Revision(models.Model):
    """One state of a connection's settings. Written once; a change is a new revision, to be tested again."""

    id = models.CharField(primary_key=True, max_length=12, default=new_id, editable=False)
    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, related_name="revisions")
    number = models.PositiveIntegerField()
    issuer = models.CharField(max_length=500)
    client_id = models.CharField(max_length=255)
    client_authentication = models.CharField(
        max_length=24, choices=ClientAuthentication.choices, default=ClientAuthentication.BASIC
    )
    scopes = models.CharField(max_length=500, default=DEFAULT_SCOPES)
    secret_sealed = models.TextField(blank=True, editable=False)
    secret_last_four = models.CharField(max_length=4, blank=True, editable=False)
    secret_set_at = models.DateTimeField(null=True, editable=False)
    secret_set_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+", editable=False)
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
    def issuer_host(self) -> str:
        return urlsplit(self.issuer).hostname or ""

    @property
    def is_complete(self) -> bool:
        return bool(self.issuer and self.client_id and self.secret_sealed)

    @property
    def is_check_passed(self) -> bool:
        return self.checked_at is not None and all(finding["state"] != "failed" for finding in self.findings)

    @property
    def _place(self) -> str:
        return f"{self.connection.enterprise_id}/{self.connection_id}/secret"

    def set_secret(self, secret: str, *, by: User, at: datetime) -> None:
        """Seal ``secret`` into this revision. It is never shown again, only its last four characters (R10)."""
        self.secret_sealed = seal(secret.encode(), bound_to=self._place)
        self.secret_last_four = secret[-4:] if len(secret) >= 12 else ""
        self.secret_set_at, self.secret_set_by = at, by

    def take_secret_of(self, other: Revision) -> None:
        self.secret_sealed, self.secret_last_four = other.secret_sealed, other.secret_last_four
        self.secret_set_at, self.secret_set_by = other.secret_set_at, other.secret_set_by

    def relying_party(self) -> RelyingParty:
        """Return the frozen value the protocol works with: us, towards this issuer. Raises SealBroken."""
        from identity.oidc import RelyingParty

        return RelyingParty(
            connection_id=self.connection_id,
            revision=self.number,
            issuer=self.issuer,
            client_id=self.client_id,
            client_secret=unseal(self.secret_sealed, bound_to=self._place).decode() if self.secret_sealed else "",
            auth_method=self.client_authentication,
            redirect_uri=self.connection.redirect_uri,
            scopes=tuple(self.scopes.split()),
        )


class Subject(models.Model):
    """(connection, issuer, sub) → user. The only key a sign-in through a provider is matched by (T7)."""

    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, related_name="subjects")
    issuer = models.CharField(max_length=500)
    sub = models.CharField(max_length=255)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="subjects")
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["connection", "issuer", "sub"], name="subject_once_per_connection_and_issuer"
            ),
            models.UniqueConstraint(fields=["connection", "user"], name="user_once_per_connection"),
        ]

    def __str__(self) -> str:
        return f"{self.sub} at {self.issuer}"


class Grant(models.Model):
    """What the provider vouches a session with: where it came from and, when there is one, the refresh token."""

    session = models.OneToOneField(Session, on_delete=models.CASCADE, primary_key=True, related_name="grant")
    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, related_name="grants")
    issuer = models.CharField(max_length=500)
    sub = models.CharField(max_length=255)
    sid = models.CharField(max_length=255, blank=True)
    revision = models.PositiveIntegerField()
    refresh_sealed = models.TextField(blank=True, editable=False)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        indexes = [
            models.Index(fields=["connection", "sub"], name="grant_by_subject"),
            models.Index(fields=["connection", "sid"], name="grant_by_sid", condition=~Q(sid="")),
        ]

    def __str__(self) -> str:
        return f"{self.sub} through {self.connection_id}"

    @property
    def _place(self) -> str:
        return f"{self.session.enterprise_id}/{self.session_id}/refresh"

    def keep(self, refresh_token: str) -> None:
        self.refresh_sealed = seal(refresh_token.encode(), bound_to=self._place)

    def refresh_token(self) -> str:
        return unseal(self.refresh_sealed, bound_to=self._place).decode()
