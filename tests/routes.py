"""Every route of the URL map, declared by hand: what it needs, and who may use it.

Adding a route means adding one line here; ``tests/test_every_route.py`` fails until it is there, and then walks it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from django.utils import timezone

from audit.actions import Action
from audit.models import Event, Result, record
from identity.credentials import ClientKey, ClientSecret
from identity.models import Connection, Provider, WaitingSubject
from invitations.models import Batch, Invitation, Move, Switch
from tests.cast import Cast, hold, make_role, make_user
from tests.factors import App, give_app, give_passkey
from users.access import Permission
from users.models import CustomRole, HeldForm, Method, Passkey, Role, RoleAssignment, Session, User

# The people who try every route. All but Aiko hold their role for Rotterdam; Nora has none.
ADMIN, ORGANIZATION_ADMIN, MANAGER, VIEWER, NOBODY = "aiko", "marcus", "tomas", "vera", "nora"
ALL = (ADMIN, ORGANIZATION_ADMIN, MANAGER, VIEWER, NOBODY)

# Who may, in sets that mean something.
ANYONE = frozenset(ALL)  # Their own account and sessions.
SEES = frozenset({ADMIN, ORGANIZATION_ADMIN, MANAGER, VIEWER})
INVITES = frozenset({ADMIN, ORGANIZATION_ADMIN, MANAGER})
LOOKS_AFTER = frozenset({ADMIN, ORGANIZATION_ADMIN})
ADMINISTERS = frozenset({ADMIN})


@dataclass
class World:
    """Halden, with something of every kind that a route can name, all of it in Rotterdam."""

    cast: Cast
    chloe: User  # The person things are done to: Viewer of Rotterdam.
    vera: User
    nora: User
    spare: User  # A break-glass account that has no password yet.
    apps: dict[str, App]  # By email: everybody who tries the routes has one.
    draft: Connection
    key: ClientKey  # Of the draft, and so is the secret.
    secret: ClientSecret
    chloes_role: RoleAssignment
    chloes_session: Session
    chloes_passkey: Passkey
    invitation: Invitation  # To be a Viewer of Rotterdam.
    switch: Switch  # Of Vera.
    refused: Event  # A sign-in.
    waiting: WaitingSubject  # To be linked to Chloé.
    held: HeldForm
    move: Move  # Of Sara.
    lead: CustomRole  # A role of Halden's own; Chloé has it, for Rotterdam.

    @classmethod
    def build(cls, cast: Cast) -> World:
        from tests.cast import browser_of

        viewer = (Role.VIEWER, cast.rotterdam)
        chloe = make_user(cast.halden, "Chloé Martin", "chloe.martin@halden.example", viewer)
        browser_of(chloe)
        give_passkey(chloe)
        draft = Connection.objects.create(enterprise=cast.halden, provider=Provider.OKTA, created_by=cast.aiko)
        draft.revise(
            by=cast.aiko, at=timezone.now(), secret="s", issuer="https://login.halden.example", client_id="0oab8k2w"
        )
        sara = make_user(cast.halden, "Sara Holm", "sara.holm@halden.example", viewer, switching_to=draft)
        batch = Batch.objects.create(
            enterprise=cast.halden, name="Rotterdam", begun_by=cast.aiko, doing="", taken=1, expected=1,
            chosen={"users": [sara.pk], "text": "", "filters": {}},
        )  # fmt: skip
        key = ClientKey.publish(draft, at=timezone.now(), algorithm="ES256")
        lead = make_role(cast.halden, "Terminal lead", Permission.SEE_PEOPLE, Permission.INVITE_PEOPLE)
        chloes_role = chloe.role_assignments.get()
        RoleAssignment.objects.create(
            enterprise=cast.halden, user=chloe, custom_role=lead, organization=cast.rotterdam, given_by=cast.aiko
        )
        vera = make_user(cast.halden, "Vera Lund", "vera.lund@halden.example", viewer)
        nora = make_user(cast.halden, "Nora Berg", "nora.berg@halden.example")
        people = (cast.aiko, cast.marcus, cast.tomas, vera, nora, cast.mallory)
        return cls(
            cast=cast,
            apps={person.email: give_app(person) for person in people},
            draft=draft,
            key=key,
            secret=draft.secrets.get(),
            chloe=chloe,
            vera=vera,
            switch=Switch.begin(vera, by=cast.aiko, at=timezone.now()),
            waiting=WaitingSubject.objects.create(
                connection=draft, issuer="https://login.halden.example", sub="00u9chloe", user=chloe, email=chloe.email
            ),
            held=hold(chloe.sessions.get(method=Method.PASSWORD)),
            move=Move.objects.create(
                enterprise=cast.halden,
                batch=batch,
                user=sara,
                name=sara.name,
                email=sara.email,
                connection=draft,
                listed_as=f"{sara.name} {sara.email}".lower(),
                expires_at=timezone.now() + timedelta(days=14),
            ),
            refused=record(
                Action.SESSION_REFUSED,
                enterprise=cast.halden,
                target=draft,
                result=Result.REFUSED,
                reason="audience_mismatch",
                connection=draft.pk,
                provider=draft.label,
                revision=1,
                expected="0oab8k2w",
                got="another",
                claims={"iss": "https://login.halden.example", "email": chloe.email},
            ),
            nora=nora,
            lead=lead,
            chloes_role=chloes_role,
            spare=make_user(
                cast.halden,
                "Spare",
                "spare@halden.example",
                (Role.ENTERPRISE_ADMIN, None),
                is_break_glass=True,
                password="!",
            ),
            chloes_session=chloe.sessions.get(method=Method.PASSWORD),
            chloes_passkey=chloe.passkeys.get(),
            invitation=Invitation.issue(
                enterprise=cast.halden,
                email="lena.fischer@halden.example",
                role=Role.VIEWER,
                organization=cast.rotterdam,
                connection=None,
                by=cast.aiko,
                at=timezone.now(),
            ),
        )

    def person(self, name: str) -> User:
        return getattr(self, name, None) or getattr(self.cast, name)


@dataclass(frozen=True)
class Route:
    """``who`` may use it; ``args`` are the ids it names, ``query`` those in its query; ``methods`` it answers.

    ``is_shared``: what it names is the enterprise's as a whole, so that the organization one looks after is no matter.
    """

    who: frozenset[str]
    args: Callable[[World], list[str]] = lambda world: []
    methods: str = "GET"
    query: Callable[[World], dict[str, str]] = lambda world: {}
    is_shared: bool = False


def chloe(world: World) -> list[str]:
    return [world.chloe.pk]


def ingrid(world: World) -> list[str]:
    return [world.cast.ingrid.pk]


def rotterdam(world: World) -> list[str]:
    return [world.cast.rotterdam.pk]


def invitation(world: World) -> list[str]:
    return [world.invitation.pk]


def draft(world: World) -> list[str]:
    return [world.draft.pk]


def waiting(world: World) -> list[str]:
    return [world.waiting.pk]


def lead(world: World) -> list[str]:
    return [world.lead.pk]


def switch(world: World) -> list[str]:
    return [world.switch.pk]


def batch(world: World) -> list[str]:
    return [world.move.batch_id]


def move(world: World) -> list[str]:
    return [world.move.pk]


ASKS_AND_ACTS = "GET POST"

ROUTES: dict[str, Route] = {
    "console:dashboard": Route(ANYONE),  # Who has no role is led to the own account.
    "console:audit": Route(ADMINISTERS),
    "console:audit_download": Route(ADMINISTERS),
    "console:enterprise": Route(ADMINISTERS),
    "console:export": Route(ADMINISTERS),
    "console:close": Route(ADMINISTERS, methods=ASKS_AND_ACTS),
    "console:closed": Route(ANYONE),  # Leads to the dashboard while the enterprise is open.
    "console:reopen": Route(ADMINISTERS, methods="POST"),
    "users:account": Route(ANYONE),
    "users:profile": Route(ANYONE, methods=ASKS_AND_ACTS),
    "users:change_password": Route(ANYONE, methods=ASKS_AND_ACTS),
    "users:send_confirmation": Route(ANYONE, methods="POST"),
    "users:end_other_sessions": Route(ANYONE, methods="POST"),
    # Everybody has an app.
    "users:add_app": Route(ANYONE, methods=ASKS_AND_ACTS),
    "users:remove_app": Route(ANYONE, methods=ASKS_AND_ACTS),
    "users:add_passkey": Route(ANYONE, methods=ASKS_AND_ACTS),
    "users:rename_passkey": Route(frozenset(), lambda w: [w.chloes_passkey.pk], ASKS_AND_ACTS),
    "users:remove_passkey": Route(frozenset(), lambda w: [w.chloes_passkey.pk], ASKS_AND_ACTS),
    "users:new_codes": Route(ANYONE, methods=ASKS_AND_ACTS),
    # One's own only: there are other pages for those who look after Chloé.
    "users:end_session": Route(frozenset(), lambda w: [w.chloes_session.handle], "POST"),
    "users:prove": Route(ANYONE, methods=ASKS_AND_ACTS),
    "users:session_stay": Route(ANYONE, methods="POST"),
    "users:held": Route(ANYONE),
    "users:held_discard": Route(frozenset(), lambda w: [w.held.pk], "POST"),  # Chloé's own.
    "identity:step_up": Route(ANYONE),
    "identity:advanced": Route(ADMINISTERS),
    "identity:sign_in_log": Route(ADMINISTERS),
    "identity:sign_in_entry": Route(ADMINISTERS, lambda w: [w.refused.pk]),
    "identity:connections": Route(ADMINISTERS),
    "identity:choose": Route(ADMINISTERS, methods=ASKS_AND_ACTS),
    "identity:ways_in": Route(ADMINISTERS),
    "identity:requiring": Route(ADMINISTERS, methods=ASKS_AND_ACTS),
    "identity:release": Route(ADMINISTERS, methods="POST"),
    "identity:waiting": Route(ADMINISTERS),
    "identity:waiting_subject": Route(ADMINISTERS, waiting),
    "identity:link_subject": Route(ADMINISTERS, waiting, "POST"),
    "identity:refuse_subject": Route(ADMINISTERS, waiting, "POST"),
    "identity:setup": Route(ADMINISTERS, draft, ASKS_AND_ACTS),
    "identity:fix": Route(ADMINISTERS, draft, "POST"),
    "identity:check": Route(ADMINISTERS, draft, "POST"),
    "identity:test": Route(ADMINISTERS, draft),
    "identity:test_result": Route(ADMINISTERS, draft),
    "identity:enable": Route(ADMINISTERS, draft, "POST"),
    "identity:lead": Route(ADMINISTERS, draft, "POST"),
    "identity:disable": Route(ADMINISTERS, draft, "POST"),
    "identity:discard": Route(ADMINISTERS, draft, "POST"),
    "identity:email_rule": Route(ADMINISTERS, draft, "POST"),
    "identity:rotate_key": Route(ADMINISTERS, draft, "POST"),
    "identity:deliver_keys": Route(ADMINISTERS, draft, "POST"),
    "identity:use_key": Route(ADMINISTERS, lambda w: [w.draft.pk, w.key.pk], "POST"),
    "identity:withdraw_key": Route(ADMINISTERS, lambda w: [w.draft.pk, w.key.pk], "POST"),
    "identity:retire_secret": Route(ADMINISTERS, lambda w: [w.draft.pk, w.secret.pk], "POST"),
    "identity:secret_expiry": Route(ADMINISTERS, lambda w: [w.draft.pk, w.secret.pk], "POST"),
    "identity:return_to": Route(ADMINISTERS, lambda w: [w.draft.pk, "1"], "POST"),
    "users:list": Route(SEES),
    "users:bulk_disable": Route(LOOKS_AFTER, methods=ASKS_AND_ACTS, query=lambda w: {"user": w.chloe.pk}),
    "users:bulk_give_role": Route(
        LOOKS_AFTER, methods=ASKS_AND_ACTS, query=lambda w: {"user": w.chloe.pk, "for": w.lead.pk}
    ),
    "users:bulk_revoke_role": Route(LOOKS_AFTER, methods=ASKS_AND_ACTS, query=lambda w: {"user": w.chloe.pk}),
    "users:who_can": Route(SEES),
    "users:roles": Route(LOOKS_AFTER),
    "users:role": Route(LOOKS_AFTER, lead, is_shared=True),
    "users:role_people": Route(LOOKS_AFTER, lead, is_shared=True),
    "users:role_create": Route(ADMINISTERS, methods=ASKS_AND_ACTS),
    "users:role_edit": Route(ADMINISTERS, lead, ASKS_AND_ACTS),
    "users:role_unassign": Route(LOOKS_AFTER, lead, ASKS_AND_ACTS, is_shared=True),
    "users:role_delete": Route(ADMINISTERS, lead, ASKS_AND_ACTS),
    "users:detail": Route(SEES, chloe),
    "users:abilities": Route(SEES, chloe),
    "users:activity": Route(ADMINISTERS, chloe),
    "users:change_email": Route(LOOKS_AFTER, chloe, ASKS_AND_ACTS),
    "users:take_email": Route(LOOKS_AFTER, chloe, ASKS_AND_ACTS),
    "users:keep_email": Route(LOOKS_AFTER, chloe, ASKS_AND_ACTS),
    "users:disable": Route(LOOKS_AFTER, chloe, ASKS_AND_ACTS),
    "users:enable": Route(LOOKS_AFTER, chloe, ASKS_AND_ACTS),
    "users:delete": Route(LOOKS_AFTER, chloe, ASKS_AND_ACTS),
    "users:give_role": Route(LOOKS_AFTER, chloe, ASKS_AND_ACTS),
    "users:revoke_roles": Route(LOOKS_AFTER, chloe, ASKS_AND_ACTS),
    "users:revoke_role": Route(LOOKS_AFTER, lambda w: [w.chloe.pk, w.chloes_role.pk], ASKS_AND_ACTS),
    "users:reset_factors": Route(LOOKS_AFTER, chloe, ASKS_AND_ACTS),
    "users:end_person_sessions": Route(LOOKS_AFTER, chloe, ASKS_AND_ACTS),
    "users:end_person_session": Route(LOOKS_AFTER, lambda w: [w.chloe.pk, w.chloes_session.handle], "POST"),
    "users:session_limits": Route(ADMINISTERS, methods=ASKS_AND_ACTS),
    "users:break_glass": Route(ADMINISTERS),
    "users:break_glass_add": Route(ADMINISTERS, methods=ASKS_AND_ACTS),
    "users:break_glass_retire": Route(ADMINISTERS, ingrid, ASKS_AND_ACTS),
    "users:break_glass_link": Route(ADMINISTERS, lambda w: [w.spare.pk], "POST"),
    "users:local_sign_in": Route(ADMINISTERS, methods=ASKS_AND_ACTS),
    "users:organizations": Route(ADMINISTERS),
    "users:organization_create": Route(ADMINISTERS, methods=ASKS_AND_ACTS),
    "users:organization_rename": Route(ADMINISTERS, rotterdam, ASKS_AND_ACTS),
    "users:organization_delete": Route(ADMINISTERS, rotterdam, ASKS_AND_ACTS),
    "invitations:invite": Route(INVITES, methods=ASKS_AND_ACTS),
    "invitations:list": Route(INVITES),
    "invitations:resend": Route(INVITES, invitation, "POST"),
    "invitations:revoke": Route(INVITES, invitation, "POST"),
    "invitations:dry_run": Route(ADMINISTERS),
    "invitations:dry_run_download": Route(ADMINISTERS),
    "invitations:batch_begin": Route(ADMINISTERS, methods="POST", query=lambda w: {"user": w.chloe.pk}),
    "invitations:confirm_again": Route(ADMINISTERS, methods="POST", query=lambda w: {"person": w.chloe.pk}),
    "invitations:batches": Route(ADMINISTERS),
    "invitations:batch": Route(ADMINISTERS, batch),
    "invitations:batch_progress": Route(ADMINISTERS, batch),
    "invitations:batch_remind": Route(ADMINISTERS, batch, "POST"),
    "invitations:batch_undo": Route(ADMINISTERS, batch, "POST"),
    "invitations:move_remind": Route(ADMINISTERS, move, "POST"),
    "invitations:move_undo": Route(ADMINISTERS, move, "POST"),
    "invitations:migrate": Route(ADMINISTERS),
    "invitations:switch_begin": Route(ADMINISTERS, methods="POST", query=lambda w: {"user": w.chloe.pk}),
    "invitations:switch": Route(ADMINISTERS, switch),
    "invitations:switch_revoke": Route(ADMINISTERS, switch, "POST"),
    "invitations:switch_delete": Route(ADMINISTERS, switch, "POST"),
    "invitations:switch_email": Route(ADMINISTERS, switch, "POST"),
    "invitations:switch_invite": Route(ADMINISTERS, switch, "POST"),
    "invitations:switch_give_up": Route(ADMINISTERS, switch, "POST"),
}

# The entrance: pages for people who are not signed in, and what machines ask. Nothing else may be here.
PUBLIC: frozenset[str] = frozenset(
    {
        "console:healthz",
        "console:login",
        "console:readyz",
        "identity:back_channel",
        "identity:callback",
        "identity:front_channel",
        "identity:global_token_revocation",
        "identity:initiate",
        "identity:keys",
        "identity:logout",
        "identity:logout_at_provider",
        "identity:signed_out",
        "identity:start",
        "invitations:accept",
        "invitations:move_open",
        "invitations:move_opened",
        "invitations:open",
        "invitations:opened",
        "users:confirm",
        "users:enrol",
        "users:enrol_passkey",
        "users:enterprise",
        "users:factor",
        "users:forgotten",
        "users:local",
        "users:recover",
        "users:recovery",
        "users:reset",
        "users:reset_password",
        "users:session_left",
        "users:signup",
        "users:signup_address",
    }
)
