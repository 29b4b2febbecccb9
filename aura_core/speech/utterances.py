"""Tracks the utterances that a loudspeaker plays, and reports the end of each once."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from aura_core.speech.devices import Loudspeaker
from aura_core.speech.paced import PacedLoudspeaker
from aura_core.speech.types import NS, Audio

# An utterance without sound for so long, whose last piece has not come, is given up: its sender
# has exited, or was stopped and sends nothing more. A slow synthesiser does not come near
# this limit, because it works seconds ahead of playback (tts_node).
UNDERRUN_S = 3.0


@dataclass(frozen=True)
class Ended:
    """An utterance that is over: how much of it was heard, and whether it was played to its end."""

    utterance: str
    played_s: float
    complete: bool


class Utterances:
    """Plays utterances. `write` begins them; `stop` and `poll` return those that have ended.

    Only one thread may use it. `clock` returns steady nanoseconds.
    """

    def __init__(
        self, device: Loudspeaker | PacedLoudspeaker, clock: Callable[[], int] = time.monotonic_ns
    ) -> None:
        self._device, self._clock = device, clock
        # by utterance, in the order in which they began: when each last had sound [ns]
        self._under_way: dict[str, int] = {}

    @property
    def under_way(self) -> bool:
        """Whether an utterance was begun and has not ended."""
        return bool(self._under_way)

    def write(self, audio: Audio, utterance: str, last: bool) -> list[Ended]:
        """Play a piece of an utterance. Returns the utterance if it ended at once.

        Args:
            last: no more pieces of it follow.

        Raises InputError for a rate that cannot be resampled (see `Resampler`).
        """
        # the device refuses late pieces of an utterance that was stopped
        if self._device.write(audio, utterance, last):
            self._under_way[utterance] = self._clock()
        elif last and utterance not in self._under_way:  # no device: nothing of it was heard
            return [Ended(utterance, 0.0, complete=False)]
        return []

    def stop(self) -> list[Ended]:
        """Stop playback now, and return the utterances that this ended."""
        buffer = self._device.buffer
        return [
            self._end(tag, samples / buffer.rate, complete=False)
            for tag, samples in buffer.stop().items()
        ]

    def stop_one(self, utterance: str) -> Ended:
        """Stop one utterance now; more of its sound is refused. The others go on."""
        buffer = self._device.buffer
        return self._end(utterance, buffer.stop_one(utterance) / buffer.rate, complete=False)

    def poll(self) -> list[Ended]:
        """Return the utterances that have ended since the last call.

        An utterance ends when it was played to its end, when the device disappeared, or when it has
        had no sound for `UNDERRUN_S` (buffer underrun).
        """
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
