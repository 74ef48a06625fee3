"""Give our database an enterprise whose connection leads to the benchmark's provider, and its people.

Run with our own settings: ``python -m benchmarks.seed ISSUER FILLER``; prints where a sign-in begins.
"""

import os
import sys

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "console.settings")
django.setup()

from django.urls import reverse  # noqa: E402 - models only after setup
from django.utils import timezone  # noqa: E402

from benchmarks.provider import CLIENT_ID, CLIENT_SECRET, PEOPLE  # noqa: E402
from identity.models import ClientAuthentication, Connection, Provider, Subject  # noqa: E402
from users.models import Enterprise, Region, Role, RoleAssignment, User, fold_email  # noqa: E402


def person(enterprise: Enterprise, name: str, **fields: object) -> User:
    email = f"{name}@example.test"
    return User(
        enterprise=enterprise, name=name, email=email, email_folded=fold_email(email), password="!", **fields
    )  # fmt: skip


def administrator(enterprise: Enterprise) -> User:
    """Add somebody with a password who may do everything."""
    now = timezone.now()
    admin = person(enterprise, "admin", joined_at=now, email_confirmed_at=now)
    admin.set_password("nobody signs in with this one")
    admin.save()
    RoleAssignment.objects.create(enterprise=enterprise, user=admin, role=Role.ENTERPRISE_ADMIN)
    return admin


def connect(admin: User, provider: Provider, **values: object) -> Connection:
    """Add a connection that counts as tested, and enable it. ``values`` are those of its revision."""
    now = timezone.now()
    connection = Connection.objects.create(enterprise=admin.enterprise, provider=provider, created_by=admin)
    revision = connection.revise(by=admin, at=now, secret=CLIENT_SECRET, client_id=CLIENT_ID, **values)
    revision.tested_at = now
    revision.save(update_fields=["tested_at"])
    connection.enable(revision, now)
    return connection


def main(issuer: str, filler: int) -> None:
    now = timezone.now()
    enterprise = Enterprise.objects.create(name="Bench", slug="bench", region=Region.EU)
    admin = administrator(enterprise)
    connection = connect(admin, Provider.OIDC, issuer=issuer, client_authentication=ClientAuthentication.POST)
    # As somebody who has accepted an invitation.
    here = {"joined_at": now, "email_confirmed_at": now, "connection": connection}
    people = [person(enterprise, f"person{n}", **here) for n in range(PEOPLE)]
    User.objects.bulk_create(people)
    User.objects.bulk_create([person(enterprise, f"filler{n}", joined_at=now) for n in range(filler)], batch_size=1000)
    Subject.objects.bulk_create(
        Subject(connection=connection, issuer=issuer, sub=f"bench-{n}", user=user) for n, user in enumerate(people)
    )
    RoleAssignment.objects.bulk_create(
        RoleAssignment(enterprise=enterprise, user=user, role=Role.VIEWER) for user in people
    )
    sys.stdout.write(f"{reverse('identity:start', args=[connection.pk])}?next={reverse('users:account')}\n")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
