"""A free loop of speech sounds: how well the same sound fits any speech at all.

How well the right words fit depends on the voice, its accent and the noise. An accent that the
acoustic model does not know makes every sentence fit badly, and the best sequence of speech sounds
as well. The ratio of the two likelihoods is therefore a better measure of the words than the
likelihood alone (R. C. Rose and D. B. Paul, "A hidden Markov model based keyword recognition
system", ICASSP 1990; S. R. Young, "Detecting misrecognitions and out-of-vocabulary words", ICASSP
1994).
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aura_core.speech.asr.confidence import LEAST, NULL, Segment

SEARCH = "phones"


class PhoneLoop:
    """A decoder in which any speech sound may follow any other.

    It must be given the same sound in the same pieces as the decoder of the sentences: then both
    estimate the same cepstral mean, and their scores count from the same best senone.
    """

    def __init__(self, decoder: Any) -> None:
        self._decoder = decoder
        self._open = False

    def begin(self) -> None:
        """Begin a new utterance. One that is under way is dropped."""
        self.finish()
        self._decoder.start_utt()
        self._open = True

    def feed(self, sound: bytes) -> None:
        """Add int16 samples at 16 kHz."""
        self._decoder.process_raw(sound, False, False)

    def finish(self) -> None:
        """End the utterance, if there is one."""
        if self._open:
            self._decoder.end_utt()
        self._open = False

    def ratios(self, found: Iterable[Any]) -> list[Segment]:
        """Return the segments of a sentence with their log-likelihood ratios.

        Args:
            found: pocketsphinx's segments of the best path, of the utterance that `finish` ended.
        """
        segments = list(found)
        frames = max((s.end_frame + 1 for s in segments), default=0)
        free = self._cumulated(frames)
        return [
            (
                s.word,
                s.end_frame - s.start_frame + 1,
                0.0
                if s.word == NULL
                else _log(s.ascore) - float(free[s.end_frame + 1] - free[s.start_frame]),
            )
            for s in segments
        ]

    def _cumulated(self, frames: int) -> NDArray[np.float64]:
        """Return the log-likelihood (frames + 1,) of the best speech sounds before each frame.

        That of a sound is divided equally between its frames.
        """
        each = np.zeros(frames)
        for s in self._decoder.seg() or ():
            each[s.start_frame : s.end_frame + 1] = _log(s.ascore) / (
                s.end_frame - s.start_frame + 1
            )
        return np.concatenate([[0.0], np.cumsum(each)])


def _log(probability: float) -> float:
    return math.log(max(probability, LEAST))


def open_phone_loop(pocketsphinx: Any, acoustic: Path, dictionary: Path) -> PhoneLoop:
    """Open the loop with an acoustic model that the decoder of the sentences has loaded already.

    Context-independent speech sounds suffice: those that depend on their neighbours take 40 times
    as long.
    """
    decoder = pocketsphinx.Decoder(
        hmm=str(acoustic),
        dict=str(dictionary),
        lm=None,
        allphone_ci=True,
        compallsen=True,
        bestpath=False,
        loglevel="FATAL",
    )
    decoder.add_allphone_file(SEARCH, None)
    decoder.activate_search(SEARCH)
    return PhoneLoop(decoder)
