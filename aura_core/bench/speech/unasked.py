"""Sound of which nothing is meant for the robot: how much of it is sent as a question."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np

from aura_core.bench.speech.addressed import FLOOR_DB
from aura_core.bench.speech.conversation import conversation as talk
from aura_core.bench.speech.figures import Figure, count, share
from aura_core.bench.speech.listener import Listener, Subject
from aura_core.bench.speech.noises import NOISES, noise
from aura_core.bench.speech.nonwords import SOUNDS
from aura_core.bench.speech.sounds import Samples, babble, pause, spoken, with_floor
from aura_core.bench.speech.voices import users
from aura_core.speech.types import Transcript, TranscriptState
from aura_core.speech.wake import WakeMode

VOICES = 7  # that make each of the sounds that are no words
TALK_DB = -30.0  # level of babble and of one talker [dB of full scale]


def noises(subject: Subject, minutes: float) -> dict[str, Any]:
    """So many minutes of each noise of `NOISES`."""
    out: dict[str, Figure] = {}
    with Listener(subject.ears()) as listener:
        for seed, kind in enumerate(NOISES):
            sound = noise(kind, minutes * 60, seed)
            out[f"sent_of_{kind}"] = _sent(listener, sound, minutes)
    onsets = sum(figure["onsets"] for figure in out.values())
    sent = sum(figure["value"] for figure in out.values())
    return {"sent_of_noises": count(sent, minutes * len(out)) | {"onsets": onsets}} | out


def fillers(subject: Subject, seed: int = 4) -> dict[str, Any]:
    """Hesitation and laughs of several voices, each by itself."""
    rng, asked = np.random.default_rng(seed), [(v, s) for v in users()[:VOICES] for s in SOUNDS]
    sent, reasons = [], Counter[str]()
    with Listener(subject.ears()) as listener:
        for voice, text in asked:
            sound = np.concatenate([pause(0.8), spoken(text, voice), pause(1.5)])
            heard = listener.hear(with_floor(sound, rng, FLOOR_DB))
            reasons += _reasons(heard)
            texts = " | ".join(t.text for t in _final(heard))
            if _final(heard):
                sent.append({"voice": voice, "said": text, "heard": texts})
    return {"fillers_sent": share(len(sent), len(asked)) | {"reasons": reasons, "sent": sent}}


def crowd(subject: Subject, minutes: float, seed: int = 5) -> dict[str, Any]:
    """Six people who talk at once, and one who talks without a pause."""
    out, voices = {}, users()
    for name, talkers in (("six", 6), ("one", 1)):
        sound = babble(minutes * 60, talkers, TALK_DB, voices[2:] + voices[:2], seed)
        with Listener(subject.ears()) as listener:
            out[f"sent_of_{name}_talking"] = _sent(listener, sound, minutes)
    return out


def conversation(subject: Subject, minutes: float, seed: int = 6) -> dict[str, Any]:
    """A conversation beside the robot; three times as long where the wake phrase is required.

    A false wake is an utterance that is sent then, or that is taken for the phrase alone.
    """
    out = {}
    for mode, name, length in (
        (WakeMode.OFF, "sent_of_conversation", minutes),
        (WakeMode.REQUIRED, "false_wakes", 3 * minutes),
    ):
        rng = np.random.default_rng(seed)
        sound = with_floor(talk(length * 60, users(), seed), rng, FLOOR_DB - 10)
        with Listener(subject.ears(mode)) as listener:
            out[name] = _sent(listener, sound, length)
    return out


def _sent(listener: Listener, sound: Samples, minutes: float) -> Figure:
    """How many questions the ears hear in a sound."""
    onsets = listener.ears.counters.utterances
    heard = listener.hear(sound)
    calls = [t for t in heard if t.reason == "wake_phrase_alone"]
    sent = [{"at_s": round(t.start_ns / 1e9, 1), "heard": t.text} for t in _final(heard)]
    return count(len(sent) + len(calls), minutes) | {
        "onsets": listener.ears.counters.utterances - onsets,
        "reasons": _reasons(heard),
        "sent": sent,
    }


def _final(heard: list[Transcript]) -> list[Transcript]:
    return [t for t in heard if t.state is TranscriptState.FINAL]


def _reasons(heard: list[Transcript]) -> Counter[str]:
    """How many utterances were rejected, by reason."""
    return Counter(t.reason.partition(":")[0] for t in heard if t.reason)
