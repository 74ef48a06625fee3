"""The fixed cast. Halden Freight and its people; Oslo and Rotterdam are its organizations; Mallory is the stranger.

========  ====================  ==================================================================
Ingrid    Enterprise Admin      of Halden; its break-glass account, signs in with a password
Aiko      Enterprise Admin      of Halden; signs in with a password
Marcus    Organization Admin    of Rotterdam, in Halden
Tomas     Manager               of Rotterdam, in Halden
Oluwaseun Viewer                of Oslo, in Halden
Mallory   Enterprise Admin      of Stranger Ltd, another enterprise: gets 404 for everything of Halden
========  ====================  ==================================================================
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from functools import cache

from django.contrib.auth.hashers import make_password
from django.core.signals import setting_changed
from django.dispatch import receiver
from django.http import QueryDict
from django.test.client import Client, ClientHandler
from django.utils import timezone

from identity.models import Connection, Provider
from users.access import Permission
from users.models import (
    AnyRole,
    CustomRole,
    Enterprise,
    HeldForm,
    Method,
    Organization,
    Region,
    Role,
    RoleAssignment,
    Session,
    User,
    columns_of,
    fold_email,
)
from users.sessions import SessionStore

PASSWORD = "correct horse battery staple"
_hashed: list[str] = []


def hashed_password() -> str:
    """The hash of PASSWORD, computed once: Argon2 is slow on purpose."""
    if not _hashed:
        _hashed.append(make_password(PASSWORD))
    return _hashed[0]


def make_enterprise(name: str, slug: str, region: Region = Region.EU) -> Enterprise:
    return Enterprise.objects.create(name=name, slug=slug, region=region)


def new_user(enterprise: Enterprise, name: str, email: str, **fields: object) -> User:
    """Somebody with a password and a confirmed email, unless ``fields`` say otherwise; not saved yet."""
    now = timezone.now()
    joined = {"password": hashed_password(), "joined_at": now, "email_confirmed_at": now}
    return User(enterprise=enterprise, name=name, email=email, email_folded=fold_email(email), **{**joined, **fields})


def make_user(
    enterprise: Enterprise,
    name: str,
    email: str,
    *roles: tuple[AnyRole, Organization | None],
    **fields: object,
) -> User:
    """A person who has joined with a password and a confirmed email, unless ``fields`` say otherwise."""
    user = new_user(enterprise, name, email, **fields)
    user.save()
    RoleAssignment.objects.bulk_create(
        RoleAssignment(enterprise=enterprise, user=user, organization=organization, **columns_of(role))
        for role, organization in roles
    )
    return user


def make_role(enterprise: Enterprise, name: str, *permissions: Permission) -> CustomRole:
    """A role of the enterprise's own, of ``permissions`` and nothing else."""
    return CustomRole.objects.create(enterprise=enterprise, name=name, permissions=sorted(permissions))


def enable_okta(enterprise: Enterprise, by: User) -> Connection:
    """An enabled connection to an Okta nobody asks, for tests of what its being there changes."""
    now = timezone.now()
    connection = Connection.objects.create(enterprise=enterprise, provider=Provider.OKTA, created_by=by)
    revision = connection.revise(
        by=by, at=now, secret="a secret of Okta", issuer="https://halden.okta.com", client_id="0oa1"
    )
    revision.tested_at = now
    revision.save(update_fields=["tested_at"])
    connection.enable(revision, now)
    return connection


