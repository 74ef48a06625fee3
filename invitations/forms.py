"""Inviting people, and accepting an invitation with a password."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from audit.models import record, record_each
from invitations import addresses, tasks
from invitations.models import HereAlready, Invitation, NotRedeemable
from users.access import Access, Permission, is_for_enterprise_only
from users.forms.acts import REFUSALS, fresh_access
from users.forms.fields import NameField, NewPasswordField, RoleField
from users.forms.roles import for_enterprise_only
from users.http import ConsoleRequest
from users.models import Organization, Role, RoleAssignment, RoleChangedError, Status, User, fold_email

MOST_AT_ONCE = 200
EVERYWHERE = "everywhere"
FITTING = "fitting"
ERRORS_SHOWN = 20


class InviteForm(forms.Form):
    """One or several people, one role, one place. Either everybody named is invited, or nobody is."""

    emails = forms.CharField(
        label=_("Email addresses"),
        help_text=_("One or several, on lines or with commas. Up to 200."),
        max_length=60_000,
        widget=forms.Textarea(attrs={"rows": 4, "autocapitalize": "none", "spellcheck": "false"}),
        error_messages={"required": _("Enter the email address of at least one person.")},
    )
    role = RoleField(label=_("Role"))
    organization = forms.ChoiceField(label=_("Where"))
    connection = forms.ChoiceField(label=_("Signs in with"))
    message = forms.CharField(
        label=_("Message"), required=False, max_length=1000, widget=forms.Textarea(attrs={"rows": 3})
    )

    def __init__(self, data: Any = None, *, access: Access, initial: Any = None) -> None:
        super().__init__(data, initial=initial)
        self.access = access
        self.enterprise = access.user.enterprise
        self.repeated = 0
        self.left_out: list[str] = []
        # What "leave them out" would leave: shown only when something good remains.
        self.can_leave_out = 0
        places: list[tuple[str, Any]] = []
        if access.giveable_roles(None):
            places.append((EVERYWHERE, _("Whole enterprise")))
        places += [(place.pk, place.name) for place in self.organizations.values()]
        self._choices("organization").choices = places
        self.fields["role"].offer(access, self.organizations.values(), Permission.INVITE_PEOPLE)  # type: ignore[attr-defined]
        # An address names a role by its key; a role of the enterprise's own may have been changed since.
        asked = self.initial.get("role", Role.VIEWER.key)
        self.initial["role"] = next((role.as_shown for role in access.roles if role.key == asked), Role.VIEWER.key)
        self.initial.setdefault("organization", places[0][0] if places else "")
        if len(self.connections) > 1:
            self._choices("connection").choices = [
                (FITTING, _("Whichever fits the place")),
                *((c.pk, c.title) for c in self.connections),
            ]
        else:
            del self.fields["connection"]

    def _choices(self, name: str) -> forms.ChoiceField:
        return self.fields[name]  # type: ignore[return-value]

    @cached_property
    def organizations(self) -> dict[str, Organization]:
        """The organizations this person may invite to, by id."""
        return {place.pk: place for place in self.access.organizations(Permission.INVITE_PEOPLE)}

    @cached_property
    def connections(self) -> list[Any]:
        return list(self.enterprise.connections.enabled().select_related("organization"))

    # ---- Judging what was typed

    def clean_emails(self) -> list[str]:
        """Return the addresses to invite, each person once.

        With ``leave_out`` in the form, those that cannot be invited are left out, as long as anybody remains.
        """
        home = self.access.user.email_folded.rpartition("@")[2]
        pasted = addresses.read(self.cleaned_data["emails"], home=home)
        self.repeated = pasted.repeated
        if not pasted.good and not pasted.bad:
            raise ValidationError(self.fields["emails"].error_messages["required"], code="required")
        here = self._here_already(pasted.good)
        good = [email for email in pasted.good if fold_email(email) not in here]
        problems = [*pasted.bad.values(), *here.values()]
        if len(good) > MOST_AT_ONCE:
            problems.insert(
                0,
                _("%(count)d addresses are too many for one time. Invite up to %(most)d, then the rest.")
                % {"count": len(good), "most": MOST_AT_ONCE},
            )
            good = []
        if problems and not (good and "leave_out" in self.data):
            self.can_leave_out = len(good)
            raise ValidationError(_shortened(problems))
        self.left_out = [*pasted.bad, *here]
        return good

    def _here_already(self, emails: list[str]) -> dict[str, str]:
        """Return a sentence for each person among ``emails`` who cannot be invited (again), by folded address."""
        people = User.objects.of(self.enterprise).filter(email_folded__in=[fold_email(email) for email in emails])
        told = {user.email_folded: standing(user) for user in people if user.joined_at or user.disabled_at}
        # Inviting again replaces the roles: not where they are above what this person may give.
        beyond = (
            RoleAssignment.objects.of(self.enterprise)
            .filter(user__in=people)
            .exclude(self.access.reach(Permission.INVITE_PEOPLE))
        )
        out_of_reach = {assignment.user_id for assignment in beyond}
        for user in people:
            if user.email_folded not in told and user.pk in out_of_reach:
                told[user.email_folded] = _(
                    "%(email)s is invited already, to more than you may give. An Enterprise Admin can change that."
                ) % {"email": user.email}
        return told

    def clean_organization(self) -> Organization | None:
        value = self.cleaned_data["organization"]
        return None if value == EVERYWHERE else self.organizations[value]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        role, organization = cleaned.get("role"), cleaned.get("organization")
        if not role or "organization" not in cleaned:
            return cleaned
        if not self.access.may_give(role, organization):
            if organization and is_for_enterprise_only(role):
                self.add_error("organization", for_enterprise_only(role))
            else:
                self.add_error("role", _("You may not give this role there. Choose a lower one, or another place."))
        cleaned["connection"] = self._connection(cleaned.get("connection"), organization)
        return cleaned

    def _connection(self, chosen: str | None, organization: Organization | None) -> Any:
        """The one whose scope fits, unless another was chosen: all new users use it (M3); None is a password."""
        fitting = list(self.enterprise.connections.fitting(organization))
        if chosen in (None, FITTING):
            return fitting[0] if fitting else None
        for connection in fitting:
            if connection.pk == chosen:
                return connection
        self.add_error("connection", _("This connection does not serve the place chosen."))
        return None

    # ---- Acting

    def save(self, request: ConsoleRequest) -> list[Invitation]:
        """Issue the invitations and have them sent. An empty list means that the form has an error now."""
        values = self.cleaned_data
        try:
            with transaction.atomic():
                # Asked again under the lock: the role, and the right to give it, may have changed since.
                access = fresh_access(request, self.enterprise.lock(), Permission.INVITE_PEOPLE)
                role = access.role_as_shown(values["role"].as_shown)
                if not access.may_give(role, values["organization"]):
                    raise PermissionDenied
                invitations = Invitation.issue_all(
                    enterprise=self.enterprise,
                    emails=values["emails"],
                    role=role,
                    organization=values["organization"],
                    connection=values["connection"],
                    message=values["message"],
                    by=request.user,
                    at=timezone.now(),
                )
                record_each(
                    "invitation:issued",
                    enterprise=self.enterprise,
                    request=request,
                    targets=invitations,
                    role=str(role.label),
                    place=invitations[0].place,
                )
                tasks.send(invitations)
        except HereAlready as refusal:  # Somebody joined between our look and our lock.
            self.add_error("emails", ValidationError([standing(user) for user in refusal.people]))
            return []
        except RoleChangedError as error:
            self.add_error("role", str(REFUSALS[type(error)][1]))
            return []
        return invitations


def standing(user: User) -> str:
    """Return why ``user``, whose address was to be invited, cannot be."""
    if user.status == Status.DISABLED:
        return _("%(email)s has an account here that is disabled. Enable it instead.") % {"email": user.email}
    return _("%(email)s is here already. Give a role on the page of this account instead.") % {"email": user.email}


def _shortened(problems: list[str]) -> list[str]:
    more = len(problems) - ERRORS_SHOWN
    if more <= 0:
        return problems
    return [
        *problems[:ERRORS_SHOWN],
        ngettext("And %(more)d more like these.", "And %(more)d more like these.", more) % {"more": more},
    ]


class AcceptForm(forms.Form):
    """What a person without an identity provider enters to join: a name and a password of their own."""

    name = NameField(label=_("Your name"), widget=forms.TextInput(attrs={"autocomplete": "name"}))
    password = NewPasswordField()

    def __init__(self, data: Any = None, *, invitation: Invitation) -> None:
        super().__init__(data)
        self.invitation = invitation

    def clean_password(self) -> str:
        password: str = self.cleaned_data["password"]
        user = User(email=self.invitation.email, name=self.cleaned_data.get("name", ""))
        validate_password(password, user)
        return password

    def save(self, request: Any) -> User:
        """Redeem the invitation and return the person, now joined. Raises NotRedeemable.

        Having the link is the proof: it went to the invited address, and nowhere else.
        """
        now = timezone.now()
        with transaction.atomic():
            user = self.invitation.redeem(email=self.invitation.email, at=now)
            if not user.signs_in_with_password:  # A connection was enabled a moment ago (M3).
                raise NotRedeemable("invitation_for_another_way")
            user.name = self.cleaned_data["name"]
            user.set_password(self.cleaned_data["password"])
            user.save(update_fields=["name", "password"])
            record(
                "invitation:redeemed", enterprise=user.enterprise, request=request, actor=user, target=self.invitation
            )
        return user
