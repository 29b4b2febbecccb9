"""Questions that must arrive: with the wake phrase, and over other people's talk."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

import numpy as np

from aura_core.bench.speech.figures import Figure, share
from aura_core.bench.speech.listener import Listener, Subject
from aura_core.bench.speech.sounds import (
    RATE,
    SPEECH_DB,
    Samples,
    babble,
    pause,
    spoken,
    with_floor,
)
from aura_core.bench.speech.voices import users
from aura_core.speech.types import NS, Transcript, TranscriptState
from aura_core.speech.wake import WakeMode
from aura_core.words import spoken_words

FLOOR_DB = SPEECH_DB - 30  # noise of the microphone and the room
BELOW_DB = 20  # so much quieter is the babble
SPOKEN_TO, OVER = 7, 42  # sentences with the wake phrase for each voice; sentences over babble
PAUSE_S = (5.0, 9.0)  # between two questions over babble


def wake(subject: Subject, seed: int = 1) -> dict[str, Any]:
    """Each voice says questions with the wake phrase in front, which is required."""
    rng, accepted, right = np.random.default_rng(seed), 0, 0
    by_voice: Counter[str] = Counter()
    missed: list[dict[str, str]] = []
    asked = [(v, q) for v in users() for q in subject.questions[:SPOKEN_TO]]
    with Listener(subject.ears(WakeMode.REQUIRED)) as listener:
        for voice, question in asked:
            said = spoken(f"hey aura, {question}", voice)
            sound = np.concatenate([pause(0.8), said, pause(3.0)])
            heard = listener.hear(with_floor(sound, rng, FLOOR_DB))
            sent = [t for t in heard if t.state is TranscriptState.FINAL]
            accepted += bool(sent)
            by_voice[voice] += bool(sent)
            right += any(same(t.text, question) for t in sent)
            if not sent:
                missed.append({"voice": voice, "said": question, **fate(heard)})
    each = len(asked) // len(by_voice)
    return {
        "wake": share(accepted, len(asked))
        | {
            "all_words_right": right,
            "by_voice": {v: f"{n} of {each}" for v, n in by_voice.items()},
            "missed": missed,
        }
    }


def over_babble(subject: Subject, questions: int = OVER, seed: int = 2) -> dict[str, Any]:
    """Questions over the babble of six talkers, which began before them.

    A question arrives if a transcript is sent of the time in which it was said.
    """
    voices, rng = users(), np.random.default_rng(seed)
    with Listener(subject.ears()) as listener:
        at_s = (listener.ears.config.utterances.max_s or 0.0) + 4.0  # then babble is background
        placed: list[tuple[str, str, float, Samples]] = []
        for i, question in enumerate(subject.questions[:questions]):
            voice = voices[i % len(voices)]
            sound = spoken(question, voice)
            placed.append((question, voice, at_s, sound))
            at_s += len(sound) / RATE + rng.uniform(*PAUSE_S)
        total = babble(at_s, 6, SPEECH_DB - BELOW_DB, voices, seed).astype(np.int32)
        for _, _, start_s, sound in placed:
            start = round(start_s * RATE)
            total[start : start + len(sound)] += sound
        heard = listener.hear(np.clip(total, -32_768, 32_767).astype(np.int16))
    arrived, right, missed, used = 0, 0, [], set[int]()
    for question, voice, start_s, sound in placed:
        own = list(during(heard, start_s, start_s + len(sound) / RATE))
        sent = [t for t in own if t.state is TranscriptState.FINAL]
        used |= {id(t) for t in sent}
        arrived += bool(sent)
        right += any(same(t.text, question) for t in sent)
        if not sent:
            missed.append({"voice": voice, "said": question, **fate(own)})
    others = sum(t.state is TranscriptState.FINAL and id(t) not in used for t in heard)
    figure: Figure = share(arrived, len(placed))
    return {
        "over_babble": figure
        | {
            "all_words_right": right,
            "babble_sent": others,
            "babble_db_below": BELOW_DB,
            "missed": missed,
        }
    }


def during(heard: Iterable[Transcript], start_s: float, end_s: float) -> Iterable[Transcript]:
    """The utterances of this time of the sound."""
    return (t for t in heard if t.start_ns < end_s * NS and t.end_ns > start_s * NS)


def same(heard: str, said: str) -> bool:
    """Whether two texts have the same words."""
    return spoken_words(heard) == spoken_words(said)


def fate(heard: Iterable[Transcript]) -> dict[str, str]:
    """What was heard in place of a question that was not sent."""
    rejected = list(heard)
    return {
        "heard": " | ".join(t.text for t in rejected),
        "reason": " | ".join(t.reason for t in rejected) or "nothing was heard",
    }
