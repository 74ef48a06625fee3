"""What an enterprise asks of those who sign in with a password."""

from __future__ import annotations

from django import forms
from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from audit.actions import Action
from audit.models import record
from users.access import Permission
from users.forms.acts import fresh_access
from users.http import ConsoleRequest
from users.models import User

REQUIRED, OPTIONAL = "required", "optional"


class LocalSignInRules(forms.Form):
    second_factor = forms.ChoiceField(
        label=gettext_lazy("Second factor"),
        choices=[(REQUIRED, gettext_lazy("Required")), (OPTIONAL, gettext_lazy("Optional"))],
        widget=forms.RadioSelect,
    )

    def __init__(self, request: ConsoleRequest) -> None:
        is_required = request.enterprise.is_second_factor_required
        super().__init__(
            request.POST if request.method == "POST" else None,
            initial={"second_factor": REQUIRED if is_required else OPTIONAL},
        )
        self.request = request
        people = User.objects.of(request.enterprise).filter(joined_at__isnull=False, disabled_at=None)
        local = people.signing_in_with_password()
        self.local = local.count()
        self.protected = local.with_second_factor().count()
        self.unprotected = self.local - self.protected

    @property
    def done(self) -> str:
        if self.request.enterprise.is_second_factor_required:
            return _("Every local account needs a second factor now.")
        return _("A second factor is optional now. Break-glass accounts need one all the same.")

    def save(self) -> None:
        wanted = self.cleaned_data["second_factor"] == REQUIRED
        with transaction.atomic():
            enterprise = self.request.enterprise.lock()
            fresh_access(self.request, enterprise, Permission.MANAGE_SIGN_IN)
            if enterprise.is_second_factor_required == wanted:
                return
            self.request.enterprise.is_second_factor_required = wanted
            self.request.enterprise.save(update_fields=["is_second_factor_required"])
            record(
                Action.LOCAL_SIGN_IN_CHANGED,
                enterprise=enterprise,
                request=self.request,
                target=enterprise,
                second_factor=self.cleaned_data["second_factor"],
            )
