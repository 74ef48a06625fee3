"""Every way people paste an issuer wrong, through the form: the exact fix stands at the field (K1, T1)."""

import pytest

from tests.cast import Cast
from tests.identity.setting_up import Desk, words

pytestmark = pytest.mark.servers

RIGHT = "https://halden.okta.com"
CUSTOM = f"{RIGHT}/oauth2/default"
TENANT = "8a3b1c9e-5d2f-4e70-9c11-0a2b3c4d5e6f"
ENTRA = f"https://login.microsoftonline.com/{TENANT}/v2.0"

FIXED = [
    ("okta", "https://halden-admin.okta.com", RIGHT, "address of the Okta admin console"),
    ("okta", "https://halden-admin.okta.com/admin/dashboard", RIGHT, "address of the Okta admin console"),
    ("okta", f"{RIGHT}/", RIGHT, "do not end in a slash"),
    ("okta", f"{CUSTOM}/", CUSTOM, "do not end in a slash"),
    ("okta", f"{RIGHT}/.well-known/openid-configuration", RIGHT, "address of the discovery document"),
    ("okta", f"{CUSTOM}/.well-known/openid-configuration", CUSTOM, "address of the discovery document"),
    ("okta", f"{CUSTOM}/v1/authorize", CUSTOM, "address of one endpoint of Okta"),
    ("okta", f"{RIGHT}/oauth2/v1/token", RIGHT, "address of one endpoint of Okta"),
    ("okta", f"{RIGHT}/app/UserHome", RIGHT, "address of a page in Okta"),
    ("okta", "halden.okta.com", RIGHT, "begins with https://"),
    ("okta", "http://halden.okta.com", RIGHT, "begins with https://"),
    ("okta", "https://ingrid:pw@halden.okta.com", RIGHT, "a name or password before the @"),
    ("okta", f"{RIGHT}?fromURI=x", RIGHT, "nothing after a question mark"),
    ("okta", f"{RIGHT}#top", RIGHT, "nothing after a #"),
    ("okta", "https://halden .okta.com", RIGHT, "a space or a line break"),
    ("okta", "https://halden\u200b.okta.com", RIGHT, "invisible characters"),
    ("okta", "https://halden.okta.com.", RIGHT, "ends in a dot"),
    ("entra", f"https://login.microsoftonline.com/{TENANT}", ENTRA, "ends in /v2.0"),
    ("entra", f"https://login.microsoftonline.com/{TENANT}/oauth2/v2.0/authorize", ENTRA, ""),
    ("entra", f"https://sts.windows.net/{TENANT}/", ENTRA, "version 1.0"),
    ("google", "https://accounts.google.com/o/oauth2", "https://accounts.google.com", "Google's issuer is always"),
]
HOPELESS = [
    ("okta", "", "Paste the issuer URI."),
    ("okta", "https://", "host name is missing"),
    ("okta", "https://{yourOktaDomain}", "This is not a host name."),
    ("okta", "https://okta", "works only inside a network"),
    ("okta", "https://10.0.0.1", "This is an IP address."),
    ("okta", "https://0x7f.1", "This is an IP address."),
    ("okta", "https://[fd00::1]", "This is an IP address."),
    ("okta", "https://halden.okta.com:", "The port"),
    ("okta", "https://halden.example/" + "x" * 600, "longer than any issuer"),
    ("entra", "https://login.microsoftonline.com/common/v2.0", "people of any Entra tenant"),
]


@pytest.mark.parametrize(("provider", "pasted", "right", "cause"), FIXED)
def test_the_exact_fix_is_named_and_its_button_applies_it(
    cast: Cast, provider: str, pasted: str, right: str, cause: str
) -> None:
    """K1: explained, and never guessed silently."""
    desk = Desk(cast.aiko, provider)
    answer = desk.save(pasted)
    assert answer.status_code == 422
    assert desk.connection.latest is None
    page = answer.content.decode()
    assert cause in words(answer)
    assert f'name="use_issuer" value="{right}"' in page
    assert f"Use {right}" in words(answer)
    assert desk.save(pasted, use_issuer=right).status_code == 302
    assert desk.connection.latest.issuer == right


@pytest.mark.parametrize(("provider", "pasted", "cause"), HOPELESS)
def test_what_cannot_be_meant_gets_a_sentence_and_no_button(cast: Cast, provider: str, pasted: str, cause: str) -> None:
    """T1."""
    desk = Desk(cast.aiko, provider)
    answer = desk.save(pasted)
    assert answer.status_code == 422
    assert cause in words(answer)
    assert "use_issuer" not in answer.content.decode()


def test_the_button_is_checked_like_anything_typed(cast: Cast) -> None:
    desk = Desk(cast.aiko)
    assert desk.save(use_issuer="https://halden-admin.okta.com").status_code == 422
    assert desk.connection.latest is None


@pytest.mark.parametrize("issuer", [RIGHT, CUSTOM, f"{RIGHT}/oauth2/aus1x2y3", "https://login.halden.example"])
def test_a_right_issuer_is_kept_letter_by_letter(cast: Cast, issuer: str) -> None:
    desk = Desk(cast.aiko)
    assert desk.save(f" {issuer} ").status_code == 302
    assert desk.connection.latest.issuer == issuer


def test_enter_saves_and_does_not_press_the_button_beside_the_error(cast: Cast) -> None:
    page = Desk(cast.aiko).save("https://halden-admin.okta.com").content.decode()
    assert page.index('<input type="submit" hidden>') < page.index('name="use_issuer"')
