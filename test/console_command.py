"""`aura console` in a process of its own, as a user starts it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SIMULATED = ("sim:900001", "--loop", "--model", "scripted")
STARTS_S = 120.0  # a busy machine is slow


@contextmanager
def running(*args: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The command with a free port, and the address that it has printed."""
    command = [sys.executable, "-m", "aura_core.cli", "console", "--port", "0", *args]
    root = str(Path(__file__).parents[1])
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": root},
    )
    hangs = threading.Timer(STARTS_S, process.kill)
    hangs.start()
    try:
        assert process.stdout is not None and process.stderr is not None
        line = process.stdout.readline()
        assert line.startswith("console: http"), line + process.stderr.read()
        yield process, line.removeprefix("console: ").rstrip("\n")
    finally:
        hangs.cancel()
        process.kill()
        process.wait()


def ended(process: subprocess.Popen[str], number: signal.Signals) -> tuple[int, str, str]:
    """Exit code of a process after a signal, and what it has printed since its address."""
    process.send_signal(number)
    out, err = process.communicate(timeout=STARTS_S)
    return process.returncode, out, err
