"""Email addresses as people paste them: split, straightened, and each bad one told its own reason."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.utils.translation import gettext as _

from audit.models import printable
from users.emails import is_deliverable
from users.models import fold_email

LONGEST = 254  # characters, RFC 5321
# Between addresses stand lines, commas or semicolons, but not those within a quoted name.
_PIECE = re.compile(r'(?:"[^"\n]*"|[^,;\n])+')
_IN_BRACKETS = re.compile(r"<([^<>]*)>\s*$")
# Scripts that are written together, and so do not count as mixed.
_EAST_ASIAN = frozenset({"CJK", "HIRAGANA", "KATAKANA", "KATAKANA-HIRAGANA", "HANGUL", "BOPOMOFO"})


@dataclass
class Pasted:
    """What was found: good addresses, each person once, and one sentence for each bad one, keyed by what was typed."""

    good: list[str] = field(default_factory=list)
    bad: dict[str, str] = field(default_factory=dict)
    repeated: int = 0


def read(text: str, *, home: str = "") -> Pasted:
    """Read the addresses in ``text``. ``home`` is a domain to suggest when one was left half typed.

    Compatibility forms (full-width letters and the like) are turned into plain ones first (NFKC), so that an email
    goes to the very address that is compared later (T7).
    """
    found, seen = Pasted(), set[str]()
    for piece in _pieces(unicodedata.normalize("NFKC", text)):
        folded = fold_email(piece)
        if folded in seen:
            found.repeated += 1
            continue
        seen.add(folded)
        problem = _problem(piece, home)
        if problem:
            found.bad[piece] = problem
        else:
            name, _at, domain = piece.rpartition("@")
            found.good.append(f"{name}@{domain.lower()}")
    return found


def _pieces(text: str) -> list[str]:
    pieces: list[str] = []
    for match in _PIECE.findall(text.replace("\r", "\n")):
        bracketed = _IN_BRACKETS.search(match)
        piece = (bracketed[1] if bracketed else match).strip(" \t")
        words = piece.split()
        # A row copied from a sheet has only spaces between its addresses.
        pieces.extend(words if len(words) > 1 and all("@" in word for word in words) else [piece])
    return [piece for piece in pieces if piece]


def _problem(address: str, home: str) -> str:
    """Return what is wrong with ``address`` and how to mend it, or an empty string."""
    shown = {"address": printable(address, 60)}
    if len(address) > LONGEST:
        return _("%(address)s is too long: an address has at most 254 characters.") % shown
    if printable(address) != address:
        return _("%(address)s contains a character that cannot be seen. Type it again.") % shown
    name, at, domain = address.rpartition("@")
    if not at or not name or not domain:
        return _("%(address)s is not an email address.") % shown
    if "." not in domain:
        if home.startswith(domain.casefold() + "."):
            return _("%(address)s is not complete. Did you mean %(name)s@%(home)s?") % {
                **shown, "name": printable(name, 60), "home": home,
            }  # fmt: skip
        return _("%(address)s is not complete: after the @ comes a domain such as example.com.") % shown
    odd = _odd_letter(name, domain)
    if odd:
        return _("%(address)s: the letter %(letter)s is not the one it looks like (%(name)s). Type it again.") % {
            **shown, "letter": odd, "name": unicodedata.name(odd, "unnamed").capitalize(),
        }  # fmt: skip
    try:
        validate_email(address)
    except ValidationError:
        return _("%(address)s is not an email address.") % shown
    return "" if is_deliverable(address) else _("%(address)s is not an email address.") % shown


def _odd_letter(name: str, domain: str) -> str:
    """Return a letter that passes for another one: any that is not ASCII before the @, or of a second alphabet after.

    Domains in one alphabet, whichever it is, are domains; half Cyrillic and half Latin is how people are misled.
    """
    for letter in name:
        if not letter.isascii() and letter.isalpha():
            return letter
    for label in domain.split("."):
        scripts = {letter: _script(letter) for letter in label if letter.isalpha()}
        kinds = set(scripts.values())
        if len(kinds) > 1 and not kinds - {"LATIN"} <= _EAST_ASIAN:
            return next(letter for letter, script in scripts.items() if script != "LATIN")
    return ""


def _script(letter: str) -> str:
    return "LATIN" if letter.isascii() else unicodedata.name(letter, "UNKNOWN").split()[0]
