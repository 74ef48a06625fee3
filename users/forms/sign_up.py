"""Sign-up: an enterprise and its break-glass account."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from audit.models import record
from users.forms.fields import EmailField, NameField, NewPasswordField
from users.models import Enterprise, Region, Role, RoleAssignment, User
from users.models.enterprise import RESERVED_SLUGS, slug_validator
from users.tasks import post_email
from users.throttling import limit

SIGN_UPS_OF_A_NETWORK = 10
TAKEN = _("This address is taken. Choose another one.")


class SlugField(forms.CharField):
    default_validators = [slug_validator]
    default_error_messages = {"required": _("Enter an address.")}

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=40, **kwargs)

    def to_python(self, value: Any) -> str:
        return str(super().to_python(value) or "").lower()

    def validate(self, value: Any) -> None:
        super().validate(value)
        if value in RESERVED_SLUGS:
            raise ValidationError(TAKEN, "taken")


class AddressForm(forms.Form):
    """The address of an enterprise to be; also alone, for the hint while it is typed."""

    slug = SlugField(
        label=_("Address"),
        help_text=_("People sign in here. Lower-case letters, digits and hyphens."),
        widget=forms.TextInput(attrs={"autocomplete": "off", "autocapitalize": "none", "spellcheck": "false"}),
    )
    region = forms.ChoiceField(
        label=_("Region"),
        help_text=_("Where your data lives. It sets your sign-in addresses and cannot be changed later."),
        choices=Region.choices,
        widget=forms.RadioSelect(attrs={"class": "segments"}),
    )

    def clean_slug(self) -> str:
        slug: str = self.cleaned_data["slug"]
        if Enterprise.objects.filter(slug=slug).exists():
            raise ValidationError(TAKEN, "taken")
        return slug

    @property
    def address_prefix(self) -> str:
        """What stands before the slug, in the region chosen so far."""
        chosen = self["region"].value()
        region = Region(chosen) if chosen in Region.values else Region.EU
        return f"{region.host}/e/"


class SignUpForm(AddressForm):
    name = NameField(label=_("Enterprise name"), widget=forms.TextInput(attrs={"autocomplete": "organization"}))
    your_name = NameField(label=_("Your name"), widget=forms.TextInput(attrs={"autocomplete": "name"}))
    email = EmailField(label=_("Work email"), widget=forms.EmailInput(attrs={"autocomplete": "email"}))
    password = NewPasswordField()

    field_order = ["name", "slug", "region", "your_name", "email", "password"]

    def __init__(self, *args: Any, request: HttpRequest, **kwargs: Any) -> None:
        self.request = request
        super().__init__(*args, **kwargs)

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if "password" in data:
            owner = User(name=data.get("your_name", ""), email=data.get("email", ""))
            try:
                validate_password(data["password"], owner)
            except ValidationError as error:
                self.add_error("password", error)
        return data

    def save(self) -> User | None:
        """Create the enterprise and its break-glass account, and return that.

        None, with an error on the form, when somebody else took the address meanwhile. Raises TooManyTries.
        """
        now = timezone.now()
        limit(self.request, "sign-up", SIGN_UPS_OF_A_NETWORK, now)
        data = self.cleaned_data
        user = User(email=data["email"], name=data["your_name"], is_break_glass=True, joined_at=now)
        user.set_password(data["password"])
        try:
            with transaction.atomic():
                self._create(user)
        except IntegrityError:
            if not Enterprise.objects.filter(slug=data["slug"]).exists():
                raise
            self.add_error("slug", TAKEN)
            return None
        return user

    def _create(self, user: User) -> None:
        data = self.cleaned_data
        enterprise = Enterprise.objects.create(name=data["name"], slug=data["slug"], region=data["region"])
        user.enterprise = enterprise
        user.save(force_insert=True)
        RoleAssignment.objects.create(enterprise=enterprise, user=user, role=Role.ENTERPRISE_ADMIN, given_by=user)
        record(
            "enterprise:created",
            enterprise=enterprise,
            request=self.request,
            actor=user,
            target=enterprise,
            region=enterprise.region,
        )
        post_email("confirm_email", user=user)
