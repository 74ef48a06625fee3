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
from identity.oidc import RelyingParty, check_provider
from users.models import Enterprise, Organization, Session, User, keep_an_admin
from users.sealing import seal, unseal

if TYPE_CHECKING:
    from identity.egress import Egress

DEFAULT_SCOPES = "openid profile email offline_access"

# The parts of a revision that a person edits, beside the secret.
EDITED = ("issuer", "client_id", "client_authentication", "scopes", "accepted_origins")


class NotTestedError(Exception):
    """A revision that no test sign-in has proved cannot be enabled, nor one that is no longer the newest."""


class ScopeTakenError(Exception):
    """Another connection is enabled for the same scope: there is one at a time. ``other`` is it."""

    def __init__(self, other: Connection) -> None:
        super().__init__(other.pk)
        self.other = other


class StillNeededError(Exception):
    """A connection that has ever been enabled is kept: people, invitations and the audit log refer to it."""


class Provider(models.TextChoices):
    OKTA = "okta", "Okta"
    ENTRA = "entra", "Microsoft Entra ID"
    GOOGLE = "google", "Google Workspace"
    DUO = "duo", "Duo"
    OIDC = "oidc", _("OpenID Connect")

    @property
    def default_scopes(self) -> str:
        """Google knows no ``offline_access`` and refuses a request that asks for it."""
        return "openid profile email" if self is Provider.GOOGLE else DEFAULT_SCOPES


class ClientAuthentication(models.TextChoices):
    BASIC = "client_secret_basic", _("Client secret, in the header")
    POST = "client_secret_post", _("Client secret, in the body")


class EmailRule(models.TextChoices):
    """What follows when the provider calls somebody by another email than ours. Never a second account."""

    SHOW = "show", _("Show me the difference")
    FOLLOW = "follow", _("Use the new address")


