"""Play whole days with memory, and restart one in its middle as if the power had failed."""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import signal
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aura_core.config import AssistantConfig
from aura_core.errors import ModelError
from aura_core.evaluation.memory import (
    MemoryReport,
    cost,
    figures,
    note_figures,
    notes_measured,
)
from aura_core.evaluation.memory_oracle import FORM
from aura_core.evaluation.memory_others import WAYS
from aura_core.evaluation.memory_questions import LAGS_S, DayQuestion, questions
from aura_core.evaluation.memory_run import MEMORY, Answered, Played, oracle, play
from aura_core.evaluation.statistics import proportion
from aura_core.memory.notes import Note, NoteKind
from aura_core.memory.recall import Recall
from aura_core.memory.store import Stats, Store
from aura_core.memory.wanted import Wanted
from aura_core.models.backend import Backend
from aura_core.orphans import end_with
from aura_core.sim.day import HOUR_S, Day
from aura_core.sim.memory import MemoryTalk
from aura_core.stream.notes import Block
from aura_core.types import NS, Step

if TYPE_CHECKING:
    from aura_core.live.memory import AssistantMemory

SETTLED_S = 120  # after a restart the window is short and a note may be lost
DOWN_S = 5  # seconds that a restart takes
KILL_SHARE = (0.45, 0.55)  # of the day, in which it is killed
POLL_S = 0.2

OnSecond = Callable[[int], None]
Complain = Callable[[str], None]


@dataclass(frozen=True)
class Asking:
    """What is asked in each day.

    Attributes:
        hours: length of a day.
        lags_s: how long ago what is asked about was.
        each: questions of a lag.
        never: questions about what did not happen.
        camera: "drawn" or "ideal".
    """

    hours: float = 12.0
    lags_s: tuple[float, ...] = LAGS_S
    each: int = 25
    never: int = 25
    camera: str = "drawn"

    def day(self, seed: int) -> tuple[Day, list[DayQuestion]]:
        """The day of a seed, and its questions."""
        day = Day.generate(seed, self.hours, self.camera)
        return day, questions(day, seed, self.lags_s, self.each, self.never)


@dataclass(frozen=True)
class Kept:
    """What the file of a day's notes holds at the end, and the notes of what was seen."""

    stats: Stats
    seen: list[Note]


