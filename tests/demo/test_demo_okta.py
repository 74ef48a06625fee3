"""The demo Okta is a real provider: strict, and as Okta's people meet it."""

from __future__ import annotations

import base64
import hashlib
import time
from urllib.parse import urlencode

import jwt
import pytest
import requests

from identity.oidc.client_keys import SigningKey
from tests.okta import Person, demo_okta, sent_to
from tests.serving import Reply, Server

VERIFIER = "a-verifier-of-more-than-forty-three-characters-0123456789"
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).decode().rstrip("=")
CALLBACK = "http://eu.localhost:8000/sso/0123456789ab/callback/"
INGRID = "ingrid.solberg@halden.example"


@pytest.fixture(scope="module")
def okta(tmp_path_factory):
    with demo_okta(tmp_path_factory.mktemp("okta")) as okta:
        yield okta


@pytest.fixture
def person(okta):
    person = Person(okta)
    yield person
    person.browser.close()


@pytest.fixture
def metadata(okta):
    return requests.get(f"{okta.issuer}/.well-known/openid-configuration", timeout=10).json()


def authorization_url(okta, metadata, **changes):
    request = {
        "client_id": okta.client_id,
        "response_type": "code",
        "scope": "openid profile email offline_access",
        "redirect_uri": CALLBACK,
        "state": "a state",
        "nonce": "a nonce",
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
    } | changes
    present = {name: value for name, value in request.items() if value is not None}
    return f"{metadata['authorization_endpoint']}?{urlencode(present)}"


def ask_for_tokens(okta, metadata, **form):
    return requests.post(metadata["token_endpoint"], form, auth=(okta.client_id, okta.client_secret), timeout=10)


def exchange(okta, metadata, code, **changes):
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": CALLBACK,
        "code_verifier": VERIFIER,
    }
    return ask_for_tokens(okta, metadata, **(form | changes))


def claims_in(okta, metadata, id_token):
    keys = jwt.PyJWKSet.from_dict(requests.get(metadata["jwks_uri"], timeout=10).json())
    key = keys[jwt.get_unverified_header(id_token)["kid"]]
    return jwt.decode(id_token, key, algorithms=["RS256"], audience=okta.client_id, issuer=okta.issuer)


def sign_in(okta, metadata, person, email=INGRID, **changes):
    page = person.open(authorization_url(okta, metadata, **changes))
    return sent_to(person.pick(page, email))


def press(okta, person, path, **form):
    """Send one of the home page's forms."""
    token = person.open(okta.origin).text.split('csrfmiddlewaretoken" value="')[1].split('"')[0]
    return person.browser.post(okta.origin + path, form | {"csrfmiddlewaretoken": token}, timeout=10)


def test_the_metadata_promises_code_pkce_and_iss(okta, metadata):
    assert metadata["issuer"] == okta.issuer
    assert metadata["response_types_supported"] == ["code"]
    assert metadata["code_challenge_methods_supported"] == ["S256"]
    assert metadata["id_token_signing_alg_values_supported"] == ["RS256"]
    assert metadata["authorization_response_iss_parameter_supported"] is True


def test_a_code_is_exchanged_for_an_id_token_with_the_claims_okta_sends(okta, metadata, person):
    """R2, R13, R15: the claims are in the ID token, and userinfo agrees."""
    callback, answer = sign_in(okta, metadata, person)
    assert callback == CALLBACK
    assert answer["state"] == "a state"
    assert answer["iss"] == okta.issuer

    tokens = exchange(okta, metadata, answer["code"]).json()

    claims = claims_in(okta, metadata, tokens["id_token"])
    assert claims["sub"].startswith("00u")
    assert len(claims["sub"]) == 20
    assert claims["nonce"] == "a nonce"
    assert claims["email"] == claims["preferred_username"] == INGRID
    assert claims["email_verified"] is True
    assert (claims["name"], claims["given_name"], claims["family_name"]) == (
        "Ingrid Solberg",
        "Ingrid",
        "Solberg",
    )
    assert claims["zoneinfo"] == "Europe/Oslo"
    assert claims["amr"] == ["pwd", "mfa", "otp"]
    assert claims["sid"].startswith("102")
    assert abs(claims["auth_time"] - time.time()) < 60
    userinfo = requests.get(
        metadata["userinfo_endpoint"],
        headers={"Authorization": f"Bearer {tokens['access_token']}"},
        timeout=10,
    ).json()
    assert (userinfo["sub"], userinfo["email"]) == (claims["sub"], INGRID)


