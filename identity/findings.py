"""What a check found, as sentences: the cause, the exact fix, and the button that applies it, if there is one (T4)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from identity.expiry import ending_of
from identity.issuers import WrongIssuer, read_issuer
from identity.models import ClientAuthentication, Connection, Provider, Revision
from identity.oidc import Code, Line, State

NAMES: dict[str, str | Promise] = {
    Line.ANSWERS: gettext_lazy("Answer"),
    Line.ISSUER: gettext_lazy("Issuer"),
    Line.ENDPOINTS: gettext_lazy("Secure transport"),
    Line.ORIGINS: gettext_lazy("Addresses"),
    Line.CODE_FLOW: gettext_lazy("Authorization code"),
    Line.PKCE: gettext_lazy("PKCE"),
    Line.ALGORITHMS: gettext_lazy("Signatures"),
    Line.KEYS: gettext_lazy("Signing keys"),
    Line.CLIENT_AUTHENTICATION: gettext_lazy("Client authentication"),
    Line.REFRESH_TOKEN: gettext_lazy("Refresh tokens"),
    Line.RESPONSE_ISSUER: gettext_lazy("Issuer in answers"),
    Line.LOGOUT: gettext_lazy("Sign-out"),
}
# How components/finding.html calls the states.
_SHOWN_AS = {State.OK: "ok", State.WARNING: "warn", State.FAILED: "failed", State.NOT_CHECKED: "unchecked"}
_ORDER = {"failed": 0, "warn": 1, "ok": 2, "unchecked": 3}


@dataclass(frozen=True)
class Fix:
    """A button: setting ``name`` to ``value`` in a new revision is the fix. ``note`` says what else it does."""

    name: str
    value: str
    text: str


@dataclass(frozen=True)
class Sentence:
    """One line, ready to show."""

    name: str
    state: str
    text: str
    fix: Fix | None = None
    other: str = ""


def sentences(revision: Revision, today: date) -> list[Sentence]:
    """Return the lines of the last check of ``revision``, failures first, and one about its secret when that ends."""
    lines = [_sentence(finding, revision) for finding in revision.findings]
    end = ending_of(revision, today)
    if lines and end and end.is_soon:
        lines.insert(0, Sentence(_("Client secret"), "failed" if end.is_over else "warn", f"{end.fact} {end.text}"))
    return sorted(lines, key=lambda line: _ORDER[line.state])


def first_problem(revision: Revision) -> str:
    """Return the code of what stands in the way, for the audit log; empty when the check passed."""
    return next((f["problem"] for f in revision.findings if f["state"] == State.FAILED), "")


def failed_names(revision: Revision) -> str:
    return ", ".join(str(NAMES[f["line"]]) for f in revision.findings if f["state"] == State.FAILED)


def _sentence(finding: Mapping[str, Any], revision: Revision) -> Sentence:
    line, state, data = finding["line"], State(finding["state"]), finding["data"]
    connection = revision.connection
    fix, other = None, ""
    match state:
        case State.FAILED:
            text = _failure(finding["problem"], data, connection)
            fix = _fix(finding["problem"], data, revision)
            if finding["problem"] == Code.DISCOVERY_ISSUER_MISMATCH and fix:
                other = _("Keep mine: change it in %(provider)s") % {"provider": connection.name}
        case State.WARNING:
            text = _warning(line, connection)
        case State.OK:
            text = _passed(line, data)
        case State.NOT_CHECKED:
            text = _not_checked(revision)
    return Sentence(str(NAMES[line]), _SHOWN_AS[state], text, fix, other)


def _passed(line: str, data: Mapping[str, Any]) -> str:
    match line:
        case Line.ANSWERS:
            return _("The discovery document is there.")
        case Line.ISSUER:
            return _("Calls itself the same, letter by letter.")
        case Line.ENDPOINTS:
            return _("https everywhere, no redirects.")
        case Line.ORIGINS:
            return _("All where the issuer is, or allowed by you.")
        case Line.CODE_FLOW:
            return _("Supported.")
        case Line.PKCE:
            return _("S256 is offered, and always sent.")
        case Line.ALGORITHMS:
            return _("%(algorithms)s.") % {"algorithms": ", ".join(data.get("algorithms", "").split())}
        case Line.KEYS:
            count = int(data.get("keys", 0))
            return ngettext("%(count)d key, long enough.", "%(count)d keys, long enough.", count) % {"count": count}
        case Line.CLIENT_AUTHENTICATION:
            if data.get("method") == ClientAuthentication.KEY:
                return _("Our public key is taken, and signs %(algorithm)s.") % {
                    "algorithm": data.get("signs_with", "")
                }
            return _("The secret is taken the way it is sent.")
        case Line.REFRESH_TOKEN:
            return _("offline_access is offered.")
        case Line.RESPONSE_ISSUER:
            return _("Every answer says whose it is.")
        case Line.LOGOUT:
            return _("Signing out here can end the session there.")
    raise ValueError(line)


def _warning(line: str, connection: Connection) -> str:
    name = connection.name
    match line:
        case Line.PKCE:
            return _(
                "%(provider)s does not say that it offers S256. It is sent all the same, and the test will tell."
            ) % {"provider": name}
        case Line.KEYS:
            return _("Several keys share a name. Sign-ins work as long as one of them fits.")
        case Line.REFRESH_TOKEN:
            return _(
                "offline_access is not offered. Sign-ins work without; "
                "sessions are then not looked at again between sign-ins."
            )
        case Line.RESPONSE_ISSUER:
            return _("Answers do not say whose they are. The redirect URI of its own protects this connection.")
        case Line.LOGOUT:
            return _("No sign-out address. Signing out here leaves the session at %(provider)s open.") % {
                "provider": name
            }
    raise ValueError(line)


def _not_checked(revision: Revision) -> str:
    first = next((f for f in revision.findings if f["state"] == State.FAILED), None)
    if first is None or first["line"] == Line.ANSWERS:
        return _("Not checked: the issuer did not answer.")
    return _("Not checked: waits for “%(name)s”.") % {"name": NAMES[first["line"]]}


def _failure(problem: str, data: Mapping[str, Any], connection: Connection) -> str:
    name, got = connection.name, data.get("got", "")
    match problem:
        case Code.PROVIDER_UNREACHABLE:
            return _(
                "Nobody answers at this address. Look for a typing mistake in the issuer; if it is right, "
                "%(provider)s is down or cannot be reached from the internet."
            ) % {"provider": name}
        case Code.PROVIDER_TIMEOUT:
            return _("No answer within 10 seconds. Check again in a minute.")
        case Code.PROVIDER_PAUSED:
            return _(
                "It failed to answer five times in a row and is left alone for 30 seconds. Check again after that."
            )
        case Code.PROVIDER_UNAVAILABLE:
            return _("%(provider)s answers that it is out of order or overloaded. Check again in a minute.") % {
                "provider": name
            }
        case Code.PROVIDER_ADDRESS_BLOCKED:
            return _(
                "This name leads into a private network. Gatehouse only talks to addresses on the public internet: "
                "use the name under which %(provider)s is reachable from there."
            ) % {"provider": name}
        case Code.PROVIDER_ANSWER_TOO_LARGE:
            return _("The answer is far longer than a discovery document. This is hardly an issuer.")
        case Code.PROVIDER_REDIRECTED:
            return _(
                "This address redirects to another one, and redirects are not followed. "
                "Open it in a browser and use the issuer that the document names."
            )
        case Code.DISCOVERY_NOT_FOUND:
            return _not_found(connection)
        case Code.DISCOVERY_MALFORMED:
            return _(
                "Something answers here, but not with a discovery document. Look for a typing mistake in the issuer."
            )
        case Code.DISCOVERY_ISSUER_MISMATCH:
            return _(
                "%(provider)s answers here, but calls itself %(got)s. The two must be the same, letter by letter, "
                "or every sign-in is refused."
            ) % {"provider": name, "got": got or _("nothing at all")}
        case Code.DISCOVERY_MISSING_ENDPOINT:
            return _("The discovery document names no %(endpoint)s. %(provider)s has to publish one.") % {
                "endpoint": data.get("expected", ""),
                "provider": name,
            }
        case Code.DISCOVERY_BAD_ENDPOINT:
            return _("The %(endpoint)s in the discovery document is not an https address on the internet.") % {
                "endpoint": data.get("expected", "")
            }
        case Code.DISCOVERY_NO_CODE_FLOW:
            return _("%(provider)s does not offer the authorization code flow. Turn it on for this issuer.") % {
                "provider": name
            }
        case Code.DISCOVERY_NO_ALGORITHM:
            return _("ID tokens are signed with %(got)s only. Choose RS256, ES256 or PS256 in %(provider)s.") % {
                "got": got or "—",
                "provider": name,
            }
        case Code.ENDPOINTS_ELSEWHERE:
            return _(
                "Some of its addresses are elsewhere: %(origins)s. "
                "Allow them only if you know that they are %(provider)s's."
            ) % {"origins": ", ".join(data.get("origins", "").split()), "provider": name}
        case Code.KEYS_MALFORMED | Code.NO_USABLE_KEYS:
            return _("No key that could prove a signature is published. Look at the key rotation in %(provider)s.") % {
                "provider": name
            }
        case Code.KEY_TOO_SMALL:
            return _("The signing key is shorter than %(bits)s bits. Rotate to a longer one in %(provider)s.") % {
                "bits": data.get("expected", ""),
                "provider": name,
            }
        case Code.CLIENT_AUTHENTICATION_IMPOSSIBLE:
            return _authentication(data, connection)
    return _("%(provider)s refused (%(code)s).") % {"provider": name, "code": problem}


def _not_found(connection: Connection) -> str:
    if connection.provider == Provider.OKTA:
        return _(
            "Okta answers, but there is no issuer at this address. In Okta, copy the Issuer URI from "
            "Security → API → Authorization Servers, or use your Okta address itself."
        )
    return _("Something answers, but there is no issuer at this address. Copy the issuer from %(provider)s again.") % {
        "provider": connection.name
    }


def _authentication(data: Mapping[str, Any], connection: Connection) -> str:
    name, ways = connection.name, dict(Provider(connection.provider).ways)
    method = data.get("method", "")
    if data.get("algorithms") and method == ClientAuthentication.KEY:
        return _(
            "%(provider)s takes keys for %(taken)s only, and ours is for %(ours)s. Rotate it: the next one fits."
        ) % {
            "provider": name,
            "taken": ", ".join(data["algorithms"].split()),
            "ours": data.get("signs_with", ""),
        }
    if method == ClientAuthentication.KEY:
        return _("%(provider)s takes no public key for this issuer.") % {"provider": name}
    if any(way in ways for way in data.get("offered", "").split()):
        return _("%(provider)s does not take the secret the way it is sent: “%(way)s”.") % {
            "provider": name,
            "way": ways.get(method, method),
        }
    return _("%(provider)s takes no client secret for this issuer. Allow client_secret_basic there.") % {
        "provider": name
    }


def _fix(problem: str, data: Mapping[str, Any], revision: Revision) -> Fix | None:
    match problem:
        case Code.DISCOVERY_ISSUER_MISMATCH:
            right = data.get("suggestion") or data.get("got", "")
            if _is_issuer(right, revision):
                return Fix("issuer", right, _("Use %(issuer)s") % {"issuer": right})
        case Code.ENDPOINTS_ELSEWHERE:
            return Fix("accepted_origins", data["origins"], _("Allow these addresses"))
        case Code.CLIENT_AUTHENTICATION_IMPOSSIBLE:
            ways = dict(Provider(revision.connection.provider).ways)
            # A secret first: it is at hand.
            for way in sorted(data.get("offered", "").split(), key=ClientAuthentication.KEY.__eq__):
                if way in ways and way != data.get("method"):
                    return Fix("client_authentication", way, _("Use “%(way)s”") % {"way": ways[way]})
    return None


def _is_issuer(text: str, revision: Revision) -> bool:
    """Whether ``text`` could be saved as it is: what a provider says about itself is not to be trusted either."""
    try:
        return read_issuer(text, Provider(revision.connection.provider)) == text
    except WrongIssuer:
        return False


def fix_named(revision: Revision, name: str) -> Fix | None:
    """Return the fix of the last check that sets ``name``: only what was offered can be applied."""
    fixes = (_sentence(finding, revision).fix for finding in revision.findings)
    return next((fix for fix in fixes if fix and fix.name == name), None)
