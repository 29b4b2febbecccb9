"""Sound at 16 kHz of which long runs are made: sentences that are kept, levels, pauses, babble."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from aura_core.bench.speech.talk import SENTENCES
from aura_core.bench.speech.voices import say

RATE = 16_000
Samples = NDArray[np.int16]  # (n,) at 16 kHz
LOUD = 300  # of 32767: above the noise of a silent device, below any word
SPEECH_DB = -26.0  # level of a user near the microphone [dB of full scale]
PAUSES_S = (0.1, 0.4)  # shortest and longest pause between the sentences of one talker


@functools.lru_cache(maxsize=2_000)
def spoken(text: str, voice: str, level_db: float = SPEECH_DB, speed: float = 1.0) -> Samples:
    """`text` as sound of this level. It is made once in a run."""
    samples = at_level(say(text, voice, RATE, speed).samples, level_db)
    samples.flags.writeable = False
    return samples


def at_level(samples: NDArray[np.number], level_db: float) -> Samples:
    """The sound with this level [dB of full scale].

    As in `mix_noise`, the level is measured where the amplitude is above a hundredth of its peak.
    """
    clean = samples.astype(np.float64)
    loud = clean[np.abs(clean) > np.abs(clean).max(initial=0.0) / 100]
    if not len(loud):
        return np.zeros(len(samples), np.int16)
    clean *= 32_768 * 10 ** (level_db / 20) / np.sqrt(np.mean(loud**2))
    return np.clip(np.rint(clean), -32_768, 32_767).astype(np.int16)


def pause(seconds: float) -> Samples:
    """Digital silence."""
    return np.zeros(round(seconds * RATE), np.int16)


def trimmed(samples: Samples) -> Samples:
    """The sound without the silence before and after it."""
    loud = np.flatnonzero(np.abs(samples.astype(np.int32)) >= LOUD)
    return samples[loud[0] : loud[-1] + 1] if len(loud) else samples[:0]


def with_floor(samples: Samples, rng: np.random.Generator, level_db: float) -> Samples:
    """The sound with white noise of this level, which every microphone has."""
    noise = rng.standard_normal(len(samples), np.float32) * np.float32(
        32_768 * 10 ** (level_db / 20)
    )
    return np.clip(samples + np.rint(noise), -32_768, 32_767).astype(np.int16)


def talker(seconds: float, voice: str, rng: np.random.Generator) -> Samples:
    """One voice that reads sentences in random order, with short pauses."""
    pieces, length = [], 0
    while length < seconds * RATE:
        for i in rng.permutation(len(SENTENCES)):
            piece = trimmed(spoken(SENTENCES[int(i)], voice)), pause(rng.uniform(*PAUSES_S))
            pieces += piece
            length += sum(map(len, piece))
            if length >= seconds * RATE:
                break
    return np.concatenate(pieces)[: round(seconds * RATE)]


def babble(
    seconds: float, talkers: int, level_db: float, voices: Sequence[str], seed: int
) -> Samples:
    """Voices that talk at once, without a common pause."""
    rng = np.random.default_rng(seed)
    total = np.zeros(round(seconds * RATE), np.float32)
    for i in range(talkers):
        total += talker(seconds, voices[i % len(voices)], rng)
    return at_level(total, level_db)
