"""The mail catcher shows what was sent, and trusts none of it; beside it, a page that plays an authenticator app."""

from __future__ import annotations

import smtplib
import time
from email.message import EmailMessage

import pyotp
import pytest
import requests

from tests.mail import mail_catcher


@pytest.fixture(scope="module")
def catcher(tmp_path_factory):
    with mail_catcher(tmp_path_factory.mktemp("mail")) as catcher:
        yield catcher


@pytest.fixture
def letter(catcher):
    message = EmailMessage()
    message["From"] = "Halden via Gatehouse <no-reply@gatehouse.example>"
    message["To"] = "chloé.martin@halden.example"
    message["Subject"] = "Chloé, <b>Ingrid</b> invites you"
    message.set_content("Hello <i>Chloé</i>: http://eu.localhost:8000/i/abc?x=1&y=2 is yours.\n")
    message.add_alternative(
        "<p>Hello</p><a href='http://eu.localhost:8000/i/abc'>Join</a><script>alert(1)</script>", subtype="html"
    )
    with smtplib.SMTP("127.0.0.1", catcher.smtp_port) as smtp:
        smtp.send_message(message, to_addrs=["chloe.martin@halden.example"])
    return catcher.messages()[0]


def get(catcher, path, **options):
    return requests.get(f"{catcher.origin}{path}", timeout=5, **options)


def test_what_is_sent_is_listed_newest_first(catcher, letter):
    assert letter["subject"] == "Chloé, <b>Ingrid</b> invites you"
    assert letter["to"] == "chloe.martin@halden.example"
    assert "&lt;b&gt;Ingrid&lt;/b&gt;" in get(catcher, "/").text


def test_links_in_the_text_can_be_clicked(catcher, letter):
    page = get(catcher, f"/{letter['id']}/?as=text").text
    assert '<a href="http://eu.localhost:8000/i/abc?x=1&amp;y=2" rel="nofollow">' in page
    assert "&lt;i&gt;Chloé&lt;/i&gt;" in page


def test_the_html_is_framed_without_any_power(catcher, letter):
    """H30: scripts, forms and remote pictures of a message do nothing; its links open in a tab of their own."""
    assert 'sandbox="allow-popups allow-popups-to-escape-sandbox"' in get(catcher, f"/{letter['id']}/").text
    policy = get(catcher, f"/{letter['id']}/letter/").headers["Content-Security-Policy"]
    assert policy.startswith("sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none';")
    assert "allow-scripts" not in policy


@pytest.mark.parametrize("path", ["/nothing-here/", "/..%2f..%2fetc%2fpasswd/", "/nothing-here/letter/"])
def test_what_is_not_a_message_is_not_found(catcher, path):
    assert get(catcher, path).status_code == 404


def test_another_sites_name_for_this_machine_is_refused(catcher):
    """A page elsewhere must not read the mail by a name of its own that leads to 127.0.0.1."""
    assert get(catcher, "/messages.json", headers={"Host": "evil.example"}).status_code == 400


KEY = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"


@pytest.mark.parametrize(
    "entered", [KEY, "jbsw y3dp ehpk 3pxp jbsw y3dp ehpk 3pxp ", f"otpauth://totp/a?secret={KEY}&issuer=b"]
)
def test_a_key_shows_the_code_of_now_until_it_is_forgotten(catcher, entered):
    browser = requests.Session()
    page = browser.get(f"{catcher.origin}/codes/", timeout=5).text
    token = page.split('csrfmiddlewaretoken" value="')[1].split('"')[0]
    shown = browser.post(f"{catcher.origin}/codes/", {"key": entered, "csrfmiddlewaretoken": token}, timeout=5).text
    app = pyotp.TOTP(KEY)
    assert any(f"{code[:3]} {code[3:]}" in shown for code in (app.now(), app.at(time.time() - 30)))
    assert KEY not in shown
    forgotten = browser.post(f"{catcher.origin}/codes/forget/", {"csrfmiddlewaretoken": token}, timeout=5).text
    assert "For trying without a phone." in forgotten


@pytest.mark.parametrize("entered", ["", "short", "0" * 32, "%" * 40, "otpauth://totp/a", "ü" * 32])
def test_what_is_no_key_is_said_to_be_none(catcher, entered):
    browser = requests.Session()
    page = browser.get(f"{catcher.origin}/codes/", timeout=5).text
    token = page.split('csrfmiddlewaretoken" value="')[1].split('"')[0]
    answer = browser.post(f"{catcher.origin}/codes/", {"key": entered, "csrfmiddlewaretoken": token}, timeout=5)
    assert answer.status_code == 422