class PerfectNotes:
    """The memory of a stream for which a perfect writer writes, in place of the model: what is
    wrong then is lost in reading."""

    def __init__(self, stream: Any, memory: AssistantMemory, day: Day) -> None:
        self._stream, self._memory, self._day = stream, memory, day

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def closed(self, block: Block) -> bool:
        """See `stream.notes.Memory`."""
        seconds = range(block.begin_ns // NS, block.end_ns // NS)
        events = [e for s in seconds for e in self._day.world.events_at(s)]
        self._memory.saw("", block, MemoryTalk(self._day.language).note(events))
        return True


@contextmanager
def remembering(
    config: AssistantConfig,
    backend: Backend,
    day: Day,
    path: Path,
    run: str,
    complain: Complain,
    begin: int = 0,
    tell: Callable[[Note], None] = lambda _: None,
) -> Iterator[tuple[AssistantMemory, Any]]:
    """A memory whose wall clock is the day's, and what its engine gets of it."""
    from aura_core.live.memory import AssistantMemory

    def wall(stamp_ns: int) -> int:
        return day.begins_wall_ns + max(stamp_ns, begin * NS)

    settings = replace(config.memory, path=str(path), language=day.language)
    memory = AssistantMemory(settings, run, complain, tell, wall, tz=day.begins.tzinfo)
    memory.open()
    if memory.trouble:
        raise ModelError(f"the day cannot be remembered: {memory.trouble}")
    try:
        yield memory, memory.stream("", backend)
    finally:
        memory.close()


def play_day(
    day: Day,
    plan: Sequence[DayQuestion],
    backend: Backend,
    config: AssistantConfig,
    path: Path,
    ways: Sequence[str] = WAYS,
    run: str = "day",
    begin: int = 0,
    on_second: OnSecond = lambda _: None,
    on_answer: Callable[[Answered], None] = lambda _: None,
    complain: Complain = lambda _: None,
    tell: Callable[[Note], None] = lambda _: None,
    perfect: bool = False,
    until: int | None = None,
) -> tuple[Played, Kept]:
    """Play one day, or its seconds `begin` to `until`, with its notes in `path`. `tell` is called
    with each note. `perfect`: the model writes none, see `PerfectNotes`."""
    with remembering(config, backend, day, path, run, complain, begin, tell) as (memory, stream):
        if perfect:
            stream = PerfectNotes(stream, memory, day)

        def noted(step: Step) -> None:
            memory.stepped(step)

        played = play(
            day,
            plan,
            backend,
            config,
            stream,
            ways,
            begin,
            until,
            on_second=on_second,
            on_answer=on_answer,
            on_step=noted,
        )
    return played, kept(path)


def kept(path: Path) -> Kept:
    """What a file of notes holds."""
    store = Store.open(path, read_only=True)
    try:
        stats = store.stats()
        seen = store.find(Wanted(kinds=(NoteKind.SEEN,), limit=-1))
    finally:
        store.close()
    return Kept(stats, seen)


def evaluate(
    backend: Backend,
    seeds: Sequence[int],
    config: AssistantConfig,
    asking: Asking | None = None,
    ways: Sequence[str] = WAYS,
    kill: bool = False,
    folder: Path | None = None,
    picture: Path | None = None,
    on_second: OnSecond = lambda _: None,
    complain: Complain = lambda _: None,
    perfect: bool = False,
    jobs: int = 1,
) -> MemoryReport:
    """Play the days of these seeds with memory, and the first hour of the first without.

    Args:
        backend: an opened model.
        seeds: one day each.
        config: settings of the engine and of memory.
        asking: what is asked.
        ways: other ways in which each question is answered too.
        kill: play the first day once more, killed in its middle and gone on with.
        folder: keeps the files of notes, one a seed; None: a temporary one.
        picture: where the picture of the first day is written; None: nowhere.
        on_second: called after each second that is played.
        complain: takes lines about troubles of memory.
        perfect: a perfect writer notes what happens, and not the model.
        jobs: processes that play days at the same time; each loads the model of `config`. 1: this
            process plays them with `backend`.
    """
    asking, started = asking or Asking(), time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="aura-days-") as temporary:
        where = folder or Path(temporary)
        where.mkdir(parents=True, exist_ok=True)
        settings = _Settings(config, asking, where, tuple(ways), perfect)
        if jobs > 1 and len(seeds) > 1:
            both = _together(seeds, settings, min(jobs, len(seeds)), on_second, complain)
        else:
            both = [_whole(backend, seed, settings, on_second, complain) for seed in seeds]
        days, files = [p for p, _ in both], [f for _, f in both]
        restart: dict[str, object] = {}
        if picture is not None:
            title = f"{config.model.path}: a simulated day, seed {seeds[0]}"
            draw(picture, settings.file(seeds[0]), days[0], title)
        if kill:
            path = where / f"killed-{seeds[0]}.db"
            restart = killed(seeds[0], config, asking, path, days[0].answered, on_second)
        day, plan = asking.day(seeds[0])
        hour = min(HOUR_S, day.seconds)
        without = play(day, plan, backend, config, None, (), end=hour, on_second=on_second)
    answered = [a for p in days for a in p.answered]
    found = figures(answered)
    found |= notes_measured(note_figures(p.day, f.seen) for p, f in zip(days, files, strict=True))
    return MemoryReport(
        found,
        tuple(answered),
        asking.hours,
        len(days),
        time.perf_counter() - started,
        cost(days, [f.stats for f in files], without),
        restart,
    )


