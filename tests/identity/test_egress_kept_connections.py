"""Connections are worth keeping, and what may have arrived on one is not said twice (T3, H29)."""

from __future__ import annotations

import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import FrozenInstanceError
from pathlib import Path

import pytest

from identity.egress import Egress, TooLarge, Unreachable, client
from tests.provider import Provider, Reply
from tests.serving import raw_server
from tests.tls import Authority

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


class Keeper:
    """A server that answers the first request of a connection and then keeps it, until a test lets go of it.

    `heard` is what it read. `egress` reaches it over TLS when there is a `folder` for certificates.
    """

    def __init__(self, folder: Path | None) -> None:
        self.heard: list[bytes] = []
        self.kept: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._tls: ssl.SSLContext | None = None
        name, ca_file, port = "127.0.0.1", None, self._listener.getsockname()[1]
        if folder:
            name, authority = "okta.example.com", Authority(folder)
            self._tls, ca_file = authority.server_context(name), authority.ca_file
        self.url = f"{'https' if folder else 'http'}://{name}:{port}/token"
        self.egress = Egress(allow_loopback_http=True, ca_file=ca_file, resolver=lambda host, port: ["127.0.0.1"])
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                if self._tls:
                    connection = self._tls.wrap_socket(connection, server_side=True)
                self.heard.append(connection.recv(65536))
                self.kept.append(connection)
                connection.sendall(OK)

    def close(self) -> None:
        self.egress.close()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(2)  # one that listens to a client of a failing test is not waited for
        for connection in self.kept:
            connection.close()

    def post(self, body: bytes) -> bytes:
        return self.egress.post(self.url, body, key="c1", headers={}).body

    def say_goodbye(self) -> None:
        self.kept.pop().close()

    def reset(self) -> None:
        """Let go of the connection at once, as a machine does that has lost its memory of it."""
        connection = self.kept.pop()
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()


@pytest.fixture(params=["http", "https"])
def keeper(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Keeper]:
    keeper = Keeper(tmp_path if request.param == "https" else None)
    yield keeper
    keeper.close()


def just_after_the_look(monkeypatch: pytest.MonkeyPatch, happens: Callable[[], None]) -> None:
    """Have something happen between the look at an idle connection and the first word on it."""
    look = client._Line.is_quiet

    def looked(line: client._Line) -> bool:
        was_quiet = look(line)
        happens()
        return was_quiet

    monkeypatch.setattr(client._Line, "is_quiet", looked)


def test_connections_are_kept_and_reused(provider: Provider, egress: Egress) -> None:
    """T3, R16."""
    for _ in range(10):
        egress.get(provider.issuer + "/keys", key="c1")
    assert (egress.requests_made, egress.connections_opened, provider.connections) == (10, 1, 1)


@pytest.mark.parametrize("ended", ["say_goodbye", "reset"])
def test_a_connection_that_was_closed_while_idle_is_replaced_unnoticed(keeper: Keeper, ended: str) -> None:
    """T3: it is seen before a word is said on it, so a sign-in does not fail by it."""
    assert keeper.post(b"first") == b"{}"
    getattr(keeper, ended)()
    time.sleep(0.02)
    assert keeper.post(b"second") == b"{}"
    assert [said.partition(b"\r\n\r\n")[2] for said in keeper.heard] == [b"first", b"second"]
    assert keeper.egress.connections_opened == 2


def test_a_code_that_may_have_arrived_is_not_sent_again(keeper: Keeper, monkeypatch: pytest.MonkeyPatch) -> None:
    """H29: the server hung up while we spoke, so nobody knows what it has done with the code."""
    keeper.post(b"first")
    just_after_the_look(monkeypatch, keeper.say_goodbye)
    with pytest.raises(Unreachable):
        keeper.post(b"second")
    assert len(keeper.heard) == keeper.egress.connections_opened == 1


