"""Starting it on a bare machine: private servers, one sentence for each mistake, nothing left behind."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import psycopg
import pytest
import redis

from demo.processes import Child, Ports, alone
from demo.servers import Postgres, Valkey, without_password
from tests.okta import ROOT
from tests.ports import fresh_port

pytestmark = pytest.mark.servers


@pytest.fixture
def folder(tmp_path):
    """A folder for servers, which are gone with all their data when the test is over."""
    yield tmp_path
    for server in (Postgres(tmp_path), Valkey(tmp_path)):
        server.stop()
        server.destroy()


def environment(**changes):
    """Ours, without the servers this test run uses."""
    without = {name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "REDIS_URL")}
    return without | changes


def run_demo(folder, **changes):
    """Run the demo's runner for as long as it takes to fail."""
    return subprocess.run(
        [sys.executable, "-m", "demo"],
        cwd=ROOT,
        env=environment(DEMO_FOLDER=str(folder), **changes),
        capture_output=True,
        text=True,
        timeout=60,
    )


def is_one_sentence(result):
    lines = result.stderr.strip().splitlines()
    return result.returncode == 1 and len(lines) == 1 and "Traceback" not in result.stdout + result.stderr


def test_postgresql_starts_is_found_again_stops_and_keeps_its_data(folder):
    first = Postgres(folder, is_durable=False)
    assert first.start() is True
    process = first.child.process()
    with psycopg.connect(first.url, autocommit=True) as connection:
        connection.execute("CREATE TABLE kept (word text)")

    second = Postgres(folder, is_durable=False)
    assert second.start() is False
    assert second.child.process() == process
    assert second.url == first.url
    assert second.stop() is True
    assert not process.is_running()

    assert second.start() is True
    with psycopg.connect(second.url) as connection:
        assert connection.execute("SELECT count(*) FROM kept").fetchone() == (0,)


def test_nobody_without_the_password_gets_in(folder):
    postgres, valkey = Postgres(folder, is_durable=False), Valkey(folder, is_durable=False)
    postgres.start()
    valkey.start()
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(postgres.url.replace(":" + postgres.url.split(":")[2].split("@")[0], ":wrong"))
    with (
        redis.Redis(port=int(valkey.url.rsplit(":", 1)[1].partition("/")[0])) as stranger,
        pytest.raises(redis.AuthenticationError),
    ):
        stranger.ping()


def test_postgresql_never_runs_as_root_and_no_folder_is_opened_for_it(folder):
    parents = [folder, *folder.parents]
    before = [parent.stat().st_mode for parent in parents]
    postgres = Postgres(folder, is_durable=False)
    postgres.start()
    assert postgres.child.process().uids().effective == (os.geteuid() or pwd.getpwnam("nobody").pw_uid)
    assert [parent.stat().st_mode for parent in parents] == before


def test_valkey_starts_is_found_again_and_stops(folder):
    valkey = Valkey(folder)
    assert valkey.start() is True
    assert Valkey(folder).start() is False
    with redis.Redis.from_url(valkey.url) as client:
        assert client.ping()
    process = valkey.child.process()
    assert valkey.stop() is True
    assert not process.is_running()
    assert valkey.stop() is False


def test_servers_outlive_a_killed_runner_and_the_next_one_finds_them(folder):
    command = [sys.executable, "-m", "demo.servers", str(folder), "sleep", "60"]
    with subprocess.Popen(command, cwd=ROOT, env=environment()) as runner:
        child = Postgres(folder).child
        sleeping = child_named("sleep", of=psutil.Process(runner.pid))
        runner.kill()
    sleeping.kill()
    assert child.process() is not None
    assert Postgres(folder).start() is False
    assert Valkey(folder).start() is False


def child_named(name, of, seconds=30):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        for process in of.children():
            if process.name() == name:
                return process
        time.sleep(0.05)
    raise AssertionError(f"no {name} after {seconds} s")


def test_a_process_that_has_our_old_pid_is_not_touched(tmp_path):
    child = Child("postgres", tmp_path)
    with subprocess.Popen(["sleep", "60"], start_new_session=True) as stranger:
        child.remember(stranger.pid)
        text = child.pid_file.read_text()
        began = psutil.Process(stranger.pid).create_time()
        child.pid_file.write_text(text.replace(str(began), str(began - 3600)))
        assert child.process() is None
        assert child.stop() is False
        assert stranger.poll() is None
        stranger.kill()


def test_a_process_that_will_not_stop_is_killed_with_its_children(tmp_path):
    child = Child("stubborn", tmp_path)
    child.start(["sh", "-c", "trap '' TERM; sleep 61 & echo $! ; while :; do sleep 1; done"])
    child.wait_until(lambda: child.log_file.read_text().strip() != "")
    grandchild = psutil.Process(int(child.log_file.read_text()))
    assert child.stop(seconds=0.5) is True
    grandchild.wait(5)
    assert child.process() is None


