"""H2–H13 and R2: ID tokens that are not what they must be, and odd ones that are."""

from __future__ import annotations

import json

from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.conformance.acts import (
    GONE,
    altered,
    answers,
    b64,
    both,
    claims,
    header,
    hmac_with,
    metadata,
    payload,
    publish,
    signed_by,
    times,
    token,
    unsigned,
)
from tests.conformance.scenario import CLIENT_TEST, FAPI, Act, Row, Scenario, refused, signed_in
from tests.conformance.stage import Stage
from tests.provider import Said, SigningKey

H2 = Row("H2", CLIENT_TEST + "invalid-iss")
H3 = Row("H3", CLIENT_TEST + "missing-sub")
H4 = Row("H4", CLIENT_TEST + "invalid-aud")
H5 = Row("H5", FAPI + "valid-aud-as-array")
H6 = Row("H6", FAPI + "invalid-expired-exp")
H7 = Row("H7", CLIENT_TEST + "kid-absent-single-jwks")
H8 = Row("H8", CLIENT_TEST + "kid-absent-multiple-jwks")
H9 = Row("H9", CLIENT_TEST + "idtoken-sig-none")
H10 = Row("H10", CLIENT_TEST + "invalid-sig-rs256")
H12 = Row("H12", CLIENT_TEST + "nonce-invalid")
H13 = Row("H13", CLIENT_TEST + "invalid-athash")
R2 = Row("R2")
R3 = Row("R3")

ALTERNATE, NULL = FAPI + "invalid-alternate-alg", FAPI + "invalid-null-alg"
issuer, audience, subject = refused("issuer_mismatch"), refused("audience_mismatch"), refused("bad_subject")
absurd, missing, algorithm = refused("absurd_time"), refused("missing_claim"), refused("algorithm_not_allowed")
HOUR, FIRST, NAMELESS, SMALL = 3600, SigningKey(), SigningKey(None), SigningKey("small", bits=1024)
NAMELESS_FIRST = SigningKey(None, name="first")


def public_pem(stage: Stage) -> bytes:
    return stage.provider.signing_key.private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def near(change: str) -> Act:
    """The issuer, nearly: `{}` stands for it."""
    return token(lambda stage, said: FIRST.sign(said | {"iss": change.format(stage.provider.issuer)}))


def upper(stage: Stage, said: Said) -> str:
    return FIRST.sign(said | {"iss": said["iss"].replace("http", "HTTP")})


def of_an_older_attempt(stage: Stage) -> None:
    """Keep the ID token of an earlier sign-in, and hand it out again."""
    kept: list[str] = []

    def once(said: Said, request: object) -> str:
        kept.append(FIRST.sign(said))
        return kept[0]

    stage.provider.on_id_token = once
    browser = type(stage.browser)(stage.enterprise)
    assert stage.journey.sign_in(browser).status_code == 302


def small(stage: Stage, said: Said) -> str:
    """Sign with the small key by hand: the library warns of it, rightly."""
    signed = f"{b64({'alg': 'RS256', 'kid': 'small'})}.{b64(said)}"
    return f"{signed}.{b64(SMALL.private.sign(signed.encode(), PKCS1v15(), SHA256()))}"


