"""Clocks that are set: order, age and retention of notes follow what happened, not the clock."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aura_core.config import MemoryConfig
from aura_core.live.memory import AssistantMemory
from aura_core.memory import clock, recorder, schema
from aura_core.memory.clock import ClockWatch
from aura_core.memory.form import PLAIN
from aura_core.memory.notes import Note, NoteKind
from aura_core.memory.recall import Recall
from aura_core.memory.store import Store, Wanted
from aura_core.memory.tiers import Tiers
from aura_core.models.scripted import ScriptedBackend
from aura_core.stream.notes import Block
from aura_core.types import NS, Frame

MINUTE, HOUR, DAY, YEAR = 60.0, 3600.0, 86_400.0, 365 * 86_400.0
NOON = datetime(2026, 11, 28, 12, 0, tzinfo=UTC).timestamp()


class Machine:
    """A machine that takes notes. `true_s` is the true time, `wrong_s` how far its clock is ahead
    of that."""

    def __init__(self, wrong_s: float = 0.0, store: Store | None = None) -> None:
        self.store = store or Store.open(":memory:")
        self.true_s, self.wrong_s = NOON, wrong_s
        self.runs = 0
        self.taken: list[tuple[str, float, float]] = []  # text, true time, time on the clock
        self.boot()

    @property
    def now_s(self) -> float:
        return self.true_s + self.wrong_s

    @property
    def now_ns(self) -> int:
        return round(self.now_s * NS)

    def boot(self, off_s: float = 0.0, wrong_s: float | None = None) -> None:
        """The machine is off for a time, and then a run begins."""
        self.true_s += off_s
        self.wrong_s = self.wrong_s if wrong_s is None else wrong_s
        self.runs += 1
        self.store.begin_run(self.now_ns)

    def set_clock(self, wrong_s: float) -> None:
        by_s, self.wrong_s = wrong_s - self.wrong_s, wrong_s
        self.store.clock_was_set(round(by_s * NS), self.now_ns, f"run{self.runs}")

    def note(self, count: int = 1, every_s: float = MINUTE) -> None:
        for _ in range(count):
            self.true_s += every_s
            n, end_ns = len(self.taken), round(self.true_s * NS)
            note = Note(
                f"n{n}",
                NoteKind.SEEN,
                f"cat number {n} came",
                end_ns - 10 * NS,
                end_ns,
                self.now_ns,
                f"run{self.runs}",
                picture=b"picture %d" % n,
            )
            self.store.add([note], [np.full(4, n, np.float32)])
            self.taken.append((note.text, self.true_s, self.now_s))

    def found(self) -> list[Note]:
        return self.store.find(Wanted(limit=-1))

    def ages(self) -> list[float]:
        """How old notes are told to be, less how old they are."""
        truth = [self.true_s - true_s for _, true_s, _ in self.taken]
        told = [(self.now_ns - n.wall_ns) / NS for n in self.found()]
        return [a - b for a, b in zip(told, truth, strict=True)]

    def sound(self) -> None:
        """Everything that must hold of any clock."""
        notes = self.found()
        assert [n.text for n in notes] == [text for text, _, _ in self.taken]
        shown = [round(n.shown_wall_ns / NS) for n in notes]
        assert shown == [round(s) for _, _, s in self.taken]
        assert all(n.wall_ns <= self.now_ns for n in notes)  # nothing is of the future
        for i, n in enumerate(notes):
            assert self.store.picture(n.id) == b"picture %d" % i
        ids, vectors = self.store.vectors()
        assert ids == [n.id for n in notes] and [v[0] for v in vectors] == [*range(len(notes))]
        assert len(self.store.find(Wanted(terms=("cat",), limit=-1))) == len(notes)
        assert len(self.store.find(Wanted(substring="cat num", limit=-1))) == len(notes)
        assert self.store.check() == []


def test_a_clock_that_is_set_back_changes_no_order_and_no_age() -> None:
    machine = Machine(wrong_s=HOUR)
    machine.note(30)
    machine.set_clock(0.0)
    machine.note(30)
    machine.sound()
    assert max(map(abs, machine.ages())) < 1


def test_a_clock_that_is_set_forward_changes_no_age() -> None:
    machine = Machine(wrong_s=-HOUR)
    machine.note(30)
    machine.set_clock(0.0)
    machine.note(30)
    machine.sound()
    assert max(map(abs, machine.ages())) < 1


@pytest.mark.parametrize("wrong_s", [-50 * YEAR, -40 * DAY, 40 * DAY, 10 * YEAR])
def test_new_notes_of_a_clock_that_was_wrong_are_not_old_ones(wrong_s: float) -> None:
    """A robot without a clock boots in 1970, and its notes of a minute ago were deleted as old."""
    machine = Machine(wrong_s=0.0)
    machine.note(5)
    machine.boot(HOUR, wrong_s)
    machine.note(5)
    machine.sound()
    machine.set_clock(0.0)
    machine.note(5)
    machine.sound()
    assert max(map(abs, machine.ages())) < 1
    assert machine.store.trim(30.0, 1000.0, machine.now_ns) == 0
    machine.true_s += 30 * DAY - 5 * MINUTE + 30
    assert machine.store.trim(30.0, 1000.0, machine.now_ns) == 10  # and none is kept for ever
    assert len(machine.found()) == 5


def test_the_first_notes_of_a_fresh_file_may_be_of_1970() -> None:
    machine = Machine(wrong_s=-NOON)
    machine.note(5)
    machine.set_clock(0.0)
    machine.sound()
    assert machine.store.trim(30.0, 1000.0, machine.now_ns) == 0
    assert max(map(abs, machine.ages())) < 1


def test_a_run_of_an_earlier_clock_comes_after_those_before_it() -> None:
    machine = Machine()
    machine.note(10)
    machine.boot(MINUTE, -2 * HOUR)  # the battery of its clock is empty
    machine.note(10)
    machine.sound()
    machine.set_clock(0.0)
    machine.note(10)
    machine.sound()
    assert max(map(abs, machine.ages())) < 1


def test_a_run_whose_clock_was_years_ahead_does_not_make_others_old() -> None:
    machine = Machine()
    machine.note(10)
    machine.boot(HOUR, 10 * YEAR)
    machine.note(10)
    machine.boot(HOUR, 0.0)  # nobody knows when that run was: between the others
    machine.note(10)
    machine.sound()
    assert max(map(abs, machine.ages())) < 3 * HOUR
    assert machine.store.trim(30.0, 1000.0, machine.now_ns) == 0
    machine.true_s += 31 * DAY
    assert machine.store.trim(30.0, 1000.0, machine.now_ns) == 30


def test_a_machine_that_always_boots_in_1970_keeps_the_order() -> None:
    machine = Machine(wrong_s=-NOON)
    for _ in range(40):
        machine.note(2, every_s=HOUR)
        machine.boot(MINUTE, MINUTE - machine.true_s)
    machine.sound()
    assert machine.store.trim(30.0, 1000.0, machine.now_ns) == 0


def test_full_files_lose_the_oldest_notes_whatever_the_clock_said() -> None:
    machine = Machine(wrong_s=HOUR)
    machine.note(20)
    machine.set_clock(0.0)
    machine.note(20)
    size = 1.0
    while machine.store.trim(30.0, size, machine.now_ns) == 0:
        size -= 0.002
    left = [n.text for n in machine.found()]
    assert 0 < len(left) < 40 and left == [text for text, _, _ in machine.taken][-len(left) :]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(("set", "boot", "note")),
            st.sampled_from(
                (
                    0.0,
                    0.2,
                    -3.0,
                    30.0,
                    -HOUR,
                    2 * HOUR,
                    -3 * DAY,
                    3 * DAY,
                    -9 * YEAR,
                    9 * YEAR,
                    -NOON,
                )
            ),
        ),
        max_size=8,
    )
)
def test_any_clock(events: list[tuple[str, float]]) -> None:
    machine = Machine()
    for what, seconds in events:
        if what == "set":
            machine.set_clock(seconds)
        elif what == "boot":
            machine.boot(10.0, seconds)
        else:
            machine.note(3, every_s=20.0)
        machine.note()
    machine.sound()


def test_a_month_of_small_corrections_changes_no_order() -> None:
    machine = Machine()
    rng = np.random.default_rng(1)
    for _ in range(60):
        machine.note(2, every_s=0.3)
        machine.set_clock(float(rng.normal(0.0, 1.0)))
    machine.sound()
    assert max(map(abs, machine.ages())) < 10


# ---- what is told --------------------------------------------------------------------------------


def words(text: str) -> int:
    return len(text.split())


def test_ten_minutes_ago_is_ten_minutes_ago_on_any_clock() -> None:
    machine = Machine(wrong_s=HOUR)
    machine.note(30)
    machine.set_clock(0.0)
    machine.note(5)
    recall = Recall(machine.store, MemoryConfig(recall_notes=40), PLAIN, None, UTC, words)
    found = recall.find("what happened ten minutes ago?", machine.now_ns)
    assert found is not None
    assert {n.text for n in found.notes} >= {"cat number 24 came"}
    assert all(abs(int(n.id[1:]) - 24) <= 3 for n in found.notes)
    assert "- 10 minutes ago (13:25): cat number 24 came\n" in found.text  # as it was shown
    newest = recall.find("when did the cat last come?", machine.now_ns)
    assert newest is not None and newest.notes[-1].text == "cat number 34 came"
    assert newest.text.endswith("- just now (12:35): cat number 34 came\n")


def test_the_text_before_the_video_follows_the_stream() -> None:
    machine = Machine(wrong_s=HOUR)
    machine.note(5)
    machine.set_clock(0.0)
    machine.note(5)
    own = replace(PLAIN, merges=None)
    text = Tiers(machine.store, MemoryConfig(), own, UTC, words).text(machine.now_ns)
    told = [line.split(": ")[1] for line in text.splitlines()[1:-1]]
    assert told == [text for text, _, _ in machine.taken]
    assert "- 13:05: cat number 4 came" in text


def test_what_was_shown_as_of_a_time_is_forgotten_with_that_time() -> None:
    machine = Machine(wrong_s=HOUR)
    machine.note(10)
    machine.set_clock(0.0)
    machine.note(10)
    shown_ns = round((NOON + HOUR) * NS)  # on the clock: 13:00 to 13:05
    assert (
        machine.store.forget(Wanted(begin_wall_ns=shown_ns, end_wall_ns=shown_ns + 295 * NS)) == 5
    )
    assert machine.found()[0].text == "cat number 5 came"
    by_now_ns = round((NOON + 5 * MINUTE) * NS)  # by the clock as it is now
    assert machine.store.forget(Wanted(end_wall_ns=by_now_ns + 5 * MINUTE * NS)) == 5
    assert [n.text for n in machine.found()] == [t for t, _, _ in machine.taken[10:]]
    assert machine.store.check() == []


def test_an_older_file_has_times_as_they_were(tmp_path: Path) -> None:
    path = tmp_path / "notes.db"
    machine = Machine(store=Store.open(path))
    machine.note(3)
    with machine.store._transaction() as db:  # as version 1 has it
        db.execute("ALTER TABLE note DROP COLUMN shown_ns")
        db.execute("PRAGMA user_version = 1")
    machine.store.close()
    machine.store = Store.open(path)
    machine.sound()
    assert schema.VERSION >= 2
    machine.store.close()


# ---- noticing it ---------------------------------------------------------------------------------


def test_a_clock_that_is_disciplined_or_a_machine_that_sleeps_is_not_set() -> None:
    apart = [0]
    watch = ClockWatch(lambda: apart[0])
    for _ in range(1000):
        apart[0] += 500_000  # 500 ppm in a second
        assert watch.set_by() == 0
    apart[0] -= 2 * NS
    assert watch.set_by() == -2 * NS and watch.set_by() == 0
    if hasattr(time, "CLOCK_BOOTTIME"):  # it counts while the machine sleeps
        assert abs(clock.steady_ns() - time.clock_gettime_ns(time.CLOCK_BOOTTIME)) < NS


@pytest.fixture
def shift(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """By how much the machine's clock was set."""
    by, real = [0], time.time_ns
    monkeypatch.setattr(time, "time_ns", lambda: real() + by[0])
    yield by


