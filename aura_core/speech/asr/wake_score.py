"""The wake phrase, judged by what a whisper model finds likely, and not by what it writes.

What whisper writes for a rare phrase depends on the voice: "Hey Aura" becomes "They are", "Hey
Ora", "Hey, or". With the phrase as prompt it becomes "Hey Aura", and so does "Hey Laura". So
the model is asked how likely the phrase is as the beginning of the utterance, while phrases that
sound alike compete with it in the prompt.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from aura_core.speech.asr.base import Recognition
from aura_core.speech.asr.encoded import Encoded
from aura_core.speech.asr.whisper_options import Segment
from aura_core.speech.wake import WakeConfig, WakeRule
from aura_core.words import spoken_words

# A phrase that is this much too unlikely by the first prompt is not asked about again.
HOPELESS = 4.0


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

    The score of the phrase w_1 ... w_n is the mean over some prompts P of

        log p(w_1 ... w_n | sound, P) = sum_i log p(w_i | sound, P, w_1 ... w_i-1)

    The utterance begins with the phrase if the score is at least `WakeConfig.least_score`. P is the
    phrase, after other beginnings that sound like it: those that are known
    (`WakeConfig.similar_phrases`), and what the model writes where no prompt tells it the phrase.
    A sound that fits one of them better takes the probability away from the phrase; with the phrase
    alone as prompt, names that rhyme with it do not.
    """

    def __init__(self, scorer: Scorer, wake: WakeConfig) -> None:
        self._scorer, self._wake, self._rule = scorer, wake, WakeRule(wake)
        self._parts = parts(wake.written)

    def __call__(self, encoded: Encoded, heard: Recognition) -> Recognition:
        """Return what was heard, with the phrase in its usual spelling where it was said.

        Where it was only written, the words are those that are written without it in the prompt.
        """
        if heard.reason == "language" or not spoken_words(heard.text):
            return heard
        language = heard.language or "en"
        written, rest = self._rule.without_phrase(heard.text)
        before = ""
        if not written:
            before, inside, rest = self._rule.around_phrase(heard.text)
            written = inside
        plain = self._scorer.words(encoded, language, prompt="").text if written else heard.text
        if self.score(encoded, language, before, plain) < self._wake.least_score:
            return replace(heard, text=plain.strip() if written else heard.text, called=False)
        if not written:
            rest = self._scorer.words(encoded, language, prefix=f" {self._wake.written}.").text
            rest = self._rule.without_phrase(rest)[1]
        text = f"{before} {self._wake.written}. {rest.strip()}"
        return replace(heard, text=text.strip(), called=True)

    def score(self, encoded: Encoded, language: str, before: str, plain: str) -> float:
        """Return the score of the phrase after the words `before`, at most 0.

        Args:
            plain: what the model writes without the phrase in its prompt.
        """
        total, phrase = 0.0, self._wake.written
        words = plain[len(before) :] if plain.startswith(before) else plain
        head = " ".join(words.split()[: len(self._parts)]).strip(" ,.?!")
        others = self._wake.similar_phrases
        for k, rivals in enumerate(((), others, (*others, head))):
            prompt = " ".join(f"{words}." for words in (*rivals, phrase) if words)
            text = [f" {before}", *self._parts] if before else self._parts
            (found,) = self._scorer.likelihoods(encoded, language, prompt, [text])
            total += sum(found[1:] if before else found)
            if k == 0 and total < self._wake.least_score - HOPELESS:
                return total
        return total / 3


def parts(phrase: str) -> list[str]:
    """Return the words of the phrase as whisper writes them: with a blank before each.

    Scripts without blanks have none.
    """
    return [f" {word}" for word in phrase.split()] if phrase.isascii() else [phrase]
