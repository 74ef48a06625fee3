"""What the layouts need on every page."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.db.models import Count, F, QuerySet, Subquery
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.urls import Resolver404, resolve, reverse
from django.utils.functional import Promise, SimpleLazyObject
from django.utils.safestring import SafeString
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from audit.compiled import compiled
from console.templatetags.gatehouse import exact_time
from identity.models import Connection, Provider
from invitations.models import Move
from users.access import Permission
from users.models import Enterprise, Method, Session, User


@dataclass(frozen=True)
class NavItem:
    label: str | Promise
    icon: str  # A lucide name.
    route: str
    permission: Permission | None
    # Pages whose route name begins with one of these belong to this item.
    pages: tuple[str, ...]
    url: str = ""
    is_current: bool = False
    count: int | None = None


SWITCH = "invitations:dry_run"

DAILY = (
    NavItem(
        _("Dashboard"),
        "layout-dashboard",
        "console:dashboard",
        Permission.SEE_DASHBOARD,
        ("console:dashboard",),
    ),
    NavItem(
        _("Users"),
        "users",
        "users:list",
        Permission.SEE_PEOPLE,
        (
            "users:list",
            "users:bulk",
            "users:detail",
            "users:abilities",
            "users:activity",
            "users:change_email",
            "users:disable",
            "users:enable",
            "users:delete",
            "users:give",
            "users:revoke",
            "users:end_person",
            "users:who_can",
            "users:reset_factors",
        ),
    ),
    NavItem(
        _("Invitations"),
        "mail",
        "invitations:list",
        Permission.INVITE_PEOPLE,
        ("invitations:list", "invitations:invite"),
    ),
    NavItem(
        _("Organizations"),
        "building-2",
        "users:organizations",
        Permission.MANAGE_ORGANIZATIONS,
        ("users:organization",),
    ),
    NavItem(_("Audit log"), "scroll-text", "console:audit", Permission.SEE_AUDIT_LOG, ("console:audit",)),
)
ADVANCED: tuple[NavItem, ...] = (
    NavItem(_("Roles"), "id-card", "users:roles", Permission.GIVE_ROLES, ("users:role",)),
    NavItem(
        _("Identity provider"),
        "key-round",
        "identity:connections",
        Permission.MANAGE_CONNECTIONS,
        ("identity:",),
    ),
    NavItem(
        _("Sessions"),
        "timer",
        "users:session_limits",
        Permission.SET_SESSION_LIMITS,
        ("users:session_limits",),
    ),
    NavItem(
        _("Break-glass"),
        "life-buoy",
        "users:break_glass",
        Permission.MANAGE_SIGN_IN,
        ("users:break_glass",),
    ),
    NavItem(
        _("Local sign-in"),
        "lock-keyhole",
        "users:local_sign_in",
        Permission.MANAGE_SIGN_IN,
        ("users:local_sign_in",),
    ),
    NavItem(
        _("Sign-in log"),
        "file-search",
        "identity:sign_in_log",
        Permission.SEE_AUDIT_LOG,
        ("identity:sign_in_",),
    ),
    NavItem(
        _("Switch people"),
        "arrow-left-right",
        SWITCH,
        Permission.MIGRATE_PEOPLE,
        ("invitations:dry_run", "invitations:batch", "invitations:migrate", "invitations:switch"),
    ),
    NavItem(
        _("Enterprise"),
        "landmark",
        "console:enterprise",
        Permission.CLOSE_ENTERPRISE,
        ("console:enterprise", "console:close"),
    ),
)


def name_of(path: str) -> str | Promise:
    """Return what the navigation calls the part of the console that ``path`` belongs to."""
    try:
        here = resolve(urlsplit(path).path).view_name
    except (Resolver404, ValueError):
        return _("Gatehouse")
    labels = (item.label for item in (*DAILY, *ADVANCED) if any(here.startswith(page) for page in item.pages))
    return next(labels, _("Your account"))


def shell(request: HttpRequest) -> dict[str, Any]:
    """Give templates the navigation of the signed-in person, worked out only when a layout draws it."""
    return {"nav": SimpleLazyObject(lambda: _navigation(request)), "version": settings.VERSION}


@dataclass(frozen=True)
class Banner:
    """What stays on every page until it is no longer so; the parameters of components/banner.html."""

    fact: str | Promise
    text: str | Promise
    icon: str
    kind: str = "warn"
    link_url: str = ""
    link_text: str | Promise = ""
    post_url: str = ""
    post_text: str | Promise = ""


def _banners(request: HttpRequest) -> list[Banner]:
    """Return what is to be known of this session, the most serious of it, and then what is to be done about it."""
    user = request.user
    if not isinstance(user, User) or not user.is_authenticated:
        return []
    row: Session = request.session.row  # type: ignore[attr-defined]
    return [banner for banner in (_of_session(row, user), _of_email(user)) if banner]


def _of_session(row: Session, user: User) -> Banner | None:
    if row.method == Method.BREAK_GLASS:
        return Banner(
            _("You are signed in with the break-glass account."),
            _("All Enterprise Admins have been told. The session is short; sign out when the repair is done."),
            "life-buoy",
        )
    begins = row.enterprise.provider_required_from
    if begins and user.signs_in_with_password and not user.is_break_glass:
        return Banner(
            _("Passwords stop working on %(at)s.") % {"at": exact_time(begins)},
            _("Everyone then signs in with the identity provider. An administrator switches your account."),
            "key-round",
        )
    return None


def _of_email(user: User) -> Banner | None:
    if user.is_email_confirmed:
        return None
    return Banner(
        _("Confirm your email."),
        _("A link is on its way to %(email)s. Until you have pressed the button behind it, invitations wait.")
        % {"email": user.email},
        "mail-warning",
        post_url=reverse("users:send_confirmation"),
        post_text=_("Send it again"),
    )


@compiled
def _switched_to(enterprise: Enterprise) -> QuerySet[Connection]:
    """Find the connection that people are switched to, and count as ``stuck`` who cannot go on by themselves."""
    stuck = Move.objects.of(enterprise).stuck().order_by().values("enterprise").annotate(n=Count("pk")).values("n")
    enabled = Connection.objects.of(enterprise).enabled()
    in_order = enabled.order_by(F("organization").asc(nulls_first=True), "-leads", "enabled_at")
    return in_order.annotate(stuck=Subquery(stuck))[:1]


def _switch(enterprise: Enterprise) -> tuple[str, int]:
    """Return what the navigation calls switching people, and how many of them need somebody."""
    connection: Any = next(iter(_switched_to(enterprise)), None)
    if connection is None:
        return "", 0
    label = "" if connection.provider == Provider.OIDC else _("Switch to %(provider)s") % {"provider": connection.label}
    return str(label), connection.stuck or 0


def _navigation(request: HttpRequest) -> dict[str, Any]:
    match = request.resolver_match
    access = request.access  # type: ignore[attr-defined]
    held = frozenset(permission for permission in Permission if access.may(permission))
    return {
        "links": _links(
            match.view_name if match else "",
            held,
            get_language(),
            *(_switch(request.enterprise) if Permission.MIGRATE_PEOPLE in held else ("", 0)),  # type: ignore[attr-defined]
        ),
        "banners": _banners(request),
    }


@lru_cache(maxsize=1024)
def _links(here: str, held: frozenset[Permission], language: str | None, switch_label: str, stuck: int) -> SafeString:
    """Draw the links for whoever holds these permissions, as they look on the page ``here``.

    ``switch_label`` and ``stuck`` are what ``_switch`` says.

    Kept: there are few kinds of people, and all of a kind have the same ones.
    """

    def shown(items: tuple[NavItem, ...]) -> list[NavItem]:
        return [
            replace(
                item,
                label=switch_label if item.route == SWITCH and switch_label else item.label,
                count=stuck if item.route == SWITCH else None,
                url=reverse(item.route),
                is_current=item.route == current,
            )
            for item in items
            if item.permission is None or item.permission in held
        ]

    # A page belongs to the item that names it most closely.
    claimed = {page: item.route for item in (*DAILY, *ADVANCED) for page in item.pages if here.startswith(page)}
    current = claimed[max(claimed, key=len)] if claimed else ""

    nav = {"daily": shown(DAILY), "advanced": shown(ADVANCED)}
    return render_to_string("components/navigation.html", {"nav": nav})
