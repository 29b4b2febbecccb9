"""Items of a benchmark through the engine: free-running as it runs live, or polled as most authors
do.

Free-running: one pass over the video, in lockstep, 2 frames a second; questions come at their times
into one conversation, the model alone decides each second whether to speak, and everything that it
says is recorded. Polled: see `evaluation/polled.py`.
"""

from __future__ import annotations

import itertools
import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from aura_core.config import AssistantConfig
from aura_core.errors import InputError
from aura_core.evaluation.polled import Polled, play_polled
from aura_core.evaluation.predictions import Writer
from aura_core.evaluation.records import Item, Prediction, Question, Spoken, chunk_of
from aura_core.evaluation.turns import Turns
from aura_core.models.backend import Backend
from aura_core.replay.lockstep import Lockstep, drive
from aura_core.sources import open_source
from aura_core.sources.base import FrameSource
from aura_core.stream.engine import StreamEngine
from aura_core.types import Frame, Query, Step

NS = 1_000_000_000
# seconds that the last picture may stand for questions that are later than the video's end
FROZEN_S = 30
OPEN_QUESTIONS = 64  # a benchmark may ask more at once than a person would,
QUESTION_TOKENS = 8192  # and at more length: lists of options, the turns before


@dataclass(frozen=True)
class RunCounts:
    """What became of the items of a run."""

    played: int
    known: int  # were in the prediction file already
    missing: tuple[str, ...]  # video missing or broken: one line each


def run(
    items: Sequence[Item],
    data: Path,
    backend: Backend,
    config: AssistantConfig,
    writer: Writer,
    polled: bool = False,
    progress: Callable[[Item], None] = lambda item: None,
) -> RunCounts:
    """Play all items that `writer` does not have yet. A video that is missing or broken is named,
    not raised."""
    own = config.generation
    generation = replace(
        own,
        max_pending_questions=max(OPEN_QUESTIONS, own.max_pending_questions),
        max_question_tokens=max(QUESTION_TOKENS, own.max_question_tokens),
    )
    config = replace(config, generation=generation)
    player = Polled(backend, config) if polled else Lockstep(StreamEngine(backend, config))
    known, played, missing = len({i.id for i in items} & writer.done), 0, []
    for item in items:
        if item.id not in writer.done:
            try:
                with open_video(item, data, config.sampling.tolerance_s) as source:
                    prediction = _play(player, item, source)
            except InputError as e:
                missing.append(f"item {item.id}: {e}")
            else:
                writer.add(prediction)
                played += 1
        progress(item)
    return RunCounts(played, known, tuple(missing))


def _play(player: Lockstep | Polled, item: Item, source: FrameSource) -> Prediction:
    if isinstance(player, Polled):
        return play_polled(player, item, source)
    return play(player, item, source)


def open_video(item: Item, data: Path, tolerance_s: float = 0.05) -> FrameSource:
    """The item's video, from the first of its places that exists. Raises `InputError`."""
    place = next((data / v for v in item.videos if (data / v).is_file()), None)
    if place is None:
        raise InputError(f"video {item.videos[0]} is not in {data}")
    return open_source(str(place), tolerance_s=tolerance_s)


def play(lockstep: Lockstep, item: Item, frames: Iterable[Frame]) -> Prediction:
    """One free-running pass."""
    lockstep.reset()
    said: list[Spoken] = []
    turns = Turns(item.questions)
    waiting = deque(turns.in_order())
    asked: set[str] = set()
    seconds = 0

    def questions(now_ns: int, late: bool) -> Iterator[Query]:
        """Those whose chunk begins (with `late`: all that are left). Held back: one that repeats
        the answer to a turn which has not been decided, and those behind it."""
        while (
            waiting and (late or _start_ns(waiting[0]) <= now_ns) and turns.ready(waiting[0], asked)
        ):
            q = waiting.popleft()
            yield Query(turns.text(q, said), q.id, min(_start_ns(q), now_ns), q.kind)

    def events() -> Iterator[Frame | Query]:
        """Frames, and each question before the first frame of its chunk, or as soon afterwards as
        it is known."""
        frame: Frame | None = None
        for coming in itertools.chain(frames, (None,)):
            if (
                coming is not None
                and item.end_s is not None
                and coming.stamp_ns >= math.ceil(item.end_s) * NS
            ):
                coming = None
            if frame is not None:
                yield from questions(frame.stamp_ns, coming is None)
                yield frame
            if coming is None:
                break
            frame = coming
        if frame is not None:
            for held in _frozen(frame, lambda: len(asked) < len(item.questions)):
                yield from questions(held.stamp_ns, True)
                yield held

    for step in drive(lockstep, events()):
        seconds = step.chunk + 1
        if step.question_id is not None:
            asked.add(step.question_id)
        said += spoken(step)
    return Prediction(
        item.id, tuple(said), seconds, tuple(q.id for q in item.questions if q.id not in asked)
    )


def spoken(step: Step) -> list[Spoken]:
    """The words of a step, at the end of its chunk."""
    r = step.response
    return (
        []
        if r is None
        else [Spoken(step.chunk + 1, r.text, r.query_id, step.question_id is not None)]
    )


def _start_ns(question: Question) -> int:
    return chunk_of(question.at_s) * NS


def _frozen(last: Frame, needed: Callable[[], bool]) -> Iterator[Frame]:
    """The last picture, held for as long as a question waits for a chunk (one chunk takes one
    question)."""
    for k in range(1, 2 * FROZEN_S + 1):
        if not needed():
            return
        yield replace(last, stamp_ns=last.stamp_ns + k * NS // 2)
