"""Proving who we are at a token endpoint; and when that is not taken, with what else is known to be good.

Rotation needs no luck: a new secret serves only after a test sign-in, a new key only after every provider has fetched
it, and the old ones stay good meanwhile. This is for what goes another way: a secret that was deactivated or has
expired before its successor was enabled, a key that was never pasted. A provider that does not know the client has not
looked at the code or the refresh token yet (RFC 6749, section 3.2.1), so the second try is no worse than the first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeVar

from audit.actions import Action
from audit.models import GATEHOUSE, record
from identity.credentials import ClientKey, ClientSecret
from identity.models import Revision
from identity.oidc import Code, Refused, RelyingParty
from users.sealing import SealBroken

T = TypeVar("T")
Credential = ClientSecret | ClientKey

MOST_STANDBYS = 2


@dataclass(frozen=True)
class Client:
    """Us at a token endpoint: ``rp`` is what ``revision`` says, with ``credential`` to prove it.

    A test is of one credential, so with ``is_test`` no other one is tried.
    """

    revision: Revision
    credential: Credential
    rp: RelyingParty
    is_test: bool = False

    @classmethod
    def of(cls, revision: Revision, *, is_test: bool = False) -> Client | None:
        """Return us by ``revision``, or None as long as that is not complete. Raises SealBroken."""
        credential = revision.credential(to_test=is_test) if revision.is_complete else None
        return cls(revision, credential, revision.relying_party(credential), is_test) if credential else None

    def authenticated(self, ask: Callable[[RelyingParty], T], *, at: datetime) -> T:
        """Return what ``ask`` is told by the token endpoint. Raises Refused. Call it outside of a transaction.

        ``ask`` is called again, as somebody else it knows us by, only when the provider does not take the first.
        """
        try:
            answer = ask(self.rp)
        except Refused as refused:
            if refused.code is not Code.INVALID_CLIENT:
                raise
            is_news = self.credential.note_refusal(at)
            for other in () if self.is_test else self._others():
                try:
                    answer = ask(other.rp)
                except Refused as again:
                    if again.code is not Code.INVALID_CLIENT:
                        raise
                    other.credential.note_refusal(at)
                    continue
                other.credential.note_use(at)
                if is_news:
                    self._record_refusal(other)
                return answer
            raise
        self.credential.note_use(at)
        return answer

    def _others(self) -> Iterator[Client]:
        for credential, way in standbys(self.revision, self.credential):
            try:
                rp = replace(self.revision.relying_party(credential), auth_method=way)
            except SealBroken:
                continue
            yield Client(self.revision, credential, rp)

    def _record_refusal(self, used: Client) -> None:
        """Put on record that the provider did not take what serves, though nobody has noticed yet."""
        record(
            Action.CREDENTIAL_REFUSED,
            enterprise=self.revision.connection.enterprise,
            target=self.revision.connection,
            actor_label=GATEHOUSE,
            refused=str(self.credential),
            used=str(used.credential),
            revision=self.revision.number,
        )


def standbys(revision: Revision, credential: Credential) -> list[tuple[Credential, str]]:
    """Return what could prove us in place of ``credential``, the newest first, each with how it is presented.

    Only what a test sign-in of the same client at the same issuer has proved, or a key that is published.
    """
    found: list[tuple[Credential, str]] = []
    for one in _known(revision):
        if one[0] != credential and one[0] not in [other for other, _way in found]:
            found.append(one)
        if len(found) == MOST_STANDBYS:
            break
    return found


def _known(revision: Revision) -> Iterator[tuple[Credential, str]]:
    connection = revision.connection
    tested = connection.revisions.filter(
        issuer=revision.issuer, client_id=revision.client_id, tested_at__isnull=False
    ).select_related("secret")
    for other in tested.order_by("-number"):
        if other.is_proved_by_key:
            for key in connection.keys.published().values_list("pk", flat=True):
                yield ClientKey.opened(key), other.client_authentication
        elif other.secret and other.has_secret:
            other.secret.connection = connection
            yield other.secret, other.client_authentication
