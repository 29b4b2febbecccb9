"""How one camera of the assistant in this process is doing, and what is wrong with it."""

from __future__ import annotations

import time

from aura_core.config import AssistantConfig
from aura_core.console import protocol as p
from aura_core.console.feed import Source
from aura_core.live.diagnosis import FROZEN_S, STEP_S, UNDECIDED, Recent
from aura_core.live.health import Health
from aura_core.live.pulse import SILENCE_S, Quiet, idle_state
from aura_core.types import Step

STALE_S = 2.0  # without a frame for so long the camera has stopped


class Watched:
    """What is known of one camera besides its health. Written on the model's thread.

    Attributes:
        recent: its newest steps.
        failed: why the newest step failed; "" where it did not.
    """

    def __init__(self, source: Source, config: AssistantConfig) -> None:
        self._source, self._config = source, config
        self.recent, self.failed = Recent(), ""
        self._state, self._at_s = "", 0.0  # of the newest step, and when it was
        self._window_chunks = 0

    def stepped(self, step: Step) -> None:
        """A second was decided."""
        now_s = time.monotonic()
        self.recent.step(now_s, step.step_ms)
        self._state = "silent" if step.state == "silent" else "speaking"
        self._at_s, self._window_chunks, self.failed = now_s, step.window_chunks, ""

    def status(
        self, health: Health, gone: str, ended: str, paused: bool, model_path: str
    ) -> p.CameraStatus:
        """How it is doing.

        Args:
            health: of its stream.
            gone: why no frames come, while the source is gone; "" while it is there.
            ended: why the source has ended; "" while it goes on.
            paused: whether nothing is decided because somebody asked for it.
        """
        self.recent.note(time.monotonic(), health)
        quiet_s = time.monotonic() - self._at_s if self._at_s else SILENCE_S
        stale_s = max(STALE_S, self._config.sampling.hold_s or 0.0)
        quiet = Quiet(health.frame_quiet_s, quiet_s)
        state, detail = idle_state(health, quiet, stale_s, model_path, self._source.title)
        trouble, why = ("stopped", ended) if ended else ("", "")
        if not ended and not paused and health.phase == "ready":
            trouble, why = self._trouble(health, gone, state)
        if paused:
            state = "inactive"
        age_s = health.frame_quiet_s
        return p.CameraStatus(
            self._source.name,
            state or self._state or "waiting",
            trouble,
            why or detail,
            None if age_s is None else round(age_s * 1e3, 1),
            health.frames_received,
            health.frames_dropped,
            health.chunks_dropped,
            health.chunks_missed,
            health.chunks_lost,
            self._window_chunks,
            self._config.window.max,
            health.active_watches,
        )

    def _trouble(self, health: Health, gone: str, state: str) -> tuple[str, str]:
        """What is wrong with it while it is to decide, and more about it."""
        if state == "no_frames" or gone:
            return "no_frames", gone
        if health.frame_quiet_s is None:
            return "waiting", ""
        if self.failed:
            return "server_away" if self._config.server.url else "step_failed", self.failed
        if health.black:
            return "black", ""
        if health.frozen_s >= FROZEN_S:
            return "frozen", f"the same picture for {health.frozen_s:.0f} s"
        busy_s = health.busy_s if health.busy_s > STEP_S[1] else 0.0
        slow_s = max(self.recent.step_s or 0.0, busy_s)
        if slow_s >= STEP_S[0] or self.recent.undecided >= UNDECIDED[0]:
            return "slow", f"a step takes {slow_s * 1e3:.0f} ms"
        return "", ""
