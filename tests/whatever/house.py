"""Halden, where anybody tries anything, and what has to be true after each of these steps."""

from __future__ import annotations

from abc import abstractmethod
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

from django.contrib.auth.models import AnonymousUser
from django.db import connection as database
from django.db import models, transaction
from django.http import HttpResponse
from django.test import RequestFactory
from django.urls import reverse
from django.utils import timezone
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from identity.attempts import Attempt, Purpose
from identity.backends import OIDCBackend
from identity.models import Connection, Grant, Provider, Subject, WaitingSubject
from identity.oidc import Claims
from identity.refused import Reason, SignInRefused
from identity.round_trip import Proof
from invitations.models import Batch, Invitation, Move, serving, targets
from tests.cast import Browser, Cast, browser_of, enable_okta, make_role, make_user
from tests.factors import give_app, give_codes
from tests.invitations.switching import carry_out
from tests.whatever.on_record import untold
from tests.whatever.rows import Change, rows_of
from users.access import Permission
from users.models import Method, Organization, Role, RoleAssignment, Session, User, enterprise_admins
from users.models.user_queryset import UserQuerySet

Anything = TypeVar("Anything", bound=models.Model)

# By name, so that a sequence that fails can be read. The newest is whoever, or whatever, was added last.
NEWEST = "newest"
ADMINISTERING = ("an admin", "another admin")
PEOPLE = ("aiko", "dana", "ingrid", "marcus", "tomas", "oluwaseun", "piotr", "nils", "lena", NEWEST)
# With the administrators again: somebody has to stay of them, whatever is tried (M7).
people = st.sampled_from([*PEOPLE, *ADMINISTERING * 3])
# Administrators more often than others, or most steps would be refused. Nils is disabled, Lena has not joined,
# Mallory is somebody else's administrator, and nobody is signed in nowhere.
actors = st.sampled_from([*ADMINISTERING * 12, *PEOPLE, "mallory", "nobody"])
roles = st.sampled_from([*Role.values, "lead", NEWEST])
places = st.sampled_from(["everywhere", "oslo", "rotterdam", NEWEST])
connections = st.sampled_from(["okta", "successor", "keyed", "draft", NEWEST])
subjects = st.sampled_from(["00u1", "00u2", "00u3"])
# Of rows without a name: the newest, the one before it …
nth = st.integers(0, 2)
permissions = st.sets(st.sampled_from(Permission.values), min_size=1, max_size=4)

# Signing in as people do takes a while: they do after so many tries.
SELDOM = 20
REFUSED = frozenset({400, 403, 404, 405, 409, 422, 429})
# What is served in a closed enterprise.
SERVES_CLOSED = frozenset({"console:reopen", "console:export"})