class ConnectionQuerySet(models.QuerySet["Connection"]):
    def of(self, enterprise: Enterprise) -> ConnectionQuerySet:
        return self.filter(enterprise=enterprise)

    def enabled(self) -> ConnectionQuerySet:
        return self.filter(enabled_at__isnull=False)

    def ever_enabled(self) -> ConnectionQuerySet:
        return self.filter(Q(enabled_at__isnull=False) | Q(disabled_at__isnull=False))

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
    email_rule = models.CharField(max_length=8, choices=EmailRule.choices, default=EmailRule.SHOW)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    created_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    enabled_at = models.DateTimeField(null=True, blank=True)
    disabled_at = models.DateTimeField(null=True, blank=True)

    objects = ConnectionQuerySet.as_manager()

    class Meta:
        ordering = ["created_at", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["enterprise", "organization"],
                condition=Q(enabled_at__isnull=False),
                nulls_distinct=False,
                name="connection_enabled_once_per_scope",
            )
        ]

    def __str__(self) -> str:
        return self.name

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
        if "revisions" in getattr(self, "_prefetched_objects_cache", {}):
            return max(self.revisions.all(), key=lambda revision: revision.number, default=None)
        return self.revisions.order_by("-number").first()

    @property
    def name(self) -> str:
        """What titles and buttons call it."""
        return self.get_provider_display()

    @property
    def waiting(self) -> Revision | None:
        """The newest revision, when another one is serving: it is not in use until it is tested and enabled."""
        latest = self.latest
        return latest if latest and self.serving_id and latest.pk != self.serving_id else None

    def revise(self, *, by: User, at: datetime, secret: str | None, **values: object) -> Revision:
        """Write a new revision with ``values`` (issuer, client_id, scopes, …) and return it.

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

    def return_to(self, old: Revision, *, by: User, at: datetime) -> Revision:
        """Make the values of ``old`` the newest revision again, and let it serve at once if the connection is enabled.

        A copy, so that numbers only ever grow and an attempt is never taken for one with other values (R1). The
        values are those that were proved, letter by letter, so the proof is theirs too. Raises NotTestedError when
        ``old`` was never tested, and LastAdminError when nobody could administer the enterprise through its issuer.
        """
        if old.tested_at is None:
            raise NotTestedError
        with transaction.atomic():
            enterprise = self.enterprise.lock()
            fresh = Connection.objects.select_for_update(of=("self",)).get(pk=self.pk)
            number = self.revisions.order_by("-number").values_list("number", flat=True)[0] + 1
            new = Revision(connection=self, number=number, created_by=by, created_at=at, **old.values)
            new.take_secret_of(old)
            new.checked_at, new.findings = old.checked_at, old.findings
            new.tested_at, new.tested_by = old.tested_at, old.tested_by
            new.save(force_insert=True)
            if fresh.is_enabled:
                self.serving = new
                self.save(update_fields=["serving"])
                keep_an_admin(enterprise)
        return new

    def enable(self, revision: Revision, at: datetime) -> None:
        """Let ``revision`` serve sign-ins from now on.

        Raises NotTestedError when no test sign-in has proved it or it is not the newest any more,
        ScopeTakenError when another connection is enabled for the same scope, and LastAdminError when nobody could
        administer the enterprise any more: with another issuer everybody is a stranger. Then nothing is changed.
        """
        with transaction.atomic():
            enterprise = self.enterprise.lock()
            newest = self.latest
            if newest is None or newest.pk != revision.pk or newest.tested_at is None:
                raise NotTestedError
            if rival := self.rival():
                raise ScopeTakenError(rival)
            self.refresh_from_db(fields=["enabled_at"])
            self.serving, self.disabled_at = revision, None
            self.enabled_at = self.enabled_at or at
            self.save(update_fields=["serving", "enabled_at", "disabled_at"])
            keep_an_admin(enterprise)

    def rival(self) -> Connection | None:
        """Return the other connection that is enabled for the same scope, if there is one."""
        others = Connection.objects.of(self.enterprise).enabled().exclude(pk=self.pk)
        return others.select_related("organization").filter(organization=self.organization).first()

    def disable(self, at: datetime) -> None:
        """Stop sign-ins and end the sessions made through it. Raises LastAdminError; then nothing is changed."""
        with transaction.atomic():
            enterprise = self.enterprise.lock()
            self.enabled_at, self.disabled_at = None, at
            self.save(update_fields=["enabled_at", "disabled_at"])
            self.sessions().delete()
            keep_an_admin(enterprise)

    def discard(self) -> None:
        """Delete a draft. Raises StillNeededError once it has been enabled, or when somebody was invited with it."""
        with transaction.atomic():
            Connection.objects.select_for_update(of=("self",)).get(pk=self.pk)
            self.refresh_from_db(fields=["serving"])
            if self.serving_id or self.users.exists() or self.switching_users.exists():
                raise StillNeededError
            self.delete()

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
    # Origins beside the issuer's own that an administrator said yes to (H31), separated by spaces.
    accepted_origins = models.TextField(blank=True)
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
    def values(self) -> dict[str, str]:
        """What a person can change, without the secret."""
        return {name: getattr(self, name) for name in EDITED}

    @property
    def issuer_host(self) -> str:
        return urlsplit(self.issuer).hostname or ""

    @property
    def is_complete(self) -> bool:
        return bool(self.issuer and self.client_id and self.secret_sealed)

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
        found = check_provider(self.relying_party(with_secret=False), egress)
        self.findings, self.checked_at = [finding.as_json() for finding in found], at
        self.save(update_fields=["findings", "checked_at"])

    def mark_tested(self, *, by: User, at: datetime) -> None:
        """Note that a test sign-in with exactly these values came back proved."""
        self.tested_at, self.tested_by = at, by
        self.save(update_fields=["tested_at", "tested_by"])

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

    def relying_party(self, *, with_secret: bool = True) -> RelyingParty:
        """Return the frozen value the protocol works with: us, towards this issuer.

        Raises SealBroken when the secret does not open; a check needs none and leaves it closed.
        """
        sealed = self.secret_sealed if with_secret else ""
        return RelyingParty(
            connection_id=self.connection_id,
            revision=self.number,
            issuer=self.issuer,
            client_id=self.client_id,
            client_secret=unseal(sealed, bound_to=self._place).decode() if sealed else "",
            auth_method=self.client_authentication,
            redirect_uri=self.connection.redirect_uri,
            scopes=tuple(self.scopes.split()),
            accepted_origins=frozenset(self.accepted_origins.split()),
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


class GrantQuerySet(models.QuerySet["Grant"]):
    def made_by(self, connection: Connection, issuer: str, *, sub: str = "", sid: str = "") -> GrantQuerySet:
        """Keep what ``issuer`` vouched for through ``connection``: for this subject, in this session of its own.

        Each narrows; with neither, nothing is kept.
        """
        if not sub and not sid:
            return self.none()
        grants = self.filter(connection=connection, issuer=issuer)
        if sub:
            grants = grants.filter(sub=sub)
        return grants.filter(sid=sid) if sid else grants


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

    objects = GrantQuerySet.as_manager()

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


class ReplayedError(Exception):
    """A token that was to be heard once was heard before."""


class SpentToken(models.Model):
    """A token of a provider's that has ended sessions, remembered until its age alone refuses it."""

    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, related_name="spent_tokens")
    fingerprint = models.CharField(max_length=43)
    until = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["connection", "fingerprint"], name="token_spent_once")]

    def __str__(self) -> str:
        return self.fingerprint

    @classmethod
    def spend(cls, connection: Connection, fingerprint: str, *, until: datetime, at: datetime) -> None:
        """Use a token up, or raise ReplayedError. What is past its time is forgotten on the way.

        In the database and not in a cache, so that it is known to every process and outlives each of them.
        """
        cls.objects.filter(connection=connection, until__lt=at).delete()
        _token, is_new = cls.objects.get_or_create(
            connection=connection, fingerprint=fingerprint, defaults={"until": until}
        )
        if not is_new:
            raise ReplayedError
