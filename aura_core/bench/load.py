"""A stated load beside a measurement: processes that do nothing but loop."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

LONGEST_S = 3600  # a loop ends by itself after so long, whatever becomes of the benchmark
# It ends as well when the benchmark is gone, and it imports nothing that would take memory.
LOOP = """
import os, time
parent, end = os.getppid(), time.monotonic() + {longest}
print(flush=True)
while os.getppid() == parent and time.monotonic() < end:
    sum(range(100_000))
"""


@contextmanager
def busy_loops(count: int) -> Iterator[tuple[int, ...]]:
    """`count` busy loops run inside the `with`; yields their process ids. They are ended after
    it."""
    loops: list[subprocess.Popen[bytes]] = []
    try:
        for _ in range(count):
            command = [sys.executable, "-I", "-S", "-c", LOOP.format(longest=LONGEST_S)]
            loops.append(subprocess.Popen(command, stdout=subprocess.PIPE))
        for loop in loops:  # until each has begun
            assert loop.stdout is not None
            loop.stdout.readline()
        yield tuple(loop.pid for loop in loops)
    finally:
        for loop in loops:
            loop.kill()
        for loop in loops:
            loop.communicate()
