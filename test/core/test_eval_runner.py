"""Items in the engine, free-running and polled: nothing after the question is seen."""

from __future__ import annotations

import math
from dataclasses import replace

import eval_rig as rig
import pytest
from engine_rig import cached, recomputed

from aura_core.config import MemoryConfig, WindowConfig
from aura_core.errors import InputError, ModelError, StoreError
from aura_core.evaluation import runner
from aura_core.evaluation.polled import Polled, play_polled
from aura_core.evaluation.predictions import Header, Writer, read
from aura_core.evaluation.records import AT_END, PREVIOUS, TURNS, Poll, Question, Spoken, chunk_of
from aura_core.evaluation.runner import open_video, play, run
from aura_core.memory.store import Store
from aura_core.models.scripted import ScriptedBackend
from aura_core.types import Kind

WAYS = [(play, rig.assistant), (play_polled, rig.polled)]
LEVELS = [10 * k for k in range(1, 13)]  # second k (from 0) is of level 10 * (k + 1)


@pytest.mark.parametrize(("way", "engine"), WAYS)
@pytest.mark.parametrize(
    ("at_s", "level", "second"), [(0, 1, 1), (1, 1, 1), (3, 3, 3), (3.2, 4, 4), (12, 12, 12)]
)
def test_a_question_sees_the_video_up_to_its_second_and_nothing_beyond(
    way, engine, at_s, level, second
):
    p = way(engine(rig.seen), rig.item(Question("q", at_s, "?")), rig.frames(LEVELS))
    assert p.said == (Spoken(second, str(level), "q", True),) and p.unasked == ()
    assert chunk_of(at_s) == second - 1


def test_a_free_run_stops_at_its_end_and_polling_at_the_last_question():
    q = Question("q", 3, "?")
    assert play(rig.assistant(rig.seen), rig.item(q, end_s=5), rig.frames(LEVELS)).seconds == 5
    assert play(rig.assistant(rig.seen), rig.item(q), rig.frames(LEVELS)).seconds == 12
    assert play_polled(rig.polled(rig.seen), rig.item(q), rig.frames(LEVELS)).seconds == 3


@pytest.mark.parametrize(("way", "engine"), WAYS)
def test_questions_about_the_whole_video_are_asked_at_its_end(way, engine):
    both = rig.item(Question("a", AT_END, "?"), Question("b", AT_END, "?"))
    p = way(engine(rig.seen), both, rig.frames(LEVELS[:4]))
    assert {(s.question, s.text) for s in p.said} == {("a", "4"), ("b", "4")} and p.unasked == ()


def test_a_video_without_a_frame_leaves_its_questions_unasked():
    assert play(rig.assistant(rig.seen), rig.item(Question("q", 1, "?")), []).unasked == ("q",)
    assert play_polled(rig.polled(rig.seen), rig.item(Question("q", 1, "?")), []).unasked == ("q",)


@pytest.mark.parametrize(("way", "engine"), WAYS)
@pytest.mark.parametrize("at_s", [2, 12])
def test_questions_of_one_second_are_asked_together(way, engine, at_s):
    """Regression: free-running, each further one came a second later and saw a second more."""
    three = [Question(id, at_s, "?") for id in "abc"]
    p = way(engine(rig.seen), rig.item(*three, Question("d", 3, "?")), rig.frames(LEVELS))
    assert [(s.at_s, s.question, s.text) for s in p.said if s.question != "d"] == [
        (at_s, id, str(at_s)) for id in "abc"
    ]
    assert [(s.at_s, s.text) for s in p.said if s.question == "d"] == [(3, "3")]


def test_questions_that_are_asked_together_are_turns_of_one_conversation():
    """Each knows the ones before it, as if a user had typed them one after the other."""
    lockstep = rig.assistant(rig.seen)
    play(lockstep, rig.item(Question("a", 2, "x?"), Question("b", 2, "y?")), rig.frames(LEVELS[:4]))
    turns = [(t.chunk, t.question) for t in lockstep.engine.window.turns]
    assert turns == [(0, None), (1, "x?"), (1, "y?"), (2, None), (3, None)]
    assert cached(lockstep) == recomputed(lockstep)


def test_polled_with_history_keeps_questions_and_answers_and_no_polls():
    def say(moment):
        polled = moment.question == "now?"
        return ("yes" if moment.now.chunk == 1 else "no") if polled else rig.seen(moment)

    questions = (
        Question("a", 2, "x?"),
        Question("b", 2, "y?"),
        Question("c", 1, "when?", kind=Kind.PROACTIVE, poll=Poll("now?", 5)),
        Question("d", 4, "z?"),
    )
    config = replace(rig.CONFIG, window=WindowConfig(keep=20, max=30))
    polled = Polled(ScriptedBackend(say), config, history=True)
    p = play_polled(polled, rig.item(*questions), rig.frames(LEVELS))
    assert [(s.question, s.at_s, s.text) for s in p.said] == [
        ("c", 2, "2"),
        ("a", 2, "2"),
        ("b", 2, "2"),
        ("d", 4, "4"),
    ]
    asked = [(t.chunk, t.question) for t in polled.lockstep.engine.window.turns if t.question]
    assert asked == [(1, "when?"), (1, "x?"), (1, "y?"), (3, "z?")]
    assert cached(polled.lockstep) == recomputed(polled.lockstep)


