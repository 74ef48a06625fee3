"""Who works at Halden, the company whose Okta this plays."""

from __future__ import annotations

from hashlib import sha256

from django.utils.text import capfirst

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

# Email, given name, family name, time zone, and whether Halden's administrator assigned the app to them.
CAST = (
    ("ingrid.solberg@halden.example", "Ingrid", "Solberg", "Europe/Oslo", True),
    ("marcus.feld@halden.example", "Marcus", "Feld", "Europe/Berlin", True),
    ("chloe.martin@halden.example", "Chloé", "Martin", "Europe/Paris", True),
    ("priya.raman@halden.example", "Priya", "Raman", "Asia/Kolkata", True),
    ("piotr.nowak@halden.example", "Piotr", "Nowak", "Europe/Warsaw", False),
)


def opaque(prefix: str, seed: str) -> str:
    """Return a 20-character identifier in Okta's manner, always the same for the same seed."""
    number = int.from_bytes(sha256(seed.encode()).digest())
    digits = []
    for _ in range(20 - len(prefix)):
        number, digit = divmod(number, len(ALPHABET))
        digits.append(ALPHABET[digit])
    return prefix + "".join(digits)


def subject_of(email: str) -> str:
    """Return the person's ``sub``: it says nothing about the email, and stays the same on every machine."""
    return opaque("00u", email.casefold())


def names_from(email: str) -> tuple[str, str]:
    """Guess given and family name from an address: ``ada.king@…`` is Ada King."""
    given, _, family = email.partition("@")[0].replace("_", ".").partition(".")
    return capfirst(given), " ".join(capfirst(part) for part in family.split(".") if part)
