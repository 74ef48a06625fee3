"""The door opens to public addresses only, and to the very address that was looked at (T2)."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_address
from pathlib import Path

import pytest

from identity.egress import Blocked, Egress, Redirected, Unreachable, is_public, system_resolver
from tests.provider import Provider, Reply
from tests.tls import Authority


class Names:
    """A resolver that a hostile domain owner would run: each question gets the next answer."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked.append(host)
        return self.answers[min(len(self.asked), len(self.answers)) - 1]


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def secure(authority: Authority) -> Iterator[Provider]:
    """A provider over https that goes by a public name."""
    with Provider(host="okta.example.com", tls=authority.server_context("okta.example.com")) as provider:
        yield provider


def discovery(provider: Provider) -> str:
    return provider.issuer + "/.well-known/openid-configuration"


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0",  # noqa: S104 - looked at, not bound to
        "0.1.2.3",
        "10.0.0.1",
        "10.255.255.255",
        "100.64.0.1",
        "100.100.100.200",
        "127.0.0.1",
        "127.255.255.254",
        "168.63.129.16",
        "169.254.169.254",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.1",
        "192.0.2.1",
        "192.88.99.1",
        "192.168.1.1",
        "198.18.0.1",
        "198.51.100.1",
        "203.0.113.1",
        "224.0.0.1",
        "239.255.255.255",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::7f00:1",
        "::ffff:127.0.0.1",
        "::ffff:8.8.8.8",
        "64:ff9b::7f00:1",
        "64:ff9b::808:808",
        "64:ff9b:1::7f00:1",
        "100::1",
        "2001::1",
        "2001:0:4136:e378:8000:63bf:3fff:fdd2",
        "2001:db8::1",
        "2002:7f00:1::1",
        "2002:808:808::1",
        "3fff::1",
        "fc00::1",
        "fd00:ec2::254",
        "fe80::1",
        "fe80::1%eth0",
        "fec0::1",
        "ff02::1",
        "5f00::1",
    ],
)
def test_no_address_of_a_private_kind_is_public(address: str) -> None:
    """T2: private, loopback, link-local, CGNAT, multicast, metadata, reserved, unspecified, v4 inside v6."""
    assert not is_public(ip_address(address))


@pytest.mark.parametrize("address", ["8.8.8.8", "99.84.1.1", "100.128.0.1", "172.32.0.1", "2600:9000::1", "2a00::1"])
def test_a_public_address_is_public(address: str) -> None:
    """T2."""
    assert is_public(ip_address(address))


