"""Break-glass accounts: adding the second one, retiring one, and being let back in by the operator."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django import forms
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import IntegrityError, transaction
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from audit.actions import Action
from audit.models import Result, record
from users.access import Access, Permission
from users.forms.account import NewPasswordForm
from users.forms.acts import Act, consequence, fresh_access
from users.forms.fields import EmailField, NameField
from users.http import ConsoleRequest
from users.models import (
    BreakGlassFullError,
    BreakGlassRecovery,
    BreakGlassUnfitError,
    Enterprise,
    Role,
    RoleAssignment,
    User,
)
from users.models.break_glass import MOST_BREAK_GLASS
from users.tasks import post_email, tell_admins, tell_of_break_glass

NEW = "new"


class AddBreakGlass(forms.Form):
    """Either somebody who is a local Enterprise Admin already, or a new account for the emergency alone."""

    who = forms.ChoiceField(label=gettext_lazy("Account"), widget=forms.RadioSelect)
    name = NameField(
        label=gettext_lazy("Name"), required=False, widget=forms.TextInput(attrs={"autocomplete": "off"}),
        help_text=gettext_lazy("What it is called in lists and in the audit log."),
    )  # fmt: skip
    email = EmailField(
        label=gettext_lazy("Email"), required=False, widget=forms.EmailInput(attrs={"autocomplete": "off"}),
        help_text=gettext_lazy("Of whoever keeps it. A link to choose the password goes there."),
    )  # fmt: skip

    def __init__(self, request: ConsoleRequest) -> None:
        super().__init__(request.POST if request.method == "POST" else None)
        self.request = request
        self.admins = {user.pk: user for user in User.objects.of(request.enterprise).able_to_become_break_glass()}
        choices = [(pk, f"{user.label}, {user.email}") for pk, user in self.admins.items()]
        self.fields["who"].choices = [*choices, (NEW, _("A new account"))]  # type: ignore[attr-defined]
        self.initial["who"] = choices[0][0] if choices else NEW

    @staticmethod
    def is_for(access: Access) -> bool:
        """Return whether this may be done: each of them is an Enterprise Admin, which only Enterprise Admins make."""
        return access.may_give(Role.ENTERPRISE_ADMIN, None, Permission.GIVE_ROLES)

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if data.get("who") == NEW:
            for field, words in (("name", _("Enter a name.")), ("email", _("Enter an email address."))):
                if field not in self.errors and not data.get(field):
                    self.add_error(field, words)
            if data.get("email") and User.objects.of(self.request.enterprise).with_email(data["email"]).exists():
                self.add_error("email", self._taken)
        return data

    @property
    def _taken(self) -> str:
        return _("Somebody in %(enterprise)s has this address.") % {"enterprise": self.request.enterprise.name}

    @property
    def done(self) -> str:
        if self.cleaned_data["who"] == NEW:
            return _("The account is there. A link to choose its password is on its way to %(email)s.") % {
                "email": self.added.email
            }
        return _("%(name)s is a break-glass account now.") % {"name": self.added.label}

    def save(self) -> bool:
        """Add it, and return whether that was done; a deliberate no is an error of the form, and in the audit log."""
        try:
            with transaction.atomic():
                enterprise = self.request.enterprise.lock()
                access = fresh_access(self.request, enterprise, Permission.MANAGE_SIGN_IN)
                if not self.is_for(access):
                    raise PermissionDenied
                is_new = self.cleaned_data["who"] == NEW
                # Before it is one of them.
                tell_admins(enterprise, "break_glass_changed", what="added", account=self._label, by=access.user.label)
                self.added = self._created(enterprise, access) if is_new else self._chosen()
                record(
                    Action.BREAK_GLASS_ADDED,
                    enterprise=enterprise,
                    request=self.request,
                    target=self.added,
                    result=Result.ALARM,
                    is_new=is_new,
                )
                if is_new:
                    post_email("break_glass_invited", user=self.added, by=access.user.label)
        except BreakGlassFullError:
            self._refuse("break_glass_full", _("There are two break-glass accounts already. Retire one first."))
            return False
        except BreakGlassUnfitError:
            self._refuse("break_glass_unfit", _("This account is no local Enterprise Admin any more. Choose another."))
            return False
        except IntegrityError:  # Since the form was checked, a moment ago.
            self.add_error("email", self._taken)
            return False
        return True

    @property
    def _label(self) -> str:
        chosen = self.admins.get(self.cleaned_data["who"])
        return chosen.label if chosen else self.cleaned_data["name"]

    def _chosen(self) -> User:
        user = self.admins[self.cleaned_data["who"]]
        user.enterprise = self.request.enterprise
        user.become_break_glass()
        return user

    def _created(self, enterprise: Enterprise, access: Access) -> User:
        if User.objects.of(enterprise).break_glass().count() >= MOST_BREAK_GLASS:
            raise BreakGlassFullError
        now = timezone.now()
        data = self.cleaned_data
        user = User(enterprise=enterprise, name=data["name"], email=data["email"], is_break_glass=True, joined_at=now)
        user.set_unusable_password()
        user.save(force_insert=True)
        RoleAssignment.objects.give(user=user, role=Role.ENTERPRISE_ADMIN, organization=None, by=access.user, at=now)
        return user

    def _refuse(self, reason: str, sentence: str) -> None:
        record(
            Action.BREAK_GLASS_ADDED,
            enterprise=self.request.enterprise,
            request=self.request,
            result=Result.REFUSED,
            reason=reason,
        )
        self.add_error(None, ValidationError(sentence, reason))


class RetireBreakGlass(Act):
    action = Action.BREAK_GLASS_RETIRED

    @property
    def url(self) -> str:
        return reverse("users:break_glass_retire", args=[self.person.pk])

    @property
    def title(self) -> str:
        return _("Retire the break-glass account of %(name)s?") % {"name": self.person.label}

    @property
    def text(self) -> str:
        return _("It becomes an ordinary local account. Every Enterprise Admin is told.")

    @property
    def consequences(self) -> list[dict[str, Any]]:
        said = [consequence(_("It no longer counts as the way in when the provider is down."), holds=False)]
        if self.person.enterprise.requires_provider(timezone.now()):
            shut = _("Its password stops working at once: everyone has to use the provider.")
            kept = _("Roles stay. It can be switched.")
            return [*said, consequence(shut, holds=False), consequence(kept, holds=True)]
        kept = _("Password, second factor and roles stay. It can be switched, or deleted.")
        return [*said, consequence(kept, holds=True)]

    @property
    def safe(self) -> str:
        return _("Keep it")

    @property
    def final(self) -> str:
        return _("Retire the account")

    @property
    def done(self) -> str:
        return _("%(name)s is no break-glass account any more.") % {"name": self.person.label}

    def act(self, person: User, access: Access, at: datetime) -> None:
        if not person.is_break_glass:
            return
        person.retire_from_break_glass()
        self.record()
        tell_of_break_glass(person, "retired", by=access.user.label)


class RecoverForm(NewPasswordForm):
    """A new password for a break-glass account, behind the operator's link."""

    def __init__(self, *args: Any, recovery: BreakGlassRecovery, **kwargs: Any) -> None:
        super().__init__(*args, user=recovery.user, **kwargs)
        self.recovery = recovery

    def recover(self, request: HttpRequest) -> User:
        """Set it, and return the account, which is to set up a new second factor. Raises RecoveryOverError."""
        with transaction.atomic():
            ended = self.recovery.use(self.cleaned_data["password"], timezone.now())
            user = self.recovery.user
            record(
                Action.BREAK_GLASS_RECOVERED,
                enterprise=user.enterprise,
                request=request,
                actor=user,
                target=user,
                result=Result.ALARM,
                sessions_ended=ended,
            )
            tell_of_break_glass(user, "recovered")
        return user
