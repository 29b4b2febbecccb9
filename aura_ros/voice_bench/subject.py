"""Which speech input is measured, and what is asked of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from aura_core.bench.speech import household
from aura_core.bench.speech.listener import Subject
from aura_core.sim.episode import Episode
from aura_core.speech.asr import AsrConfig, Grammar
from aura_ros.grammars import phrases

SEED = 700_000  # seed of the first world whose questions are asked
LEAST = 42  # questions of one kind


@dataclass(frozen=True)
class Asked:
    """The speech input, and the parameters with which `asr_node` is the same."""

    subject: Subject
    parameters: dict[str, object]


def asked(backend: str, model: str, sentences: int = LEAST) -> Asked:
    """The speech input with this recogniser, and at least so many questions of each kind.

    Raises ConfigError for a backend that is unknown or needs a model.
    """
    config, room = AsrConfig(backend, model), phrases("room")
    assert room is not None
    kinds = {"grammar": tuple(questions(max(LEAST, sentences), room))}
    free = backend != "pocketsphinx"
    if free:
        kinds = {"household": household.QUESTIONS} | kinds
    parameters: dict[str, object] = {"asr_node:backend": backend}
    if model:
        parameters["asr_node:model"] = str(Path(model).expanduser().resolve())
    return Asked(Subject(config, None if free else room, kinds), parameters)


def questions(count: int, grammar: Grammar) -> list[str]:
    """`count` different questions of the grammar that people ask in the simulated room."""
    found: dict[str, None] = {}
    seed = SEED
    while len(found) < count:
        for ask in Episode.generate(seed, 60, language="en").asks:
            if grammar.matches(ask.text):
                found.setdefault(ask.text)
        seed += 1
    return list(found)[:count]
