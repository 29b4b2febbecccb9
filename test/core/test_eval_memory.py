"""`aura eval memory`: questions about simulated days, and how memory is measured with them."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from day_rig import perfect
from memory_double import MemoryDouble
from numpy.typing import NDArray
from typer.testing import CliRunner

from aura_core.cli import app
from aura_core.config import AssistantConfig, MemoryConfig, ModelConfig
from aura_core.evaluation.memory import figures, note_figures
from aura_core.evaluation.memory_days import Asking, evaluate, play_day
from aura_core.evaluation.memory_oracle import FORM, answer, facts, notes, read
from aura_core.evaluation.memory_others import BOTH, WAYS, Instant, Others
from aura_core.evaluation.memory_questions import (
    AGAIN_S,
    APART_S,
    LAGS_S,
    QUIET_S,
    DayQuestion,
    band,
    questions,
)
from aura_core.evaluation.memory_run import Answered, Stills, oracle, play
from aura_core.memory.notes import Note, NoteKind
from aura_core.memory.recall import Recall
from aura_core.memory.store import Store
from aura_core.models import load
from aura_core.models.backend import Backend, Piece, Tokens
from aura_core.sim.day import Day, Film
from aura_core.sim.memory import MemoryQuestion, MemoryTalk, matching
from aura_core.sim.world import KINDS
from aura_core.stream.cache.kv_stream import KVStream
from aura_core.stream.engine import StreamEngine
from aura_core.stream.notes import Remembered
from aura_core.types import NS, Chunk, Evidence, Query

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


# ---- played with a model -----------------------------------------------------------------------

TOLD = Remembered(
    "From memory, 1 match:\n- 2 hours ago (09:14): a red cube appeared on the left\n",
    "when did the red cube appear?",
    (Evidence("run-n1", 5 * NS, 15 * NS, 0),),
)


@pytest.fixture(scope="module")
def tiny() -> Backend:
    pytest.importorskip("torch")
    loaded = load(ModelConfig(threads=1))
    loaded.chat = replace(loaded.chat, memory=FORM)  # type: ignore[misc]
    return loaded


@pytest.fixture(scope="module")
def short() -> tuple[Day, list[DayQuestion]]:
    """The first seconds of a day, with two questions that need no note."""
    day = Day.generate(500_000, 1)
    plan = [
        DayQuestion(
            "m0", 20, 60.0, MemoryQuestion("when", "what is on the table?", "x", ()), (), "en"
        ),
        DayQuestion("m1", 45, None, MemoryQuestion("ever", "is the door open?", "x", ()), (), "en"),
    ]
    return day, plan


def test_the_other_ways_are_the_runs_own_way_with_less(
    tiny: Backend, short: tuple[Day, list[DayQuestion]]
) -> None:
    """With everything, the recompute aside says what the run says; with nothing, what a run without
    memory says."""
    day, plan = short
    memory = MemoryDouble(
        block=10, before="Your memory:\n- 1 hour ago (08:00): the cat came", told=TOLD
    )
    config = AssistantConfig()
    with_memory = play(day, plan, tiny, config, memory, (BOTH, *WAYS), end=70)
    without = play(day, plan[:1], tiny, config, None, (), end=30)
    assert [a.asked.id for a in with_memory.answered] == ["m0", "m1"]
    for a in with_memory.answered:
        assert a.said[BOTH] == a.said["memory"] != ""
        assert a.opened and a.text == TOLD.text
        assert a.evidence == ((5.0, 15.0),)
    assert with_memory.answered[0].said["window"] == without.answered[0].said["memory"]


def test_the_other_ways_do_not_touch_the_run(
    tiny: Backend, short: tuple[Day, list[DayQuestion]]
) -> None:
    """Every step is the same, and costs the same tokens, whether others are asked or not."""
    day, plan = short
    runs = [
        play(day, plan, tiny, AssistantConfig(), MemoryDouble(block=10, told=TOLD), ways, end=70)
        for ways in ((), WAYS)
    ]
    alone, asked = runs
    assert [(c, t) for c, _, t in alone.steps] == [(c, t) for c, _, t in asked.steps]
    assert [a.said["memory"] for a in alone.answered] == [a.said["memory"] for a in asked.answered]
    assert alone.background == asked.background
    assert [set(a.said) for a in alone.answered] == [{"memory"}] * 2


def test_each_way_is_shown_what_it_is_allowed(
    tiny: Backend, short: tuple[Day, list[DayQuestion]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The prompts themselves: notes before the video, lines before the question."""
    day, _ = short
    prompts: list[str] = []
    enter = KVStream.enter

    def seen(self: KVStream, user: Sequence[Piece]) -> NDArray[np.float32]:
        pieces = [*self.waiting, *user]
        text = [tiny.tokenizer.written(p.ids) for p in pieces if isinstance(p, Tokens)]
        prompts.append("".join(text))
        return enter(self, user)

    memory = MemoryDouble(
        block=10, before="Your memory:\n- 1 hour ago (08:00): the cat came", told=TOLD
    )

    def answers(way: str) -> str:
        engine = StreamEngine(tiny, AssistantConfig(), memory=memory)
        film = Film(day)
        for c in range(3):
            engine.step(Chunk(c, film.frames(c), c * NS, (c + 1) * NS))
        monkeypatch.setattr(KVStream, "enter", seen)
        video = tiny.encode(Chunk(3, film.frames(3), 3 * NS, 4 * NS))
        query = Query("when did the red cube appear?", "q")
        Others(engine).answer(Instant.of(engine), 3, video, query, TOLD, way)
        monkeypatch.setattr(KVStream, "enter", enter)
        return prompts.pop()

    for way, notes_before, lines_before in (
        ("window", False, False),
        ("prefix", True, False),
        ("recall", False, True),
        (BOTH, True, True),
    ):
        prompt = answers(way)
        assert ("the cat came" in prompt) == notes_before, way
        assert ("a red cube appeared" in prompt) == lines_before, way


