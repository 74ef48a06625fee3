"""Per-enterprise connections to identity providers, their revisions, and who is known through them."""

from __future__ import annotations

from datetime import date, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from django.db import models, transaction
from django.db.models import Q
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from audit.ids import new_id
from identity.credentials import ClientKey, ClientSecret
from identity.oidc import RelyingParty, check_provider
from users.models import Enterprise, Organization, Session, User, keep_an_admin
from users.sealing import seal, unseal

if TYPE_CHECKING:
    from identity.egress import Egress

DEFAULT_SCOPES = "openid profile email offline_access"

# The parts of a revision that a person edits, beside the secret.
EDITED = (
    "issuer", "client_id", "client_authentication", "scopes", "accepted_origins", "max_age_minutes", "acr_values",
)  # fmt: skip
# Those a sign-in is agreed by; how we prove who we are is none of them.
TERMS = tuple(name for name in EDITED if name != "client_authentication")


class NotTestedError(Exception):
    """A revision that no test sign-in has proved cannot be enabled, nor one that is no longer the newest."""


class SecretGoneError(Exception):
    """The secret of an older revision was given up, so that its values cannot serve as they are."""


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


class ClientAuthentication(models.TextChoices):
    BASIC = "client_secret_basic", _("Client secret, in the header")
    POST = "client_secret_post", _("Client secret, in the body")
    KEY = "private_key_jwt", _("Public key")


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
        return self.enabled().select_related("organization").order_by(by_place)

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
    def title(self) -> str:
        """What tells it from others of the same provider: its name, and whom it is for unless that is everybody."""
        if self.organization is None:
            return self.label
        return _("%(provider)s for %(organization)s") % {"provider": self.label, "organization": self.organization.name}

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
        return self.get_provider_display()

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
            self.enabled_at, self.disabled_at = self.lock().enabled_at or at, None
            self.save(update_fields=["enabled_at", "disabled_at"])
            given_up = self._serve(revision, at)
            keep_an_admin(enterprise)
        return given_up

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
            if self.organization_id is None:
                # What is not there cannot be required: people with a password go on with it.
                enterprise.release_from_provider()
            self.sessions().delete()
            keep_an_admin(enterprise)

    def discard(self) -> None:
        """Delete a draft. Raises StillNeededError once it has been enabled, or when somebody was invited with it."""
        with transaction.atomic():
            if self.lock().serving_id or self.users.exists() or self.switching_users.exists():
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


class NotLinkable(Exception):
    """Somebody who waits cannot be linked: the account or the connection is not what it was. Nothing was changed."""


class WaitingSubjectQuerySet(models.QuerySet["WaitingSubject"]):
    def of(self, enterprise: Enterprise) -> WaitingSubjectQuerySet:
        return self.filter(connection__enterprise=enterprise)

    def undecided(self) -> WaitingSubjectQuerySet:
        return self.filter(refused_at=None)


