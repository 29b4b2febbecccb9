"""Nodes as processes: started with their output in a file, measured, killed, ended as by Ctrl-C.

For what measures nodes from outside: `aura soak` and `aura bench ros`.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from aura_ros.dds import profile

END_S = 10.0  # a process that takes longer than this to end is killed
_TICKS = os.sysconf("SC_CLK_TCK")
# where config/ is: in the source tree, or where it is installed
_SHARES = (Path(__file__).resolve().parents[1], Path(sys.prefix) / "share" / "aura_ros")
_LINE = re.compile(r"\[(\w+)\] \[(\d+\.\d+)\] \[([^]]+)\]: (.*)")


@dataclass(frozen=True)
class Program:
    """What is started: `python -m aura_ros.MODULE` with these parameters and names of topics."""

    name: str  # of the process here, and of its log file
    module: str
    parameters: Mapping[str, object] = field(default_factory=dict)
    remaps: Mapping[str, str] = field(default_factory=dict)

    @property
    def command(self) -> list[str]:
        """The command line. A JSON value is a YAML value, as `-p` reads it."""
        given = [f"{name}:={json.dumps(value)}" for name, value in self.parameters.items()]
        names = [f"{old}:={new}" for old, new in self.remaps.items()]
        options = [*(w for p in given for w in ("-p", p)), *(w for r in names for w in ("-r", r))]
        return [sys.executable, "-m", f"aura_ros.{self.module}", "--ros-args", *options]


@dataclass(frozen=True)
class LogLine:
    """A line of the log of a node."""

    level: str  # INFO, WARN, ERROR, FATAL; ERROR for the head of a traceback
    at_s: float  # seconds since 1970
    node: str
    text: str


class Launched:
    """A running program. Its output is added to `folder/NAME.log`."""

    def __init__(self, program: Program, folder: Path) -> None:
        self.program, self.log = program, folder / f"{program.name}.log"
        self.began_s = time.monotonic()
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                program.command,
                stdout=log,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C is for the one that started it
            )

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def code(self) -> int | None:
        """The exit code; None while it runs. A signal that ended it is negative."""
        return self._process.poll()

    def kill(self) -> None:
        """SIGKILL: the process can do nothing any more."""
        self._process.kill()
        self._process.wait()

    def end(self, number: signal.Signals = signal.SIGINT) -> tuple[int, float]:
        """Send a signal and wait for the end. Returns the exit code, and the seconds it took."""
        began = time.monotonic()
        if self.code is None:
            self._process.send_signal(number)
        try:
            return self._process.wait(END_S), time.monotonic() - began
        except subprocess.TimeoutExpired:
            self.kill()
            return -signal.SIGKILL, time.monotonic() - began

    def rss_mb(self) -> float | None:
        """Resident memory in MB (10^6 bytes), shared memory included; None when it has ended."""
        try:
            found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{self.pid}/status").read_text())
        except OSError:
            return None
        return int(found[1]) * 1024 / 1e6 if found else None

    def cpu_s(self) -> float:
        """CPU time that it has used, in seconds. Raises `OSError` when it has ended."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS

    def shared_memory(self) -> set[Path]:
        """The files of shared memory that it uses."""
        try:
            lines = Path(f"/proc/{self.pid}/maps").read_text().splitlines()
        except OSError:
            return set()
        paths = (line.split(maxsplit=5)[-1] for line in lines if "/dev/shm/" in line)
        return {Path(p) for p in paths if p.startswith("/dev/shm/")}


def log_lines(log: Path) -> list[LogLine]:
    """The lines of a log. A traceback has the time of the line before it."""
    lines: list[LogLine] = []
    for text in log.read_text(errors="replace").splitlines():
        if found := _LINE.match(text):
            lines.append(LogLine(found[1], float(found[2]), found[3], found[4]))
        elif text.startswith("Traceback") or text.startswith("error: "):
            at_s = lines[-1].at_s if lines else 0.0
            lines.append(LogLine("ERROR", at_s, log.stem, text))
    return lines


def isolate() -> None:
    """Keep this process, and what it starts, apart from other ROS runs.

    Sets the environment where the user has not: a domain of its own, this machine only, and the
    Fast DDS profile for images.
    """
    os.environ.setdefault("ROS_DOMAIN_ID", str(os.getpid() % 100 + 1))
    os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    found = [folder / "config" / "fastdds.xml" for folder in _SHARES]
    if (own := next((f for f in found if f.is_file()), None)) is not None:
        os.environ.update(profile(own))