@dataclass
class Cast:
    halden: Enterprise
    oslo: Organization
    rotterdam: Organization
    ingrid: User
    aiko: User
    marcus: User
    tomas: User
    oluwaseun: User
    stranger: Enterprise
    mallory: User

    @classmethod
    def assemble(cls) -> Cast:
        """Make everybody, in four statements: nearly every test begins with it."""
        halden = Enterprise(name="Halden Freight", slug="halden", region=Region.EU)
        stranger = Enterprise(name="Stranger Ltd", slug="stranger", region=Region.EU)
        oslo = Organization(enterprise=halden, name="Oslo terminal")
        rotterdam = Organization(enterprise=halden, name="Rotterdam")
        people = {
            "ingrid": new_user(halden, "Ingrid Solberg", "ingrid.solberg@halden.example", is_break_glass=True),
            "aiko": new_user(halden, "Aiko Tanaka", "aiko.tanaka@halden.example"),
            "marcus": new_user(halden, "Marcus Feld", "marcus.feld@halden.example"),
            "tomas": new_user(halden, "Tomás Herrera", "tomas.herrera@halden.example"),
            "oluwaseun": new_user(halden, "Oluwaseun Adeyemi", "o.adeyemi@halden.example"),
            "mallory": new_user(stranger, "Mallory Stone", "mallory@stranger.example"),
        }
        roles = {
            **dict.fromkeys(("ingrid", "aiko", "mallory"), (Role.ENTERPRISE_ADMIN, None)),
            "marcus": (Role.ORGANIZATION_ADMIN, rotterdam),
            "tomas": (Role.MANAGER, rotterdam),
            "oluwaseun": (Role.VIEWER, oslo),
        }
        Enterprise.objects.bulk_create([halden, stranger])
        Organization.objects.bulk_create([oslo, rotterdam])
        User.objects.bulk_create(people.values())
        RoleAssignment.objects.bulk_create(
            RoleAssignment(
                enterprise=people[name].enterprise, user=people[name], organization=organization, **columns_of(role)
            )
            for name, (role, organization) in roles.items()
        )
        return cls(halden=halden, stranger=stranger, oslo=oslo, rotterdam=rotterdam, **people)


@cache
def _handler(enforce_csrf_checks: bool) -> ClientHandler:
    return ClientHandler(enforce_csrf_checks)


@receiver(setting_changed)
def _loads_middleware_again(**changed: object) -> None:
    _handler.cache_clear()


class Browser(Client):
    """Django's test client at an enterprise's region, with ``sign_in`` for a session like a real one's."""

    def __init__(
        self, enterprise: Enterprise | None = None, *, enforce_csrf_checks: bool = False, **defaults: object
    ) -> None:
        host = (enterprise.origin if enterprise else Region.EU.origin).split("://")[1]
        super().__init__(enforce_csrf_checks, headers={"host": host, "user-agent": FIREFOX}, **defaults)
        # One for all browsers, as in production: loading the middleware takes longer than most requests.
        self.handler = _handler(enforce_csrf_checks)

    def sign_in(self, user: User, method: Method | None = None) -> Browser:
        """Begin a session for ``user`` directly, without the sign-in page (which has tests of its own)."""
        from django.conf import settings
        from django.test import RequestFactory

        from users.sessions import sign_in

        request = RequestFactory().get("/", headers={"user-agent": FIREFOX})
        request.session = SessionStore()
        sign_in(request, user, method or (Method.BREAK_GLASS if user.is_break_glass else Method.PASSWORD))
        self.cookies[settings.SESSION_COOKIE_NAME] = request.session.session_key
        return self


def hold(session: Session, path: str = "/account/profile/", **typed: str) -> HeldForm:
    """What the person of ``session`` typed is held for ``path``."""
    fields = QueryDict(mutable=True)
    fields.update(typed)
    held = HeldForm.hold(session, path=path, page=path, typed=fields, at=timezone.now())
    assert held is not None
    return held


def long_ago(user: User, minutes: int = 11) -> None:
    """Let it be that long since ``user`` last proved, in any session, who they are."""
    user.sessions.update(proved_at=timezone.now() - timedelta(minutes=minutes))


FIREFOX = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:141.0) Gecko/20100101 Firefox/141.0"


def browser_of(user: User) -> Browser:
    """A browser in which ``user`` is signed in."""
    return Browser(user.enterprise).sign_in(user)
