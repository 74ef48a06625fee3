"""The client: pooled connections, one TLS context, one deadline for a whole exchange (T3)."""

from __future__ import annotations

import http.client
import re
import socket
import ssl
import threading
import time
import zlib
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, ip_address
from queue import Empty, SimpleQueue
from select import POLLIN, poll
from types import MappingProxyType
from typing import Any
from urllib.parse import SplitResult, urlsplit

from identity.egress.addresses import is_public, system_resolver
from identity.egress.breaker import Breaker
from identity.egress.errors import Blocked, EgressError, Redirected, TimedOut, TooLarge, Unreachable

CONNECT_SECONDS = 3.0
TOTAL_SECONDS = 10.0
MAX_BYTES = 512 * 1024
# Shorter than the minute after which load balancers hang up, so that it is we who close first.
IDLE_SECONDS = 50.0
IDLE_PER_ORIGIN = 10
# What a server may have closed while we were speaking is not used for the last second of its promise.
_PROMISED = re.compile(r"(?:^|[,\s])timeout=([0-9]{1,6})")
_MARGIN = 1.0
# The longest TLS record (RFC 8446, section 5.1): of half a record the other end can make nothing.
_RECORD = 16384

Resolver = Callable[[str, int], Sequence[str]]
Origin = tuple[str, str, int]