@pytest.mark.parametrize(
    ("first", "last"),
    [
        ("10.0.0.0", "10.255.255.255"),
        ("100.64.0.0", "100.127.255.255"),
        ("127.0.0.0", "127.255.255.255"),
        ("168.63.129.16", "168.63.129.16"),
        ("169.254.0.0", "169.254.255.255"),
        ("172.16.0.0", "172.31.255.255"),
        ("192.0.0.0", "192.0.0.255"),
        ("192.0.2.0", "192.0.2.255"),
        ("192.88.99.0", "192.88.99.255"),
        ("192.168.0.0", "192.168.255.255"),
        ("198.18.0.0", "198.19.255.255"),
        ("198.51.100.0", "198.51.100.255"),
        ("203.0.113.0", "203.0.113.255"),
        ("2001::", "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff"),
        ("2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff"),
        ("2002::", "2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
        ("3fff::", "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff"),
    ],
)
def test_a_closed_range_ends_where_it_ends(first: str, last: str) -> None:
    """T2: its first and its last address are closed, and the ones beside them are anybody's."""
    beginning, end = ip_address(first), ip_address(last)
    assert (is_public(beginning), is_public(end)) == (False, False)
    assert (is_public(beginning - 1), is_public(end + 1)) == (True, True)


@pytest.mark.parametrize(
    ("address", "is_open"),
    [
        ("0.255.255.255", False),
        ("1.0.0.0", True),
        ("223.255.255.255", True),
        ("224.0.0.0", False),
        ("1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", False),
        ("2000::", True),
        ("3fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", True),
        ("4000::", False),
    ],
)
def test_the_whole_of_each_version_has_its_ends(address: str, is_open: bool) -> None:
    """T2."""
    assert is_public(ip_address(address)) is is_open


@pytest.mark.parametrize(
    "answer",
    [
        ["127.0.0.1"],
        ["93.184.215.14", "127.0.0.1"],
        ["2606:2800:21f::1", "::1"],
        ["93.184.215.14", "::ffff:10.0.0.1"],
        ["93.184.215.14", "169.254.169.254"],
        ["not-an-address"],
    ],
)
def test_one_private_address_in_the_answer_closes_the_door(secure: Provider, answer: list[str]) -> None:
    """T2: every answer is checked; public first and loopback second gains nothing."""
    egress = Egress(resolver=Names(answer))
    with pytest.raises(Blocked):
        egress.get(discovery(secure), key="c1")
    assert egress.connections_opened == 0
    assert secure.connections == 0


def test_a_name_is_resolved_once_and_the_answer_that_was_checked_is_used(
    secure: Provider, authority: Authority
) -> None:
    """T2: a second answer, after the check, is never asked for; the next connection is checked anew."""
    names = Names(["127.0.0.1"], ["10.0.0.1"])
    egress = Egress(allow_loopback_http=True, ca_file=authority.ca_file, resolver=names)
    assert egress.get(discovery(secure), key="c1").status == 200
    assert egress.get(discovery(secure), key="c1").status == 200
    assert names.asked == ["okta.example.com"]
    secure.hang_up()
    with pytest.raises(Blocked):
        egress.get(discovery(secure), key="c1")
    assert len(names.asked) == 2
    egress.close()


def test_a_public_address_is_connected_to(
    secure: Provider, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """T2: all the addresses that were looked at, and no others. Only the way to them is the test's own."""
    connect, connected = Egress._connect, []

    def elsewhere(egress: Egress, addresses: list[object], port: int, by: float) -> object:
        connected.append([str(address) for address in addresses])
        return connect(egress, [ip_address("127.0.0.1")], port, by)

    monkeypatch.setattr(Egress, "_connect", elsewhere)
    egress = Egress(ca_file=authority.ca_file, resolver=Names(["93.184.215.14", "2606:2800:21f::1"]))
    assert egress.get(discovery(secure), key="c1").status == 200
    assert connected == [["93.184.215.14", "2606:2800:21f::1"]]
    egress.close()


def test_tls_sni_and_host_go_by_name_though_the_address_was_chosen(authority: Authority) -> None:
    """T2."""
    context = authority.server_context("okta.example.com")
    asked: list[str | None] = []

    def note(connection: object, name: str | None, context: ssl.SSLContext) -> None:
        asked.append(name)

    context.sni_callback = note  # type: ignore[assignment]
    with Provider(host="okta.example.com", tls=context) as provider:
        egress = Egress(allow_loopback_http=True, ca_file=authority.ca_file, resolver=Names(["127.0.0.1"]))
        egress.get(discovery(provider), key="c1")
        assert asked == ["okta.example.com"]
        assert provider.requests[0].headers["host"] == provider.issuer.removeprefix("https://")
        egress.close()


def test_only_the_http_that_is_spoken_here_is_offered(authority: Authority) -> None:
    """T3: a server that prefers HTTP/2 is told before it speaks; one that knows nothing else is no use."""
    context = authority.server_context("okta.example.com")
    context.set_alpn_protocols(["h2", "http/1.1"])
    with Provider(host="okta.example.com", tls=context) as provider:
        egress = Egress(allow_loopback_http=True, ca_file=authority.ca_file, resolver=Names(["127.0.0.1"]))
        assert egress.get(discovery(provider), key="c1").status == 200
        [[line]] = egress._idle.values()
        assert isinstance(line.sock, ssl.SSLSocket)
        assert line.sock.selected_alpn_protocol() == "http/1.1"
        egress.close()


def test_a_certificate_for_another_name_is_refused(secure: Provider, authority: Authority) -> None:
    """T2: the name is what is verified."""
    egress = Egress(allow_loopback_http=True, ca_file=authority.ca_file, resolver=Names(["127.0.0.1"]))
    with pytest.raises(Unreachable):
        egress.get(discovery(secure).replace("okta.example.com", "other.example.com"), key="c1")
    assert secure.requests == []


def test_a_certificate_of_an_unknown_authority_is_refused(secure: Provider) -> None:
    """T2."""
    egress = Egress(allow_loopback_http=True, resolver=Names(["127.0.0.1"]))
    with pytest.raises(Unreachable):
        egress.get(discovery(secure), key="c1")
    assert secure.requests == []


def test_an_address_that_does_not_answer_is_followed_by_one_that_does(secure: Provider, authority: Authority) -> None:
    """Several addresses are tried in their order, all of them checked before."""
    egress = Egress(allow_loopback_http=True, ca_file=authority.ca_file, resolver=Names(["::1", "127.0.0.1"]))
    assert egress.get(discovery(secure), key="c1").status == 200
    egress.close()


def test_an_address_of_either_version_is_connected_to() -> None:
    """Where the machine has both; or else one of the other version is like any that does not answer."""
    egress = Egress(allow_loopback_http=True)
    try:
        listener = socket.create_server(("::1", 0), family=socket.AF_INET6)
    except OSError:
        with pytest.raises(Unreachable):
            egress.get("http://[::1]:10099/", key="c1")
        return

    def answer() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(65536)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")

    with listener, ThreadPoolExecutor(1) as pool:
        listener.settimeout(5)
        pool.submit(answer)
        assert egress.get(f"http://[::1]:{listener.getsockname()[1]}/", key="c1").body == b"{}"
        egress.close()


@pytest.mark.parametrize(
    "url",
    [
        "http://okta.example.com/",
        "http://127.0.0.1/",
        "https://127.0.0.1/",
        "https://2130706433/",
        "https://0x7f.1/",
        "https://[::1]/",
        "https://[::ffff:7f00:1]/",
        "https://localhost/",
        "https://user:secret@okta.example.com/",
        "https:///x",
        "https://okta.example.com:0/",
        "https://okta.example.com:99999/",
        "https://okta.example.com/a b",
        "https://okta.example.com/a\r\nX-Injected: 1",
        "https://öktä.example.com/",
        "ftp://okta.example.com/",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "",
    ],
)
def test_production_opens_to_https_and_public_names_only(url: str) -> None:
    """T1, T2, H31."""
    with pytest.raises((Blocked, Unreachable)) as caught:
        Egress(resolver=lambda host, port: ["127.0.0.1"]).get(url, key="c1")
    assert caught.type is Blocked
    assert str(caught.value) == "blocked"


@pytest.mark.parametrize(
    "url",
    [
        "https://user:secret@okta.example.com/",
        "https://user@okta.example.com/",
        "https://:secret@okta.example.com/",
        "https://@okta.example.com/",
        "https:///x",
        "https://:443/x",
        "https://okta.example.com:0/",
        "https://okta.example.com:99999/",
        "https://okta example.com/",
        "https://okta.example.com/a b",
        "https://okta.example.com/a?b c",
        "https://okta.example.com/a\x01b",
        "https://okta.example.com/a\x7fb",
        "https://okta.example.com/ä",
        "https://öktä.example.com/",
        "ftp://okta.example.com/",
        "//okta.example.com/",
        "okta.example.com",
    ],
)
def test_what_is_no_address_is_not_even_looked_up(url: str) -> None:
    """T1, H31: whatever its name would lead to, in production and in development."""
    names = Names(["127.0.0.1"])
    for is_development in (False, True):
        with pytest.raises(Blocked):
            Egress(allow_loopback_http=is_development, resolver=names).get(url, key="c1")
    assert names.asked == []


def test_without_tls_nothing_is_looked_up_in_production() -> None:
    """T1."""
    names = Names(["127.0.0.1"])
    with pytest.raises(Blocked):
        Egress(resolver=names).get("http://okta.example.com/", key="c1")
    assert names.asked == []


@pytest.mark.parametrize("url", ["http://10.0.0.1/", "http://169.254.169.254/latest/", "https://192.168.0.1/"])
def test_development_opens_loopback_and_nothing_else(url: str) -> None:
    """T1, T2: and http only there."""
    with pytest.raises(Blocked):
        Egress(allow_loopback_http=True).get(url, key="c1")
    with pytest.raises(Blocked):
        Egress(allow_loopback_http=True, resolver=Names(["93.184.215.14"])).get("http://okta.example.com/", key="c1")
    for beside in ("10.0.0.1", "93.184.215.14"):
        with pytest.raises(Blocked):
            Egress(allow_loopback_http=True, resolver=Names(["127.0.0.1", beside])).get("http://localhost/", key="c1")


def test_a_name_without_an_address_is_unreachable() -> None:
    def nothing(host: str, port: int) -> Sequence[str]:
        raise OSError

    for resolver in (nothing, Names([])):
        with pytest.raises(Unreachable):
            Egress(resolver=resolver).get("https://okta.example.com/", key="c1")
    with pytest.raises(Unreachable):
        Egress().get(f"https://{'x' * 70}.example.com/", key="c1")


def test_the_systems_resolver_gives_each_address_once() -> None:
    assert system_resolver("127.0.0.1", 80) == ["127.0.0.1"]


def test_every_answer_of_the_systems_resolver_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """T2: of both versions, in the order given; asked for the name and the port of the request."""
    asked: list[tuple[object, ...]] = []

    def answers(host: str, port: int, **options: object) -> list[tuple[object, ...]]:
        asked.append((host, port, options))
        found = [("2600::1", port, 0, 0), ("93.184.215.14", port), ("2600::1", port, 0, 0), ("10.0.0.1", port)]
        return [(0, 0, 0, "", address) for address in found]

    monkeypatch.setattr(socket, "getaddrinfo", answers)
    assert system_resolver("okta.example.com", 8443) == ["2600::1", "93.184.215.14", "10.0.0.1"]
    assert asked == [("okta.example.com", 8443, {"type": socket.SOCK_STREAM})]
    with pytest.raises(Blocked):
        Egress().get("https://okta.example.com:8443/", key="c1")
    assert asked[1:] == asked[:1]


def test_no_proxy_and_no_netrc_of_the_environment_is_used(
    provider: Provider, egress: Egress, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """T3."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login canary password canary\n")
    monkeypatch.setenv("NETRC", str(netrc))
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert egress.get(discovery(provider), key="c1").status == 200
    assert "authorization" not in provider.requests[0].headers


@pytest.mark.parametrize("status", [300, 301, 302, 303, 307, 308])
def test_a_redirect_fails_and_its_target_sees_nothing(provider: Provider, egress: Egress, status: int) -> None:
    """H28, T3."""
    provider.on_discovery = lambda said, request: Reply(status, headers={"Location": provider.issuer + "/keys"})
    with pytest.raises(Redirected):
        egress.get(discovery(provider), key="c1")
    assert len(provider.requests) == 1
