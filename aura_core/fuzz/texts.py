"""Questions, watches and words said back, to the engine with the scripted model."""

from __future__ import annotations

import json
import random
from pathlib import Path

import numpy as np

from aura_core.config import AssistantConfig, DeciderConfig, GenerationConfig, SamplingConfig
from aura_core.fuzz import Feed
from aura_core.fuzz.mutate import hostile_text
from aura_core.live.inbox import Inbox
from aura_core.models.backend import Tokens, Video
from aura_core.models.scripted import SPECIALS, ScriptedBackend
from aura_core.replay.lockstep import Lockstep
from aura_core.speech.normalise import for_speech
from aura_core.speech.sentences import SentenceSplitter
from aura_core.stream.engine import StreamEngine
from aura_core.stream.prefix import QAGroup
from aura_core.stream.prompt import PromptCodec
from aura_core.types import NS, Frame, Kind, Query
from aura_core.words import shorten

MARKS = range(256, 256 + len(SPECIALS))
SHORT = 24  # tokens of an answer
# Limits as they are by default, without one of characters, and with many tokens.
LIMITS = (
    GenerationConfig(max_new_tokens=SHORT),
    GenerationConfig(max_new_tokens=SHORT),
    GenerationConfig(max_new_tokens=SHORT, max_question_chars=0),
    GenerationConfig(max_new_tokens=SHORT, max_question_chars=0, max_question_tokens=4096),
)


def open_kind(folder: Path) -> Feed:
    """See `aura_core.fuzz`."""
    blank = np.zeros((4, 4, 3), np.uint8)

    def feed(rng: random.Random) -> None:
        limits = rng.choice(LIMITS)
        mode = rng.choice(("token", "token", "yes_no"))
        config = AssistantConfig(generation=limits, decider=DeciderConfig(mode=mode))
        lockstep = Lockstep(StreamEngine(ScriptedBackend(), config), at_once=rng.random() < 0.5)
        for k in range(2):
            lockstep.push(Frame(blank, k * NS // 2))
        query = Query(
            hostile_text(rng),
            kind=rng.choice((None, None, Kind.PROACTIVE, Kind.MULTI_RESPONSE)),
            limit=rng.choice((None, None, 0, 1, 2**32 - 1)),
            urgent=rng.random() < 0.5,
        )
        Inbox(SamplingConfig(), 3, 8, max_chars=limits.max_question_chars).ask(query)
        asked = lockstep.ask(query)
        _play(rng, lockstep, blank)
        assert lockstep.engine.conversation.attribution.question(asked.id) == query.text
        codec = lockstep.engine.codec
        assert _marks(codec, query.text) == _marks(codec, "hm?"), "a text has written a turn"

    return feed


def _play(rng: random.Random, lockstep: Lockstep, blank: np.ndarray) -> None:
    """Three seconds: the question, a report of what was said aloud, and what a watch says."""
    engine, said = lockstep.engine, ""
    for second in range(3):
        for step in lockstep.steps():
            json.dumps(step.as_json(), ensure_ascii=False).encode()
            if step.response is not None:
                said = step.response.text
                for sentence in SentenceSplitter().feed(said, final=True):
                    for_speech(sentence)
                shorten(said)
                heard = said[: rng.randint(0, len(said))]
                back = heard if rng.random() < 0.5 else hostile_text(rng, 2000)
                engine.amend(step.response.id, back)
        for k in range(2):
            frame = Frame(blank + np.uint8(100 * (second % 2)), (second + 1) * NS + k * NS // 2)
            lockstep.push(frame)


def _marks(codec: PromptCodec, text: str) -> list[int]:
    """The special tokens of a prompt whose texts from outside are `text`."""
    pieces = [codec.head(codec.prefix((QAGroup("q", text, (text,)),), text))]
    pieces += [p for p in codec.user(Video(None, (1, 1)), text) if isinstance(p, Tokens)]
    ids = [i for piece in pieces for i in piece.ids]
    return [i for i in (*ids, *codec.answer_ids(text)) if i in MARKS]
