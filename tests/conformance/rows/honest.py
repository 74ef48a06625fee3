"""H1, H14, H16, H24 and R13–R15: honest providers, however odd, sign people in; keys may change at any time."""

from __future__ import annotations

import json

from identity.credentials import ClientKey, ClientSecret
from identity.models import ClientAuthentication
from tests.conformance.acts import (
    GONE,
    answers,
    both,
    claims,
    endpoint_at,
    header,
    honest,
    knows_our_key,
    meanwhile,
    met_before,
    metadata,
    no_email,
    publish,
    returns,
)
from tests.conformance.scenario import CLIENT_TEST, FAPI, Act, Row, Scenario, at_once, refused, signed_in
from tests.conformance.stage import Stage
from tests.provider import Said, SigningKey
from tests.serving import Reply, Request

H1 = Row("H1", "oidcc-client-test")
H14 = Row("H14", CLIENT_TEST + "discovery-openid-config")
H16 = Row("H16", CLIENT_TEST + "signing-key-rotation")
H24 = Row("H24", FAPI + "token-type-case-insensitivity")
R13 = Row("R13")
R14 = Row("R14")
USERINFO = CLIENT_TEST + "scope-userinfo-claims"
bad_tokens = refused("bad_token_response")


def authenticates_by(method: str, secret: str) -> Act:
    """Give us this secret over there, and enter it here."""

    def arrange(stage: Stage) -> None:
        stage.provider.clients["gatehouse"] = secret
        revision = stage.connection.serving
        revision.client_authentication = method
        revision.secret = ClientSecret.taken(
            stage.connection, secret, by=stage.journey.cast.ingrid, at=revision.created_at
        )
        revision.save()

    return arrange


def has_another_key(stage: Stage) -> None:
    stage.provider.client_keys["gatehouse"] = SigningKey("nobody-s").jwk


def rotated_too_early(stage: Stage) -> None:
    """Sign with the next key at once; over there nobody has looked since."""
    stage.connection.refresh_from_db()
    ClientKey.publish(stage.connection, at=stage.connection.created_at).sign(stage.connection.created_at)


def rotates(stage: Stage) -> None:
    stage.provider.rotate("second")


def many_unknown_kids(stage: Stage) -> None:
    """Name a key nobody knows, fifteen times over, then once more."""
    stage.provider.on_id_token = lambda said, request: SigningKey().sign(said, kid="nobody-knows")
    browser = type(stage.browser)(stage.enterprise)
    for _ in range(15):
        assert stage.journey.sign_in(browser).status_code == 400
    assert len(stage.provider.requests_to("/keys")) == 2


def keys_vanish(stage: Stage) -> None:
    rotates(stage)
    stage.provider.on_keys = lambda said, request: Reply(503)


def no_more_metadata(stage: Stage) -> None:
    stage.provider.on_discovery = lambda said, request: Reply(500)


def pkce_is_sent(stage: Stage) -> None:
    def check() -> None:
        (request,) = stage.provider.requests_to("/token")
        assert len(request.form["code_verifier"]) == 64
        assert "code_challenge_method=S256" in stage.url

    stage.checks.append(check)


def infinite(stage: Stage, said: Said, request: Request) -> Reply:
    return Reply(200, json.dumps(said | {"expires_in": "?"}).replace('"?"', "1e400").encode())


