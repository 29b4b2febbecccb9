"""Questions with a pause inside, and complete ones: what is one question, and how late its text is.

Free speech only: a grammar knows its sentences.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from aura_core.bench.speech.addressed import FLOOR_DB
from aura_core.bench.speech.figures import Figure, percentiles, share
from aura_core.bench.speech.household import QUESTIONS as HOUSEHOLD
from aura_core.bench.speech.listener import Listener, Subject
from aura_core.bench.speech.sounds import RATE, Samples, pause, spoken, trimmed, with_floor
from aura_core.bench.speech.voices import users
from aura_core.speech.types import NS, TranscriptState

PAUSES_S = (1.2, 1.3)
AFTER_S = 4.0  # of silence, longer than a question waits for its rest
EDGE_NS = NS  # a transcript of the whole question begins and ends so near to the sound
# Two sets of questions with a pause at "|". The rules were made on the first one; the second was
# written after them.
CHOSEN = (
    "where is my | red cup",
    "is there any | milk in the fridge",
    "could you please | turn on the lamp",
    "how many | people are in the room",
    "what is on the | kitchen table",
    "do you know | who opened the window",
    "are there some | apples in the bowl",
    "can you tell me | if the door is locked",
    "is the book under | the blue chair",
    "tell me because | I can not see it",
    "what colour is | the car outside",
    "can you | show me the garden",
    "where is the | green bottle",
    "have you seen any | letters on the desk",
    "would you please | watch the oven for me",
    "how much | water is in the glass",
    "who put the | box on the stairs",
    "did you see | a dog in the yard",
    "are there many | birds at the window",
    "could you show me | the picture of the hall",
    "is the cat sitting on my | old jacket",
    "which of the | candles is burning",
    "will you let me know | when grandma arrives",
    "is the ladder next to | the garage door",
    "why is | the light still on",
    "do you | remember the man with the hat",
    "is it cold or | is it warm outside",
    "what is the name of | the person at the door",
    "did I leave some | bread on the counter",
    "how often has | the bell been ringing",
    "is there a | spider on the wall",
    "can I ask if | the train is late",
)
OTHER = (
    "when did the | doctor call",
    "is there some | soup left in the pot",
    "can you please | close the curtains",
    "how many | shoes are under the bench",
    "has anybody fed my | three rabbits",
    "do you know why | the floor is wet",
    "would you | bring the paper to me",
    "what is the colour of | the neighbour's bicycle",
    "are the candles in the kitchen and | in the bedroom burning",
    "tell me if | the boy gets up",
    "which | jacket did she wear",
    "did you find any | stamps in the drawer",
    "where are | the keys of the car",
    "could you tell me who | is ringing at the gate",
    "is the dog lying next to | the heater",
    "will there be another | film tonight",
    "why did you | wake me up",
    "is it because | the window was open",
    "how long does the | washing machine need",
    "does the plant need some | more water",
)
COMPLETE = (
    "where is the remote control",
    "is the fridge open",
    "what is this",
    "who is that",
    "what time is it",
    "where are you from",
    "what is it for",
    "tell me what it is",
    "do you know where my keys are",
    "is anyone there",
    "can you help me please",
    "what are you looking at",
    "how many cups are there",
    "is it too much",
    "stop the music please",
    "i do not know",
    "how many plates are on the table",
    "what is the cat doing on the sofa",
)


def pauses(subject: Subject, seed: int = 8) -> dict[str, Any]:
    """How many questions with a pause arrive as one, and the delay of complete ones.

    All times are of the sound's clock: the recogniser takes none.
    """
    if not subject.free:
        return {}
    voices, rng = users(), np.random.default_rng(seed)
    half = max(1, len(voices) // 2)
    usual, others = voices[:half], voices[half:] or voices
    with Listener(subject.ears()) as listener:
        return {
            "joined_chosen_on": _joined(listener, CHOSEN, usual, rng),
            "joined": _joined(listener, OTHER, usual, rng),
            "joined_other_voices": _joined(listener, OTHER, others, rng),
            "complete_ms": _complete(listener, COMPLETE, voices, rng),
            "complete_household_ms": _complete(listener, HOUSEHOLD, voices, rng),
        }


def _joined(
    listener: Listener, texts: Sequence[str], voices: Sequence[str], rng: np.random.Generator
) -> Figure:
    """Each sentence by two of the voices."""
    hits, n, missed = 0, 0, []
    for i, text in enumerate(texts):
        for k in range(min(2, len(voices))):
            voice = voices[(i + k) % len(voices)]
            first, rest = (trimmed(spoken(part.strip(), voice)) for part in text.split("|"))
            gap = pause(PAUSES_S[k % len(PAUSES_S)])
            said = np.concatenate([first, gap, rest])
            final = [t for t, _ in _final(listener, said, rng)]
            whole = len(final) == 1 and final[0].start_ns < 2 * EDGE_NS
            n += 1
            if whole and final[0].end_ns > NS * (RATE + len(said)) // RATE - EDGE_NS:
                hits += 1
            else:
                missed.append({"voice": voice, "said": text, "heard": [t.text for t in final]})
    return share(hits, n) | {"sentences": len(texts), "missed": missed}


def _complete(
    listener: Listener, texts: Sequence[str], voices: Sequence[str], rng: np.random.Generator
) -> Figure:
    """From the end of speech to the text of complete questions, each by two of the voices."""
    delays_ms, late, n = [], [], 0
    for i, text in enumerate(texts):
        for k in range(min(2, len(voices))):
            voice = voices[(i + k * (len(voices) // 2)) % len(voices)]
            said = trimmed(spoken(text, voice))
            n += 1
            for transcript, at_ns in _final(listener, said, rng)[-1:]:
                delays_ms.append((at_ns - NS * (RATE + len(said)) // RATE) / 1e6)
                if delays_ms[-1] > 1_000:
                    late.append({"voice": voice, "said": text, "heard": transcript.text})
    return percentiles(delays_ms) | {"asked": n, "over_1_s": late}


def _final(listener: Listener, said: Samples, rng: np.random.Generator) -> list[Any]:
    """The questions that are heard in a sound after a second of silence, and when they came."""
    sound = np.concatenate([pause(1.0), said, pause(AFTER_S)])
    heard = listener.timed(with_floor(sound, rng, FLOOR_DB))
    return [(t, at_ns) for t, at_ns in heard if t.state is TranscriptState.FINAL]
