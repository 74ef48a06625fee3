"""What it costs the others when many people are switched to Okta as one batch.

``script/benchmark-switch [people]`` brings its own PostgreSQL, Valkey and mail server, all on this machine, and the
web server and worker as in production. An administrator opens the dry run and begins; while the worker takes people
in, while it sends them their links, and while it switches all of them back, the same pages are asked for in turn.
"""

from __future__ import annotations

import asyncio
import itertools
import math
import os
import re
import ssl
import statistics
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from html import unescape
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import psycopg

from benchmarks.load import Visitor
from benchmarks.sign_in import ROOT, wait_for
from demo.processes import Child, Ports, is_free
from demo.servers import Postgres, Valkey, prepare

FOLDER = ROOT / ".run" / "benchmark-switch"
EVERY = 0.2  # seconds from one request to the next
WARM_UP, QUIET = 6, 20  # seconds of requests before anything is begun: not counted, and counted
LINGER = 5  # seconds in which an email too many would still come
STALLED = 120  # seconds without any progress
BEFORE, TAKING_IN, SENDING, UNDOING = PHASES = ("before", "taken in", "emails leave", "switched back")
KINDS = {
    "dry run": "/advanced/switch/",
    "batch": "/advanced/switch/batches/{batch}/",
    "progress of the batch": "/advanced/switch/batches/{batch}/progress/?alone",
    "list of users": "/users/",
    "dashboard": "/",
    "sign-in page": "/e/crowd/",
    "local sign-in page": "/e/crowd/local/",
}
OUTSIDE = ("sign-in page", "local sign-in page")  # asked for by somebody who is not signed in


def memory(process: psutil.Process, kind: str) -> float:
    """Return the memory of the largest of a process and those it has started, in MiB: VmRSS, or VmHWM, its peak."""
    sizes = []
    for member in [process, *process.children(recursive=True)]:
        found = re.search(rf"^{kind}:\s*(\d+) kB", Path(f"/proc/{member.pid}/status").read_text(), re.MULTILINE)
        sizes.append(int(found[1]) / 1024 if found else 0.0)
    return max(sizes)


