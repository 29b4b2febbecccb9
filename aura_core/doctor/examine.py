"""Run all groups of checks side by side, each in a process of its own and with a time limit."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import IO

from aura_core.doctor.findings import FAULT, Asked, Finding
from aura_core.doctor.probe import BEGINS, FOUND, checks_of

# The groups in the order of the table: the module that holds the checks, and how long they may take
# in seconds. The import of torch takes half a minute where it is not compiled.
GROUPS = {
    "python": ("aura_core.doctor.python", 20.0),
    "compute": ("aura_core.doctor.compute", 90.0),
    "ros": ("aura_core.doctor.ros", 60.0),
    "sound": ("aura_core.doctor.sound", 20.0),
    "camera": ("aura_core.doctor.camera", 20.0),
    "model": ("aura_core.doctor.model", 60.0),
    "server": ("aura_core.doctor.server", 30.0),
}
LOAD_S = 900.0  # for the group of the model, where it is loaded
KILL_S = 1.0  # a process that a driver holds does not end at once


@dataclass
class Group:
    """A group that runs."""

    name: str
    limit_s: float
    process: subprocess.Popen[bytes]
    out: IO[bytes]
    err: IO[bytes]


def examine(
    asked: Asked, groups: Sequence[str] | None = None, limit_s: float | None = None
) -> list[Finding]:
    """The findings of the groups, in the order of the table. It raises nothing.

    Args:
        asked: what is checked.
        groups: names of `GROUPS`; None: all.
        limit_s: longest time for each group; None: that of `GROUPS`.
    """
    began = time.monotonic()
    running: list[Group] = []
    try:
        running += (_start(name, asked, limit_s) for name in groups or GROUPS)
        return [finding for group in running for finding in _result(group, began)]
    finally:
        for group in running:
            _end(group.process)


def _start(name: str, asked: Asked, limit_s: float | None) -> Group:
    module, limit = GROUPS[name]
    limit = LOAD_S if name == "model" and asked.load else limit
    out, err = tempfile.TemporaryFile(), tempfile.TemporaryFile()  # noqa: SIM115
    command = [sys.executable, "-m", "aura_core.doctor.probe", name, module]
    process = subprocess.Popen(
        [*command, asked.dump(), str(os.getpid())],
        stdin=subprocess.DEVNULL,
        stdout=out,
        stderr=err,
        start_new_session=True,  # its own children end with it
    )
    return Group(name, limit if limit_s is None else limit_s, process, out, err)


def _result(group: Group, began_s: float) -> Iterator[Finding]:
    """Wait for a group, at most until its limit; what it found, and how it ended."""
    left = max(0.0, began_s + group.limit_s - time.monotonic())
    with contextlib.suppress(subprocess.TimeoutExpired):
        group.process.wait(left)
    code = group.process.poll()
    _end(group.process)
    found, last = _read(group)
    yield from found
    if code == 0:
        return
    if code is None:
        cause = f"no answer within {group.limit_s:g} s"
    elif code < 0:
        cause = f"it crashed ({_signal_name(-code)})"
    else:
        said = _tail(group.err)
        cause = f"it ended with exit code {code}{f': {said}' if said else ''}"
    stuck = {check.what: check.stuck for check in checks_of(GROUPS[group.name][0])}
    what = last or group.name
    yield Finding(what, FAULT, cause, stuck.get(what, ""), group.name)


def _read(group: Group) -> tuple[list[Finding], str]:
    """The findings of a group, and the check that began last."""
    found, last = [], ""
    group.out.seek(0)
    for line in group.out.read().decode(errors="replace").splitlines():
        with contextlib.suppress(ValueError, TypeError):  # the last line of a crash may be cut
            value = json.loads(line)
            if FOUND in value:
                found.append(Finding(**value[FOUND]))
            last = value.get(BEGINS, last)
    return found, last


def _tail(file: IO[bytes]) -> str:
    """The last line that was written."""
    file.seek(0)
    lines = file.read().decode(errors="replace").strip().splitlines()
    return " ".join(lines[-1].split())[:200] if lines else ""


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a process and its children."""
    if process.poll() is None:
        with contextlib.suppress(OSError):
            os.killpg(process.pid, signal.SIGKILL)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(KILL_S)
