"""Endpointing: speech probabilities in, onsets and whole utterances out.

Onset: `onset_frames` of the last `onset_window` frames have a probability of at least `onset`, or
two frames in a row have at least `sure`. Endpoint: no frame has reached `offset` for the hangover
time. The hangover is short after a complete question, and long after words that are incomplete ("is
there a").
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from aura_core.plain import require
from aura_core.settings import Settings, setting
from aura_core.speech.types import NS, Audio
from aura_core.speech.vad import FRAME, RATE

FRAME_NS = FRAME * NS // RATE
LONGEST_S = 60.0  # highest value of `max_s`, because the whole utterance is held in memory
SURE, ONSET_OVER_VOICE = 0.85, 0.7  # p(voice)
MS = 1_000_000


class Completeness(StrEnum):
    """Whether the words so far are a whole question."""

    COMPLETE = "complete"  # a sentence, and not the beginning of a longer one
    EXTENDABLE = "extendable"  # a sentence, and the beginning of a longer one
    INCOMPLETE = "incomplete"  # the last word needs another one after it
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class EndpointConfig(Settings, section="endpoint"):
    """When an utterance begins and ends. p(voice) is the VAD's output for one frame of 32 ms."""

    onset: float = setting(
        0.5, "p(voice) from which on a frame of 32 ms counts as speech", low=0.01, high=0.99
    )
    sure: float | None = setting(
        None,
        "p(voice) that two frames in a row need to be an onset by themselves",
        low=0.01,
        high=1.0,
        null=f"{SURE}, or onset where that is higher",
        parameter=None,
    )
    onset_over_voice: float | None = setting(
        None,
        "used instead of onset while the robot speaks: what is left of its echo is no user",
        low=0.01,
        high=1.0,
        null=f"{ONSET_OVER_VOICE}, or onset where that is higher",
        parameter=None,
    )
    offset: float = setting(
        0.35, "p(voice) below which a frame counts as silence", low=0.01, high=0.99
    )
    onset_frames: int = setting(
        3, "loud frames of onset_window that are an onset", low=1, high=32, parameter=None
    )
    onset_window: int = setting(
        4, "newest frames that are looked at for an onset", low=1, high=32, parameter=None
    )
    pre_roll_ms: int = setting(
        320,
        "sound kept from before the onset: detection is late by some frames, and the start of a"
        " word must not be lost",
        unit="ms",
        low=0,
        high=2_000,
    )
    hangover_ms: int = setting(600, "silence that ends an utterance", unit="ms", low=64, high=5_000)
    short_hangover_ms: int = setting(
        160, "the same, after words that are a complete question", unit="ms", low=64, high=5_000
    )
    long_hangover_ms: int = setting(
        900, "the same, after words that are an incomplete question", unit="ms", low=64, high=5_000
    )
    max_s: float = setting(
        15.0,
        "longest utterance; longer ones are rejected",
        unit="s",
        low=1.0,
        high=LONGEST_S,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        both = f"endpoint.offset ({self.offset}) and endpoint.onset ({self.onset})"
        require(self.offset <= self.onset, f"{both}: offset <= onset is needed")
        for name in ("sure", "onset_over_voice"):
            level = getattr(self, name)
            require(
                level is None or level >= self.onset,
                f"endpoint.{name} ({level}) must be in [onset, 1]",
            )
        frames = (
            f"endpoint.onset_frames ({self.onset_frames}) and onset_window ({self.onset_window})"
        )
        require(self.onset_frames <= self.onset_window, f"{frames}: frames <= window is needed")
        lengths = (self.short_hangover_ms, self.hangover_ms, self.long_hangover_ms)
        order = "endpoint: short_hangover_ms <= hangover_ms <= long_hangover_ms"
        require(lengths[0] <= lengths[1] <= lengths[2], f"{order} is needed, not {lengths}")
        require(
            self.max_s * 1000 > self.long_hangover_ms,
            "endpoint.max_s must be longer than long_hangover_ms",
        )

    @property
    def sure_level(self) -> float:
        """The p(voice) at which two frames in a row are an onset."""
        return max(self.onset, SURE) if self.sure is None else self.sure

    @property
    def over_voice_level(self) -> float:
        """The p(voice) from which on a frame counts as speech while the robot speaks."""
        level = self.onset_over_voice
        return max(self.onset, ONSET_OVER_VOICE) if level is None else level

    def hangover_ns(self, words: Completeness) -> int:
        """Return the silence [ns] after which an utterance with these words is over."""
        ms = {
            Completeness.COMPLETE: self.short_hangover_ms,
            Completeness.EXTENDABLE: (self.short_hangover_ms + self.hangover_ms) // 2,
            Completeness.INCOMPLETE: self.long_hangover_ms,
            Completeness.UNKNOWN: self.hangover_ms,
        }
        return ms[words] * MS


@dataclass(frozen=True)
class Onset:
    """A user began to speak at `stamp_ns`. `audio` begins earlier than that, by the pre-roll."""

    stamp_ns: int
    audio: Audio


@dataclass(frozen=True)
class End:
    """The utterance is over. The speech lasted from `start_ns` to `end_ns`.

    `audio` holds the whole utterance with the silence around it. `too_long` is set if it was cut at
    the maximum length, and for what follows such a cut without a pause. `more` is set if the same
    talk goes on.
    """

    audio: Audio
    start_ns: int
    end_ns: int
    too_long: bool
    more: bool = False


class Endpointer:
    """Cuts a stream of frames into utterances. It holds at most `max_s` seconds of sound."""

    def __init__(
        self,
        config: EndpointConfig | None = None,
        turn_detector: Callable[[str], Completeness] | None = None,
    ) -> None:
        self.config = config or EndpointConfig()
        self._turn_detector = turn_detector
        # an onset is found up to `onset_window` frames late
        held = self._pre_roll_frames() + self.config.onset_window
        self._before: deque[tuple[int, NDArray[np.int16]]] = deque(maxlen=held)
        self.over_voice = False  # the robot speaks, and the microphone hears it
        self.reset()

    @property
    def speaking(self) -> bool:
        """Whether an utterance is under way."""
        return self._speaking

    @property
    def overlong(self) -> bool:
        """Whether the utterance under way continues one that was cut at the maximum length.

        It will be rejected, so it need not be recognised.
        """
        return self._cut

    @property
    def start_ns(self) -> int:
        """The time [ns] at which the utterance under way began."""
        return self._start_ns

    @property
    def end_ns(self) -> int:
        """The time [ns] at which the newest speech of the utterance under way ended."""
        return self._end_ns

    @property
    def audio(self) -> Audio:
        """The utterance under way so far, with the silence around it."""
        return self._audio()

    def reset(self) -> None:
        """Forget everything. An utterance under way is dropped."""
        self._before.clear()
        self._recent: deque[tuple[int, float]] = deque(maxlen=self.config.onset_window)
        self._frames: list[NDArray[np.int16]] = []
        self._speaking = self._cut = False
        self._words = Completeness.UNKNOWN
        self._stamp_ns = self._start_ns = self._end_ns = 0

    def hear(self, partial: str) -> None:
        """Take the words so far. They decide how long the hangover is."""
        self._words = (
            self._turn_detector(partial)
            if self._turn_detector is not None
            else Completeness.UNKNOWN
        )

    def push(
        self, frame: NDArray[np.int16], probability: float, stamp_ns: int
    ) -> Onset | End | None:
        """Process one frame.

        Args:
            frame: (512,) int16 at 16 kHz, which begins at `stamp_ns`.
            probability: p(voice) of the frame.

        Returns the onset or the end that this frame completes, if any.
        """
        if not self._speaking:
            return self._wait(frame, probability, stamp_ns)
        self._frames.append(frame)
        now_ns = stamp_ns + FRAME_NS
        if probability >= self.config.offset:
            self._end_ns = now_ns
        elif now_ns - self._end_ns >= self.config.hangover_ns(self._words):
            return self._ended(too_long=self._cut)
        if len(self._frames) * FRAME >= self.config.max_s * RATE:
            return self._cut_here(now_ns)
        return None

    def finish(self) -> End | None:
        """End the utterance under way, because the sound was interrupted, and forget the rest."""
        end = self._ended(too_long=self._cut) if self._speaking else None
        self.reset()
        return end

    def _wait(self, frame: NDArray[np.int16], probability: float, stamp_ns: int) -> Onset | None:
        self._before.append((stamp_ns, frame))
        self._recent.append((stamp_ns, probability))
        onset = self.config.over_voice_level if self.over_voice else self.config.onset
        loud = [stamp for stamp, p in self._recent if p >= onset]
        sure = len(self._recent) > 1 and all(
            p >= self.config.sure_level for _, p in list(self._recent)[-2:]
        )
        if len(loud) < self.config.onset_frames and not sure:
            return None
        self._speaking = True
        self._start_ns, self._end_ns = loud[0], loud[-1] + FRAME_NS
        since_ns = self._start_ns - self._pre_roll_frames() * FRAME_NS
        kept = [(stamp, f) for stamp, f in self._before if stamp >= since_ns - FRAME_NS // 2]
        self._stamp_ns = kept[0][0]
        self._frames = [f for _, f in kept]
        self._words = Completeness.UNKNOWN
        return Onset(self._start_ns, self._audio())

    def _ended(self, too_long: bool) -> End:
        end = End(self._audio(), self._start_ns, self._end_ns, too_long)
        self.reset()
        return end

    def _cut_here(self, now_ns: int) -> End:
        end = replace(self._ended(too_long=True), more=True)
        self._speaking = self._cut = True
        self._stamp_ns = self._start_ns = self._end_ns = now_ns
        return end

    def _audio(self) -> Audio:
        samples = np.concatenate(self._frames) if self._frames else np.zeros(0, dtype=np.int16)
        return Audio(samples, RATE, self._stamp_ns)

    def _pre_roll_frames(self) -> int:
        return -(-self.config.pre_roll_ms * MS // FRAME_NS)