@pytest.mark.parametrize("by_ns", [-3600 * NS, 3600 * NS])
def test_an_assistant_notices_that_the_clock_was_set(shift: list[int], by_ns: int) -> None:
    own = AssistantMemory(MemoryConfig(":memory:"), "run", print)
    own.open()
    stream = own.stream("", ScriptedBackend())
    picture = Frame(np.zeros((8, 8, 3), np.uint8), 0)

    def block(n: int) -> Block:
        return Block(n, n, 0, NS // 1000, stream.wall_ns(0), (picture,))

    own.saw("", block(0), "one")
    own.saw("", block(1), "two")
    late = block(2)
    shift[0] = by_ns
    own.saw("", late, "three")  # its block had closed before
    own.saw("", block(3), "four")
    assert own.recorder is not None and own.recorder.flush()
    assert own.store is not None
    notes = [n for n in own.store.find(Wanted()) if n.kind is NoteKind.SEEN]
    assert [n.text for n in notes] == ["one", "two", "three", "four"]
    now_ns = time.time_ns()
    assert all(0 <= now_ns - n.wall_ns < 60 * NS for n in notes)
    assert all(abs(now_ns - by_ns - n.shown_wall_ns) < 60 * NS for n in notes[:3])
    own.close()


def test_a_clock_that_is_set_while_nothing_can_be_written_is_told_later(shift: list[int]) -> None:
    own = AssistantMemory(MemoryConfig(":memory:"), "run", print)
    own.open()
    stream = own.stream("", ScriptedBackend())
    assert own.recorder is not None and own.recorder.flush() and own.store is not None
    own.recorder._trouble = "no space left"
    shift[0] = -3600 * NS
    stream.wall_ns(0)
    assert schema.number(own.store._reader, "ahead") == 0
    own.recorder._trouble = ""
    stream.wall_ns(0)
    stream.wall_ns(0)
    ahead = schema.number(own.store._reader, "ahead")
    assert abs(ahead - 3600 * NS) < NS
    own.close()


def test_without_a_picture_nothing_is_deleted_of_a_clock_that_was_set(
    shift: list[int], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A robot booted in 1970, its camera sent nothing, NTP came, and all notes were too old."""
    monkeypatch.setattr(recorder, "FIRST_TRIM_S", 0.5)
    monkeypatch.setattr(recorder, "TRIM_S", 0.2)
    path = tmp_path / "notes.db"
    store = Store.open(path)
    now_ns = time.time_ns()
    store.add([Note("n1", NoteKind.SEEN, "the cat came", 0, 0, now_ns - 60 * NS, "run")])
    store.close()
    shift[0] = -now_ns + 100 * NS  # since the UNIX epoch
    own = AssistantMemory(MemoryConfig(str(path)), "next", print)
    own.open()
    assert own.recorder is not None and own.recorder.flush() and own.store is not None
    shift[0] = 0
    trimmed = threading.Event()
    trims = iter(range(100))
    trim = Store.trim

    def counted(*args: object) -> int:
        if next(trims) == 1:
            trimmed.set()
        return trim(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(Store, "trim", counted)
    assert trimmed.wait(20.0)
    assert own.store.get("n1") is not None
    assert schema.number(own.store._reader, "ahead") == 0
    own.close()