def test_the_very_same_pictures_are_encoded_once(tiny: Backend) -> None:
    day = Day.generate(500_000, 1)
    film, stills = Film(day), Stills(tiny)
    calm = next(c for c in range(day.seconds) if day.drawn_of[c] == day.drawn_of[c + 2])
    chunks = [Chunk(c, film.frames(c), c * NS, (c + 1) * NS) for c in range(calm, calm + 3)]
    first, *others = [stills.encode(chunk) for chunk in chunks]
    assert stills.encoded == 1
    assert all(video is first for video in others)
    event = day.world.events[3].chunk
    moving = [Chunk(c, film.frames(c), c * NS, (c + 1) * NS) for c in (event, event + 1)]
    assert stills.encode(moving[0]) is not stills.encode(moving[1])
    assert stills.encoded == 3
    assert stills.name == tiny.name


# ---- figures -----------------------------------------------------------------------------------


def _answered(lag_s: float | None, said: dict[str, str], **more: Any) -> Answered:
    truth = more.get("truth", "2 hours ago")
    happened = more.get("happened", (100,) if lag_s is not None else ())
    asked = MemoryQuestion(more.get("kind", "when"), "?", truth, tuple(range(len(happened))))
    question = DayQuestion("m", 9000, lag_s, asked, happened, "en")
    return Answered(question, said, True, "x", tuple(more.get("evidence", ((95.0, 105.0),))))


