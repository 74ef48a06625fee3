"""H11, H28, H29, R12 and R15: how answers travel, and what the endpoints that are asked last say."""

from __future__ import annotations

import gzip
import json
import zlib

from tests.conformance.acts import (
    GONE,
    Say,
    answers,
    both,
    impatient,
    knows_our_key,
    meanwhile,
    no_email,
    redirects,
)
from tests.conformance.scenario import CLIENT_TEST, Act, Outcome, Row, Scenario, at_once, refused, signed_in
from tests.conformance.stage import Stage
from tests.provider import Said
from tests.serving import Reply, Request

H11 = Row("H11", CLIENT_TEST + "userinfo-invalid-sub")
H28 = Row("H28")
H29 = Row("H29")
R4 = Row("R4")
R12 = Row("R12")
R15 = Row("R15", CLIENT_TEST + "scope-userinfo-claims")
ENDPOINTS = {"discovery": "metadata", "keys": "keys", "token": "the token", "userinfo": "userinfo"}
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
redirected = "provider_redirected"


def ends(endpoint: str, code: str, status: int = 400) -> Outcome:
    """Refused; discovery comes before any token request."""
    return refused(code, status, tokens=0 if endpoint == "discovery" else 1)


def everywhere(
    row: Row, name: str, act: str, say: Say | Reply, code: str, status: int = 400, *, before: Act | None = None
) -> list[Scenario]:
    """The same at each of the four endpoints. Userinfo is asked at a first sign-in without an email."""
    made = []
    for endpoint, called in ENDPOINTS.items():
        acts = [answers(endpoint, say)]
        if endpoint == "userinfo":
            acts.append(no_email)
        if before:
            acts.insert(0, before)
        outcome, is_invited = ends(endpoint, code, status), endpoint == "userinfo"
        made.append(
            row(f"{endpoint}-{name}", f"{act}, asked for {called}", both(*acts), outcome, is_invited=is_invited)
        )
    return made


def redirecting(status: int) -> list[Scenario]:
    made = []
    for endpoint, called in ENDPOINTS.items():
        acts = [redirects(endpoint, status)] + ([no_email] if endpoint == "userinfo" else [])
        act, outcome = f"redirects to another server with {status}, asked for {called}", ends(endpoint, redirected)
        made.append(H28(f"{endpoint}-{status}", act, both(*acts), outcome, is_invited=endpoint == "userinfo"))
    return made


def large(stage: Stage, said: Said, request: Request) -> Reply:
    return Reply.json(said | {"padding": "x" * (512 * 1024)})


def bomb(stage: Stage, said: Said, request: Request) -> Reply:
    body = gzip.compress(json.dumps(said | {"padding": "x" * 20_000_000}).encode())
    return Reply(200, body, {"Content-Type": "application/json", "Content-Encoding": "gzip"})


def squeezed(stage: Stage, said: Said, request: Request) -> Reply:
    body = zlib.compress(json.dumps(said | {"padding": "x" * 400_000}).encode())
    return Reply(200, body, {"Content-Encoding": "deflate"})


def half(stage: Stage, said: Said, request: Request) -> Reply:
    body = json.dumps(said).encode()
    return Reply(body=HEAD + b"Content-Length: %d\r\n\r\n" % (len(body) + 10) + body, raw=True)


def endless(stage: Stage, said: Said, request: Request) -> Reply:
    return Reply(
        body=HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + b"10000\r\n" + b"x" * 65536 + b"\r\n" * 1, raw=True
    )


def byte_order_mark(stage: Stage, said: Said, request: Request) -> Reply:
    return Reply(200, b"\xef\xbb\xbf" + json.dumps(said).encode())


def as_text(stage: Stage, said: Said, request: Request) -> Reply:
    return Reply(200, json.dumps(said).encode(), {"Content-Type": "text/plain"})


def closes(stage: Stage) -> None:
    stage.provider.close()


def failed_five_times(stage: Stage) -> None:
    """Fail until the breaker opens, then be up again: whoever comes next is told at once."""
    stage.provider.on_token = lambda said, request: Reply(body=b"?\r\n\r\n", raw=True)
    browser = type(stage.browser)(stage.enterprise)
    for _ in range(5):
        assert stage.journey.sign_in(browser).status_code == 503


