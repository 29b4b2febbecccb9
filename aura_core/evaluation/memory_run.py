"""Play a simulated day: the engine with memory in lockstep, and the questions in their seconds."""

from __future__ import annotations

import operator
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from aura_core.bench.engine import resident_kb
from aura_core.config import AssistantConfig
from aura_core.evaluation.memory_oracle import BLOCK_S, answer, notes
from aura_core.evaluation.memory_others import WAYS, Instant, Others
from aura_core.evaluation.memory_questions import DayQuestion
from aura_core.memory.notes import Note, NoteKind
from aura_core.models.backend import Backend, Seen
from aura_core.replay.lockstep import Lockstep
from aura_core.sim.day import HOUR_S, Day, Film
from aura_core.stream.engine import StreamEngine
from aura_core.stream.generation import OnText
from aura_core.stream.notes import Memory, Remembered
from aura_core.types import NS, Chunk, Query, Step

MEMORY = "memory"  # the run's own answer
RSS_EVERY_S = 300
NO_MEMORY = Remembered("", "")


@dataclass(frozen=True)
class Answered:
    """One question, and what was said.

    Attributes:
        asked: the question.
        said: the answer by way: "memory" in the run, and `memory_others.WAYS`.
        opened: memory was asked: the gate was open.
        text: what memory told before the question.
        evidence: (from, to) in seconds of the day, of each note in it.
    """

    asked: DayQuestion
    said: dict[str, str]
    opened: bool
    text: str
    evidence: tuple[tuple[float, float], ...]

    def right(self, way: str = MEMORY) -> bool:
        """Whether the answer is true, word for word."""
        return self.said.get(way) == self.asked.asked.answer

    @property
    def found(self) -> bool | None:
        """Whether every note that the answer needs was found; None where there is nothing to find.

        That is the newest note of what is asked about; the first one where the first is asked for;
        and all of them for what happened around a time.
        """
        events = self.asked.evidence
        if not events:
            return None
        kind = self.asked.asked.kind
        needed = events[:1] if kind.startswith("first") else events[-1:]
        if kind == "around":
            needed = events
        return all(any(b <= e < t for b, t in self.evidence) for e in needed)

    def as_json(self) -> dict[str, object]:
        """The question with all its answers."""
        q = self.asked.asked
        return {
            "id": self.asked.id,
            "at_s": self.asked.chunk,
            "lag_s": self.asked.lag_s,
            "kind": q.kind,
            "language": self.asked.language,
            "unseen": q.unseen,
            "question": q.text,
            "truth": q.answer,
            "happened_s": list(self.asked.evidence),
            "said": self.said,
            "opened": self.opened,
            "told": self.text,
            "notes_s": [list(span) for span in self.evidence],
        }


@dataclass
class Played:
    """What one day gave. Times are in seconds of the day."""

    day: Day
    answered: list[Answered] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)  # those that a model has written
    # silent seconds after a silent one: second, milliseconds, tokens
    steps: list[tuple[int, float, int]] = field(default_factory=list)
    alarms: int = 0  # seconds with words that nobody asked for
    background: dict[str, int] = field(default_factory=dict)  # tokens: shadow, notes
    first_hour: dict[str, int] = field(default_factory=dict)  # the same, at the end of it
    rss: list[tuple[int, float]] = field(default_factory=list)  # chunk, kB
    wall_s: float = 0.0
    encoded: int = 0  # chunks that the vision encoder saw


class Search(Protocol):
    """The part of `memory.recall.Recall` that the oracle uses."""

    def find(self, question: str, now_wall_ns: int, stream: str | None = None) -> Any:
        """What is found; None where memory is not asked."""
        ...


class Stills:
    """A backend that encodes the very same pictures once: where nothing happens a day shows them
    again and again. It is exact."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._known: tuple[tuple[Any, ...], Seen] | None = None
        self.encoded = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._backend, name)

    def encode(self, chunk: Chunk) -> Seen:
        """See `Backend.encode`."""
        images = tuple(frame.image for frame in chunk.frames)
        known, encoded = self._known or ((), None)
        same = len(images) == len(known) and all(map(operator.is_, images, known))
        if encoded is not None and same:
            return encoded
        seen = self._backend.encode(chunk)
        self._known = images, seen
        self.encoded += 1
        return seen


class Watched:
    """A memory that tells what it recalled last; everything else is the memory's."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self.told: Remembered | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._memory, name)

    def recall(self, query: Query, stamp_ns: int) -> Remembered:
        """See `Memory.recall`."""
        self.told = self._memory.recall(query, stamp_ns)
        return self.told


class _Engine(StreamEngine):
    """An engine that keeps the window on which each question was decided."""

    instant: tuple[Instant, Chunk] | None = None

    def step(
        self,
        chunk: Chunk,
        query: Query | None = None,
        on_text: OnText | None = None,
        newest: Callable[[], Chunk | None] = lambda: None,
    ) -> Step:
        """See `StreamEngine.step`."""
        if query is not None:
            self.instant = Instant.of(self), chunk
        return super().step(chunk, query, on_text, newest)