def test_ports_stay_what_they_were_unless_taken(tmp_path):
    ports = Ports(tmp_path / "ports.json")
    port = ports.take("okta")
    assert ports.take("okta") == port
    with socket.socket() as squatter:
        squatter.bind(("127.0.0.1", port))
        squatter.listen()
        assert ports.take("okta") != port


def test_a_port_in_use_is_said_in_one_sentence(folder):
    with socket.socket() as squatter:
        squatter.bind(("127.0.0.1", 0))
        squatter.listen()
        port = squatter.getsockname()[1]
        result = run_demo(folder, PORT=str(port))
    assert is_one_sentence(result)
    assert f"Port {port} is in use" in result.stderr


def test_a_port_that_is_no_port_is_said_in_one_sentence(folder):
    result = run_demo(folder, PORT="http")
    assert is_one_sentence(result)
    assert "PORT must be a number" in result.stderr


@pytest.mark.parametrize(
    ("name", "url"),
    [
        ("DATABASE_URL", "postgres://ingrid:hunter2@127.0.0.1:1/gatehouse"),
        ("DATABASE_URL", "postgres://ingrid:hunter2@nowhere.invalid/gatehouse"),
        ("DATABASE_URL", "mysql://ingrid:hunter2@127.0.0.1/gatehouse"),
        ("REDIS_URL", "redis://:hunter2@127.0.0.1:1/0"),
        ("REDIS_URL", "amqp://ingrid:hunter2@127.0.0.1:1/0"),
    ],
)
def test_an_unreachable_server_is_said_in_one_sentence_without_its_password(folder, name, url):
    """R12: a password is in no message."""
    result = run_demo(folder, PORT=str(fresh_port()), **{name: url})
    assert is_one_sentence(result), result.stderr
    assert result.stderr.strip().startswith(name)
    assert "hunter2" not in result.stdout + result.stderr


def test_a_url_without_password_stays_as_it_is():
    assert without_password("postgres://postgres@127.0.0.1/x") == "postgres://postgres@127.0.0.1/x"
    assert without_password("redis://:a%40b@127.0.0.1/0") == "redis://:•@127.0.0.1/0"


def test_two_runs_at_once_are_refused(folder):
    with alone(folder, otherwise="unused"):
        result = run_demo(folder, PORT=str(fresh_port()))
    assert is_one_sentence(result)
    assert "runs already" in result.stderr


@pytest.fixture
def bare_clone(tmp_path):
    """The scripts and locks with no .venv beside them, and a PATH with a few commands and no Python."""
    for name in ("script", "requirements"):
        shutil.copytree(ROOT / name, tmp_path / name)
    commands = tmp_path / "bin"
    commands.mkdir()
    for name in ("sh", "dirname", "rm", "cmp", "grep", "cp", "id"):
        (commands / name).symlink_to(shutil.which(name))
    return tmp_path


def bootstrap(clone):
    environment = os.environ | {"PATH": str(clone / "bin")}
    return subprocess.run([clone / "script" / "bootstrap"], env=environment, capture_output=True, text=True, timeout=60)


def put_python(clone: Path, script: str) -> None:
    python = clone / "bin" / "python3"
    python.write_text(f"#!/bin/sh\n{script}\n")
    python.chmod(0o755)


def test_a_python_that_is_too_old_is_said_in_one_sentence(bare_clone):
    put_python(bare_clone, 'case $1 in --version) echo "Python 3.9.2";; *) exit 1;; esac')
    result = bootstrap(bare_clone)
    assert is_one_sentence(result), result.stderr
    assert "Python 3.11 or newer is needed, and 'python3' is Python 3.9.2" in result.stderr


def test_a_missing_venv_module_is_said_in_one_sentence(bare_clone):
    put_python(bare_clone, 'case "$2" in *ensurepip*) echo "No module named ensurepip" >&2; exit 1;; esac')
    result = bootstrap(bare_clone)
    assert is_one_sentence(result), result.stderr
    assert "apt-get install python3-venv" in result.stderr


def is_alive(process):
    """Tell whether it runs; where pid 1 buries nobody, as in some containers, orphans stay as zombies."""
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE


def test_everything_starts_says_where_to_go_and_leaves_nothing_behind(folder):
    """The whole of script/run, private servers and all, from nothing to Ctrl-C."""
    port = fresh_port()
    log = folder / "output"
    with log.open("w") as output:
        command = [sys.executable, "-m", "demo"]
        changes = {"DEMO_FOLDER": str(folder), "PORT": str(port)}
        with subprocess.Popen(command, cwd=ROOT, env=environment(**changes), stdout=output, stderr=output) as runner:
            started = []
            try:
                deadline = time.monotonic() + 120
                while "Gatehouse is up." not in log.read_text():
                    assert runner.poll() is None, log.read_text()
                    assert time.monotonic() < deadline, log.read_text()
                    time.sleep(0.2)
                started = psutil.Process(runner.pid).children(recursive=True)
            finally:
                runner.send_signal(signal.SIGINT)
                runner.wait(60)
    assert f"http://eu.localhost:{port}/signup/" in log.read_text()
    assert len(started) >= 6
    assert [process for process in started if is_alive(process)] == []
    assert runner.returncode == 0
