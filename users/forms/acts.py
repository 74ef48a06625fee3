"""What administrators do to one person's account. Each act is a form: it says what it will do, checks, and acts."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from datetime import datetime
from typing import Any

from django import forms
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import Promise, cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from audit.actions import Action
from audit.models import Result, record
from users.access import Access, Permission
from users.http import ConsoleRequest
from users.models import (
    BreakGlassError,
    Enterprise,
    HasRolesError,
    LastAdminError,
    RoleChangedError,
    Session,
    User,
)


class OwnAccountError(Exception):
    """Nobody shuts themselves out: the way back would need somebody else, so somebody else has to do it."""


# Reason code and sentence of every deliberate no.
REFUSALS: dict[type[Exception], tuple[str, str | Promise]] = {
    LastAdminError: (
        "last_admin",
        gettext_lazy(
            "%(name)s is the only Enterprise Admin who can sign in. Give somebody else that role first, "
            "somebody who has signed in before; then this can be done."
        ),
    ),
    HasRolesError: (
        "has_roles",
        gettext_lazy(
            "%(name)s still has roles. Revoke them first; then the account can be deleted, and the person "
            "invited again."
        ),
    ),
    BreakGlassError: (
        "break_glass",
        gettext_lazy(
            "%(name)s is the only break-glass account: the way in when the identity provider is down. It stays."
        ),
    ),
    RoleChangedError: (
        "role_changed",
        gettext_lazy("This role was changed or deleted a moment ago. Look at what it permits now, then give it."),
    ),
    OwnAccountError: (
        "own_account",
        gettext_lazy("This is your own account. Another administrator can do this."),
    ),
}


def fresh_access(request: ConsoleRequest, enterprise: Enterprise, permission: Permission) -> Access:
    """Read again, with the enterprise's row locked, who asks and what they may do: the gate once more.

    Raises PermissionDenied for somebody who was disabled, or lost ``permission``, by an act this one waited for (T15).
    """
    actor = User.objects.of(enterprise).filter(pk=request.user.pk).first()
    if actor is None or not actor.is_active:
        raise PermissionDenied
    actor.enterprise = enterprise
    access = Access.of(actor)
    if not access.may(permission):
        raise PermissionDenied
    return access


class Act(forms.Form):
    """One act on ``person`` by whoever sends ``request``; the words are for its confirmation."""

    action: Action
    permission = Permission.MANAGE_PEOPLE
    is_for_own_account = True
    danger = True

    def __init__(self, request: ConsoleRequest, person: User, **kwargs: Any) -> None:
        super().__init__(data=request.POST if request.method == "POST" else None, **kwargs)
        self.request, self.person = request, person
        self.is_refused = False

    @property
    def id(self) -> str:
        return self.action.replace(":", "-")

    @property
    def is_own(self) -> bool:
        return self.person.pk == self.request.user.pk

    @property
    @abstractmethod
    def url(self) -> str: ...

    @property
    @abstractmethod
    def title(self) -> str: ...

    @property
    def text(self) -> str:
        return ""

    @property
    def consequences(self) -> list[dict[str, Any]]:
        return []

    @property
    def safe(self) -> str:
        return _("Leave as it is")

    @property
    @abstractmethod
    def final(self) -> str: ...

    @property
    @abstractmethod
    def done(self) -> str:
        """What is true afterwards."""

    @property
    def needs_proof(self) -> bool:
        """Whether, once it is valid, it asks for a recent sign-in (``users.step_up``)."""
        return False

    @abstractmethod
    def act(self, person: User, access: Access, at: datetime) -> None:
        """Do it, and record it, in the transaction that has locked the enterprise's row."""

    def record(self, **details: Any) -> None:
        record(self.action, enterprise=self.request.enterprise, request=self.request, target=self.person, **details)

    def save(self) -> bool:
        """Act, and return whether it was done. A deliberate no is an error of the form, and in the audit log.

        Raises Http404 or PermissionDenied when the person is gone, or the right to do this, by now.
        """
        try:
            with transaction.atomic():
                enterprise = self.request.enterprise.lock()
                access = fresh_access(self.request, enterprise, self.permission)
                person = access.person_or_404(self.person.pk, self.permission)
                if self.is_own and not self.is_for_own_account:
                    raise OwnAccountError
                self.act(person, access, timezone.now())
        except tuple(REFUSALS) as error:
            self.refuse(*REFUSALS[type(error)])
        return not self.is_refused

    def refuse(self, reason: str, sentence: str | Promise) -> None:
        self.is_refused = True
        self.record(result=Result.REFUSED, reason=reason)
        self.add_error(None, str(sentence) % {"name": self.person.label})


def consequence(text: str, *, holds: bool) -> dict[str, Any]:
    return {"text": text, "holds": holds}