@pytest.mark.parametrize(("way", "engine"), WAYS)
def test_a_question_may_repeat_what_was_said_before(way, engine):
    asked = []

    def say(moment):
        if moment.question:
            asked.append(moment.question)
        return "a cup" if moment.question else None

    two = rig.item(Question("a", 2, "What is it?"), Question("b", 4, f"Where is {PREVIOUS}?"))
    way(engine(say), two, rig.frames(LEVELS))
    assert set(asked) == {"What is it?", "Where is a cup?"}


def repeating(*, silent: str = ""):
    """Return a model that answers with the level that it sees, and the questions that it got."""
    asked: list[str] = []

    def say(moment):
        if not moment.question:
            return "by itself" if moment.now.chunk % 2 else None
        if moment.question not in asked:
            asked.append(moment.question)
        return None if moment.question == silent else f"level {rig.seen(moment)}"

    return say, asked


@pytest.mark.parametrize(
    ("times", "then"),
    [
        ((2, 2, 2), (2, 2, 2)),
        ((2, 3, 4), (2, 3, 4)),
        ((2, 2, 9), (2, 2, 9)),
        ((12, 12, 12), (12, 12, 12)),
    ],
)
def test_a_turn_in_the_same_second_waits_for_the_answer_that_it_repeats(times, then):
    """Regression: it was told before the turn before it was decided.

    It then repeated "" or unasked words.
    """
    say, asked = repeating()
    texts = ("What?", f"After {PREVIOUS}?", f"And after {PREVIOUS}?")
    turns = [
        Question(str(k), at_s, text)
        for k, (at_s, text) in enumerate(zip(times, texts, strict=True))
    ]
    p = play(rig.assistant(say), rig.item(*turns, end_s=times[-1] + 1), rig.frames(LEVELS))
    answers = [s for s in p.said if s.asked]
    assert [(s.question, s.at_s) for s in answers] == [
        ("0", then[0]),
        ("1", then[1]),
        ("2", then[2]),
    ]
    assert (
        asked == ["What?", f"After {answers[0].text}?", f"And after {answers[1].text}?"]
        and p.unasked == ()
    )


@pytest.mark.parametrize(("way", "engine"), WAYS)
def test_a_turn_repeats_the_turn_before_it_and_no_other_words(way, engine):
    """Regression: the last words of any kind were repeated, for example unasked ones."""
    say, asked = repeating()
    two = rig.item(Question("a", 1, "What?"), Question("b", 7, f"After {PREVIOUS}?"))
    way(engine(say), two, rig.frames(LEVELS))
    assert asked == ["What?", "After level 1?"]


def test_a_turn_after_silence_and_a_first_turn_with_the_placeholder():
    say, asked = repeating(silent="What?")
    two = rig.item(Question("a", 1, "What?"), Question("b", 1, f"After '{PREVIOUS}'?"))
    play(rig.assistant(say), two, rig.frames([10]))
    assert asked == ["What?", "After ''?"]
    say, asked = repeating()
    play(rig.assistant(say), rig.item(Question("a", 3, f"After {PREVIOUS}?")), rig.frames(LEVELS))
    assert asked == [f"After {PREVIOUS}?"]  # as the authors' script leaves it


def test_turns_whose_times_are_in_disorder_keep_theirs():
    say, asked = repeating()
    turns = (
        Question("a", 5, "What?"),
        Question("b", 3, f"After {PREVIOUS}?"),
        Question("c", 4, "Else?"),
    )
    p = play(rig.assistant(say), rig.item(*turns), rig.frames(LEVELS))
    assert asked == ["Else?", "What?", "After level 5?"] and p.unasked == ()


def test_polled_questions_may_come_later_and_tell_all_turns_before():
    say, asked = repeating()
    told = f"{TURNS}user\n%s\nassistant\n"
    turns = (
        Question("a", 1, "What?", polled=told % "What?", polled_s=3),
        Question("b", 2, "Then?", polled=told % "Then?", polled_s=6),
    )
    p = play_polled(rig.polled(say), rig.item(*turns), rig.frames(LEVELS))
    assert asked == [
        "user\nWhat?\nassistant",
        "user\nWhat?\nassistant\nlevel 3\nuser\nThen?\nassistant",
    ]
    assert [(s.at_s, s.text) for s in p.said] == [(3, "level 3"), (6, "level 6")] and p.seconds == 6


