"""From a provider's answer to a user: proved first, admitted second. Never a match by email alone (T7, T8).

Built on mozilla-django-oidc's backend: ``get_or_create_user`` and its documented hooks are the frame. Verification
and HTTP are ours, and settings come from the connection in use, not from Django's.
"""

from __future__ import annotations

from typing import Any

from django.contrib.auth.backends import ModelBackend
from django.db import IntegrityError
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from mozilla_django_oidc.auth import OIDCAuthenticationBackend

from audit.actions import Action
from audit.compiled import compiled_sharing
from audit.models import printable, record
from identity.attempts import Purpose
from identity.models import Connection, EmailRule, Subject
from identity.oidc import Claims
from identity.refused import Reason, SignInRefused, reason_of
from identity.round_trip import Proof
from invitations.models import Invitation, NotRedeemable
from users.emails import is_deliverable
from users.models import EmailTakenError, Enterprise, LastAdminError, Method, User, keep_an_admin
from users.tasks import post_email

NAME_CHARACTERS = User._meta.get_field("name").max_length


@compiled_sharing(Connection)
def _known(enterprise: Enterprise, connection: Connection, terms: int, issuer: str, sub: str) -> QuerySet[User]:
    return (
        User.objects.of(enterprise)
        .filter(
            subjects__connection=connection,
            subjects__issuer=issuer,
            subjects__sub=sub,
            subjects__connection__enabled_at__isnull=False,
            subjects__connection__serving_terms=terms,
        )
        .select_for_update(of=("self",))
    )


@compiled_sharing(Connection)
def _serving(enterprise: Enterprise, connection: Connection, terms: int) -> QuerySet[Connection]:
    return Connection.objects.of(enterprise).enabled().order_by().filter(pk=connection, serving_terms=terms)


