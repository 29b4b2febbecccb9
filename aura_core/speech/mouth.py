"""The queue in front of text to speech, called "mouth" in this package.

Answers go in. Sentences come out, in the order and at the time at which they may be spoken. It has
no threads and no clock: the caller passes the time.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field

from aura_core.plain import require
from aura_core.settings import Settings, setting
from aura_core.speech.normalise import for_speech
from aura_core.speech.sentences import CJK, SentenceSplitter
from aura_core.speech.types import NS
from aura_core.speech.unspoken import without_unspoken
from aura_core.types import Kind

_CHARS_PER_S = 14.0  # of English speech; estimates the length of a sound that is not made yet
_REMEMBERED = 256  # ids of ended answers that are kept


@dataclass(frozen=True)
class MouthConfig(Settings, section="mouth"):
    """When sentences are spoken, and which are dropped instead of being spoken late."""

    stale_after_s: float = setting(
        5.0,
        "words that could not be said for this long are dropped",
        unit="s",
        low=0.5,
        high=600.0,
    )
    pause_s: float = setting(
        0.3,
        "how long the user must have been silent before an unasked answer begins",
        unit="s",
        low=0.0,
        parameter=None,
    )
    max_sentences: int = setting(
        16,
        "most sentences that wait; of an answer that does not fit, the rest is dropped",
        low=1,
        high=1000,
        parameter="max_queue",
    )
    max_chars: int = setting(
        200, "longest sentence; see SentenceSplitter", unit="characters", low=20, parameter=None
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.pause_s < self.stale_after_s, "mouth: 0 <= pause_s < stale_after_s is needed")


@dataclass(frozen=True)
class Sentence:
    """One sentence to synthesise.

    `tag` identifies its samples in playback, and is never used twice.
    """

    tag: int
    answer_id: str
    text: str  # as the assistant wrote it
    speech: str  # as the synthesizer gets it, never empty
    urgent: bool
    stamp_ns: int  # when it became complete


@dataclass(frozen=True)
class Said:
    """What was heard of an answer. `complete` is set if that is all of it."""

    id: str
    text: str
    complete: bool


@dataclass
class MouthCounters:
    """Counts since the start. All count sentences, except `answers` and `interruptions`."""

    answers: int = 0
    said: int = 0
    stale: int = 0  # waited too long
    overflow: int = 0  # did not fit
    failed: int = 0  # the synthesizer or the loudspeaker did not manage
    interrupted: int = 0  # dropped or cut short by an interruption
    interruptions: int = 0


@dataclass
class _Answer:
    id: str
    splitter: SentenceSplitter
    touched_ns: int  # when its text last grew, or a sentence of it was last reported
    resumed_ns: int = 0  # when its next sentence could begin: the end of the sentence before
    unasked: bool = True  # until its kind says that a user asked
    urgent: bool = False
    final: bool = False
    cut: bool = False  # a sentence was dropped: the rest is not spoken either
    missing: bool = False  # a sentence failed: the rest is spoken all the same
    waiting: list[Sentence] = field(default_factory=list)
    sounding: dict[int, Sentence] = field(default_factory=dict)  # handed out, not reported yet
    # by tag of `sounding`: length of the sound, where it is known
    made_ns: dict[int, int] = field(default_factory=dict)
    said: list[str] = field(default_factory=list)

    @property
    def begun(self) -> bool:
        return bool(self.said or self.sounding)

    @property
    def over(self) -> bool:
        return (self.final or self.cut) and not self.waiting and not self.sounding


class Mouth:
    """Orders the sentences of several answers that grow at the same time.

    `response` adds text, `next` hands out one sentence at a time, and `spoken` or `failed` reports
    what became of it.
    """

    def __init__(self, config: MouthConfig | None = None) -> None:
        self.config = config or MouthConfig()
        self.counters = MouthCounters()
        # the answers that are not over, in the order of arrival
        self._answers: OrderedDict[str, _Answer] = OrderedDict()
        # ids of answers that are over, and whether their final text has come
        self._over: OrderedDict[str, bool] = OrderedDict()
        self._tags = 0
        self._ended: list[Said] = []
        self._user_spoke_ns: int | None = None

    def response(
        self, id: str, text: str, final: bool, kind: str = "", urgent: bool = False, *, now_ns: int
    ) -> None:
        """Take the whole text of an answer so far.

        Args:
            id: the answer.
            final: no more text follows.
            kind: a `types.Kind`, or "" while it is not known: then the answer is treated as
                unasked.
            now_ns: the time in nanoseconds.

        Sentences that were handed out are not changed: if the text before them changes, speaking
        continues at the same position of the new text. Text of an answer that is over (interrupted
        or dropped) is ignored up to and including its final text. After that the same id means
        another answer, because a bag that is played in a loop repeats its ids.
        """
        if not self._over.get(id, True):
            self._over[id] = final
            return
        self._over.pop(id, None)
        answer = self._answers.get(id)
        if answer is None:
            answer = _Answer(id, SentenceSplitter(self.config.max_chars), now_ns)
            self._answers[id] = answer
            self.counters.answers += 1
        answer.unasked = kind != Kind.REAL_TIME if kind else answer.unasked
        answer.urgent = answer.urgent or urgent
        answer.touched_ns = now_ns
        answer.final = answer.final or final
        for sentence in answer.splitter.feed(without_unspoken(text), final):
            speech = for_speech(sentence)
            if not speech:
                continue  # nothing to speak: an emoji, or a line between paragraphs
            if answer.cut or not self._room_for(answer):
                answer.cut = True
                self.counters.overflow += 1
                continue
            self._tags += 1
            answer.waiting.append(Sentence(self._tags, id, sentence, speech, answer.urgent, now_ns))
        self._settle(answer)

    def next(self, now_ns: int, user_speaking: bool = False) -> Sentence | None:
        """Return the sentence to synthesise now, or None if there is none.

        This drops stale sentences. Urgent answers come first, then the answer that was begun, then
        the others in the order of arrival. An unasked answer that is not urgent waits until the
        user has paused. Call this when the sound of the sentence before is nearly over: a sentence
        that was handed out is not dropped as stale any more.
        """
        if user_speaking:
            self._user_spoke_ns = now_ns
        self._drop_stale(now_ns)
        paused = self._user_spoke_ns is None or (
            not user_speaking and now_ns - self._user_spoke_ns >= self.config.pause_s * NS
        )
        ready = [a for a in self._answers.values() if a.urgent or paused or not a.unasked]
        # While the next sentence of a begun answer is still being written, no other answer starts.
        ready = [a for a in ready if a.waiting or (a.begun and not a.final)]
        if not ready:
            return None
        answer = min(ready, key=lambda a: (not a.urgent, not a.begun))  # the first of equals
        if not answer.waiting:
            return None
        sentence = answer.waiting.pop(0)
        answer.sounding[sentence.tag] = sentence
        return sentence

    def made(self, tag: int, duration_ns: int) -> None:
        """The whole sound of a sentence has been made. `interrupted` needs its length."""
        for answer in self._answers.values():
            if tag in answer.sounding:
                answer.made_ns[tag] = duration_ns

    def spoken(self, tag: int, now_ns: int) -> None:
        """A sentence was played to its end."""
        self._report(tag, now_ns, failed=False)

    def failed(self, tag: int, now_ns: int) -> None:
        """A sentence could not be made or played. Its answer continues with the next one."""
        self._report(tag, now_ns, failed=True)

    def ended(self) -> list[Said]:
        """Return what was heard of each answer that ended since the last call.

        Interrupted answers are not among them: see `interrupted`.
        """
        ended, self._ended = self._ended, []
        return ended

    def interrupted(self, played_ns: Mapping[int, int]) -> list[Said]:
        """Stop everything, and return what was heard of each answer that was not over.

        The answers are in the order of arrival.

        Args:
            played_ns: by tag, how much of the sentence's sound was played, in nanoseconds.

        For a sentence that was cut short, the heard words are estimated from the share of its sound
        that was played. Only whole words count.
        """
        self.counters.interruptions += 1
        answers = []
        for answer in list(self._answers.values()):
            for tag, sentence in answer.sounding.items():
                words = self._words_heard(answer, sentence, played_ns.get(tag, 0))
                if words:
                    answer.said.append(words)
                if words == sentence.text:
                    self.counters.said += 1
                else:
                    answer.cut = True
                    self.counters.interrupted += 1
            self.counters.interrupted += len(answer.waiting)
            complete = answer.final and not (answer.cut or answer.missing or answer.waiting)
            answers.append(Said(answer.id, _joined(answer.said), complete))
            self._forget(answer)
        return answers

    @property
    def waiting(self) -> int:
        """Number of sentences that are complete and not handed out."""
        return sum(len(a.waiting) for a in self._answers.values())

    @property
    def busy(self) -> bool:
        """Whether a sentence sounds or waits."""
        return any(a.waiting or a.sounding for a in self._answers.values())

    def _report(self, tag: int, now_ns: int, failed: bool) -> None:
        answer = next((a for a in self._answers.values() if tag in a.sounding), None)
        if answer is None:
            return  # interrupted meanwhile
        sentence = answer.sounding.pop(tag)
        answer.made_ns.pop(tag, None)
        answer.touched_ns = answer.resumed_ns = now_ns
        if failed:
            answer.missing = True
            self.counters.failed += 1
        else:
            answer.said.append(sentence.text)
            self.counters.said += 1
        self._settle(answer)

    def _drop_stale(self, now_ns: int) -> None:
        """Drop sentences that waited too long, with the rest of their answer.

        An answer without its beginning would mislead. While an answer sounds, its next sentences
        are not late: they wait for their turn.
        """
        limit_ns = int(self.config.stale_after_s * NS)
        for answer in list(self._answers.values()):
            if answer.sounding:
                continue
            since = (
                max(answer.waiting[0].stamp_ns, answer.resumed_ns)
                if answer.waiting
                else answer.touched_ns
            )
            if now_ns - since > limit_ns:
                self.counters.stale += len(answer.waiting)
                answer.waiting.clear()
                answer.cut = True
                self._settle(answer)

    def _room_for(self, answer: _Answer) -> bool:
        """Whether one more sentence of this answer fits.

        For an urgent answer, the newest sentence that is not urgent is dropped to make room.
        """
        if self.waiting < self.config.max_sentences:
            return True
        victims = [a for a in self._answers.values() if a.waiting and not a.urgent]
        if not answer.urgent or not victims:
            return False
        victims[-1].waiting.pop()
        victims[-1].cut = True
        self.counters.overflow += 1
        self._settle(victims[-1])
        return True

    def _words_heard(self, answer: _Answer, sentence: Sentence, played_ns: int) -> str:
        """Return the words of a sentence that were heard after `played_ns` of playback.

        That is the whole text if all of the sound was played.
        """
        total_ns = answer.made_ns.get(sentence.tag)
        if total_ns is not None and played_ns >= total_ns:
            return sentence.text
        if total_ns is None:
            total_ns = max(int(len(sentence.speech) / _CHARS_PER_S * NS), played_ns + 1)
        heard = len(sentence.text) * played_ns / total_ns
        ends = [m.end() for m in re.finditer(rf"[{CJK}]|[^\s{CJK}]+", sentence.text)]
        return sentence.text[: max((end for end in ends[:-1] if end <= heard), default=0)]

    def _settle(self, answer: _Answer) -> None:
        if answer.over:
            self._ended.append(
                Said(
                    answer.id,
                    _joined(answer.said),
                    answer.final and not answer.cut and not answer.missing,
                )
            )
            self._forget(answer)

    def _forget(self, answer: _Answer) -> None:
        if self._answers.pop(answer.id, None) is not None:
            self._over[answer.id] = answer.final
            while len(self._over) > _REMEMBERED:
                self._over.popitem(last=False)


def _joined(sentences: list[str]) -> str:
    """Join sentences to one text, without a space after Chinese."""
    text = ""
    for sentence in sentences:
        text += (
            "" if not text or re.search(rf"[{CJK}。！？；，、：”」]$", text) else " "
        ) + sentence
    return text
