"""What the templates of lists need."""

from __future__ import annotations

from collections.abc import Container
from typing import Any

from django import template

register = template.Library()


@register.simple_tag(takes_context=True)
def filter_url(context: dict[str, Any], name: str, value: str) -> str:
    """The query of this page with ``name`` set to ``value``, or without it when that is empty.

    A cursor points into the list as it is filtered and sorted now, so it goes with any other change.
    """
    query = context["request"].GET.copy()
    query.pop("cursor", None)
    query.pop(name, None)
    if value:
        query[name] = value
    return "?" + query.urlencode()


@register.filter
def among(value: object, these: Container[object]) -> bool:
    return value in these
