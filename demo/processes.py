"""Processes that outlive whoever started them: found again by pid file, and never mistaken for another."""

from __future__ import annotations

import fcntl
import json
import os
import pwd
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import psutil


class Trouble(Exception):
    """Something the person at the keyboard can fix; the message is one plain sentence."""


def say(text: str) -> None:
    """Print a line of progress at once, also into a pipe."""
    print(text, flush=True)


def is_free(port: int, host: str = "127.0.0.1") -> bool:
    """Tell whether a server could listen on the port right now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


@dataclass(frozen=True)
class Ports:
    """Free ports, remembered in a file, so that addresses stay what they were at the next start."""

    path: Path

    def take(self, name: str) -> int:
        """Return the remembered port if it is free, or else any free one, and remember that."""
        known = json.loads(self.path.read_text()) if self.path.exists() else {}
        port = known.get(name)
        if port is None or not is_free(port):
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", 0))
                port = probe.getsockname()[1]
            known[name] = port
            self.path.write_text(json.dumps(known, indent=1, sort_keys=True))
        return port

    def last(self, name: str) -> int:
        """Return the port last taken under this name, whoever listens there now."""
        return json.loads(self.path.read_text())[name]


@dataclass(frozen=True)
class Child:
    """A process known by its pid file; it is the leader of a process group of its own.

    A pid alone proves nothing, since the system gives it to others later: the file also holds the
    moment the process began, and only a process begun at that very moment is taken for ours.
    """

    name: str
    folder: Path
    stop_signal: signal.Signals = signal.SIGTERM

    @property
    def pid_file(self) -> Path:
        return self.folder / "pid" / f"{self.name}.json"

    @property
    def log_file(self) -> Path:
        return self.folder / "log" / f"{self.name}.log"

    def process(self) -> psutil.Process | None:
        """Return the running process, or None when it is gone or the pid is someone else's by now."""
        try:
            known = json.loads(self.pid_file.read_text())
            process = psutil.Process(known["pid"])
            # A clock being set moves the beginning a little; a pid does not come round that soon.
            is_same = abs(process.create_time() - known["began"]) < 5
            if not is_same or process.status() == psutil.STATUS_ZOMBIE:
                return None
        except (FileNotFoundError, ValueError, psutil.NoSuchProcess):
            return None
        return process

    def start(
        self,
        command: Sequence[str | os.PathLike[str]],
        *,
        environment: Mapping[str, str] | None = None,
        folder: Path | None = None,
        user: pwd.struct_passwd | None = None,
        stdin: bytes = b"",
    ) -> psutil.Process:
        """Start the command in a process group of its own, its output going to the log file.

        ``user`` is who the process runs as, where we are root and it must not be.
        """
        for path in (self.pid_file, self.log_file):
            path.parent.mkdir(parents=True, exist_ok=True)
        self._keep_one_older_log()
        with undisturbed(), self.log_file.open("wb") as log:
            started = subprocess.Popen(
                [os.fspath(part) for part in command],
                env=None if environment is None else dict(environment),
                cwd=folder,
                stdin=subprocess.PIPE if stdin else subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                **run_as(user),
            )
            _started.append(started)
            process = self.remember(started.pid)
        if started.stdin:
            _feed(started.stdin, stdin)
        return process

    def remember(self, pid: int) -> psutil.Process:
        """Write the pid file for a process that was started elsewhere, or by us."""
        self.pid_file.parent.mkdir(parents=True, exist_ok=True)
        process = psutil.Process(pid)
        self.pid_file.write_text(json.dumps({"pid": process.pid, "began": process.create_time()}))
        return process

    def forget(self) -> None:
        self.pid_file.unlink(missing_ok=True)

    def stop(self, *, seconds: float = 15) -> bool:
        """Ask the process to stop, insist after ``seconds``, and tell whether there was one to stop."""
        process = self.process()
        if process is not None:
            process.send_signal(self.stop_signal)
            try:
                process.wait(seconds)
            except psutil.TimeoutExpired:
                kill_group(process.pid)
                process.wait(seconds)
            # Workers of a master that died without a word.
            kill_group(process.pid)
        self.forget()
        for started in _started:
            started.poll()  # so that Python, too, knows who is gone
        return process is not None

    def last_words(self, count: int = 30) -> str:
        """Return where the log is, and its last lines."""
        lines = self.log_file.read_text(errors="replace").splitlines() if self.log_file.exists() else []
        return "\n".join([f"{self.log_file} ends with:", *(f"    {line}" for line in lines[-count:])])

    def wait_until(self, is_ready: Callable[[], bool], *, seconds: float = 30) -> None:
        """Wait until the process is ready.

        Raises Trouble, with the end of its log, when it ends before or takes longer than ``seconds``.
        """
        deadline = time.monotonic() + seconds
        while not is_ready():
            if self.process() is None:
                raise Trouble(f"{self.name} stopped while starting. {self.last_words()}")
            if time.monotonic() > deadline:
                raise Trouble(f"{self.name} was not ready after {seconds:.0f} s. {self.last_words()}")
            time.sleep(0.05)

    def _keep_one_older_log(self) -> None:
        if self.log_file.exists():
            self.log_file.replace(self.log_file.with_suffix(".log.1"))


# Python warns about a child it loses sight of, and these are meant to outlive us.
_started: list[subprocess.Popen[bytes]] = []


def run_as(user: pwd.struct_passwd | None) -> dict[str, Any]:
    """Return the arguments that make ``subprocess`` run a command as that user, or as ourselves for None."""
    return {} if user is None else {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


def _feed(pipe: BinaryIO, data: bytes) -> None:
    with pipe:
        pipe.write(data)


def kill_group(pid: int) -> None:
    """Kill what is left of the process group led by ``pid``."""
    try:
        os.killpg(pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):  # macOS says the latter of a group of zombies
        return


@contextmanager
def undisturbed() -> Iterator[None]:
    """Put off the signals that ask us to stop, so that no process is started and not written down."""
    put_off: list[int] = []
    asking = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    handlers = {number: signal.signal(number, lambda number, _: put_off.append(number)) for number in asking}
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        for number in put_off:
            signal.raise_signal(number)


@contextmanager
def alone(folder: Path, *, otherwise: str) -> Iterator[None]:
    """Hold the folder for one run at a time; raises Trouble with the sentence when another holds it.

    The system lets go of the lock when its holder dies, however it dies.
    """
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Trouble(otherwise) from None
        yield


def end_with(trouble: Trouble) -> int:
    """Say the sentence where errors go, and return the exit code to end with."""
    print(f"\n{trouble}", file=sys.stderr, flush=True)
    return 1
