"""What a test sign-in brought back, and what each claim would mean in a real one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from identity import mistakes
from identity.models import Revision
from identity.oidc import shown
from users.models import User

# What means something here, in this order; everything else is behind a disclosure.
MAIN = (
    "iss", "sub", "aud", "email", "email_verified", "name", "zoneinfo", "groups", "amr", "acr", "auth_time",
    "session_expiry", "nonce", "exp",
)  # fmt: skip
# Listed also when they are missing, which is worth knowing, and the nonce, which was compared and not kept.
ALWAYS = ("email", "name", "groups", "nonce")
LONGEST_VALUE = 300


@dataclass(frozen=True)
class Claim:
    """One row. ``value`` None means absent."""

    name: str
    value: str | None
    meaning: str


@dataclass(frozen=True)
class Verdict:
    """What a real sign-in of this person would come to today, and the way out if it is a no."""

    kind: str
    icon: str
    fact: str
    text: str
    link_url: str = ""
    link_text: str = ""


class Shown:
    """A result as the page shows it. ``user`` is whom the verdict is about, if anybody."""

    def __init__(self, result: Mapping[str, Any], revision: Revision, user: User | None) -> None:
        self.claims: Mapping[str, Any] = result.get("claims") or {}
        self.header: Mapping[str, Any] = result.get("header") or {}
        self.result, self.revision, self.user = result, revision, user
        self.provider = revision.connection.name

    @property
    def rows(self) -> list[Claim]:
        found = [name for name in MAIN if name in self.claims or name in ALWAYS]
        return [self._row(name) for name in found]

    @property
    def more(self) -> list[tuple[str, str]]:
        """Return the token's header and the claims that mean nothing here, as they came."""
        header = [(_("header: %s") % name, as_text(value)) for name, value in self.header.items()]
        return header + [(name, as_text(value)) for name, value in self.claims.items() if name not in MAIN]

    @property
    def further(self) -> int:
        return sum(name not in MAIN for name in self.claims)

    @property
    def mistake(self) -> mistakes.Mistake:
        enterprise = self.revision.connection.enterprise.name
        is_proved_by_key = self.revision.is_proved_by_key
        return mistakes.of(
            self.result["refusal"], provider=self.provider, enterprise=enterprise, is_proved_by_key=is_proved_by_key
        )

    @property
    def proof(self) -> str:
        """Return how the person proved it to the provider, in words; empty when it does not say."""
        ways = self.claims.get("amr")
        return ", ".join(_way(way) for way in ways[:4]) if isinstance(ways, list) else ""

    def _row(self, name: str) -> Claim:
        value = as_text(self.claims[name]) if name in self.claims else None
        if name == "nonce":
            value = _("matches")
        if name == "exp":
            value = _clock(self.claims["exp"])
        if name in ("auth_time", "session_expiry"):
            value = _moment(self.claims[name])
        return Claim(name, value, self._meaning(name, value))

    def _meaning(self, name: str, value: str | None) -> str:
        match name:
            case "iss":
                return _("Exactly your issuer.")
            case "sub":
                return _("The key to the account here. Never changes, never an email.")
            case "aud":
                return _("Your client ID: meant for us.")
            case "email" if value is None:
                return _("%(provider)s sent no email. Invitations cannot be matched: ask for the scope email.") % {
                    "provider": self.provider
                }
            case "email":
                return _("Matched against a live invitation, once. Later changes are shown to you as a difference.")
            case "email_verified":
                return _("Not relied on. The emailed link is the proof.")
            case "name" if value is None:
                return _("%(provider)s sent no name. People are listed by their email: ask for the scope profile.") % {
                    "provider": self.provider
                }
            case "name":
                return _("Shown in lists.")
            case "zoneinfo":
                return _("The time zone, until another is picked.")
            case "groups" if value is None:
                return _("%(provider)s sent no groups. That is not “no groups”: roles stay as they are.") % {
                    "provider": self.provider
                }
            case "groups":
                return _("Noted, and not used: roles are given here.")
            case "amr":
                return _("How it was proved: %(proof)s.") % {"proof": self.proof or value}
            case "acr":
                return self._strength()
            case "auth_time":
                return self._age()
            case "session_expiry":
                return _("A session here ends by then, whatever its own limits are.")
            case "nonce":
                return _("Answers our question, not an older one.")
            case "exp":
                return self._validity()
        raise ValueError(name)

    def _strength(self) -> str:
        if self.revision.acr_values:
            return _("Among what is asked for: %(asked)s.") % {"asked": ", ".join(self.revision.acr_values.split())}
        return _("How strongly it was proved, in the words of %(provider)s. Nothing is asked for.") % {
            "provider": self.provider
        }

    def _age(self) -> str:
        asked = self.revision.max_age_minutes
        if asked is None:
            return _("When the person last signed in there. Any time will do.")
        if asked == 0:
            return _("When the person signed in there, which everybody is asked to do each time.")
        return ngettext(
            "When the person last signed in there: asked for is less than %(n)d minute ago.",
            "When the person last signed in there: asked for is less than %(n)d minutes ago.",
            asked,
        ) % {"n": asked}

    def _validity(self) -> str:
        issued, ends = self.claims.get("iat"), self.claims["exp"]
        if not isinstance(issued, (int, float)):
            return _("Until when the token is good.")
        return _("Good for %(minutes)d minutes from when it was made.") % {"minutes": round((ends - issued) / 60)}

    @property
    def verdict(self) -> Verdict:
        """Say whether this person could sign in today; what stands in the way is named, with the way out."""
        code, user = self.result["verdict"], self.user
        email = shown(self.claims.get("email", ""))
        person = _("this %(provider)s person") % {"provider": self.provider}
        refused = _("Today %(person)s would be refused.") % {"person": person}
        invite = {"link_url": reverse("invitations:list"), "link_text": _("Go to invitations")}
        page = {"link_url": reverse("users:detail", args=[user.pk]), "link_text": user.label} if user else {}
        match code:
            case "signed_in":
                fact = _("Today %(person)s would be signed in as %(user)s.") % {
                    "person": person,
                    "user": user.label if user else email,
                }
                return Verdict("ok", "circle-check", fact, _("The account is linked to this subject."))
            case "invitation":
                fact = _("Today %(person)s would be asked to open the invitation first.") % {"person": person}
                text = _("%(email)s is invited. The link in that email accepts it, and links the account for good.")
                return Verdict("ok", "mail-check", fact, text % {"email": email}, **invite)
            case "break_glass":
                text = _(
                    "The connection works. No account here is linked to this subject, and the address belongs to the "
                    "break-glass account %(user)s, which keeps its password and is never linked. To use %(provider)s "
                    "under this address, give the break-glass account another one, then invite this one."
                ) % {"user": user.label if user else "", "provider": self.provider}
                page["link_text"] = _("Give it another address")
                return Verdict("warn", "user-x", refused, text, **page)
            case "disabled":
                text = _("The connection works. The account of %(user)s is disabled.")
                return Verdict("warn", "user-x", refused, text % {"user": user.label if user else email}, **page)
            case "switching":
                fact = _("Today %(person)s would be asked to open the link of the switch first.") % {"person": person}
                text = _(
                    "%(user)s is being switched. The link in that email, and this sign-in, link the account for good."
                )
                return Verdict("ok", "mail-check", fact, text % {"user": user.label if user else email}, **page)
            case "has_password":
                text = _(
                    "The connection works. The address belongs to %(user)s, who signs in with a password. Nobody is "
                    "ever matched by an email alone: switch this account to %(provider)s first."
                ) % {"user": user.label if user else email, "provider": self.provider}
                return Verdict("warn", "user-x", refused, text, **page)
            case "email_missing":
                text = _("%(provider)s sent no email, so no invitation could be matched. Ask for the scope email.")
                return Verdict("warn", "user-x", refused, text % {"provider": self.provider})
        if user:
            text = _("The connection works. The address belongs to %(user)s, who signs in through another connection.")
            return Verdict("warn", "user-x", refused, text % {"user": user.label}, **page)
        text = _("The connection works. No account here is linked to this subject, and nobody has invited %(email)s.")
        return Verdict("warn", "user-x", refused, text % {"email": email}, **invite)


def as_text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return shown(", ".join(as_text(item) for item in value) or "[]", LONGEST_VALUE)
    return shown(value, LONGEST_VALUE)


def _clock(seconds: object) -> str:
    if not isinstance(seconds, (int, float)):
        return as_text(seconds)
    return date_format(timezone.localtime(datetime.fromtimestamp(seconds, UTC)), "H:i:s")


def _moment(seconds: object) -> str:
    """Return a time of any day in the person's zone; what is no such number, as it is."""
    try:
        return date_format(timezone.localtime(datetime.fromtimestamp(seconds, UTC)), "j M Y, H:i:s")  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError, OSError):
        return as_text(seconds)


def _way(method: object) -> str:
    """Return an ``amr`` value (RFC 8176) in words, or as it is."""
    known = {
        "pwd": _("password"),
        "mfa": _("several factors"),
        "otp": _("one-time code"),
        "swk": _("device key"),
        "hwk": _("hardware key"),
        "sms": _("text message"),
        "pin": _("PIN"),
        "fpt": _("fingerprint"),
        "face": _("face"),
        "phr": _("passkey"),
        "phrh": _("hardware passkey"),
        "kba": _("questions"),
        "user": _("presence"),
    }
    return known.get(str(method), as_text(method))