def test_a_code_that_cannot_have_arrived_is_sent_on_a_new_connection(
    keeper: Keeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    """T3: the connection took not one byte of it."""
    keeper.post(b"first")
    just_after_the_look(monkeypatch, keeper.reset)
    assert keeper.post(b"second") == b"{}"
    assert [said.partition(b"\r\n\r\n")[2] for said in keeper.heard] == [b"first", b"second"]


def test_half_of_a_request_counts_as_sent(keeper: Keeper, monkeypatch: pytest.MonkeyPatch) -> None:
    """H29: the first bytes were taken, and then the connection broke."""
    keeper.post(b"first")
    threading.Timer(0.2, keeper.reset).start()
    with pytest.raises(Unreachable):
        keeper.post(b"x" * 20_000_000)
    assert len(keeper.heard) == keeper.egress.connections_opened == 1


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_server_that_reads_and_hangs_up_is_asked_again_only_what_changes_nothing(method: str) -> None:
    """H29: a GET may be repeated, a POST is sent once."""
    said: list[bytes] = []

    def once(connection: socket.socket) -> None:
        connection.sendall(OK)
        said.append(connection.recv(65536))  # the second request is read, and the line cut

    with raw_server(once) as url:
        egress = Egress(allow_loopback_http=True)
        egress.get(url, key="c1")
        if method == "GET":
            assert egress.get(url + "second", key="c1").body == b"{}"
        else:
            with pytest.raises(Unreachable):
                egress.post(url + "second", b"code", key="c1", headers={})
        egress.close()
    assert b"/second" in said[0]
    assert egress.connections_opened == (2 if method == "GET" else 1)


def test_a_fresh_connection_that_fails_is_not_tried_again() -> None:
    """T3: only one that was kept may have been closed meanwhile."""
    heard: list[bool] = []
    with raw_server(lambda connection: heard.append(True)) as url:
        egress = Egress(allow_loopback_http=True)
        with pytest.raises(Unreachable):
            egress.get(url, key="c1")
    assert heard == [True]


@pytest.mark.parametrize(
    ("promise", "opened"),
    [
        ("timeout=1", 2),
        ("timeout=0", 2),
        ("max=100, timeout=1", 2),
        ("timeout=5, max=100", 1),
        ("timeout=600", 1),
        ("mytimeout=1", 1),
        ("timeout=1234567", 1),
        ("timeout=-1", 1),
        ("", 1),
    ],
)
def test_a_server_says_how_long_it_keeps_a_connection(
    provider: Provider, egress: Egress, promise: str, opened: int
) -> None:
    """T3: its last second is not used, or both ends would speak at once."""
    provider.on_keys = lambda said, request: Reply(200, b"{}", {"Keep-Alive": promise})
    egress.get(provider.issuer + "/keys", key="c1")
    egress.get(provider.issuer + "/keys", key="c1")
    assert egress.connections_opened == opened


@pytest.mark.parametrize("promise", ["", "timeout=600"])
def test_no_connection_is_kept_for_longer_than_ours(
    provider: Provider, egress: Egress, monkeypatch: pytest.MonkeyPatch, promise: str
) -> None:
    """T3: shorter than a minute, after which load balancers hang up; an old one is closed when others are opened."""
    assert client.IDLE_SECONDS == 50
    monkeypatch.setattr(client, "IDLE_SECONDS", 0.1)
    provider.on_keys = lambda said, request: Reply(200, b"{}", {"Keep-Alive": promise})
    egress.get(provider.issuer + "/keys", key="c1")
    egress.get(provider.issuer + "/keys", key="c1")
    assert egress.connections_opened == 1
    time.sleep(0.15)
    egress.get(provider.issuer + "/keys", key="c1")
    assert egress.connections_opened == 2


def test_an_unasked_answer_is_not_taken_for_the_next_one() -> None:
    """A server that speaks out of turn loses its connection: its words are never matched to a later request."""

    def eager(connection: socket.socket) -> None:
        answer = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n"
        connection.sendall(answer + b"1")
        time.sleep(0.05)
        with suppress(OSError):
            connection.sendall(answer + b"2")
            connection.recv(65536)

    with raw_server(eager) as url:
        egress = Egress(allow_loopback_http=True)
        assert egress.get(url, key="c1").body == b"1"
        time.sleep(0.15)
        assert egress.get(url, key="c1").body == b"1"
        egress.close()


def opened_at_once(provider: Provider, egress: Egress, count: int) -> None:
    """Have `count` connections open at one time, and idle after it."""
    gate = threading.Barrier(count)

    def together(said: object, request: object) -> Reply:
        gate.wait(5)
        return Reply(200, b"{}")

    provider.on_keys = together
    with ThreadPoolExecutor(count) as pool:
        list(pool.map(lambda _: egress.get(provider.issuer + "/keys", key="c1"), range(count)))
    provider.on_keys = lambda said, request: Reply(200, b"{}")


def idle(egress: Egress) -> list[client._Line]:
    return [line for queue in egress._idle.values() for line in queue]


def is_closed(line: client._Line) -> bool:
    return line.sock is None


def test_few_idle_connections_are_kept_and_the_rest_are_closed(
    provider: Provider, egress: Egress, monkeypatch: pytest.MonkeyPatch
) -> None:
    """T3: the youngest are kept, and the youngest of them is used, so that the old ones may go."""
    assert client.IDLE_PER_ORIGIN == 10
    monkeypatch.setattr(client, "IDLE_PER_ORIGIN", 2)
    opened_at_once(provider, egress, 3)
    assert egress.connections_opened == 3
    older, younger = idle(egress)
    egress.get(provider.issuer + "/keys", key="c1")
    assert idle(egress) == [older, younger]
    assert older.good_until < younger.good_until
    assert younger.good_until - time.monotonic() == pytest.approx(50, abs=5)


def test_what_has_grown_old_is_closed_when_another_is_opened(
    provider: Provider, egress: Egress, monkeypatch: pytest.MonkeyPatch
) -> None:
    """T3: also of providers that nobody asks any more; and what is not old is left alone."""
    with Provider() as other, Provider() as third:
        opened_at_once(provider, egress, 2)
        egress.get(other.issuer + "/keys", key="c1")
        first, second, kept = idle(egress)
        first.good_until = 0.0
        egress.get(third.issuer + "/keys", key="c1")
        assert [is_closed(line) for line in (first, second, kept)] == [True, False, False]
        assert len(idle(egress)) == 3
        second.good_until = 0.0
        third.hang_up()
        time.sleep(0.02)
        egress.get(third.issuer + "/keys", key="c1")
        assert [is_closed(line) for line in (second, kept)] == [True, False]
        assert len(egress._idle) == 2
        egress.close()


def test_a_closed_door_can_be_opened_again(provider: Provider, egress: Egress) -> None:
    """T3: closing closes what is idle, and forgets it."""
    egress.get(provider.issuer + "/keys", key="c1")
    [line] = idle(egress)
    egress.close()
    assert is_closed(line)
    assert idle(egress) == []
    assert egress.get(provider.issuer + "/keys", key="c1").status == 200
    assert egress.connections_opened == 2


def test_a_connection_that_the_other_end_gives_up_is_not_kept(provider: Provider, egress: Egress) -> None:
    """T3: it says so, or its answer was none."""
    provider.on_keys = lambda said, request: Reply(200, b"{}", {"Connection": "close"})
    assert egress.get(provider.issuer + "/keys", key="c1").body == b"{}"
    assert idle(egress) == []
    provider.on_keys = lambda said, request: Reply(200, b"x" * 600_000)
    with pytest.raises(TooLarge):
        egress.get(provider.issuer + "/keys", key="c1")
    assert idle(egress) == []
    assert egress.connections_opened == 2


def test_a_request_says_what_it_is_and_no_more(provider: Provider, egress: Egress) -> None:
    """T3, H29: no encoding is asked for; the path and the query are the address's own, and a fragment goes nowhere."""
    egress.get(provider.issuer + "/keys?a=b%20c&d#e", key="c1", headers={"X-Mine": "1"})
    egress.post(provider.issuer + "/token", b"x=y", key="c1", headers={"X-Mine": "2"})
    egress.get(provider.issuer, key="c1")
    egress.get(provider.issuer + "?q=1", key="c1")
    asked, told, bare, query = provider.requests
    assert (asked.method, asked.path, asked.query) == ("GET", "/keys", {"a": "b c"})
    assert (told.method, told.path, told.form) == ("POST", "/token", {"x": "y"})
    assert (bare.path, query.path, query.query) == ("/", "/", {"q": "1"})
    port = provider.issuer.removeprefix("http://")
    assert asked.headers == {"host": port, "accept-encoding": "identity", "x-mine": "1"}
    assert told.headers["content-length"] == "3"
    assert egress.requests_made == 4


def test_an_address_is_asked_for_to_the_letter(keeper: Keeper) -> None:
    """T1: without a query there is no question mark, which some servers take for another address."""
    keeper.post(b"first")
    assert keeper.heard[0].startswith(b"POST /token HTTP/1.1\r\n")


def test_an_answers_headers_are_read_by_lower_case_names(provider: Provider, egress: Egress) -> None:
    """R16: and nobody can change them."""
    provider.on_keys = lambda said, request: Reply(203, b"{}", {"CACHE-Control": "max-age=900"})
    answer = egress.get(provider.issuer + "/keys", key="c1")
    assert (answer.status, answer.body) == (203, b"{}")
    assert answer.headers["cache-control"] == "max-age=900"
    with pytest.raises(TypeError):
        answer.headers["cache-control"] = "x"  # type: ignore[index]
    with pytest.raises(FrozenInstanceError):
        answer.status = 200  # type: ignore[misc]


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_the_usual_port_is_not_said(scheme: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """T2: Host is the name alone where the port is the scheme's own, as virtual hosts expect it."""
    authority = Authority(tmp_path)
    tls = authority.server_context("okta.example.com") if scheme == "https" else None
    asked: list[tuple[str, int]] = []
    connect = Egress._connect
    with Provider(host="okta.example.com", tls=tls) as provider:
        port = int(provider.issuer.rpartition(":")[2])

        def elsewhere(egress: Egress, addresses: list[object], usual: int, by: float) -> client._Deadlined:
            assert usual == {"http": 80, "https": 443}[scheme]
            return connect(egress, addresses, port, by)  # type: ignore[arg-type]

        def resolver(host: str, port: int) -> list[str]:
            asked.append((host, port))
            return ["127.0.0.1"]

        monkeypatch.setattr(Egress, "_connect", elsewhere)
        egress = Egress(allow_loopback_http=True, ca_file=authority.ca_file, resolver=resolver)
        egress.get(f"{scheme}://okta.example.com/keys", key="c1")
        assert provider.requests[0].headers["host"] == "okta.example.com"
        assert asked == [("okta.example.com", {"http": 80, "https": 443}[scheme])]
        [line] = idle(egress)
        assert line.sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        if isinstance(line.sock, ssl.SSLSocket):
            assert line.sock.version() in ("TLSv1.2", "TLSv1.3")
        egress.close()


def test_a_kept_connection_is_for_its_own_origin_only(provider: Provider, egress: Egress) -> None:
    """T2: another port, name or scheme is another connection."""
    egress.get(provider.issuer + "/keys", key="c1")
    egress.get(provider.issuer.replace("127.0.0.1", "localhost") + "/keys", key="c1")
    assert egress.connections_opened == 2
    with pytest.raises(Unreachable):
        egress.get(provider.issuer.replace("http:", "https:") + "/keys", key="c1")
    assert len(provider.requests) == 2


def test_many_threads_share_one_door(provider: Provider, egress: Egress) -> None:
    """Thread-safe: every answer belongs to its question, and idle connections stay few."""

    def ask(number: int) -> bool:
        token = f"token-{number}"
        answer = egress.get(f"{provider.issuer}/keys?n={number}", key="c1", headers={"X-Number": token})
        return answer.status == 200

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(ask, range(80)))
    asked = {(request.query["n"], request.headers["x-number"]) for request in provider.requests}
    assert asked == {(str(number), f"token-{number}") for number in range(80)}
    assert egress.connections_opened <= 8
