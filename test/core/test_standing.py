"""A picture stands until the next one, and stamps that do not tell the time: bags and live."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from bags import IMAGE, MS, START, STRING, S, T, image, raw_bag
from hypothesis import given
from hypothesis import strategies as st

from aura_core.config import SamplingConfig
from aura_core.live import inbox as inbox_module
from aura_core.live.inbox import Inbox, convert
from aura_core.models.scripted import ScriptedBackend
from aura_core.replay.bag import Bag
from aura_core.replay.lockstep import Lockstep, drive
from aura_core.stream.engine import StreamEngine
from aura_core.stream.intake import Intake
from aura_core.stream.sampling import ChunkSampler, Slots, StampClock
from aura_core.types import Chunk, Frame, Query

DAY = 86_400 * S
BLACK = np.zeros((1, 1, 3), np.uint8)


def bag_of(path: Path, *messages: tuple[int, int, int] | tuple[int, str]) -> Path:
    """A bag of images (header ms, bag ms, level) and questions (bag ms, text), from `START`."""
    written = []
    for m in messages:
        if len(m) == 3:
            stamp, came, level = m
            made = image(START + stamp * MS, level=level)
            written.append(("/image_raw", IMAGE, START + came * MS, made))
        else:
            written.append(("/asr/text", STRING, START + m[0] * MS, T[STRING](m[1])))
    return raw_bag(path, written)


def seen(path: Path, hold_s: float | None = None) -> list[tuple[int, int] | str]:
    """(stamp in ms, level) of each frame, and the questions between them."""
    with Bag(path, hold_s=hold_s) as bag:
        return [
            e.text if isinstance(e, Query) else ((e.stamp_ns - START) // MS, int(e.image.mean()))
            for e in bag.events()
        ]


def test_a_picture_of_a_bag_stands_until_the_next_one(tmp_path):
    bag = bag_of(
        tmp_path / "bag",
        (0, 0, 10),
        (300, 300, 20),
        (2100, "now?"),
        (4000, 4000, 30),
        (5000, "end?"),
    )
    assert seen(bag) == [
        (0, 10),
        (500, 20),  # the newest picture, though it was not taken for a slot of its own
        (1000, 20),
        (1500, 20),
        "now?",
        (2000, 20),
        (2500, 20),
        (3000, 20),
        (3500, 20),
        (4000, 30),
        "end?",  # no next picture tells that this one stood
    ]
    assert seen(bag, hold_s=1.0) == [
        *((0, 10), (500, 20), (1000, 20), "now?", (4000, 30), "end?"),
    ]
    assert seen(bag, hold_s=0.0) == [(0, 10), "now?", (4000, 30), "end?"]


def test_one_stamp_that_is_a_day_ahead_adds_no_day(tmp_path):
    day = DAY // MS
    late = [(500 * k + (day if k == 5 else 0), 500 * k, k) for k in range(12)]
    bag = bag_of(tmp_path / "bag", *late)
    frames = [e for e in seen(bag) if not isinstance(e, str)]
    assert [level for _, level in frames] == list(range(12))
    sampler, chunks = ChunkSampler(SamplingConfig()), []
    with Bag(bag) as opened:
        for event in opened.events():
            assert isinstance(event, Frame)
            chunks.append(sampler.push(event))
    chunks.append(sampler.flush())
    indices = [c.index for c in chunks if c is not None]
    assert indices == sorted(set(indices)) and indices[-1] <= 8
    assert (sampler.counters.restarts, sampler.counters.lost_chunks) == (2, 0)


def test_an_hour_without_a_camera_is_a_pause_where_the_bag_says_so(tmp_path):
    hour = 3_600_000 - 1000
    bag = bag_of(tmp_path / "bag", (0, 0, 1), (hour, hour, 2))
    sampler = ChunkSampler(SamplingConfig())
    with Bag(bag, hold_s=0.0) as opened:
        chunks = [sampler.push(e) for e in opened.events() if isinstance(e, Frame)]
    chunks.append(sampler.flush())
    assert [c.index for c in chunks if c] == [0, 3599] and sampler.counters.restarts == 0
    jump = bag_of(tmp_path / "jump", (0, 0, 1), (hour, 500, 2))
    assert seen(jump) == [(0, 1), (hour, 2)]  # nothing stood for an hour that was not there


def test_clocks_that_are_both_set_from_1970_fill_no_years(tmp_path):
    ms = 50 * 365 * DAY // MS
    written = [
        ("/image_raw", IMAGE, t * MS, image(t * MS, level=k))
        for k, t in enumerate((1000, 1500, ms, ms + 500))
    ]
    with Bag(raw_bag(tmp_path / "bag", written)) as bag:
        events = list(bag.events())
    assert [e.stamp_ns // MS for e in events] == [1000, 1500, ms, ms + 500]
    sampler = ChunkSampler(SamplingConfig())
    chunks = [c for c in map(sampler.push, events) if c]
    assert [c.index for c in chunks] == [0, 1]


def test_a_question_before_the_first_picture_of_a_bag_waits_for_it(tmp_path):
    bag = bag_of(tmp_path / "bag", (0, "and now?"), *((500 * k, 500 * k, k) for k in range(1, 7)))
    lockstep = Lockstep(StreamEngine(ScriptedBackend()))
    with Bag(bag) as opened:
        steps = list(drive(lockstep, opened.events()))
    assert [s.question for s in steps if s.question] == ["and now?"]


def test_a_question_before_a_clock_that_begins_anew_still_waits():
    intake = Intake(SamplingConfig(), 8)
    intake.push(Frame(BLACK, 1000 * S))
    intake.ask(Query("and now?", "q"))
    intake.push(Frame(BLACK, 10 * S))
    intake.push(Frame(BLACK, 5000 * S))
    assert intake.expire(5000 * S, 5.0) == []
    assert [q.id for q in intake.expire(5006 * S, 5.0)] == ["q"]


def test_stamps_that_stand_still_go_on_as_the_bag_does(tmp_path):
    bag = bag_of(tmp_path / "bag", *((7, 250 * k, k) for k in range(41)))
    with Bag(bag) as opened:
        stamps = [(e.stamp_ns - START) // MS for e in opened.events()]
        assert opened.stuck == 41 - 9
    assert stamps[0] == 7 and stamps[-1] >= 9500
    assert len(stamps) == 21 and all(200 <= b - a <= 750 for a, b in itertools.pairwise(stamps))


def test_a_stamp_that_repeats_for_a_moment_is_believed():
    clock = StampClock()
    assert [clock.of(5, 0), clock.of(5, 2 * S), clock.of(5, 2 * S + 1), clock.of(6, 9 * S)] == [
        *(5, 5, 5 + 2 * S + 1, 6)
    ]
    assert clock.stuck == 1


@given(st.lists(st.tuples(st.integers(-(2**40), 2**40), st.integers(0, 3 * S)), max_size=60))
def test_chunk_numbers_never_go_back_and_never_run_ahead_of_the_frames(steps):
    """Whatever the stamps do."""
    sampler, arrived, stamp, chunks = ChunkSampler(SamplingConfig()), 0, START, []
    for jump, passed in steps:
        arrived, stamp = arrived + passed, max(0, stamp + jump)
        chunks.append(sampler.push(Frame(BLACK, stamp, arrived)))
    chunks.append(sampler.flush())
    indices = [c.index for c in chunks if c is not None]
    assert indices == sorted(set(indices))
    # a jump of up to a minute may be a pause, and one of these can end each second
    assert not indices or indices[-1] <= arrived / S + 61 * len(steps)


@given(st.lists(st.integers(0, 20_000), min_size=1, max_size=20))
def test_the_empty_slots_are_those_that_no_frame_fills(times):
    slots, taken, held = Slots(2.0), [], []
    for ms in sorted(times):
        for stamp in slots.empty(ms * MS, 0):
            slots.took(stamp)
            held.append(stamp)
        if slots.wants(ms * MS):
            slots.took(ms * MS)
            taken.append(ms * MS)
    numbers = sorted(slots.slot_of(s) for s in (*taken, *held))
    assert numbers == list(range(len(numbers)))


# ---- live ----------------------------------------------------------------------------------------


class Clock:
    """The machine's steady clock, set by hand."""

    def __init__(self) -> None:
        self.ns = 1000 * S

    def monotonic_ns(self) -> int:
        return self.ns

    def monotonic(self) -> float:
        return self.ns / S


