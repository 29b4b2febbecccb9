"""Feeds the inputs of one kind in a process of its own, and counts what became of them.

A process of its own, because decoders are native code: a crash of theirs ends the process, and a
hang can only be ended from outside. Both cost one input, and the run goes on with the next.
"""

from __future__ import annotations

import functools
import multiprocessing
import os
import resource
import signal
import tempfile
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Literal

from aura_core.errors import LONGEST, AuraError
from aura_core.fuzz import Feed, generator, open_kind
from aura_core.orphans import end_with

Outcome = Literal["accepted", "refused", "crashed"]
HANG_S = 30.0
OPENING_S = 300.0  # longest wait for a process to begin


@dataclass(frozen=True)
class Fed:
    """What became of one input. `message` is the refusal, or the crash with its traceback."""

    seed: int
    outcome: Outcome
    message: str
    seconds: float


@dataclass
class Tally:
    """The inputs of one kind. `slowest_s` is the longest time of one input, in seconds.

    `grown_mb` is how much the peak memory of the process grew over what it was before the first
    input, in MB (10^6 bytes).
    """

    kind: str
    n: int = 0
    accepted: int = 0
    refused: int = 0
    crashes: list[Fed] = field(default_factory=list)
    slowest_s: float = 0.0
    slowest_seed: int | None = None
    grown_mb: float = 0.0
    seconds: float = 0.0

    def add(self, fed: Fed) -> None:
        """Count one input."""
        self.n += 1
        self.accepted += fed.outcome == "accepted"
        self.refused += fed.outcome == "refused"
        if fed.outcome == "crashed":
            self.crashes.append(fed)
        if fed.seconds > self.slowest_s:
            self.slowest_s, self.slowest_seed = fed.seconds, fed.seed

    def as_json(self) -> dict[str, Any]:
        """The figures as plain values."""
        return {
            "kind": self.kind,
            "n": self.n,
            "accepted": self.accepted,
            "refused": self.refused,
            "crashed": len(self.crashes),
            "slowest_s": round(self.slowest_s, 4),
            "slowest_seed": self.slowest_seed,
            "grown_mb": round(self.grown_mb, 1),
            "seconds": round(self.seconds, 1),
            "crashes": [{"seed": c.seed, "message": c.message} for c in self.crashes],
        }


def feed_one(feed: Feed, kind: str, seed: int) -> Fed:
    """Feed one input, and tell what became of it."""
    began = time.perf_counter()
    outcome: Outcome = "accepted"
    message = ""
    try:
        feed(generator(kind, seed))
    except AuraError as e:
        message = str(e)
        outcome = "refused"
        if why := unclear(message):
            outcome, message = "crashed", f"a refusal {why}: {message[:LONGEST]!r}"
    except Exception:  # whatever is raised besides our own errors is what this looks for
        outcome, message = "crashed", traceback.format_exc()
    return Fed(seed, outcome, message, time.perf_counter() - began)


def unclear(message: str) -> str:
    """Why a message is no clear line, in words that follow "a refusal"; "" where it is one."""
    if not message.strip():
        return "without words"
    if len(message) > LONGEST:
        return f"of {len(message)} characters"
    if not message.isprintable():
        return "with control characters or line breaks"
    return ""


def run(
    kind: str,
    seeds: range,
    advance: Callable[[int], None] = lambda n: None,
    hang_s: float = HANG_S,
    opener: Callable[[Path], Feed] | None = None,
) -> Tally:
    """Feed the inputs of `seeds`; `advance` is told how many were fed since it was called last.

    An input that takes longer than `hang_s` is a crash. `opener` takes the place of the kind's own
    `open_kind`; it is pickled.
    """
    tally, began = Tally(kind), time.monotonic()
    opener = opener or functools.partial(open_kind, kind)
    left = seeds
    while left:
        left = _part(tally, left, advance, hang_s, opener)
    tally.seconds = time.monotonic() - began
    return tally


def _part(
    tally: Tally,
    seeds: range,
    advance: Callable[[int], None],
    hang_s: float,
    opener: Callable[[Path], Feed],
) -> range:
    """Feed inputs in one process until it ends. Returns the seeds that are left."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_work, args=(tally.kind, opener, seeds, theirs), daemon=True)
    process.start()
    theirs.close()
    done = 0
    try:
        wait_s = OPENING_S
        while done < len(seeds):
            if not ours.poll(wait_s):
                why = f"hang: not done after {wait_s:g} s"
                break
            told = ours.recv()
            wait_s = hang_s
            if isinstance(told, float):  # the peak memory so far
                tally.grown_mb = max(tally.grown_mb, told)
                continue
            tally.add(told)
            done += 1
            advance(1)
        else:
            if ours.poll(hang_s):
                tally.grown_mb = max(tally.grown_mb, ours.recv())
            return seeds[:0]
    except EOFError:
        process.join()
        why = f"the process ended: {_ended(process.exitcode)}"
    finally:
        process.kill()
        process.join()
        ours.close()
    tally.add(Fed(seeds[done], "crashed", why, hang_s if why.startswith("hang") else 0.0))
    advance(1)
    return seeds[done + 1 :]


def _ended(code: int | None) -> str:
    if code is not None and code < 0:
        return f"by {signal.Signals(-code).name}"
    return f"with exit code {code}"


def _work(kind: str, opener: Callable[[Path], Feed], seeds: range, out: Connection) -> None:
    """The other process: the outcome of each input, and now and then the growth of its memory."""
    end_with(os.getppid())
    with tempfile.TemporaryDirectory(prefix="aura-fuzz-") as folder:
        feed = opener(Path(folder))
        before_mb = _peak_mb()
        out.send(0.0)
        for i, seed in enumerate(seeds):
            out.send(feed_one(feed, kind, seed))
            if i % 256 == 0:
                out.send(_peak_mb() - before_mb)
        out.send(_peak_mb() - before_mb)


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