ISSUERS: list[Scenario] = [
    H2("another", "names another issuer in the ID token", claims(iss="https://evil.example"), issuer),
    H2("absent", "names no issuer", claims(iss=GONE), missing, module=FAPI + "invalid-missing-iss"),
    H2("null", "names null as issuer", claims(iss=None), missing),
    H2("trailing-slash", "adds a slash to its issuer", near("{}/"), issuer),
    H2("longer", "adds a path to its issuer", near("{}/oauth2/default"), issuer),
    H2("suffix", "adds a domain to its issuer", near("{}.evil.example"), issuer),
    H2("space", "adds a space to its issuer", near("{} "), issuer),
    H2("case", "writes its issuer in capitals", token(upper), issuer),
    H2("empty", "names an empty issuer", claims(iss=""), issuer),
    H2(
        "list",
        "names its issuer in a list",
        token(lambda stage, said: FIRST.sign(said | {"iss": [said["iss"]]})),
        issuer,
    ),
    H2("number", "names a number as issuer", claims(iss=7), issuer),
]
SUBJECTS: list[Scenario] = [
    H3("absent", "names no subject", claims(sub=GONE), missing),
    H3("null", "names null as subject", claims(sub=None), missing),
    H3("empty", "names an empty subject", claims(sub=""), subject),
    H3("blank", "names a subject of spaces", claims(sub="   "), subject),
    H3("too-long", "names a subject of 256 characters", claims(sub="x" * 256), subject),
    H3("number", "names a number as subject", claims(sub=17), subject),
    H3("list", "names the subject in a list", claims(sub=["00u1dana"]), subject),
    H3("object", "names an object as subject", claims(sub={"id": "00u1dana"}), subject),
    H3("true", "names true as subject", claims(sub=True), subject),
    H3("line-break", "names a subject with a line break", claims(sub="00u1dana\n"), subject),
    H3("case", "names the subject in capitals", claims(sub="00U1DANA"), refused("account_not_linked", 403)),
]
AUDIENCES: list[Scenario] = [
    H4("another", "makes the ID token for another client", claims(aud="another"), audience),
    H4("absent", "makes it for nobody", claims(aud=GONE), missing, module=FAPI + "invalid-missing-aud"),
    H4("null", "makes it for null", claims(aud=None), missing, module=FAPI + "invalid-missing-aud"),
    H4("empty-list", "makes it for an empty list", claims(aud=[]), audience),
    H4("second", "makes it for us and another", claims(aud=["gatehouse", "x"]), audience,
       module=FAPI + "invalid-secondary-aud"),
    H4("second-azp", "makes it for us and another, asked for by us", claims(aud=["gatehouse", "x"], azp="gatehouse"),
       audience, module=FAPI + "invalid-secondary-aud"),
    H4("twice", "makes it for us, twice", claims(aud=["gatehouse", "gatehouse"]), audience),
    H4("prefix", "makes it for a client whose name begins with ours", claims(aud="gatehouse2"), audience),
    H4("case", "makes it for our name in capitals", claims(aud="GATEHOUSE"), audience),
    H4("object", "makes it for an object", claims(aud={"gatehouse": 1}), audience),
    H5("one", "makes it for a list with us alone", claims(aud=["gatehouse"]), signed_in()),
    R2("azp-another", "says another client asked for it", claims(azp="another"), refused("azp_mismatch")),
    R2("azp-list", "says a list of clients asked for it", claims(azp=["gatehouse"]), refused("azp_mismatch")),
    R2("azp-null", "says null asked for it", claims(azp=None), refused("azp_mismatch")),
    R2("azp-ours", "says we asked for it", claims(azp="gatehouse"), signed_in()),
]  # fmt: skip
TIMES: list[Scenario] = [
    H6("no-iat", "leaves out when it was issued", claims(iat=GONE), missing, module=CLIENT_TEST + "missing-iat"),
    H6("no-exp", "leaves out when it expires", claims(exp=GONE), missing, module=FAPI + "invalid-missing-exp"),
    H6("expired", "hands out a token that expired 90 seconds ago", times(iat=-500, exp=-90), refused("expired")),
    H6("expired-long-ago", "hands out yesterday's token", times(iat=-86400, exp=-86400 + HOUR), refused("expired")),
    H6("just-expired", "has a clock that is half a minute behind", times(iat=-500, exp=-30), signed_in()),
    H6("exp-before-iat", "lets it expire before it was issued", times(exp=-5), absurd),
    H6("milliseconds", "counts in milliseconds", claims(exp=4_000_000_000_000, iat=1_800_000_000_000), absurd),
    H6("for-ever", "issues it for a hundred years", times(exp=HOUR * 24 * 36500), absurd),
    H6("text", "writes the time as text", claims(exp="4000000000"), absurd),
    H6("true", "expires at true", claims(exp=True), absurd),
    H6("negative", "was issued before 1970", claims(iat=-1), absurd),
    H6("huge", "expires at a number of 400 digits", claims(exp=10**400), absurd),
    H6("infinite", "expires at 1e400",
       payload(lambda said: json.dumps(said | {"exp": "?"}).replace('"?"', "1e400").encode()), absurd),
    H6("from-the-future", "issues it two minutes from now", times(iat=120), refused("issued_in_future")),
    H6("old", "issued it eleven minutes ago", times(iat=-660), refused("too_old")),
    H6("not-yet", "makes it valid in two minutes", times(nbf=120), refused("not_yet_valid")),
    H6("nbf-text", "makes it valid “soon”", claims(nbf="soon"), refused("not_yet_valid")),
    H6("skew", "has a clock that is half a minute ahead", times(iat=30, nbf=30), signed_in()),
    R2("auth-time-text", "writes the time of authentication as text", claims(auth_time="now"), refused("bad_claim")),
    R2("sid-list", "names a list as session", claims(sid=["a"]), refused("bad_claim")),
]  # fmt: skip
KEYS: list[Scenario] = [
    H7("one", "names no key and publishes one", publish(NAMELESS), signed_in()),
    H7("one-named", "names no key in the header, the one it publishes has a name",
       both(publish(FIRST), token(lambda stage, said: NAMELESS_FIRST.sign(said))), signed_in()),
    H7("one-to-sign", "names no key and publishes one for signatures, one for encryption",
       publish(NAMELESS, SigningKey("enc").jwk | {"use": "enc"}), signed_in()),
    H8("two", "names no key and publishes two", publish(NAMELESS, SigningKey("other")), refused("ambiguous_key")),
    H8("two-kinds", "names no key and publishes an RSA and an EC key",
       publish(NAMELESS, SigningKey("ec", "ES256")), refused("ambiguous_key")),
    H8("twins", "publishes two keys of one name", publish(FIRST, SigningKey("twin").jwk | {"kid": "first"}),
       refused("ambiguous_key")),
    R3("kid-unknown", "names a key that is not published", header(kid="elsewhere"), refused("unknown_key", keys=2)),
    R3("kid-path", "names a file as key", header(kid="../../../../dev/null"), refused("unknown_key")),
    R3("kid-sql", "names a query as key", header(kid="' OR 1=1 --"), refused("unknown_key")),
    R3("kid-list", "names a list as key",
       token(lambda stage, said: f"{b64({'alg': 'RS256', 'kid': ['first']})}.{b64(said)}.{b64(b'x')}"),
       refused("unknown_key")),
    R3("small", "signs with an RSA key of 1024 bits", both(publish(SMALL), token(small)),
       refused("key_too_small")),
    R3("for-encryption", "signs with a key that is for encryption",
       publish(FIRST.jwk | {"use": "enc"}, SigningKey("other").jwk), refused("unknown_key")),
]  # fmt: skip
SIGNATURES: list[Scenario] = [
    H9("none", "does not sign", unsigned("none"), algorithm),
    H9("none-capital", "does not sign, and says so as “None”", unsigned("None"), algorithm),
    H9("none-capitals", "does not sign, and says so as “NONE”", unsigned("NONE"), algorithm),
    H9("none-signed", "says “none” above a signature", unsigned("none", signature=b"x" * 256), algorithm),
    H9("empty", "names an empty algorithm", unsigned(""), algorithm, module=NULL),
    H9("null", "names null as algorithm", unsigned(None), algorithm, module=NULL),
    H9("list", "names a list as algorithm", unsigned(["RS256"]), algorithm, module=NULL),
    H9("no-signature", "says RS256 and leaves the signature out", unsigned("RS256"), refused("bad_signature")),
    H10("altered", "has its token changed on the way", token(altered), refused("bad_signature")),
    H10("another-key", "signs with a key it does not publish", signed_by(SigningKey("impostor"), "first"),
        refused("bad_signature")),
    H10("es256", "signs ES256 with a key it does not publish",
        both(publish(SigningKey("ec", "ES256")), signed_by(SigningKey("ec2", "ES256"), "ec")),
        refused("bad_signature"), module=CLIENT_TEST + "invalid-sig-es256"),
    H10("hs256-public", "makes an HMAC with its public key", hmac_with(public_pem), algorithm,
        module=CLIENT_TEST + "invalid-sig-hs256"),
    H10("hs256-secret", "makes an HMAC with our client secret",
        hmac_with(lambda stage: stage.provider.clients["gatehouse"].encode()), algorithm,
        module=CLIENT_TEST + "invalid-sig-hs256"),
    H10("hs256-offered", "offers HS256, publishes the key, and signs with it",
        both(metadata(id_token_signing_alg_values_supported=["HS256", "RS256"]),
             answers("keys", lambda stage, said, request: {
                 "keys": [*said["keys"], {"kty": "oct", "kid": "shared", "alg": "HS256", "k": b64(b"shared")}]}),
             hmac_with(lambda stage: b"shared", kid="shared")), algorithm,
        module=CLIENT_TEST + "invalid-sig-hs256"),
    H10("rs384", "says RS384", unsigned("RS384", signature=b"x" * 256), algorithm, module=ALTERNATE),
    H10("rs512", "signs RS512, really", token(lambda stage, said: SigningKey("first", "RS512").sign(said)), algorithm,
        module=ALTERNATE),
    H10("eddsa", "says EdDSA", unsigned("EdDSA", signature=b"x" * 64), algorithm, module=ALTERNATE),
    H10("ps256-not-offered", "signs PS256 and does not offer it",
        both(publish(SigningKey("ps", "PS256")), metadata()), algorithm, module=ALTERNATE),
    H10("es256-not-offered", "signs ES256 and offers only RS256",
        both(publish(SigningKey("ec", "ES256")), metadata(id_token_signing_alg_values_supported=["RS256"])), algorithm,
        module=ALTERNATE),
    H10("rsa-named-ec-signed", "signs ES256 and names an RSA key",
        both(publish(FIRST, SigningKey("ec", "ES256")), signed_by(SigningKey("ec", "ES256"), "first")),
        refused("unknown_key"), module=ALTERNATE),
    R3("jku", "brings the address of its keys along",
       token(lambda stage, said: FIRST.sign(said, jku=f"{stage.canary.origin}/keys")), refused("header_not_allowed")),
    R3("x5u", "brings the address of a certificate along",
       token(lambda stage, said: FIRST.sign(said, x5u=f"{stage.canary.origin}/c")), refused("header_not_allowed")),
    R3("jwk", "brings its own key along",
       token(lambda stage, said: SigningKey("own").sign(said, jwk=SigningKey("own").jwk)),
       refused("header_not_allowed")),
    R3("crit", "demands an extension", header(crit=["exp"]), refused("header_not_allowed")),
    R2("access-token", "hands out an access token as ID token", header(typ="at+jwt"), refused("wrong_token_type")),
    R2("logout-token", "hands out a logout token as ID token", header(typ="logout+jwt"), refused("wrong_token_type")),
    R2("encrypted", "encrypts", token(lambda stage, said: "a.b.c.d.e"), refused("malformed_token")),
    R2("not-a-token", "hands out a word", token(lambda stage, said: "token"), refused("malformed_token")),
    R2("a-list", "signs a list", payload(lambda said: b"[]"), refused("malformed_token")),
    R2("not-json", "signs something that is not JSON", payload(lambda said: b"\xff\xfe"), refused("malformed_token")),
    R2("surrogate", "signs half a character", payload(lambda said: b'{"sub": "\\ud800"}'), refused("malformed_token")),
]  # fmt: skip
NONCES: list[Scenario] = [
    H12("another", "answers with another nonce", claims(nonce="another"), refused("nonce_mismatch")),
    H12("absent", "answers without the nonce", claims(nonce=GONE), missing, module=FAPI + "invalid-missing-nonce"),
    H12("null", "answers with null as nonce", claims(nonce=None), missing, module=FAPI + "invalid-missing-nonce"),
    H12("empty", "answers with an empty nonce", claims(nonce=""), refused("bad_claim")),
    H12("older", "hands out the ID token of an older sign-in", of_an_older_attempt, refused("nonce_mismatch")),
    H12("list", "answers with the nonce in a list",
        token(lambda stage, said: FIRST.sign(said | {"nonce": [said["nonce"]]})), refused("bad_claim")),
    H12("longer", "adds a space to the nonce",
        token(lambda stage, said: FIRST.sign(said | {"nonce": said["nonce"] + " "})), refused("nonce_mismatch")),
    H13("wrong", "hashes another access token", claims(at_hash="x" * 22), refused("at_hash_mismatch")),
    H13("empty", "gives an empty hash", claims(at_hash=""), refused("at_hash_mismatch")),
    H13("number", "gives a number as hash", claims(at_hash=5), refused("at_hash_mismatch")),
    H13("c-hash", "hashes another code", claims(c_hash="x" * 22), refused("c_hash_mismatch")),
    H13("absent", "gives no hash", claims(at_hash=GONE), signed_in()),
    H13("swapped", "hands out another access token than it hashed",
        answers("token", {"access_token": "another-access-token"}), refused("at_hash_mismatch")),
]  # fmt: skip

SCENARIOS = [*ISSUERS, *SUBJECTS, *AUDIENCES, *TIMES, *KEYS, *SIGNATURES, *NONCES]
