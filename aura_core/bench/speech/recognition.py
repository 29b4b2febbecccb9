"""How well the speech input understands synthetic users with noise, and what it takes for them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from aura_core.bench.speech.figures import Figure, share
from aura_core.bench.speech.listener import Listener, Subject
from aura_core.bench.speech.offgrammar import FAR, NEAR
from aura_core.bench.speech.sounds import RATE, pause, spoken
from aura_core.bench.speech.voices import mix_noise, pad, users
from aura_core.bench.speech.wer import DETERMINERS, WordErrors, word_errors
from aura_core.speech.asr import open_recognizer, transcribe
from aura_core.speech.types import Audio, TranscriptState
from aura_core.speech.wake import WakeMode

SNRS_DB = (30, 20)
SNR_DB = 30  # of sentences that are to be rejected
FAST = 1.5  # times the usual speed of the voices: some 260 words a minute


def wer(subject: Subject, sentences: int) -> dict[str, Any]:
    """Word error rate of the recogniser, for each kind of question and each of `SNRS_DB`."""
    asr = subject.asr if subject.free else replace(subject.asr, rejection=0.0)
    recognizer = open_recognizer(asr, phrases=subject.grammar)
    voices = users()
    out: dict[str, Any] = {}
    for kind, texts in subject.kinds.items():
        for snr_db in SNRS_DB:
            plain, without = WordErrors(), WordErrors()
            by_voice: dict[str, float] = {}
            for voice in voices:
                own = WordErrors()
                for i, text in enumerate(texts[:sentences]):
                    sound = mix_noise(pad(Audio(spoken(text, voice), RATE), 200, 300), snr_db, i)
                    heard = transcribe(recognizer, sound).text
                    plain += word_errors(text, heard)
                    own += word_errors(text, heard, DETERMINERS)
                without += own
                by_voice[voice] = round(own.rate, 4)
            # The errors of one sentence belong together, so the interval is too narrow by some.
            figure = share(min(without.errors, without.words), without.words)
            figure |= {"value": round(without.rate, 4), "errors": without.errors}
            del figure["hits"]
            out[f"wer_{kind}_{snr_db}_db"] = figure | {
                "with_determiners": round(plain.rate, 4),
                "sentences": len(texts[:sentences]) * len(voices),
                "voices": len(voices),
                "by_voice": by_voice,
            }
    return out


def rejection(subject: Subject) -> dict[str, Any]:
    """How often the speech input rejects sentences that are no question for the assistant.

    Also how often it keeps those that are one, at the usual speed and said fast. Free speech cannot
    tell the two apart: there only the wake phrase helps.
    """
    texts = (*FAR, *NEAR)
    plain = _sent(subject, WakeMode.OFF, texts)
    called = _sent(subject, WakeMode.REQUIRED, texts)
    questions = subject.questions
    kept: Figure = share(_sent(subject, WakeMode.OFF, questions), len(questions))
    fast: Figure = share(_sent(subject, WakeMode.OFF, questions, FAST), len(questions))
    return {
        "rejection": share(len(texts) - plain, len(texts)),
        "rejection_with_wake_phrase": share(len(texts) - called, len(texts)),
        "questions_kept": kept,
        "fast_questions_kept": fast | {"speed": FAST},
    }


def _sent(subject: Subject, mode: WakeMode, texts: tuple[str, ...], speed: float = 1.0) -> int:
    """How many of the sentences become a question."""
    voices, sent = users(), 0
    with Listener(subject.ears(mode)) as listener:
        for i, text in enumerate(texts):
            said = spoken(text, voices[i % len(voices)], speed=speed)
            sound = Audio(np.concatenate([pause(0.8), said, pause(1.5)]), RATE)
            heard = listener.hear(mix_noise(sound, SNR_DB, seed=i).samples)
            sent += any(t.state is TranscriptState.FINAL for t in heard)
    return sent
