"""R4, H30: whatever is sent to a route, what comes back is a page that says something, and never a 500.

The test client lets an exception through, so that a route that breaks fails its test with the traceback.
"""

from __future__ import annotations

import base64
import copy
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
from django.conf import settings
from django.db import transaction
from django.urls import reverse

from identity.models import Provider
from invitations import cookies
from tests.cast import PASSWORD, Browser, browser_of
from tests.factors import enter_password
from tests.routes import PUBLIC, ROUTES, World
from users import enrolment, halfway
from users.middleware import LAST_ENTERPRISE_COOKIE
from users.models import Role
from users.throttling import COOKIE
from users.views import recovery
from users.views.links import RESET_COOKIE

pytestmark = pytest.mark.servers


def _cursor(*values: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(["next", *values]).encode()).decode()


# What a field, a parameter, a cookie or a part of an address may be given.
NASTY = {
    "nothing": "",
    "a NUL": "\x00",
    "a NUL inside": "ingrid\x00@halden.example",
    "controls": "a\r\nSet-Cookie: b=c\x1b[2J\x85\u2028",
    "direction marks": "\u202egpj.exe\u2066",
    "no character": "\ufffd\ufffe",
    "markup": "<script>alert(1)</script>'\"{{ 7|add:7 }}%s%(name)s{0}",
    "a wildcard": "%_\\",
    "a huge number": "9" * 400,
    "a negative number": "-1",
    "the last day": "9999-12-31",
    "the first day": "0001-01-01",
    "half an address": "http://[::1",
    "an address and a line": "halden\n/",
    "another site": "//stranger.example/\\x",
    "a word": "everywhere",
    "an unknown id": "7k2m41qx9abc",
    "many letters": "ä" * 5_000,
    "an address that no wire takes": f"a@{'ü' * 60}.example",
    "an address that grows when folded": "a@" + ".".join(["ΐΰ"] * 70) + ".example",
    "brackets": base64.urlsafe_b64encode(b"[" * 1_400).decode(),
    "a cursor of text": _cursor("a\x00", "b"),
    "a cursor of half letters": _cursor("\ud800", "\udfff"),
    "a cursor without a time zone": _cursor("2026-11-23T12:00", "b"),
    "a cursor at the end of time": _cursor("9999-12-31T23:59:59-23:59", "b"),
}
# Not UTF-8, or no escapes at all: only possible where the bytes are ours to write.
RAW = {"latin-1": b"%E9%FF", "half a letter": b"%ED%A0%80", "half an escape": b"%", "a NUL": b"%00"}

# Every name that anything of ours reads from a query or a form.
FIELDS = (
    "accepted_origins", "action", "at", "by", "challenge", "client_authentication", "client_id", "client_secret",
    "code", "connection", "current", "cursor", "email", "emails", "error", "error_description", "iss", "issuer",
    "leave_out", "message", "name", "next", "organization", "passkey", "password", "person", "place", "prompt",
    "provider", "q", "recovery", "region", "result", "revision", "role", "scope", "scopes", "second_factor", "since",
    "slug", "sort", "state", "status", "time_zone", "until", "use_issuer", "user", "via", "where", "who", "your_name",
)  # fmt: skip


# Forms that are right but for one field: what is wrong then gets as far as it can.
GOOD: dict[str, dict[str, str]] = {
    "users:signup": {
        "name": "Nordlys", "slug": "nordlys", "region": "eu", "your_name": "Kari Moe", "email": "kari@nordlys.example",
        "password": PASSWORD,
    },
    "users:local": {"email": "ingrid.solberg@halden.example", "password": PASSWORD},
    "users:factor": {"passkey": '{"id": "x"}', "challenge": "dev.AAAA"},
    "users:enrol": {"code": "123456"},
    "users:enrol_passkey": {"name": "Laptop", "passkey": '{"id": "x"}', "challenge": "dev.AAAA"},
    "users:forgotten": {"email": "ingrid.solberg@halden.example"},
    "console:login": {"where": "halden"},
    "invitations:accept": {"name": "Lena Fischer", "password": PASSWORD},
    "users:profile": {"name": "Aiko", "time_zone": "Europe/Oslo"},
    "users:change_password": {"current": PASSWORD, "password": "a longer password than that"},
    "users:add_app": {"code": "123456"},
    "users:add_passkey": {"name": "Laptop", "passkey": '{"id": "x"}', "challenge": "dev.AAAA"},
    "users:break_glass_add": {"who": "new", "name": "Emergency", "email": "emergency@halden.example"},
    "users:local_sign_in": {"second_factor": "optional"},
    "users:change_email": {"email": "c.martin@halden.example"},
    "users:give_role": {"role": Role.MANAGER.value, "place": "everywhere"},
    "users:organization_create": {"name": "Bergen"},
    "users:organization_rename": {"name": "Bergen"},
    "identity:choose": {"provider": Provider.OKTA.value, "scope": "organization", "organization": ""},
    "identity:setup": {
        "issuer": "https://halden.okta.com", "client_id": "0oab8k2w", "client_secret": "a-secret", "scopes": "openid",
        "client_authentication": "client_secret_basic", "organization": "",
    },
    "invitations:switch_begin": {"user": ""},
    "users:role_create": {"name": "Terminal lead", "description": "", "permissions": "see_people"},
    "users:session_limits": {"idle_minutes": "60", "session_hours": "12", "reprove_minutes": "5"},
    "identity:requiring": {"grace": "7"},
    "console:close": {"name": "Halden Freight"},
    "invitations:switch_email": {"email": "vera.old@halden.example"},
    "users:bulk_disable": {"user": ""},
    "invitations:invite": {
        "emails": "new@halden.example", "role": Role.VIEWER.value, "organization": "everywhere", "message": "Hello",
    },
}  # fmt: skip

