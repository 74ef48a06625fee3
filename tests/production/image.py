"""What the Dockerfile puts into the image and what compose runs of it, laid out and run without an engine.

The files that are copied and nothing else, the packages of ``base.lock`` and nothing else, nothing writable, no
capabilities: a forgotten COPY, a package of the tests that the product needs, or a file written beside the code fails
here as it would there.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib import metadata
from importlib.util import cache_from_source
from pathlib import Path

import yaml
from packaging.requirements import Requirement

from demo.processes import Child
from tests.okta import ROOT

DOCKERFILE = ROOT / "Dockerfile"
COMPOSE = ROOT / "docker-compose.yml"
# As .dockerignore has it.
IGNORED = ("__pycache__",)
VENV = ROOT / ".run" / "image" / "venv"


def instructions(stage: str) -> list[tuple[str, str]]:
    """Return the instructions of one stage of the Dockerfile: the word, and what follows it on one line."""
    text = re.sub(r"\\\n\s*", "", DOCKERFILE.read_text())
    found, current = [], ""
    for line in text.splitlines():
        word, _, rest = line.partition(" ")
        if word == "FROM":
            current = rest.split(" AS ")[1]
        elif word.isupper() and current == stage:
            found.append((word, rest))
    return found


def last(stage: str, word: str) -> str:
    return [rest for found, rest in instructions(stage) if found == word][-1]


def packages() -> Path:
    """Return an environment with what the image installs: the packages of the lock, taken over from ours, which has
    the same ones and more. Made once for each state of the lock.
    """
    lock = ROOT / "requirements" / "base.lock"
    stamp = VENV / "installed.lock"
    if not stamp.exists() or stamp.read_bytes() != lock.read_bytes():
        shutil.rmtree(VENV, ignore_errors=True)
        venv.create(VENV)
        ours, theirs = (Path(sysconfig.get_path("purelib", vars={"base": str(base)})) for base in (sys.prefix, VENV))
        for line in re.findall(r"^([\w.-]+==[^\\\n]+)", lock.read_text(), re.MULTILINE):
            package = Requirement(line)
            if package.marker is None or package.marker.evaluate():
                _take_over(package, ours, theirs)
        shutil.copy(lock, stamp)
    return VENV


def _take_over(package: Requirement, ours: Path, theirs: Path) -> None:
    installed = metadata.distribution(package.name)
    assert installed.version in package.specifier, f"{package} is locked, {installed.version} is installed"
    for file in installed.files or ():
        source, target = ours / file, theirs / file
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, target)
        if target.parent.name == "bin":  # The programs name their interpreter.
            target.write_bytes(target.read_bytes().replace(sys.prefix.encode(), bytes(VENV)))
        # Not every installer compiles what it installs; the image's does.
        compiled = Path(cache_from_source(str(source))) if source.suffix == ".py" else None
        if compiled and compiled.exists():
            beside = Path(cache_from_source(str(target)))
            beside.parent.mkdir(exist_ok=True)
            shutil.copy2(compiled, beside)


@dataclass(frozen=True)
class Image:
    """The image's files below ``app``, the settings its containers get, and when which file was built."""

    app: Path
    settings: dict[str, str]
    built: dict[Path, int] = field(default_factory=dict)

    @classmethod
    def build(cls, folder: Path, settings: dict[str, str]) -> Image:
        """Do what the Dockerfile's stages ``app`` and ``product`` do."""
        app = folder / "app"
        app.mkdir(parents=True)
        for word, rest in instructions("app"):
            if word == "COPY":
                source, target = rest.split()
                target_path = app / source if target == "./" else app / target
                if (ROOT / source).is_dir():
                    shutil.copytree(ROOT / source, target_path, ignore=shutil.ignore_patterns(*IGNORED))
                else:
                    shutil.copy(ROOT / source, target_path)
        image = cls(app, settings)
        [compiling] = [rest for word, rest in instructions("app") if word == "RUN" and rest.startswith("python ")]
        subprocess.run(image.command(compiling.split()), cwd=app, env=image.environment, check=True)
        assignments, command = re.fullmatch(r"((?:\w+=\S+ )+)(python .+)", last("product", "RUN")).groups()  # type: ignore[union-attr]
        own = dict(assignment.split("=", 1) for assignment in assignments.split())
        subprocess.run(image.command(command.split()), cwd=app, env=image.environment | own, check=True)
        for path in [app, *app.rglob("*")]:
            path.chmod(path.stat().st_mode & ~0o222)
        image.built.update(image.as_it_is())
        return image

    def as_it_is(self) -> dict[Path, int]:
        """Return when (nanoseconds) each file and folder was last written to."""
        return {path: path.stat().st_mtime_ns for path in self.app.rglob("*")}

    @property
    def environment(self) -> dict[str, str]:
        return {
            "PATH": f"{packages() / 'bin'}:/usr/bin:/bin",
            "PYTHONUNBUFFERED": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
            "STATIC_ROOT": str(self.app / "staticfiles"),
        }

    def command(self, words: Sequence[str]) -> list[str]:
        """Return the command as it runs in a container: the image's programs, and no capabilities (``cap_drop``)."""
        program = packages() / "bin" / words[0]
        own = [str(program), *words[1:]]
        if os.geteuid() != 0:
            return own
        return ["setpriv", "--bounding-set=-all", "--inh-caps=-all", "--no-new-privs", *own]

    def run(self, words: Sequence[str]) -> str:
        """Run a command to its end and return what it said. Raises CalledProcessError."""
        done = subprocess.run(
            self.command(words),
            cwd=self.app,
            env=self.environment | self.settings,
            check=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        return done.stdout

    def start(self, child: Child, words: Sequence[str]) -> None:
        child.start(self.command(words), environment=self.environment | self.settings, folder=self.app)


def web_command(port: int) -> list[str]:
    words: list[str] = json.loads(last("product", "CMD"))
    return [word.replace("0.0.0.0:8000", f"127.0.0.1:{port}") for word in words]


def probe_command(port: int) -> list[str]:
    words: list[str] = json.loads(last("product", "HEALTHCHECK").partition("CMD ")[2])
    return [word.replace(":8000/", f":{port}/") for word in words]


def service(name: str) -> list[str]:
    """Return the command of a service of compose."""
    command: list[str] = yaml.safe_load(COMPOSE.read_text())["services"][name]["command"]
    return command


def variables(given: dict[str, str]) -> dict[str, str]:
    """Return the environment of compose's containers, filled in from ``given`` as compose does."""
    written: dict[str, str] = yaml.safe_load(COMPOSE.read_text())["x-app"]["environment"]
    pattern = re.compile(r"\$\{(\w+):-([^}]*)\}")
    return {name: pattern.sub(lambda m: given.get(m[1]) or m[2], value) for name, value in written.items()}
