"""The speech input, called "ears" in this package: from a microphone's sound to transcripts.

It has no clock of its own: all times come from the stamps of the sound.

Data path: resample to 16 kHz -> frames of 32 ms -> (quiet? muted?) -> VAD -> endpointer ->
recogniser, which is fed while the user speaks -> wake rule -> Transcript. In silence only the level
of the sound is computed.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from aura_core.errors import InputError
from aura_core.settings import Settings, section, setting
from aura_core.speech.asr import (
    AsrConfig,
    Grammar,
    Recognition,
    Recognizer,
    TurnDetector,
    grammar_of,
    open_recognizer,
)
from aura_core.speech.endpointing import FRAME_NS, MS, End, EndpointConfig, Endpointer, Onset
from aura_core.speech.fillers import is_filler
from aura_core.speech.resample import Resampler
from aura_core.speech.types import Audio, Transcript, TranscriptState
from aura_core.speech.vad import FRAME, RATE, VADS, EnergyGate, Vad, open_vad
from aura_core.speech.wake import WakeConfig, WakeRule

CATCH_UP = 4  # most frames that the recogniser is fed while one new frame (32 ms) comes in
# What a recogniser may raise over an utterance: torch and CTranslate2 report a full or lost GPU as
# RuntimeError.
_RECOGNIZER_ERRORS = (RuntimeError, ValueError, MemoryError)
# Whisper tiny: questions are at 0.66 and more, nonsense made of laughs and of Chinese at 0.29 and
# less; a single word ("stop") may be as low as 0.28.
FREE_CONFIDENCE = 0.35
CLIP_LSB = 32_700  # a peak at or above this means that the microphone's gain is too high


@dataclass(frozen=True)
class EarsConfig(Settings, section="ears"):
    """Settings of one speech input. As ROS 2 parameters, the nested sections have no prefix."""

    vad: str = setting(
        "pysilero",
        "voice activity detection: pysilero, or silero (onnxruntime)",
        choices=VADS,
    )
    endpoint: EndpointConfig = section(EndpointConfig, prefix="")
    asr: AsrConfig = section(AsrConfig, prefix="")
    wake: WakeConfig = section(WakeConfig, prefix="")
    adaptive: bool = setting(True, "the hangover follows the words so far", parameter=None)
    min_confidence: float | None = setting(
        None,
        "transcripts below are rejected as low_confidence",
        low=0.0,
        high=1.0,
        unset=-1.0,
        null=f"{FREE_CONFIDENCE} for whisper and faster_whisper; 0 for pocketsphinx, which has"
        " rejection",
    )
    mute_tail_ms: int = setting(
        350,
        "sound is still ignored for this long after the robot's voice: its echo in the room, and"
        " what the devices still hold in their buffers",
        unit="ms",
        low=0,
        high=5_000,
        parameter=None,
    )
    max_gap_ms: int = setting(
        100,
        "a larger jump between stamps means that sound was lost",
        unit="ms",
        low=0,
        high=5_000,
        parameter=None,
    )
    gate_db: float = setting(
        4.0,
        "the VAD is run on frames that are louder than the noise floor by this; 0: on all frames",
        unit="dB",
        low=0.0,
        high=20.0,
        parameter=None,
    )
    quiet_lsb: int = setting(
        8,
        "a frame with a peak below this is silence, and the VAD is not run on it",
        unit="steps of 16-bit samples",
        low=0,
        high=3_000,
        parameter=None,
    )

    @property
    def free(self) -> bool:
        """Whether the recogniser takes any words, and not only those of a grammar."""
        return self.asr.backend != "pocketsphinx"

    @property
    def least_confidence(self) -> float:
        """The confidence below which a transcript is rejected."""
        if self.min_confidence is not None:
            return self.min_confidence
        return FREE_CONFIDENCE if self.free else 0.0


@dataclass
class Counters:
    """Counts since the start.

    `frames`, `vad_frames`, `clipped` and `muted` count frames of 32 ms.
    """

    frames: int = 0
    vad_frames: int = 0  # of these, how many the VAD was asked about
    utterances: int = 0
    finals: int = 0
    rejected: dict[str, int] = field(default_factory=dict)  # by reason
    clipped: int = 0
    gaps: int = 0
    muted: int = 0


Event = Onset | End | Transcript


class Ears:
    """The speech input of one microphone: VAD, endpointing, recognition and wake phrase.

    Not thread-safe: one thread calls `push`, `mute` and the other methods.
    """

    def __init__(
        self,
        config: EarsConfig,
        vad: Vad,
        recognizer: Recognizer,
        turn_detector: TurnDetector | None = None,
    ) -> None:
        self.config = config
        self.counters = Counters()
        self._vad = EnergyGate(vad, config.gate_db, config.quiet_lsb)
        self._recognizer = recognizer
        self._endpointer = Endpointer(config.endpoint, turn_detector if config.adaptive else None)
        self._wake = WakeRule(config.wake)
        self._resampler: Resampler | None = None
        self._rest: NDArray[np.int16] = np.zeros(0, dtype=np.int16)  # less than a frame
        self._expected_ns: int | None = None  # stamp of the next sample, from the last stamp alone
        self._clock_ns = 0  # the same from all stamps, smoothed
        self._rest_ns = 0  # stamp of the first sample that is not in a frame yet
        self._muted_from_ns, self._muted_until_ns = 0, 0
        self._partial = ""
        # speech that the recogniser has not been fed yet
        self._unfed: NDArray[np.int16] = np.zeros(0, dtype=np.int16)

    @property
    def speaking(self) -> bool:
        """Whether an utterance is under way."""
        return self._endpointer.speaking

    def push(self, audio: Audio) -> list[Event]:
        """Process more sound, and return the events that it caused, in order.

        Args:
            audio: mono int16 samples (n,) of any rate and any length, with a stamp.

        Raises InputError for another shape or dtype, and for a rate that cannot be resampled.
        """
        if audio.samples.dtype != np.int16 or audio.samples.ndim != 1:
            raise InputError(
                f"audio must be mono int16 (n,), not {audio.samples.dtype} {audio.samples.shape}"
            )
        if not len(audio.samples):
            return []
        events = self._joined(audio)
        assert self._resampler is not None
        self._rest = np.concatenate([self._rest, self._resampler.push(audio.samples)])
        self._expected_ns = audio.end_ns
        self._clock_ns += audio.duration_ns
        whole = len(self._rest) // FRAME * FRAME
        for start in range(0, whole, FRAME):
            events += self._frame(self._rest[start : start + FRAME], self._rest_ns)
            self._rest_ns += FRAME_NS
        self._rest = self._rest[whole:].copy()
        return events

    def mute(self, until_ns: int | None = None, from_ns: int = 0) -> None:
        """The robot speaks: ignore the sound of [from_ns, until_ns + mute_tail_ms).

        With `until_ns=None` the sound is ignored until `unmute` is called.
        """
        self._muted_from_ns = from_ns
        self._muted_until_ns = (
            2**62 if until_ns is None else until_ns + self.config.mute_tail_ms * MS
        )

    def listen_over_voice(self) -> None:
        """The robot speaks while its echo is cancelled: keep listening, with a higher threshold.

        What is left of the echo must not count as a user (see `EndpointConfig.onset_over_voice`).
        """
        self._endpointer.over_voice = True

    def unmute(self, at_ns: int) -> None:
        """The robot's voice ended at `at_ns`.

        The sound of the next `mute_tail_ms` is still ignored. This also calls `robot_spoke`.
        """
        self._endpointer.over_voice = False
        self._muted_until_ns = min(self._muted_until_ns, at_ns + self.config.mute_tail_ms * MS)
        self.robot_spoke(at_ns)

    def muted(self, stamp_ns: int) -> bool:
        """Whether the sound at this time [ns] is ignored."""
        return self._muted_from_ns <= stamp_ns < self._muted_until_ns

    def robot_spoke(self, end_ns: int) -> None:
        """The robot's voice ended at `end_ns`.

        With `wake: after_silence`, no wake phrase is needed for some time after this.
        """
        self._wake.robot_spoke(end_ns)

    def finish(self) -> list[Event]:
        """No more sound will come (or the microphone was lost): end the utterance under way."""
        self._resampler, self._expected_ns = None, None
        self._rest = self._rest[:0]
        return self._interrupted()

    def _joined(self, audio: Audio) -> list[Event]:
        """Prepare the buffers so that `audio` follows the sound before it.

        A gap, a jump back in time or another sample rate ends the utterance under way.
        """
        rate_changed = self._resampler is None or self._resampler.rate != audio.rate
        jump_ns = 0 if self._expected_ns is None else audio.stamp_ns - self._expected_ns
        gap = abs(jump_ns) > self.config.max_gap_ms * MS
        events: list[Event] = []
        if rate_changed or gap:
            # first, because it refuses impossible rates: nothing has been changed yet
            fresh = Resampler(audio.rate, RATE)
            self.counters.gaps += self._expected_ns is not None
            events = self.finish()
            self._resampler = fresh
            self._rest_ns = self._clock_ns = audio.stamp_ns
        else:
            # follow the sender's clock, smoothly
            shift_ns = (audio.stamp_ns - self._clock_ns) // 16
            self._rest_ns += shift_ns
            self._clock_ns += shift_ns
        return events

    def _frame(self, frame: NDArray[np.int16], stamp_ns: int) -> list[Event]:
        self.counters.frames += 1
        if self.muted(stamp_ns):
            self.counters.muted += 1
            return self._interrupted()
        peak = max(int(frame.max()), -int(frame.min()))
        self.counters.clipped += peak >= CLIP_LSB
        probability = self._vad(frame, self._endpointer.speaking)
        self.counters.vad_frames = self._vad.asked
        happened = self._endpointer.push(frame, probability, stamp_ns)
        if isinstance(happened, Onset):
            self.counters.utterances += 1
            self._partial = ""
            self._recognizer.begin()
            # The onset is returned before any recognition: the robot's voice must stop at once.
            self._unfed = happened.audio.samples
            return [happened]
        if isinstance(happened, End):
            return self._ended(happened)
        if self._endpointer.speaking and not self._endpointer.overlong:
            self._unfed = np.concatenate([self._unfed, frame])
            return self._feed(CATCH_UP, stamp_ns)
        return []

    def _feed(self, frames: int, stamp_ns: int) -> list[Event]:
        """Feed the recogniser at most `frames` of the frames that wait for it.

        They are fed one by one, because the recogniser holds the GIL during each call.
        """
        partial = None
        for _ in range(min(frames, len(self._unfed) // FRAME)):
            partial = self._recognizer.feed(self._unfed[:FRAME]) or partial
            self._unfed = self._unfed[FRAME:]
        if partial is None or partial == self._partial:
            return []
        self._partial = partial
        self._endpointer.hear(partial)
        return [
            Transcript(
                TranscriptState.PARTIAL,
                partial,
                1.0,
                self._endpointer.start_ns,
                stamp_ns + FRAME_NS,
            )
        ]

    def _interrupted(self) -> list[Event]:
        """The sound stops here: end the utterance under way, and reset the VAD."""
        end = self._endpointer.finish()
        self._vad.reset()
        return self._ended(end) if end is not None else []

    def _ended(self, end: End) -> list[Event]:
        if not end.too_long:
            self._feed(len(self._unfed), end.end_ns)
        self._unfed = self._unfed[:0]
        heard, failure = (
            (Recognition(self._partial, 0.0), "") if end.too_long else self._recognized()
        )
        needed = self._wake.required(end.start_ns)
        called, text = self._wake.without_phrase(heard.text)
        reason = ""
        if end.too_long:
            reason = "too_long"
        elif failure:
            reason = "failed"
        elif not text.strip():
            reason = "empty"
        elif heard.reason:
            reason = heard.reason
        elif needed and not called:
            reason = "no_wake_phrase"
        elif not heard.in_grammar:
            reason = "off_grammar"
        elif self.config.free and is_filler(text, answers=self._wake.conversing(end.start_ns)):
            reason = "filler"
        elif heard.confidence < self.config.least_confidence:
            reason = "low_confidence"
        if reason:
            self.counters.rejected[reason] = self.counters.rejected.get(reason, 0) + 1
        else:
            self.counters.finals += 1
        self._partial = ""
        state = TranscriptState.REJECTED if reason else TranscriptState.FINAL
        reason = f"{reason}: {failure}" if failure else reason
        return [
            end,
            Transcript(
                state, text, heard.confidence, end.start_ns, end.end_ns, reason, heard.language
            ),
        ]

    def _recognized(self) -> tuple[Recognition, str]:
        """Return the utterance's words, and the reason if there are none.

        A recogniser that fails costs this utterance; listening goes on.
        """
        try:
            return self._recognizer.finish(), ""
        except _RECOGNIZER_ERRORS as e:
            return Recognition("", 0.0), " ".join(str(e).split()) or type(e).__name__


def open_ears(config: EarsConfig, phrases: Grammar | None = None) -> Ears:
    """Load the VAD and the recogniser.

    Args:
        phrases: the sentences that pocketsphinx recognises.

    Raises ConfigError or ModelError when a package or a file is missing or not usable.
    """
    turn_detector = TurnDetector(grammar_of(config.asr, phrases), config.wake.spellings)
    recognizer = open_recognizer(config.asr, config.wake, phrases)
    return Ears(config, open_vad(config.vad), recognizer, turn_detector)