@dataclass
class World:
    """Halden before anybody does anything: more than the cast, and connections of every standing."""

    cast: Cast
    ids: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        cast, now = self.cast, timezone.now()
        ingrid = cast.ingrid
        ingrid.break_glass_tested_at = now
        ingrid.save()
        okta = enable_okta(cast.halden, ingrid)
        # At another issuer before: whoever returns to that makes strangers of everybody.
        for issuer in ("https://old.okta.com", "https://halden.okta.com"):
            revision = okta.revise(by=ingrid, at=now, secret="another", issuer=issuer, client_id="0oa1")
            revision.mark_tested(by=ingrid, at=now)
        okta.enable(revision, now)
        successor = Connection.objects.create(enterprise=cast.halden, provider=Provider.OKTA, created_by=ingrid)
        revision = successor.revise(
            by=ingrid, at=now, secret="s", issuer="https://new.okta.com", client_id="0oa2"
        )  # fmt: skip
        revision.mark_tested(by=ingrid, at=now)
        successor.enable(revision, now)
        keyed = Connection.objects.create(
            enterprise=cast.halden, provider=Provider.OIDC, created_by=ingrid, organization=cast.oslo
        )
        values = {"issuer": "https://id.oslo.example", "client_id": "g", "client_authentication": "private_key_jwt"}
        revision = keyed.revise(by=ingrid, at=now, secret=None, **values)
        revision.mark_tested(by=ingrid, at=now)
        keyed.enable(revision, now)
        draft = Connection.objects.create(enterprise=cast.halden, provider=Provider.ENTRA, created_by=ingrid)
        draft.revise(by=ingrid, at=now, secret="s", issuer="https://login.halden.example", client_id="g")
        viewer = (Role.VIEWER, cast.rotterdam)
        dana = make_user(
            cast.halden, "Dana", "dana@halden.example", (Role.ENTERPRISE_ADMIN, None), connection=okta, password="!"
        )
        piotr = make_user(cast.halden, "Piotr", "piotr@halden.example", viewer, connection=okta, password="!")
        for person in (dana, piotr):
            sub = f"00u-{person.name.lower()}"
            Subject.objects.create(connection=okta, issuer="https://halden.okta.com", sub=sub, user=person)
        nils = make_user(cast.halden, "Nils", "nils@halden.example", (Role.ENTERPRISE_ADMIN, None), disabled_at=now)
        lead = make_role(cast.halden, "Terminal lead", Permission.SEE_PEOPLE, Permission.INVITE_PEOPLE)
        RoleAssignment.objects.create(enterprise=cast.halden, user=cast.tomas, custom_role=lead)
        lena = Invitation.issue(
            enterprise=cast.halden, email="lena@halden.example", role=Role.ENTERPRISE_ADMIN, organization=None,
            connection=okta, by=cast.aiko, at=now,
        ).user  # fmt: skip
        for person in (ingrid, cast.marcus, cast.tomas):
            give_app(person)
            give_codes(person)
        named: dict[str, Any] = {
            "dana": dana, "piotr": piotr, "nils": nils, "lena": lena, "lead": lead, "okta": okta,
            "successor": successor, "keyed": keyed, "draft": draft, **vars(cast),
        }  # fmt: skip
        self.ids = {name: row.pk for name, row in named.items()}
        # Something is under way already: of one person the switch, and of another the provider knows somebody alike.
        batch = Batch.objects.create(
            enterprise=cast.halden, name="Oslo", begun_by=ingrid, expected=1,
            chosen={"users": [cast.oluwaseun.pk], "text": "", "filters": {}}, shown=targets(serving(cast.halden)),
        )  # fmt: skip
        carry_out(batch)
        known = {"sub": "00u-marcus", "email": cast.marcus.email, "name": cast.marcus.name}
        WaitingSubject.note(okta, issuer="https://halden.okta.com", at=now, **known)


@dataclass
class Step:
    """What came of something somebody tried."""

    status: int = 200
    location: str = ""
    is_refused: bool = False
    change: Change = field(default_factory=lambda: Change(frozenset(), frozenset()))

    def answered(self, response: HttpResponse) -> None:
        self.status, self.location = response.status_code, response.headers.get("Location", "")
        self.is_refused = self.status in REFUSED or self.location.startswith("/login/")


Try = TypeVar("Try", bound=Callable[..., None])
# Everything that can be tried, with what it is tried with. One rule draws from all of it: with a rule for each,
# Hypothesis would leave most of them out of each sequence, and hardly anything would follow from anything.
TRIES: list[st.SearchStrategy[tuple[str, dict[str, Any]]]] = []


def tried(often: int = 1, **drawn: st.SearchStrategy[Any]) -> Callable[[Try], Try]:
    """Have a method be tried in random sequences, with arguments that are ``drawn``; ``often`` what is many acts."""

    def entered(method: Try) -> Try:
        TRIES.extend(st.tuples(st.just(method.__name__), st.fixed_dictionaries(drawn)) for _time in range(often))
        return method

    return entered


