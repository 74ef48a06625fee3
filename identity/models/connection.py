"""Per-enterprise connections to identity providers."""

from __future__ import annotations

from datetime import date, datetime
from functools import lru_cache

from django.db import models, transaction
from django.db.models import Q
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from audit.ids import new_id
from identity.credentials import ClientKey, ClientSecret
from identity.models.revision import DEFAULT_SCOPES, ClientAuthentication, Revision
from users.models import Enterprise, Organization, Session, User, keep_an_admin


class NotTestedError(Exception):
    """A revision that no test sign-in has proved cannot be enabled, nor one that is no longer the newest."""


class SecretGoneError(Exception):
    """The secret of an older revision was given up, so that its values cannot serve as they are."""


class NotEnabledError(Exception):
    """Only a connection that is enabled can be what new people use."""


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

    @property
    def takes_keys(self) -> bool:
        """Whether it can be told the address of our keys. Google knows secrets only, and Entra wants certificates."""
        return self in (Provider.OKTA, Provider.OIDC)

    @property
    def ways(self) -> list[tuple[str, str]]:
        """How we may prove to it who we are, for people to choose from."""
        secrets = [ClientAuthentication.BASIC, ClientAuthentication.POST]
        ways = [ClientAuthentication.KEY, *secrets] if self.takes_keys else secrets
        return [(way.value, str(way.label)) for way in ways]


class EmailRule(models.TextChoices):
    """What follows when the provider calls somebody by another email than ours. Never a second account."""

    SHOW = "show", _("Show me the difference")
    FOLLOW = "follow", _("Use the new address")


class ConnectionQuerySet(models.QuerySet["Connection"]):
    def of(self, enterprise: Enterprise) -> ConnectionQuerySet:
        return self.filter(enterprise=enterprise)

    def enabled(self) -> ConnectionQuerySet:
        return self.filter(enabled_at__isnull=False)

    def offered(self) -> ConnectionQuerySet:
        """Keep what people can sign in with: the enterprise's own first, then those of organizations by name."""
        by_place = models.F("organization__name").asc(nulls_first=True)
        return self.enabled().select_related("organization", "serving").order_by(by_place, "-leads", "enabled_at")

    def ever_enabled(self) -> ConnectionQuerySet:
        return self.filter(Q(enabled_at__isnull=False) | Q(disabled_at__isnull=False))

    def fitting(self, organization: Organization | None) -> ConnectionQuerySet:
        """Keep enabled connections that serve ``organization``, its own before the enterprise's, and of several for
        the same place the one that new people use first."""
        scope = Q(organization=None) | Q(organization=organization) if organization else Q(organization=None)
        by_place = models.F("organization").desc(nulls_last=True)
        return self.enabled().filter(scope).order_by(by_place, "-leads", "enabled_at")


@lru_cache(maxsize=1024)
def _callback_path(pk: str) -> str:
    """Each sign-in names it twice, and it never changes."""
    return reverse("identity:callback", args=[pk])


