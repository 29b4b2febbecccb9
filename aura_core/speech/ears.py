"""The speech input, called "ears" in this package: from a microphone's sound to transcripts.

It has no clock of its own: all times come from the stamps of the sound.

Data path: resample to 16 kHz -> frames of 32 ms -> (quiet? muted?) -> VAD -> endpointer ->
recogniser -> judge (wake phrase, own voice, confidence) -> joiner -> Transcript. In silence only
the level of the sound is computed.

A recogniser of a grammar is fed while the user speaks. One that takes whole utterances runs on a
thread of its own after `open`: it is asked at a pause already, and its words come by `poll`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, wait
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from aura_core.errors import InputError
from aura_core.speech.asides import Aside, Asides
from aura_core.speech.asr import (
    Grammar,
    Recognition,
    Recognizer,
    TurnDetector,
    grammar_of,
    open_recognizer,
)
from aura_core.speech.asr.base import BufferedUtterance
from aura_core.speech.decoding import Decoder, agreed
from aura_core.speech.ears_config import EarsConfig
from aura_core.speech.endpointing import (
    FRAME_NS,
    MS,
    Completeness,
    End,
    Endpointer,
    Onset,
)
from aura_core.speech.fillers import Fillers
from aura_core.speech.joining import FirstPart, Joiner
from aura_core.speech.own_sound import Doubt, EchoState
from aura_core.speech.own_voice import FOREVER_NS, KEPT_NS, OwnVoice, Windows
from aura_core.speech.resample import Resampler
from aura_core.speech.types import NS, Audio, Transcript, TranscriptState
from aura_core.speech.vad import FRAME, RATE, EnergyGate, Vad, open_vad
from aura_core.speech.verdict import Judge, Said
from aura_core.speech.wake import WakeRule

# Of the silence after the newest speech, the recogniser of a grammar gets so much. A sentence must
# be complete at the end of the sound, so in more silence it finds words that nobody said: "mm" and
# a second of noise became "is the lamp off". If the user goes on, it gets the rest.
TRAILING_NS = 5 * FRAME_NS
CATCH_UP = 4  # most frames that the recogniser is fed while one new frame (32 ms) comes in
# What a recogniser may raise over an utterance: torch and CTranslate2 report a full or lost GPU as
# RuntimeError.
_RECOGNIZER_ERRORS = (RuntimeError, ValueError, MemoryError)
# An utterance that begins within this time after a mute had begun before: the VAD takes some frames
# to find speech.
CLIPPED_NS = 3 * FRAME_NS
WAITING = 4  # most utterances that wait for the recogniser; older ones are given up
CLIP_LSB = 32_700  # a peak at or above this means that the microphone's gain is too high


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


Event = Onset | End | Transcript | Aside


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
        self._endpointer = Endpointer(config.utterances, turn_detector if config.adaptive else None)
        self._wake, self._voice, self._mutes = WakeRule(config.wake), OwnVoice(), Windows()
        self._judge = Judge(
            self._wake,
            self._voice,
            config.least_confidence,
            config.surer_confidence,
            config.free,
            Fillers(config.fillers),
        )
        complete = turn_detector or (lambda text: Completeness.UNKNOWN)
        join_ns = round(config.join_s * NS) if config.free else 0
        self._joiner = Joiner(join_ns, complete)
        self._first = FirstPart(join_ns, complete, config.utterances.limit_s)
        self._asides = Asides(config.asr.language)
        self._doubt = Doubt()
        self._whole = isinstance(recognizer, BufferedUtterance)
        self._decoder = Decoder(
            recognizer.recognise
            if isinstance(recognizer, BufferedUtterance)
            else lambda samples: recognizer.finish()
        )
        # utterances that have ended, and their words to come
        self._waiting: deque[tuple[Said, Future[Recognition]]] = deque()
        # the utterance under way: recognised up to this time
        self._ahead: Future[Recognition] | None = None
        self._ahead_ns = self._asked_ns = 0
        self._ahead_after: End | None = None  # the part before it that was recognised with it
        self._hypothesis = ""
        self._clipped = False
        self._resampler: Resampler | None = None
        self._rest: NDArray[np.int16] = np.zeros(0, dtype=np.int16)  # less than a frame
        self._expected_ns: int | None = None  # stamp of the next sample, from the last stamp alone
        self._clock_ns = 0  # the same from all stamps, smoothed
        self._rest_ns = 0  # stamp of the first sample that is not in a frame yet
        self._partial = ""
        # speech that the recogniser has not been fed yet
        self._unfed: NDArray[np.int16] = np.zeros(0, dtype=np.int16)
        self._heard_ns = 0  # the time of its end

    @property
    def speaking(self) -> bool:
        """Whether an utterance is under way."""
        return self._endpointer.speaking

    def push(self, audio: Audio, echo: EchoState | None = None) -> list[Event]:
        """Process more sound, and return the events that it caused, in order.

        Args:
            audio: mono int16 samples (n,) of any rate and any length, with a stamp.
            echo: what the echo canceller knows of it; None: there is none.

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
            events += self._frame(self._rest[start : start + FRAME], self._rest_ns, echo)
            self._rest_ns += FRAME_NS
        self._rest = self._rest[whole:].copy()
        return events

    @property
    def holds(self) -> bool:
        """Whether words are still to come, of an utterance that has ended."""
        return bool(self._waiting) or self._joiner.holds

    def open(self, news: Callable[[], None] | None = None) -> None:
        """Recognise on a thread of its own, where the recogniser takes whole utterances.

        `news` is called on that thread when `poll` has something to return.
        """
        if self._whole:
            self._decoder.open(news)

    def settle(self, timeout_s: float) -> bool:
        """Wait until the recogniser has nothing to do, and return whether that is so.

        It is for tests and benchmarks, which feed sound faster than it was spoken. Call `poll` for
        the words.
        """
        asked = [future for _, future in self._waiting]
        if self._ahead is not None:
            asked.append(self._ahead)
        return not wait(asked, timeout_s).not_done

    def close(self) -> None:
        """End the thread. Utterances that wait are dropped."""
        self._decoder.close()
        self._waiting.clear()
        self._forget_ahead()

    def mute(self, until_ns: int | None = None, from_ns: int = 0) -> None:
        """The robot speaks: ignore the sound of [from_ns, until_ns + mute_tail_ms).

        With `until_ns=None` the sound is ignored until `unmute` is called.
        """
        tail_ns = self.config.mute_tail_ms * MS
        self._mutes.open(from_ns, FOREVER_NS if until_ns is None else until_ns + tail_ns)
        self._voice.windows.open(from_ns, FOREVER_NS if until_ns is None else until_ns)

    def listen_over_voice(self, from_ns: int = 0) -> None:
        """The robot speaks from `from_ns` on while its echo is cancelled: keep listening.

        What is left of the echo must not count as a user: the threshold of the onset is higher (see
        `EndpointConfig.onset_over_voice`).
        """
        self._voice.windows.open(from_ns)

    def unmute(self, at_ns: int) -> None:
        """The robot's voice ended at `at_ns`.

        The sound of the next `mute_tail_ms` is still ignored. This also calls `robot_spoke`.
        """
        self._mutes.close(at_ns + self.config.mute_tail_ms * MS)
        self._voice.windows.close(at_ns)
        self.robot_spoke(at_ns)

    def muted(self, stamp_ns: int) -> bool:
        """Whether the sound at this time [ns] is ignored."""
        return self._mutes.hold(stamp_ns)

    def robot_says(self, text: str) -> None:
        """The robot says `text`, or is about to. Its own words are no question."""
        self._voice.says(text)

    def robot_spoke(self, end_ns: int) -> None:
        """The robot's voice ended at `end_ns`.

        With `wake: after_silence`, no wake phrase is needed for some time after this.
        """
        self._wake.robot_spoke(end_ns)

    def finish(self) -> list[Event]:
        """No more sound will come (or the microphone was lost): end the utterance under way."""
        self._resampler, self._expected_ns = None, None
        self._rest = self._rest[:0]
        events = self._interrupted()
        self._first.forget()
        return events if self._waiting else events + self._told(self._joiner.release())

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

    def _frame(
        self, frame: NDArray[np.int16], stamp_ns: int, echo: EchoState | None
    ) -> list[Event]:
        self.counters.frames += 1
        if self.muted(stamp_ns):
            self.counters.muted += 1
            return self._interrupted()
        peak = max(int(frame.max()), -int(frame.min()))
        self.counters.clipped += peak >= CLIP_LSB
        self._endpointer.over_voice = self._voice.windows.hold(stamp_ns)
        probability = self._vad(frame, self._endpointer.speaking)
        self.counters.vad_frames = self._vad.asked
        if echo is not None and self._endpointer.over_voice and not self._endpointer.speaking:
            probability = self._doubt.voice(probability, echo)
        happened = self._endpointer.push(frame, probability, stamp_ns)
        if isinstance(happened, Onset):
            self.counters.utterances += 1
            self._partial = ""
            self._forget_ahead()
            self._asked_ns = happened.stamp_ns
            ended_ns = self._mutes.ended_ns(happened.stamp_ns)
            self._clipped = ended_ns is not None and happened.stamp_ns - ended_ns <= CLIPPED_NS
            self._recognizer.begin()
            # The onset is returned before any recognition: the robot's voice must stop at once.
            self._unfed, self._heard_ns = happened.audio.samples, stamp_ns + FRAME_NS
            return [happened]
        if isinstance(happened, End):
            return self._ended(happened)
        if self._whole:
            if self._endpointer.speaking:
                self._look_ahead(stamp_ns + FRAME_NS)
            return self.poll(stamp_ns)
        if self._endpointer.speaking and not self._endpointer.overlong:
            self._unfed, self._heard_ns = np.concatenate([self._unfed, frame]), stamp_ns + FRAME_NS
            return self._feed(CATCH_UP, self._endpointer.end_ns, stamp_ns)
        return []

    def _feed(self, frames: int, end_ns: int, stamp_ns: int) -> list[Event]:
        """Feed the recogniser at most `frames` of the frames that wait for it.

        They are fed one by one, because the recogniser holds the GIL during each call. Frames later
        than `TRAILING_NS` after the newest speech, which ended at `end_ns`, go on waiting.
        """
        partial = None
        silent = max(0, self._heard_ns - end_ns - TRAILING_NS) // FRAME_NS
        for _ in range(min(frames, len(self._unfed) // FRAME - silent)):
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

    def _look_ahead(self, now_ns: int) -> None:
        """Have the utterance so far recognised, at a pause or for a partial transcript."""
        if not self._decoder.ahead or self._endpointer.overlong:
            return
        end_ns, busy = self._endpointer.end_ns, self._ahead is not None and not self._ahead.done()
        pause = now_ns - end_ns >= self.config.ahead_ms * MS and self._ahead_ns != end_ns
        every_ns = round(self.config.partials_s * NS)
        partial = every_ns and not busy and end_ns - self._asked_ns >= every_ns
        if not pause and not partial:
            return
        if self._ahead is not None:
            self._ahead.cancel()
        self._endpointer.hear("")  # the words before this pause say nothing about its length
        first = self._first.before(self._endpointer.start_ns)
        self._ahead = self._decoder.submit(self._sound(first, self._endpointer.audio))
        self._ahead_after = first
        self._ahead_ns = self._asked_ns = end_ns

    def _sound(self, first: End | None, audio: Audio) -> NDArray[np.int16]:
        return audio.samples if first is None else self._first.with_rest(first, audio)

    def _forget_ahead(self) -> None:
        if self._ahead is not None:
            self._ahead.cancel()
        self._ahead, self._ahead_ns, self._hypothesis = None, 0, ""

    def poll(self, now_ns: int | None = None) -> list[Event]:
        """Return the transcripts that have become ready. `now_ns`: the time of the newest sound."""
        now_ns = self._rest_ns if now_ns is None else now_ns
        events = self._partials(now_ns)
        while self._waiting and self._waiting[0][1].done():
            said, future = self._waiting.popleft()
            events += self._judged(said, future)
        if not self._waiting and not self._endpointer.speaking:
            events += self._told(self._joiner.due(now_ns))
        return events

    def _partials(self, now_ns: int) -> list[Event]:
        """Take the words so far of the utterance under way, if they are new."""
        ahead = self._ahead
        if ahead is None or not ahead.done() or ahead.cancelled() or not self.speaking:
            return []
        heard, _ = _result(ahead)
        text = "" if heard.reason else heard.text
        if text == self._hypothesis:
            return []
        pause = self._ahead_ns == self._endpointer.end_ns
        partial = text if pause else agreed(self._hypothesis, text)
        self._hypothesis = text
        if pause:
            self._endpointer.hear(text)
        if not partial or partial == self._partial:
            return []
        self._partial = partial
        start_ns = self._endpointer.start_ns
        return [Transcript(TranscriptState.PARTIAL, partial, 1.0, start_ns, now_ns + FRAME_NS)]

    def _ended(self, end: End) -> list[Event]:
        first = self._first.before(end.start_ns) if self._whole and not end.rest else None
        said = Said(
            end,
            self._wake.required(end.start_ns),
            self._wake.conversing(end.start_ns),
            self._clipped,
            first=first,
        )
        self._clipped = False
        self._waiting.append((said, self._words(end, first)))
        live = [future for _, future in self._waiting if not future.cancelled()]
        if len(live) > WAITING:
            any(future.cancel() for future in live)  # the oldest that is not under way
        self._mutes.forget(end.end_ns - KEPT_NS)
        self._voice.windows.forget(end.end_ns - KEPT_NS)
        self._partial = ""
        return [end, *self.poll(end.end_ns)]

    def _words(self, end: End, first: End | None) -> Future[Recognition]:
        """Return the words of an utterance that has ended, or that are to come.

        `first`: the part before it, which is recognised with it.
        """
        if self._whole:
            ahead, same = self._ahead, self._ahead_ns == end.end_ns and self._ahead_after is first
            self._ahead = None
            if ahead is not None and same and not ahead.cancelled():
                return ahead  # nothing was said since: these are the words
            if ahead is not None:
                ahead.cancel()
            self._forget_ahead()
            # In the rest of talk nothing but the wake phrase is looked for.
            if not end.rest or self._wake.used:
                return self._decoder.submit(self._sound(first, end.audio))
        if not end.too_long:
            self._feed(len(self._unfed), end.end_ns, end.end_ns)
        self._unfed = self._unfed[:0]
        if not end.too_long:
            return self._decoder.submit(end.audio.samples)
        future: Future[Recognition] = Future()
        future.set_result(Recognition(self._partial, 0.0))
        return future

    def _judged(self, said: Said, future: Future[Recognition]) -> list[Event]:
        if self._joiner.continues(said.end.start_ns):
            said = replace(said, needed=False, rest=True)
        heard, failure = _result(future)
        transcript, end = self._judge.transcript(said, heard, failure), said.end
        if said.first is None or transcript.state is not TranscriptState.FINAL:
            ready = self._joiner.add(transcript, end.more)  # another voice goes on, or the same
        else:
            end = self._first.both(said.first, end)
            both = replace(transcript, start_ns=end.start_ns)
            ready = self._joiner.replace(both, end.more)
        if end.more:
            self._first.forget()
        elif transcript.state is TranscriptState.FINAL or not self._joiner.holds:
            self._first.remember(end, transcript, self._joiner.holds)
        events = self._told(ready)
        # Talk that the phrase is needed for is not for the robot, if it is not there.
        silent = said.end.more or (said.needed and transcript.reason != "not_understood")
        return events if silent else events + self._asides.about(transcript)

    def _told(self, transcripts: list[Transcript]) -> list[Event]:
        """Count the transcripts."""
        for transcript in transcripts:
            if transcript.state is TranscriptState.FINAL:
                self.counters.finals += 1
            else:
                reason = transcript.reason.partition(":")[0]
                self.counters.rejected[reason] = self.counters.rejected.get(reason, 0) + 1
        return list(transcripts)


def _result(future: Future[Recognition]) -> tuple[Recognition, str]:
    """Return the words, and the reason if there are none.

    A recogniser that fails costs its utterance; listening goes on.
    """
    if future.cancelled():
        return Recognition("", 0.0), "too many utterances wait for the recogniser"
    try:
        return future.result(), ""
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
