"""Everything in an enterprise as files: all of its rows, none of another's, and no secret."""

from __future__ import annotations

import csv
import io
import json
from zipfile import ZipFile

import pytest
from django.utils import timezone

from audit.models import Event
from invitations.models import Invitation
from tests.cast import Cast, browser_of, enable_okta, make_role, make_user
from users.access import Permission
from users.models import Role, RoleAssignment, User

pytestmark = [pytest.mark.servers, pytest.mark.django_db]


def export(cast: Cast) -> ZipFile:
    response = browser_of(cast.aiko).get("/advanced/enterprise/export/")
    assert (response.status_code, response["Content-Type"]) == (200, "application/zip")
    return ZipFile(io.BytesIO(b"".join(response.streaming_content)))


def table(zipped: ZipFile, name: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(zipped.read(f"{name}.csv").decode())))


def test_every_row_is_there_and_none_of_another_enterprise(cast: Cast) -> None:
    enable_okta(cast.halden, cast.aiko)
    Invitation.issue(
        enterprise=cast.halden, email="new@halden.example", role=Role.VIEWER, organization=cast.oslo, connection=None,
        by=cast.aiko, at=timezone.now(),
    )  # fmt: skip
    lead = make_role(cast.halden, "Lead", Permission.SEE_PEOPLE, Permission.INVITE_PEOPLE)
    make_role(cast.stranger, "Stranger lead", Permission.SEE_PEOPLE)
    RoleAssignment.objects.create(enterprise=cast.halden, user=cast.tomas, custom_role=lead)
    zipped = export(cast)
    assert {row["email"] for row in table(zipped, "people")} == {
        user.email for user in User.objects.of(cast.halden)
    }  # fmt: skip
    assert {(row["email"], row["role"], row["where"]) for row in table(zipped, "roles")} >= {
        (cast.aiko.email, "Enterprise Admin", "whole enterprise"),
        (cast.tomas.email, "Manager", "Rotterdam"),
        (cast.tomas.email, "Lead", "whole enterprise"),
    }
    (own,) = table(zipped, "custom_roles")
    assert (own["name"], own["permissions"]) == ("Lead", "invite_people see_people")
    assert {row["name"] for row in table(zipped, "organizations")} == {"Oslo terminal", "Rotterdam"}
    assert [row["email"] for row in table(zipped, "invitations")] == ["new@halden.example"]
    assert json.loads(zipped.read("enterprise.json"))["slug"] == "halden"
    (okta,) = json.loads(zipped.read("connections.json"))
    assert okta["status"] == "enabled"
    assert okta["revisions"][0]["issuer"] == "https://halden.okta.com"
    assert len(table(zipped, "audit")) == Event.objects.of(cast.halden).count()
    everything = b"".join(zipped.read(name) for name in zipped.namelist()).decode()
    assert "stranger" not in everything.lower()


def test_no_secret_is_in_it(cast: Cast) -> None:
    """R10, R12: passwords, client secrets and links stay where they are."""
    okta = enable_okta(cast.halden, cast.aiko)
    invitation = Invitation.issue(
        enterprise=cast.halden, email="new@halden.example", role=Role.VIEWER, organization=None, connection=None,
        by=cast.aiko, at=timezone.now(),
    )  # fmt: skip
    invitation.keep_token()
    zipped = export(cast)
    everything = b"".join(zipped.read(name) for name in zipped.namelist()).decode()
    secrets = [
        "a secret of Okta", okta.serving.secret.sealed, cast.aiko.password, invitation.token, invitation.token_hash,
        *(session.session_key for session in cast.aiko.sessions.all()),
    ]  # fmt: skip
    assert not [secret for secret in secrets if secret in everything]


def test_a_name_that_is_a_formula_is_text_in_a_spreadsheet(cast: Cast) -> None:
    make_user(cast.halden, "=HYPERLINK(1)", "formula@halden.example")
    names = [row["name"] for row in table(export(cast), "people")]
    assert "'=HYPERLINK(1)" in names


def test_whoever_exports_is_on_record(cast: Cast) -> None:
    export(cast)
    assert Event.objects.of(cast.halden).get(action="enterprise:exported").actor == cast.aiko


def test_the_number_of_statements_does_not_grow_with_the_people(
    cast: Cast, django_assert_max_num_queries: object
) -> None:
    browser = browser_of(cast.aiko)
    for number in range(50):
        make_user(cast.halden, f"Person {number}", f"person{number}@halden.example", (Role.VIEWER, cast.oslo))
    with django_assert_max_num_queries(25):  # type: ignore[operator]
        b"".join(browser.get("/advanced/enterprise/export/").streaming_content)