def test_figures_are_counted_by_lag_way_and_kind() -> None:
    right, wrong = {"memory": "2 hours ago"}, {"memory": "1 hour ago"}
    forgot = {"memory": "i do not remember that", "window": "okay"}
    found = figures(
        [
            _answered(60.0, right | {"window": "okay"}),
            _answered(60.0, wrong | {"window": "2 hours ago"}, evidence=()),
            _answered(3600.0, right, kind="often"),
            _answered(None, forgot, truth="i do not remember that"),
            _answered(None, wrong, truth="i do not remember that"),
        ]
    )
    values = {k: (m.value, m.n) for k, m in found.items()}
    assert values["exact.1min"] == (0.5, 2)
    assert values["exact.1h"] == (1.0, 1)
    assert values["window.1min"] == (0.5, 2)
    assert values["over_window.1min"] == (0.0, 2)
    assert values["exact.refused"] == (0.5, 2)
    assert values["window.refused"] == (0.0, 2)
    assert values["found.1min"] == (0.5, 2)
    assert values["kind.often"] == (1.0, 1)
    low, high = found["exact.1min"].ci95
    assert 0.09 < low < 0.1 and 0.9 < high < 0.91  # Wilson's for 1 of 2


@pytest.mark.parametrize(
    ("kind", "happened", "evidence", "found"),
    [
        ("when", (10, 50), [(45, 55)], True),  # the newest
        ("when", (10, 50), [(5, 15)], False),
        ("first", (10, 50), [(5, 15)], True),  # the first
        ("around", (10, 50), [(45, 55)], False),  # all
        ("around", (10, 50), [(5, 15), (45, 55)], True),
        ("when", (55,), [(45, 55)], False),  # the end of a block is outside
    ],
)
def test_a_question_needs_its_notes(
    kind: str, happened: tuple[int, ...], evidence: list[tuple[float, float]], found: bool
) -> None:
    assert _answered(60.0, {}, kind=kind, happened=happened, evidence=evidence).found is found
    assert _answered(None, {}, happened=()).found is None


def test_notes_are_measured_against_the_days_events() -> None:
    """Perfect notes have precision and recall 1; a lie, a repetition and a note of another time
    cost precision."""
    day = Day.generate(500_001, 1)
    written = list(notes(day))
    counts = note_figures(day, written)
    assert counts["true"] == counts["facts"] == counts["events"] == len(day.world.events)
    first = written[0]
    lie = replace(first, id="x", text="the door opened; blue")
    moved = replace(
        first, id="y", begin_ns=first.begin_ns + 600 * NS, end_ns=first.end_ns + 600 * NS
    )
    worse = note_figures(day, [*written, first, lie, moved])
    assert worse["true"] == counts["true"]
    assert worse["facts"] > counts["facts"] and worse["strange"] == 1
    fewer = note_figures(day, written[1:])
    assert fewer["true"] < counts["events"] == fewer["events"]


def test_the_oracle_answers_from_the_store(tmp_path: Path) -> None:
    """The search as it is, on a day of four hours: every answer is right, and every note found."""
    day = Day.generate(500_003, 4)
    plan = questions(day, 500_003)
    store = Store.open(tmp_path / "notes.db")
    search = Recall(store, MemoryConfig(), FORM, tz=day.begins.tzinfo)
    answered = list(oracle(day, plan, store, search))
    store.close()
    assert len(answered) == len(plan)
    assert [a.asked.asked.text for a in answered if not a.right()] == []
    assert all(a.found in (True, None) for a in answered)


def test_the_command_writes_figures_and_questions(tmp_path: Path) -> None:
    out = tmp_path / "figures.json"
    args = ["eval", "memory", "--oracle", "--hours", "1", "--lags", "60,600", "--each", "5"]
    args += ["--never", "5", "--seeds", "500000:500002", "--json", str(out), "--quiet"]
    result = CliRunner().invoke(app, args)
    assert result.exit_code == 0, result.output
    told = json.loads(out.read_text())
    assert told["exact"]["1min"] == told["exact"]["10min"]
    assert told["exact"]["1min"]["n"] == 10
    assert told["exact"]["refused"]["n"] == 10
    assert len(told["questions"]) == 30
    assert {"cpu", "cores", "load_average"} <= set(told["conditions"]["before"])