def test_a_refresh_token_rotates_and_keeps_the_sitting(okta, metadata, person):
    _, answer = sign_in(okta, metadata, person)
    first = exchange(okta, metadata, answer["code"]).json()

    second = ask_for_tokens(okta, metadata, grant_type="refresh_token", refresh_token=first["refresh_token"]).json()

    assert second["refresh_token"] != first["refresh_token"]
    before, after = (claims_in(okta, metadata, tokens["id_token"]) for tokens in (first, second))
    assert {name: before[name] for name in ("sub", "sid", "auth_time")} == {
        name: after[name] for name in ("sub", "sid", "auth_time")
    }


def test_max_age_asks_for_a_new_sign_in_once(okta, metadata, person):
    """K7: as a real Okta does. Whoever is signed in signs in again, and once is enough."""
    _, first = sign_in(okta, metadata, person)
    before = claims_in(okta, metadata, exchange(okta, metadata, first["code"]).json()["id_token"])
    time.sleep(1.1)
    assert "code=" in person.open(authorization_url(okta, metadata, max_age=3600)).headers["Location"]

    page = person.open(authorization_url(okta, metadata, max_age=0, prompt="login"))
    assert page.status_code == 200
    _, second = sent_to(person.pick(page, INGRID))
    after = claims_in(okta, metadata, exchange(okta, metadata, second["code"]).json()["id_token"])

    assert after["sub"] == before["sub"]
    assert after["auth_time"] > before["auth_time"]
    _, silent = sent_to(person.open(authorization_url(okta, metadata, max_age=0, prompt="none")))
    assert silent["error"] == "login_required"


def test_without_offline_access_there_is_no_refresh_token(okta, metadata, person):
    _, answer = sign_in(okta, metadata, person, scope="openid email")
    tokens = exchange(okta, metadata, answer["code"]).json()
    assert "refresh_token" not in tokens
    assert "name" not in claims_in(okta, metadata, tokens["id_token"])


@pytest.mark.parametrize("changes", [{"code_challenge": None}, {"code_challenge_method": "plain"}])
def test_without_s256_there_is_no_code(okta, metadata, person, changes):
    """R13: the provider insists on PKCE as an Okta with 'Require PKCE' does."""
    _, answer = sign_in(okta, metadata, person, **changes)
    assert answer["error"] == "invalid_request"
    assert "code" not in answer


@pytest.mark.parametrize(
    "changes",
    [{"code_verifier": "b" * 50}, {"code_verifier": ""}, {"redirect_uri": CALLBACK.replace("eu", "na")}],
)
def test_a_code_is_worth_nothing_to_someone_else(okta, metadata, person, changes):
    _, answer = sign_in(okta, metadata, person)
    refused = exchange(okta, metadata, answer["code"], **changes)
    assert refused.status_code == 400


def test_a_code_works_once(okta, metadata, person):
    _, answer = sign_in(okta, metadata, person)
    assert exchange(okta, metadata, answer["code"]).ok
    assert exchange(okta, metadata, answer["code"]).json() == {"error": "invalid_grant"}


def test_a_wrong_secret_is_refused(okta, metadata, person):
    _, answer = sign_in(okta, metadata, person)
    form = {"grant_type": "authorization_code", "code": answer["code"], "code_verifier": VERIFIER}
    refused = requests.post(
        metadata["token_endpoint"],
        form | {"redirect_uri": CALLBACK},
        auth=(okta.client_id, "wrong"),
        timeout=10,
    )
    assert (refused.status_code, refused.json()["error"]) == (401, "invalid_client")


