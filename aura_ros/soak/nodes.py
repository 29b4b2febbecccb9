"""The nodes of a soak run: started, killed in turn, started again, measured, ended."""

from __future__ import annotations

import itertools
import time
from collections.abc import Sequence
from pathlib import Path

from aura_ros.launched import Launched, Program, log_lines
from aura_ros.soak import record as rec

SAMPLE_S = 5.0  # time between two samples of memory


class Nodes:
    """Does what a launcher with `respawn` does: a node that has ended is started again.

    Args:
        programs: what runs.
        victims: names of programs that are killed in turn.
        kill_every_s: time between two kills, in seconds; 0: none is killed.
        respawn_delay_s: wait before a node is started again, in seconds.
        folder: where the logs go.
        record: what happens is added to it.
    """

    def __init__(
        self,
        programs: Sequence[Program],
        victims: Sequence[str],
        kill_every_s: float,
        respawn_delay_s: float,
        folder: Path,
        record: rec.Record,
    ) -> None:
        self._programs = {p.name: p for p in programs}
        self._victims = itertools.cycle(victims)
        self._kill_every_s, self._delay_s = kill_every_s, respawn_delay_s
        self._folder, self._record = folder, record
        self._running: dict[str, Launched] = {}
        self._due: dict[str, float] = {}  # when a node is to be started again
        self._kill_s = self._sample_s = 0.0
        self._segments: set[Path] = set()  # of shared memory that was used

    def start(self) -> None:
        """Start all. Their logs begin anew."""
        for name in self._programs:
            (self._folder / f"{name}.log").unlink(missing_ok=True)
            self._start(name)

    def begin(self, now_s: float) -> None:
        """The run begins: the first kill comes after the time between two."""
        self._kill_s = now_s + self._kill_every_s

    def runs_for_s(self, name: str, now_s: float) -> float:
        """How long a node has been running, in seconds; 0: it does not run."""
        running = self._running.get(name)
        return now_s - running.began_s if running is not None and running.code is None else 0.0

    def ended(self) -> str:
        """A node that has ended by itself, with the last line of its log; "" when none has."""
        for exit in self._record.exits:
            if not exit.expected:
                log = self._folder / f"{exit.node}.log"
                lines = log.read_text(errors="replace").splitlines() or ["(no output)"]
                return f"{exit.node} ended with code {exit.code}: {lines[-1]}"
        return ""

    def tick(self, now_s: float, end_s: float) -> None:
        """Look after the nodes. Nothing is killed in the last `kill_every_s` before `end_s`."""
        for name, running in list(self._running.items()):
            if running.code is not None:
                self._gone(name, running.code, expected=False)
        for name, due_s in list(self._due.items()):
            if now_s >= due_s:
                del self._due[name]
                self._start(name)
        if self._kill_every_s and now_s >= self._kill_s > 0:
            self._kill_s += self._kill_every_s
            if now_s <= end_s - self._kill_every_s / 2:
                self.kill(next(self._victims))
        if now_s >= self._sample_s:
            self._sample_s = now_s + SAMPLE_S
            for name, running in self._running.items():
                if (rss_mb := running.rss_mb()) is not None:
                    sample = rec.Memory(name, running.pid, now_s, rss_mb)
                    self._record.memory.append(sample)

    def kill(self, name: str) -> None:
        """SIGKILL, and start again after the delay."""
        running = self._running.get(name)
        if running is None:
            return
        self._segments |= running.shared_memory()
        self._record.kills.append(rec.Kill(name, time.monotonic()))
        running.kill()
        self._gone(name, running.code or 0, expected=True)

    def stop(self) -> None:
        """End all as by Ctrl-C, and read their logs."""
        self._record.ended_s = self._record.ended_s or time.monotonic()
        for running in self._running.values():
            self._segments |= running.shared_memory()
        for name, running in list(self._running.items()):
            code, _ = running.end()
            self._gone(name, code, expected=True)
        self._due.clear()
        offset_s = time.monotonic() - time.time()
        for name in self._programs:
            self._record.complaints += [
                rec.Complaint(name, line.at_s + offset_s, line.text)
                for line in log_lines(self._folder / f"{name}.log")
                if line.level in ("ERROR", "FATAL")
            ]

    def look_for_shared_memory(self) -> None:
        """Write down which files of shared memory are still there, although nobody uses them."""
        self._record.left_behind = {
            str(s): s.stat().st_blocks * 512 for s in self._segments if s.exists()
        }

    def _start(self, name: str) -> None:
        self._record.starts.append(rec.Start(name, time.monotonic()))
        self._running[name] = Launched(self._programs[name], self._folder)

    def _gone(self, name: str, code: int, expected: bool) -> None:
        now_s = time.monotonic()
        self._record.exits.append(rec.Exit(name, now_s, code, expected))
        del self._running[name]
        self._due[name] = now_s + self._delay_s
