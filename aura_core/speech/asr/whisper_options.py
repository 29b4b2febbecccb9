"""How a whisper model is run, and what of its result is taken for speech.

The limits are those that whisper's own `transcribe` uses to give a segment up. Here they make a
reason for the rejection, instead of silence.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from aura_core.errors import ConfigError
from aura_core.speech.asr.base import Recognition

NO_SPEECH = 0.6  # probability of no speech from which on a segment is none ...
DOUBTFUL = -0.5  # ... if the mean log-probability of its tokens is below this
UNLIKELY = -1.2  # mean log-probability of a token below which a text is a guess
REPEATED = 2.4  # a text that gzip makes smaller than this says the same again and again
FOREIGN = 0.7  # probability of a language from which on the speech is in that language
CERTAIN = 0.75  # confidence from which on one language alone is not checked


@dataclass(frozen=True)
class WhisperOptions:
    """How a whisper model is run.

    Attributes:
        languages: those that are spoken here; (): any.
        device: auto, cpu, cuda or cuda:N.
        prompt: text that stands before each utterance, for names and the wake phrase; "": none.
        beam_size: hypotheses that are kept; 1: only the best.
        compute_type: of CTranslate2; auto: int8 on a CPU, float16 on a GPU.
        cpu_threads: 0: the library's choice.
    """

    languages: tuple[str, ...] = ("en",)
    device: str = "auto"
    prompt: str = ""
    beam_size: int = 1
    compute_type: str = "auto"
    cpu_threads: int = 0


def check_languages(options: WhisperOptions, multilingual: bool, model: object) -> None:
    """Raise ConfigError where a model of English alone is to understand another language.

    Any language, as with `language: auto`, includes English.
    """
    others = [code for code in options.languages if code != "en"]
    if multilingual or not others:
        return
    name = "languages" if len(options.languages) > 1 else "language"
    raise ConfigError(
        f"asr.{name}: {model} is an English model: use a multilingual one for '{others[0]}'"
    )


@dataclass(frozen=True)
class Segment:
    """One segment of whisper's result.

    Attributes:
        logprob: mean log-probability of its tokens.
        no_speech: probability that it is no speech.
        compression: size of the text over its size after gzip.
        ended: the decoder ended the text. If not, it was cut at its greatest length.
        total: log-probability of the whole text and of its end, given the words before it.
    """

    text: str
    logprob: float
    no_speech: float
    compression: float
    ended: bool = True
    total: float = 0.0

    @property
    def reason(self) -> str:
        """Why the segment is not taken for speech; "" if it is."""
        if self.no_speech > NO_SPEECH and self.logprob < DOUBTFUL:
            return "no_speech"
        if self.compression > REPEATED or not self.ended:
            return "repeated"
        return "unlikely" if self.logprob < UNLIKELY else ""

    @property
    def confidence(self) -> float:
        """exp(mean log-probability) * (1 - probability of no speech), in [0, 1]."""
        return max(0.0, math.exp(min(self.logprob, 0.0)) * (1.0 - self.no_speech))


def judged(segments: list[Segment], language: str = "") -> Recognition:
    """Return the words of the segments that are speech, with the confidence of the worst one.

    Where none is speech, all their words, with the reason of the first.
    """
    kept = [s for s in segments if not s.reason] or segments
    return Recognition(
        " ".join(" ".join(s.text for s in kept).split()),
        min((s.confidence for s in kept), default=0.0),
        reason=kept[0].reason if kept else "",
        language=language,
    )


def spoken(probabilities: Mapping[str, float], languages: tuple[str, ...]) -> tuple[str, bool]:
    """Return the likeliest of the languages that are spoken here, and whether it is another one.

    Args:
        probabilities: of each language that the model knows.
        languages: those that are spoken here; (): any.
    """
    likeliest = max(probabilities, key=lambda name: probabilities[name])
    if not languages or likeliest in languages:
        return likeliest, False
    here = max(languages, key=lambda name: probabilities.get(name, 0.0))
    return here, probabilities[likeliest] >= FOREIGN
