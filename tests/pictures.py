"""Pictures of the running product: ``script/pictures [FOLDER] [page …]``.

Fills a database of its own with Halden Freight on an ordinary Monday, serves it with gunicorn, and photographs
the main pages in Chromium, at 1280 and 390 pixels, light and dark. README.md shows some of them.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
import urllib.request
from datetime import datetime, timedelta
from pathlib import Path

import django
import psycopg

DATABASE = "gatehouse_pictures"
PORT = os.environ.get("PORT", "8190")
WIDTHS = (1280, 390)
PEOPLE = """
Oluwaseun Adeyemi, Marcus Feld, Tomás Herrera, Yusuf Karim, Chloé Martin, Piotr Nowak, Priya Raman, Aiko Tanaka,
Dana Whitfield, Bo Lindqvist, Lena Fischer, Samir Haddad, Grete Lund, Barbara Kowalska, Jens Okafor, Mei Chen,
Noor Rahman, Elif Yıldız, Hugo Andersson, Katarzyna Zielińska, Rafael Souza, Ines Duarte, Magnus Berg, Ola Nilsen,
Sara Holm, Viktor Ivanov, Wanda Maj, Xu Lin, Yara Costa, Zoë Peters, Adam Brandt, Britt Moen, Carlos Ruiz,
Dilan Demir, Erik Solheim, Freya Hansen, Giulia Rossi, Hanne Dahl, Ivo Novak, Julia Weber, Kofi Mensah, Liv Strand
"""


def main(folder: Path, pages: list[str]) -> None:
    base = os.environ["DATABASE_URL"].rpartition("/")[0]
    with psycopg.connect(f"{base}/postgres", autocommit=True) as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)")
        connection.execute(f"CREATE DATABASE {DATABASE}")
    os.environ.update(
        DATABASE_URL=f"{base}/{DATABASE}", GATEHOUSE_MODE="development", PORT=PORT, LOG_LEVEL="ERROR",
        DJANGO_SETTINGS_MODULE="console.settings", DJANGO_ALLOW_ASYNC_UNSAFE="true",
    )  # fmt: skip
    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    cookies, addresses = furnish()
    gunicorn = [sys.executable, "-m", "gunicorn", "console.wsgi", "--bind", f"127.0.0.1:{PORT}", "--threads", "4"]
    server = subprocess.Popen([*gunicorn, "--log-level", "error"])
    try:
        for _ in range(100):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{PORT}/healthz", timeout=1)
                break
            except OSError:
                time.sleep(0.1)
        folder.mkdir(parents=True, exist_ok=True)
        photograph(folder, {name: a for name, a in addresses.items() if not pages or name in pages}, cookies)
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(timeout=10)


def furnish() -> tuple[list[dict[str, str]], dict[str, tuple[str, bool]]]:
    """Make Halden Freight and a month of its life; return cookies and (address, signed in) by page name.

    The cookies are Ingrid's, who is signed in, and those of Dana, whose password was right a moment ago.
    """
    from django.conf import settings
    from django.http import HttpResponse
    from django.test import RequestFactory
    from django.urls import reverse
    from django.utils import timezone

    from audit.actions import Action
    from audit.models import Event, Result
    from identity.models import Connection, Provider, Subject
    from invitations.models import Invitation
    from tests.cast import FIREFOX, make_user
    from tests.factors import give_app, give_codes, give_passkey
    from users import halfway
    from users.models import CustomRole, Enterprise, Method, Organization, Region, Role, RoleAssignment, User
    from users.sessions import SessionStore, sign_in

    now = timezone.now()
    halden = Enterprise.objects.create(name="Halden Freight", slug="halden", region=Region.EU)
    Enterprise.objects.create(name="Nothing Yet Ltd", slug="nothing-yet", region=Region.EU)
    places = [
        Organization.objects.create(enterprise=halden, name=name) for name in ("Oslo terminal", "Rotterdam", "Gdańsk")
    ]
    ingrid = make_user(
        halden, "Ingrid Solberg", "ingrid.solberg@halden.example", (Role.ENTERPRISE_ADMIN, None), is_break_glass=True,
        time_zone="Europe/Oslo",
    )  # fmt: skip
    connection = Connection.objects.create(enterprise=halden, provider=Provider.OKTA, created_by=ingrid)
    revision = connection.revise(
        by=ingrid, at=now - timedelta(days=12), secret="0123456789abcdefghijk9Qa", issuer="https://halden.okta.com",
        client_id="0oab8k2wq1LmZ4Yc5d7",
    )  # fmt: skip
    revision.tested_at, revision.tested_by = now - timedelta(days=11), ingrid
    revision.save()
    connection.enable(revision, now - timedelta(days=11))
    chance = random.Random(11)  # noqa: S311 - the same pictures every time
    users: list[User] = [ingrid]
    for number, name in enumerate(PEOPLE.replace("\n", " ").split(", ")):
        local = name.strip().lower().replace(" ", ".").encode("ascii", "ignore").decode()
        with_okta, invited, disabled = number % 5 != 3, number % 9 == 5, number == 8
        role = (Role.VIEWER, Role.VIEWER, Role.MANAGER, Role.ORGANIZATION_ADMIN)[number % 4]
        user = make_user(
            halden, name.strip(), f"{local}@halden.example", (role, places[number % 3]),
            joined_at=None if invited else now - timedelta(days=40),
            disabled_at=now - timedelta(days=20) if disabled else None,
            connection=connection if with_okta or invited else None,
            last_login=None if invited else now - timedelta(hours=chance.randrange(1, 300)),
        )  # fmt: skip
        users.append(user)
        if user.connection_id and not invited:
            Subject.objects.create(connection=connection, issuer=revision.issuer, sub=f"00u{number:017}", user=user)
        if invited:
            invitation = Invitation.issue(
                enterprise=halden, email=user.email, role=role, organization=places[number % 3], connection=connection,
                by=ingrid, at=now - timedelta(days=number % 6, hours=2),
            )  # fmt: skip
            invitation.sent_at = invitation.issued_at
            if number % 2:
                invitation.mark_opened(now - timedelta(hours=3))
            invitation.save()
            if number == 5:
                invitation.mark_refused("not_assigned", now - timedelta(hours=2))
    batch = _switching(halden, connection, ingrid, users, now)
    lead = CustomRole.objects.create(
        enterprise=halden, name="Terminal lead", created_by=ingrid, created_at=now - timedelta(days=9),
        description="Runs a terminal: sees its people, brings in new ones, and ends their sessions.",
        permissions=["see_dashboard", "see_people", "invite_people", "manage_people"],
    )  # fmt: skip
    auditor = CustomRole.objects.create(
        enterprise=halden, name="Auditor", created_by=ingrid, created_at=now - timedelta(days=5),
        description="Reads what happened, and changes nothing.",
        permissions=["see_dashboard", "see_people", "see_audit_log"],
    )  # fmt: skip
    RoleAssignment.objects.bulk_create(
        RoleAssignment(
            enterprise=halden, user=user, custom_role=lead, organization=places[number % 3], given_by=ingrid,
            given_at=now - timedelta(days=8),
        )
        for number, user in enumerate(users[3:14])
    )  # fmt: skip
    RoleAssignment.objects.create(enterprise=halden, user=users[20], custom_role=auditor, given_by=ingrid)
    active = [user for user in users if user.is_active]
    for day in range(30):
        moment = (now - timedelta(days=day)).replace(hour=7, minute=30)
        workday = moment.weekday() < 5
        for _ in range(chance.randrange(24, 38) if workday else chance.randrange(2, 6)):
            user = chance.choice(active)
            connected = user.connection_id is not None and day < 11
            at = min(moment + timedelta(minutes=chance.randrange(600)), now)
            method, through = (Method.CONNECTION, connection.pk) if connected else (Method.PASSWORD, "")
            _event(
                halden,
                at,
                Action.SESSION_STARTED,
                user,
                connection if connected else None,
                method=method,
                connection=through,
            )
        if day in (1, 4, 8):
            _event(halden, moment, Action.SESSION_REFUSED, None, None, result=Result.REFUSED,
                   reason="not_assigned", connection=connection.pk)  # fmt: skip
    for action, minutes, actor, target in (
        (Action.INVITATION_ISSUED, 60, ingrid, users[6]), (Action.ROLE_GIVEN, 180, users[2], users[5]),
        (Action.CONNECTION_ENABLED, 60 * 24 * 11, ingrid, connection), (Action.USER_DISABLED, 900, ingrid, users[9]),
    ):  # fmt: skip
        _event(halden, now - timedelta(minutes=minutes), action, actor, target)
    entry = Event.objects.create(
        enterprise=halden, at=now - timedelta(minutes=42), action=Action.SESSION_REFUSED, result=Result.REFUSED,
        reason="audience_mismatch", target_type="connection", target_id=connection.pk, target_label="Okta",
        device="Firefox on Windows",
        details={
            "purpose": "sign_in", "revision": revision.number, "connection": connection.pk, "provider": "Okta",
            "expected": revision.client_id, "got": "0oaw8QmPq2Lb3RtYx5d7",
            "claims": {
                "iss": revision.issuer, "sub": "00u00000000000000005", "aud": "0oaw8QmPq2Lb3RtYx5d7",
                "exp": str(int(now.timestamp())), "email": users[6].email, "name": users[6].name, "amr": "pwd, mfa",
            },
        },
    )  # fmt: skip
    Event.objects.filter(address=None).update(address="198.51.100.24")
    request = RequestFactory().get("/", headers={"user-agent": FIREFOX}, REMOTE_ADDR="203.0.113.4")
    request.session = SessionStore()
    # As a password account, so that the pictures show an ordinary day and not an emergency.
    sign_in(request, ingrid, Method.PASSWORD)
    inside = {settings.SESSION_COOKIE_NAME: request.session.session_key or ""}
    for factor in (give_app, give_passkey, give_codes):
        factor(ingrid)
    dana = make_user(halden, "Dana Whitfield", "dana.whitfield.ops@halden.example")
    at_the_door = HttpResponse()
    here = RequestFactory().get("/", headers={"host": halden.host})
    halfway.keep(at_the_door, here, dana, lasts=halfway.LASTS_TO_ENROL, wanted="", is_drill=False)
    outside = {halfway.COOKIE: at_the_door.cookies[halfway.COOKIE].value}
    addresses = {
        "dashboard": ("console:dashboard", [], True),
        "users": ("users:list", [], True),
        "user": ("users:detail", [users[2].pk], True),
        "invitations": ("invitations:list", [], True),
        "invite": ("invitations:invite", [], True),
        "roles": ("users:roles", [], True),
        "role": ("users:role", [lead.pk], True),
        "role-people": ("users:role_people", [lead.pk], True),
        "role-create": ("users:role_create", [], True),
        "role-edit": ("users:role_edit", [lead.pk], True),
        "role-delete": ("users:role_delete", [lead.pk], True),
        "role-unassign": ("users:role_unassign", [lead.pk], True),
        "who-can": ("users:who_can", [], True),
        "abilities": ("users:abilities", [users[4].pk], True),
        "organizations": ("users:organizations", [], True),
        "audit-log": ("console:audit", [], True),
        "sign-in-log": ("identity:sign_in_log", [], True),
        "sign-in-entry": ("identity:sign_in_entry", [entry.pk], True),
        "identity-provider": ("identity:connections", [], True),
        "okta-set-up": ("identity:setup", [connection.pk], True),
        "switch": ("invitations:dry_run", [], True),
        "switch-batch": ("invitations:batch", [batch], True),
        "switch-step-by-step": ("invitations:migrate", [], True),
        "account": ("users:account", [], True),
        "local-sign-in-rules": ("users:local_sign_in", [], True),
        "second-factor": ("users:enrol", ["halden"], False),
        "passkey": ("users:enrol_passkey", ["halden"], False),
        "sign-in": ("users:enterprise", ["halden"], False),
        "local-sign-in": ("users:local", ["halden"], False),
        "sign-up": ("users:signup", [], False),
        "find-enterprise": ("console:login", [], False),
    }
    return [inside, outside], {
        name: (reverse(route, args=args), inside) for name, (route, args, inside) in addresses.items()
    }


def _switching(halden, connection, ingrid, users, now: datetime) -> str:  # type: ignore[no-untyped-def]
    """Begin to switch some of those with a password; most have come. Returns the batch's id."""
    from invitations.models import Batch, Move

    first, second = (
        Batch.objects.create(
            enterprise=halden, name=name, begun_by=ingrid, begun_at=now - timedelta(days=days), doing="", taken=number,
            chosen={"users": [], "text": "", "filters": {}}, expected=number,
        )
        for name, days, number in (("First try", 10, 2), ("Oslo terminal", 5, 20))
    )  # fmt: skip
    with_okta = [user for user in users if user.is_active and user.connection_id][:17]
    with_password = [user for user in users if user.is_active and not user.connection_id and not user.is_break_glass]
    for number, user in enumerate([*with_okta, *with_password[:3], *with_password[3:5]]):
        done, undone = number < 17, number >= 20
        Move.objects.create(
            enterprise=halden, batch=first if undone else second, user=user, name=user.name, email=user.email,
            listed_as=user.name.lower(), connection=connection, expires_at=now + timedelta(days=9),
            sent_at=now - timedelta(days=5), redeemed_at=now - timedelta(hours=7 * number) if done else None,
            undone_at=now - timedelta(days=9) if undone else None,
            refused_at=now - timedelta(hours=3) if number == 19 else None,
            refused_reason="not_assigned" if number == 19 else "",
        )  # fmt: skip
        if not done and not undone:
            user.switching_to = connection
            user.save()
    Batch.objects.filter(pk=first.pk).update(undone_at=now - timedelta(days=9), undone_by=ingrid)
    bo = next(user for user in with_password if user.name == "Bo Lindqvist" or user == with_password[-1])
    bo.email_confirmed_at = None
    bo.save()
    return second.pk


