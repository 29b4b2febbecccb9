"""People at home who talk to each other, and not to the robot."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from aura_core.bench.speech.sounds import RATE, Samples, spoken
from aura_core.bench.speech.talk import SENTENCES

PEOPLE = 4
LEVELS_DB = (-36.0, -26.0)  # of one who sits far away, and of one who sits near [dB of full scale]
# From one's last word to the first of the next: some begin before the other has ended.
GAPS_S = (-0.3, 1.5)
WITHIN_S = (0.15, 0.6)  # between two sentences of one turn
TURN = 3  # most sentences of one turn


def conversation(seconds: float, voices: Sequence[str], seed: int) -> Samples:
    """A conversation of `PEOPLE`. Each says all of the sentences before any is said again."""
    rng = np.random.default_rng(seed)
    people = [
        (str(voice), float(rng.uniform(*LEVELS_DB)))
        for voice in rng.permutation(np.asarray(voices))[:PEOPLE]
    ]
    total = np.zeros(round(seconds * RATE), np.int32)
    lines: list[int] = []
    at, speaker = 0, 0
    while at < len(total):
        others = [i for i in range(len(people)) if i != speaker] or [0]
        speaker = int(rng.choice(others))
        voice, level_db = people[speaker]
        for _ in range(int(rng.integers(1, TURN + 1))):
            lines = lines or [int(i) for i in rng.permutation(len(SENTENCES))]
            said = spoken(SENTENCES[lines.pop()], voice, level_db)[: max(0, len(total) - at)]
            total[at : at + len(said)] += said
            at += len(said) + round(rng.uniform(*WITHIN_S) * RATE)
        at = max(0, at + round(rng.uniform(*GAPS_S) * RATE))
    return np.clip(total, -32_768, 32_767).astype(np.int16)