@dataclass(frozen=True)
class _Settings:
    """How whole days are played."""

    config: AssistantConfig
    asking: Asking
    folder: Path
    ways: tuple[str, ...]
    perfect: bool

    def file(self, seed: int) -> Path:
        """The file of the notes of a day."""
        return self.folder / f"day-{seed}.db"


def _whole(
    backend: Backend, seed: int, settings: _Settings, on_second: OnSecond, complain: Complain
) -> tuple[Played, Kept]:
    day, plan = settings.asking.day(seed)
    path = settings.file(seed)
    remove(path)
    return play_day(
        day,
        plan,
        backend,
        settings.config,
        path,
        settings.ways,
        f"d{seed}",
        on_second=on_second,
        complain=complain,
        perfect=settings.perfect,
    )


def _together(
    seeds: Sequence[int], settings: _Settings, jobs: int, on_second: OnSecond, complain: Complain
) -> list[tuple[Played, Kept]]:
    """The days in processes of their own, some at the same time. In order of the seeds."""
    context = multiprocessing.get_context("spawn")
    news: Any = context.SimpleQueue()
    with ProcessPoolExecutor(jobs, context, _worker, (news, os.getpid())) as pool:
        waiting = [pool.submit(_work, seed, settings) for seed in seeds]
        while not all(f.done() for f in waiting) or not news.empty():
            if news.empty():
                time.sleep(POLL_S)
                continue
            new = news.get()
            if isinstance(new, str):
                complain(new)
            else:
                on_second(new)
        try:
            return [f.result() for f in waiting]
        except BrokenProcessPool as e:
            raise ModelError(
                "a process that plays a day ended too early: it was killed (for memory, where fewer"
                " --jobs help, or by hand)"
            ) from e


_news: Any = None  # of a process of `_together`: takes its seconds, and lines about troubles


def _worker(news: Any, parent: int) -> None:
    global _news
    _news = news
    end_with(parent)


def _work(seed: int, settings: _Settings) -> tuple[Played, Kept]:
    from aura_core.models import load

    backend = load(settings.config.model, settings.config.server)
    return _whole(backend, seed, settings, _news.put, _news.put)


def draw(picture: Path, notes: Path, played: Played, title: str) -> None:
    """Write the picture of a day: its notes, and its answers compared with the truth."""
    from aura_core.live.day_picture import write

    store = Store.open(notes, read_only=True)
    try:
        found = store.find(Wanted(limit=-1, thumbnails=True))
    finally:
        store.close()
    truths = {a.asked.id: a.asked.asked.answer for a in played.answered}
    write(picture, found, title, played.day.begins.tzinfo, truths)


def evaluate_oracle(
    seeds: Sequence[int],
    config: AssistantConfig,
    asking: Asking | None = None,
) -> MemoryReport:
    """The same days with perfect notes and a perfect reader: the search alone, without a model."""
    asking = asking or Asking()
    started, answered = time.perf_counter(), []
    for seed in seeds:
        day, plan = asking.day(seed)
        store = Store.open(":memory:")
        search = Recall(store, config.memory, FORM, tz=day.begins.tzinfo, count=_words)
        answered += oracle(day, plan, store, search)
        store.close()
    return MemoryReport(
        figures(answered),
        tuple(answered),
        asking.hours,
        len(seeds),
        time.perf_counter() - started,
    )


def _words(text: str) -> int:
    """A model's tokens, roughly."""
    return len(text.split()) if text.isascii() else len(text)


# ---- the restart -------------------------------------------------------------------------------


