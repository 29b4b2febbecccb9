"""The ears' thread and what waits for it. Knows no ROS."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from aura_core.errors import AuraError
from aura_core.speech.device import BlockQueue
from aura_core.speech.ears import Ears, Event
from aura_core.speech.echo import EchoCanceller
from aura_core.speech.types import Audio

# runs of sound (4 s or more): ears that are slower than speech lose the oldest, counted
WAITING = 300
LOST_S = 0.5  # without sound for so long, the microphone is gone: who was speaking is not any more


@dataclass(frozen=True, eq=False)
class Near:
    """What the microphone has heard."""

    audio: Audio


@dataclass(frozen=True, eq=False)
class Far:
    """What the loudspeaker plays."""

    audio: Audio


class Listener:
    """`put` sound from any thread; `run` gives it to the ears, on one."""

    def __init__(self, mutes: bool) -> None:
        self._mutes = mutes
        self._sound = BlockQueue(WAITING)
        # apart from the sound: none of these may be dropped
        self._robot: deque[tuple[bool, int]] = deque()

    def put(self, sound: Near | Far) -> None:
        """Sound, in the order in which it came."""
        self._sound.put(sound)

    @property
    def dropped(self) -> int:
        """Runs of sound that were lost, as the ears were too slow."""
        return self._sound.overflows

    def robot(self, speaks: bool, now_ns: int) -> None:
        """The robot's voice begins or ends."""
        self._robot.append((speaks, now_ns))

    def run(
        self,
        ears: Ears,
        echo: EchoCanceller | None,
        stop: threading.Event,
        tell: Callable[[Event], None],
        complain: Callable[[str], None],
    ) -> None:
        """Listen until `stop`. Sound that cannot be used is complained of and skipped."""
        while not stop.is_set():
            sound = self._sound.get(LOST_S)
            while self._robot:
                self._heed(ears, *self._robot.popleft())
            try:
                events = self._hear(ears, echo, sound)
            except AuraError as e:
                complain(" ".join(str(e).split()))
                continue
            for event in events:
                tell(event)

    def _heed(self, ears: Ears, robot_speaks: bool, at_ns: int) -> None:
        if not robot_speaks:
            ears.unmute(at_ns)
        elif self._mutes:
            ears.mute(from_ns=at_ns)
        else:
            ears.listen_over_voice()

    def _hear(
        self, ears: Ears, echo: EchoCanceller | None, sound: Near | Far | None
    ) -> list[Event]:
        if sound is None:
            return ears.finish() if ears.speaking else []
        if isinstance(sound, Near):
            return ears.push(sound.audio if echo is None else echo.near(sound.audio))
        if echo is not None:
            echo.far(sound.audio)
        return []
