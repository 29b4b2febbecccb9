"""What became of each utterance that a loudspeaker was given: each ends once, heard to its end or
not."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from aura_core.speech.devices import Loudspeaker
from aura_core.speech.types import NS, Audio

# An utterance that has been silent for so long before its last piece came is given up: who made it
# was ended, or has heard of a stop and says nothing more. A voice that is only slow is seconds
# ahead of what is played (tts_node).
UNDERRUN_S = 3.0


@dataclass(frozen=True)
class Ended:
    """An utterance that is over: how much of it was heard, and whether it came to its end."""

    utterance: str
    played_s: float
    complete: bool


class Utterances:
    """`write` begins them; `stop` and `poll` tell which have ended. One thread. `clock`: steady
    nanoseconds."""

    def __init__(self, device: Loudspeaker, clock: Callable[[], int] = time.monotonic_ns) -> None:
        self._device, self._clock = device, clock
        # in the order in which they began: when each was last known to have sound
        self._under_way: dict[str, int] = {}

    @property
    def under_way(self) -> bool:
        """Whether there is one that was begun and has not ended."""
        return bool(self._under_way)

    def write(self, audio: Audio, utterance: str, last: bool) -> list[Ended]:
        """A piece of one; `last`: no more of it follows. Raises `InputError`, see `Resampler`."""
        # what comes late for one that was stopped is refused
        if self._device.write(audio, utterance, last):
            self._under_way[utterance] = self._clock()
        elif last and utterance not in self._under_way:  # no device: nothing of it was heard
            return [Ended(utterance, 0.0, complete=False)]
        return []

    def stop(self) -> list[Ended]:
        """Silence, now."""
        buffer = self._device.buffer
        return [
            self._end(tag, samples / buffer.rate, complete=False)
            for tag, samples in buffer.stop().items()
        ]

    def poll(self) -> list[Ended]:
        """Those that have ended since the last call: played out, cut off by a device that went
        away, or without sound for too long (buffer underrun)."""
        buffer = self._device.buffer
        ended = [
            self._end(tag, played_s, complete=False) for tag, played_s in self._device.cut_off()
        ]
        ended += [
            self._end(tag, buffer.played(tag) / buffer.rate, complete=True)
            for tag in buffer.finished()
        ]
        return ended + [
            self._end(u, buffer.give_up(u) / buffer.rate, complete=False) for u in self._underrun()
        ]

    def _underrun(self) -> list[str]:
        now_ns, buffer = self._clock(), self._device.buffer
        self._under_way = {
            u: now_ns if buffer.holds(u) else at_ns for u, at_ns in self._under_way.items()
        }
        return [u for u, at_ns in self._under_way.items() if now_ns - at_ns > UNDERRUN_S * NS]

    def _end(self, tag: object, played_s: float, complete: bool) -> Ended:
        utterance = str(tag)
        self._under_way.pop(utterance, None)
        return Ended(utterance, played_s, complete)