class Disable(Act):
    action = Action.USER_DISABLED
    is_for_own_account = False

    @property
    def url(self) -> str:
        return reverse("users:disable", args=[self.person.pk])

    @property
    def title(self) -> str:
        return _("Disable %(name)s?") % {"name": self.person.label}

    @cached_property
    def sessions_ended(self) -> str:
        number = self.person.sessions.live(timezone.now()).count()
        if not number:
            return _("There is no session to end.")
        return ngettext("%(n)d session ends at once.", "%(n)d sessions end at once.", number) % {"n": number}

    @property
    def text(self) -> str:
        return _("%(sessions)s Roles and history stay; the account can be enabled again.") % {
            "sessions": self.sessions_ended
        }

    @property
    def final(self) -> str:
        return _("Disable %(name)s") % {"name": self.person.label}

    @property
    def safe(self) -> str:
        return _("Keep enabled")

    @property
    def done(self) -> str:
        return _("%(name)s is disabled.") % {"name": self.person.label}

    def act(self, person: User, access: Access, at: datetime) -> None:
        if person.disabled_at is None:
            person.disable(at)
            self.record()


class Enable(Act):
    action = Action.USER_ENABLED
    danger = False

    @property
    def url(self) -> str:
        return reverse("users:enable", args=[self.person.pk])

    @property
    def title(self) -> str:
        return _("Enable %(name)s?") % {"name": self.person.label}

    @property
    def text(self) -> str:
        return _("%(name)s can sign in again, with the roles the account has.") % {"name": self.person.label}

    @property
    def final(self) -> str:
        return _("Enable %(name)s") % {"name": self.person.label}

    @property
    def safe(self) -> str:
        return _("Keep disabled")

    @property
    def done(self) -> str:
        return _("%(name)s is enabled.") % {"name": self.person.label}

    def act(self, person: User, access: Access, at: datetime) -> None:
        if person.disabled_at is not None:
            person.enable()
            self.record()


class Delete(Act):
    action = Action.USER_DELETED
    is_for_own_account = False

    @property
    def url(self) -> str:
        return reverse("users:delete", args=[self.person.pk])

    @property
    def title(self) -> str:
        return _("Delete %(name)s?") % {"name": self.person.label}

    @property
    def text(self) -> str:
        return _("The account of %(email)s is gone for good. What it did stays in the audit log, done by %(name)s.") % {
            "email": self.person.email,
            "name": self.person.label,
        }

    @property
    def consequences(self) -> list[dict[str, Any]]:
        return [
            consequence(_("Sessions end at once. Addresses, invitations and identifiers are forgotten."), holds=False),
            consequence(_("The address is free: the person can be invited again."), holds=True),
        ]

    @property
    def safe(self) -> str:
        return _("Keep the account")

    @property
    def final(self) -> str:
        return _("Delete %(name)s") % {"name": self.person.label}

    @property
    def done(self) -> str:
        return _("%(name)s is deleted. The address can be invited again.") % {"name": self.person.label}

    def act(self, person: User, access: Access, at: datetime) -> None:
        self.record()
        person.remove()


class EndSessions(Act):
    """End all sessions of a person; of one's own all but this one, which has a Sign out."""

    action = Action.SESSION_ENDED

    def __init__(self, request: ConsoleRequest, person: User, session: Session | None = None, **kwargs: Any) -> None:
        super().__init__(request, person, **kwargs)
        self.session = session

    @property
    def url(self) -> str:
        return reverse("users:end_person_sessions", args=[self.person.pk])

    @property
    def id(self) -> str:
        return "end-sessions"

    @property
    def title(self) -> str:
        return _("End all sessions of %(name)s?") % {"name": self.person.label}

    @property
    def text(self) -> str:
        if self.is_own:
            return _("All but this one. Where they were open, you have to sign in again.")
        return _("%(name)s has to sign in again, everywhere. Nothing else changes.") % {"name": self.person.label}

    @property
    def final(self) -> str:
        return _("End all sessions")

    @property
    def safe(self) -> str:
        return _("Keep them")

    @property
    def done(self) -> str:
        if self.session:
            return _("The session is ended.")
        return _("The sessions of %(name)s are ended.") % {"name": self.person.label}

    def act(self, person: User, access: Access, at: datetime) -> None:
        sessions = person.sessions.all()
        if self.session:
            sessions = sessions.filter(handle=self.session.handle)
        if self.is_own:
            sessions = sessions.exclude(pk=self.request.session.row.pk)  # type: ignore[union-attr]
        number, _by_model = sessions.live(at).count(), sessions.delete()
        if number:
            self.record(sessions=number)


def refusal_of(act: Callable[[ConsoleRequest, User], Act], request: ConsoleRequest, person: User) -> str:
    """Do ``act`` to ``person`` and return why it was refused; empty when it was done."""
    form = act(request, person)
    form.is_valid()
    return "" if form.save() else " ".join(str(error) for error in form.non_field_errors())
