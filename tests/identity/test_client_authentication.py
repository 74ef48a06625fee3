"""How we prove who we are at the token endpoint: by a secret in either way, or by a key of our own (R14, K11)."""

from __future__ import annotations

import json
from base64 import b64decode, urlsafe_b64decode, urlsafe_b64encode
from hashlib import sha256

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from identity.oidc import (
    AuthMethod,
    Code,
    Refused,
    SigningKey,
    exchange_code,
    refresh,
)
from tests.identity.walk import Walk, relying_party
from tests.provider import Reply

UNENCRYPTED = (Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def pem(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(*UNENCRYPTED)


@pytest.mark.parametrize("method", [AuthMethod.BASIC, AuthMethod.POST])
@pytest.mark.parametrize("secret", ["plain", "with space+plus%percent:colon&amp=equals", "ünïcødé-✓", "a" * 500])
def test_a_secret_of_any_characters_arrives(walk: Walk, method: AuthMethod, secret: str) -> None:
    """R14, H1: client-secret-basic is form-encoded before it is base64, client_secret_post after."""
    walk.provider.clients["client:with/odd chars"] = secret
    walk.rp = relying_party(walk.provider, client_id="client:with/odd chars", client_secret=secret, auth_method=method)
    assert walk.sign_in().sub == "00u1alice"


@pytest.mark.parametrize("key", [ec.generate_private_key(ec.SECP256R1()), rsa.generate_private_key(65537, 2048)])
def test_a_key_of_our_own_replaces_the_secret(walk: Walk, key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> None:
    """R14: private_key_jwt (RFC 7523), with nothing secret in the request; K11."""
    signing_key = SigningKey.from_pem(pem(key))
    walk.provider.client_keys["gatehouse"] = signing_key.public_jwk()
    walk.rp = relying_party(
        walk.provider, client_secret="", auth_method=AuthMethod.PRIVATE_KEY_JWT, signing_key=signing_key
    )
    assert walk.sign_in().sub == "00u1alice"
    assert walk.sign_in().sub == "00u1alice"
    first, second = walk.provider.requests_to("/token")
    assert first.form["client_assertion"] != second.form["client_assertion"]
    assert "client_secret" not in first.form
    assert "authorization" not in first.headers


def test_our_published_key_is_only_the_public_half() -> None:
    """R14, R12: and the same key always has the same name."""
    for key in (ec.generate_private_key(ec.SECP256R1()), rsa.generate_private_key(65537, 2048)):
        signing_key = SigningKey.from_pem(pem(key))
        assert not {"d", "p", "q", "dp", "dq", "qi", "k"} & set(signing_key.public_jwk())
        assert SigningKey.from_pem(pem(key)).kid == signing_key.kid
    for weak in (ec.generate_private_key(ec.SECP384R1()), rsa.generate_private_key(65537, 1024)):  # noqa: S505 - refused below
        with pytest.raises(ValueError, match="2048"):
            SigningKey.from_pem(pem(weak))


@pytest.mark.parametrize(("algorithm", "names"), [("RS256", ("e", "kty", "n")), ("ES256", ("crv", "kty", "x", "y"))])
def test_a_key_of_ours_is_made_named_and_published_by_the_standards(algorithm: str, names: tuple[str, ...]) -> None:
    """R14, K11: RFC 7517 and 7638."""
    pem = SigningKey.generate(algorithm)
    assert pem.startswith(b"-----BEGIN PRIVATE KEY-----")
    key = SigningKey.from_pem(pem)
    published = key.public_jwk()
    assert set(published) == {*names, "kid", "use", "alg"}
    assert (published["use"], published["alg"], key.algorithm) == ("sig", algorithm, algorithm)
    canonical = "{" + ",".join(f'"{name}":"{published[name]}"' for name in names) + "}"
    assert published["kid"] == key.kid == urlsafe_b64encode(sha256(canonical.encode()).digest()).decode().rstrip("=")
    assert "PRIVATE" not in repr(key)
    if isinstance(key.private_key, rsa.RSAPrivateKey):
        assert (key.private_key.key_size, published["e"]) == (2048, "AQAB")
    with pytest.raises(KeyError):
        SigningKey.generate("HS256")
    for no_key in (b"", b"not a key", ed25519.Ed25519PrivateKey.generate().private_bytes(*UNENCRYPTED)):
        with pytest.raises(ValueError, match=r"."):
            SigningKey.from_pem(no_key)


@pytest.mark.parametrize("method", ["private_key_jwt", "client_secret_jwt", "none", ""])
def test_a_way_of_proving_ourselves_that_we_cannot_use_is_refused_before_any_request(walk: Walk, method: str) -> None:
    """R14."""
    walk.rp = relying_party(walk.provider, auth_method=method)
    with pytest.raises(Refused) as caught:
        walk.sign_in()
    assert (caught.value.code, caught.value.got) == (Code.CLIENT_AUTHENTICATION_IMPOSSIBLE, method)
    assert walk.provider.requests_to("/token") == []


def test_an_assertion_is_for_one_address_one_minute_and_one_use(walk: Walk) -> None:
    """R14, K11: RFC 7523, section 3; no other server can be shown it."""
    signing_key = SigningKey.from_pem(SigningKey.generate("RS256"))
    metadata = walk.cache.metadata(walk.rp)
    walk.provider.on_token = lambda said, request: Reply.json({"error": "invalid_grant"}, 400)
    rp = relying_party(walk.provider, client_secret="", auth_method=AuthMethod.PRIVATE_KEY_JWT, signing_key=signing_key)
    for _ in range(2):
        with pytest.raises(Refused):
            exchange_code(rp, metadata, "code", "v" * 43, walk.egress, at=1_800_000_000.9)
    [first, second] = [request.form for request in walk.provider.requests_to("/token")]
    assert first["client_assertion_type"] == "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    assert first["client_id"] == "gatehouse"
    header, payload = (json.loads(urlsafe_b64decode(part + "==")) for part in first["client_assertion"].split(".")[:2])
    assert header == {"alg": "RS256", "kid": signing_key.kid, "typ": "JWT"}
    jti = payload.pop("jti")
    assert len(jti) == 32
    assert jti not in b64decode(second["client_assertion"].split(".")[1] + "==", altchars="-_").decode()
    assert payload == {
        "iss": "gatehouse",
        "sub": "gatehouse",
        "aud": metadata.token_endpoint,
        "iat": 1_800_000_000,
        "exp": 1_800_000_060,
    }


def test_an_assertion_for_a_refresh_is_of_the_time_of_the_refresh(walk: Walk) -> None:
    """R14, K11: an old one is none."""
    signing_key = SigningKey.from_pem(SigningKey.generate("RS256"))
    rp = relying_party(walk.provider, client_secret="", auth_method=AuthMethod.PRIVATE_KEY_JWT, signing_key=signing_key)
    walk.provider.on_token = lambda said, request: Reply.json({"error": "invalid_grant"}, 400)
    with pytest.raises(Refused):
        refresh(rp, walk.cache.metadata(rp), "a-refresh-token", walk.egress, at=1_800_000_300)
    [sent] = walk.provider.requests_to("/token")
    payload = json.loads(urlsafe_b64decode(sent.form["client_assertion"].split(".")[1] + "=="))
    assert (payload["iat"], payload["exp"]) == (1_800_000_300, 1_800_000_360)
