"""Logs and databases hold the names of codes, and customers search for them: none is ever another."""

from __future__ import annotations

import re
from enum import StrEnum

import pytest

from identity import egress
from identity.egress import EgressError
from identity.oidc import AuthMethod, Code, IssuerCode, Line, State


@pytest.mark.parametrize("kind", [Code, IssuerCode, Line, State])
def test_what_is_stored_of_a_code_is_its_name_in_small_letters(kind: type[StrEnum]) -> None:
    """R4."""
    assert [code.value for code in kind] == [code.name.lower() for code in kind]


def test_a_way_to_prove_who_we_are_goes_by_the_name_that_providers_use() -> None:
    """R14: the names of OpenID Connect Core, section 9."""
    assert [str(method) for method in AuthMethod] == ["client_secret_basic", "client_secret_post", "private_key_jwt"]


def test_an_error_of_the_door_says_what_it_is_and_no_more() -> None:
    """R4, R12: its text is its code."""
    kinds = [kind for kind in vars(egress).values() if isinstance(kind, type) and issubclass(kind, EgressError)]
    assert len(kinds) == 7
    for kind in kinds:
        words = re.findall("[A-Z][a-z]+", kind.__name__.removesuffix("Error"))
        assert (kind.code, str(kind())) == ("_".join(words).lower(),) * 2
