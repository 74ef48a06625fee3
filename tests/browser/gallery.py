"""A gallery of every component and of example pages, for eyes and for axe.

A URL map of the tests, never of the product.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

from django import forms
from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.template import Context, Engine
from django.template.loader import render_to_string
from django.urls import path
from django.utils import timezone

from console.charts import Chart, Day, sign_in_chart

PAGES = Path(__file__).parent / "pages"
ENGINE = Engine(
    dirs=[PAGES, settings.BASE_DIR / "templates"],
    libraries={
        "i18n": "django.templatetags.i18n",
        "l10n": "django.templatetags.l10n",
        "static": "django.templatetags.static",
        "gatehouse": "console.templatetags.gatehouse",
        "django_htmx": "django_htmx.templatetags.django_htmx",
    },
)


class SignUp(forms.Form):
    name = forms.CharField(label="Enterprise name")
    slug = forms.SlugField(label="Address", help_text="People sign in here. Lower-case letters, digits and hyphens.")
    region = forms.ChoiceField(
        label="Region",
        help_text="Where your data lives. It sets your sign-in addresses and cannot be changed later.",
        choices=[("na", "North America"), ("eu", "Europe"), ("au", "Australia")],
        widget=forms.RadioSelect(attrs={"class": "segments"}),
    )
    your_name = forms.CharField(label="Your name")
    email = forms.EmailField(label="Work email")
    password = forms.CharField(
        label="Password",
        help_text="At least 12 characters. Anything you like: a sentence works well.",
        widget=forms.PasswordInput(render_value=True),
    )

    def clean_password(self) -> str:
        missing = 12 - len(self.cleaned_data["password"])
        if missing > 0:
            raise forms.ValidationError(f"{12 - missing} characters. Add {missing} more.")
        return str(self.cleaned_data["password"])


class Connection(forms.Form):
    issuer = forms.URLField(
        label="Issuer URI",
        help_text="Okta: Security → API → Authorization Servers, or your Okta address itself.",
        assume_scheme="https",
        widget=forms.URLInput(attrs={"class": "machine"}),
    )
    client_id = forms.CharField(label="Client ID", widget=forms.TextInput(attrs={"class": "machine"}))
    scope = forms.ChoiceField(label="Who will use it", choices=[("e", "The whole enterprise"), ("o", "Oslo terminal")])


class Provider(forms.Form):
    provider = forms.ChoiceField(
        label="Provider",
        initial="okta",
        choices=[
            ("okta", "Okta"),
            ("entra", "Microsoft Entra ID"),
            ("google", "Google Workspace"),
            ("oidc", "Another"),
        ],
        widget=forms.RadioSelect,
    )


class Invite(forms.Form):
    emails = forms.CharField(
        label="Email addresses", help_text="One or several, on lines or with commas.", widget=forms.Textarea
    )
    role = forms.ChoiceField(label="Role", choices=[("v", "Viewer"), ("m", "Manager")])
    where = forms.ChoiceField(label="Where", choices=[("o", "Oslo terminal"), ("r", "Rotterdam")])
    message = forms.CharField(label="Message", required=False, widget=forms.Textarea)

    def clean_emails(self) -> str:
        raise forms.ValidationError("grete.lund@halden is not complete. Did you mean halden.example?")


HALDEN = SimpleNamespace(name="Halden Freight", slug="halden", region="eu", get_region_display="Europe")
INGRID = SimpleNamespace(name="Ingrid Solberg", email="ingrid.solberg@halden.example", enterprise=HALDEN)
PEOPLE = [
    ("Oluwaseun Adeyemi", "o.adeyemi", "active", "okta", "Viewer", "Oslo terminal"),
    ("Marcus Feld", "marcus.feld", "active", "password", "Organization admin", "Rotterdam"),
    ("Tomás Herrera", "tomas.herrera", "active", "password", "Manager", "Rotterdam"),
    ("Yusuf Karim", "yusuf.karim", "switching", "password", "Viewer", "Rotterdam"),
    ("Chloé Martin", "chloe.martin", "active", "password", "Manager", "Rotterdam"),
    ("Piotr Nowak", "piotr.nowak", "invited", "okta", "Viewer", "Gdańsk"),
    ("Ingrid Solberg", "ingrid.solberg", "active", "break-glass", "Enterprise admin", ""),
    ("Dana Whitfield", "dana.whitfield", "disabled", "password", "Viewer", "Oslo terminal"),
]


def _nav(current: str) -> dict[str, list[SimpleNamespace]]:
    def item(label: str, icon: str, count: int | None = None) -> SimpleNamespace:
        return SimpleNamespace(label=label, icon=icon, url="#", count=count, is_current=label == current)

    return {
        "daily": [
            item("Dashboard", "layout-dashboard"),
            item("Users", "users", 46),
            item("Invitations", "mail", 6),
            item("Organizations", "building-2"),
            item("Audit log", "scroll-text"),
        ],
        "advanced": [
            item("Identity provider", "key-round"),
            item("Switch to Okta", "arrow-left-right"),
            item("Break-glass", "life-buoy"),
            item("Roles", "id-card"),
        ],
    }


NAV = {"dashboard": "Dashboard", "users": "Users", "user": "Users", "invite": "Invitations", "audit": "Audit log"}
NAV |= {"setup": "Identity provider", "choose": "Identity provider", "claims": "Identity provider"}
NAV |= {"empty": "Organizations"}


def _sign_up() -> SignUp:
    return SignUp(
        {"name": "Halden Freight", "slug": "halden", "region": "eu", "your_name": INGRID.name, "email": INGRID.email}
        | {"password": "ten letter"}
    )


def _context(request: HttpRequest, name: str) -> dict[str, object]:
    now = timezone.now()
    forms_of_pages = {
        "signup": _sign_up,
        "invite": lambda: Invite({"emails": "grete.lund@halden", "role": "v", "where": "o"}),
    }
    return {
        "request": SimpleNamespace(enterprise=HALDEN, user=INGRID, path=request.path),
        "csrf_token": "not-a-secret",
        "enterprise": HALDEN,
        "nav": {"links": render_to_string("components/navigation.html", {"nav": _nav(NAV.get(name, ""))})},
        "messages": [_Message("Chloé Martin is now Manager, Rotterdam", 25)] if name == "user" else [],
        "people": [
            SimpleNamespace(
                name=full, email=f"{local}@halden.example", status=status, method=method, role=role, where=where,
                chosen=local in ("marcus.feld", "chloe.martin"), last_at=now - timedelta(hours=7 * number),
            )
            for number, (full, local, status, method, role, where) in enumerate(PEOPLE)
        ],
        "form": forms_of_pages.get(name, lambda: None)(),
        "connection_form": Connection(
            {"issuer": "https://login.halden.example", "client_id": "0oab8k2wq1LmZ4Yc5d7", "scope": "e"}
        ),
        "provider_form": Provider(),
        "chart": _chart(),
        "claims": [
            SimpleNamespace(name="iss", value="https://halden.okta.com", meaning="Exactly your issuer."),
            SimpleNamespace(name="sub", value="00u7xk3p9dRt2VbQe5d6", meaning="The key to your account here."),
            SimpleNamespace(name="groups", value=None, meaning="Okta sent no groups. That is not “no groups”."),
        ],
        "set_at": now,
        "reference": "HF-7K2M-41QX",
        "consequences": [
            {"holds": True, "text": "8 people with a password: nothing changes"},
            {"holds": True, "text": "Your break-glass account: nothing changes"},
            {"holds": False, "text": "6 open invitations: wait"},
        ],
    }  # fmt: skip


def _chart() -> Chart:
    today = timezone.localdate()
    counts = [4, 32, 31, 31, 32, 32, 33, 2, 2, 32, 31, 33, 26, 25, 4, 3, 26, 25, 32, 45, 46, 6, 4, 41, 39, 31, 34, 38]
    days = [
        Day(
            date=today - timedelta(days=len(counts) - n),
            okta=max(0, count - 6) if n >= 19 else 0,
            password=min(count, 6) if n >= 19 else count,
            refused=1 if n in (20, 21, 27) else 0,
        )
        for n, count in enumerate(counts)
    ]
    return sign_in_chart(days, enabled_on=days[19].date)


class _Message(str):
    """What django.contrib.messages hands to templates: words with a level."""

    def __new__(cls, words: str, level: int) -> _Message:
        message = super().__new__(cls, words)
        message.level = level
        return message

    level: int


@login_not_required
def page(request: HttpRequest, name: str) -> HttpResponse:
    """One page of the gallery: `gallery` is templates/gallery.html, the others are in tests/browser/pages."""
    return HttpResponse(ENGINE.get_template(f"{name}.html").render(Context(_context(request, name))))


urlpatterns = [path("<slug:name>/", page)]
