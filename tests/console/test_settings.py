"""The environment is checked at the start, all of it at once, in words an operator can act on."""

from __future__ import annotations

import base64
import os
import subprocess
import sys

KEY = base64.urlsafe_b64encode(b"k" * 32).decode()
GOOD = {
    "SECRET_KEY": "".join(chr(33 + n) for n in range(60)),
    "SEALING_KEYS": f"a:{KEY}",
    "DATABASE_URL": "postgres://nobody@127.0.0.1:1/none",
    "REDIS_URL": "redis://127.0.0.1:1/0",
    "ORIGIN_NA": "https://na.gatehouse.example",
    "ORIGIN_EU": "https://eu.gatehouse.example",
    "ORIGIN_AU": "https://au.gatehouse.example",
    "EMAIL_URL": "smtp://mail.example:25",
}


def _check(*arguments: str, **changes: str | None) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in {**GOOD, **changes}.items() if value is not None}
    command = [sys.executable, "manage.py", "check", *arguments]
    return subprocess.run(
        command, env={"PATH": os.environ["PATH"], **environment}, capture_output=True, text=True, check=False
    )


def test_a_complete_production_environment_passes_every_deployment_check() -> None:
    result = _check("--deploy", "--fail-level", "WARNING")
    assert result.returncode == 0, result.stderr


def test_everything_that_is_missing_is_named_in_one_message() -> None:
    result = _check(SECRET_KEY=None, ORIGIN_EU=None, DATABASE_URL=None)
    assert result.returncode != 0
    for name in ("SECRET_KEY", "ORIGIN_EU", "DATABASE_URL"):
        assert name in result.stderr.splitlines()[-3] + result.stderr.splitlines()[-2] + result.stderr.splitlines()[-1]


def test_a_variable_that_is_set_to_nothing_counts_as_missing() -> None:
    result = _check(SECRET_KEY="", ORIGIN_AU="")
    assert "SECRET_KEY: Environment variable not set." in result.stderr
    assert "ORIGIN_AU: Environment variable not set." in result.stderr


def test_nonsense_is_refused() -> None:
    for name, value in {
        "GATEHOUSE_MODE": "staging",
        "ORIGIN_NA": "http://na.gatehouse.example",
        "SEALING_KEYS": "a:short",
        "REDIS_URL": "http://example.test",
        "TRUSTED_PROXIES": "many",
        "SECRET_KEY": "short",
    }.items():
        result = _check(**{name: value})
        assert result.returncode != 0, name
        assert name in result.stderr, name
        assert value not in result.stderr or name not in ("SECRET_KEY", "SEALING_KEYS"), f"{name} leaks its value"


def test_two_keys_of_one_name_are_refused() -> None:
    """R10: one of them would never open anything again, and nobody would know which."""
    other = base64.urlsafe_b64encode(b"o" * 32).decode()
    result = _check(SEALING_KEYS=f"a:{KEY},a:{other}")
    assert result.returncode != 0
    assert "two keys are called 'a'" in result.stderr
    assert other not in result.stderr


def test_loopback_providers_are_refused_in_production() -> None:
    """T1."""
    assert "for development only" in _check(ALLOW_LOOPBACK_ISSUERS="true").stderr
