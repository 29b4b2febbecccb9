"""Sound that waits for the speech input's thread, and the loop of that thread. Knows no ROS."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from aura_core.errors import AuraError, one_line
from aura_core.speech.device import BlockQueue
from aura_core.speech.ears import Ears, Event
from aura_core.speech.echo import EchoCanceller
from aura_core.speech.types import Audio

# Blocks of sound that may wait (4 s or more). When recognition is too slow, the oldest are dropped
# and counted.
WAITING = 300
LOST_S = 0.5  # without sound for this long the microphone is gone, and an utterance is ended
_WORDS = "words"  # in the queue of sound: the recogniser has words


@dataclass(frozen=True, eq=False)
class Near:
    """Sound from the microphone."""

    audio: Audio


@dataclass(frozen=True, eq=False)
class Far:
    """Sound that the loudspeaker plays."""

    audio: Audio


class SoundInbox:
    """Takes sound from any thread with `put`; `run` passes it to the speech input on one thread.

    `mutes`: the speech input is muted while the robot speaks.
    """

    def __init__(self, mutes: bool) -> None:
        self._mutes = mutes
        self._sound = BlockQueue(WAITING)
        # not in the queue of sound, because none of these may be dropped
        self._robot: deque[tuple[bool, int]] = deque()
        self._says: deque[str] = deque()

    def put(self, sound: Near | Far) -> None:
        """Store a block of sound. The order of the calls is kept."""
        self._sound.put(sound)

    @property
    def dropped(self) -> int:
        """Number of blocks that were dropped because recognition was too slow."""
        return self._sound.overflows

    def robot(self, speaks: bool, now_ns: int) -> None:
        """Tell that the robot began or ended to speak at `now_ns`."""
        self._robot.append((speaks, now_ns))

    def says(self, text: str) -> None:
        """Tell what the robot says, or is about to say."""
        self._says.append(text)

    def run(
        self,
        ears: Ears,
        echo: EchoCanceller | None,
        stop: threading.Event,
        tell: Callable[[Event], None],
        complain: Callable[[str], None],
    ) -> None:
        """Process sound until `stop`.

        Args:
            ears: the speech input.
            echo: removes the robot's voice from the microphone's sound; None: nothing does.
            stop: set to end the loop.
            tell: called with each event of the speech input.
            complain: called with one line for sound that cannot be used, which is skipped.
        """
        ears.open(lambda: self._sound.put(_WORDS))
        try:
            self._listen(ears, echo, stop, tell, complain)
        finally:
            ears.close()

    def _listen(
        self,
        ears: Ears,
        echo: EchoCanceller | None,
        stop: threading.Event,
        tell: Callable[[Event], None],
        complain: Callable[[str], None],
    ) -> None:
        while not stop.is_set():
            sound = self._sound.get(LOST_S)
            while self._robot:
                self._follow_robot(ears, *self._robot.popleft())
            while self._says:
                ears.robot_says(self._says.popleft())
            try:
                events = self._process(ears, echo, sound)
            except AuraError as e:
                complain(one_line(e))
                continue
            for event in events:
                tell(event)

    def _follow_robot(self, ears: Ears, robot_speaks: bool, at_ns: int) -> None:
        if not robot_speaks:
            ears.unmute(at_ns)
        elif self._mutes:
            ears.mute(from_ns=at_ns)
        else:
            ears.listen_over_voice(at_ns)

    def _process(
        self, ears: Ears, echo: EchoCanceller | None, sound: Near | Far | str | None
    ) -> list[Event]:
        if sound is None:
            return [*ears.poll(), *(ears.finish() if ears.speaking or ears.holds else [])]
        if sound is _WORDS:
            return ears.poll()
        if isinstance(sound, Near):
            if echo is None:
                return ears.push(sound.audio)
            return ears.push(echo.near(sound.audio), echo.state())
        if echo is not None:
            echo.far(sound.audio)
        return []
