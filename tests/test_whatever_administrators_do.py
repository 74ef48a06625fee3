"""Whatever is tried, by whomever, in whatever order: what has to be true stays true.

Random people try every act of the console in random order, through its own addresses. After each step somebody can
administer (M7), nobody of another enterprise was touched (T11), nobody is known twice (T7), no break-glass account is
bound to a provider (T8), what was changed is on record by an entry that says so (``whatever.on_record``), and what was
refused has changed nothing (``whatever.house``). In each sequence those who can administer really sign in.
"""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.cast import Cast
from tests.routes import ROUTES
from tests.whatever.connections import Connections
from tests.whatever.doors import Doors
from tests.whatever.house import NEWEST, World
from tests.whatever.people import People
from tests.whatever.switching import Switching

pytestmark = pytest.mark.servers

# What one does to one's own account; and what nobody can try without a provider that answers.
OWN = (
    "profile change_password send_confirmation end_other_sessions end_session add_app remove_app add_passkey "
    "rename_passkey remove_passkey new_codes prove session_stay held_discard"
)
LEFT_OUT = {f"users:{name}" for name in OWN.split()} | {"identity:check", "identity:fix"}
# Every act of an administrator there is an address for, and what follows from some of them.
ACTS = {name for name, route in ROUTES.items() if "POST" in route.methods} - LEFT_OUT
COMING = {
    "sign_in", "invitation", "invitations:accept", "switch", "carry out", "local sign-in", "break-glass sign-in",
    "drill", "administering",
}  # fmt: skip


class Administrators(People, Connections, Switching, Doors):
    """Everything that can be tried."""


def _everything_once(halden: Administrators) -> None:
    """Do each thing once, in an order in which all of it can be done."""
    aiko, dana = "aiko", "dana"
    halden.begin(admins="all")
    halden.somebody_really_administers()
    # The doors of our own: with a second factor that is there, and with one that has to be set up first.
    for name in ("marcus", "ingrid", aiko, "piotr", "nils"):
        halden.sign_in_locally(name)
    halden.drill("ingrid")
    # People, and what their provider says of them.
    halden.treat(aiko, "disable", "piotr")
    halden.treat(aiko, "enable", "piotr")
    halden.change_email(aiko, "tomas", is_taken=False)
    halden.ask_to_confirm(aiko, "tomas")
    for decision in ("keep_email", "take_email"):
        halden.come_with_another_email("piotr")
        halden.treat(aiko, decision, "piotr")
    halden.end_session(aiko, "tomas")
    halden.treat(aiko, "end_person_sessions", "tomas")
    halden.treat(aiko, "reset_factors", "tomas")
    # Roles and organizations.
    halden.create_role(aiko, permits={"see_people"})
    halden.edit_role(aiko, NEWEST, permits={"see_people", "give_roles"})
    halden.give_role(aiko, "oluwaseun", NEWEST, "everywhere")
    halden.treat_role(aiko, "unassign", NEWEST)
    halden.treat_role(aiko, "delete", NEWEST)
    halden.treat_many(aiko, "bulk_give_role", ["piotr", "tomas"], "manager", "oslo")
    halden.treat_many(aiko, "bulk_revoke_role", ["piotr", "tomas"], "manager")
    halden.revoke_role(aiko, "piotr", which=0)
    halden.treat_many(aiko, "bulk_disable", ["piotr"])
    for act in ("create", "rename", "delete"):
        halden.treat_organization(aiko, act, NEWEST)
    # Invitations, to a provider and, where none is enabled, to a password.
    halden.treat_invitation(aiko, "resend", which=0)
    halden.treat_invitation(aiko, "revoke", which=0)
    halden.invite(aiko, "viewer", "rotterdam")
    halden.accept(which=0, sub="00u1")
    halden.treat(aiko, "revoke_roles", NEWEST)
    halden.treat(aiko, "delete", NEWEST)
    for name in ("successor", "okta"):
        halden.treat_connection(aiko, "disable", name)
    halden.invite(aiko, "viewer", "rotterdam")
    halden.accept(which=0, sub="00u1")
    for name in ("okta", "successor"):
        halden.treat_connection(aiko, "enable", name)
    # Connections and credentials.
    for name in ("successor", "okta"):
        halden.treat_connection(aiko, "lead", name)
    halden.return_to(aiko, "okta", number=3)
    halden.treat_connection(aiko, "email_rule", "okta")
    halden.choose(aiko, provider="google", place="everywhere")
    halden.treat_connection(aiko, "discard", NEWEST)
    halden.set_up(aiko, "successor", "https://new.okta.com", is_proved=False)
    for act in ("secret_expiry", "retire_secret"):
        halden.treat_secret(aiko, act, "successor", which=0)
    halden.treat_keys(aiko, "rotate_key")
    halden.treat_keys(aiko, "use_key")
    halden.treat_keys(aiko, "withdraw_key", which=1)
    halden.treat_keys(aiko, "deliver_keys")
    # Those whom the provider knows, and we do not.
    for sub, act in (("00u1", "refuse_subject"), ("00u2", "link_subject")):
        halden.come_unknown("okta", sub, "oluwaseun")
        halden.decide(aiko, act, which=0)
    # Switching: Marcus in place, and Tomás step by step; each not to the end, and then to it.
    for undo in (halden.treat_move, halden.treat_batch):
        halden.begin_to_switch(aiko, ["marcus"], "okta", is_carried_out=True)
        halden.treat_move(aiko, "remind", which=0)
        halden.treat_batch(aiko, "remind", which=0, is_carried_out=True)
        undo(aiko, "undo", which=0)
        halden.carry_out_batch(which=0)
    halden.begin_to_switch(aiko, ["marcus"], "okta", is_carried_out=True)
    halden.arrive(which=0, sub="00u3")
    for steps in (("revoke", "email", "give_up"), ("revoke", "delete", "invite")):
        halden.take_up(aiko, "tomas")
        for act in steps:
            halden.step(aiko, act)
    # Everyone.
    halden.require_provider(dana)
    halden.let_the_day_come()
    halden.somebody_really_administers()
    halden.release(dana)
    halden.add_break_glass(aiko, NEWEST, is_new=True)
    halden.treat(aiko, "break_glass_link", NEWEST)
    halden.treat(aiko, "break_glass_retire", NEWEST)
    halden.change_local_sign_in(aiko, "optional")
    halden.limit_sessions(aiko, hours=24)
    halden.close(aiko, seriously=3)
    halden.reopen(aiko)


def test_everything_administrators_do_once(cast: Cast) -> None:
    """So that nothing below is tried in vain: whoever adds a route adds a way to try it."""
    did: Counter[str] = Counter()
    halden = Administrators(World(cast), did)
    try:
        _everything_once(halden)
    finally:
        halden.teardown()
    assert did.keys() >= ACTS | COMING, sorted((ACTS | COMING) - did.keys())


def test_nothing_that_is_tried_in_any_order_breaks_what_has_to_hold(cast: Cast) -> None:
    did: Counter[str] = Counter()
    world = World(cast)
    # With more than ten sequences at a time, Hypothesis repeats parts of those it had; fresh ones are of more use here.
    few = settings(
        max_examples=9, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck),
        phases=[Phase.reuse, Phase.generate],
    )  # fmt: skip
    for _time in range(2):
        run_state_machine_as_test(lambda: Administrators(world, did), settings=few)
    # Which of them have done something is for chance to say; it was much, or nothing was shown.
    assert len(did) > len(ACTS | COMING) / 3, did
    assert did["administering"] > 9, did
