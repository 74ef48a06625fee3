"""H14, H15, H31: what a provider says about itself. Whoever says wrong things there is not even asked for a sign-in."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

from tests.conformance.acts import (
    GONE,
    accepts,
    answers,
    both,
    claims,
    endpoint_at,
    metadata,
)
from tests.conformance.scenario import CLIENT_TEST, Act, Row, Scenario, at_once, refused, signed_in
from tests.conformance.stage import Stage, open_door
from tests.provider import Said, SigningKey
from tests.serving import Reply, Request

H14 = Row("H14", CLIENT_TEST + "discovery-openid-config")
KEYS = Row("H14", CLIENT_TEST + "discovery-jwks-uri-keys")
H15 = Row("H15", CLIENT_TEST + "discovery-issuer-mismatch")
H31 = Row("H31")
other, malformed = at_once("discovery_issuer_mismatch"), at_once("discovery_malformed")
lacks, bad, elsewhere = (
    at_once("discovery_missing_endpoint"),
    at_once("discovery_bad_endpoint"),
    at_once("endpoints_elsewhere"),
)


def calls_itself(change: str) -> Act:
    """Publish another issuer; `{}` stands for the right one."""

    def say(stage: Stage, said: Said, request: Request) -> Said:
        return said | {"issuer": change.format(said["issuer"])}

    return answers("discovery", say)


def upper(stage: Stage, said: Said, request: Request) -> Said:
    return said | {"issuer": said["issuer"].upper()}


def query_is_merged(stage: Stage) -> None:
    """Have a query in the authorization endpoint already, some of it ours."""
    endpoint_at(authorization_endpoint="{issuer}/authorize?tenant=7&client_id=evil&state=known")(stage)

    def check() -> None:
        asked = parse_qs(urlsplit(stage.url).query)
        assert asked["tenant"] == ["7"]
        assert asked["client_id"] == ["gatehouse"]
        assert asked["state"] != ["known"]
        assert len(asked["state"]) == 1

    stage.checks.append(check)


def inside(address: str) -> Act:
    """Put the token endpoint on a host an administrator said yes to, which leads to `address`."""

    def arrange(stage: Stage) -> None:
        open_door(resolver=lambda host, port: ["127.0.0.1"] if host == "127.0.0.1" else [address])
        accepts("https://tokens.example.com")(stage)
        endpoint_at(token_endpoint="https://tokens.example.com/token")(stage)

    return arrange


def userinfo_elsewhere(stage: Stage) -> None:
    """Have userinfo on another origin, to which an administrator said yes."""
    origin = stage.serve(lambda request: Reply.json(stage.provider.person))
    accepts(origin)(stage)
    claims(email=GONE)(stage)
    stage.provider.on_discovery = lambda said, request: said | {"userinfo_endpoint": f"{origin}/me"}


def bodies(name: str, act: str, reply: Reply, code: str, status: int = 400) -> list[Scenario]:
    """One thing wrong with the metadata, and the same with the keys."""
    keys_code = {"discovery_malformed": "keys_malformed", "discovery_not_found": "keys_malformed"}.get(code, code)
    return [
        H14(name, f"answers for metadata {act}", answers("discovery", reply), at_once(code, status)),
        KEYS(f"keys-{name}", f"answers for keys {act}", answers("keys", reply), refused(keys_code, status)),
    ]


DISCOVERY: list[Scenario] = [
    H15("another", "calls itself by another issuer", metadata(issuer="https://evil.example"), other),
    H15("trailing-slash", "adds a slash to its issuer", calls_itself("{}/"), other),
    H15("longer", "adds a path to its issuer", calls_itself("{}/oauth2/default"), other),
    H15("case", "writes its issuer in capitals", answers("discovery", upper), other),
    H15("absent", "names no issuer", metadata(issuer=GONE), other),
    H15("list", "names a list as issuer", metadata(issuer=["https://evil.example"]), other),
    H15("null", "names null as issuer", metadata(issuer=None), other),
    *bodies("html", "with a page", Reply(200, b"<!doctype html>", {"Content-Type": "text/html"}),
            "discovery_malformed"),
    *bodies("list", "with a list", Reply.json([]), "discovery_malformed"),
    *bodies("empty", "with nothing", Reply(200), "discovery_malformed"),
    *bodies("not-text", "with bytes that are no text", Reply(200, b"\xff\xfe{}"), "discovery_malformed"),
    *bodies("deep", "with a hundred thousand brackets", Reply(200, b"[" * 100_000), "discovery_malformed"),
    *bodies("nan", "with a number that is none", Reply(200, b'{"issuer": NaN}'), "discovery_malformed"),
    *bodies("nul", "with a NUL in a text", Reply(200, b'{"issuer": "\\u0000"}'), "discovery_malformed"),
    *bodies("404", "with 404", Reply(404), "discovery_not_found"),
    *bodies("401", "with 401", Reply(401), "discovery_not_found"),
    *bodies("204", "with 204", Reply(204), "discovery_not_found"),
    *bodies("500", "with 500", Reply(500), "provider_unavailable", 503),
    *bodies("429", "with 429", Reply(429), "provider_unavailable", 503),
    KEYS("keys-none", "publishes no key", answers("keys", {"keys": []}), refused("no_usable_keys")),
    KEYS("keys-private", "publishes its private key",
         answers("keys", {"keys": [SigningKey().jwk | {"d": "AQAB"}]}), refused("no_usable_keys")),
    KEYS("keys-object", "publishes an object where the list should be", answers("keys", {"keys": {}}),
         refused("keys_malformed")),
    KEYS("keys-thousand", "publishes a thousand keys", answers("keys", {"keys": [SigningKey().jwk] * 1000}),
         refused("keys_malformed")),
    KEYS("keys-huge-number", "publishes a key of 20000 bits",
         answers("keys", {"keys": [SigningKey().jwk | {"n": "x" * 3400}]}),
         refused("no_usable_keys")),
    H14("no-authorization", "has no authorization endpoint", metadata(authorization_endpoint=GONE), lacks),
    H14("no-token", "has no token endpoint", metadata(token_endpoint=GONE), lacks),
    H14("no-keys", "has no address for keys", metadata(jwks_uri=None), lacks),
    H14("no-code-flow", "knows no code flow", metadata(response_types_supported=["id_token"]),
        at_once("discovery_no_code_flow")),
    H14("no-code-grant", "gives no authorization codes", metadata(grant_types_supported=["implicit"]),
        at_once("discovery_no_code_flow")),
    H14("no-algorithm", "signs with HS256 only", metadata(id_token_signing_alg_values_supported=["HS256", "none"]),
        at_once("discovery_no_algorithm")),
]  # fmt: skip
ENDPOINTS: list[Scenario] = [
    H31("token-elsewhere", "has the token endpoint on another origin", endpoint_at(token_endpoint="{canary}/token"),
        elsewhere),
    H31("keys-elsewhere", "has its keys on another origin", endpoint_at(jwks_uri="{canary}/keys"), elsewhere),
    H31("authorization-elsewhere", "has the authorization endpoint on another origin",
        endpoint_at(authorization_endpoint="{canary}/authorize"), elsewhere),
    H31("userinfo-elsewhere", "has userinfo on another origin", endpoint_at(userinfo_endpoint="{canary}/me"),
        elsewhere),
    H31("port", "has the token endpoint on another port", endpoint_at(token_endpoint="http://127.0.0.1:9/token"),
        elsewhere),
    H31("accepted", "has userinfo on an origin an administrator said yes to", userinfo_elsewhere, signed_in(),
        is_invited=True),
    H31("http", "has an http token endpoint", metadata(token_endpoint="http://okta.example.com/token"), bad),
    H31("http-keys", "has its keys at an http address", metadata(jwks_uri="http://okta.example.com/keys"), bad),
    H31("javascript", "has a javascript: authorization endpoint",
        metadata(authorization_endpoint="javascript:alert(1)"), bad),
    H31("data", "has its keys in a data: address", metadata(jwks_uri="data:application/json,{}"), bad),
    H31("file", "has its keys in a file", metadata(jwks_uri="file:///etc/passwd"), bad),
    H31("private", "has the token endpoint at 10.0.0.1", metadata(token_endpoint="https://10.0.0.1/token"), bad),
    H31("cloud", "has its keys at 169.254.169.254", metadata(jwks_uri="https://169.254.169.254/latest"), bad),
    H31("hex", "has the token endpoint at 0x7f000001", metadata(token_endpoint="https://0x7f000001/token"), bad),
    H31("mapped", "has the token endpoint at ::ffff:10.0.0.1", metadata(token_endpoint="https://[::ffff:10.0.0.1]/t"),
        bad),
    H31("single-word", "has the token endpoint at a name without a dot",
        metadata(token_endpoint="https://vault/token"), bad),
    H31("user-info", "hides its host behind a user name", endpoint_at(token_endpoint="{issuer}@evil.example/token"),
        bad),
    H31("fragment", "has a fragment in the authorization endpoint", endpoint_at(authorization_endpoint="{issuer}/a#b"),
        bad),
    H31("line-break", "has a line break in the token endpoint", endpoint_at(token_endpoint="{issuer}/t\r\nX: y"), bad),
    H31("backslash", "has a backslash in the token endpoint", endpoint_at(token_endpoint="{issuer}\\@evil.example/"),
        bad),
    H31("list", "has a list of token endpoints", metadata(token_endpoint=["https://okta.example.com/token"]), bad),
    H31("empty", "has an empty token endpoint", metadata(token_endpoint=""), bad),
    H31("bad-logout", "has a javascript: end of session", metadata(end_session_endpoint="javascript:alert(1)"), bad),
    H31("query", "has a query in the authorization endpoint, with parameters of ours", query_is_merged, signed_in()),
    H31("leads-inside", "has the token endpoint at an accepted name that leads to 10.0.0.1", inside("10.0.0.1"),
        refused("provider_address_blocked", tokens=0)),
    H31("leads-to-cloud", "has the token endpoint at an accepted name that leads to 169.254.169.254",
        inside("169.254.169.254"), refused("provider_address_blocked", tokens=0)),
    H31("leads-inside-v6", "has the token endpoint at an accepted name that leads to 64:ff9b::a00:1",
        inside("64:ff9b::a00:1"), refused("provider_address_blocked", tokens=0)),
    H31("inside-among-others",
        "has the token endpoint at an accepted name that leads to a list of addresses, one inside",
        both(inside("unused"), lambda stage: open_door(
            resolver=lambda host, port: ["127.0.0.1"] if host == "127.0.0.1" else ["10.0.0.1", "10.0.0.2"])),
        refused("provider_address_blocked", tokens=0)),
]  # fmt: skip

SCENARIOS = [*DISCOVERY, *ENDPOINTS]
