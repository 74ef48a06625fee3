"""What a complete sign-in costs: ours beside a naive but correct Django view, and stock mozilla-django-oidc.

``script/benchmark [rounds] [sign-ins a round]`` brings its own PostgreSQL, Valkey, certificate authority and
provider, all on this machine, runs the three in turn so that noise meets them alike, and prints a table.
"""

from __future__ import annotations

import json
import os
import signal
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from pathlib import Path

import certifi
import psutil
import psycopg
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from benchmarks import load
from benchmarks.provider import CLIENT_ID, CLIENT_SECRET, PEOPLE
from demo.processes import Ports
from demo.servers import Postgres, Valkey, prepare

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / ".run" / "benchmark"
FILLER = 10_000  # other people in the database
AT_ONCE = 8
PEERS = ("floor", "mozilla", "gatehouse")
NAMES = {"floor": "the floor", "mozilla": "mozilla-django-oidc 5.0", "gatehouse": "Gatehouse"}
TRANSACTION_CONTROL = ("BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT", "RELEASE", "SET")


def certificates(folder: Path) -> tuple[Path, Path, Path]:
    """Make an authority and a certificate for localhost; return it with its key, the authority, and a full bundle.

    The bundle holds the usual hundred-odd authorities as well: loading those is part of what is measured.
    """

    def name(text: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

    def certificate(subject: x509.Name, public: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
        now = datetime.now(UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(name("benchmark authority"))
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(hours=1))
            .not_valid_after(now + timedelta(days=1))
        )

    authority_key, server_key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    authority = certificate(name("benchmark authority"), authority_key.public_key()).add_extension(
        x509.BasicConstraints(ca=True, path_length=0), critical=True
    )
    server = certificate(name("localhost"), server_key.public_key()).add_extension(
        x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False
    )
    ca_pem = authority.sign(authority_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    server_pem = server.sign(authority_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    key_pem = server_key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    pair, ca, bundle = folder / "server.pem", folder / "ca.pem", folder / "bundle.pem"
    pair.write_bytes(server_pem + key_pem)
    ca.write_bytes(ca_pem)
    bundle.write_bytes(Path(certifi.where()).read_bytes() + ca_pem)
    return pair, ca, bundle


def counting_postgres() -> Postgres:
    """Start PostgreSQL with pg_stat_statements loaded, so that statements are counted where they arrive."""
    postgres = Postgres(FOLDER, is_durable=False)
    postgres.start()
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        loaded = connection.execute("SHOW shared_preload_libraries").fetchone()
        connection.execute("ALTER SYSTEM SET shared_preload_libraries = 'pg_stat_statements'")
    if loaded != ("pg_stat_statements",):
        postgres.stop()
        postgres.start()
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        connection.execute("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
    return postgres


def cpu_seconds(pid: int) -> float:
    """Return the processor time of a process and all it has started, in seconds."""
    process = psutil.Process(pid)
    family = [process, *process.children(recursive=True)]
    return sum(times.user + times.system for times in (member.cpu_times() for member in family))


def wait_for(url: str, context: ssl.SSLContext | None = None) -> None:
    for _ in range(300):
        try:
            urllib.request.urlopen(url, timeout=1, context=context)
            return
        except urllib.error.HTTPError:
            return  # It answers; what it says is not the question.
        except OSError:
            time.sleep(0.1)
    raise SystemExit(f"{url} did not answer")


class Bench:
    """The servers of one run."""

    def __init__(self, folder: Path) -> None:
        prepare(FOLDER)
        self.ports = Ports(FOLDER / "ports.json")
        self.pair, self.ca, self.bundle = certificates(folder)
        self.postgres, self.valkey = counting_postgres(), Valkey(FOLDER, is_durable=False)
        self.valkey.start()
        self.issuer = f"https://localhost:{self.ports.take('provider')}"
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.starts: dict[str, str] = {}

    def database(self, peer: str) -> str:
        return self.postgres.url.rpartition("/")[0] + f"/bench_{peer}"

    def environment(self, peer: str, port: int) -> dict[str, str]:
        settings = "console.settings" if peer == "gatehouse" else "benchmarks.peer.settings"
        return os.environ | {
            "DJANGO_SETTINGS_MODULE": settings, "DATABASE_URL": self.database(peer), "REDIS_URL": self.valkey.url,
            "SSL_CERT_FILE": str(self.bundle), "REQUESTS_CA_BUNDLE": str(self.bundle), "LOG_FORMAT": "json",
            "GATEHOUSE_MODE": "development", "ALLOW_LOOPBACK_ISSUERS": "true", "PORT": str(port), "PEER": peer,
            "ISSUER": self.issuer, "CLIENT_ID": CLIENT_ID, "CLIENT_SECRET": CLIENT_SECRET,
        }  # fmt: skip

    def start(self) -> None:
        provider = [sys.executable, "-m", "benchmarks.provider", self.issuer.rpartition(":")[2], str(self.pair)]
        self.processes["provider"] = subprocess.Popen(provider, cwd=ROOT)
        self.context = ssl.create_default_context(cafile=self.ca)
        wait_for(f"{self.issuer}/jwks", self.context)
        for peer in PEERS:
            self._start_peer(peer)

    def _start_peer(self, peer: str) -> None:
        port = self.ports.take(peer)
        environment = self.environment(peer, port)
        with psycopg.connect(self.postgres.url, autocommit=True) as connection:
            connection.execute(f"DROP DATABASE IF EXISTS bench_{peer} WITH (FORCE)")
            connection.execute(f"CREATE DATABASE bench_{peer}")
        migrate = [sys.executable, "-m", "django", "migrate", "--verbosity", "0"]
        subprocess.run(migrate, cwd=ROOT, env=environment, check=True)
        host, wsgi = "localhost", "benchmarks.peer.wsgi"
        if peer == "gatehouse":
            seed = [sys.executable, "-m", "benchmarks.seed", self.issuer, str(FILLER)]
            path = subprocess.run(seed, cwd=ROOT, env=environment, check=True, stdout=subprocess.PIPE, text=True).stdout
            host, wsgi, start = "eu.localhost", "console.wsgi", path.strip()
        else:
            with psycopg.connect(self.database(peer), autocommit=True) as connection:
                connection.execute(
                    "INSERT INTO auth_user (password, is_superuser, username, first_name, last_name, email, is_staff,"
                    " is_active, date_joined) SELECT '!', false, 'filler' || n, '', '', 'filler' || n ||"
                    " '@example.test', false, true, now() FROM generate_series(1, %s) n",
                    [FILLER],
                )
            start = "/start/" if peer == "floor" else "/oidc/authenticate/"
        gunicorn = [
            sys.executable, "-m", "gunicorn", wsgi, "--bind", f"127.0.0.1:{port}", "--workers", "2",
            "--worker-class", "gthread", "--threads", "4", "--log-level", "error",
        ]  # fmt: skip
        with (FOLDER / f"{peer}.log").open("wb") as log:  # Written as in production, which costs something, too.
            self.processes[peer] = subprocess.Popen(gunicorn, cwd=ROOT, env=environment, stderr=log)
        self.starts[peer] = f"http://{host}:{port}{start}"
        wait_for(f"http://127.0.0.1:{port}/")

    def stop(self) -> None:
        for process in self.processes.values():
            process.send_signal(signal.SIGTERM)
        for process in self.processes.values():
            process.wait(timeout=15)
        self.valkey.stop()
        self.postgres.stop()

    def provider_counts(self) -> dict[str, int]:
        with urllib.request.urlopen(f"{self.issuer}/counts", context=self.context) as answer:
            return json.load(answer)

    def statements(self, peer: str) -> int:
        """Return how many statements the peer's database has seen since the last call, transaction control aside."""
        with psycopg.connect(self.postgres.url, autocommit=True) as connection:
            rows = connection.execute(
                "SELECT s.query, s.calls FROM pg_stat_statements s JOIN pg_database d ON d.oid = s.dbid"
                " WHERE d.datname = %s",
                [f"bench_{peer}"],
            ).fetchall()
            connection.execute("SELECT pg_stat_statements_reset()")
        # The server checks foreign keys with statements of its own; nobody sent those.
        sent = [row for row in rows if not row[0].startswith("SELECT 1 FROM ONLY")]
        return sum(calls for query, calls in sent if query.split()[0].upper() not in TRANSACTION_CONTROL)

    def measure(self, peer: str, sign_ins: int) -> dict[str, float]:
        """Run one round of ``sign_ins`` and return its figures per sign-in."""
        self.statements(peer)
        self.provider_counts()
        before = cpu_seconds(self.processes[peer].pid)
        measured = load.run(
            self.starts[peer], sign_ins=sign_ins, at_once=AT_ONCE, expected="@example.test", ca=str(self.ca)
        )
        cpu = cpu_seconds(self.processes[peer].pid) - before
        if measured.errors:
            raise SystemExit(f"{peer}: {len(measured.errors)} sign-ins failed, the first: {measured.errors[0]}")
        asked = self.provider_counts()
        return {
            "cpu": cpu / sign_ins * 1000,
            "rate": measured.per_second,
            "median": measured.median_ms,
            "calls": sum(asked.get(name, 0) for name in ("token", "userinfo", "jwks", "discovery")) / sign_ins,
            "sql": self.statements(peer) / sign_ins,
        }


def main(rounds: int, sign_ins: int) -> None:
    results: dict[str, list[dict[str, float]]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder))
        try:
            bench.start()
            for peer in PEERS:
                bench.measure(peer, PEOPLE)  # Every pool filled, every key known, every person seen once.
            for number in range(rounds):
                for peer in PEERS if number % 2 else PEERS[::-1]:
                    results[peer].append(bench.measure(peer, sign_ins))
                    print(f"round {number + 1}: {peer} {results[peer][-1]['cpu']:.1f} ms", file=sys.stderr)
        finally:
            bench.stop()
    print("| | CPU per sign-in | times the floor | sign-ins a second | median | provider calls | SQL |")
    print("|---|---|---|---|---|---|---|")
    for peer in PEERS:
        middle = {figure: statistics.median(run[figure] for run in results[peer]) for figure in results[peer][0]}
        ratio = statistics.median(
            mine["cpu"] / floor["cpu"] for mine, floor in zip(results[peer], results["floor"], strict=True)
        )
        print(
            f"| {NAMES[peer]} | {middle['cpu']:.1f} ms | {ratio:.2f} | {middle['rate']:.0f} | {middle['median']:.0f} ms"
            f" | {middle['calls']:.2f} | {middle['sql']:.1f} |"
        )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5, int(sys.argv[2]) if len(sys.argv) > 2 else 400)