class WaitingSubject(models.Model):
    """Somebody the provider vouches for, unknown here, with the email of an account (T8): waits for a yes.

    An email alone never links. An administrator who knows the person sees what both say, and decides.
    """

    id = models.CharField(primary_key=True, max_length=12, default=new_id, editable=False)
    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, related_name="waiting_subjects")
    issuer = models.CharField(max_length=500)
    sub = models.CharField(max_length=255)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="waiting_subjects")
    email = models.EmailField(max_length=254)
    name = models.CharField(max_length=100, blank=True)
    first_seen_at = models.DateTimeField(default=timezone.now)
    last_seen_at = models.DateTimeField(default=timezone.now)
    refused_at = models.DateTimeField(null=True, blank=True)
    refused_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")

    objects = WaitingSubjectQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["connection", "issuer", "sub"], name="subject_waits_once")]
        indexes = [models.Index(fields=["user"], condition=Q(refused_at=None), name="subject_waiting_by_user")]

    def __str__(self) -> str:
        return f"{self.sub} at {self.issuer}"

    @classmethod
    def note(cls, connection: Connection, *, issuer: str, sub: str, email: str, name: str, at: datetime) -> None:
        """Let an administrator see that this subject came, when its email is that of an account that can be linked.

        Break-glass accounts never can. Who was refused stays so, unless the email is another account's by now.
        """
        user = User.objects.of(connection.enterprise).with_email(email).linkable().first()
        if user is None:
            return
        seen = {"email": email[:254], "name": name[:100], "last_seen_at": at}
        row, is_new = cls.objects.get_or_create(
            connection=connection, issuer=issuer, sub=sub, defaults={**seen, "user": user, "first_seen_at": at}
        )
        if is_new:
            return
        changes: dict[str, object] = dict(seen)
        if row.user_id != user.pk:
            changes |= {"user": user, "refused_at": None, "refused_by": None}
        connection.waiting_subjects.filter(pk=row.pk).update(**changes)

    def link(self, *, by: User, at: datetime) -> None:
        """Know this subject as the account's from now on: it signs in through the connection, and no other way.

        Call it with the enterprise's row locked. What the account was known by before is forgotten, the password goes,
        and sessions end; roles and history stay. Raises NotLinkable when account or connection have changed, and
        LastAdminError when nobody could administer the enterprise any more.
        """
        enterprise = self.connection.enterprise
        waiting = WaitingSubject.objects.of(enterprise).select_for_update(of=("self",)).filter(pk=self.pk).first()
        user = User.objects.of(enterprise).linkable().select_for_update(of=("self",)).filter(pk=self.user_id).first()
        connection = Connection.objects.of(enterprise).enabled().select_related("serving").filter(pk=self.connection_id)
        serving = next((one.serving for one in connection if one.serving), None)
        if waiting is None or user is None or serving is None or serving.issuer != self.issuer:
            raise NotLinkable
        if Subject.objects.filter(connection=self.connection, issuer=self.issuer, sub=self.sub).exists():
            raise NotLinkable
        user.enterprise = enterprise
        Subject.objects.filter(user=user).delete()
        Subject.objects.create(connection=self.connection, issuer=self.issuer, sub=self.sub, user=user, created_at=at)
        user.connection, user.switching_to = self.connection, None
        user.save(update_fields=["connection", "switching_to"])
        user.forget_local_ways()
        user.moves.overtake(self.connection, at)
        user.sessions.all().delete()
        self.user = user
        WaitingSubject.objects.filter(pk=self.pk).delete()
        keep_an_admin(enterprise)

    def refuse(self, *, by: User, at: datetime) -> None:
        self.refused_at, self.refused_by = at, by
        self.save(update_fields=["refused_at", "refused_by"])


class GrantQuerySet(models.QuerySet["Grant"]):
    def for_session(self, session: Session) -> GrantQuerySet:
        """Keep the one of ``session``, by its handle: the key may have changed since it was read."""
        return self.filter(session__handle=session.handle)

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
    """What the provider vouches a session with: where it came from and, when there is one, the refresh token.

    ``asked_at`` is since when a use of the refresh token has been without an answer: the provider may have taken it,
    and have given another one that got lost.
    """

    session = models.OneToOneField(Session, on_delete=models.CASCADE, primary_key=True, related_name="grant")
    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, related_name="grants")
    issuer = models.CharField(max_length=500)
    sub = models.CharField(max_length=255)
    sid = models.CharField(max_length=255, blank=True)
    revision = models.PositiveIntegerField()
    refresh_sealed = models.TextField(blank=True, editable=False)
    asked_at = models.DateTimeField(null=True, blank=True)
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
        # By the handle: the session's key changes while it lasts.
        return f"{self.session.enterprise_id}/{self.session.handle}/refresh"

    def keep(self, refresh_token: str, nonce: str) -> None:
        """Seal ``refresh_token``, with the nonce of the sign-in it comes from: a later ID token may repeat that."""
        self.refresh_sealed = seal(f"{refresh_token}\0{nonce}".encode(), bound_to=self._place)

    def kept(self) -> tuple[str, str]:
        """Return refresh token and nonce. Raises SealBroken."""
        refresh_token, _, nonce = unseal(self.refresh_sealed, bound_to=self._place).decode().partition("\0")
        return refresh_token, nonce


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