class OIDCBackend(OIDCAuthenticationBackend):
    """One sign-in through one connection. Call ``authenticate`` within a transaction: it locks what it decides by."""

    proof: Proof

    def __init__(self) -> None:
        # Not the parent's: it reads the settings of a single provider.
        ModelBackend.__init__(self)
        self.UserModel = User

    def get_settings(self, attr: str, *args: Any) -> Any:
        """Answer for this connection and this sign-in. Only somebody with an emailed link may come in anew."""
        if attr == "OIDC_CREATE_USER":
            return self.proof.attempt.purpose in (Purpose.INVITATION, Purpose.SWITCH)
        return OIDCAuthenticationBackend.get_settings(attr, *args)

    def authenticate(self, request: HttpRequest, *, proof: Proof) -> User:
        """Return the active user whom ``proof`` is for, the row locked, or raise SignInRefused.

        A known subject, or else a live invitation or switch that is redeemed here. The caller's transaction undoes
        the redemption when anything after it fails.
        """
        self.request, self.proof = request, proof
        user: User | None = self.get_or_create_user("", "", proof.claims)
        if user is None:
            self.check_still_serving()
            raise SignInRefused(self.reason_for_stranger(proof), claims=proof.claims)
        return user

    # ---- The frame's hooks, in the order it calls them

    def get_userinfo(self, access_token: str, id_token: str, payload: Claims) -> Claims:
        return payload  # Proved already, with userinfo where it was needed.

    def verify_claims(self, claims: Claims) -> bool:
        return bool(claims.sub)

    def filter_users_by_claims(self, claims: Claims) -> list[User]:
        """Return the user who is known by this subject, in a list, with the row locked: deactivation wins (T17).

        Asked in the same statement: is the connection still enabled, with the very terms of the attempt (R1)? It stays
        so until the session is there: whoever disables it meanwhile waits, and ends that session, too.
        """
        connection = self.proof.connection
        users = _known(connection.enterprise, connection, self.proof.revision.terms, claims.iss, claims.sub)
        for user in users:
            user.enterprise = connection.enterprise
        return users

    def update_user(self, user: User, claims: Claims) -> User:
        """Let a known user in, unless the account is disabled or the link is somebody else's."""
        invitation, move = self.proof.invitation, self.proof.move
        if invitation is not None and invitation.user_id != user.pk:
            raise SignInRefused(Reason.SUBJECT_TAKEN, claims=claims, invitation=invitation)
        if move is not None and move.user_id != user.pk:
            raise SignInRefused(Reason.SWITCH_SUBJECT_TAKEN, claims=claims, move=move)
        if not user.is_active:
            raise SignInRefused(Reason.ACCOUNT_DISABLED, claims=claims, invitation=invitation, user=user)
        if user.hear_email(claims.email):
            self._note_email(user, claims.email)
        return user

    def _note_email(self, user: User, email: str) -> None:
        """Put on record that the provider names another address, and follow it where that is the rule."""
        connection, before = self.proof.connection, user.email
        if connection.email_rule == EmailRule.FOLLOW and is_deliverable(email):
            try:
                user.change_email(email)
            except EmailTakenError:
                pass  # Somebody else here has it: for an administrator to decide.
            else:
                told = {"before": before, "after": email, "by": connection.label}
                self._record_email(Action.USER_EMAIL_CHANGED, user, before=before, after=email)
                for address in (before, email):
                    post_email("email_changed", user=user, to=address, **told)
                post_email("confirm_email", user=user)
                return
        self._record_email(Action.USER_EMAIL_DIFFERS, user, email=before, at_the_provider=email)

    def _record_email(self, action: Action, user: User, **details: Any) -> None:
        record(
            action,
            enterprise=self.proof.connection.enterprise,
            request=self.request,
            actor=user,
            target=user,
            connection=self.proof.connection.pk,
            **details,
        )

    def create_user(self, claims: Claims) -> User:
        """Redeem the invitation for the proven email, and know this subject from now on (T9, T10)."""
        if self.proof.attempt.purpose is Purpose.SWITCH:
            return self.switch_user(claims)
        connection, invitation = self.proof.connection, self.proof.invitation
        self.check_still_serving()
        if invitation is None:
            raise SignInRefused(Reason.INVITATION_GONE, claims=claims)
        if not claims.email:
            raise SignInRefused(Reason.EMAIL_MISSING, claims=claims, invitation=invitation)
        try:
            user = invitation.redeem(email=claims.email, at=timezone.now())
        except NotRedeemable as refusal:
            reason = reason_of(refusal.reason) or Reason.INVITATION_GONE
            raise SignInRefused(reason, got=printable(claims.email), claims=claims, invitation=invitation) from None
        if user.connection_id != connection.pk:
            raise SignInRefused(Reason.INVITATION_FOR_ANOTHER_WAY, claims=claims, invitation=invitation)
        user.enterprise = connection.enterprise
        self._know(user, claims)
        record(
            Action.INVITATION_REDEEMED,
            enterprise=connection.enterprise,
            request=self.request,
            actor=user,
            target=invitation,
        )
        return user

    def switch_user(self, claims: Claims) -> User:
        """Let somebody who is here already sign in this way from now on, and in no other (T7, T8).

        The administrator's yes is the switch that was begun; the proof is its emailed link, and this sign-in with that
        email. The enterprise's row stays locked from here to the commit, so that an administrator is left (M7).
        """
        connection, move = self.proof.connection, self.proof.move
        connection.enterprise.lock()  # Before the connection, as administrators do: or each waits for the other.
        self.check_still_serving()
        if move is None or move.connection_id != connection.pk:
            raise SignInRefused(Reason.SWITCH_GONE, claims=claims)
        if not claims.email:
            raise SignInRefused(Reason.EMAIL_MISSING, claims=claims, move=move)
        try:
            user = move.redeem(email=claims.email, at=timezone.now())
            user.subjects.all().delete()
            self._know(user, claims)
            keep_an_admin(connection.enterprise)
        except NotRedeemable as refusal:
            reason = reason_of(refusal.reason) or Reason.SWITCH_GONE
            raise SignInRefused(reason, got=printable(claims.email), claims=claims, move=move) from None
        except LastAdminError:
            raise SignInRefused(Reason.SWITCH_LAST_ADMIN, claims=claims, move=move) from None
        record(
            Action.SWITCH_REDEEMED,
            enterprise=connection.enterprise,
            request=self.request,
            actor=user,
            target=connection,
            before=move.leaving_id or Method.PASSWORD.value,
            batch=move.batch_id,
        )
        post_email("switched", user=user, provider=connection.title)
        return user

    def _know(self, user: User, claims: Claims) -> None:
        try:
            Subject.objects.create(connection=self.proof.connection, issuer=claims.iss, sub=claims.sub, user=user)
        except IntegrityError as error:
            # Two links at once, with one person at the provider: whoever came second.
            invitation, move = self.proof.invitation, self.proof.move
            reason = Reason.SWITCH_SUBJECT_TAKEN if move else Reason.SUBJECT_TAKEN
            raise SignInRefused(reason, claims=claims, invitation=invitation, move=move) from error
        self.proof.connection.waiting_subjects.filter(issuer=claims.iss, sub=claims.sub).delete()
        if not user.name:
            user.name = name_of(claims)
            user.save(update_fields=["name"])

    def describe_user_by_claims(self, claims: Claims) -> str:
        return f"subject of {self.proof.connection.pk}"  # For the frame's log: nothing personal.

    def check_still_serving(self) -> None:
        """Raise SignInRefused unless the connection is enabled, with the terms of the attempt (R1).

        It stays so until the transaction ends.
        """
        connection, proof = self.proof.connection, self.proof
        if _serving(connection.enterprise, connection, proof.revision.terms):
            return
        is_enabled = Connection.objects.of(connection.enterprise).enabled().filter(pk=connection.pk).exists()
        reason = Reason.CONNECTION_CHANGED if is_enabled else Reason.CONNECTION_DISABLED
        raise SignInRefused(reason, claims=proof.claims, invitation=proof.invitation, move=proof.move)

    # ---- Why not

    def reason_for_stranger(self, proof: Proof) -> Reason:
        """Return why somebody who is proved but unknown does not come in."""
        connection, claims = proof.connection, proof.claims
        user = User.objects.of(connection.enterprise).with_email(claims.email).first() if claims.email else None
        if user is None:
            return Reason.NO_ACCOUNT
        if user.disabled_at:
            return Reason.ACCOUNT_DISABLED
        if user.switching_to_id == connection.pk:
            return Reason.SWITCH_WAITING
        return Reason.INVITATION_WAITING if user.joined_at is None else Reason.ACCOUNT_NOT_LINKED

    def verdict(self, proof: Proof) -> tuple[str, User | None]:
        """Return what a real sign-in of the proved person would come to today, and whom it is about. Changes nothing.

        One of ``signed_in``, ``disabled``, ``invitation``, ``break_glass``, ``switching``, ``has_password``,
        ``email_missing`` and ``no_account``.
        """
        connection, claims = proof.connection, proof.claims
        users = User.objects.of(connection.enterprise)
        known = users.filter(
            subjects__connection=connection, subjects__issuer=claims.iss, subjects__sub=claims.sub
        ).first()
        user = known or (users.with_email(claims.email).first() if claims.email else None)
        if user is None:
            return ("no_account" if claims.email else "email_missing"), None
        if user.disabled_at:
            return "disabled", user
        if known:
            return "signed_in", user
        if user.joined_at is None and Invitation.objects.of(connection.enterprise).live(timezone.now()).filter(
            user=user
        ):
            return "invitation", user
        if user.is_break_glass:
            return "break_glass", user
        if user.switching_to_id == connection.pk:
            return "switching", user
        return ("has_password" if user.signs_in_with_password else "no_account"), user

    def get_user(self, user_id: str) -> None:
        """Nobody is fetched by a bare id: sessions bring their user along (T11)."""


def name_of(claims: Claims) -> str:
    """Return what the provider calls the person, as far as it says."""
    name = claims.name or f"{claims.given_name} {claims.family_name}".strip()
    return name[:NAME_CHARACTERS]
