"""Replay in lockstep: questions by their time, and each chunk decided before the next frame."""

from __future__ import annotations

import pytest
from bags import MS, START, frame
from hypothesis import given
from hypothesis import strategies as st

from aura_core.config import AssistantConfig, WindowConfig
from aura_core.errors import InputError
from aura_core.models.scripted import ScriptedBackend
from aura_core.replay.lockstep import Asked, Lockstep, drive, insert, until
from aura_core.stream.engine import StreamEngine
from aura_core.types import Frame, Query


def test_questions_stand_before_the_first_frame_that_is_not_older():
    asked = [Asked("b", 0.5), Asked("c", 0.6), Asked("d", 9.0), Asked("a", 0.0)]
    events = list(insert([frame(0), frame(500), frame(1000)], asked))
    shown = [e.text if isinstance(e, Query) else (e.stamp_ns - START) // MS for e in events]
    assert shown == ["a", 0, "b", 500, "c", 1000, "d"]
    assert [e.stamp_ns - START for e in events if isinstance(e, Query)] == [
        0,
        500 * MS,
        600 * MS,
        9000 * MS,
    ]
    assert list(insert([], asked)) == []


@given(st.lists(st.integers(0, 20), max_size=8), st.lists(st.integers(0, 20), max_size=8))
def test_insert_loses_nothing_and_keeps_time(frames_at, asked_at):
    frames = [frame(250 * k) for k in sorted(frames_at)]
    questions = [Asked(f"q{i}", k * 0.25) for i, k in enumerate(asked_at)]
    events = list(insert(frames, questions))
    if frames:
        assert [e for e in events if isinstance(e, Frame)] == frames
        assert sorted(e.text for e in events if isinstance(e, Query)) == sorted(
            q.text for q in questions
        )
        assert [e.stamp_ns for e in events] == sorted(e.stamp_ns for e in events)


def test_until_counts_from_the_first_frame():
    events = [
        Query("early"),
        frame(0),
        frame(900),
        Query("q", stamp_ns=START + 950 * MS),
        frame(1000),
        frame(1500),
    ]
    assert list(until(events, 1.0)) == events[:4]
    assert list(until(events, None)) == events


@pytest.mark.parametrize(
    "bad", ["", "what?", "x:what?", "-1:what?", "nan:what?", "inf:what?", "3", "3:", "3:  "]
)
def test_asked_refuses_with_an_example(bad):
    with pytest.raises(
        InputError, match=r"^--ask '.*': (expected SECONDS:QUESTION|the question is empty)"
    ):
        Asked.parse(bad)


def test_asked_keeps_colons_in_the_question():
    assert Asked.parse("3.5: what: is it? ") == Asked("what: is it?", 3.5)


def test_a_refused_question_is_reported_and_the_stream_goes_on():
    events = [frame(0), Query(""), Query("x" * 1500), frame(500), frame(1000), frame(1500)]
    refused = []
    assistant = Lockstep(StreamEngine(ScriptedBackend()))
    steps = list(drive(assistant, events, on_refused=lambda q, e: refused.append(str(e))))
    assert len(steps) == 2
    assert refused == [
        "the question is empty",
        "the question has 1500 tokens; at most 512 are allowed",
    ]
    with pytest.raises(InputError, match="the question is empty"):
        list(drive(Lockstep(StreamEngine(ScriptedBackend())), events))


def test_every_chunk_is_stepped_before_the_next_frame_is_read():
    assistant = Lockstep(StreamEngine(ScriptedBackend()))
    seen = []

    def events():
        for k in range(6):
            seen.append((k, len(assistant.engine.window.turns)))
            yield frame(500 * k)

    assert [s.chunk for s in drive(assistant, events())] == [0, 1, 2]
    assert seen == [(0, 0), (1, 0), (2, 1), (3, 1), (4, 2), (5, 2)]


def test_a_question_in_the_half_filled_last_chunk_is_seen():
    steps = list(
        drive(
            Lockstep(StreamEngine(ScriptedBackend())),
            insert([frame(0), frame(500), frame(1000)], [Asked("hm?", 1.7)]),
        )
    )
    assert [(s.chunk, s.question) for s in steps] == [(0, None), (1, "hm?")]


def test_a_step_works_ahead_so_that_a_switch_finds_its_shadow_complete():
    """Without work ahead every switch has to rebuild."""
    config = AssistantConfig(window=WindowConfig(keep=4, max=8))
    counters = []
    for work_ahead in (True, False):
        lockstep = Lockstep(StreamEngine(ScriptedBackend(), config), work_ahead)
        assert len(list(drive(lockstep, [frame(500 * k) for k in range(80)]))) == 40
        counters.append(lockstep.engine.policy.counters)
    timely, late = counters
    assert timely.switches > 5 and timely.rebuilds == timely.stretched == 0
    assert timely.background_tokens > 0
    assert late.rebuilds == late.switches > 0 and late.background_tokens == 0