# What the lists read from their addresses.
LISTS = {
    "console:audit": ["q", "action", "result", "person", "since", "until", "at"],
    "users:list": ["q", "status", "via", "role", "organization", "sort", "cursor"],
    "users:organizations": ["cursor"],
    "invitations:list": ["q", "state", "by", "organization", "cursor"],
    "invitations:migrate": ["q", "cursor"],
    "invitations:invite": ["email", "role", "organization"],
}
FORM = "application/x-www-form-urlencoded"
BODIES = {
    b"\xff\x00{": "application/json",
    b"--x\r\nnot a part": "multipart/form-data; boundary=x",
    b"a=%E9": f"{FORM}; charset=klingon",
}

PUBLIC_ARGS: dict[str, Callable[[World], list[str]]] = {
    **dict.fromkeys(
        sorted(name for name in PUBLIC - {"identity:logout"} if name.startswith("identity:")),
        lambda world: [world.draft.pk],
    ),
    "invitations:move_open": lambda world: [world.move.token],
    "invitations:open": lambda world: [world.invitation.token],
    "users:confirm": lambda world: [world.chloe.pk, "c0ffee-0123"],
    "users:enrol": lambda world: ["halden"],
    "users:enrol_passkey": lambda world: ["halden"],
    "users:enterprise": lambda world: ["halden"],
    "users:factor": lambda world: ["halden"],
    "users:forgotten": lambda world: ["halden"],
    "users:local": lambda world: ["halden"],
    "users:recovery": lambda world: ["c0ffee"],
    "users:reset": lambda world: [world.chloe.pk, "c0ffee-0123"],
}


def _args(world: World, name: str) -> list[str]:
    return ROUTES[name].args(world) if name in ROUTES else PUBLIC_ARGS.get(name, lambda _: [])(world)


def _browser(world: World, name: str) -> Browser:
    """An Enterprise Admin's, and for the entrance one of nobody who is known, with an invitation opened in it, and a
    password given.
    """
    if name in ROUTES:
        return browser_of(world.cast.aiko)
    browser = Browser(world.cast.halden)
    enter_password(browser, world.cast.aiko if name == "users:factor" else world.cast.oluwaseun)
    type(world.invitation).objects.update(token_hash="")
    world.invitation.keep_token()
    browser.get(reverse("invitations:open", args=[world.invitation.token]))
    return browser


def _never_breaks(browser: Browser, method: str, address: str, **sent: Any) -> bool:
    """Ask, and undo whatever it did, here and in the browser, so that each question meets the same world.

    Return whether anything looked at what was sent.
    """
    before = copy.deepcopy(browser.cookies)
    with transaction.atomic():
        is_raw = "content_type" in sent  # Then the bytes are sent as they are.
        answer = (
            browser.generic(method, address, **sent) if is_raw else getattr(browser, method.lower())(address, **sent)
        )
        if answer.streaming:
            b"".join(answer.streaming_content)
        assert answer.status_code < 500
        transaction.set_rollback(True)
    browser.cookies = before
    # Django parses a query and a form when they are first asked for.
    return "GET" in vars(answer.wsgi_request) or "_post" in vars(answer.wsgi_request)


EVERYWHERE = sorted([*ROUTES, *PUBLIC])
# How many times each route is asked with nonsense in all fields. The values are dealt out in turns, so that each field
# meets a sixth of them at each route, and all of them at its neighbours'.
ROUNDS = range(0, len(NASTY), 6)


