"""``python -m demo [--fresh]``: runs Gatehouse and everything it needs on this machine, until Ctrl-C."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


class Stopped(BaseException):
    """Somebody asked us to stop; not an error, so nothing that handles errors may swallow it."""


def stop(_number: int, _frame: object) -> None:
    # Once is enough: what follows is an orderly end, and must not be torn by a second Ctrl-C.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    raise Stopped


def main() -> int:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop)
    try:
        return run()
    except Stopped:
        return 0


def run() -> int:
    # Imported with the signals in hand already, since this takes a moment too.
    from demo.processes import Trouble, alone, end_with
    from demo.runner import Runner

    parser = argparse.ArgumentParser(prog="script/run", description="Run Gatehouse with all it needs, for trying.")
    parser.add_argument("--fresh", action="store_true", help="drop all data first and start over")
    arguments = parser.parse_args()
    folder = Path(os.environ.get("DEMO_FOLDER", ROOT / ".run"))
    port = os.environ.get("PORT", "8000")
    try:
        if not port.isdecimal() or not 0 < int(port) < 65536:
            raise Trouble(f"PORT must be a number from 1 to 65535, and is {port!r}.")
        runner = Runner(ROOT, folder, int(port))
        runner.prepare()
        with alone(folder, otherwise="Gatehouse runs already from this folder: stop that first, with Ctrl-C."):
            try:
                runner.start(is_fresh=arguments.fresh)
                runner.watch()
            finally:
                runner.stop()
    except Trouble as trouble:
        return end_with(trouble)


if __name__ == "__main__":
    sys.exit(main())