@dataclass(frozen=True, slots=True)
class Response:
    """An answer. `headers` has lower-case names; both it and `body` stay out of the repr."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


class _Deadlined(socket.socket):
    """A socket whose reads and writes share one deadline, so that a slow drip cannot outlast it."""

    deadline = 0.0  # nothing is said before there is one

    def _arm(self) -> None:
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self.settimeout(left)

    def recv_into(self, *args: Any, **options: Any) -> int:
        self._arm()
        return super().recv_into(*args, **options)

    def send(self, *args: Any) -> int:
        self._arm()
        return super().send(*args)


class _DeadlinedTLS(_Deadlined, ssl.SSLSocket):
    """The same, over TLS."""


class _Line(http.client.HTTPConnection):
    """One open connection. It never opens itself: the door hands it a socket that was checked."""

    auto_open = 0
    sock: _Deadlined
    good_until = 0.0
    has_spoken = False
    unsent = b""

    def send(self, data: Any) -> None:
        """Keep head and body together: one packet, one TLS record, one system call."""
        self.unsent += data

    def flush(self) -> None:
        """Send it all. ``has_spoken`` says afterwards whether the server may have got any of it."""
        data, self.unsent, self.has_spoken = memoryview(self.unsent), b"", False
        while data:
            data = data[self.sock.send(data[:_RECORD]) :]
            self.has_spoken = True

    def is_quiet(self) -> bool:
        """Whether an idle connection is still good: not closed, and nothing came unasked."""
        poller = poll()
        poller.register(self.sock, POLLIN)  # that it was closed or broke is told unasked
        return not poller.poll(0)


class Egress:
    """The client. One per process; thread-safe.

    `allow_loopback_http` (development only) opens loopback addresses, and http to them.
    `ca_file` names more certificate authorities to trust, beside the system's (or SSL_CERT_FILE).
    `connect_seconds` and `total_seconds` bound a request in time and `max_bytes` its answer in size.
    `requests_made` and `connections_opened` only ever grow.
    """

    def __init__(
        self,
        *,
        allow_loopback_http: bool = False,
        ca_file: str | None = None,
        connect_seconds: float = CONNECT_SECONDS,
        total_seconds: float = TOTAL_SECONDS,
        max_bytes: int = MAX_BYTES,
        resolver: Resolver = system_resolver,
        breaker: Breaker | None = None,
    ) -> None:
        self.allow_loopback_http = allow_loopback_http
        self.breaker = breaker or Breaker()
        self.requests_made = 0
        self.connections_opened = 0
        self._connect_seconds = connect_seconds
        self._total_seconds = total_seconds
        self._max_bytes = max_bytes
        self._resolver = resolver
        self._lock = threading.Lock()
        self._thread = threading.local()
        self._idle: dict[Origin, deque[_Line]] = {}
        self._tls = ssl.create_default_context()
        self._tls.set_alpn_protocols(["http/1.1"])
        self._tls.sslsocket_class = _DeadlinedTLS
        if ca_file:
            self._tls.load_verify_locations(cafile=ca_file)

    def get(self, url: str, *, key: str, headers: Mapping[str, str] | None = None) -> Response:
        """GET `url`. `key` names the breaker, usually by connection id. Raises `EgressError`."""
        return self._guarded("GET", url, key, headers or {}, None)

    def post(self, url: str, body: bytes, *, key: str, headers: Mapping[str, str]) -> Response:
        """POST `body` to `url`. `key` names the breaker. Raises `EgressError`."""
        return self._guarded("POST", url, key, headers, body)

    @contextmanager
    def within(self, seconds: float) -> Iterator[None]:
        """Have whatever this thread asks for inside the block end `seconds` from now, all of it together."""
        self._thread.deadline = time.monotonic() + seconds
        try:
            yield
        finally:
            del self._thread.deadline

    def close(self) -> None:
        """Close every idle connection. The client stays usable."""
        with self._lock:
            lines = [line for queue in self._idle.values() for line in queue]
            self._idle.clear()
        for line in lines:
            line.close()

    def _guarded(self, method: str, url: str, key: str, headers: Mapping[str, str], body: bytes | None) -> Response:
        origin, target = self._split(url)
        self.breaker.admit(key)
        deadline = min(time.monotonic() + self._total_seconds, getattr(self._thread, "deadline", float("inf")))
        try:
            response = self._exchange(origin, deadline, method, target, headers, body)
        except TimeoutError:
            self.breaker.failed(key)
            raise TimedOut from None
        except (OSError, http.client.HTTPException, zlib.error):
            self.breaker.failed(key)
            raise Unreachable from None
        except EgressError:
            # The door's own refusals say nothing about whether the provider is up.
            self.breaker.succeeded(key)
            raise
        self.breaker.succeeded(key)
        if 300 <= response.status < 400:
            raise Redirected
        return response

    def _split(self, url: str) -> tuple[Origin, str]:
        try:
            parts: SplitResult = urlsplit(url)
            port = parts.port
            host = (parts.hostname or "").encode("ascii").decode()
            target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            target.encode("ascii")
        except ValueError:
            raise Blocked from None
        odd = parts.username is not None or parts.password is not None or not host or port == 0
        if odd or any(character <= " " or character == "\x7f" for character in host + target):
            raise Blocked
        if parts.scheme != "https" and not (parts.scheme == "http" and self.allow_loopback_http):
            raise Blocked
        return (parts.scheme, host, port or (443 if parts.scheme == "https" else 80)), target

    def _exchange(
        self,
        origin: Origin,
        deadline: float,
        method: str,
        target: str,
        headers: Mapping[str, str],
        body: bytes | None,
    ) -> Response:
        with self._lock:
            self.requests_made += 1
        line = self._take(origin)
        if line:
            try:
                answer = self._send(line, deadline, method, target, headers, body)
            except (ConnectionError, ssl.SSLError):
                # The server hung up on the idle connection just as we spoke. What it may have got is said again only
                # if that changes nothing: a code or a refresh token counts as used, whatever came of it.
                if line.has_spoken and method != "GET":
                    raise
            else:
                return self._receive(line, origin, answer)
        line = self._open(origin, deadline)
        return self._receive(line, origin, self._send(line, deadline, method, target, headers, body))

    def _send(
        self,
        line: _Line,
        deadline: float,
        method: str,
        target: str,
        headers: Mapping[str, str],
        body: bytes | None,
    ) -> http.client.HTTPResponse:
        line.sock.deadline = deadline
        try:
            line.request(method, target, body, headers)  # of itself it asks for no encoding
            line.flush()
            return line.getresponse()
        except (OSError, http.client.HTTPException):
            line.close()
            raise

    def _receive(self, line: _Line, origin: Origin, answer: http.client.HTTPResponse) -> Response:
        reusable = False
        try:
            # One read is all of it, however many pieces it comes in, or a byte too much.
            raw = answer.read(self._max_bytes + 1)
            if len(raw) > self._max_bytes:
                raise TooLarge
            if answer.length:
                raise http.client.IncompleteRead(b"")
            reusable = not answer.will_close
            headers = {name.lower(): value for name, value in answer.getheaders()}
            body = self._decoded(raw, headers.get("content-encoding", ""))
        finally:
            answer.close()
            if reusable:
                self._give_back(line, origin, answer.getheader("Keep-Alive", ""))
            else:
                line.close()
        return Response(answer.status, MappingProxyType(headers), body)

    def _decoded(self, raw: bytes, encoding: str) -> bytes:
        encoding = encoding.strip().lower()
        if encoding in ("", "identity"):
            return raw
        if encoding not in ("gzip", "x-gzip", "deflate"):
            raise http.client.HTTPException
        decoder = zlib.decompressobj(zlib.MAX_WBITS | 32)
        body = decoder.decompress(raw, self._max_bytes + 1)
        if len(body) > self._max_bytes:
            raise TooLarge
        return body

    def _take(self, origin: Origin) -> _Line | None:
        while True:
            with self._lock:
                queue = self._idle.get(origin)
                if not queue:
                    return None
                line = queue.pop()  # the youngest: the older ones may then grow old and go
            if time.monotonic() < line.good_until and line.is_quiet():
                return line
            line.close()

    def _give_back(self, line: _Line, origin: Origin, promise: str) -> None:
        promised = _PROMISED.search(promise)
        keep = min(IDLE_SECONDS, float(promised[1]) - _MARGIN) if promised else IDLE_SECONDS
        line.good_until = time.monotonic() + keep
        with self._lock:
            queue = self._idle.setdefault(origin, deque())
            queue.append(line)
            surplus = queue.popleft() if len(queue) > IDLE_PER_ORIGIN else None
        if surplus:
            surplus.close()

    def _close_the_old(self) -> None:
        now = time.monotonic()
        old: list[_Line] = []
        with self._lock:
            for origin, queue in list(self._idle.items()):
                while queue and queue[0].good_until <= now:
                    old.append(queue.popleft())
                if not queue:
                    del self._idle[origin]
        for line in old:
            line.close()

    def _open(self, origin: Origin, deadline: float) -> _Line:
        self._close_the_old()
        scheme, host, port = origin
        connect_by = min(deadline, time.monotonic() + self._connect_seconds)
        addresses = self._checked(scheme, self._resolve(host, port, connect_by))
        raw = self._connect(addresses, port, connect_by)
        sock: _Deadlined = raw
        if scheme == "https":
            try:
                raw._arm()
                sock = self._tls.wrap_socket(raw, server_hostname=host)  # type: ignore[assignment]
            except ValueError:  # a name that no certificate can be for
                raise Unreachable from None
            finally:
                raw.close()  # TLS has taken over what there was to close, unless it never came to that
        with self._lock:
            self.connections_opened += 1
        line = _Line(host, port)
        line.default_port = 443 if scheme == "https" else 80
        line.sock = sock
        return line

    def _resolve(self, host: str, port: int, by: float) -> Sequence[str]:
        """The one resolution. In a thread of its own, since the system's resolver knows no deadline."""
        answers: SimpleQueue[Sequence[str] | OSError] = SimpleQueue()

        def ask() -> None:
            try:
                answers.put(self._resolver(host, port))
            except OSError as problem:
                answers.put(problem)
            except UnicodeError:
                answers.put(OSError())

        threading.Thread(target=ask, name="egress-resolve", daemon=True).start()
        try:
            answer = answers.get(timeout=max(0.0, by - time.monotonic()))
        except Empty:
            raise TimeoutError from None
        if isinstance(answer, OSError):
            raise answer
        return answer

    def _checked(self, scheme: str, answers: Sequence[str]) -> list[IPv4Address | IPv6Address]:
        """All the answers, or `Blocked` if one of them is not to be connected to."""
        try:
            addresses = [ip_address(text) for text in answers]
        except ValueError:
            raise Blocked from None
        for address in addresses:
            if self.allow_loopback_http and address.is_loopback:
                continue
            if scheme != "https" or not is_public(address):
                raise Blocked
        return addresses

    def _connect(self, addresses: Sequence[IPv4Address | IPv6Address], port: int, connect_by: float) -> _Deadlined:
        problem: OSError = OSError()
        for address in addresses:
            try:
                return _connected(address, port, connect_by)
            except OSError as failure:  # on a machine without IPv6, of every such address
                problem = failure
        raise problem


def _connected(address: IPv4Address | IPv6Address, port: int, by: float) -> _Deadlined:
    sock = _Deadlined(socket.AF_INET if address.version == 4 else socket.AF_INET6)
    sock.deadline = by
    try:
        sock._arm()
        sock.connect((str(address), port))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except OSError:
        sock.close()
        raise
    return sock