def test_someone_the_app_is_not_assigned_to_is_sent_back_with_oktas_words(okta, metadata, person):
    """M4: told in plain words that they are not assigned; and the next try asks again who they are."""
    callback, answer = sign_in(okta, metadata, person, "piotr.nowak@halden.example")
    assert callback == CALLBACK
    assert answer == {
        "error": "access_denied",
        "error_description": "User is not assigned to the client application.",
        "state": "a state",
        "iss": okta.issuer,
    }
    assert "Pick who you are" in person.open(authorization_url(okta, metadata)).text


def test_the_person_is_remembered_until_asked_again(okta, metadata, person):
    sign_in(okta, metadata, person)
    assert "code" in sent_to(person.open(authorization_url(okta, metadata)))[1]
    assert "Pick who you are" in person.open(authorization_url(okta, metadata, prompt="login")).text


def test_a_stranger_with_prompt_none_must_sign_in_first(okta, metadata, person):
    _, answer = sent_to(person.open(authorization_url(okta, metadata, prompt="none")))
    assert (answer["error"], answer["iss"]) == ("login_required", okta.issuer)


def test_a_person_who_is_remembered_signs_in_silently(okta, metadata, person):
    sign_in(okta, metadata, person)
    assert "code" in sent_to(person.open(authorization_url(okta, metadata, prompt="none")))[1]


def test_any_address_can_be_typed_and_keeps_its_subject(okta, metadata, person):
    subjects = set()
    for email in ("ada.king@elsewhere.example", "Ada.King@elsewhere.example"):
        page = person.open(authorization_url(okta, metadata, prompt="login"))
        _, answer = sent_to(person.pick(page, email))
        claims = claims_in(okta, metadata, exchange(okta, metadata, answer["code"]).json()["id_token"])
        assert claims["name"] == "Ada King"
        subjects.add(claims["sub"])
    assert len(subjects) == 1


def test_what_is_not_an_address_is_not_a_person(okta, metadata, person):
    page = person.open(authorization_url(okta, metadata))
    answer = person.pick(page, "<script>alert(1)</script>")
    assert answer.status_code == 400
    assert "<script>" not in answer.text


@pytest.mark.parametrize(
    "uri",
    [
        "https://evil.example/sso/0123456789ab/callback/",
        "http://eu.localhost.evil.example/sso/0123456789ab/callback/",
        "http://eu.localhost:8000@evil.example/sso/0123456789ab/callback/",
        "http://eu.localhost:8000/elsewhere/",
        "http://eu.localhost:8000/sso/0123456789ab/callback/?next=x",
    ],
)
def test_nobody_is_sent_to_an_address_that_is_no_callback(okta, metadata, person, uri):
    page = person.open(authorization_url(okta, metadata, redirect_uri=uri))
    answer = person.pick(page, INGRID)
    assert answer.status_code == 400
    assert "Location" not in answer.headers


def test_an_outage_can_be_played_and_ended(okta, metadata, person):
    """So that break-glass can be tried."""
    for state, status in (("out", 503), ("in", 200)):
        press(okta, person, "/outage/", state=state)
        assert requests.get(f"{okta.issuer}/.well-known/openid-configuration", timeout=10).status_code == status


def test_whoever_is_sent_there_by_a_browser_meanwhile_reads_how_it_ends(okta, person):
    press(okta, person, "/outage/", state="out")
    try:
        page = requests.get(f"{okta.issuer}/v1/authorize", headers={"Accept": "text/html"}, timeout=10)
        asked = requests.get(f"{okta.issuer}/v1/keys", headers={"Accept": "application/json"}, timeout=10)
    finally:
        press(okta, person, "/outage/", state="in")
    assert (page.status_code, asked.status_code) == (503, 503)
    assert "plays an outage</h1>" in page.text
    assert asked.text == "The demo Okta plays an outage.\n"


def test_another_sites_name_for_this_machine_is_refused(okta):
    """A page elsewhere must not read the client secret by a name of its own that leads to 127.0.0.1."""
    assert requests.get(okta.origin, headers={"Host": "evil.example"}, timeout=5).status_code == 400


