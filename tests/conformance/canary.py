"""A server that hostile providers point at. Whoever reaches it, in whatever way, has been fooled."""

from __future__ import annotations

from tests.serving import Reply, Request, Server


class Canary:
    """Listens on loopback and answers everything kindly. `touched` tells whether anybody came, even without a word."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self._server = Server(0, self._answer)
        self.origin = f"http://127.0.0.1:{self._server.server_port}"
        self._server.start()

    def _answer(self, request: Request) -> Reply:
        self.requests.append(request)
        return Reply.json({"you": "are here"})

    @property
    def touched(self) -> bool:
        return bool(self._server.connections)

    def close(self) -> None:
        self._server.stop()
