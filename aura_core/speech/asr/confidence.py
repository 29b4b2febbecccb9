"""How sure it is that a sound was the sentence of a grammar to which it was matched."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

# A word, its frames of 10 ms, and the natural logarithm of the ratio of its likelihood to that of
# free speech sounds in the same frames. The decoder's logarithms are 1024 times as small as usual.
Segment = tuple[str, int, float]
NULL = "(NULL)"  # the word of an arc without a word
LEAST = 1e-30  # lower limit of a probability, for the logarithm
# Values of `score`. They were chosen on sentences of eight voices that are not the benchmark's: all
# of 156 questions in the right words had -0.0053 and more, and 2 of 105 other sentences.
MIDDLE, SLOPE = -0.0053, 0.0003
WORST = 3  # neighbouring segments: one short word may fit badly in any voice
# Frames of a word, and of a silence between two words. Of 280 questions, some at 0.8 times the
# usual speed, the longest word had 84 and the longest silence 49. An utterance ends after 90.
MOST_FRAMES = 150


def confidence(segments: Iterable[Segment], middle: float = MIDDLE) -> float:
    """Return a confidence in [0, 1]: the logistic function of (score - middle) / SLOPE."""
    exponent = (score(segments) - middle) / SLOPE
    return 1.0 / (1.0 + math.exp(min(-exponent, 700.0)))


def score(segments: Iterable[Segment]) -> float:
    """Return a score of the sentence; that of words that fit as well as free speech sounds is 0.

    It is the mean ratio of a frame over the whole sentence, plus the mean over the three
    neighbouring segments that fit worst. Silence around the sentence is left out. Silence inside
    counts, because the decoder matches unknown words to it.
    """
    real = [s for s in segments if s[1] > 0 and s[0] != NULL]
    while real and silent(real[0][0]):
        real.pop(0)
    while real and silent(real[-1][0]):
        real.pop()
    if not real:
        return math.log(LEAST)
    parts = [real[i : i + WORST] for i in range(max(1, len(real) - WORST + 1))]
    return _mean(real) + min(_mean(part) for part in parts)


def _mean(segments: Sequence[Segment]) -> float:
    return sum(ratio for _, _, ratio in segments) / sum(frames for _, frames, _ in segments)


def dragged(segments: Sequence[Segment]) -> bool:
    """Whether a word, or a silence between two, is longer than anybody makes it.

    Talk before or after a word was matched to it.
    """
    silence, begun = 0, False
    for word, frames, _ in segments:
        if silent(word):
            silence += frames
            continue
        if frames > MOST_FRAMES or (begun and silence > MOST_FRAMES):
            return True
        silence, begun = 0, True
    return False


def silent(word: str) -> bool:
    """Whether it is silence, noise or nothing."""
    return word.startswith(("<", "[")) or word == NULL
