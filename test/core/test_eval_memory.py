"""`aura eval memory`: questions about simulated days, and how memory is measured with them."""

from __future__ import annotations

import itertools
from collections import Counter

import pytest
from day_rig import perfect

from aura_core.evaluation.memory_oracle import answer, facts, notes, read
from aura_core.evaluation.memory_questions import (
    AGAIN_S,
    APART_S,
    LAGS_S,
    QUIET_S,
    DayQuestion,
    band,
    questions,
)
from aura_core.memory.notes import NoteKind
from aura_core.sim.day import Day
from aura_core.sim.memory import MemoryTalk, matching
from aura_core.sim.world import KINDS
from aura_core.types import NS

SEEDS = (500_000, 500_001, 500_003)  # the last one in Chinese


@pytest.fixture(scope="module", params=SEEDS)
def asked(request: pytest.FixtureRequest) -> tuple[Day, list[DayQuestion]]:
    day = Day.generate(request.param, 12)
    return day, questions(day, request.param)


def test_questions_are_a_pure_function_of_their_arguments() -> None:
    day = Day.generate(500_000, 4)
    assert questions(day, 500_000) == questions(day, 500_000)
    assert questions(day, 500_000) != questions(day, 500_001)


def test_each_lag_has_its_questions(asked: tuple[Day, list[DayQuestion]]) -> None:
    """As many as wanted at each lag, of several kinds, in order of asking, and apart."""
    day, plan = asked
    counts = Counter(q.lag_s for q in plan)
    assert counts == {lag: 20 for lag in (*LAGS_S, None)}
    assert {"when", "ever", "often", "where", "around", "first"} == {q.asked.kind for q in plan}
    chunks = [q.chunk for q in plan]
    assert chunks == sorted(chunks)
    assert min(b - a for a, b in itertools.pairwise(chunks)) >= APART_S
    assert max(chunks) < day.seconds
    assert [q.id for q in plan] == [f"m{n}" for n in range(len(plan))]


def test_what_is_asked_about_was_that_long_ago(asked: tuple[Day, list[DayQuestion]]) -> None:
    """The newest event that the answer tells of lies in the band of its lag, and no event at all
    is so new that its note may not be written."""
    day, plan = asked
    for q in plan:
        before = [e.chunk for e in day.world.events if e.chunk < q.chunk]
        assert not before or q.chunk - before[-1] >= QUIET_S
        if q.lag_s is None:
            assert q.evidence == ()
            continue
        low, high = band(q.lag_s)
        if q.asked.kind == "around":
            assert q.asked.span is not None
            assert q.chunk - sum(q.asked.span) / 2 == q.lag_s
            continue
        assert q.newest is not None
        assert low <= q.chunk - q.newest <= high


def test_the_answer_is_that_of_the_whole_day(asked: tuple[Day, list[DayQuestion]]) -> None:
    """Recounted from the day's events, without the code that made the question."""
    day, plan = asked
    talk = MemoryTalk(day.language)
    history = [(float(e.chunk), e) for e in day.world.events]
    for q in plan:
        if q.asked.kind not in ("when", "ever", "often"):
            continue
        (about,) = q.asked.about
        span = q.asked.span or (-1e9, q.chunk)
        found = matching(history, about, (span[0], min(span[1], q.chunk - 0.5)))
        if not found:
            assert q.asked.answer == talk.words.forgotten
        elif q.asked.kind == "often":
            assert q.asked.answer == talk.times(len(found))
        elif q.asked.kind == "ever":
            assert q.asked.answer == talk.talk.words.yes_no[0]
        else:
            minutes = int((q.chunk - history[found[-1]][0]) // 60)
            number = minutes if minutes < 60 else minutes // 60
            assert str(number) in q.asked.answer


def test_the_same_is_not_asked_twice_in_a_short_time(
    asked: tuple[Day, list[DayQuestion]],
) -> None:
    _, plan = asked
    seen: dict[str, int] = {}
    for q in plan:
        assert q.chunk - seen.get(q.asked.text, -1_000_000) >= AGAIN_S
        seen[q.asked.text] = q.chunk


def test_notes_of_the_oracle_tell_every_event_once(asked: tuple[Day, list[DayQuestion]]) -> None:
    day, _ = asked
    separator = MemoryTalk(day.language).words.separator
    written = list(notes(day))
    told = [fact for note in written for fact in note.text.split(separator)]
    talk = MemoryTalk(day.language)
    ordered = sorted(day.world.events, key=lambda e: (e.chunk, KINDS.index(e.kind)))
    assert told == [talk.fact(e) for e in ordered]
    assert all(n.kind is NoteKind.SEEN and n.end_ns - n.begin_ns <= 10 * NS for n in written)
    assert all(f in facts(day.language) for f in told)


def test_the_reader_is_right_when_the_search_is(asked: tuple[Day, list[DayQuestion]]) -> None:
    """With perfect notes and a perfect search every question is answered word for word."""
    day, plan = asked
    all_notes = list(notes(day))
    for q in plan:
        now_ns = day.begins_wall_ns + q.chunk * NS
        before = [n for n in all_notes if n.wall_ns <= now_ns]
        text = perfect(q.asked, before, day.begins_wall_ns, now_ns, q.language)
        assert answer(q.asked, text, q.language) == q.asked.answer, (q, text)


def test_the_reader_needs_the_text(asked: tuple[Day, list[DayQuestion]]) -> None:
    """Without memory it answers nothing but that it does not remember."""
    day, plan = asked
    forgotten = MemoryTalk(day.language).words.forgotten
    assert {answer(q.asked, "", q.language) for q in plan} == {forgotten}


def test_the_reader_is_not_fooled_by_near_matches() -> None:
    text = (
        "From memory, 2 matches:\n- 2 hours ago (09:14): a red cube appeared on the left\n"
        "- 4 minutes ago (11:10): the blue cube left; a person came in\n"
    )
    day = Day.generate(500_000, 12)
    plan = [q for q in questions(day, 500_000) if q.asked.kind == "when" and q.asked.about]
    assert read(text, "en")[0] == 2
    for q in plan:
        expected = "i do not remember that"
        (about,) = q.asked.about
        if about.kind == "person enters":
            expected = "4 minutes ago"
        elif about.kind == "item enters" and about.shape in (None, "cube"):
            expected = "2 hours ago" if about.colour in (None, "red") else expected
        elif about.kind == "item leaves" and about.shape in (None, "cube"):
            expected = "4 minutes ago" if about.colour in (None, "blue") else expected
        assert answer(q.asked, text, "en") == expected