def test_free_running_says_what_it_likes_and_polled_says_nothing_unasked():
    def chatty(moment):
        return "I see you asked." if moment.question else f"second {moment.now.chunk}"

    q = Question("q", 3, "?")
    free = play(rig.assistant(chatty), rig.item(q), rig.frames(LEVELS[:4]))
    assert [(s.at_s, s.text, s.asked) for s in free.said] == [
        (1, "second 0", False),
        (2, "second 1", False),
        (3, "I see you asked.", True),
        (4, "second 3", False),
    ]
    polled = play_polled(rig.polled(chatty), rig.item(q), rig.frames(LEVELS[:4]))
    assert polled.said == (Spoken(3, "I see you asked.", "q", True),)


def test_polled_words_are_forced_unless_silence_may_be_right():
    def mute(moment):
        return None

    free = play(rig.assistant(mute), rig.item(Question("q", 2, "?")), rig.frames(LEVELS))
    assert free.said == () and free.unasked == ()
    forced = play_polled(rig.polled(mute), rig.item(Question("q", 2, "?")), rig.frames(LEVELS))
    assert len(forced.said) == 1
    allowed = play_polled(
        rig.polled(mute), rig.item(Question("q", 2, "?", silence=True)), rig.frames(LEVELS)
    )
    assert allowed.said == () and allowed.unasked == ()


def test_a_polled_question_leaves_no_trace():
    """A question that is put last sees the same tokens as if it were the only one."""
    questions = [Question(str(k), k, f"question {k}?") for k in (1, 2, 5, 9, 9, 10)]
    many, one = rig.polled(rig.seen), rig.polled(rig.seen)
    play_polled(many, rig.item(*questions), rig.frames(LEVELS))
    play_polled(one, rig.item(questions[-1]), rig.frames(LEVELS))
    backend_many, backend_one = many.lockstep.engine.backend, one.lockstep.engine.backend
    many, one = many.lockstep, one.lockstep
    assert cached(many) == cached(one) == recomputed(one)
    assert backend_many.encodes == backend_one.encodes == list(range(10))  # each chunk once
    assert many.engine.window.prefix.groups == ()
    assert many.engine.conversation.attribution.entries == []


def test_polled_looks_at_the_window_that_the_engine_holds():
    views = []

    def say(moment):
        if moment.question:
            views.append((moment.now.chunk, moment.before.chunk if moment.before else None))
        return None

    play_polled(
        rig.polled(say), rig.item(Question("q", 10, "?"), Question("r", 3, "?")), rig.frames(LEVELS)
    )
    assert set(views) == {(2, 1), (9, 8)}


def test_a_standing_question_waits_when_free_and_is_polled_until_yes():
    seen = []

    def say(moment):
        seen.append(moment.question)
        bright = moment.now.brightness >= 60
        if moment.question == "Now?":
            return "Yes" if bright else "No"
        if moment.question:
            return "It is bright." if bright else "okay"
        return (
            "It is bright." if bright and moment.before and moment.before.brightness < 60 else None
        )

    q = Question("q", 2, "Tell me when it is bright.", kind=Kind.PROACTIVE, poll=Poll("Now?", 9))
    free = play(rig.assistant(say), rig.item(q), rig.frames(LEVELS))
    assert [(s.at_s, s.text, s.asked) for s in free.said] == [
        (2, "okay", True),
        (6, "It is bright.", False),
    ]
    assert "Now?" not in seen
    polled = play_polled(rig.polled(say), rig.item(q), rig.frames(LEVELS))
    assert polled.said == (Spoken(6, "It is bright.", "q", False),)
    never = Question("q", 2, "Tell me.", kind=Kind.PROACTIVE, poll=Poll("Now?", 5))
    p = play_polled(rig.polled(say), rig.item(never), rig.frames(LEVELS))
    assert p.said == () and p.seconds == 5 and p.unasked == ()


@pytest.mark.parametrize(("way", "engine"), WAYS)
def test_seconds_without_frames_put_a_question_off(way, engine):
    gap = [f for f in rig.frames(LEVELS) if not 3 <= f.stamp_ns / rig.NS < 6]
    p = way(engine(rig.seen), rig.item(Question("q", 4, "?")), gap)
    assert p.said == (Spoken(7, "7", "q", True),)


def test_videos_are_looked_for_in_several_places(tmp_path):
    rig.video(tmp_path / "b" / "v.mp4", [50])
    it = rig.item(Question("q", 1, "?"))
    with pytest.raises(InputError, match=r"video v\.mp4 is not in"):
        open_video(it, tmp_path)
    with open_video(type(it)("i", ("a/v.mp4", "b/v.mp4"), it.questions), tmp_path) as source:
        assert len(list(source)) == 2


