"""Complete sign-ins, each by a fresh browser: start, provider, callback, the page one lands on."""

from __future__ import annotations

import asyncio
import ssl
import statistics
import time
from dataclasses import dataclass, field
from urllib.parse import urlencode, urljoin, urlsplit

LONGEST_WAY = 8  # redirects


@dataclass
class Measured:
    seconds: list[float] = field(default_factory=list)
    wall: float = 0.0
    errors: list[str] = field(default_factory=list)

    @property
    def per_second(self) -> float:
        return len(self.seconds) / self.wall

    @property
    def median_ms(self) -> float:
        return statistics.median(self.seconds) * 1000


class Visitor:
    """One browser: its cookies per host, its kept-alive connections per origin."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self.context = context
        self.cookies: dict[str, dict[str, str]] = {}
        self.open: dict[str, tuple[asyncio.StreamReader, asyncio.StreamWriter]] = {}

    async def get(self, url: str) -> tuple[int, str, bytes]:
        """Return status, Location and body."""
        return await self._ask("GET", url)

    async def post(self, url: str, form: dict[str, str]) -> tuple[int, str, bytes]:
        """Send a form; return status, Location and body."""
        return await self._ask("POST", url, urlencode(form).encode())

    async def _ask(self, method: str, url: str, form: bytes = b"") -> tuple[int, str, bytes]:
        parts = urlsplit(url)
        origin = f"{parts.scheme}://{parts.netloc}"
        if origin not in self.open:
            tls = {"ssl": self.context, "server_hostname": parts.hostname} if parts.scheme == "https" else {}
            # Every name in this benchmark is this machine.
            self.open[origin] = await asyncio.open_connection("127.0.0.1", parts.port, **tls)
        reader, writer = self.open[origin]
        jar = self.cookies.setdefault(parts.netloc, {})
        cookie = "; ".join(f"{name}={value}" for name, value in jar.items())
        target = parts.path + (f"?{parts.query}" if parts.query else "")
        lines = [f"{method} {target} HTTP/1.1", f"Host: {parts.netloc}", "User-Agent: bench", "Accept: text/html"]
        if cookie:
            lines.append(f"Cookie: {cookie}")
        if method == "POST":
            lines += ["Content-Type: application/x-www-form-urlencoded", f"Content-Length: {len(form)}"]
        writer.write("\r\n".join([*lines, "", ""]).encode() + form)
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        status, length, location, close = int(head[0].split(" ")[1]), 0, "", False
        for line in head[1:]:
            name, _, value = line.partition(":")
            match name.lower():
                case "content-length":
                    length = int(value)
                case "location":
                    location = urljoin(url, value.strip())
                case "connection":
                    close = value.strip().lower() == "close"
                case "set-cookie":
                    pair, _, rest = value.strip().partition(";")
                    key, _, content = pair.partition("=")
                    jar.pop(key, None)
                    if content and content != '""' and "max-age=0" not in rest.lower():
                        jar[key] = content
        body = await reader.readexactly(length)
        if close:
            self.open.pop(origin)[1].close()
        return status, location, body

    def leave(self) -> None:
        """Close the connections. Whoever comes back opens new ones, and has kept the cookies."""
        while self.open:
            self.open.popitem()[1][1].close()


async def sign_in(start: str, expected: bytes, context: ssl.SSLContext, measured: Measured) -> None:
    visitor, url, began, way = Visitor(context), start, time.perf_counter(), []
    try:
        for _ in range(LONGEST_WAY):
            status, location, body = await visitor.get(url)
            way.append(f"{status} {urlsplit(url).path}")
            if not location:
                break
            url = location
        if status == 200 and expected in body:
            measured.seconds.append(time.perf_counter() - began)
        else:
            measured.errors.append(" → ".join(way))
    except (OSError, asyncio.IncompleteReadError) as error:
        measured.errors.append(f"{type(error).__name__} after {' → '.join(way)}")
    finally:
        visitor.leave()


def run(start: str, *, sign_ins: int, at_once: int, expected: str, ca: str) -> Measured:
    """Measure ``sign_ins`` complete sign-ins that begin at ``start``, ``at_once`` of them at a time."""

    async def everyone() -> Measured:
        measured, left = Measured(), iter(range(sign_ins))
        context = ssl.create_default_context(cafile=ca)

        async def one_after_another() -> None:
            for _ in left:
                await sign_in(start, expected.encode(), context, measured)

        began = time.perf_counter()
        await asyncio.gather(*(one_after_another() for _ in range(at_once)))
        measured.wall = time.perf_counter() - began
        return measured

    return asyncio.run(everyone())
