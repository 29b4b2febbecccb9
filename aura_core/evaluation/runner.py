"""Plays the items of a benchmark with the engine, free-running or polled.

Free-running: one pass over the video in lockstep, at two frames a second. Questions come at their
times into one conversation. The model alone decides each second whether to speak, and everything
that it says is recorded. Polled: see `evaluation/polled.py`.
"""

from __future__ import annotations

import itertools
import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from aura_core.config import AssistantConfig, MemoryConfig
from aura_core.errors import AuraError, InputError, ModelError, one_line
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
# seconds for which the last picture is repeated, for questions that still wait at the video's end
FROZEN_S = 30
# A benchmark may ask more questions at once than a person would, and longer ones, with lists of
# options or the turns before.
OPEN_QUESTIONS = 64
QUESTION_TOKENS = 8192
VIDEO_BEGINS = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)  # with memory


@dataclass(frozen=True)
class RunCounts:
    """What became of the items of a run."""

    played: int
    known: int  # already in the prediction file
    missing: tuple[str, ...]  # one line for each video that is missing or broken


def run(
    items: Sequence[Item],
    data: Path,
    backend: Backend,
    config: AssistantConfig,
    writer: Writer,
    polled: bool = False,
    progress: Callable[[Item], None] = lambda item: None,
    history: bool = False,
) -> RunCounts:
    """Play all items that `writer` does not have yet.

    A missing or broken video is listed in the result; it does not raise an error. `history`: see
    `Polled`. With
    `memory.path`, notes are taken while a video plays, and questions are answered from them too;
    each item begins with none.
    """
    own = config.generation
    generation = replace(
        own,
        max_pending_questions=max(OPEN_QUESTIONS, own.max_pending_questions),
        max_question_tokens=max(QUESTION_TOKENS, own.max_question_tokens),
        max_question_chars=0,  # the tokens are the limit
        question_ttl_s=3600.0,  # a benchmark waits for its answer
    )
    config = replace(config, generation=generation)
    engine = StreamEngine(backend, config)
    player = Polled(backend, config, history) if polled else Lockstep(engine, at_once=False)
    known, played, missing = sum(writer.has(i) for i in items), 0, []
    for item in items:
        if item.id not in writer.done:
            try:
                with open_video(
                    item, data, config.sampling.tolerance_s, config.sampling.hold_s
                ) as source:
                    prediction = _play(player, item, source, config.memory)
            except InputError as e:
                missing.append(f"item {item.id}: {e}")
            except AuraError as e:
                if not played:  # a run whose first item fails is set up wrongly
                    raise
                missing.append(f"item {item.id}: {e}")
            else:
                writer.add(replace(prediction, annotation=item.fingerprint))
                played += 1
        progress(item)
    return RunCounts(played, known, tuple(missing))


def _play(
    player: Lockstep | Polled, item: Item, source: FrameSource, memory: MemoryConfig
) -> Prediction:
    """Raises `InputError` for the video, and `ModelError` for whatever the model raises."""
    engine = player.lockstep.engine if isinstance(player, Polled) else player.engine
    try:
        with remembering(engine, memory, item.id) as on_step:
            if isinstance(player, Polled):
                return play_polled(player, item, source)
            return play(player, item, source, on_step)
    except AuraError:
        raise
    except Exception as e:  # a model may raise anything, see `Recovery`
        raise ModelError(f"the model failed: {one_line(e)}") from e


@contextmanager
def remembering(
    engine: StreamEngine, config: MemoryConfig, run: str
) -> Iterator[Callable[[Step], None]]:
    """Give the engine a memory that is empty, and gone afterwards; with `memory.path` "" none.

    Yields what takes each step, so that questions and answers become notes. A video's clock begins
    at 9:00. Raises `ModelError` where memory fails: the figures would not be those of memory.
    """
    if not config.path:
        yield lambda step: None
        return
    from aura_core.live.memory import AssistantMemory, wall_of_stamps

    troubles: list[str] = []
    own = replace(config, path=":memory:", keyframes="off")
    wall = wall_of_stamps(round(VIDEO_BEGINS.timestamp()) * NS)
    memory = AssistantMemory(own, run, troubles.append, wall=wall, tz=VIDEO_BEGINS.tzinfo)
    memory.open()
    try:
        engine.memory = memory.stream("", engine.backend)
        yield memory.stepped
    finally:
        engine.memory = None
        memory.close()
    if troubles:
        raise ModelError(f"memory: {troubles[0]}")


