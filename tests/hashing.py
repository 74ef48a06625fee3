"""Argon2 at its least, for passwords of tests.

At the strength of production each costs a tenth of a second of every core, and the suite computes thousands. What is
tested is when and how often one is computed; how strong it is, is Django's default, and a test of the settings says so.
"""

from __future__ import annotations

from django.contrib.auth.hashers import Argon2PasswordHasher


class QuickArgon2(Argon2PasswordHasher):
    time_cost = 1
    memory_cost = 64  # KiB
    parallelism = 1
