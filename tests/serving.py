"""A small real HTTP server for tests, which answers whatever it is told to, HTTP or not."""

from __future__ import annotations

import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tests.ports import fresh_port


@dataclass(frozen=True)
class Request:
    """One request the server got."""

    method: str
    path: str
    query: dict[str, str]
    form: dict[str, str]
    headers: dict[str, str]


@dataclass(frozen=True)
class Reply:
    """An answer, sent as it is.

    With `raw`, `body` is all that is sent, status line and headers included, and the connection closes after it.
    With `pause`, that many seconds pass before each byte of the body.
    """

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    raw: bool = False
    pause: float = 0.0

    @classmethod
    def json(cls, document: object, status: int = 200, **headers: str) -> Reply:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return cls(status, json.dumps(document).encode(), {"Content-Type": "application/json", **named})


class Server(ThreadingHTTPServer):
    """Answers each request with what `answer` returns for it. `connections` only ever grows."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, port: int, answer: Callable[[Request], Reply], tls: ssl.SSLContext | None = None) -> None:
        self.answer = answer
        self.connections = 0
        self._tls = tls
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        super().__init__(("127.0.0.1", port or fresh_port()), _Handler)
        self._thread = threading.Thread(target=self.serve_forever, args=(0.005,), daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Stop listening and close every connection. Stopping again does nothing."""
        if not self._thread.is_alive():
            return
        self.shutdown()
        self._thread.join()
        self.hang_up()
        self.server_close()

    def finish_request(self, request: Any, client_address: Any) -> None:
        with self._lock:
            self.connections += 1
            self._open.add(request)
        connection = request
        try:
            if self._tls:
                connection = self._tls.wrap_socket(request, server_side=True)
                with self._lock:
                    self._open.add(connection)
            _Handler(connection, client_address, self)
        except OSError:
            return  # the client went away, or did not trust us
        finally:
            with self._lock:
                self._open -= {request, connection}
            connection.close()

    def hang_up(self) -> None:
        """Close every connection there is."""
        with self._lock:
            sockets = list(self._open)
        for connection in sockets:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # one packet for an answer, or each would wait for the last one's acknowledgement
    disable_nagle_algorithm = True
    server: Server

    def _serve(self) -> None:
        parts = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        reply = self.server.answer(
            Request(
                method=self.command,
                path=parts.path,
                query=dict(parse_qsl(parts.query)),
                form=dict(parse_qsl(body.decode())),
                headers={name.lower(): value for name, value in self.headers.items()},
            )
        )
        if reply.raw:
            self.close_connection = True
        else:
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(reply.body)))
            self.end_headers()
        self._say(reply)

    def _say(self, reply: Reply) -> None:
        if not reply.pause:
            self.wfile.write(reply.body)
            return
        for number in range(len(reply.body)):
            self.wfile.flush()
            time.sleep(reply.pause)
            self.wfile.write(reply.body[number : number + 1])

    do_GET = _serve
    do_POST = _serve

    def log_message(self, *args: Any) -> None:
        """Say nothing: what was asked is kept by whoever answers."""


@contextmanager
def raw_server(speak: Callable[[socket.socket], None]) -> Iterator[str]:
    """A server that reads a request and then says whatever `speak` says; its address."""
    listener = socket.create_server(("127.0.0.1", fresh_port()))

    def serve() -> None:
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                with connection, suppress(OSError):
                    connection.recv(65536)
                    speak(connection)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(2)  # a client that a failing test left open is not waited for