def _methods(name: str) -> list[str]:
    return ROUTES[name].methods.split() if name in ROUTES else ["GET", "POST"]


@pytest.mark.parametrize("name", EVERYWHERE)
def test_nonsense_in_every_field_at_once(world: World, name: str) -> None:
    browser, address = _browser(world, name), reverse(name, args=_args(world, name))
    values, raw = list(NASTY.values()), list(RAW.values())
    first = EVERYWHERE.index(name)
    for method in _methods(name):
        for start in ROUNDS:
            data = {field: values[(first + start + turn) % len(values)] for turn, field in enumerate(FIELDS)}
            if not _never_breaks(browser, method, address, data=data):
                break  # Where nobody looks, nothing else will be found.
    for start in range(2):
        nonsense = [field.encode() + b"=" + raw[(first + start + turn) % len(raw)] for turn, field in enumerate(FIELDS)]
        _never_breaks(browser, "GET", address, QUERY_STRING=b"&".join(nonsense).decode())
        _never_breaks(browser, "POST", address, data=b"&".join(nonsense), content_type=FORM)
    for body, kind in BODIES.items():
        _never_breaks(browser, "POST", address, data=body, content_type=kind)


def _half(turn: int) -> list[str]:
    """Every second one, and the others for the field that comes next: most fields are read by the same few parsers."""
    return list(NASTY.values())[turn % 2 :: 2]


@pytest.mark.parametrize("name", LISTS)
def test_nonsense_in_one_parameter_of_a_list(world: World, name: str) -> None:
    browser, address = _browser(world, name), reverse(name)
    for turn, field in enumerate(LISTS[name]):
        for value in _half(turn):
            _never_breaks(browser, "GET", address, data={field: value})


@pytest.mark.parametrize("name", GOOD)
def test_nonsense_in_one_field_of_a_form_that_is_right_otherwise(world: World, name: str) -> None:
    browser, address, form = _browser(world, name), reverse(name, args=_args(world, name)), GOOD[name]
    for turn, field in enumerate(form):
        for value in _half(turn):
            _never_breaks(browser, "POST", address, data={**form, field: value})
        _never_breaks(browser, "POST", address, data={key: form[key] for key in form if key != field})


def test_nonsense_in_an_address(world: World) -> None:
    browser = browser_of(world.cast.aiko)
    for name in [*ROUTES, *PUBLIC_ARGS]:
        args = _args(world, name)
        for turn, part in enumerate(args, EVERYWHERE.index(name)):
            for value in [*(quote(value, safe="") for value in _half(turn)), "%ED%A0%80%FF", "0" * 5_000]:
                address = reverse(name, args=args).replace(f"/{part}/", f"/{value}/")
                _never_breaks(browser, _methods(name)[-1], address)


COOKIES = [
    LAST_ENTERPRISE_COOKIE, cookies.NAME, settings.SESSION_COOKIE_NAME, RESET_COOKIE, COOKIE, halfway.COOKIE,
    enrolment.COOKIE, recovery.COOKIE, "messages",
]  # fmt: skip


@pytest.mark.parametrize("cookie", COOKIES)
def test_nonsense_in_a_cookie(world: World, cookie: str) -> None:
    browser = Browser(world.cast.halden)
    for value in ["", "\x00", "dev.AAAA", "ä" * 100, "a.b:c:d", "9" * 3_000, '{"a":']:
        # Quoted as the standard library does it: octal escapes are how a NUL gets through.
        browser.cookies[cookie] = value
        for name in ("console:login", "invitations:opened", "users:reset_password", "users:recover",
                     "console:dashboard"):  # fmt: skip
            _never_breaks(browser, "GET", reverse(name))
        for name in ("users:factor", "users:enrol"):
            _never_breaks(browser, "GET", reverse(name, args=["halden"]))


@pytest.mark.parametrize("header", ["Referer", "HX-Current-URL", "User-Agent", "X-Request-Id", "Accept-Language"])
def test_nonsense_in_a_header(world: World, header: str) -> None:
    for value in ["http://[", "http://[::1]:99999/", "\x00", "é\xff" * 300, "x" * 5_000]:
        for browser in (Browser(world.cast.halden), browser_of(world.cast.aiko)):
            _never_breaks(browser, "POST", reverse("users:send_confirmation"), headers={header: value})
            _never_breaks(browser, "GET", reverse("console:dashboard"), headers={header: value, "HX-Request": "true"})
            _never_breaks(browser, "POST", reverse("users:local", args=["halden"]), headers={header: value})
