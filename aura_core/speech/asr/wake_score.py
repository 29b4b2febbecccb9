"""The wake phrase, judged by what a whisper model finds likely, and not by what it writes.

What whisper writes for a rare phrase depends on the voice: "Hey Aura" becomes "They are", "Hey
Ora", "Hey, or". With the phrase as prompt it becomes "Hey Aura", and so does "Hey Laura". So
the model is asked how likely the phrase is as the beginning of the utterance, while rivals that
sound alike stand in the prompt too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from aura_core.speech.asr.base import Recognition
from aura_core.speech.asr.encoded import Encoded
from aura_core.speech.asr.whisper_options import Segment, judged
from aura_core.speech.wake import WakeConfig, WakeRule
from aura_core.words import spoken_words

# Beginnings of a sentence that sound like a phrase: "Hey Laura" like "Hey Aura". `first` is the
# phrase's first word, `rest` are the others; of one word, `first` is empty. Their number and order
# were chosen on synthetic voices.
RIVALS = (
    "They are",
    "The {rest}",
    "Here are",
    "{first} Laura",
    "An {rest}",
    "{first} Zara",
    "{first} Ada",
    "{first} order",
    "{first} Dora",
    "{first}",
    "{first} Cora",
    "Her {rest}",
    "{first} all",
    "{first} Audrey",
    "{first} order a",
    "{first} Nora",
    "{first} Aurora",
    "{first} Maura",
)

RATIO_WEIGHT = 0.5


class Scorer(Protocol):
    """What is asked of a whisper model: see `EncodedUtterance`."""

    def words(
        self, encoded: Encoded, language: str, prompt: str | None = None, prefix: str = ""
    ) -> Segment: ...

    def likelihoods(
        self, encoded: Encoded, language: str, prompt: str, texts: Sequence[Sequence[str]]
    ) -> list[list[float]]: ...


class WakeScore:
    """Says of each utterance whether the wake phrase is in it.

    The score of the phrase w_1 ... w_n is the first of two parts, and half of the second. Each part
    is at most 0.

    1. The likelihood of the phrase among its rivals, which is the mean over two prompts P of

           log p(w_1 ... w_n | sound, P) = sum_i log p(w_i | sound, P, w_1 ... w_i-1)

       One prompt is the rivals and then the phrase, the other one has the rivals in reverse order.
       A sound that fits a rival better takes the probability away from the phrase. With the phrase
       alone as prompt, names that rhyme with it do not.
    2. The likelihood ratio of the whole utterance: with the phrase and the likeliest words after
       it, over the likeliest words of all. "Order a pizza" begins like "Aura, a pizza", and the
       words that follow tell the two apart. It counts half (`RATIO_WEIGHT`), because the likelihood
       of the phrase is in both parts. Half separated best on synthetic voices.

    The utterance begins with the phrase if the score is at least `WakeConfig.least_score`.
    """

    def __init__(self, scorer: Scorer, wake: WakeConfig) -> None:
        self._scorer, self._wake, self._rule = scorer, wake, WakeRule(wake)
        self._parts = parts(wake.written)
        known = rivals(wake.written, wake.similar)
        self.prompts = tuple(
            " ".join(f"{words}." for words in (*order, wake.written))
            for order in dict.fromkeys((known, known[::-1]))
        )

    def __call__(self, encoded: Encoded, heard: Recognition) -> Recognition:
        """Return what was heard, with the phrase in its usual spelling where it was said.

        Where it was written and not said, the words are those that the model writes without a
        prompt.
        """
        if heard.reason == "language" or not spoken_words(heard.text):
            return heard
        language = heard.language or "en"
        before, written, rest = self._rule.around_phrase(heard.text)
        if self._rule.without_phrase(before) == (True, ""):
            before = ""  # it is there twice
        if not self._said(encoded, language, before, written):
            text = self._scorer.words(encoded, language, prompt="").text if written else heard.text
            return replace(heard, text=text.strip(), called=False)
        if not written:
            found = judged(
                [self._scorer.words(encoded, language, prefix=f" {self._wake.written}.")]
            )
            rest = self._rule.after_phrase(found.text)[1]
            if not found.reason:  # the words are clearer after the phrase that stands before them
                confidence = max(heard.confidence, found.confidence)
                heard = replace(heard, reason="", confidence=confidence)
        text = f"{before} {self._wake.written}. {rest.strip()}"
        return replace(heard, text=text.strip(), called=True)

    def _said(self, encoded: Encoded, language: str, before: str, written: bool) -> bool:
        """Whether the phrase was said after the words `before`.

        Where it is written, there are no likelier words.
        """
        least = self._wake.least_score
        score = self.among_rivals(encoded, language, before)
        if score >= least and not written:
            score += RATIO_WEIGHT * self.ratio(encoded, language, before)
        return score >= least

    def among_rivals(self, encoded: Encoded, language: str, before: str = "") -> float:
        """Return the first part of the score of the phrase after the words `before`.

        Where the first prompt rules the phrase out, the second one is not asked.
        """
        text = self._text(before)
        total, least = 0.0, self._wake.least_score * len(self.prompts)
        for prompt in self.prompts:
            (found,) = self._scorer.likelihoods(encoded, language, prompt, [text])
            total += sum(found[-len(self._parts) :])
            if total < least:
                break
        return total / len(self.prompts)

    def ratio(self, encoded: Encoded, language: str, before: str = "") -> float:
        """Return the second part of the score: the logarithm of the ratio, at most 0."""
        prompt, text = f"{self._wake.written}.", self._text(before)
        likeliest = self._scorer.words(encoded, language, prompt)
        rest = self._scorer.words(encoded, language, prompt, "".join(text))
        (found,) = self._scorer.likelihoods(encoded, language, prompt, [text])
        return min(0.0, sum(found) + rest.total - likeliest.total)

    def _text(self, before: str) -> list[str]:
        return [f" {before}", *self._parts] if before else self._parts


def rivals(phrase: str, similar: Sequence[str]) -> tuple[str, ...]:
    """Return what sounds like `phrase` and is not it, with the user's own list `similar`.

    For scripts other than Latin there is only that list.
    """
    if not phrase.isascii():
        return tuple(similar)
    first, rest = phrase.split(" ", 1) if " " in phrase else ("", phrase)
    found = (form.format(first=first, rest=rest.lower()).strip() for form in RIVALS)
    return tuple(r for r in (*found, *similar) if r and r.lower() != phrase.lower())


def parts(phrase: str) -> list[str]:
    """Return the words of the phrase as whisper writes them: with a blank before each.

    Scripts without blanks have none.
    """
    return [f" {word}" for word in phrase.split()] if phrase.isascii() else [phrase]
