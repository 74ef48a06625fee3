"""Give our database an enterprise of many people with a password, an enabled Okta, and an administrator at work.

Run with our own settings: ``python -m benchmarks.crowd PEOPLE``; prints the administrator's session cookie.
"""

import sys

from django.contrib.auth.hashers import make_password
from django.db import connection as database
from django.test import RequestFactory
from django.utils import timezone

from benchmarks.seed import administrator, connect, person  # It sets Django up: models only after it.
from identity.models import Provider
from users.models import Enterprise, Method, Organization, Region, Role, RoleAssignment, Session, User
from users.models.session import stored_key
from users.sessions import SessionStore, sign_in

SLUG = "crowd"
PLACES = 20
AT_ONCE = 1000  # rows an INSERT


def crowd(enterprise: Enterprise, number: int) -> list[User]:
    """Add people who sign in with a password: each has a role somewhere, and every third a session."""
    now, password = timezone.now(), make_password("the same for all, since Argon2 is slow on purpose")
    people = [person(enterprise, f"person{n}", joined_at=now, email_confirmed_at=now) for n in range(number)]
    for one in people:
        one.password = password
    User.objects.bulk_create(people, batch_size=AT_ONCE)
    places = [Organization.objects.create(enterprise=enterprise, name=f"Place {n}") for n in range(PLACES)]
    RoleAssignment.objects.bulk_create(
        (
            RoleAssignment(enterprise=enterprise, user=user, organization=places[n % PLACES], role=Role.VIEWER)
            for n, user in enumerate(people)
        ),
        batch_size=AT_ONCE,
    )
    Session.objects.bulk_create(
        (
            Session(
                session_key=stored_key(user.pk), enterprise=enterprise, user=user, method=Method.PASSWORD,
                expire_date=now + enterprise.session_limit, idle_until=now + enterprise.idle_limit,
            )
            for user in people[::3]
        ),
        batch_size=AT_ONCE,
    )  # fmt: skip
    return people


def main(number: int) -> None:
    enterprise = Enterprise.objects.create(name="Crowd", slug=SLUG, region=Region.EU)
    admin = administrator(enterprise)
    connect(admin, Provider.OKTA, issuer="https://crowd.okta.com")  # Nobody asks it anything.
    crowd(enterprise, number)
    with database.cursor() as cursor:
        cursor.execute("ANALYZE")  # They have been there for years: PostgreSQL knows about them.
    request = RequestFactory().get("/")
    request.session = SessionStore()
    sign_in(request, admin, Method.PASSWORD)
    sys.stdout.write(f"{request.session.session_key}\n")


if __name__ == "__main__":
    main(int(sys.argv[1]))