class Bench:
    """The servers of one run, and what the database and the mail server know."""

    def __init__(self, people: int) -> None:
        self.people = people
        prepare(FOLDER)
        self.ports = Ports(FOLDER / "ports.json")
        # Both as in production: what a commit costs is part of what is measured.
        self.postgres, self.valkey = Postgres(FOLDER), Valkey(FOLDER, is_durable=False)
        self.children = {name: Child(name, FOLDER) for name in ("web", "worker", "mailbox")}
        self.processes: dict[str, psutil.Process] = {}
        self.mail = FOLDER / "mail"

    def start(self) -> None:
        self.stop()  # What an earlier run has left behind.
        self.postgres.start()
        self.valkey.start()
        self.port, smtp = self.ports.take("web"), self.ports.take("smtp")
        self.origin = f"http://eu.localhost:{self.port}"
        database = self.postgres.url.rpartition("/")[0] + "/bench_switch"
        self.environment = os.environ | {
            "DJANGO_SETTINGS_MODULE": "console.settings", "DATABASE_URL": database, "REDIS_URL": self.valkey.url,
            "EMAIL_URL": f"smtp://127.0.0.1:{smtp}", "LOG_FORMAT": "json", "GATEHOUSE_MODE": "development",
            "PORT": str(self.port),
        }  # fmt: skip
        with psycopg.connect(self.postgres.url, autocommit=True) as connection:
            connection.execute("DROP DATABASE IF EXISTS bench_switch WITH (FORCE)")
            connection.execute("CREATE DATABASE bench_switch")
        self._run("django", "migrate", "--verbosity", "0")
        self.session = self._run("benchmarks.crowd", str(self.people)).strip()
        self.database = psycopg.connect(database, autocommit=True)
        self._start("mailbox", "benchmarks.mailbox", str(smtp), str(self.mail))
        self._start(
            "worker", "celery", "-A", "console", "worker", "--concurrency", "2", "--without-gossip",
            "--without-mingle", "--loglevel", "INFO", "--beat", "--schedule", str(FOLDER / "beat"),
        )  # fmt: skip
        self._start(
            "web", "gunicorn", "console.wsgi", "--bind", f"127.0.0.1:{self.port}", "--no-control-socket",
            "--workers", "2", "--worker-class", "gthread", "--threads", "4", "--log-level", "error",
        )  # fmt: skip
        self.children["mailbox"].wait_until(lambda: not is_free(smtp))
        self.children["worker"].wait_until(lambda: b"ready." in self.children["worker"].log_file.read_bytes())
        wait_for(f"http://127.0.0.1:{self.port}/")

    def _run(self, *arguments: str) -> str:
        command = [sys.executable, "-m", *arguments]
        return subprocess.run(
            command, cwd=ROOT, env=self.environment, check=True, stdout=subprocess.PIPE, text=True
        ).stdout

    def _start(self, name: str, *arguments: str) -> None:
        command = [sys.executable, "-m", *arguments]
        self.processes[name] = self.children[name].start(command, environment=self.environment, folder=ROOT)

    def stop(self) -> None:
        for child in self.children.values():
            child.stop()
        self.valkey.stop()
        self.postgres.stop()

    def left_to_take_in(self) -> int:
        """Return how many people a worker still has to take in; at least one until it says that it is done."""
        return self._number(
            "SELECT coalesce(sum(greatest(expected - taken, 1)), 0) FROM invitations_batch WHERE doing = 'taking_in'"
        )

    def left_to_undo(self) -> int:
        return self._number(
            "SELECT coalesce(sum(greatest(1, (SELECT count(*) FROM invitations_move WHERE undone_at IS NULL))), 0)"
            " FROM invitations_batch WHERE doing <> ''"
        )

    def left_to_send(self) -> int:
        with self.mail.open("rb") as kept:
            return max(0, self.people - sum(1 for _ in kept))

    def _number(self, statement: str) -> int:
        [[number]] = self.database.execute(statement).fetchall()
        return int(number)

    def amiss(self) -> list[str]:
        """Return what is wrong with the emails: everybody has got one, and nobody has got two."""
        came = Counter(self.mail.read_text().splitlines())
        rows = self.database.execute("SELECT email FROM users_user WHERE email LIKE 'person%'").fetchall()
        everybody = {email for (email,) in rows}
        lost, twice = len(everybody - came.keys()), sum(1 for times in came.values() if times > 1)
        wrong = [f"{lost} of {len(everybody)} people got no email"] if lost else []
        wrong += [f"{twice} people got more than one email"] if twice else []
        others = came.keys() - everybody
        return wrong + ([f"emails went to others, such as {min(others)}"] if others else [])


@dataclass
class Asked:
    """The requests of one run: how long each took, by phase and kind, and which went wrong."""

    seconds: dict[tuple[str, str], list[float]] = field(default_factory=lambda: defaultdict(list))
    errors: list[str] = field(default_factory=list)

    def cell(self, phase: str, kind: str) -> str:
        """Median, 95th percentile and maximum in milliseconds."""
        times = sorted(second * 1000 for second in self.seconds[phase, kind])
        if not times:
            return "–"
        figures = (statistics.median(times), times[math.ceil(len(times) * 0.95) - 1], times[-1])
        return " / ".join(f"{figure:.0f}" for figure in figures)