# ---- Proving the app


def answer_to(okta, metadata, person, **proof):
    """Sign in, and exchange the code with nothing but ``proof``."""
    _, answer = sign_in(okta, metadata, person, prompt="login")
    form = {"grant_type": "authorization_code", "code": answer["code"], "code_verifier": VERIFIER}
    return requests.post(metadata["token_endpoint"], form | {"redirect_uri": CALLBACK} | proof, timeout=10)


def by_secret(okta, secret):
    return {"client_id": okta.client_id, "client_secret": secret}


def test_of_two_secrets_either_is_good_until_one_is_deactivated(okta, metadata, person):
    """K11: as while a secret is replaced."""
    page = press(okta, person, "/secrets/").text
    second = page.split("Second client secret</dt><dd>")[1].split("<")[0]
    for secret in (okta.client_secret, second):
        assert answer_to(okta, metadata, person, **by_secret(okta, secret)).ok
    press(okta, person, "/secrets/")
    press(okta, person, "/secrets/", deactivate=second)
    press(okta, person, "/secrets/", deactivate=okta.client_secret)
    assert answer_to(okta, metadata, person, **by_secret(okta, second)).json() == {"error": "invalid_client"}
    assert answer_to(okta, metadata, person, **by_secret(okta, okta.client_secret)).ok


@pytest.fixture
def published(okta, person):
    """A Gatehouse's key, published at an address like its own, which the demo Okta is told."""
    key = SigningKey.from_pem(SigningKey.generate("RS256"))
    server = Server(0, lambda request: Reply.json({"keys": [key.public_jwk()]}))
    server.start()
    address = f"http://eu.localhost:{server.server_port}/sso/0123456789ab/keys.json"
    assert press(okta, person, "/keys/", keys_address=address).ok
    yield key
    press(okta, person, "/keys/", keys_address="")
    server.stop()


def by_key(okta, metadata, key, **changes):
    of = {"client_id": okta.client_id, "audience": metadata["token_endpoint"], "at": time.time()}
    return {
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "client_assertion": key.assertion(**(of | changes)),
    }


def test_a_key_proves_the_app_and_each_assertion_once(okta, metadata, person, published):
    """K11, R14: private_key_jwt, fetched from where Gatehouse publishes it."""
    assert "private_key_jwt" in metadata["token_endpoint_auth_methods_supported"]
    proof = by_key(okta, metadata, published)
    tokens = answer_to(okta, metadata, person, **proof)
    assert claims_in(okta, metadata, tokens.json()["id_token"])["email"] == INGRID
    assert answer_to(okta, metadata, person, **proof).json() == {"error": "invalid_client"}


@pytest.mark.parametrize(
    "changes",
    [{"client_id": "0oanobody"}, {"audience": "http://elsewhere.example/token"}, {"at": 1_700_000_000}],
    ids=["another app", "for another provider", "of long ago"],
)
def test_an_assertion_that_does_not_hold_is_refused(okta, metadata, person, published, changes):
    refused = answer_to(okta, metadata, person, **by_key(okta, metadata, published, **changes))
    assert (refused.status_code, refused.json()["error"]) == (401, "invalid_client")


def test_a_key_that_is_not_published_proves_nothing(okta, metadata, person, published):
    stranger = SigningKey.from_pem(SigningKey.generate("RS256"))
    assert answer_to(okta, metadata, person, **by_key(okta, metadata, stranger)).status_code == 401


def test_without_an_address_no_key_proves_anything(okta, metadata, person):
    stranger = SigningKey.from_pem(SigningKey.generate("RS256"))
    assert answer_to(okta, metadata, person, **by_key(okta, metadata, stranger)).status_code == 401


@pytest.mark.parametrize(
    "address", ["http://evil.example/sso/0123456789ab/keys.json", "http://eu.localhost:8000/", "x"]
)
def test_an_address_that_is_no_gatehouse_of_this_machine_is_refused_at_the_field(okta, person, address):
    page = press(okta, person, "/keys/", keys_address=address)
    assert page.status_code == 400
    assert "not the address of the keys" in page.text
