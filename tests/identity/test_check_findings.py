"""*Check*, against a real provider and against ones that misbehave: sentences, fixes, and nothing more (T4)."""

import pytest

from tests.cast import Cast
from tests.identity.setting_up import SECRET, Desk, words
from tests.provider import Provider, Reply

pytestmark = pytest.mark.servers


def check(desk: Desk) -> str:
    answer = desk.press("check")
    assert answer["Location"] == desk.url("setup") + "#check"
    return desk.page()


def test_an_honest_provider_passes_line_by_line(cast: Cast, provider: Provider) -> None:
    desk = Desk(cast.aiko).saved_at(provider)
    page = check(desk)
    assert desk.connection.latest.is_check_passed
    for sentence in (
        "nothing stands in the way",
        "Calls itself the same, letter by letter.",
        "https everywhere, no redirects.",
        "S256 is offered, and always sent.",
        "1 key, long enough.",
        "offline_access is offered.",
    ):
        assert sentence in page
    assert "Waits for a successful test of revision 1." in page


def test_another_issuer_is_named_and_the_button_uses_it(cast: Cast, provider: Provider) -> None:
    """The finding carries the fix; using it is a new revision, to be given its secret (T6)."""
    desk = Desk(cast.aiko)
    desk.save(f"{provider.issuer}/")
    page = check(desk)
    assert f"Okta answers here, but calls itself {provider.issuer}." in page
    assert f"Use {provider.issuer}" in page
    assert "Waits for the check: 1 finding left." in page
    assert "Not checked: waits for “Issuer”." in page
    assert desk.press("fix", issuer=provider.issuer).status_code == 302
    latest = desk.connection.latest
    assert (latest.number, latest.issuer, latest.secret) == (2, provider.issuer, None)
    assert "The issuer changed, so the client secret was cleared." in desk.page()


def test_only_a_fix_that_was_offered_can_be_pressed(cast: Cast, provider: Provider) -> None:
    desk = Desk(cast.aiko).saved_at(provider)
    check(desk)
    assert desk.press("fix", issuer="https://evil.example").status_code == 409
    assert desk.connection.latest.number == 1


@pytest.mark.parametrize("named", ["javascript:alert(1)", "http://10.0.0.1", "https://evil.example/x?y", "x" * 4000])
def test_what_a_provider_calls_itself_is_not_offered_when_it_is_no_issuer(
    cast: Cast, provider: Provider, named: str
) -> None:
    provider.on_discovery = lambda said, request: said | {"issuer": named}
    desk = Desk(cast.aiko).saved_at(provider)
    page = check(desk)
    assert "calls itself" in page
    assert f"Use {named[:9]}" not in page


def test_a_way_of_sending_the_secret_that_is_not_taken_can_be_changed_at_once(cast: Cast, provider: Provider) -> None:
    ways = {"token_endpoint_auth_methods_supported": ["client_secret_post"]}
    provider.on_discovery = lambda said, request: said | ways
    desk = Desk(cast.aiko).saved_at(provider)
    assert "does not take the secret the way it is sent" in check(desk)
    desk.press("fix", client_authentication="client_secret_post")
    check(desk)
    latest = desk.connection.latest
    assert latest.is_check_passed
    assert latest.secret.open() == SECRET


def test_addresses_elsewhere_need_a_yes(cast: Cast, provider: Provider) -> None:
    """H31."""
    port = provider.issuer.rpartition(":")[2]
    keys = f"http://localhost:{port}/keys"
    provider.on_discovery = lambda said, request: said | {"jwks_uri": keys}
    desk = Desk(cast.aiko).saved_at(provider)
    assert f"Some of its addresses are elsewhere: http://localhost:{port}." in check(desk)
    desk.press("fix", accepted_origins=f"http://localhost:{port}")
    check(desk)
    latest = desk.connection.latest
    assert latest.relying_party().accepted_origins == {f"http://localhost:{port}"}
    assert not [f for f in latest.findings if f["line"] == "origins" and f["state"] == "failed"]


@pytest.mark.parametrize(
    ("reply", "sentence"),
    [
        (Reply(404, b"nothing here: 10.1.2.3"), "there is no issuer at this address"),
        (Reply(500, b"stack trace of java.lang"), "out of order or overloaded"),
        (Reply(200, b"<html>hello</html>"), "not with a discovery document"),
        (Reply(302, b"", {"Location": "http://169.254.169.254/"}), "redirects are not followed"),
        (Reply(200, b" " * 600_000), "far longer than a discovery document"),
    ],
)
def test_what_went_wrong_is_said_and_nothing_of_the_answer(
    cast: Cast, provider: Provider, reply: Reply, sentence: str
) -> None:
    """T4: no bodies, no addresses, no timings."""
    provider.on_discovery = lambda said, request: reply
    desk = Desk(cast.aiko).saved_at(provider)
    page = check(desk)
    assert sentence in page
    for leaked in ("10.1.2.3", "java.lang", "169.254", "hello"):
        assert leaked not in page
    assert not desk.connection.latest.is_check_passed


def test_nobody_at_the_address_is_said_and_the_rest_was_not_checked(cast: Cast, provider: Provider) -> None:
    desk = Desk(cast.aiko)
    desk.save("http://127.0.0.1:1")
    page = check(desk)
    assert "Nobody answers at this address." in page
    assert "Not checked: the issuer did not answer." in page


def test_a_check_is_on_record_with_its_outcome(cast: Cast, provider: Provider) -> None:
    desk = Desk(cast.aiko)
    desk.save(f"{provider.issuer}/")
    check(desk)
    event = desk.events("connection:checked")[0]
    assert (event.result, event.reason) == ("refused", "discovery_issuer_mismatch")
    assert event.details == {"revision": 1, "failed": "Issuer"}


def test_checks_that_fail_over_and_over_wait_longer_and_longer(cast: Cast, provider: Provider) -> None:
    """T4: an address scanner is slowed down; setting up in earnest is not."""
    provider.on_discovery = lambda said, request: Reply(404)
    desk = Desk(cast.aiko).saved_at(provider)
    for _ in range(6):
        assert desk.press("check").status_code == 302
    asked = len(provider.requests)
    answer = desk.press("check")
    assert answer.status_code == 429
    assert 0 < int(answer["Retry-After"]) <= 2
    assert "Many checks have failed." in words(answer)
    assert len(provider.requests) == asked


def test_checks_that_pass_are_never_held_up(cast: Cast, provider: Provider) -> None:
    desk = Desk(cast.aiko).saved_at(provider)
    assert {desk.press("check").status_code for _ in range(8)} == {302}


def test_the_check_of_one_revision_says_nothing_about_the_next(cast: Cast, provider: Provider) -> None:
    desk = Desk(cast.aiko).saved_at(provider)
    check(desk)
    desk.save(provider.issuer, client_secret="", scopes="openid email")
    assert "Waits for the check." in desk.page()