def _event(enterprise, at: datetime, action, actor, target, **fields) -> None:  # type: ignore[no-untyped-def]
    from audit.models import Event

    own = {name: fields.pop(name) for name in ("result", "reason") if name in fields}
    Event.objects.create(
        enterprise=enterprise, at=at, action=action, actor=actor, actor_label=str(actor or ""),
        target_id=target.pk if target else "", target_label=str(target or ""), details=fields, **own,
    )  # fmt: skip


def photograph(folder: Path, addresses: dict[str, tuple[str, bool]], cookies: list[dict[str, str]]) -> None:
    from playwright.sync_api import sync_playwright

    from tests.browser.chromium import launch

    origin = f"http://eu.localhost:{PORT}"
    with sync_playwright() as playwright:
        browser = launch(playwright)
        for scheme in ("light", "dark"):
            for width in WIDTHS:
                contexts = []
                for kept in cookies:
                    context = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme)
                    context.add_cookies([{"name": n, "value": v, "url": origin} for n, v in kept.items()])
                    contexts.append(context)
                inside, outside = contexts
                for name, (path, is_inside) in addresses.items():
                    page = (inside if is_inside else outside).new_page()
                    page.goto(origin + path)
                    page.screenshot(path=folder / f"{name}-{width}-{scheme}.png", full_page=True)
                    page.close()
        browser.close()


if __name__ == "__main__":
    arguments = sys.argv[1:] or ["docs/pictures"]
    main(Path(arguments[0]), arguments[1:])
