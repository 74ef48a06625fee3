"""A real OpenID provider over HTTP on loopback: honest by default, and as hostile as a scenario wants.

    with Provider() as provider:
        provider.person = {"sub": "00u1", "email": "bob@example.com"}
        provider.on_id_token = lambda claims, request: claims | {"iss": "https://evil.example"}

Every `on_…` takes what the honest provider would say, and the request; it returns what to say instead. A dict is
sent as JSON; a `Reply` is sent as it is. `on_id_token` may also return a ready-made token.
"""

from __future__ import annotations

import json
import secrets
import ssl
import threading
import time
from base64 import b64decode, urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from types import TracebackType
from typing import Any
from urllib.parse import parse_qsl, unquote_plus, urlencode, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from tests.serving import Reply, Request, Server

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
_JWS = jwt.PyJWS()  # signs anything: a hostile provider need not make sense
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


_making = threading.Lock()


def private_key(kid: str, algorithm: str = "RS256", bits: int = 2048) -> PrivateKey:
    """Return the private key called `kid`: always the same one in one run, since making RSA keys is slow."""
    with _making:  # Two requests at once would make two of it.
        return _made(kid, algorithm, bits)


@cache
def _made(kid: str, algorithm: str, bits: int) -> PrivateKey:
    if algorithm == "ES256":
        return ec.generate_private_key(ec.SECP256R1())
    return rsa.generate_private_key(65537, bits)


@dataclass
class SigningKey:
    """A key of the provider's, as it signs with it and as it publishes it. Without a `kid`, `name` tells keys apart."""

    kid: str | None = "first"
    algorithm: str = "RS256"
    bits: int = 2048
    name: str = "nameless"

    @property
    def private(self) -> PrivateKey:
        return private_key(self.kid or self.name, self.algorithm, self.bits)

    @property
    def jwk(self) -> dict[str, Any]:
        public = self.private.public_key()
        if isinstance(public, ec.EllipticCurvePublicKey):
            document = dict(ECAlgorithm.to_jwk(public, as_dict=True))
        else:
            document = dict(RSAAlgorithm.to_jwk(public, as_dict=True))
        document.pop("key_ops", None)
        return document | {"use": "sig", "alg": self.algorithm} | ({"kid": self.kid} if self.kid else {})

    def sign(self, claims: dict[str, Any], **header: Any) -> str:
        named = {"kid": self.kid} if self.kid else {}
        return _JWS.encode(json.dumps(claims).encode(), self.private, self.algorithm, headers={**named, **header})


Said = dict[str, Any]
Change = Callable[[Said, Request], Said | Reply]


def as_said(said: Said, request: Request) -> Said:
    """What every `on_…` is at first: the honest answer."""
    return said


def half_hash(value: str) -> str:
    return urlsafe_b64encode(sha256(value.encode()).digest()[:16]).rstrip(b"=").decode()


