"""What a provider may do: small changes to an honest one, to be combined into scenarios."""

from __future__ import annotations

import hmac
import json
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable
from typing import Any

import jwt

from identity.credentials import ClientKey
from identity.models import ClientAuthentication
from tests.conformance.scenario import Act
from tests.conformance.stage import Stage, open_door
from tests.provider import Said, SigningKey
from tests.serving import Reply, Request

GONE = object()
Say = Callable[[Stage, Said, Request], Said | Reply]


def changed(said: Said, changes: dict[str, Any]) -> Said:
    return {name: value for name, value in (said | changes).items() if value is not GONE}


def both(*acts: Act) -> Act:
    """Do several things."""

    def arrange(stage: Stage) -> None:
        for act in acts:
            act(stage)

    return arrange


def honest(stage: Stage) -> None:
    """Change nothing."""


# ---- The ID token


def claims(**changes: Any) -> Act:
    """Change claims of the ID token; GONE leaves one out."""

    def arrange(stage: Stage) -> None:
        stage.provider.on_id_token = lambda said, request: changed(said, changes)

    return arrange


def times(**offsets: float) -> Act:
    """Set claims to so many seconds from now."""

    def arrange(stage: Stage) -> None:
        stage.provider.on_id_token = lambda said, request: (
            said | {name: int(time.time() + offset) for name, offset in offsets.items()}
        )

    return arrange


def token(make: Callable[[Stage, Said], str]) -> Act:
    """Have `make` write the ID token, from the claims an honest one would have."""

    def arrange(stage: Stage) -> None:
        stage.provider.on_id_token = lambda said, request: make(stage, said)

    return arrange


def header(**changes: Any) -> Act:
    """Sign with other members in the header of the ID token."""
    return token(lambda stage, said: stage.provider.signing_key.sign(said, **changes))


def signed_by(key: SigningKey, kid: str) -> Act:
    """Sign with a key that is not published, under the name of one that is."""
    return token(lambda stage, said: key.sign(said, kid=kid))


def b64(document: object) -> str:
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    return urlsafe_b64encode(body).rstrip(b"=").decode()


def unsigned(alg: object, kid: str = "first", signature: bytes = b"") -> Act:
    """Name an algorithm in the header, and put `signature` where its signature would be."""
    return token(lambda stage, said: f"{b64({'alg': alg, 'kid': kid})}.{b64(said)}.{b64(signature)}")


def hmac_with(secret: Callable[[Stage], bytes], alg: str = "HS256", kid: str = "first") -> Act:
    """Make an HMAC with something the provider, or everybody, knows."""

    def make(stage: Stage, said: Said) -> str:
        signed = f"{b64({'alg': alg, 'kid': kid})}.{b64(said)}"
        return f"{signed}.{b64(hmac.digest(secret(stage), signed.encode(), 'sha256'))}"

    return token(make)


def payload(body: Callable[[Said], bytes]) -> Act:
    """Sign something that is not quite JSON."""

    def make(stage: Stage, said: Said) -> str:
        key = stage.provider.signing_key
        return jwt.PyJWS().encode(body(said), key.private, key.algorithm, headers={"kid": key.kid})

    return token(make)


def altered(stage: Stage, said: Said) -> str:
    """Sign honestly, then make it somebody else's."""
    head, _, signature = stage.provider.signing_key.sign(said).split(".")
    return f"{head}.{b64(said | {'sub': '00u1ingrid'})}.{signature}"


# ---- Keys


def publish(*keys: SigningKey | dict[str, Any]) -> Act:
    """Publish exactly these keys, and sign with the first that is more than a document."""

    def arrange(stage: Stage) -> None:
        ours = (key for key in keys if isinstance(key, SigningKey))
        stage.provider.signing_key = next(ours, stage.provider.signing_key)
        members = [key.jwk if isinstance(key, SigningKey) else key for key in keys]
        stage.provider.on_keys = lambda said, request: {"keys": members}

    return arrange


def met_before(stage: Stage) -> None:
    """Sign in once, honestly, so that metadata and keys are known; in another browser."""
    first = stage.journey.browser.__class__(stage.enterprise)
    assert stage.journey.sign_in(first)["Location"] == "/"


# ---- Answers of endpoints


def answers(endpoint: str, say: Say | Reply | dict[str, Any]) -> Act:
    """Have `endpoint` (discovery, keys, token, userinfo) say something else: changes, a reply, or what `say` does."""

    def arrange(stage: Stage) -> None:
        def change(said: Said, request: Request) -> Said | Reply:
            if isinstance(say, Reply):
                return say
            return changed(said, say) if isinstance(say, dict) else say(stage, said, request)

        setattr(stage.provider, f"on_{endpoint}", change)

    return arrange


def metadata(**changes: Any) -> Act:
    """Change members of the metadata; GONE leaves one out."""
    return answers("discovery", changes)


def endpoint_at(**places: str) -> Act:
    """Put endpoints elsewhere; `{canary}` and `{issuer}` in an address stand for those."""

    def say(stage: Stage, said: Said, request: Request) -> Said:
        known = {"canary": stage.canary.origin, "issuer": stage.provider.issuer}
        return said | {name: place.format(**known) for name, place in places.items()}

    return answers("discovery", say)


def redirects(endpoint: str, status: int, to: str = "{canary}/caught") -> Act:
    """Redirect whoever asks `endpoint`."""

    def say(stage: Stage, said: Said, request: Request) -> Reply:
        place = to.format(canary=stage.canary.origin, issuer=stage.provider.issuer)
        return Reply.json(said, status, Location=place)

    return answers(endpoint, say)


def no_email(stage: Stage) -> None:
    """Leave the email to userinfo."""
    claims(email=GONE)(stage)


# ---- What comes back with the browser


def returns(**changes: Any) -> Act:
    """Change what the browser brings back; GONE leaves a parameter out."""

    def arrange(stage: Stage) -> None:
        stage.on_return.append(lambda back: changed(back, changes))

    return arrange


def meanwhile(happens: Callable[[Stage], object]) -> Act:
    """Do something while the person is at the provider."""

    def arrange(stage: Stage) -> None:
        stage.before_return.append(lambda back: happens(stage))

    return arrange


def impatient(stage: Stage) -> None:
    """Shorten the deadline, so that the slow end sooner."""
    open_door(total_seconds=0.6, connect_seconds=0.4)


def accepts(*origins: str) -> Act:
    """Have an administrator say yes to other origins; `{canary}` stands for the canary's."""

    def arrange(stage: Stage) -> None:
        revision = stage.connection.serving
        revision.accepted_origins = " ".join(origin.format(canary=stage.canary.origin) for origin in origins)
        revision.save()

    return arrange


def knows_our_key(algorithm: str = "RS256") -> Act:
    """Know us by a public key instead of a secret."""

    def arrange(stage: Stage) -> None:
        connection, revision = stage.connection, stage.connection.serving
        key = ClientKey.publish(connection, at=revision.created_at, algorithm=algorithm)
        stage.provider.client_keys["gatehouse"] = key.public
        stage.provider.clients["gatehouse"] = ""
        revision.client_authentication, revision.secret = ClientAuthentication.KEY, None
        revision.save()

    return arrange
