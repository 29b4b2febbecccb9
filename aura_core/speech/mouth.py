"""The queue in front of text to speech, called "mouth" in this package.

Answers go in. Sentences come out, in the order and at the time at which they may be spoken. It has
no threads and no clock: the caller passes the time.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import replace
from math import inf

from aura_core.speech.burst import Waiting, summed_up
from aura_core.speech.language import language_of
from aura_core.speech.mouth_answer import Answer, joined
from aura_core.speech.mouth_types import SAY, MouthConfig, MouthCounters, Said, Sentence
from aura_core.speech.normalise import for_speech
from aura_core.speech.numerals import chinese_number, number_words
from aura_core.speech.sentences import CJK, SentenceSplitter
from aura_core.speech.types import NS
from aura_core.speech.unspoken import without_unspoken
from aura_core.types import Kind

_ENOUGH = 0.7  # an alert that was interrupted after this share of a sentence is not said again
_LONG_PAUSE_S = 2.0  # longest pause that an alert waits for after interruptions
_REMEMBERED = 256  # ids of ended answers that are kept


class Mouth:
    """Orders the sentences of several answers that grow at the same time.

    `response` adds text, `next` hands out one sentence at a time, and `spoken` or `failed` reports
    what became of it.
    """

    def __init__(self, config: MouthConfig | None = None) -> None:
        self.config = config or MouthConfig()
        self.counters = MouthCounters()
        # the answers that are not over, in the order of arrival
        self._answers: OrderedDict[str, Answer] = OrderedDict()
        # ids of answers that are over, and whether their final text has come
        self._over: OrderedDict[str, bool] = OrderedDict()
        self._tags = 0
        self._ended: list[Said] = []
        self._user_spoke_ns: int | None = None
        self._free_ns = 0  # when the last sentence that sounded had ended
        self._introduced = False  # "While you talked" was said since the user spoke

    def response(
        self,
        id: str,
        text: str,
        final: bool,
        kind: str = "",
        urgent: bool = False,
        language: str = "",
        watch: str = "",
        *,
        now_ns: int,
    ) -> None:
        """Take the whole text of an answer so far.

        Args:
            id: the answer.
            final: no more text follows.
            kind: a `types.Kind`, or "" while it is not known: then the answer is treated as
                unasked. `SAY`: words of another node, which wait as an alert does.
            language: code of the language; "": that of the script of each sentence.
            watch: id of the question or watch, where it is known.
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
            answer = Answer(id, SentenceSplitter(self.config.max_chars), now_ns)
            self._answers[id] = answer
            self.counters.answers += 1
        answer.kind = kind or answer.kind
        answer.language = language
        answer.watch = watch or answer.watch
        answer.unasked = kind != Kind.REAL_TIME if kind else answer.unasked
        answer.urgent = answer.urgent or urgent
        answer.touched_ns = now_ns
        answer.final = answer.final or final
        shown = without_unspoken(text)
        for sentence in answer.splitter.feed(shown, final):
            speech = for_speech(sentence, shown)
            if not speech:
                continue  # nothing to speak: an emoji, or a line between paragraphs
            if answer.cut or not self._room_for(answer):
                answer.cut = True
                self.counters.overflow += 1
                continue
            self._tags += 1
            answer.waiting.append(
                Sentence(
                    self._tags,
                    id,
                    sentence,
                    speech,
                    answer.urgent,
                    now_ns,
                    language or language_of(sentence, shown),  # "14:05" has that of its answer
                    place=self._tags,
                )
            )
        if not self._merged(answer):
            self._settle(answer)

    def _merged(self, answer: Answer) -> bool:
        """Let an alert whose words wait already be said with them. Returns whether it was."""
        if not (answer.final and answer.alert and answer.waiting) or answer.begun or answer.cut:
            return False
        if answer.kind == SAY:
            return False
        words = [s.text for s in answer.waiting]
        for other in self._answers.values():
            whole = other.final and other.alert and not other.begun and not other.cut
            whole = whole and other.kind != SAY and not other.summed
            if other is answer or not whole or [s.text for s in other.waiting] != words:
                continue
            other.also.append(answer.id)
            other.urgent = other.urgent or answer.urgent
            self.counters.merged += len(words)
            self._forget(answer)
            return True
        return False

    def next(self, now_ns: int, user_speaking: bool = False) -> Sentence | None:
        """Return the sentence to synthesise now, or None if there is none.

        This drops stale sentences. Urgent answers come first, then the answer that was begun, then
        answers to questions, then alerts, in the order of arrival. An alert that is not urgent
        waits until the user has paused. Call this when the sound of the sentence before is nearly
        over: a sentence that was handed out is not dropped as stale any more.
        """
        if user_speaking:
            self._user_spoke_ns = now_ns
            self._introduced = False
        self._drop_stale(now_ns)
        silent_s = inf if self._user_spoke_ns is None else (now_ns - self._user_spoke_ns) / NS
        silent_s = 0.0 if user_speaking else silent_s
        ready = [
            a
            for a in self._answers.values()
            if a.urgent or not a.unasked or silent_s >= self._pause_s(a)
        ]
        for answer in self._answers.values():
            held = answer.alert and not answer.urgent and silent_s < self.config.pause_s
            answer.held = answer.held or held
        if (carrier := self._sum_up(ready)) is not None:
            ready = [a for a in ready if a.id in self._answers or a is carrier]
        # While the next sentence of a begun answer is still being written, no other answer starts.
        ready = [a for a in ready if a.waiting or (a.begun and not a.final)]
        if not ready:
            return None
        # the first of equals
        answer = min(ready, key=lambda a: (not a.urgent, not a.begun, a.unasked))
        if not answer.waiting:
            return None
        sentence = self._introduce(answer, answer.waiting.pop(0), now_ns)
        answer.sounding[sentence.tag] = sentence
        return sentence

    def _sum_up(self, ready: list[Answer]) -> Answer | None:
        """Where more alerts wait than a user wants to hear one by one, let the newest tell of all.

        Returns it, if there are so many.
        """
        waiting = [
            a
            for a in ready
            if a.held
            and a.final
            and a.alert
            and a.waiting
            and not (a.urgent or a.begun or a.cut or a.summed or a.kind == SAY)
        ]
        if len(waiting) <= self.config.burst:
            return None
        summary = summed_up(
            [
                Waiting(a.id, a.watch, tuple(s.text for s in a.waiting), 1 + len(a.also))
                for a in waiting
            ]
        )
        carrier, stamp_ns = waiting[-1], waiting[-1].waiting[0].stamp_ns
        for answer in waiting:
            words = summary.words[answer.id]
            carrier.summed |= dict.fromkeys((answer.id, *answer.also), words)
            self.counters.counted += len(answer.waiting) if not words else 0
            if answer is not carrier:
                self._forget(answer)
        carrier.also.clear()
        carrier.waiting.clear()
        for text in summary.sentences:
            self._tags += 1
            carrier.waiting.append(
                Sentence(
                    self._tags,
                    carrier.id,
                    text,
                    for_speech(text),
                    False,
                    stamp_ns,
                    carrier.language,
                    place=self._tags,
                )
            )
        return carrier

    def _pause_s(self, answer: Answer) -> float:
        """How long the user must have been silent. Who was interrupted waits for a longer pause."""
        return min(self.config.pause_s * 3**answer.repeats, max(self.config.pause_s, _LONG_PAUSE_S))

    def _introduce(self, answer: Answer, sentence: Sentence, now_ns: int) -> Sentence:
        """Say before an alert that it comes late, and how often it came."""
        if answer.begun or not answer.alert or answer.kind == SAY:
            return sentence
        chinese = re.search(rf"[{CJK}]", sentence.text) is not None
        late = answer.held and now_ns - sentence.stamp_ns > self.config.late_after_s * NS
        late = late or bool(answer.summed)
        lead = ""
        if late and not self._introduced:
            self._introduced = True
            lead = "你说话的时候：" if chinese else "While you talked: "
        if times := len(answer.also):
            if chinese:
                lead += f"{'两' if times == 1 else chinese_number(str(times + 1))}次："
            else:
                lead += "twice: " if times == 1 else f"{number_words(times + 1)} times: "
        return replace(sentence, lead=lead, speech=lead + sentence.speech)

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

    def overruled(self) -> list[int]:
        """The tags of sentences that sound and are to be stopped now.

        They are those that are not urgent while an urgent one waits, and those of an answer that
        was cancelled. `stopped` tells what became of them.
        """
        urgent = any(a.urgent and a.waiting for a in self._answers.values())
        return [
            tag
            for a in self._answers.values()
            if a.cancelled or (urgent and not a.urgent)
            for tag in a.sounding
        ]

    def stopped(self, tag: int, played_ns: int, now_ns: int) -> None:
        """A sentence was stopped because of `overruled`, after `played_ns` of its sound.

        It is said again after the urgent ones; of an answer that was cancelled, the words that were
        heard count.
        """
        answer = next((a for a in self._answers.values() if tag in a.sounding), None)
        if answer is None:
            return  # interrupted meanwhile
        sentence = answer.sounding[tag]
        words = answer.words_heard(sentence, played_ns)
        if words == sentence.text:
            self._report(tag, now_ns, failed=False)
            return
        del answer.sounding[tag]
        answer.made_ns.pop(tag, None)
        answer.touched_ns = answer.resumed_ns = self._free_ns = now_ns
        if answer.cut:
            self.counters.interrupted += 1
            answer.said += [words] if words else []
        else:
            self.counters.preempted += 1
            self._tags += 1
            earlier = sum(s.place < sentence.place for s in answer.waiting)
            answer.waiting.insert(earlier, self._plainly(sentence))
        self._settle(answer)

    def ended(self) -> list[Said]:
        """Return what was heard of each answer that ended since the last call.

        Interrupted answers are not among them: see `interrupted`.
        """
        ended, self._ended = self._ended, []
        return ended

    def interrupted(self, played_ns: Mapping[int, int]) -> list[Said]:
        """Stop everything, and return what was heard of each answer that is over with it.

        The answers are in the order of arrival. Alerts stay: those that were not begun wait for the
        next pause, and one that was cut short says that sentence again in a longer one.

        Args:
            played_ns: by tag, how much of the sentence's sound was played, in nanoseconds.

        For a sentence that was cut short, the heard words are estimated from the share of its sound
        that was played. Only whole words count.
        """
        self.counters.interruptions += 1
        answers: list[Said] = []
        for answer in list(self._answers.values()):
            again: list[Sentence] = []
            for tag, sentence in answer.sounding.items():
                words = answer.words_heard(sentence, played_ns.get(tag, 0))
                if words == sentence.text:
                    self.counters.said += 1
                elif answer.repeatable and len(words) < _ENOUGH * len(sentence.text):
                    self._tags += 1
                    again.append(self._plainly(sentence))
                    continue
                else:
                    answer.cut = True
                    self.counters.interrupted += 1
                if words:
                    answer.said.append(words)
            kept = answer.alert if not answer.begun else answer.repeatable
            if kept and not answer.cut and (again or answer.waiting or not answer.final):
                answer.repeats += bool(again)
                self.counters.repeated += len(again)
                answer.waiting[:0] = again
                answer.sounding.clear()
                continue
            self.counters.interrupted += len(answer.waiting)
            complete = answer.final and not (answer.cut or answer.missing or answer.waiting)
            answers += answer.heard(complete)
            self._forget(answer)
        return answers

    def _plainly(self, sentence: Sentence) -> Sentence:
        """The sentence to say it again, without what introduced it."""
        speech = sentence.speech.removeprefix(sentence.lead)
        return replace(sentence, tag=self._tags, speech=speech, lead="")

    def cancel(self, id: str) -> bool:
        """Say no more of an answer. What sounds of it is to be stopped, see `overruled`.

        Returns False where no answer that is not over has this id.
        """
        answer = self._answers.get(id)
        if answer is None:
            return False
        answer.waiting.clear()
        answer.cut = answer.cancelled = True
        self._settle(answer)
        return True

    def said_of(self, id: str, tag: int = 0, played_ns: int = 0) -> str:
        """The words that were heard so far of an answer that is not over.

        Whole sentences, and the words of the sentence `tag` of which `played_ns` was played.
        """
        answer = self._answers.get(id)
        if answer is None:
            return ""
        sentence = answer.sounding.get(tag)
        words = answer.words_heard(sentence, played_ns) if sentence else ""
        return joined([*answer.said, *([words] if words else [])])

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
        if not any(a.sounding for a in self._answers.values()):
            self._free_ns = now_ns
        if failed:
            answer.missing = True
            self.counters.failed += 1
        else:
            answer.said.append(sentence.text)
            self.counters.said += 1
        self._settle(answer)

    def _drop_stale(self, now_ns: int) -> None:
        """Drop sentences that waited too long, with the rest of their answer.

        An answer without its beginning would mislead. While anything sounds, sentences are not
        late: they wait for their turn.
        """
        if any(a.sounding for a in self._answers.values()):
            return
        for answer in list(self._answers.values()):
            if answer.waiting:
                limit_s = self._time_to_live_s(answer)
                since = max(answer.waiting[0].stamp_ns, answer.resumed_ns, self._free_ns)
            else:
                limit_s, since = self.config.stale_after_s, answer.touched_ns
            if now_ns - since > limit_s * NS:
                self.counters.stale += len(answer.waiting)
                answer.waiting.clear()
                answer.cut = True
                self._settle(answer)

    def _time_to_live_s(self, answer: Answer) -> float:
        if answer.urgent:
            return self.config.urgent_ttl_s
        return self.config.alert_ttl_s if answer.alert else self.config.stale_after_s

    def _room_for(self, answer: Answer) -> bool:
        """Whether one more sentence of this answer fits.

        For an urgent answer, and for the first sentence of an alert, a sentence that is not urgent
        is dropped to make room: the last one of an answer of which more is or was said. For an
        urgent answer it may be the only one.
        """
        if self.waiting < self.config.max_sentences:
            return True
        victims: list[Answer] = []
        if answer.urgent or (answer.alert and not answer.waiting and not answer.begun):
            waiting = [a for a in self._answers.values() if a.waiting and not a.urgent]
            victims = [a for a in waiting if a.begun or len(a.waiting) > 1]
            victims = victims or (waiting if answer.urgent else [])
        if not victims:
            return False
        victims[-1].waiting.pop()
        victims[-1].cut = True
        self.counters.overflow += 1
        self._settle(victims[-1])
        return True

    def _settle(self, answer: Answer) -> None:
        if answer.over:
            whole = answer.final and not answer.cut and not answer.missing
            self._ended += answer.heard(whole)
            self._forget(answer)

    def _forget(self, answer: Answer) -> None:
        if self._answers.pop(answer.id, None) is not None:
            self._over[answer.id] = answer.final
            while len(self._over) > _REMEMBERED:
                self._over.popitem(last=False)
