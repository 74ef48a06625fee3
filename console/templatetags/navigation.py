"""What the navigation calls things."""

from __future__ import annotations

from django import template

from console.context import name_of

register = template.Library()


@register.filter
def page_name(path: str) -> str:
    """The part of the console that an address of ours belongs to, as the navigation calls it."""
    return str(name_of(path))