class Administrator:
    """Whoever begins the batch, and asks for one page after the other meanwhile; and somebody at the door."""

    def __init__(self, bench: Bench) -> None:
        self.bench, self.batch, self.asked = bench, "", Asked()
        nothing = ssl.create_default_context()  # Nothing here is https.
        self.inside, self.outside = Visitor(nothing), Visitor(nothing)
        self.inside.cookies[urlsplit(bench.origin).netloc] = {"session": bench.session}
        self.turn = 0

    async def ask(self, phase: str) -> None:
        """Ask for the page whose turn it is, over a connection of its own, as each web process is to have its share."""
        kinds = [kind for kind in KINDS if self.batch or "{batch}" not in KINDS[kind]]
        kind = kinds[self.turn % len(kinds)]
        self.turn += 1
        visitor = self.outside if kind in OUTSIDE else self.inside
        began = time.perf_counter()
        status, _location, _body = await visitor.get(self.bench.origin + KINDS[kind].format(batch=self.batch))
        self.asked.seconds[phase, kind].append(time.perf_counter() - began)
        visitor.leave()
        if status != 200:
            self.asked.errors.append(f"{status} for the {kind}")

    async def ask_on(self, phase: str, left: Callable[[], float]) -> float:
        """Ask every ``EVERY`` seconds until nothing is ``left`` to do, and return after how many seconds that was."""
        began = moved = time.perf_counter()
        before = math.inf
        for number in itertools.count(1):
            now, still = time.perf_counter(), left()
            if not still:
                return now - began
            if still != before:
                before, moved = still, now
            elif now - moved > STALLED:
                raise SystemExit(f"{phase}: nothing has happened for {STALLED} seconds, {still} are left")
            await self.ask(phase)
            await asyncio.sleep(max(0.0, began + number * EVERY - time.perf_counter()))
        raise AssertionError  # It counts without end.

    async def ask_for(self, phase: str, seconds: float) -> None:
        end = time.perf_counter() + seconds
        await self.ask_on(phase, lambda: max(0.0, end - time.perf_counter()))

    async def press(self, page: str, path: str) -> tuple[float, str]:
        """Send the form of ``page`` that goes to ``path``; return how long the answer took, and where it leads."""
        _status, _location, body = await self.inside.get(self.bench.origin + page)
        form = body.decode().partition(f'action="{path}"')[2].partition("</form>")[0]
        fields = {name: unescape(value) for name, value in re.findall(r'name="(\w+)" value="([^"]*)"', form)}
        began = time.perf_counter()
        status, location, _body = await self.inside.post(self.bench.origin + path, fields)
        took = time.perf_counter() - began
        self.inside.leave()
        if status != 302:
            raise SystemExit(f"{path} answered {status}")
        return took, urlsplit(location).path


async def measure(bench: Bench) -> None:
    """Switch everybody and back, and print what that cost."""
    admin, figures = Administrator(bench), {}
    await admin.ask_for("warming up", WARM_UP)
    await admin.ask_for(BEFORE, QUIET)
    at_first = {name: memory(bench.processes[name], "VmRSS") for name in ("web", "worker")}
    took, page = await admin.press(KINDS["dry run"], "/advanced/switch/begin/")
    figures["the answer to “Switch”"] = f"{took * 1000:.0f} ms"
    admin.batch = page.split("/")[4]
    taking_in = await admin.ask_on(TAKING_IN, bench.left_to_take_in)
    figures[f"{bench.people} people taken in"] = f"{taking_in:.1f} s"
    sending = await admin.ask_on(SENDING, bench.left_to_send)
    figures[f"{bench.people} emails sent"] = f"{sending:.0f} s, {bench.people / sending:.0f} a second"
    await asyncio.sleep(LINGER)
    amiss = bench.amiss()
    took, _page = await admin.press(page, f"{page}undo/")
    figures["the answer to “Switch back”"] = f"{took * 1000:.0f} ms"
    undoing = await admin.ask_on(UNDOING, bench.left_to_undo)
    figures[f"{bench.people} people switched back"] = f"{undoing:.1f} s"
    for name, words in (("web", "web process"), ("worker", "worker process")):
        peak = memory(bench.processes[name], "VmHWM")
        figures[f"the largest {words}, at first and at most"] = f"{at_first[name]:.0f} and {peak:.0f} MiB"
    print(f"| median / 95 % / longest, in ms | {' | '.join(PHASES)} |")
    print("|---" * (len(PHASES) + 1) + "|")
    for kind in KINDS:
        print(f"| {kind} | {' | '.join(admin.asked.cell(phase, kind) for phase in PHASES)} |")
    print("\n| | |\n|---|---|")
    for name, figure in figures.items():
        print(f"| {name} | {figure} |")
    for wrong in [*amiss, *(f"{times} times {error}" for error, times in Counter(admin.asked.errors).items())]:
        print(f"\n!!!! {wrong} !!!!", file=sys.stderr)


def main(people: int) -> None:
    bench = Bench(people)
    try:
        bench.start()
        asyncio.run(measure(bench))
    finally:
        bench.stop()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000)