class House(RuleBasedStateMachine):
    """How things are done, and what has to hold; what is done stands in the classes that build on this.

    Everything happens in a transaction that is undone, so that each sequence begins with the same Halden.
    """

    def __init__(self, world: World, did: Counter[str]) -> None:
        super().__init__()
        self.world, self.did, self.tried, self.tries = world, did, 0, 0
        self.halden, self.stranger = world.cast.halden, world.cast.stranger
        self._undone = transaction.atomic()
        self._undone.__enter__()
        self.mallory = browser_of(world.cast.mallory)
        self.strangers_rows = rows_of(self.stranger)
        self.has_break_glass = True

    def teardown(self) -> None:
        transaction.set_rollback(True)
        self._undone.__exit__(None, None, None)

    @initialize(admins=st.sampled_from(["all", "no break-glass", "aiko", "dana"]))
    def begin(self, admins: str) -> None:
        """Everybody administers who does so in the cast; or there is no break-glass account; or one person is all."""
        if admins == "all":
            return
        self.has_break_glass = False
        self.people().update(is_break_glass=False)
        if admins != "no break-glass":
            others = RoleAssignment.objects.of(self.halden).exclude(user=self.world.ids[admins])
            others.filter(role=Role.ENTERPRISE_ADMIN).delete()

    @rule(what=st.deferred(lambda: st.one_of(TRIES)))
    def somebody_tries(self, what: tuple[str, dict[str, Any]]) -> None:
        name, drawn = what
        getattr(self, name)(**drawn)
        self.tries += 1
        if self.tries % SELDOM == 0:
            self.somebody_really_administers()

    @abstractmethod
    def somebody_really_administers(self) -> None:
        """Find out by doing it that whoever counts as able to administer is."""

    # ---- Who and what

    def people(self) -> UserQuerySet:
        return User.objects.of(self.halden)

    def find(self, rows: models.QuerySet[Anything], name: str) -> Anything | None:
        """Return what is called ``name``, or was made last; None when there is no such thing (any more)."""
        if name == NEWEST:
            return rows.order_by("-created_at").first()
        return rows.filter(pk=self.world.ids[name]).first()

    def person(self, name: str) -> User | None:
        people = self.people().select_related("enterprise", "connection__serving")
        if name in ADMINISTERING:
            admins = people.filter(pk__in=enterprise_admins(self.halden).values("pk")).order_by("created_at")
            return admins.first() if name == ADMINISTERING[0] else admins.last()
        return self.find(people, name)

    def pk(self, name: str) -> str | None:
        person = self.person(name)
        return person.pk if person else None

    def place(self, name: str) -> str:
        """Return an organization as forms send it."""
        found = None if name == "everywhere" else self.find(Organization.objects.of(self.halden), name)
        return found.pk if found else "everywhere"

    def connection(self, name: str) -> Connection | None:
        return self.find(Connection.objects.of(self.halden).select_related("serving", "enterprise"), name)

    def browser(self, name: str) -> Browser:
        """A browser of somebody who has signed in a moment ago, the way this person does."""
        if name == "mallory":
            return self.mallory
        person = None if name == "nobody" else self.person(name)
        if person is None or (person.connection and not person.connection.is_enabled):
            return Browser(self.halden)
        return self.signed_in(person)

    def signed_in(self, person: User) -> Browser:
        if person.connection is None:
            return browser_of(person)
        browser = Browser(self.halden).sign_in(person, Method.CONNECTION)
        session = Session.objects.filter(user=person).latest("created_at")
        serving = person.connection.serving
        Grant.objects.create(
            session=session, connection=person.connection, issuer=serving.issuer, sub="s", revision=serving.terms
        )
        return browser

    def fresh_email(self) -> str:
        self.tried += 1
        return f"somebody{self.tried}@halden.example"

    # ---- Doing something

    def press(self, by: str, route: str, /, *ids: str | None, **fields: Any) -> HttpResponse | None:
        """Have ``by`` send a form to ``route``. Nothing happens when what it is about is not there (any more)."""
        is_about_somebody = bool(ids) or "user" in fields
        if None in ids or (by == "mallory" and not is_about_somebody):
            return None
        browser = self.browser(by)
        person = None if by in ("mallory", "nobody") else self.person(by)
        with self.watching(f"{route} by {by}") as step:
            was_closed = self.is_closed
            response = browser.post(reverse(route, args=ids), fields)
            step.answered(response)
            # Whoever has signed in a moment ago is not asked to prove it once more.
            assert not step.location.startswith("/account/prove/")
        if by == "mallory":
            assert step.status == 404, f"{route} gave Mallory {step.status} (T11)"
        if person is None or not person.is_active or (was_closed and route not in SERVES_CLOSED):
            assert not step.change.decided, f"{route} served {by}, and changed {step.change.decided}"
        elif step.change.decided:
            assert any(event["actor_id"] == person.pk for event in step.change.events), f"{route}: not by {by}"
        if step.change and not step.is_refused:
            self.did[route] += 1
        return response

    @property
    def is_closed(self) -> bool:
        self.halden.refresh_from_db()
        return self.halden.is_closed

    def signs_in(self, connection: Connection, sub: str, email: str, *, purpose: Purpose = Purpose.SIGN_IN,
                 invitation: Invitation | None = None, move: Move | None = None) -> bool:  # fmt: skip
        """Have somebody come back from the provider, proved; return whether this person is let in."""
        revision = connection.serving
        if revision is None or not connection.is_enabled:
            return False
        claims = Claims(
            iss=revision.issuer, sub=sub, aud=revision.client_id, exp=0, iat=0, email=email, name="Somebody"
        )
        attempt = Attempt(connection.pk, revision.terms, revision.issuer, "nonce", "verifier", purpose=purpose)
        proof = Proof(connection, revision, attempt, claims, invitation=invitation, move=move)
        request = RequestFactory().get("/")
        request.user = AnonymousUser()
        refused = None
        with self.watching(f"{purpose} of {sub}") as step:
            try:
                with transaction.atomic():
                    OIDCBackend().authenticate(request, proof=proof)
            except SignInRefused as refusal:
                refused, step.is_refused = refusal.code, True
        if refused is Reason.ACCOUNT_NOT_LINKED:
            told = {"email": email, "name": "Somebody", "at": timezone.now()}
            WaitingSubject.note(connection, issuer=revision.issuer, sub=sub, **told)
        if step.change and not refused:
            self.did[purpose.value] += 1
        return not refused

    # ---- What has to be true

    @contextmanager
    def watching(self, what: str) -> Iterator[Step]:
        """Look at everything before and after; ``what`` is said where something is wrong."""
        before, step = rows_of(self.halden), Step()
        yield step
        database.check_constraints()  # As a commit does.
        after = rows_of(self.halden)
        step.change = Change(before - after, after - before)
        said = f"{what}, answered with {step.status} {step.location}"
        if step.is_refused:
            assert not step.change.decided, f"{said}: refused, and yet changed {step.change.decided}"
        assert step.change.events or not step.change.decided, f"{said}: not on record is {step.change.decided}"
        assert not untold(step.change), f"{said}: told by no entry of its own is {untold(step.change)}"
        self.somebody_administers(said)
        self.nobody_is_known_twice(said)
        assert rows_of(self.stranger) == self.strangers_rows, f"{said}: touched another enterprise (T11)"

    def somebody_administers(self, said: str) -> None:
        admins = enterprise_admins(self.halden)
        assert admins.exists(), f"{said}: nobody administers (M7)"
        if self.has_break_glass:
            assert admins.break_glass().exists(), f"{said}: nobody could repair the provider"

    def nobody_is_known_twice(self, said: str) -> None:
        known = list(
            Subject.objects.filter(user__enterprise=self.halden).values_list(
                "connection", "issuer", "sub", "user", "user__connection"
            )
        )
        subjects = Counter((connection, issuer, sub) for connection, issuer, sub, _user, _way in known)
        users = Counter((connection, user) for connection, _issuer, _sub, user, _way in known)
        assert max([*subjects.values(), *users.values()], default=1) == 1, f"{said}: {known} (T7)"
        assert all(way == connection for connection, *_of, way in known), f"{said}: known where they do not sign in"
        break_glass = self.people().break_glass()
        bound = break_glass.exclude(connection=None, switching_to=None, subjects=None)
        assert not bound.exists(), f"{said}: a break-glass account is bound to a provider (T8)"
