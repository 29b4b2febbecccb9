"""Small videos, annotation files, and models that say what a test wants.

Each second of a video has one grey level.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from engine_rig import free

from aura_core.config import AssistantConfig, WindowConfig
from aura_core.evaluation.judge import RuleJudge
from aura_core.evaluation.polled import Polled
from aura_core.evaluation.records import Item, Prediction, Question, Spoken
from aura_core.evaluation.tasks import TASKS
from aura_core.evaluation.tasks.base import Broken
from aura_core.models.scripted import Moment, Say, ScriptedBackend
from aura_core.replay.lockstep import Lockstep
from aura_core.stream.engine import StreamEngine
from aura_core.types import Frame

NS = 1_000_000_000
JUDGE = RuleJudge()
CONFIG = free(window=WindowConfig(keep=3, max=6))


def video(path: Path, levels: Sequence[int]) -> Path:
    """Write a video of `len(levels)` seconds at 2 FPS. Each second has one grey level."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as out:
        stream = out.add_stream("mpeg4", rate=2)
        stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv420p"
        stream.time_base = stream.codec_context.time_base = Fraction(1, 2)
        for k in range(2 * len(levels)):
            picture = av.VideoFrame.from_ndarray(
                np.full((32, 32, 3), levels[k // 2], np.uint8), format="rgb24"
            )
            picture.pts, picture.time_base = k, Fraction(1, 2)
            out.mux(stream.encode(picture))
        out.mux(stream.encode())
    return path


def frames(levels: Sequence[int]) -> list[Frame]:
    """Yield the frames of such a video."""
    return [
        Frame(np.full((2, 2, 3), levels[k // 2], np.uint8), k * NS // 2)
        for k in range(2 * len(levels))
    ]


def assistant(say: Say, config: AssistantConfig = CONFIG) -> Lockstep:
    """Return an engine whose model says what `say` returns."""
    return Lockstep(StreamEngine(ScriptedBackend(say), config), at_once=False)


def polled(say: Say, config: AssistantConfig = CONFIG) -> Polled:
    """Return the same in polled mode."""
    return Polled(ScriptedBackend(say), config)


def seen(moment: Moment) -> str | None:
    """Return a model that answers with the grey level of the newest second that it sees."""
    return f"{round(moment.now.brightness / 10)}" if moment.question else None


def item(*questions: Question, **fields: Any) -> Item:
    return Item("i", ("v.mp4",), questions, **fields)


def write(path: Path, data: Any) -> Path:
    """Write a JSON file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(data), encoding="utf-8")
    return path


def said(
    name: str, *words: tuple[float, str] | tuple[float, str, str], asked: bool = True
) -> Prediction:
    """Return a prediction of (second, text[, question]). The question is 0 if none is given."""
    return Prediction(
        name, tuple(Spoken(w[0], w[1], w[2] if len(w) > 2 else "0", asked) for w in words), 60
    )


def items_of(task: str, data: Path, skip: bool = False) -> list[Item]:
    """Return the items of a benchmark's annotation files."""
    return TASKS[task].read(data, Broken(skip))


def figures(
    task: str, items: Sequence[Item], *predictions: Prediction
) -> dict[str, tuple[float, float]]:
    """Return the scores of predictions: (value, n) by figure."""
    scores = TASKS[task].score(items, {p.item: p for p in predictions}, JUDGE)
    return {name: (round(float(m.value), 4), m.n) for name, m in scores.figures.items()}