def test_missing_and_broken_videos_are_named_and_the_others_played(tmp_path):
    rig.video(tmp_path / "good.mp4", [10, 20, 30])
    (tmp_path / "bad.mp4").write_bytes(b"not a video")
    items = [rig.Item(n, (f"{n}.mp4",), (Question("q", 2, "?"),)) for n in ("bad", "gone", "good")]
    header = Header.of("t", rig.CONFIG, False)
    with Writer(tmp_path / "out.jsonl", header) as writer:
        counts = run(items, tmp_path, ScriptedBackend(rig.seen), rig.CONFIG, writer)
    assert counts.played == 1 and [m.split(":")[0] for m in counts.missing] == [
        "item bad",
        "item gone",
    ]
    (p,) = read(tmp_path / "out.jsonl").predictions
    assert p.item == "good" and p.said == (Spoken(2, "2", "q", True),) and p.seconds == 3
    with Writer(tmp_path / "out.jsonl", header) as writer:
        again = run(items, tmp_path, ScriptedBackend(rig.seen), rig.CONFIG, writer)
    assert (again.played, again.known, len(again.missing)) == (0, 1, 2)


def test_questions_of_a_benchmark_may_be_long_and_many(tmp_path):
    """Regression: an item with a question over 512 tokens counted as not played."""
    rig.video(tmp_path / "v.mp4", [10, 20, 30])
    text = " ".join(str(k) for k in range(1000))
    assert ScriptedBackend().tokenizer.encode(text)[512:]
    with Writer(tmp_path / "out.jsonl", Header.of("t", rig.CONFIG, False)) as writer:
        item = rig.item(*(Question(str(k), 2, text) for k in range(20)))
        counts = run([item], tmp_path, ScriptedBackend(rig.seen), rig.CONFIG, writer)
    assert counts.missing == () and len(read(tmp_path / "out.jsonl").predictions[0].said) == 20


def test_never_is_later_than_any_chunk():
    assert chunk_of(math.inf) == 999_999_999


def remembering(asked: list[str]):
    """A model that notes how bright it is, and collects the questions that it is asked."""

    def say(moment):
        if "note for your memory" in moment.question:
            return f"the lamp has level {moment.now.brightness}"
        if moment.question:
            asked.append(moment.question)
            return "yes"
        return None

    return say


@pytest.mark.parametrize("polled", [False, True])
def test_with_memory_a_question_is_told_what_left_the_window(tmp_path, polled):
    """Notes are taken while the video plays, and stand before a question about the past."""
    rig.video(tmp_path / "v.mp4", [20 * k for k in range(1, 13)])
    question = Question("q", 11, "how often did the lamp have a level in the last hour?")
    told = {}
    for path in (":memory:", ""):
        asked = []
        config = replace(rig.CONFIG, memory=MemoryConfig(path=path))
        header = Header("t", "scripted", "free-running", "0")
        with Writer(tmp_path / f"{path[1:3]}.jsonl", header) as writer:
            backend = ScriptedBackend(remembering(asked))
            counts = run([rig.item(question)], tmp_path, backend, config, writer, polled)
        assert counts.played == 1 and counts.missing == ()
        told[path] = asked[0]
    assert told[""].endswith(question.text) and "From memory" not in told[""]
    assert "From memory, 3 matches" in told[":memory:"]
    assert "the lamp has level" in told[":memory:"]
    assert told[":memory:"].endswith(question.text)


def test_each_item_begins_without_memories(tmp_path):
    for name in ("a", "b"):
        rig.video(tmp_path / f"{name}.mp4", [20 * k for k in range(1, 13)])
    question = Question("q", 2, "how often did the lamp have a level?")
    late = Question("q", 11, "how often did the lamp have a level?")
    items = [
        replace(rig.item(q), id=n, videos=(f"{n}.mp4",)) for n, q in (("a", late), ("b", question))
    ]
    asked = []
    config = replace(rig.CONFIG, memory=MemoryConfig(path=":memory:"))
    with Writer(tmp_path / "p.jsonl", Header("t", "scripted", "free-running", "0")) as writer:
        run(items, tmp_path, ScriptedBackend(remembering(asked)), config, writer)
    first, *_, last = asked
    assert "3 matches" in first
    assert "From memory: nothing" in last


def test_a_memory_that_fails_costs_the_item(tmp_path, monkeypatch):
    """The figures would not be those of memory."""
    monkeypatch.setattr(Store, "open", lambda *a, **k: (_ for _ in ()).throw(StoreError("broken")))
    engine = rig.assistant(rig.seen).engine
    with (
        pytest.raises(ModelError, match=r"memory: .*broken"),
        runner.remembering(engine, MemoryConfig(path=":memory:"), "i"),
    ):
        pass
    assert engine.memory is None