class Connection(models.Model):
    """An enterprise's identity provider. ``serving`` is the revision that sign-ins use; None until first enabled."""

    id = models.CharField(primary_key=True, max_length=12, default=new_id, editable=False)
    enterprise = models.ForeignKey(Enterprise, on_delete=models.CASCADE, related_name="connections")
    provider = models.CharField(max_length=8, choices=Provider.choices)
    organization = models.ForeignKey(
        Organization, on_delete=models.RESTRICT, null=True, blank=True, related_name="connections"
    )
    serving = models.ForeignKey("Revision", on_delete=models.RESTRICT, null=True, blank=True, related_name="+")
    # The terms of what serves, here as well: a sign-in that waits while another revision comes to serve sees this row
    # as it is then, and would look in vain for the revision that it was joined with.
    serving_terms = models.PositiveIntegerField(default=0, editable=False)
    email_rule = models.CharField(max_length=8, choices=EmailRule.choices, default=EmailRule.SHOW)
    signing_key = models.ForeignKey(ClientKey, on_delete=models.RESTRICT, null=True, blank=True, related_name="+")
    # Whether a person carries our keys to the provider, instead of the provider fetching them.
    are_keys_pasted = models.BooleanField(default=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    created_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    enabled_at = models.DateTimeField(null=True, blank=True)
    # Of several that are enabled for the same scope, the one that new people use. The others stand beside it, for those
    # who are on their way from one to the other.
    leads = models.BooleanField(default=True, editable=False)
    disabled_at = models.DateTimeField(null=True, blank=True)

    objects = ConnectionQuerySet.as_manager()

    class Meta:
        ordering = ["created_at", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["enterprise", "organization"],
                condition=Q(enabled_at__isnull=False, leads=True),
                nulls_distinct=False,
                name="connection_leads_once_per_scope",
            )
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def label(self) -> str:
        """What people call it: “Continue with …”."""
        return str(_("your identity provider")) if self.provider == Provider.OIDC else self.name

    @property
    def title(self) -> str:
        """What tells it from others of the same provider: its name, whom it is for unless that is everybody, and, when
        another one for the same people leads, where it is."""
        title = self.label
        if self.organization is not None:
            words = {"provider": title, "organization": self.organization.name}
            title = _("%(provider)s for %(organization)s") % words
        if self.leads or self.serving is None:
            return title
        return _("%(provider)s at %(host)s") % {"provider": title, "host": self.serving.issuer_host}

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
        return _callback_path(self.pk)

    @property
    def keys_address(self) -> str:
        """Where our public keys are, for the provider to fetch: the same for good."""
        return self.enterprise.url(reverse("identity:keys", args=[self.pk]))

    @property
    def latest(self) -> Revision | None:
        """The newest revision: what the set-up page edits, and what a test sign-in tests."""
        if "revisions" in getattr(self, "_prefetched_objects_cache", {}):
            return max(self.revisions.all(), key=lambda revision: revision.number, default=None)
        return self.revisions.select_related("secret").order_by("-number").first()

    @property
    def name(self) -> str:
        """What titles and buttons call it."""
        return str(Provider(self.provider).label)

    @property
    def waiting(self) -> Revision | None:
        """The newest revision, when another one is serving: it is not in use until it is tested and enabled."""
        latest = self.latest
        return latest if latest and self.serving_id and latest.pk != self.serving_id else None

    @property
    def depends_on_keys(self) -> bool:
        """Whether sign-ins prove us by a key now, so that keys have to be changed with care."""
        return self.is_enabled and self.serving is not None and self.serving.is_proved_by_key

    def lock(self) -> Connection:
        """Take this row's lock until the transaction ends, and return the row as it is now, with what serves."""
        return Connection.objects.select_for_update(of=("self",)).select_related("serving").get(pk=self.pk)

    def revise(
        self, *, by: User, at: datetime, secret: str | None, expires_on: date | None = None, **values: object
    ) -> Revision:
        """Write a new revision with ``values`` (issuer, client_id, scopes, …) and return it.

        ``secret`` None keeps the one there is, unless the issuer changes: then it is cleared (T6). What is serving
        goes on serving, and its secret is kept beside the new one (T5, K11). With a public key there is no secret;
        the first key is made here.
        """
        new = Revision(connection=self, created_by=by, created_at=at, **values)
        if new.is_proved_by_key and self.signing_key_id is None:
            ClientKey.publish(self, by=by, at=at)
        with transaction.atomic():
            serving, old = self.lock().serving, self.latest
            new.number = old.number + 1 if old else 1
            # Whatever lay between: what an attempt began with is what it finds, or it is refused (R1).
            same = next((other for other in (serving, old) if other and other.has_terms_of(new)), None)
            new.terms = same.terms if same else new.number
            if new.is_proved_by_key:
                secret = None
            elif secret is not None:
                new.secret = ClientSecret.taken(self, secret, by=by, at=at, expires_on=expires_on)
            elif old and old.issuer == new.issuer:
                new.secret = old.secret
            new.save(force_insert=True)
            if secret is not None:
                # One that never came to serve was a mistake, or is overtaken.
                self._give_up(self.secrets.kept().filter(serves_since=None).exclude(pk=new.secret_id), at)
        return new

    def _give_up(self, secrets: models.QuerySet[ClientSecret], at: datetime) -> list[ClientSecret]:
        """Erase ``secrets`` and return them. Call it with the row locked."""
        found = list(secrets)
        for secret in found:
            secret.connection = self
            secret.retire(at)
        return found

    def _serve(self, revision: Revision, at: datetime) -> list[ClientSecret]:
        """Let ``revision`` serve, and return the secrets given up by that: two are kept, the one now and the last."""
        self.serving, self.serving_terms = revision, revision.terms
        self.save(update_fields=["serving", "serving_terms"])
        if revision.secret_id is None:
            return []
        self.secrets.filter(pk=revision.secret_id, serves_since=None).update(serves_since=at)
        others = self.secrets.kept().exclude(pk=revision.secret_id)
        last = others.filter(serves_since__isnull=False).order_by("-serves_since").first()
        return self._give_up(others.exclude(pk=last.pk) if last else others, at)

    def return_to(self, old: Revision, *, by: User, at: datetime) -> Revision:
        """Make the values of ``old`` the newest revision again, and let it serve at once if the connection is enabled.

        A copy, so that numbers only ever grow. The values are those that were proved, letter by letter, so the proof
        is theirs too. Raises NotTestedError when ``old`` was never tested, SecretGoneError when its secret was given
        up since, and LastAdminError when nobody could administer the enterprise through its issuer.
        """
        if old.tested_at is None:
            raise NotTestedError
        with transaction.atomic():
            enterprise = self.enterprise.lock()
            fresh, latest = self.lock(), self.latest
            old.refresh_from_db(fields=["secret"])
            if not old.is_complete:
                raise SecretGoneError
            number = latest.number + 1 if latest else 1
            new = Revision(connection=self, number=number, created_by=by, created_at=at, **old.values)
            same = next((other for other in (fresh.serving, latest) if other and other.has_terms_of(new)), None)
            new.terms = same.terms if same else new.number
            new.secret = old.secret
            new.checked_at, new.findings = old.checked_at, old.findings
            new.tested_at, new.tested_by = old.tested_at, old.tested_by
            new.save(force_insert=True)
            if fresh.is_enabled:
                self._serve(new, at)
                keep_an_admin(enterprise)
        return new

    def enable(self, revision: Revision, at: datetime) -> list[ClientSecret]:
        """Let ``revision`` serve sign-ins from now on, and return the secrets given up by that.

        New people use it too, unless another connection is enabled for the same scope: that one goes on leading.
        Raises NotTestedError when no test sign-in has proved it or it is not the newest any more, and LastAdminError
        when nobody could administer the enterprise any more: with another issuer everybody is a stranger. Then
        nothing is changed.
        """
        with transaction.atomic():
            enterprise = self.enterprise.lock()
            newest = self.latest
            if newest is None or newest.pk != revision.pk or newest.tested_at is None:
                raise NotTestedError
            self.enabled_at, self.disabled_at = self.lock().enabled_at or at, None
            self.leads = not self.beside().filter(leads=True).exists()
            self.save(update_fields=["enabled_at", "disabled_at", "leads"])
            given_up = self._serve(revision, at)
            keep_an_admin(enterprise)
        return given_up

    def beside(self) -> ConnectionQuerySet:
        """Return the other connections that are enabled for the same scope, the one that leads first."""
        others = Connection.objects.of(self.enterprise).offered().exclude(pk=self.pk)
        return others.filter(organization=self.organization_id)

    def lead(self) -> None:
        """Be what new people of this scope use. What they used before stays enabled beside it, for those who still do.

        Raises NotEnabledError; then nothing is changed.
        """
        with transaction.atomic():
            self.enterprise.lock()
            if not self.lock().is_enabled:
                raise NotEnabledError
            # One after the other: at no moment may two lead.
            self.beside().update(leads=False)
            self.leads = True
            self.save(update_fields=["leads"])

    def disable(self, at: datetime) -> bool:
        """Stop sign-ins and end the sessions made through it. Raises LastAdminError; then nothing is changed.

        Where others are enabled beside it, one of them leads from now on. Returns whether everyone had been required
        to use the provider, and that has ended with it.
        """
        is_released = False
        with transaction.atomic():
            enterprise = self.enterprise.lock()
            self.enabled_at, self.disabled_at, self.leads = None, at, True
            self.save(update_fields=["enabled_at", "disabled_at", "leads"])
            heir = self.beside().first()
            if heir is not None:
                heir.leads = True
                heir.save(update_fields=["leads"])
            elif self.organization_id is None:
                # What is not there cannot be required: people with a password go on with it.
                is_released = enterprise.provider_required_from is not None
                enterprise.release_from_provider()
            self.sessions().delete()
            keep_an_admin(enterprise)
        return is_released

    def discard(self) -> None:
        """Delete a draft. Raises StillNeededError once it has been enabled, or when somebody was invited with it."""
        with transaction.atomic():
            if self.lock().serving_id or self.users.exists() or self.switching_users.exists():
                raise StillNeededError
            self.delete()

    def sessions(self) -> models.QuerySet[Session]:
        return Session.objects.of(self.enterprise).filter(grant__connection=self)
