"""How the assistant is doing: a level and words that stay the same while a fault lasts.

The numbers are in the values beside them, so that a monitor does not see a new message each second.
Knows no ROS.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from aura_core.live.health import Health

LEVELS = ("ok", "warn", "error")
RECENT_S = 30.0  # seconds in which lost work and undecodable frames are counted
STEPS = 5  # newest steps whose median is the time of a step

# From where on something is a warning, and an error. A chunk is a second: a step that takes longer
# than one drops seconds.
FRAME_AGE_S = (2.0, 10.0)  # age of the newest frame, by its stamp and the node's clock
STEP_S = (0.8, 1.5)
UNDECIDED = (0.05, 0.5)  # share of seconds that were dropped, or seen and not decided
FROZEN_S = 30.0  # the same picture to the bit for so long


@dataclass(frozen=True)
class Now:
    """What is known besides the health of the host. Ages in seconds; None where there is none."""

    frame_age_s: float | None = None
    stopped: bool = False  # no frame has come for `stale_after_s`
    seen: bool = False  # a frame has come since the start
    problem: str = ""  # an error that was reported in the last seconds


class Recent:
    """Counters of the last `RECENT_S` seconds, and the times of the last steps."""

    def __init__(self) -> None:
        self._past: deque[tuple[float, Health]] = deque()
        self._steps: deque[float] = deque(maxlen=STEPS)
        self._decided: deque[float] = deque()

    def step(self, now_s: float, step_ms: float) -> None:
        """Note a step that was made at `now_s`, seconds of a steady clock."""
        self._steps.append(step_ms / 1e3)
        self._decided.append(now_s)

    def note(self, now_s: float, health: Health) -> None:
        """Note the counters at `now_s`."""
        self._past.append((now_s, health))
        while now_s - self._past[0][0] > RECENT_S:
            self._past.popleft()
        while self._decided and now_s - self._decided[0] > RECENT_S:
            self._decided.popleft()

    @property
    def step_s(self) -> float | None:
        """Median time of the newest steps in seconds; None before the first."""
        return median(self._steps) if self._steps else None

    @property
    def undecided(self) -> float:
        """Share of the recent seconds with frames that were not decided, from 0 to 1."""
        gone = self._more("chunks_dropped") + self._more("chunks_missed")
        return gone / max(1, gone + len(self._decided))

    @property
    def undecodable(self) -> int:
        """Recent frames that could not be decoded."""
        return self._more("frames_undecodable")

    @property
    def stuck(self) -> int:
        """Recent frames whose stamp stood still."""
        return self._more("stuck_stamps")

    def _more(self, name: str) -> int:
        if not self._past:
            return 0
        return int(getattr(self._past[-1][1], name) - getattr(self._past[0][1], name))


def diagnose(health: Health, now: Now, recent: Recent) -> tuple[str, str]:
    """The level ("ok", "warn", "error"), and what is wrong: the worst first, separated by "; "."""
    if health.phase != "ready":
        return ("error" if health.phase == "failed" else "warn"), f"the model is {health.phase}"
    found: list[tuple[str, str]] = []

    def check(value: float | None, limits: Sequence[float], what: str) -> None:
        if value is not None and value >= limits[0]:
            found.append(("error" if value >= limits[-1] else "warn", what))

    if not now.seen:
        found.append(("warn", "no frame has come yet"))
    elif now.stopped:
        bad = recent.undecodable > 0
        found.append(("error", "no image can be decoded" if bad else "the camera has stopped"))
    else:
        check(now.frame_age_s, FRAME_AGE_S, "the frames are old")
        if recent.undecodable:
            found.append(("warn", "some images cannot be decoded"))
        if health.black:
            found.append(("warn", "the picture is black"))
        if health.frozen_s >= FROZEN_S:
            found.append(("warn", "the picture is frozen"))
        if recent.stuck:
            found.append(("warn", "the stamps stand still"))
    busy_s = health.busy_s if health.busy_s >= STEP_S[1] else None  # a step that hangs
    check(max(filter(None, (recent.step_s, busy_s)), default=None), STEP_S, "the model is slow")
    check(recent.undecided, UNDECIDED, "seconds are not decided")
    if health.trouble:
        found.append(("warn", "the model's server needs attention: see the value 'trouble'"))
    if health.fallback:
        found.append(("warn", health.fallback))
    if health.memory == "failed":
        found.append(("warn", "the memory fails: see the value 'memory_trouble'"))
    if now.problem:
        found.append(("warn", "an error was reported"))
    found.sort(key=lambda f: -LEVELS.index(f[0]))
    return (found[0][0], "; ".join(what for _, what in found)) if found else ("ok", "watching")