def open_video(
    item: Item, data: Path, tolerance_s: float = 0.05, hold_s: float | None = None
) -> FrameSource:
    """Open the item's video, from the first of its places that exists. Raises `InputError`."""
    place = next((data / v for v in item.videos if (data / v).is_file()), None)
    if place is None and item.packed is not None:
        place = data / item.videos[0]
        item.packed.write(place)
    if place is None:
        raise InputError(f"video {item.videos[0]} is not in {data}")
    return open_source(str(place), tolerance_s=tolerance_s, hold_s=hold_s)


def play(
    lockstep: Lockstep,
    item: Item,
    frames: Iterable[Frame],
    on_step: Callable[[Step], None] = lambda _: None,
) -> Prediction:
    """Play an item once, free-running; `on_step` is called with each step."""
    lockstep.reset()
    said: list[Spoken] = []
    turns = Turns(item.questions)
    waiting = deque(turns.in_order())
    together: deque[Question] = deque()  # questions of one chunk
    queued = False  # the first of them waits for its chunk to close
    asked: set[str] = set()
    beyond: set[str] = set()
    seconds: float = 0
    tolerance_ns = round(lockstep.engine.config.sampling.tolerance_s * NS)
    end = math.inf  # the video's length in chunks, once it is known

    def ends_with(last: Frame) -> None:
        """Take out the questions that come after the end, now that the frames have told it."""
        nonlocal end
        chunk = (last.stamp_ns + tolerance_ns) // NS
        end = chunk + 1
        beyond.update(turns.beyond_end(chunk) & {q.id for q in waiting})
        for q in [q for q in waiting if q.id in beyond]:
            waiting.remove(q)

    def questions(now_ns: int, late: bool) -> Iterator[Query]:
        """Yield the first of the questions whose chunk begins; with `late`, of all that are left.

        The others come right after it, about the same chunk (`asked_together`).
        """
        nonlocal queued
        while waiting and (late or _start_ns(waiting[0]) <= now_ns):
            together.append(waiting.popleft())
        if together and not queued and turns.ready(together[0], asked):
            queued = True
            yield query(together.popleft(), now_ns)

    def query(q: Question, now_ns: int) -> Query:
        return Query(turns.text(q, said), q.id, min(_start_ns(q), now_ns), q.kind)

    def asked_together(step: Step) -> Iterator[Step]:
        """Yield the step, and those of the other questions about its chunk.

        A chunk takes one question, and each further one is a turn of its own about the same chunk.
        So all of them see the same video, and each knows the answers before it.
        """
        take(step)
        yield step
        while step.question_id is not None and together and turns.ready(together[0], asked):
            further = lockstep.ask_now(query(together[0], step.chunk * NS))
            if further is None:
                return
            together.popleft()
            take(further)
            yield further

    def take(step: Step) -> None:
        nonlocal said, queued
        if step.question_id is not None:
            asked.add(step.question_id)
            queued = False
        said += spoken(step)

    def events() -> Iterator[Frame | Query]:
        """Yield the frames, and each question before the first frame of its chunk.

        A question whose text is known only later comes as soon as it is known.
        """
        frame: Frame | None = None
        for coming in itertools.chain(frames, (None,)):
            if (
                coming is not None
                and item.end_s is not None
                and coming.stamp_ns >= math.ceil(item.end_s) * NS
            ):
                coming = None
            if frame is not None:
                if coming is None:
                    ends_with(frame)
                yield from questions(frame.stamp_ns, coming is None)
                yield frame
            if coming is None:
                break
            frame = coming
        if frame is not None:
            for held in _frozen(frame, lambda: len(asked | beyond) < len(item.questions)):
                yield from questions(held.stamp_ns, True)
                yield held

    for first in drive(lockstep, events()):
        seconds = min(first.chunk + 1, end)
        for step in asked_together(first):
            on_step(step)
    never = [q.id for q in item.questions if q.id not in asked]
    return Prediction(
        item.id,
        tuple(said),
        seconds,
        tuple(id for id in never if id not in beyond),
        tuple(id for id in never if id in beyond),
    )


def spoken(step: Step) -> list[Spoken]:
    """Return the words of a step, at the end of its chunk."""
    r = step.response
    return (
        []
        if r is None
        else [Spoken(step.chunk + 1, r.text, r.query_id, step.question_id is not None)]
    )


def _start_ns(question: Question) -> int:
    return chunk_of(question.at_s) * NS


def _frozen(last: Frame, needed: Callable[[], bool]) -> Iterator[Frame]:
    """Repeat the last picture while questions wait, because the model failed on their chunk."""
    for k in range(1, 2 * FROZEN_S + 1):
        if not needed():
            return
        yield replace(last, stamp_ns=last.stamp_ns + k * NS // 2)
