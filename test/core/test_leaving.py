"""A process that hangs after a signal is ended, and says where it hung."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap

import pytest

PROGRAM = """
import signal, sys, threading, time
from aura_ros.leaving import Leaving
stop = threading.Event()
signal.signal(signal.SIGINT, lambda *_: stop.set())
leaving = Leaving({limit})
print("ready", flush=True)
{work}
"""
HANGS = """
def a_call_that_hangs():
    threading.Event().wait()
a_call_that_hangs()
"""
# A call that holds the interpreter's signals back: no handler of Python runs in the main thread.
IN_C = """
import ctypes
while True:
    ctypes.CDLL(None).sleep(60)
"""
ENDS = """
stop.wait()
leaving.ended()
time.sleep(1.0)  # longer than the limit
print("ended by itself", flush=True)
sys.exit(3)
"""


def run(work: str, limit: float) -> tuple[int, str, str]:
    code = textwrap.dedent(PROGRAM).format(limit=limit, work=textwrap.dedent(work))
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
        process.wait()
    return process.returncode, out, err


@pytest.mark.parametrize(("work", "where"), [(HANGS, "a_call_that_hangs"), (IN_C, "<module>")])
def test_a_process_that_hangs_after_a_signal_ends_and_says_where(work: str, where: str) -> None:
    code, out, err = run(work, 0.5)
    assert code == 0 and out == ""
    assert "did not end within 0.5 s of the signal" in err and where in err


def test_a_process_that_ends_is_left_alone() -> None:
    assert run(ENDS, 0.5) == (3, "ended by itself\n", "")