def repeats(where: str) -> Act:
    """Repeat to us every secret it was told: `where` is the endpoint's member or the claim to do it in."""

    def told(form: dict[str, str], headers: dict[str, str]) -> str:
        known = [form["code"], form["code_verifier"], form.get("client_secret", ""), headers.get("authorization", ""),
                 form.get("client_assertion", "")]  # fmt: skip
        return " ".join(known)

    def arrange(stage: Stage) -> None:
        secret = stage.provider.clients["gatehouse"]
        if where == "error":
            stage.provider.on_token = lambda said, request: Reply.json(
                {"error": "strange", "error_description": f"{secret} {told(request.form, request.headers)}"}, 400
            )
        elif where == "code":
            stage.provider.on_token = lambda said, request: Reply.json(
                {"error": "invalid_grant", "error_description": f"code {request.form['code']} is used"}, 400
            )
        elif where == "type":
            stage.provider.on_token = lambda said, request: said | {"token_type": said["access_token"]}
        else:
            stage.provider.on_id_token = lambda said, request: said | {
                where: f"{secret} {told(request.form, request.headers)}", "sub": "00u1unknown",
            }  # fmt: skip

    return arrange


def state_in_description(stage: Stage) -> None:
    stage.provider.on_authorize = lambda said, request: {
        "state": said["state"], "iss": said["iss"], "error": "strange",
        "error_description": f"state {request.query['state']} nonce {request.query['nonce']}",
    }  # fmt: skip


def tells_nonce(stage: Stage) -> None:
    stage.provider.on_id_token = lambda said, request: said | {"iss": said["nonce"]}


def at_userinfo(changes: Say | Reply | dict[str, object]) -> Act:
    return both(no_email, answers("userinfo", changes))


