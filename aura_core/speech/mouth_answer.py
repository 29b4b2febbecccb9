"""An answer in the queue of the mouth, and what was heard of it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from aura_core.speech.mouth_types import COUNTED, SAY, Said, Sentence
from aura_core.speech.sentences import CJK, SentenceSplitter
from aura_core.speech.types import NS

_CHARS_PER_S = 14.0  # of English speech; estimates the length of a sound that is not made yet


@dataclass
class Answer:
    """An answer that is not over: what waits of it, what sounds, and what was heard."""

    id: str
    splitter: SentenceSplitter
    touched_ns: int  # when its text last grew, or a sentence of it was last reported
    resumed_ns: int = 0  # when its next sentence could begin: the end of the sentence before
    unasked: bool = True  # until its kind says that a user asked
    urgent: bool = False
    final: bool = False
    cut: bool = False  # a sentence was dropped: the rest is not spoken either
    cancelled: bool = False  # nobody wants to hear it any more
    missing: bool = False  # a sentence failed: the rest is spoken all the same
    kind: str = ""
    language: str = ""
    held: bool = False  # it had to wait while the user talked
    repeats: int = 0
    also: list[str] = field(default_factory=list)  # other alerts with the same words
    watch: str = ""  # id of the watch that it answers
    summed: dict[str, str] = field(default_factory=dict)  # alerts that it sums up: words by id
    waiting: list[Sentence] = field(default_factory=list)
    sounding: dict[int, Sentence] = field(default_factory=dict)  # handed out, not reported yet
    # by tag of `sounding`: length of the sound, where it is known
    made_ns: dict[int, int] = field(default_factory=dict)
    said: list[str] = field(default_factory=list)

    @property
    def begun(self) -> bool:
        return bool(self.said or self.sounding)

    @property
    def alert(self) -> bool:
        """Whether nobody asked for it just now. While an unasked answer grows it has no kind."""
        return self.unasked and (bool(self.kind) or not self.final)

    @property
    def repeatable(self) -> bool:
        """Whether it goes on after an interruption. What another node says is over then."""
        return self.alert and self.kind != SAY

    @property
    def over(self) -> bool:
        return (self.final or self.cut) and not self.waiting and not self.sounding

    def words_heard(self, sentence: Sentence, played_ns: int) -> str:
        """Return the words of a sentence that were heard after `played_ns` of playback.

        That is the whole text if all of the sound was played.
        """
        before, total_ns = len(sentence.lead), self.made_ns.get(sentence.tag)
        if total_ns is not None and played_ns >= total_ns:
            return sentence.text
        if total_ns is None:
            total_ns = max(int(len(sentence.speech) / _CHARS_PER_S * NS), played_ns + 1)
        heard = (before + len(sentence.text)) * played_ns / total_ns - before
        ends = [m.end() for m in re.finditer(rf"[{CJK}]|[^\s{CJK}]+", sentence.text)]
        return sentence.text[: max((end for end in ends[:-1] if end <= heard), default=0)]

    def heard(self, complete: bool) -> list[Said]:
        """What was heard of an answer, and of the alerts that were said with it."""
        text = joined(self.said)
        if self.summed:
            return [_heard_of(id, words, text) for id, words in self.summed.items()]
        return [Said(id, text, complete) for id in (self.id, *self.also)]


def _heard_of(id: str, words: str, text: str) -> Said:
    """What was heard of an alert that was summed up, where `text` was heard of the summary."""
    if not text:
        return Said(id, "", False)  # its turn never came
    if words and words in text:
        return Said(id, words, True)
    return Said(id, "", False, COUNTED)


def joined(sentences: list[str]) -> str:
    """Join sentences to one text, without a space after Chinese."""
    text = ""
    for sentence in sentences:
        text += (
            "" if not text or re.search(rf"[{CJK}。！？；，、：”」]$", text) else " "
        ) + sentence
    return text