class Provider:
    """The provider. `person` is who signs in, or None for nobody assigned.

    `host` is the name it goes by; with `tls`, it speaks https. `clients` are ids and secrets, `second_secrets` others
    that are good at the same time; a public JWK in `client_keys` lets a client in by private_key_jwt. `requests` and
    `connections` tell what it saw, and `issued` is every code and token it handed out.
    A refresh token works once, and `grace` seconds more after it was used first.
    `is_signed_in` False is what `prompt=none` finds out.
    """

    def __init__(self, *, host: str = "127.0.0.1", port: int = 0, tls: ssl.SSLContext | None = None) -> None:
        self.keys = [SigningKey()]
        self.signing_key = self.keys[0]
        self.clients = {"gatehouse": "a-secret-of-32-characters-or-more"}
        self.second_secrets: dict[str, str] = {}
        self.client_keys: dict[str, dict[str, Any]] = {}
        self.person: dict[str, Any] | None = {
            "sub": "00u1alice",
            "email": "alice@example.com",
            "email_verified": True,
            "name": "Alice Archer",
        }
        self.clock: Callable[[], float] = time.time
        self.grace = 0.0
        self.is_signed_in = True
        self.requests: list[Request] = []
        self.issued: set[str] = set()
        self.on_discovery: Change = as_said
        self.on_keys: Change = as_said
        self.on_authorize: Change = as_said
        self.on_token: Change = as_said
        self.on_userinfo: Change = as_said
        self.on_id_token: Callable[[Said, Request], Said | str] = as_said
        self._codes: dict[str, dict[str, str]] = {}
        self._refresh_tokens: dict[str, dict[str, str]] = {}
        self._replaced: dict[str, tuple[dict[str, str], float]] = {}
        self._access_tokens: dict[str, dict[str, Any]] = {}
        self._server = Server(port, self.answer, tls)
        self.issuer = f"{'https' if tls else 'http'}://{host}:{self._server.server_port}"

    def __enter__(self) -> Provider:
        self._server.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop, as a provider that is down has. Closing again does nothing."""
        self._server.stop()

    @property
    def connections(self) -> int:
        return self._server.connections

    def hang_up(self) -> None:
        """Close every connection there is, as a provider does with idle ones."""
        self._server.hang_up()

    def rotate(self, kid: str, algorithm: str = "RS256") -> None:
        """Sign with a new key from now on, and publish only that."""
        self.signing_key = SigningKey(kid, algorithm)
        self.keys = [self.signing_key]

    def withdraw(self) -> None:
        """Take every refresh token back, as when somebody is deactivated."""
        self._refresh_tokens.clear()
        self._replaced.clear()

    def refreshes(self) -> list[Request]:
        """The uses of refresh tokens so far."""
        return [request for request in self.requests_to("/token") if "refresh_token" in request.form]

    def requests_to(self, path: str) -> list[Request]:
        return [request for request in self.requests if request.path == path]

    def code_for(self, url: str) -> dict[str, str]:
        """Be the browser: follow an authorization URL, and return the parameters that come back."""
        query = dict(parse_qsl(urlsplit(url).query))
        reply = self._authorize(Request("GET", "/authorize", query, {}, {}))
        return dict(parse_qsl(urlsplit(reply.headers["Location"]).query))

    def answer(self, request: Request) -> Reply:
        self.requests.append(request)
        routes: dict[tuple[str, str], Callable[[Request], Said | Reply]] = {
            ("GET", "/.well-known/openid-configuration"): self._discovery,
            ("GET", "/keys"): self._key_set,
            ("GET", "/authorize"): self._authorize,
            ("POST", "/token"): self._token,
            ("GET", "/userinfo"): self._userinfo,
            ("GET", "/logout"): self._logout,
        }
        route = routes.get((request.method, request.path))
        said = route(request) if route else Reply(404)
        return said if isinstance(said, Reply) else Reply.json(said)

    def _discovery(self, request: Request) -> Said | Reply:
        return self.on_discovery(
            {
                "issuer": self.issuer,
                "authorization_endpoint": f"{self.issuer}/authorize",
                "token_endpoint": f"{self.issuer}/token",
                "jwks_uri": f"{self.issuer}/keys",
                "userinfo_endpoint": f"{self.issuer}/userinfo",
                "end_session_endpoint": f"{self.issuer}/logout",
                "response_types_supported": ["code"],
                "grant_types_supported": ["authorization_code", "refresh_token"],
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["RS256", "ES256"],
                "token_endpoint_auth_methods_supported": [
                    "client_secret_basic",
                    "client_secret_post",
                    "private_key_jwt",
                ],
                "code_challenge_methods_supported": ["S256"],
                "scopes_supported": ["openid", "profile", "email", "offline_access"],
                "authorization_response_iss_parameter_supported": True,
            },
            request,
        )

    def _key_set(self, request: Request) -> Said | Reply:
        return self.on_keys({"keys": [key.jwk for key in self.keys]}, request)

    def _authorize(self, request: Request) -> Reply:
        asked = request.query
        if asked.get("client_id") not in self.clients or asked.get("code_challenge_method") != "S256":
            return Reply(400, b"unknown client, or no S256")
        params = {"state": asked.get("state", ""), "iss": self.issuer}
        if self.person is None:
            params |= {
                "error": "access_denied",
                "error_description": "User is not assigned to the client application.",
            }
        elif asked.get("prompt") == "none" and not self.is_signed_in:
            params["error"] = "login_required"
        else:
            code = secrets.token_urlsafe(16)
            self.issued.add(code)
            self._codes[code] = asked | {"person": json.dumps(self.person)}
            params["code"] = code
        said = self.on_authorize(params, request)
        if isinstance(said, Reply):
            return said
        separator = "&" if "?" in asked["redirect_uri"] else "?"
        return Reply(302, headers={"Location": asked["redirect_uri"] + separator + urlencode(said)})

    def _token(self, request: Request) -> Said | Reply:
        form = request.form
        client_id = self._authenticated_client(request)
        if client_id is None:
            return Reply.json({"error": "invalid_client"}, 401)
        if form.get("grant_type") == "authorization_code":
            asked = self._codes.pop(form.get("code", ""), None)
        else:
            asked = self._used(form.get("refresh_token", ""))
        if asked is None or asked["client_id"] != client_id or not self._is_proved(asked, form):
            return Reply.json({"error": "invalid_grant", "error_description": "The grant is invalid."}, 400)
        person = json.loads(asked["person"])
        access_token = secrets.token_urlsafe(24)
        self._access_tokens[access_token] = person
        said: Said = {
            "access_token": access_token,
            "token_type": "Bearer",
            "expires_in": 3600,
            "scope": asked["scope"],
            "id_token": self._id_token(asked, person, access_token, request),
        }
        if "offline_access" in asked["scope"].split():
            said["refresh_token"] = secrets.token_urlsafe(24)
            self._refresh_tokens[said["refresh_token"]] = asked
        self.issued |= {said[name] for name in ("access_token", "id_token", "refresh_token") if name in said}
        return self.on_token(said, request)

    def _used(self, refresh_token: str) -> dict[str, str] | None:
        asked, now = self._refresh_tokens.pop(refresh_token, None), time.monotonic()
        if asked is not None:
            self._replaced[refresh_token] = asked, now
            return asked
        asked, used_at = self._replaced.get(refresh_token, (None, 0.0))
        return asked if now - used_at < self.grace else None

    def _is_proved(self, asked: dict[str, str], form: dict[str, str]) -> bool:
        if form.get("grant_type") == "refresh_token":
            return True
        verifier = form.get("code_verifier", "")
        challenge = urlsafe_b64encode(sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        return challenge == asked["code_challenge"] and form.get("redirect_uri") == asked["redirect_uri"]

    def _id_token(self, asked: dict[str, str], person: Said, access_token: str, request: Request) -> str:
        now = int(self.clock())
        said = self.on_id_token(
            {
                "iss": self.issuer,
                "aud": asked["client_id"],
                "iat": now,
                "exp": now + 3600,
                "auth_time": now,
                "nonce": asked["nonce"],
                "at_hash": half_hash(access_token),
                "sid": "session-" + person["sub"],
                **person,
            },
            request,
        )
        return said if isinstance(said, str) else self.signing_key.sign(said)

    def _authenticated_client(self, request: Request) -> str | None:
        """Check who the client is, in whichever of the three ways it says so."""
        form = request.form
        scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
        if scheme == "Basic":
            client_id, _, secret = b64decode(credentials).decode().partition(":")
            client_id, secret = unquote_plus(client_id), unquote_plus(secret)
            return client_id if self._is_secret(client_id, secret) else None
        client_id = form.get("client_id", "")
        if form.get("client_assertion_type") == ASSERTION_TYPE and client_id in self.client_keys:
            key = jwt.PyJWK.from_dict(self.client_keys[client_id])
            try:
                said = jwt.decode(
                    form.get("client_assertion", ""),
                    key,
                    algorithms=["RS256", "ES256"],
                    audience=f"{self.issuer}/token",
                    issuer=client_id,
                    options={"require": ["jti", "exp", "iat", "sub"]},
                )
            except jwt.InvalidTokenError:
                return None
            return client_id if said["sub"] == client_id else None
        return client_id if self._is_secret(client_id, form.get("client_secret", "")) else None

    def _is_secret(self, client_id: str, secret: str) -> bool:
        return bool(secret) and secret in (self.clients.get(client_id), self.second_secrets.get(client_id))

    def _userinfo(self, request: Request) -> Said | Reply:
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        if token not in self._access_tokens:
            return Reply(401)
        return self.on_userinfo(dict(self._access_tokens[token]), request)

    def _logout(self, request: Request) -> Reply:
        back = request.query.get("post_logout_redirect_uri")
        if not back:
            return Reply(200, b"Signed out.", {"Content-Type": "text/plain"})
        state = {"state": request.query["state"]} if "state" in request.query else {}
        return Reply(302, headers={"Location": back + ("?" + urlencode(state) if state else "")})