HONEST: list[Scenario] = [
    H1("honest", "does everything right", honest, signed_in(keys=1)),
    H1("rs256", "signs RS256", publish(SigningKey("rsa")), signed_in(), module=CLIENT_TEST + "idtoken-sig-rs256"),
    H1("es256", "signs ES256", publish(SigningKey("ec", "ES256")), signed_in()),
    H1("ps256", "offers PS256 and signs with it",
       both(metadata(id_token_signing_alg_values_supported=["PS256"]), publish(SigningKey("ps", "PS256"))),
       signed_in()),
    H1("basic", "asks for our secret in the header, one of every character",
       authenticates_by(ClientAuthentication.BASIC, "a b+c%d:e&f=g/h?i#j ünïcødé"), signed_in(),
       module=CLIENT_TEST + "client-secret-basic"),
    R14("post", "asks for our secret in the body, one of every character",
        authenticates_by(ClientAuthentication.POST, "a b+c%d:e&f=g/h?i#j ünïcødé"), signed_in()),
    R14("key", "asks for a signature of ours, and has our RS256 key", knows_our_key(), signed_in()),
    R14("key-es256", "asks for a signature of ours, and has our ES256 key", knows_our_key("ES256"), signed_in()),
    R14("key-unknown", "asks for a signature of ours, and has another key", both(knows_our_key(), has_another_key),
        refused("invalid_client")),
    R14("key-rotated", "knows only the key before the one that signs", both(knows_our_key(), rotated_too_early),
        signed_in(tokens=2)),
    R14("key-elsewhere", "has another origin's token endpoint, and asks for a signature of ours",
        both(knows_our_key(), endpoint_at(token_endpoint="{canary}/token")), at_once("endpoints_elsewhere")),
    H1("userinfo", "gives the email only at userinfo, at a first sign-in", no_email, signed_in(), module=USERINFO,
       is_invited=True),
    H1("invited", "signs in somebody invited", honest, signed_in(), is_invited=True),
    H1("few-claims", "says only what it must", claims(email=GONE, name=GONE, auth_time=GONE, sid=GONE, at_hash=GONE),
       signed_in()),
    H1("many-claims", "says more than anybody asked for",
       claims(groups=["Everyone"] * 90, address={"country": "NO"}, amr=["pwd", "mfa"], x=None, y=[[]], z=1.5),
       signed_in()),
    H1("met-before", "is known already", met_before, signed_in(keys=0)),
    H14("metadata", "publishes metadata with things nobody knows",
        metadata(x_future=[{"a": 1}], service_documentation=5),
        signed_in()),
    H14("keys", "publishes its keys among others nobody can use",
        publish(SigningKey(), {"kty": "OKP", "crv": "Ed25519", "kid": "first", "x": "AA"}, {"kty": "new"},
                {"kty": "oct", "kid": "first", "k": "AA"}), signed_in(),
        module=CLIENT_TEST + "discovery-jwks-uri-keys"),
    H14("few-members", "publishes the least metadata there can be",
        metadata(scopes_supported=GONE, grant_types_supported=GONE, response_types_supported=GONE,
                 token_endpoint_auth_methods_supported=GONE, userinfo_endpoint=GONE, end_session_endpoint=GONE),
        signed_in()),
    R13("s256", "demands S256", pkce_is_sent, signed_in()),
    R13("not-advertised", "does not advertise S256",
        both(metadata(code_challenge_methods_supported=GONE), pkce_is_sent), signed_in()),
    R13("plain", "advertises only plain", both(metadata(code_challenge_methods_supported=["plain"]), pkce_is_sent),
        signed_in()),
]  # fmt: skip
ROTATIONS: list[Scenario] = [
    H16("before", "has rotated its keys since the last sign-in", both(met_before, rotates), signed_in(keys=1)),
    H16("just-before-signing", "rotates while somebody signs in", both(met_before, meanwhile(rotates)),
        signed_in(keys=1), module=CLIENT_TEST + "signing-key-rotation-just-before-signing"),
    H16("seconds-after-the-first-look", "rotates between the first look at its keys and the first signature",
        both(met_before, rotates, honest), signed_in(keys=1)),
    H16("other-kind", "rotates from RSA to EC",
        both(met_before, lambda stage: stage.provider.rotate("second", "ES256")), signed_in(keys=1)),
    H16("nameless", "rotates a key that has no name",
        both(publish(SigningKey(None)), met_before, publish(SigningKey(None, name="next"))), signed_in(keys=1)),
    H16("many-unknown", "names unknown keys fifteen times over", many_unknown_kids,
        refused("unknown_key", keys=0)),
    H16("keys-down", "rotates, and its keys cannot be had", both(met_before, keys_vanish),
        refused("provider_unavailable", 503, keys=1)),
    H16("metadata-gone", "is known, and its metadata cannot be had any more", both(met_before, no_more_metadata),
        signed_in(keys=0)),
    H16("withdrawn", "signs with a key it never published", both(met_before, header(kid="zeroth")),
        refused("unknown_key", keys=1)),
]  # fmt: skip
ODD: list[Scenario] = [
    H24("lower", "calls the token type bearer", answers("token", {"token_type": "bearer"}), signed_in()),
    H24("upper", "calls the token type BEARER", answers("token", {"token_type": "BEARER"}), signed_in()),
    H24("no-lifetime", "says no lifetime", answers("token", {"expires_in": GONE}), signed_in(),
        module=FAPI + "token-endpoint-response-without-expires_in"),
    H24("odd-lifetime", "says “soon” as lifetime", answers("token", {"expires_in": "soon"}), signed_in()),
    H24("infinite-lifetime", "says 1e400 as lifetime", answers("token", infinite), signed_in()),
    H24("no-scope", "does not say which scope it gave", answers("token", {"scope": GONE}), signed_in()),
    H24("more", "says more at the token endpoint", answers("token", {"x": [{}], "session_state": "a.b"}), signed_in()),
    H24("mac", "calls the token type mac", answers("token", {"token_type": "mac"}), bad_tokens),
    H24("dpop", "calls the token type DPoP", answers("token", {"token_type": "DPoP"}), bad_tokens),
    H24("no-type", "does not say the token type", answers("token", {"token_type": GONE}), bad_tokens),
    H24("type-list", "names a list of token types", answers("token", {"token_type": ["Bearer"]}), bad_tokens),
    H24("no-id-token", "gives no ID token", answers("token", {"id_token": GONE}), bad_tokens),
    H24("id-token-object", "gives the claims in the open", answers("token", {"id_token": {"sub": "00u1dana"}}),
        bad_tokens),
    H24("no-access-token", "gives no access token", answers("token", {"access_token": GONE}), bad_tokens),
    H24("access-token-breaks", "puts a line break into the access token",
        answers("token", {"access_token": "a\r\nX-Evil: 1"}), bad_tokens),
    H24("no-promise", "does not promise its issuer in the response, and leaves it out",
        both(metadata(authorization_response_iss_parameter_supported=GONE), returns(iss=GONE)), signed_in()),
]  # fmt: skip

SCENARIOS = [*HONEST, *ROTATIONS, *ODD]
