"""Small runs of the data engine, and what the engine feeds for the same conversation."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np

from aura_core.config import AssistantConfig, WindowConfig
from aura_core.data.author import Draft
from aura_core.data.engine import run, write_sources
from aura_core.data.oracle import Oracle
from aura_core.data.prepare import sim_sources
from aura_core.data.schema import Answer, Clip, Conversation, Question, Scene
from aura_core.data.settings import DataConfig
from aura_core.data.worker import Job
from aura_core.models.scripted import ScriptedBackend, VisualToken
from aura_core.replay.lockstep import Lockstep
from aura_core.stream.engine import StreamEngine
from aura_core.types import Frame, Kind, Query

NS = 1_000_000_000
REPOSITORY = Path(__file__).resolve().parents[2]


def clip(seconds: int, source: str = "sim:1000") -> Clip:
    return Clip("clip", source, "prepare/clips/clip.mp4", 0.0, seconds, 192, 192, 0, 0)


def real_time(
    chunk: int, text: str = "what is it?", answer: str = "a cube", evidence: int | None = None
) -> Question:
    e = chunk if evidence is None else evidence
    return Question(
        f"r{chunk}", Kind.REAL_TIME, chunk, text, (Answer(chunk, answer, e),), "", 1, text
    )


def standing(
    chunk: int, answers: Iterable[tuple[int, str]], kind: Kind, text: str = "tell me when it moves"
) -> Question:
    due = tuple(Answer(c, t, c) for c, t in answers)
    return Question(f"s{chunk}", kind, chunk, text, due, "okay", 2, text)


def random_conversation(seed: int, seconds: int) -> Conversation:
    """Return questions of all kinds at random seconds, in several scripts.

    Some answers coincide, and some repeat.
    """
    rng = np.random.default_rng(seed)
    words = [
        "a red cube",
        "猫が来た",
        "the kettle; steam!",
        "é à ü",
        "yes",
        "<|silent|> no",
        "  two words ",
    ]
    free = list(rng.permutation(seconds - 1))
    due_at = {int(c) for c in free[: seconds // 6]}
    questions = []
    for i, chunk in enumerate(
        int(c) for c in free[seconds // 6 :][: int(rng.integers(3, 3 + seconds // 4))]
    ):
        text = (
            f"{'tell me when' if rng.random() < 0.5 else 'what'}"
            f" {words[int(rng.integers(len(words)))]} {i}?"
        )
        later = [c for c in sorted(due_at) if c > chunk and rng.random() < 0.5]
        kind = [Kind.REAL_TIME, Kind.PROACTIVE, Kind.MULTI_RESPONSE][int(rng.integers(3))]
        if kind is Kind.REAL_TIME:
            questions.append(
                replace(real_time(chunk, text, words[int(rng.integers(len(words)))]), id=f"q{i}")
            )
        else:
            some = [(c, words[int(rng.integers(len(words)))]) for c in later]
            some = some[:1] if kind is Kind.PROACTIVE else some
            questions.append(replace(standing(chunk, some, kind, text), id=f"q{i}"))
    questions.sort(key=lambda q: q.chunk)
    return Conversation(clip(seconds), (Scene(0, seconds, ""),), tuple(questions))


def engine_feeds(
    conversation: Conversation, script: dict[int, str], window: WindowConfig, silent: bool = False
) -> dict[int, list[int]]:
    """Return what is in `StreamEngine`'s cache when it answers each chunk of `script`, and with
    `silent` also after each silent one.

    A chunk of video is -1 - chunk. The model is a scripted one: it says what the script says.
    """
    backend = ScriptedBackend(script, grid=(1, 1))
    assistant = Lockstep(StreamEngine(backend, AssistantConfig(window=window)))
    questions = {q.chunk: q for q in conversation.questions}
    fed = {}
    for chunk in range(conversation.clip.seconds):
        if q := questions.get(chunk):
            assistant.ask(Query(q.text, q.id, chunk * NS, q.kind))
        for half in range(2):
            assistant.push(
                Frame(np.full((1, 1, 3), chunk % 200, np.uint8), chunk * NS + half * NS // 2)
            )
        step = assistant.step()
        if step is not None and (silent or step.response is not None):
            tail = assistant.engine.codec.assistant(
                assistant.engine.window.turns[-1].answer_ids
            ).ids
            cached = [
                -1 - t.chunk if isinstance(t, VisualToken) else t
                for t in assistant.engine.session.tokens
            ]
            waiting = [i for p in assistant.engine.policy.kv.waiting for i in p.ids]
            fed[chunk] = [*cached, *waiting]
            assert fed[chunk][-len(tail) :] == list(tail)
    return fed


def sha256(ids: list[int]) -> str:
    return hashlib.sha256(np.asarray(ids, "<i8").tobytes()).hexdigest()


def small_run(
    out: Path, seeds: range = range(1000, 1003), seconds: int = 24, **settings: object
) -> DataConfig:
    """Run all five stages on simulated clips."""
    config = DataConfig(**({"shard_size": 1} | settings))
    write_sources(out, sim_sources(list(seeds), seconds), config)
    for stage in ("prepare", "synthesize", "refine", "structure", "verify"):
        run(Job(stage, out, out, config), processes=1)
    return config


def shards(out: Path) -> dict[str, bytes]:
    """Return the records, rejections and clips of a run, by path.

    These must be the same bytes however often the run was killed.
    """
    kinds = ("*.jsonl", "*.rejected", "*.mp4")
    places = [p for k in kinds for p in out.rglob(k) if p.parent.name != "sources"]
    return {str(p.relative_to(out)): p.read_bytes() for p in sorted(places)}


def aura(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Run `aura data ...` as a process of its own."""
    command = [sys.executable, "-m", "aura_core.cli", "data", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=REPOSITORY)


class Liar(Oracle):
    """An oracle that claims wrong seconds for the answers of every standing question."""

    def __init__(self, late: int) -> None:
        super().__init__(0)
        self._late = late

    def questions(self, clip: Clip, scene: Scene) -> list[Draft]:
        """Return the oracle's questions with answers that are late (or early)."""

        def moved(a: Answer) -> Answer:
            return Answer(a.chunk + self._late, a.text, a.evidence + self._late)

        drafts = super().questions(clip, scene)
        return [
            (
                d
                if d.kind is Kind.REAL_TIME
                else replace(d, answers=tuple(moved(a) for a in d.answers))
            )
            for d in drafts
        ]
