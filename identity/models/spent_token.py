"""Tokens that were to be heard once."""

from __future__ import annotations

from datetime import datetime

from django.db import models

from identity.models.connection import Connection


class ReplayedError(Exception):
    """A token that was to be heard once was heard before."""


class SpentToken(models.Model):
    """A token of a provider's that has ended sessions, remembered until its age alone refuses it."""

    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, related_name="spent_tokens")
    fingerprint = models.CharField(max_length=43)
    until = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["connection", "fingerprint"], name="token_spent_once")]

    def __str__(self) -> str:
        return self.fingerprint

    @classmethod
    def spend(cls, connection: Connection, fingerprint: str, *, until: datetime, at: datetime) -> None:
        """Use a token up, or raise ReplayedError. What is past its time is forgotten on the way.

        In the database and not in a cache, so that it is known to every process and outlives each of them.
        """
        connection.spent_tokens.filter(until__lt=at).delete()
        _token, is_new = connection.spent_tokens.get_or_create(fingerprint=fingerprint, defaults={"until": until})
        if not is_new:
            raise ReplayedError