@pytest.fixture
def clock(monkeypatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(inbox_module, "time", made)
    return made


def chunks_of(inbox: Inbox) -> list[tuple[int, list[int], list[int]]]:
    """(index, stamps in ms, levels) of each chunk that waits."""
    out = []
    while (taken := inbox.take()) is not None:
        chunk = convert(taken[0], lambda e: pytest.fail(str(e)))
        assert isinstance(chunk, Chunk)
        stamps = [f.stamp_ns // MS for f in chunk.frames]
        out.append((chunk.index, stamps, [int(f.image.mean()) for f in chunk.frames]))
    return out


def offer(inbox: Inbox, stamp_ms: int, level: int) -> None:
    picture = np.full((1, 1, 3), level, np.uint8)
    inbox.offer(stamp_ms * MS, lambda: Frame(picture, stamp_ms * MS))


def test_live_a_picture_stands_only_as_long_as_the_setting_allows(clock):
    inbox = Inbox(SamplingConfig(hold_s=3.0), 20, 8)
    offer(inbox, 0, 10)
    clock.ns += 100 * MS
    offer(inbox, 100, 20)
    for _ in range(50):
        clock.ns += 100 * MS
        inbox.hold()
    assert chunks_of(inbox) == [
        (0, [0, 500], [10, 20]),
        (1, [1000, 1500], [20, 20]),
        (2, [2000, 2500], [20, 20]),
    ]
    offer(inbox, 5100, 30)
    clock.ns += 500 * MS
    offer(inbox, 5600, 40)
    assert chunks_of(inbox) == [
        (3, [3000, 3000], [20, 20]),  # by 3.5 s, it had stood for too long
        (5, [5100, 5600], [30, 40]),
    ]
    assert inbox.counters().lost_chunks == 1


def test_live_a_frame_that_is_late_is_still_waited_for(clock):
    inbox = Inbox(SamplingConfig(hold_s=60.0), 20, 8)
    for k in range(4):
        offer(inbox, 500 * k, k)
        clock.ns += 680 * MS if k == 1 else 500 * MS
        inbox.hold()
    assert [levels for _, _, levels in chunks_of(inbox)] == [[0, 1], [2, 3]]


def test_live_nothing_stands_without_the_setting(clock):
    inbox = Inbox(SamplingConfig(), 20, 8)
    offer(inbox, 0, 10)
    clock.ns += 10 * S
    inbox.hold()
    assert chunks_of(inbox) == []


def test_live_jumps_and_standing_stamps_are_counted(clock):
    inbox = Inbox(SamplingConfig(), 100, 8)
    for k in range(8):  # one stamp is a day ahead
        offer(inbox, 500 * k + (DAY // MS if k == 4 else 0), k)
        clock.ns += 500 * MS
    for k in range(20):  # and then they stand still
        offer(inbox, 3600, k)
        clock.ns += 500 * MS
    indices = [index for index, _, _ in chunks_of(inbox)]
    assert indices == sorted(set(indices)) and indices[-1] <= 16
    counters = inbox.counters()
    assert (counters.clock_restarts, counters.stuck_stamps) == (2, 15)
