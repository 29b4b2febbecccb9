"""Base of the whisper recognisers: encode an utterance once, then ask its language and its words.

Whisper was trained on windows of 30 s, and its own code fills each utterance up to that length. The
encoder's time grows with the window and not with the speech in it, so here the window is cut to the
utterance and a margin. In too short a window the decoder does not stop: it says the sentence again
and again. With Whisper tiny.en it did so for 19 of 225 sentences of 2 to 7 s in windows of 6 s or
more, for 2 of them in 8 s, and for none in 10 s. Such words are recognised again in the whole
window.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aura_core.speech.asr.base import RATE, BufferedUtterance, Recognition
from aura_core.speech.asr.whisper_options import (
    CERTAIN,
    Segment,
    WhisperOptions,
    judged,
    spoken,
)
from aura_core.words import spoken_words

HOP = 160  # samples of a frame: 10 ms at 16 kHz
WHOLE = 3_000  # frames of whisper's own window
MARGIN, LEAST, STEP = 300, 1_000, 100  # frames; see `window`
# Most tokens of a text: nobody speaks faster. A decoder that repeats itself would go on for 224
# tokens, which takes seconds.
TOKENS, TOKENS_PER_S = 12, 10
MIN_SAMPLES = 1_600  # a tenth of a second at 16 kHz: a shorter sound holds no word


@dataclass(frozen=True, eq=False)
class Encoded:
    """What whisper's encoder made of an utterance.

    Attributes:
        output: (1, frames / 2, width), of the backend's own type.
        frames: length of the window that was encoded, in frames of 10 ms.
        speech_frames: of these, how many are the utterance. The others are filled up.
    """

    output: Any
    frames: int
    speech_frames: int

    @property
    def whole(self) -> bool:
        """Whether this is whisper's own window of 30 s."""
        return self.frames >= WHOLE

    @property
    def most_tokens(self) -> int:
        """The length of the longest text that is decoded."""
        return TOKENS + TOKENS_PER_S * self.speech_frames * HOP // RATE


def window(samples: int) -> int:
    """Return the frames that are encoded for an utterance of so many samples at 16 kHz.

    They are a multiple of STEP, so that there are few different lengths.
    """
    frames = max(samples // HOP + MARGIN, LEAST)
    return min(-(-frames // STEP) * STEP, WHOLE)


class EncodedUtterance(BufferedUtterance):
    """A loaded whisper model. It recognises the whole utterance at its end.

    Attributes:
        rescore: if set, `recognise` gives each result to it, with the encoded utterance that the
            words come from, and returns what it returns. It runs on the thread of `recognise`.
    """

    def __init__(self, options: WhisperOptions, multilingual: bool) -> None:
        super().__init__()
        self.options = options
        self.multilingual = multilingual
        self.rescore: Callable[[Encoded, Recognition], Recognition] | None = None

    @abstractmethod
    def encode(self, samples: NDArray[np.int16], frames: int | None = None) -> Encoded:
        """Run the encoder.

        Args:
            samples: (n,) int16 at 16 kHz, at most 30 s.
            frames: length of the window [10 ms], even, at most WHOLE. None: see `window`.
        """

    @abstractmethod
    def words(self, encoded: Encoded, language: str) -> Segment:
        """Run the decoder. `language` is a code of two letters."""

    @abstractmethod
    def language_probabilities(self, encoded: Encoded) -> Mapping[str, float]:
        """Return the probability of each language. Only for multilingual models."""

    def recognise(self, samples: NDArray[np.int16]) -> Recognition:
        longest = WHOLE * HOP
        pieces = [samples[i : i + longest] for i in range(0, len(samples), longest)]
        heard = [self._recognise(piece) for piece in pieces if len(piece) >= MIN_SAMPLES]
        if len(heard) < 2:
            return heard[0] if heard else Recognition("", 0.0)
        return joined(heard)

    def warm_up(self) -> None:
        """Run the model once. Its first run is the slowest, and shows whether the device works."""
        encoded = self.encode(np.zeros(RATE, np.int16))
        self.words(encoded, (self.options.languages or ("en",))[0])

    def _recognise(self, samples: NDArray[np.int16]) -> Recognition:
        encoded = self.encode(samples)
        heard = self._heard(encoded)
        if not encoded.whole and (heard.reason == "repeated" or again(heard.text)):
            encoded = self.encode(samples, WHOLE)
            heard = self._heard(encoded)
        return heard if self.rescore is None else self.rescore(encoded, heard)

    def _heard(self, encoded: Encoded) -> Recognition:
        """Return the words, in the language of the utterance where several are spoken here."""
        languages = self.options.languages
        language, foreign = (languages or ("en",))[0], False
        several = len(languages) != 1 and self.multilingual
        if several:
            language, foreign = spoken(self.language_probabilities(encoded), languages)
        segment = self.words(encoded, language)
        heard = judged([segment] if segment.text.strip() else [], language)
        if not several and self.multilingual and heard.confidence < CERTAIN:
            foreign = spoken(self.language_probabilities(encoded), languages)[1]
        return replace(heard, reason="language") if foreign else heard


def again(text: str) -> bool:
    """Whether `text` is one sentence of three words or more, said at least twice."""
    words = spoken_words(text)
    return any(
        len(words) % n == 0 and words == words[:n] * (len(words) // n)
        for n in range(3, len(words) // 2 + 1)
    )


def joined(heard: list[Recognition]) -> Recognition:
    """Return the parts of a long sound as one. Those that are no speech are left out."""
    kept = [part for part in heard if part.text and not part.reason] or heard
    return replace(
        kept[0],
        text=" ".join(part.text for part in kept if part.text),
        confidence=min(part.confidence for part in kept),
    )
