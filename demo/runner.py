"""Starts the servers, the demo's own parts and the product's processes, watches them, and stops them."""

from __future__ import annotations

import base64
import http.client
import json
import os
import secrets
import shutil
import subprocess
import sys
import time
from pathlib import Path

from demo.processes import Child, Ports, Trouble, is_free, say
from demo.servers import Postgres, Valkey, check_broker, check_database, prepare, secret

BANNER = """
Gatehouse is up.

  Begin here        http://eu.localhost:{port}/signup/
  Mail shows up at  http://127.0.0.1:{mail}/
  Second factor     any authenticator app, a passkey of this device, or without either http://127.0.0.1:{mail}/codes/

  To paste in Advanced → Identity provider → Okta (demo Okta, http://127.0.0.1:{okta}/):
    Issuer URI      {issuer}
    Client ID       {client_id}
    Client secret   {client_secret}

  People there      ingrid.solberg@, marcus.feld@, chloe.martin@, priya.raman@halden.example, or any address you type
  Not assigned      piotr.nowak@halden.example

Logs are in {logs}. Ctrl-C stops everything; data stays, and script/run --fresh starts over.
"""


class Runner:
    """Everything that ``script/run`` runs.

    PostgreSQL and Valkey outlive a killed runner, and the next one finds them again. The rest is
    stopped and started anew, since the code may have changed. An orderly end stops all of it.
    """

    def __init__(self, root: Path, folder: Path, port: int) -> None:
        self.root = root
        self.folder = folder
        self.port = port
        self.ports = Ports(folder / "ports.json")
        self.okta = Child("okta", folder)
        self.mail = Child("mail", folder)
        self.worker = Child("worker", folder)
        self.web = Child("web", folder)
        self.postgres = Postgres(folder)
        self.valkey = Valkey(folder)
        self.environment = dict(os.environ)

    @property
    def children(self) -> list[Child]:
        """What is started at every start, in the order to stop it: whoever asks before whoever answers."""
        return [self.web, self.worker, self.okta, self.mail]

    @property
    def servers(self) -> dict[str, Postgres | Valkey]:
        """The servers of our own, by the variable that would name another."""
        ours: dict[str, Postgres | Valkey] = {"DATABASE_URL": self.postgres, "REDIS_URL": self.valkey}
        return {name: server for name, server in ours.items() if not os.environ.get(name)}

    def prepare(self) -> None:
        prepare(self.folder)

    def start(self, *, is_fresh: bool) -> None:
        """Start everything and say where to go.

        Raises Trouble with one sentence when the port is taken, a server cannot be reached, or a part does not start.
        """
        began = time.monotonic()
        left_behind = [child.name for child in self.children if child.stop()]
        if left_behind:
            say(f"Stopped what an earlier run had left behind: {', '.join(left_behind)}.")
        if not is_free(self.port):
            raise Trouble(f"Port {self.port} is in use by another program: choose another, as in PORT=8001 script/run")
        if is_fresh:
            self.forget()
        self.start_servers()
        self.set_environment()
        say("Starting the demo Okta and the mail catcher …")
        okta, mail = self.start_demo()
        say("Migrating the database …")
        self.migrate()
        say("Starting the worker and the web server …")
        self.start_product()
        self.okta.wait_until(lambda: _answers(okta, "/"))
        self.mail.wait_until(lambda: _answers(mail, "/"))
        self.web.wait_until(self.is_ready, seconds=60)
        pasted = json.loads((self.folder / "okta" / "client.json").read_text())
        say(BANNER.format(port=self.port, mail=mail, okta=okta, **pasted, logs=self.folder / "log"))
        say(f"Started in {time.monotonic() - began:.1f} s.")

    def start_servers(self) -> None:
        for name, check in (("DATABASE_URL", check_database), ("REDIS_URL", check_broker)):
            if os.environ.get(name):
                check(os.environ[name])
        for name, server in self.servers.items():
            say(f"Starting {type(server).__name__} …" if server.start() else f"Found {type(server).__name__} running.")
            self.environment[name] = server.url

    def forget(self) -> None:
        """Drop all data that is ours; servers that DATABASE_URL or REDIS_URL name are not."""
        say("Dropping the data of earlier runs …")
        for server in self.servers.values():
            server.stop()
            server.destroy()
        for name in ("okta", "mail", "beat"):
            shutil.rmtree(self.folder / name, ignore_errors=True)
        for name in os.environ.keys() & {"DATABASE_URL", "REDIS_URL"}:
            say(f"{name} is set: what is there is left as it is.")

    def set_environment(self) -> None:
        """Set what the product needs to know, except what was decided already."""
        sealing = self.folder / "sealing-keys"
        if not sealing.exists():
            sealing.touch(mode=0o600)
            sealing.write_text(f"local:{base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()}")
        ours = {
            "GATEHOUSE_MODE": "development",
            "SECRET_KEY": secret(self.folder / "secret-key") + "-for-trying-on-one-machine",
            "SEALING_KEYS": sealing.read_text(),
            "EMAIL_URL": f"smtp://127.0.0.1:{self.ports.take('smtp')}",
            "ALLOW_LOOPBACK_ISSUERS": "true",
            "DJANGO_SETTINGS_MODULE": "console.settings",
            "PYTHONUNBUFFERED": "1",
        }
        self.environment = ours | self.environment | {"PORT": str(self.port)}

    def migrate(self) -> None:
        migrating = Child("migrate", self.folder)
        migrating.log_file.parent.mkdir(parents=True, exist_ok=True)
        with migrating.log_file.open("wb") as log:
            command = [sys.executable, "manage.py", "migrate", "--noinput"]
            result = subprocess.run(command, cwd=self.root, env=self.environment, stdout=log, stderr=log)
        if result.returncode:
            raise Trouble(f"The database could not be migrated. {migrating.last_words(5)}")

    def start_demo(self) -> tuple[int, int]:
        """Start the demo Okta and the mail catcher, and return the ports of their pages."""
        okta, smtp, mail = self.ports.take("okta"), self.ports.last("smtp"), self.ports.take("mail")
        self._python(self.okta, "-m", "demo.okta", self.folder / "okta", str(okta))
        self._python(self.mail, "-m", "demo.mail", self.folder / "mail", str(smtp), str(mail))
        return okta, mail

    def start_product(self) -> None:
        beat = self.folder / "beat"
        beat.mkdir(exist_ok=True)
        celery = ["-m", "celery", "-A", "console", "worker", "--beat", f"--schedule={beat / 'schedule'}"]
        quiet = ["--without-gossip", "--without-mingle", "--without-heartbeat"]
        self._python(self.worker, *celery, *quiet, "--concurrency=2", "--loglevel=INFO")
        server = ["-m", "gunicorn", "console.wsgi", f"--bind=127.0.0.1:{self.port}", "--no-control-socket"]
        self._python(self.web, *server, "--workers=2", "--worker-class=gthread", "--threads=4")

    def is_ready(self) -> bool:
        if self.worker.process() is None:
            raise Trouble(f"worker stopped while starting. {self.worker.last_words()}")
        return _answers(self.port, "/readyz")

    def watch(self) -> None:
        """Stay until something ends that should not have; raises Trouble saying what, with its last words."""
        while True:
            for child in [*self.children, *self._server_children]:
                if child.process() is None:
                    raise Trouble(f"{child.name} stopped, so everything else stops too. {child.last_words()}")
            time.sleep(0.5)

    def stop(self) -> None:
        """Stop everything that is ours and runs."""
        stopped = [child.name for child in [*self.children, *self._server_children] if child.stop()]
        if stopped:
            say(f"\nStopped {', '.join(stopped)}.")

    @property
    def _server_children(self) -> list[Child]:
        return [server.child for server in self.servers.values()]

    def _python(self, child: Child, *arguments: str | Path) -> None:
        child.start([sys.executable, *arguments], environment=self.environment, folder=self.root)


def _answers(port: int, path: str) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
