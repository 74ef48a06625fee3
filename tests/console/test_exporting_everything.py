"""Everything in an enterprise as files: all of its rows, none of another's, and no secret."""

from __future__ import annotations

import csv
import io
import json
from zipfile import ZipFile

import pytest
from django.apps import apps
from django.utils import timezone

from audit.models import Event, Tally
from identity.credentials import ClientKey, ClientSecret
from identity.models import Connection, Grant, Revision, SpentToken, Subject, WaitingSubject
from invitations.models import Batch, Invitation, Move, Switch
from tests.cast import Cast, browser_of, enable_okta, make_role, make_user
from tests.invitations.switching import switching
from users.access import Permission
from users.models import (
    AuthenticatorApp,
    BreakGlassRecovery,
    CustomRole,
    Enterprise,
    HeldForm,
    Organization,
    OutgoingEmail,
    Passkey,
    RecoveryCode,
    Role,
    RoleAssignment,
    Session,
    SpentChallenge,
    Throttle,
    User,
)

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


# What stands in which file, and what in none, with the reason.
EXPORTED = {
    Enterprise: "enterprise.json", Connection: "connections.json", Revision: "connections.json",
    ClientSecret: "connections.json", ClientKey: "connections.json", User: "people.csv", Subject: "people.csv",
    AuthenticatorApp: "people.csv", Passkey: "people.csv", RoleAssignment: "roles.csv",
    CustomRole: "custom_roles.csv", Organization: "organizations.csv", Invitation: "invitations.csv",
    Batch: "batches.csv", Move: "switches.csv", Switch: "step_by_step.csv", WaitingSubject: "waiting.csv",
    Event: "audit.csv",
}  # fmt: skip
LEFT_OUT = {
    RecoveryCode: "hashes", BreakGlassRecovery: "links, and in the audit log", Session: "ends", Grant: "ends",
    HeldForm: "for minutes", OutgoingEmail: "post on its way", SpentToken: "against replays",
    SpentChallenge: "against replays", Throttle: "against guessing", Tally: "against floods",
}  # fmt: skip
FIELDS_LEFT_OUT = {"closed_by", "is_requirement_reminded", "reminded_days"}


def test_whatever_is_kept_stands_in_a_file_or_is_left_out_on_purpose(cast: Cast) -> None:
    ours = {
        model for model in apps.get_models() if model._meta.app_label in ("audit", "users", "invitations", "identity")
    }
    assert ours == set(EXPORTED) | set(LEFT_OUT)
    zipped = export(cast)
    assert set(zipped.namelist()) == {*EXPORTED.values(), "README.txt"}
    assert all(name in zipped.read("README.txt").decode() for name in EXPORTED.values())
    fields = {field.name for field in Enterprise._meta.concrete_fields}
    assert set(json.loads(zipped.read("enterprise.json"))) == fields - FIELDS_LEFT_OUT


def test_who_is_switched_to_what_and_who_waits_is_in_it(cast: Cast) -> None:
    okta = enable_okta(cast.halden, cast.aiko)
    switching(cast, okta, cast.tomas)
    WaitingSubject.objects.create(
        connection=okta, issuer="https://halden.okta.com", sub="00u9", user=cast.marcus, email=cast.marcus.email
    )
    zipped = export(cast)
    (batch,) = table(zipped, "batches")
    assert (batch["name"], batch["begun_by"], batch["people_taken"]) == ("A batch", cast.aiko.email, "1")
    (move,) = table(zipped, "switches")
    assert (move["batch_id"], move["email"], move["from"], move["to"]) == (
        batch["id"], cast.tomas.email, "password", "Okta",
    )  # fmt: skip
    people = {row["email"]: row for row in table(zipped, "people")}
    assert people[cast.tomas.email]["switching_to"] == "Okta"
    (waiting,) = table(zipped, "waiting")
    assert (waiting["account"], waiting["sub"]) == (cast.marcus.email, "00u9")


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
