"""What is the same on every page is drawn once, and nothing of one person's page is ever part of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django import template
from django.template import Context, Template, TemplateSyntaxError, engines
from django.utils import translation

from tests.cast import Cast, browser_of

ENGINE = engines["django"].engine  # type: ignore[attr-defined]


def drawn(source: Template, **context: Any) -> str:
    return source.render(Context(context))


def made(text: str) -> Template:
    return Template("{% load gatehouse i18n counting %}" + text, engine=ENGINE)


@pytest.fixture(autouse=True)
def draws() -> Iterator[list[int]]:
    """What {% draw %} has drawn: a tag that says how often it is."""
    counted: list[int] = []
    library = template.Library()

    @library.simple_tag
    def draw() -> str:
        counted.append(1)
        return f"drawn {len(counted)}"

    ENGINE.template_libraries["counting"] = library
    yield counted
    del ENGINE.template_libraries["counting"]


def test_it_is_drawn_a_single_time(draws: list[int]) -> None:
    page = made("{% once %}<b>{% draw %}</b>{% endonce %} {{ name }}")
    assert [drawn(page, name=name) for name in ("Ingrid", "Aiko")] == ["<b>drawn 1</b> Ingrid", "<b>drawn 1</b> Aiko"]


def test_each_language_has_its_own(draws: list[int]) -> None:
    page = made("{% once %}{% get_current_language as code %}{{ code }} {% draw %}{% endonce %}")
    for language, expected in (("en", "en drawn 1"), ("de", "de drawn 2"), ("en", "en drawn 1")):
        with translation.override(language):
            assert drawn(page) == expected


def test_nothing_of_a_page_can_be_kept_in_it() -> None:
    """T11: not even when a template says so by mistake; the name is missing for everyone then, and shown to nobody."""
    page = made("{% once %}[{{ name }}{{ request.user.email }}{% csrf_token %}]{% endonce %}")
    assert drawn(page, name="Ingrid", csrf_token="a" * 64) == "[]"


def test_a_block_in_it_is_refused() -> None:
    with pytest.raises(TemplateSyntaxError):
        made("{% once %}{% block title %}{% endblock %}{% endonce %}")


@pytest.mark.servers
def test_the_navigation_is_that_of_whoever_looks(cast: Cast) -> None:
    """R7: kept for all who may do the same, and for nobody else."""
    pages = [browser_of(user).get("/account/").content.decode() for user in (cast.ingrid, cast.oluwaseun) * 2]
    assert ["/audit/" in page for page in pages] == [True, False, True, False]


@pytest.mark.servers
def test_the_page_one_is_on_is_marked(cast: Cast) -> None:
    browser = browser_of(cast.ingrid)
    for path, marked in (("/users/", 2), ("/account/", 0), ("/users/", 2)):
        assert browser.get(path).content.decode().count('aria-current="page"') == marked