def play(
    day: Day,
    plan: Sequence[DayQuestion],
    backend: Backend,
    config: AssistantConfig,
    memory: Memory | None,
    ways: Sequence[str] = WAYS,
    begin: int = 0,
    end: int | None = None,
    on_second: Callable[[int], None] = lambda _: None,
    on_answer: Callable[[Answered], None] = lambda _: None,
    on_step: Callable[[Step], None] = lambda _: None,
) -> Played:
    """Play the day from second `begin` to `end` in lockstep; nothing waits for a clock.

    Args:
        day: what happens.
        plan: what is asked, each in its second; what lies outside is left out.
        backend: an opened model.
        config: settings of the engine.
        memory: takes notes and tells them; its wall clock is the day's. None: none.
        ways: other ways in which each question is answered too.
        begin, end: seconds of the day.
        on_second, on_answer: called after each second, and after each answer.
        on_step: called after each step.
    """
    stills, out, started = Stills(backend), Played(day), time.perf_counter()
    watched = None if memory is None else Watched(memory)
    engine = _Engine(stills, config, memory=watched)
    lockstep, film, others = Lockstep(engine, at_once=False), Film(day), Others(engine)
    end = day.seconds if end is None else min(end, day.seconds)
    asks = {q.chunk: q for q in plan if begin <= q.chunk < end}
    ids: dict[str, DayQuestion] = {}
    silent = False  # the step before

    def spent() -> dict[str, int]:
        shadow, noted = engine.policy.counters.background_tokens, engine.asides.counters.tokens
        return {"shadow": shadow, "notes": noted}

    def take(step: Step) -> None:
        nonlocal silent
        second, before, silent = step.stamp_ns // NS, silent, step.response is None
        if second < begin + HOUR_S:
            out.first_hour = spent()
        on_step(step)
        if step.question_id in ids:
            answered = _answered(ids[step.question_id], step, engine, watched, others, ways)
            out.answered.append(answered)
            on_answer(answered)
        elif step.response is not None:
            out.alarms += 1
        elif before and not step.switched:
            out.steps.append((second, step.step_ms, step.prefill_tokens))
        if second % RSS_EVERY_S == 0:
            out.rss.append((second, resident_kb()))
        on_second(second)

    for chunk in range(begin, end):
        if chunk in asks:
            query = lockstep.ask(Query(asks[chunk].asked.text, asks[chunk].id, chunk * NS))
            ids[query.id] = asks[chunk]
        for frame in film.frames(chunk):
            lockstep.push(frame)
            for step in lockstep.steps():
                take(step)
    lockstep.flush()
    for step in lockstep.steps():
        take(step)
    out.background = spent()
    out.encoded, out.wall_s = stills.encoded, time.perf_counter() - started
    return out


def _answered(
    asked: DayQuestion,
    step: Step,
    engine: _Engine,
    watched: Watched | None,
    others: Others,
    ways: Sequence[str],
) -> Answered:
    told = NO_MEMORY if watched is None or watched.told is None else watched.told
    if not told.question:
        told = Remembered("", asked.asked.text)
    said = {MEMORY: step.response.text if step.response else ""}
    if engine.instant is not None:
        instant, chunk = engine.instant
        video = engine.backend.encode(chunk)
        query = Query(asked.asked.text, asked.id, chunk.stamp_ns)
        for way in ways:
            said[way] = others.answer(instant, chunk.index, video, query, told, way)
    spans = tuple((e.begin_ns / NS, e.end_ns / NS) for e in told.evidence)
    return Answered(asked, said, bool(told.text), told.text, spans)


def oracle(
    day: Day, plan: Sequence[DayQuestion], store: Any, search: Search, run: str = "oracle"
) -> Iterator[Answered]:
    """Answer every question with perfect notes and a perfect reader, see `memory_oracle`.

    Args:
        day: what happened.
        plan: the questions, in order.
        store: takes the notes (`memory.store.Store`).
        search: finds them again.
        run: name of the run, for the ids of the notes.
    """
    waiting = list(notes(day, run))
    for q in plan:
        now_ns = day.begins_wall_ns + q.chunk * NS
        written = [n for n in waiting if n.wall_ns + BLOCK_S * NS // 5 <= now_ns]
        store.add(written)
        waiting = waiting[len(written) :]
        recalled = search.find(q.asked.text, now_ns)
        text = "" if recalled is None else recalled.text
        said = answer(q.asked, text, q.language)
        spans = [] if recalled is None else recalled.notes
        evidence = tuple((n.begin_ns / NS, n.end_ns / NS) for n in spans)
        yield Answered(q, {MEMORY: said}, recalled is not None, text, evidence)
        store.add([_question_note(q, said, now_ns, run)])


def _question_note(q: DayQuestion, said: str, now_ns: int, run: str) -> Note:
    """What the engine notes about a question and its answer."""
    at = q.chunk * NS
    return Note(
        f"{run}-q{q.id}", NoteKind.QUESTION, said, at, at + NS, now_ns, run, question=q.asked.text
    )


def rss_slope(rss: Sequence[tuple[int, float]]) -> float:
    """Growth of the resident memory in the second half [kB an hour]; NaN for too few samples."""
    later = rss[len(rss) // 2 :]
    if len(later) < 4:
        return float("nan")
    seconds, kb = np.array(later, float).T
    return float(np.polyfit(seconds, kb, 1)[0] * 3600)
