"""Ears without devices: sound is pushed as fast as they take it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from aura_core.bench.speech.sounds import RATE, Samples
from aura_core.errors import ModelError
from aura_core.speech.asr import AsrConfig, Grammar
from aura_core.speech.ears import Ears, Event, open_ears
from aura_core.speech.ears_config import EarsConfig
from aura_core.speech.types import NS, Audio, Transcript, TranscriptState
from aura_core.speech.wake import WakeConfig, WakeMode

PIECE = 512  # samples that a microphone gives at once: 32 ms
APART_NS = 3_600 * NS  # sounds are so far apart in time that nothing joins them
LONGEST_S = 120.0  # a recogniser that takes longer for one utterance hangs


@dataclass(frozen=True)
class Subject:
    """The speech input that is measured, and the questions that it can understand.

    `kinds` are lists of questions by name: of its grammar, or of a household. The first is asked
    where one list is enough.
    """

    asr: AsrConfig
    grammar: Grammar | None
    kinds: Mapping[str, tuple[str, ...]]

    @property
    def questions(self) -> tuple[str, ...]:
        """The questions of the first kind."""
        return next(iter(self.kinds.values()))

    @property
    def free(self) -> bool:
        """Whether it takes any words, and not only those of a grammar."""
        return self.grammar is None

    def ears(self, wake: WakeMode = WakeMode.OFF) -> Ears:
        """Load the speech input. Raises ConfigError or ModelError."""
        return open_ears(EarsConfig(asr=self.asr, wake=WakeConfig(wake)), self.grammar)


class Listener:
    """Ears that hear one sound after another, an hour apart.

    A recogniser with a thread of its own is waited for, so that it seems to take no time: a sound
    has the same result on any machine.
    """

    def __init__(self, ears: Ears) -> None:
        self.ears = ears
        self._at_ns = APART_NS
        ears.open()

    def __enter__(self) -> Listener:
        return self

    def __exit__(self, *_: object) -> None:
        self.ears.close()

    def hear(self, samples: Samples) -> list[Transcript]:
        """What becomes of a sound: its final and rejected utterances.

        Their times count from the beginning of the sound.
        """
        return [transcript for transcript, _ in self.timed(samples)]

    def timed(self, samples: Samples) -> list[tuple[Transcript, int]]:
        """The same, each with the time [ns] of the sound at which it came."""
        ears, began_ns = self.ears, self._at_ns
        events: list[tuple[Event, int]] = []
        for start in range(0, len(samples), PIECE):
            at_ns = start * NS // RATE
            happened = ears.push(Audio(samples[start : start + PIECE], RATE, began_ns + at_ns))
            events += [(e, at_ns + PIECE * NS // RATE) for e in happened + self._settled()]
        length_ns = len(samples) * NS // RATE
        rest = ears.finish() + self._settled() + ears.finish()
        events += [(e, length_ns) for e in rest]
        self._at_ns += length_ns + APART_NS
        return [
            (replace(e, start_ns=e.start_ns - began_ns, end_ns=e.end_ns - began_ns), at_ns)
            for e, at_ns in events
            if isinstance(e, Transcript) and e.state is not TranscriptState.PARTIAL
        ]

    def _settled(self) -> list[Event]:
        """The events of the recogniser's thread, once it has nothing to do."""
        if not self.ears.settle(LONGEST_S):
            raise ModelError(f"the recogniser took more than {LONGEST_S:g} s for an utterance")
        return self.ears.poll()
