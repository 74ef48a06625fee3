"""An OpenID provider that costs next to nothing, so that what is measured is the relying party.

One process, raw asyncio, https only. It enforces PKCE and the client secret, and counts what it is asked.
Not for anything else: whoever comes to /authorize is somebody, in turn.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import itertools
import json
import secrets
import ssl
import sys
import time
from collections import Counter
from urllib.parse import parse_qsl, unquote_plus, urlencode

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

CLIENT_ID, CLIENT_SECRET = "bench", "bench-secret-0123456789abcdef0123456789"
PEOPLE = 600  # so many that nobody piles up the sessions of a week

key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
kid = secrets.token_hex(8)
counts: Counter[str] = Counter()
codes: dict[str, tuple[dict[str, str], int]] = {}
turn = itertools.count()
issuer = ""


def b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def number(value: int) -> str:
    return b64(value.to_bytes((value.bit_length() + 7) // 8, "big"))


def signed(claims: dict[str, object]) -> str:
    head = b64(json.dumps({"alg": "RS256", "kid": kid}).encode())
    body = f"{head}.{b64(json.dumps(claims).encode())}"
    return f"{body}.{b64(key.sign(body.encode(), padding.PKCS1v15(), hashes.SHA256()))}"


def discovery() -> dict[str, object]:
    return {
        "issuer": issuer,
        "authorization_endpoint": f"{issuer}/authorize",
        "token_endpoint": f"{issuer}/token",
        "userinfo_endpoint": f"{issuer}/userinfo",
        "jwks_uri": f"{issuer}/jwks",
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "code_challenge_methods_supported": ["S256"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        "scopes_supported": ["openid", "email", "profile", "offline_access"],
    }


def jwks() -> dict[str, object]:
    public = key.public_key().public_numbers()
    return {
        "keys": [{"kty": "RSA", "use": "sig", "alg": "RS256", "kid": kid, "n": number(public.n), "e": number(public.e)}]
    }


def authorize(query: dict[str, str]) -> str:
    code = secrets.token_urlsafe(24)
    codes[code] = (query, next(turn) % PEOPLE)
    answer = {"code": code, "state": query["state"]}
    return query["redirect_uri"] + ("&" if "?" in query["redirect_uri"] else "?") + urlencode(answer)


def token(form: dict[str, str], headers: dict[str, str]) -> tuple[int, dict[str, object]]:
    client, secret = form.get("client_id", ""), form.get("client_secret", "")
    if headers.get("authorization", "").startswith("Basic "):
        pair = base64.b64decode(headers["authorization"][6:]).decode().partition(":")
        client, secret = unquote_plus(pair[0]), unquote_plus(pair[2])
    query, person = codes.pop(form.get("code", ""), ({}, 0))
    challenge = b64(hashlib.sha256(form.get("code_verifier", "").encode()).digest())
    if (client, secret) != (CLIENT_ID, CLIENT_SECRET):
        return 401, {"error": "invalid_client"}
    if not query or challenge != query.get("code_challenge") or form.get("redirect_uri") != query["redirect_uri"]:
        return 400, {"error": "invalid_grant"}
    now = int(time.time())
    claims = {
        "iss": issuer, "sub": f"bench-{person}", "aud": CLIENT_ID, "exp": now + 300, "iat": now,
        "nonce": query.get("nonce"), "email": f"person{person}@example.test", "name": f"Person {person}",
    }  # fmt: skip
    return 200, {
        "access_token": f"at-{person}-{secrets.token_urlsafe(12)}",
        "refresh_token": secrets.token_urlsafe(32),
        "token_type": "Bearer",
        "expires_in": 300,
        "id_token": signed(claims),
    }


def answer(method: str, target: str, headers: dict[str, str], body: bytes) -> tuple[int, bytes, str]:
    """Return status, body and Location for one request."""
    path, _, query = target.partition("?")
    if path == "/authorize":
        return 302, b"", authorize(dict(parse_qsl(query)))
    if path == "/token":
        counts["token"] += 1
        status, content = token(dict(parse_qsl(body.decode())), headers)
        return status, json.dumps(content).encode(), ""
    if path == "/userinfo":
        counts["userinfo"] += 1
        person = headers.get("authorization", "").removeprefix("Bearer ").split("-")[1]
        return 200, json.dumps({"sub": f"bench-{person}", "email": f"person{person}@example.test"}).encode(), ""
    if path == "/jwks":
        counts["jwks"] += 1
        return 200, json.dumps(jwks()).encode(), ""
    if path == "/.well-known/openid-configuration":
        counts["discovery"] += 1
        return 200, json.dumps(discovery()).encode(), ""
    if path == "/counts":
        content = json.dumps(counts).encode()
        counts.clear()
        return 200, content, ""
    return 404, b"{}", ""


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    counts["connections"] += 1
    try:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            method, target, _ = head[0].split(" ")
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])}
            body = await reader.readexactly(int(headers.get("content-length") or 0))
            status, content, location = answer(method, target, headers, body)
            lines = [f"HTTP/1.1 {status} OK", "Content-Type: application/json", f"Content-Length: {len(content)}"]
            if location:
                lines.append(f"Location: {location}")
            writer.write("\r\n".join([*lines, "", ""]).encode() + content)
            if headers.get("connection", "").lower() == "close":
                break
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


async def main(port: int, certificate: str) -> None:
    global issuer
    issuer = f"https://localhost:{port}"
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server = await asyncio.start_server(serve, "127.0.0.1", port, ssl=context)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), sys.argv[2]))
