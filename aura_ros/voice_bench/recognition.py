"""How well the embedded speech input understands synthetic users with noise. No devices, no ROS."""

from __future__ import annotations

from typing import Any

import numpy as np

from aura_core.bench.speech.offgrammar import FAR, NEAR
from aura_core.bench.speech.voices import mix_noise, pad, say
from aura_core.bench.speech.wer import DETERMINERS, WordErrors, word_errors
from aura_core.sim.episode import Episode
from aura_core.speech.asr import AsrConfig, open_recognizer, transcribe
from aura_core.speech.ears import Ears, EarsConfig, open_ears
from aura_core.speech.types import NS, Audio, Transcript, TranscriptState
from aura_core.speech.wake import WakeConfig, WakeMode
from aura_ros.grammars import phrases
from aura_ros.voice_bench.runs import voices

SEED = 700_000  # seed of the first world whose questions are asked
SNRS_DB = (20, 30)


def questions(count: int) -> list[str]:
    """`count` different questions of the kinds that the embedded model knows."""
    found: dict[str, None] = {}
    seed = SEED
    while len(found) < count:
        for ask in Episode.generate(seed, 60, language="en").asks:
            found.setdefault(ask.text)
        seed += 1
    return list(found)[:count]


def word_errors_at(sentences: int) -> dict[str, Any]:
    """Word error rate of the recogniser on sentences of its grammar, at each of `SNRS_DB`."""
    recognizer, users = open_recognizer(AsrConfig(rejection=0.0), phrases=phrases("room")), voices()
    out: dict[str, Any] = {}
    for snr_db in SNRS_DB:
        plain, without = WordErrors(), WordErrors()
        by_voice = []
        for voice in users:
            own = WordErrors()
            for i, text in enumerate(questions(sentences)):
                sound = mix_noise(pad(say(text, voice), 200, 300), snr_db, seed=i)
                heard = transcribe(recognizer, sound).text
                plain += word_errors(text, heard)
                own += word_errors(text, heard, DETERMINERS)
            without += own
            by_voice.append(own.rate)
        out[f"{snr_db}_db"] = {
            "value": round(without.rate, 4),
            "with_determiners": round(plain.rate, 4),
            "n": sentences * len(users),
            "voices": len(users),
            "worst_voice": round(max(by_voice), 4),
        }
    return {"wer": out["30_db"] | {"at_20_db": out["20_db"]}}


def rejections() -> dict[str, Any]:
    """How often the speech input rejects sentences that are no question for the assistant.

    Also how often it keeps those that are one.
    """
    texts, users = (*FAR, *NEAR), voices()
    counts = {}
    for mode in (WakeMode.OFF, WakeMode.REQUIRED):
        ears = open_ears(EarsConfig(wake=WakeConfig(mode)), phrases("room"))
        rejected = sum(
            not _reaches(ears, say(t, users[i % len(users)]), i) for i, t in enumerate(texts)
        )
        counts[mode] = rejected / len(texts)
    kept = questions(len(texts))
    ears = open_ears(EarsConfig(), phrases("room"))
    taken = sum(_reaches(ears, say(t, users[i % len(users)]), i) for i, t in enumerate(kept))
    return {
        "rejection": {
            "value": round(counts[WakeMode.OFF], 4),
            "with_wake_phrase": round(counts[WakeMode.REQUIRED], 4),
            "n": len(texts),
            "questions_kept": round(taken / len(kept), 4),
        }
    }


def _reaches(ears: Ears, sound: Audio, number: int) -> bool:
    """Whether the sound, with noise at 30 dB, becomes a question."""
    noisy = mix_noise(pad(sound, 800, 1500), 30, seed=number)
    # A minute apart, so that no sentence follows another.
    placed = Audio(noisy.samples, noisy.rate, number * 60 * NS)
    events = [e for part in _parts(placed) for e in ears.push(part)]
    return any(isinstance(e, Transcript) and e.state is TranscriptState.FINAL for e in events)


def _parts(sound: Audio) -> list[Audio]:
    """The sound in pieces of 64 ms, as a microphone gives it."""
    size = sound.rate * 64 // 1000
    starts = range(0, len(sound.samples), size)
    return [
        Audio(
            np.ascontiguousarray(sound.samples[i : i + size]),
            sound.rate,
            sound.stamp_ns + i * NS // sound.rate,
        )
        for i in starts
    ]