def killed(
    seed: int,
    config: AssistantConfig,
    asking: Asking,
    path: Path,
    whole: Sequence[Answered],
    on_second: OnSecond = lambda _: None,
) -> dict[str, object]:
    """Play a day in a process that is killed (-9) in the middle; another goes on with its file.

    Args:
        seed: of the day.
        config: settings.
        asking: what is asked.
        path: the file of the notes; it is made anew.
        whole: the answers of the same day without a restart.
        on_second: called after each second that is played.

    Returns:
        When it was killed, and which answers are the same as without.
    """
    remove(path)
    day, _ = asking.day(seed)
    share = random.Random(seed).uniform(*KILL_SHARE)
    at = round(day.seconds * share)
    first, died = _child(seed, config, asking, path, 0, at, on_second)
    second, _ = _child(seed, config, asking, path, died + 1 + DOWN_S, None, on_second)
    told = first | second
    pairs = [(a, told[a.asked.id]) for a in whole if a.asked.id in told]
    after = [(a, t) for a, t in pairs if a.asked.chunk > died + SETTLED_S]
    store = Store.open(path)
    try:
        wrong = store.check()
    finally:
        store.close()
    same = sum(a.said[MEMORY] == t for a, t in after)
    return {
        "killed_at_s": died,
        "integrity": wrong or "ok",
        "asked_after": len(after),
        "same_answer": proportion(same, len(after)).as_json(),
        "exact_after": proportion(
            sum(t == a.asked.asked.answer for a, t in after), len(after)
        ).as_json(),
        "exact_after_without_restart": proportion(
            sum(a.right() for a, _ in after), len(after)
        ).as_json(),
        "other": [
            {"question": a.asked.asked.text, "whole": a.said[MEMORY], "restarted": t}
            for a, t in after
            if a.said[MEMORY] != t
        ],
    }


def _child(
    seed: int,
    config: AssistantConfig,
    asking: Asking,
    path: Path,
    begin: int,
    kill_at: int | None,
    on_second: OnSecond,
) -> tuple[dict[str, str], int]:
    """Play in a process of its own. Returns its answers by the question's id, and the last second
    that it told before it ended or was killed."""
    lines = path.with_name(f"{path.stem}-{begin}.jsonl")
    lines.unlink(missing_ok=True)
    context = multiprocessing.get_context("spawn")
    process = context.Process(target=_play_on, args=(seed, config, asking, path, begin, lines))
    process.start()
    assert process.pid is not None
    last, told = -1, {}
    while True:
        running = process.is_alive()
        for second, answers in _read(lines):
            told |= answers
            for s in range(max(last + 1, begin), second + 1):
                on_second(s)
            last = max(last, second)
        if not running:
            break
        if kill_at is not None and last >= kill_at:
            os.kill(process.pid, signal.SIGKILL)
            kill_at = None
        time.sleep(POLL_S)
    process.join()
    if process.exitcode not in (0, -signal.SIGKILL):
        raise ModelError(f"the day of seed {seed} ended with code {process.exitcode}")
    return told, last


def _read(lines: Path) -> Iterator[tuple[int, dict[str, str]]]:
    if not lines.exists():
        return
    for line in lines.read_text(encoding="utf-8").splitlines(keepends=True):
        if line.endswith("\n"):  # the last one may be cut off
            row = json.loads(line)
            yield row["second"], row["said"]


def _play_on(
    seed: int, config: AssistantConfig, asking: Asking, path: Path, begin: int, lines: Path
) -> None:
    """The work of the process."""
    from aura_core.models import load

    day, plan = asking.day(seed)
    backend = load(config.model, config.server)
    said: dict[str, str] = {}
    with lines.open("w", encoding="utf-8") as out:

        def tell(second: int) -> None:
            if second % 10 == 0 or said or second == day.seconds - 1:
                row = {"second": second, "said": said}
                out.write(json.dumps(row, ensure_ascii=False) + "\n")
                out.flush()
                said.clear()

        def keep(answered: Answered) -> None:
            said[answered.asked.id] = answered.said[MEMORY]

        play_day(
            day,
            plan,
            backend,
            config,
            path,
            (),
            f"k{seed}-{begin}",
            begin,
            on_second=tell,
            on_answer=keep,
        )


def remove(path: Path) -> None:
    """Delete a file of notes, with what SQLite keeps beside it."""
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