@pytest.mark.parametrize(
    ("args", "problem"),
    [
        (["--lags", "60,x"], "--lags 60,x: expected seconds"),
        (["--lags", "5"], "--lags 5: expected seconds"),
        (["--oracle", "--kill"], "leave out --kill"),
        (["--seeds", "9:3"], "END must be larger"),
        (["--camera", "real"], "--camera"),
    ],
)
def test_bad_options_are_one_line(args: list[str], problem: str) -> None:
    result = CliRunner().invoke(app, ["eval", "memory", *args])
    assert result.exit_code != 0
    assert problem in str(result.exception)


# ---- whole days with a memory ------------------------------------------------------------------


def test_a_day_is_remembered_in_its_file(tiny: Backend, tmp_path: Path) -> None:
    """With a perfect writer the notes are those of the oracle, and what the model is told before a
    question is what the oracle's reader is told."""
    day = Day.generate(500_000, 0.25)
    (event, *_) = [e for e in day.world.events if e.kind in ("item enters", "person enters")]
    at = next(
        c
        for c in range(event.chunk + 30, day.seconds)
        if not any(day.world.events_at(s) for s in range(c - 25, c + 1))
    )
    asked = DayQuestion(
        "m0",
        at,
        60.0,
        MemoryQuestion("first of all", "who came first?", "", (0,)),
        (event.chunk,),
        "en",
    )
    noted: list[Note] = []
    played, file = play_day(
        day,
        [asked],
        tiny,
        AssistantConfig(memory=MemoryConfig(block_s=10.0)),
        tmp_path / "day.db",
        (),
        tell=noted.append,
        perfect=True,
        until=at + 2,
    )
    seen = [n for n in notes(day) if n.end_ns <= (at // 10) * 10 * NS]
    told = [(n.text, n.begin_ns, n.end_ns) for n in file.seen]
    assert told == [(n.text, n.begin_ns, n.end_ns) for n in seen] != []
    for mine, truth in zip(file.seen, seen, strict=True):
        assert 0 <= truth.wall_ns - mine.wall_ns < NS
    assert [n.text for n in noted if n.kind is NoteKind.SEEN] == [n.text for n in seen]
    (answered,) = played.answered
    assert answered.opened and answered.found
    assert answer(asked.asked, answered.text, "en") == MemoryTalk().named(event, False)
    (question,) = [n for n in noted if n.kind is NoteKind.QUESTION]
    assert (question.question, question.text) == ("who came first?", answered.said["memory"])
    assert file.stats.text_bytes > 0 and file.stats.picture_bytes > 0


@pytest.mark.slow
def test_a_day_that_is_killed_goes_on_with_its_file(tmp_path: Path) -> None:
    """kill -9 in the middle: the file is sound, and the later questions are answered as in a whole
    day."""
    pytest.importorskip("torch")
    config = AssistantConfig(model=ModelConfig(threads=1))
    asking = Asking(0.25, (60.0, 300.0), 4, 2)
    report = evaluate(load(config.model), [500_000], config, asking, (), True, tmp_path)
    restart = report.restart
    assert restart["integrity"] == "ok"
    assert 900 * 0.4 < int(str(restart["killed_at_s"])) < 900 * 0.7
    assert int(str(restart["asked_after"])) >= 2
    assert report.cost is not None
    told = report.as_json()
    assert told["restart"] == restart
    assert set(told["cost"]["without_memory"]) == {  # type: ignore[index]
        "critical_tokens_per_silent_step",
        "background_tokens_of_the_first_hour",
    }
    assert (tmp_path / "day-500000.db").is_file()


@pytest.mark.slow
def test_days_in_processes_of_their_own_give_the_same_answers(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    config = AssistantConfig(model=ModelConfig(threads=1))
    asking, seeds, seconds = Asking(0.25, (60.0, 300.0), 4, 2), [500_000, 500_001], []
    alone = evaluate(load(config.model), seeds, config, asking, (), folder=tmp_path / "alone")
    together = evaluate(
        load(config.model),
        seeds,
        config,
        asking,
        (),
        folder=tmp_path / "together",
        on_second=seconds.append,
        jobs=2,
    )
    assert len(seconds) >= 2 * 900
    assert [a.as_json() for a in together.answered] == [a.as_json() for a in alone.answered]
