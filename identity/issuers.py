"""What to say about an issuer that was pasted wrong: the cause, and the exact fix (K1, T1)."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from identity.models import Provider
from identity.oidc import IssuerCode, IssuerProblem, parse_issuer

_GUID = re.compile(r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$", re.IGNORECASE)
_ENTRA = "https://login.microsoftonline.com"


class WrongIssuer(ValidationError):
    """The text is not an issuer. ``suggestion`` is the one that was probably meant, or empty; never applied unasked."""

    def __init__(self, sentence: str, code: str, suggestion: str = "") -> None:
        super().__init__(sentence, code=code)
        self.suggestion = suggestion


def read_issuer(text: str, provider: Provider) -> str:
    """Return the issuer in ``text``. Raises WrongIssuer with a sentence that names the cause and the fix."""
    try:
        issuer = parse_issuer(text, allow_loopback_http=settings.ALLOW_LOOPBACK_ISSUERS)
    except IssuerProblem as problem:
        raise WrongIssuer(_sentence(problem, provider), problem.code.value, problem.suggestion) from None
    if provider == Provider.ENTRA:
        _look_at_entra(issuer)
    if provider == Provider.GOOGLE and urlsplit(issuer).hostname == "accounts.google.com":
        _look_at_google(issuer)
    return issuer


def _look_at_entra(issuer: str) -> None:
    """Entra's issuers are per tenant, and end in /v2.0; the shared ones never equal what a token says."""
    parts = urlsplit(issuer)
    tenant, _slash, rest = parts.path.strip("/").partition("/")
    if parts.hostname == "sts.windows.net":
        raise WrongIssuer(
            _("This is the issuer of version 1.0 tokens. The one that is needed is %(issuer)s.")
            % {"issuer": f"{_ENTRA}/{tenant}/v2.0"},
            "entra_version",
            f"{_ENTRA}/{tenant}/v2.0" if tenant else "",
        )
    if parts.hostname != "login.microsoftonline.com":
        return
    if tenant.lower() in ("common", "organizations", "consumers"):
        raise WrongIssuer(
            _(
                "“%(tenant)s” would let in people of any Entra tenant. Put your Directory (tenant) ID in its place: "
                "it is on the Overview page of the app registration."
            )
            % {"tenant": tenant},
            "entra_shared_tenant",
        )
    if _GUID.match(tenant) and rest != "v2.0":
        right = f"{_ENTRA}/{tenant}/v2.0"
        raise WrongIssuer(
            _("Entra's issuer ends in /v2.0 and nothing after it: %(issuer)s.") % {"issuer": right},
            "entra_version",
            right,
        )


def _look_at_google(issuer: str) -> None:
    right = "https://accounts.google.com"
    if issuer != right:
        raise WrongIssuer(_("Google's issuer is always %(issuer)s.") % {"issuer": right}, "google_path", right)


def _sentence(problem: IssuerProblem, provider: Provider) -> str:
    fixed = problem.suggestion
    name = _("the provider") if provider == Provider.OIDC else provider.label
    match problem.code:
        case IssuerCode.EMPTY:
            return _("Paste the issuer URI.")
        case IssuerCode.TOO_LONG:
            return _("This is longer than any issuer: 500 characters at most.")
        case IssuerCode.INVISIBLE_CHARACTERS:
            return _with_fix(_("There are invisible characters in this address."), fixed)
        case IssuerCode.WHITESPACE:
            return _with_fix(_("There is a space or a line break in this address."), fixed)
        case IssuerCode.NO_SCHEME:
            return _with_fix(_("The issuer begins with https://."), fixed)
        case IssuerCode.NOT_HTTPS:
            return _with_fix(
                _("An issuer begins with https://, so that nobody on the way can change the answer."), fixed
            )
        case IssuerCode.USER_INFO:
            return _with_fix(_("There is a name or password before the @. An issuer has neither."), fixed)
        case IssuerCode.QUERY:
            return _with_fix(_("An issuer has nothing after a question mark."), fixed)
        case IssuerCode.FRAGMENT:
            return _with_fix(_("An issuer has nothing after a #."), fixed)
        case IssuerCode.NO_HOST:
            return _("The host name is missing. An issuer reads like https://halden.okta.com.")
        case IssuerCode.BAD_HOST:
            return _("This is not a host name. Put your own domain in place of anything in brackets or braces.")
        case IssuerCode.NO_DOT:
            return _("This host name works only inside a network. The issuer has one that works everywhere.")
        case IssuerCode.IP_ADDRESS:
            return _("This is an IP address. An issuer is named by its host name.")
        case IssuerCode.BAD_PORT:
            return _("The port after the colon is missing or not a number from 1 to 65535.")
        case IssuerCode.BAD_PATH:
            return _with_fix(_("The path of this address cannot be right."), fixed)
        case IssuerCode.TRAILING_DOT:
            return _with_fix(_("The host name ends in a dot."), fixed)
        case IssuerCode.ADMIN_HOST:
            return _with_fix(_("This is the address of the Okta admin console."), fixed)
        case IssuerCode.WELL_KNOWN:
            return _with_fix(
                _("This is the address of the discovery document. The issuer is what stands before it."), fixed
            )
        case IssuerCode.ENDPOINT:
            return _with_fix(_("This is the address of one endpoint of %(name)s.") % {"name": name}, fixed)
        case IssuerCode.TRAILING_SLASH:
            return _with_fix(_("Okta's issuers do not end in a slash, and one letter more is another issuer."), fixed)
        case IssuerCode.PAGE_ADDRESS:
            return _with_fix(_("This is the address of a page in %(name)s.") % {"name": name}, fixed)
    raise ValueError(problem.code)


def _with_fix(cause: str, fixed: str) -> str:
    return _("%(cause)s The issuer is %(issuer)s.") % {"cause": cause, "issuer": fixed} if fixed else cause
