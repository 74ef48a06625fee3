"""T11: every route of the URL map, tried by a stranger, by nobody, and by each role.

The table is ``tests/routes.py``, written by hand: a route that is not in it fails the first test here.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.http import HttpResponse
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from tests.cast import Browser, browser_of, make_user
from tests.routes import ALL, PUBLIC, ROUTES, Route, World
from users.models import Role

pytestmark = pytest.mark.servers

EVERY_CALL = [(name, method) for name, route in ROUTES.items() for method in route.methods.split()]
REFUSED = {403, 404}


def _walk(resolver: URLResolver, namespace: str = "") -> Iterator[tuple[str, URLPattern]]:
    for entry in resolver.url_patterns:
        if isinstance(entry, URLResolver):
            yield from _walk(entry, ":".join(filter(None, [namespace, entry.namespace or ""])))
        else:
            yield ":".join(filter(None, [namespace, entry.name or f"(no name) {entry.pattern}"])), entry


def _all_routes() -> dict[str, URLPattern]:
    return dict(_walk(get_resolver()))


def _call(browser: Browser, name: str, method: str, world: World, **headers: str) -> HttpResponse:
    route: Route = ROUTES[name]
    address, query = reverse(name, args=route.args(world)), route.query(world)
    send = browser.get if method == "GET" else browser.post
    return send(address, query, headers=headers)


def test_every_route_is_declared_and_nothing_else_is() -> None:
    assert set(_all_routes()) == set(ROUTES) | PUBLIC
    assert not set(ROUTES) & PUBLIC


@pytest.mark.parametrize("name", sorted(PUBLIC))
def test_a_public_route_says_so_itself(name: str) -> None:
    assert getattr(_all_routes()[name].callback, "login_required", True) is False


@pytest.mark.parametrize(("name", "method"), EVERY_CALL)
def test_an_anonymous_visitor_is_sent_to_the_sign_in(world: World, name: str, method: str) -> None:
    """R8: a page redirects; what a script asks for answers 401 and where to sign in."""
    page = _call(Browser(world.cast.halden), name, method, world)
    assert page.status_code == 302
    assert page["Location"].startswith("/login/")
    script = _call(Browser(world.cast.halden), name, method, world, hx_request="true")
    assert script.status_code == 401
    assert script["HX-Redirect"].startswith("/login/")


@pytest.mark.parametrize(("name", "method"), EVERY_CALL)
def test_a_stranger_gets_404_and_hears_nothing_of_halden(world: World, name: str, method: str) -> None:
    """T11: Mallory may do everything in her own enterprise, and nothing here exists for her."""
    route = ROUTES[name]
    answer = _call(browser_of(world.cast.mallory), name, method, world)
    if route.args(world) or route.query(world):
        assert answer.status_code == 404
    body = b"".join(answer.streaming_content) if answer.streaming else answer.content
    assert b"Halden" not in body
    assert b"halden.example" not in body


@pytest.mark.parametrize("role", ALL)
@pytest.mark.parametrize(("name", "method"), EVERY_CALL)
def test_each_role_may_do_what_the_table_says(world: World, name: str, method: str, role: str) -> None:
    answer = _call(browser_of(world.person(role)), name, method, world)
    if role in ROUTES[name].who:
        assert answer.status_code not in REFUSED
        assert answer.status_code < 500
    else:
        assert answer.status_code in REFUSED


OF_ROTTERDAM = [call for call in EVERY_CALL if ROUTES[call[0]].args is not Route.args and not ROUTES[call[0]].is_shared]


@pytest.mark.parametrize(("name", "method"), OF_ROTTERDAM)
def test_an_admin_of_another_organization_is_no_better_than_nobody(world: World, name: str, method: str) -> None:
    """Whoever looks after Oslo neither sees nor touches what is in Rotterdam."""
    neighbour = make_user(
        world.cast.halden, "Kari Moe", "kari.moe@halden.example", (Role.ORGANIZATION_ADMIN, world.cast.oslo)
    )
    assert _call(browser_of(neighbour), name, method, world).status_code in REFUSED


@pytest.mark.parametrize("name", ROUTES)
def test_a_route_answers_only_the_methods_it_is_for(world: World, name: str) -> None:
    declared = ROUTES[name].methods.split()
    browser, address = browser_of(world.cast.aiko), reverse(name, args=ROUTES[name].args(world))
    for method in {"GET", "POST", "PUT", "DELETE"} - set(declared):
        assert browser.generic(method, address).status_code == 405, method
