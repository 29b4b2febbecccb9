"""Endpointing: speech probabilities in, onsets and whole utterances out.

Onset: `onset_frames` of the last `onset_window` frames have a probability of at least `onset`, or
two frames in a row have at least `sure`. While the robot speaks, the newest frames are an onset if
together they tell as much as two of `onset_over_voice`; one sure frame may do. Endpoint: no frame
has reached `offset` for the hangover time. The hangover is short after a complete question, and
long after words that are incomplete ("is there a").

The VAD holds on to a voice for some 90 ms after its end. After a complete question, sound that is
much quieter than the voice was is silence too, whatever the VAD says.

Talk that goes on longer than an utterance may is cut at its quietest point, and becomes the
background: from then on an onset must be louder than it, until it has ended.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from aura_core.plain import require
from aura_core.settings import Settings, setting
from aura_core.speech.background import Background, quietest
from aura_core.speech.types import NS, Audio
from aura_core.speech.vad import FRAME, RATE

FRAME_NS = FRAME * NS // RATE
LONGEST_S = 60.0  # highest value of `max_s`, because the whole utterance is held in memory
LIMIT_S, FREE_LIMIT_S = 15.0, 30.0  # defaults of `max_s`
SURE, ONSET_OVER_VOICE = 0.85, 0.7  # p(voice)
MS = 1_000_000
# A frame that is quieter than the voice by this is silence. A weak "s" or "f" at the end of a word
# is some 20 dB below its vowels.
QUIET_DB = 24.0
DOUBTFUL = 0.4  # p(voice) of a frame that tells nothing about a voice over the robot's
MOST_SURE = 0.99  # a p(voice) above tells no more


class Completeness(StrEnum):
    """Whether the words so far are a whole question."""

    COMPLETE = "complete"  # a sentence, and not the beginning of a longer one
    EXTENDABLE = "extendable"  # a sentence, and the beginning of a longer one
    STATED = "stated"  # free speech that sounds like the end of a sentence
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
        128,
        "the same, after words that are a complete question; also sound 24 dB below the voice is"
        " silence then",
        unit="ms",
        low=64,
        high=5_000,
    )
    long_hangover_ms: int = setting(
        900, "the same, after words that are an incomplete question", unit="ms", low=64, high=5_000
    )
    max_s: float | None = setting(
        None,
        "longest utterance; a longer one is cut and rejected, and is background to those who are"
        " louder",
        unit="s",
        low=1.0,
        high=LONGEST_S,
        unset=0.0,
        null=f"{LIMIT_S:g} for pocketsphinx, {FREE_LIMIT_S:g} for whisper and faster_whisper",
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
            self.limit_s * 1000 > self.long_hangover_ms,
            "endpoint.max_s must be longer than long_hangover_ms",
        )

    @property
    def limit_s(self) -> float:
        """The length [s] of the longest utterance."""
        return LIMIT_S if self.max_s is None else self.max_s

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
        between_ms = (self.short_hangover_ms + self.hangover_ms) // 2
        ms = {
            Completeness.COMPLETE: self.short_hangover_ms,
            Completeness.EXTENDABLE: between_ms,
            Completeness.STATED: (between_ms + self.hangover_ms) // 2,
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
    talk goes on, `rest` if it has gone on before.
    """

    audio: Audio
    start_ns: int
    end_ns: int
    too_long: bool
    more: bool = False
    rest: bool = False


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
        self._background = Background()
        self._restart()

    def _restart(self) -> None:
        self._before.clear()
        # stamp, p(voice) and level of the newest frames
        self._recent: deque[tuple[int, float, float]] = deque(maxlen=self.config.onset_window)
        self._frames: list[NDArray[np.int16]] = []
        self._speaking = self._cut = self._over = self._began = False
        self._words = Completeness.UNKNOWN
        self._stamp_ns = self._start_ns = self._end_ns = 0
        # level of the loudest four frames of the utterance, and the end of its newest loud frame
        self._loudest, self._loud_ns = -math.inf, 0

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
        level = self._background.measure(frame, probability >= self.config.offset)
        self._recent.append((stamp_ns, probability, level))
        if not self._speaking:
            return self._wait(frame, stamp_ns)
        self._frames.append(frame)
        now_ns = stamp_ns + FRAME_NS
        if self._began:  # the voice that has just talked over another
            self._began, self._end_ns = False, now_ns
            return Onset(self._start_ns, self._audio())
        if not self._over:
            if self._louder():
                return self._talked_over()
            if probability >= self.config.offset:
                self._background.learn(level)
        voice = not self._over or self._background.is_still_over(level)
        if probability >= self.config.offset and voice:
            self._end_ns = now_ns
            self._loudest = max(self._loudest, level)
            if loudness(frame) >= self._loudest - QUIET_DB:
                self._loud_ns = now_ns
        if now_ns - self._spoken_ns >= self.config.hangover_ns(self._words):
            return self._ended()
        if len(self._frames) * FRAME >= self.config.limit_s * RATE:
            return self._cut_here()
        return None

    @property
    def _spoken_ns(self) -> int:
        """The time from which on the silence counts."""
        if self._words is Completeness.COMPLETE and self._loud_ns:
            return min(self._loud_ns, self._end_ns)
        return self._end_ns

    def finish(self) -> End | None:
        """End the utterance under way, because the sound was interrupted."""
        end = self._ended() if self._speaking and not self._began else None
        self._restart()
        return end

    def _wait(self, frame: NDArray[np.int16], stamp_ns: int) -> Onset | None:
        self._before.append((stamp_ns, frame))
        onset = self.config.over_voice_level if self.over_voice else self.config.onset
        loud = [stamp for stamp, p, _ in self._recent if p >= onset]
        if not loud or not (self._evident() if self.over_voice else self._begun(len(loud))):
            return None
        self._background.begin()
        self._speaking = True
        self._start_ns, self._end_ns = loud[0], loud[-1] + FRAME_NS
        since_ns = self._start_ns - self._pre_roll_frames() * FRAME_NS
        kept = [(stamp, f) for stamp, f in self._before if stamp >= since_ns - FRAME_NS // 2]
        self._stamp_ns = kept[0][0]
        self._frames = [f for _, f in kept]
        self._words = Completeness.UNKNOWN
        over = any(self._background.is_over(level) for _, _, level in self._recent)
        if self._background.level is None or over:
            self._over = self._background.level is not None
            return Onset(self._start_ns, self._audio())
        self._cut = True  # the talk goes on
        return None

    def _begun(self, loud: int) -> bool:
        """Whether the newest frames are an onset. `loud`: how many of them count as speech."""
        sure = [p >= self.config.sure_level for _, p, _ in self._recent][-2:]
        return loud >= self.config.onset_frames or (len(sure) == 2 and all(sure))

    def _evident(self) -> bool:
        """Whether the newest frames are an onset although the robot speaks.

        Each frame tells as much as its log-odds of a voice are above those of `DOUBTFUL`. Together
        they must tell as much as two frames of `onset_over_voice` do. That is less than without the
        robot's voice, because nothing may be kept from before the onset here: the robot must stop.
        """
        level = self.config.over_voice_level
        told = sum(max(0.0, evidence(p)) for _, p, _ in self._recent)
        newest = self._recent[-1][1]
        return newest >= level and told >= 2 * evidence(level)

    def _louder(self) -> bool:
        """Whether a voice that is louder than the talk under way has begun."""
        if self._background.under_way is None:
            return False
        loud = [
            p >= self.config.onset and self._background.is_over(level)
            for _, p, level in self._recent
        ]
        return sum(loud) >= self.config.onset_frames

    def _talked_over(self) -> End:
        """End the talk under way. The onset of the louder voice comes with the next frame."""
        before = min(self._pre_roll_frames() + len(self._recent), len(self._frames) - 1)
        start_ns = self._recent[0][0]
        end = self._piece(len(self._frames) - before)
        self._background.settle()
        self._cut, self._over, self._began = False, True, True
        self._start_ns, self._end_ns = start_ns, self._stamp_ns + len(self._frames) * FRAME_NS
        self._words = Completeness.UNKNOWN
        return end

    def _ended(self) -> End:
        end = End(self._audio(), self._start_ns, self._end_ns, too_long=self._cut, rest=self._cut)
        self._restart()
        return end

    def _cut_here(self) -> End:
        """Cut the talk at its quietest point, and go on with the rest of it."""
        if not self._over:
            self._background.settle()
        end = replace(self._piece(quietest(self._frames)), too_long=True)
        self._cut = True
        self._start_ns = self._stamp_ns
        self._words = Completeness.UNKNOWN
        return end

    def _piece(self, frames: int) -> End:
        """Take so many frames off the beginning of the utterance under way."""
        audio = Audio(np.concatenate(self._frames[:frames]), RATE, self._stamp_ns)
        end_ns = min(self._end_ns, audio.end_ns)
        end = End(audio, self._start_ns, end_ns, self._cut, more=True, rest=self._cut)
        self._frames = self._frames[frames:]
        self._stamp_ns = self._end_ns = audio.end_ns
        return end

    def _audio(self) -> Audio:
        samples = np.concatenate(self._frames) if self._frames else np.zeros(0, dtype=np.int16)
        return Audio(samples, RATE, self._stamp_ns)

    def _pre_roll_frames(self) -> int:
        return -(-self.config.pre_roll_ms * MS // FRAME_NS)


def evidence(probability: float) -> float:
    """How much more likely than at `DOUBTFUL` a voice is, as a difference of log-odds."""
    p = min(max(probability, 1.0 - MOST_SURE), MOST_SURE)
    return math.log(p / (1.0 - p)) - math.log(DOUBTFUL / (1.0 - DOUBTFUL))


def loudness(frame: NDArray[np.int16]) -> float:
    """The level of a frame [dB of one step of a sample]."""
    return 10.0 * math.log10(max(float(np.mean(np.square(frame, dtype=np.float32))), 1e-3))