swapped = refused("userinfo_subject_mismatch")
USERINFO: list[Scenario] = [
    H11(name, act, at_userinfo(change), outcome, is_invited=True)
    for name, act, change, outcome in (
        ("another", "knows another subject at userinfo", {"sub": "00u1ingrid"}, swapped),
        ("absent", "knows no subject at userinfo", {"sub": GONE}, swapped),
        ("list", "knows a list of subjects at userinfo", {"sub": ["00u1piotr"]}, swapped),
        ("case", "writes the subject in capitals at userinfo", {"sub": "00U1PIOTR"}, swapped),
        ("no-email", "knows no email at userinfo either", {"email": GONE}, refused("email_missing", 403)),
        ("other-email", "knows another email at userinfo", {"email": "ingrid.solberg@halden.example"},
         refused("invitation_for_someone_else", 403)),
        ("refused", "refuses userinfo", Reply(403), refused("userinfo_refused")),
        ("html", "answers at userinfo with a page", Reply(200, b"<html>"), refused("bad_userinfo_response")),
        ("jwt", "answers at userinfo with a signed token", Reply(200, b"a.b.c", {"Content-Type": "application/jwt"}),
         refused("bad_userinfo_response")),
        ("more", "knows more at userinfo", {"name": "P", "phone_number": [1]}, signed_in()),
    )
]  # fmt: skip
USERINFO += [
    R15("authority", "knows another email at userinfo than in the ID token",
        answers("userinfo", {"email": "ingrid.solberg@halden.example"}), signed_in(), is_invited=True),
]  # fmt: skip
REDIRECTS = [scenario for status in (301, 302, 303, 307, 308) for scenario in redirecting(status)] + [
    H28("self", "redirects to itself, asked for the token", redirects("token", 307, "{issuer}/token"),
        refused(redirected)),
    H28("relative", "redirects to another path, asked for the token", redirects("token", 307, "/token"),
        refused(redirected)),
    H28("javascript", "redirects to javascript:, asked for the token", redirects("token", 302, "javascript:alert(1)"),
        refused(redirected)),
    H28("no-place", "redirects to nowhere, asked for the token", answers("token", Reply(302)), refused(redirected)),
    H28("not-modified", "answers 304, asked for the token", answers("token", Reply(304)), refused(redirected)),
]  # fmt: skip
too_large, down = "provider_answer_too_large", ("provider_unreachable", 503)
LIMITS: list[Scenario] = [
    *everywhere(H29, "large", "answers with more than 512 KiB", large, too_large),
    *everywhere(H29, "bomb", "answers with 20 MB in a small packet", bomb, too_large),
    *everywhere(H29, "drip", "answers a byte every tenth of a second",
                Reply(body=HEAD + b"\r\n" + b"x" * 100, raw=True, pause=0.1), "provider_timeout", 503,
                before=impatient),
    *everywhere(H29, "silent", "never answers", Reply(body=b"x", raw=True, pause=3), "provider_timeout", 503,
                before=impatient),
    *everywhere(H29, "hangs-up", "hangs up without a word", Reply(raw=True), *down),
    *everywhere(H29, "half", "hangs up in the middle", half, *down),
    *everywhere(H29, "endless", "never ends its answer properly", endless, *down),
    *everywhere(H29, "not-http", "does not speak HTTP", Reply(body=b"SSH-2.0-OpenSSH_9.6\r\n\r\n", raw=True), *down),
    *everywhere(H29, "headers", "answers with a header of a megabyte",
                Reply(body=HEAD + b"X: " + b"y" * 1_000_000 + b"\r\n\r\n", raw=True), *down),
    *everywhere(H29, "encoding", "answers in an encoding nobody asked for",
                Reply(200, b"?", {"Content-Encoding": "br"}),
                *down),
    *everywhere(H29, "500", "answers 500", Reply(500, b"<html>"), "provider_unavailable", 503),
    *everywhere(H29, "429", "answers 429", Reply(429), "provider_unavailable", 503),
    H29("squeezed", "compresses its answer, which is large but not too large", answers("token", squeezed), signed_in()),
    H29("as-text", "calls its answer text", answers("token", as_text), signed_in()),
    H29("bom", "begins its answer with a byte order mark", answers("token", byte_order_mark),
        refused("bad_token_response")),
    H29("down", "goes down while somebody signs in", meanwhile(closes), refused("provider_unreachable", 503, tokens=0)),
    H29("down-before", "is down", closes, at_once("provider_unreachable", 503)),
    H29("breaker", "has failed five times in a row", failed_five_times, refused("provider_paused", 503, tokens=0)),
]  # fmt: skip
ERRORS: list[Scenario] = [
    R4(f"token-{error}-{status}", f"answers {error} with {status}, asked for the token",
       answers("token", Reply.json({"error": error}, status)), refused(reason, code))
    for error, status, reason, code in (
        ("invalid_client", 401, "invalid_client", 400),
        ("invalid_grant", 400, "invalid_grant", 400),
        ("invalid_grant", 200, "invalid_grant", 400),
        ("invalid_request", 400, "invalid_request", 400),
        ("invalid_scope", 400, "invalid_scope", 400),
        ("unauthorized_client", 400, "unauthorized_client", 400),
        ("unsupported_grant_type", 400, "unsupported_grant_type", 400),
        ("server_error", 400, "provider_unavailable", 503),
        ("strange", 418, "provider_error", 400),
    )
]  # fmt: skip
ERRORS += [
    H29("token-error-inside", "answers with both tokens and an error", answers("token", {"error": "invalid_grant"}),
        refused("invalid_grant")),
    H29("token-201", "answers 201, asked for the token",
        answers("token", lambda stage, said, request: Reply.json(said, 201)), refused("bad_token_response")),
    R4("token-html", "answers with a page, asked for the token", answers("token", Reply(200, b"<html>")),
       refused("bad_token_response")),
    R4("token-html-401", "answers 401 with a page, asked for the token", answers("token", Reply(401, b"<html>")),
       refused("invalid_client")),
    R4("token-list", "answers with a list, asked for the token", answers("token", Reply.json([])),
       refused("bad_token_response")),
    R4("token-error-object", "answers with an object as error", answers("token", Reply.json({"error": {}}, 400)),
       refused("provider_error")),
]  # fmt: skip
LEAKS: list[Scenario] = [
    R12("error", "repeats our secret, code and verifier in an error", repeats("error"), refused("provider_error")),
    R12("assertion", "repeats what our key has signed in an error", both(knows_our_key(), repeats("error")),
        refused("provider_error")),
    R12("assertion-claim", "repeats what our key has signed in a claim", both(knows_our_key(), repeats("told")),
        refused("account_not_linked", 403)),
    R12("code", "repeats the code in an error", repeats("code"), refused("invalid_grant")),
    R12("type", "names the access token as its type", repeats("type"), refused("bad_token_response")),
    R12("name", "repeats our secret, code and verifier as a name", repeats("name"),
        refused("account_not_linked", 403)),
    R12("claim", "repeats our secret, code and verifier in a claim of its own", repeats("told"),
        refused("account_not_linked", 403)),
    R12("issuer", "repeats our secret, code and verifier as issuer", repeats("iss"), refused("issuer_mismatch")),
    R12("audience", "repeats our secret, code and verifier as audience", repeats("aud"), refused("audience_mismatch")),
    R12("nonce", "names the nonce as issuer", tells_nonce, refused("issuer_mismatch")),
    R12("response", "repeats state and nonce in the description of an error", state_in_description,
        at_once("provider_error")),
    R12("response-iss", "names the state as issuer beside the code",
        lambda stage: stage.on_return.append(lambda back: back | {"iss": back["state"]}),
        at_once("response_issuer_mismatch")),
]  # fmt: skip

SCENARIOS = [*USERINFO, *REDIRECTS, *LIMITS, *ERRORS, *LEAKS]
