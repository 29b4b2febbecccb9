"""What became of each utterance that a loudspeaker was given: each ends once, heard to its end or not."""

from __future__ import annotations

from dataclasses import dataclass

from aura_core.speech.devices import Loudspeaker
from aura_core.speech.types import Audio


@dataclass(frozen=True)
class Ended:
    """An utterance that is over: how much of it was heard, and whether it came to its end."""

    utterance: str
    played_s: float
    complete: bool


class Utterances:
    """`write` begins them; `stop` and `poll` tell which have ended. One thread."""

    def __init__(self, device: Loudspeaker) -> None:
        self._device = device
        self._under_way: dict[str, None] = {}  # in the order in which they began

    @property
    def under_way(self) -> bool:
        """Whether there is one that was begun and has not ended."""
        return bool(self._under_way)

    def write(self, audio: Audio, utterance: str, last: bool) -> list[Ended]:
        """A piece of one; `last`: no more of it follows. Raises `InputError`, see `Resampler`."""
        if self._device.write(audio, utterance, last):  # what comes late for one that was stopped is refused
            self._under_way[utterance] = None
        elif last and utterance not in self._under_way:  # no device: nothing of it was heard
            return [Ended(utterance, 0.0, complete=False)]
        return []

    def stop(self) -> list[Ended]:
        """Silence, now."""
        buffer = self._device.buffer
        return [self._end(tag, samples / buffer.rate, complete=False) for tag, samples in buffer.stop().items()]

    def poll(self) -> list[Ended]:
        """Those that have ended since the last call: played out, or cut off by a device that went away."""
        buffer = self._device.buffer
        ended = [self._end(tag, played_s, complete=False) for tag, played_s in self._device.cut_off()]
        ended += [self._end(tag, buffer.played(tag) / buffer.rate, complete=True) for tag in buffer.finished()]
        return ended

    def _end(self, tag: object, played_s: float, complete: bool) -> Ended:
        utterance = str(tag)
        self._under_way.pop(utterance, None)
        return Ended(utterance, played_s, complete)
