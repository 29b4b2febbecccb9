"""Videos that end before their annotations: nothing is asked there, all is named and counted."""

from __future__ import annotations

import json

import eval_rig as rig
import pytest
from eval_rig import figures, items_of
from eval_samples import OVO, PROACTIVE, ovo, pro, sb_entry, trigger
from test_eval_cli import SCRIPTED, aura
from videos import write_grey_video

from aura_core.errors import InputError
from aura_core.evaluation.ends import MOST_NAMED, beyond_end
from aura_core.evaluation.html import report
from aura_core.evaluation.polled import play_polled
from aura_core.evaluation.predictions import Header, Writer, read
from aura_core.evaluation.records import (
    AT_END,
    PREVIOUS,
    Due,
    Poll,
    Prediction,
    Question,
    Scores,
    Spoken,
)
from aura_core.evaluation.runner import play, run
from aura_core.models.scripted import ScriptedBackend
from aura_core.types import Kind

WAYS = [(play, rig.assistant), (play_polled, rig.polled)]
LEVELS = [10 * k for k in range(1, 13)]  # second k (from 0) is of level 10 * (k + 1)
CUT = "is the video complete, or is the annotation for another cut?"


def lines(item, p, polled=False):
    return beyond_end([item], {item.id: p}, polled).lines


@pytest.mark.parametrize(("way", "engine"), WAYS)
def test_a_question_after_the_end_is_not_asked_but_kept_apart(way, engine):
    """Regression: it was asked in the last second, and scored like the others."""
    told = []

    def say(moment):
        told.append(moment.question)
        return rig.seen(moment)

    late = rig.item(Question("a", 2, "?"), Question("b", 500, "late?"), Question("c", AT_END, "?"))
    p = way(engine(say), late, rig.frames(LEVELS[:4]))
    assert [(s.question, s.text) for s in p.said] == [("a", "2"), ("c", "4")]
    assert (p.beyond_end, p.unasked, p.seconds) == (("b",), (), 4) and "late?" not in told
    assert lines(late, p) == (f"item i: the video ends at 4 s, before question b (500 s): {CUT}",)


@pytest.mark.parametrize(("way", "engine"), WAYS)
@pytest.mark.parametrize("frames", [8, 7])  # the last second is full, or half
@pytest.mark.parametrize(("at_s", "asked"), [(4, True), (4.2, True), (5, True), (5.01, False)])
def test_the_second_after_the_end_is_still_asked(way, engine, frames, at_s, asked):
    p = way(engine(rig.seen), rig.item(Question("q", at_s, "?")), rig.frames(LEVELS[:4])[:frames])
    assert [(s.at_s, s.text) for s in p.said] == ([(4, "4")] if asked else [])
    assert p.beyond_end == (() if asked else ("q",)) and p.unasked == ()


def test_a_frame_that_comes_a_little_early_begins_the_last_second():
    """The engine counts it for the next second, and so does the end of the video."""
    frames = rig.frames(LEVELS[:5])[:9]
    frames[-1] = type(frames[-1])(frames[-1].image, 4 * rig.NS - rig.NS // 50)
    for way, engine in WAYS:
        p = way(engine(rig.seen), rig.item(Question("q", 6, "?"), Question("r", 6.1, "?")), frames)
        assert (p.seconds, p.beyond_end) == (5, ("r",)) and [s.text for s in p.said] == ["5"]


@pytest.mark.parametrize(("way", "engine"), WAYS)
def test_a_second_without_frames_is_not_the_end(way, engine):
    gap = [f for f in rig.frames(LEVELS) if not 3 <= f.stamp_ns / rig.NS < 9]
    p = way(engine(rig.seen), rig.item(Question("q", 8, "?")), gap)
    assert [s.question for s in p.said] == ["q"] and p.beyond_end == ()


def test_the_last_picture_is_not_repeated_for_a_question_that_is_never_asked():
    chunks = []

    def say(moment):
        chunks.append(moment.now.chunk)
        return rig.seen(moment)

    two = (Question("a", 4, "?"), Question("b", 4, "?"))
    p = play(rig.assistant(say), rig.item(*two, Question("c", 9, "?")), rig.frames(LEVELS[:4]))
    assert set(chunks) == {0, 1, 2, 3}  # `b` is asked about the chunk of `a`
    assert p.seconds == 4 and p.beyond_end == ("c",)  # which is no second of the video


def test_questions_after_the_end_that_the_annotation_gives():
    """The video goes on, but the item does not."""
    item = rig.item(Question("a", 3, "?"), Question("b", 9, "?"), end_s=5)
    p = play(rig.assistant(rig.seen), item, rig.frames(LEVELS))
    assert (p.seconds, p.beyond_end, [s.question for s in p.said]) == (5, ("b",), ["a"])
    assert lines(item, p) == (
        "item i: by its annotation, playing stops at 5 s, before question b (9 s); correct it",
    )
    short = play(rig.assistant(rig.seen), item, rig.frames(LEVELS[:4]))
    assert lines(item, short) == (f"item i: the video ends at 4 s, before question b (9 s): {CUT}",)


@pytest.mark.parametrize(("way", "engine"), WAYS)
def test_a_turn_is_held_back_at_the_end_and_asked_all_the_same(way, engine):
    turns = rig.item(Question("a", 4, "What?"), Question("b", 4, f"After {PREVIOUS}?"))
    p = way(engine(rig.seen), turns, rig.frames(LEVELS[:4]))
    assert [s.question for s in p.said] == ["a", "b"] and p.beyond_end == p.unasked == ()


def test_a_turn_that_repeats_an_answer_from_after_the_end_comes_after_it_too():
    turns = rig.item(
        Question("a", 50, "What?"), Question("b", 3, f"After {PREVIOUS}?"), Question("c", 2, "?")
    )
    p = play(rig.assistant(rig.seen), turns, rig.frames(LEVELS[:4]))
    assert (p.beyond_end, p.unasked, [s.question for s in p.said]) == (("a", "b"), (), ["c"])
    assert "before question a (50 s), question b (50 s): is" in lines(turns, p)[0]


def test_polled_times_decide_in_polled_mode():
    item = rig.item(Question("q", 3, "?", polled_s=9))
    assert play(rig.assistant(rig.seen), item, rig.frames(LEVELS[:4])).beyond_end == ()
    p = play_polled(rig.polled(rig.seen), item, rig.frames(LEVELS[:4]))
    assert p.beyond_end == ("q",) and "question q (9 s)" in lines(item, p, polled=True)[0]


@pytest.mark.parametrize(("way", "engine"), WAYS)
def test_answers_that_are_due_after_the_end_are_named(way, engine):
    """Regression: they were silently missed."""

    def due(at_s):
        return Due(at_s, "now", at_s - 2, at_s + 2)

    poll = Poll("Now?", 24)
    q = Question(
        "q", 2, "Tell me.", due=(due(3), due(6), due(7), due(20)), kind=Kind.MULTI_RESPONSE
    )
    item = rig.item(q if way is play else Question(**{**vars(q), "poll": poll}))
    p = way(engine(rig.seen), item, rig.frames(LEVELS[:4]))
    # up to 2 s early counts: what is due at 6 s can still be said at 4 s
    assert lines(item, p) == (
        "item i: the video ends at 4 s, before an answer to question q (7 s), an answer to"
        f" question q (20 s): {CUT}",
    )
    found = beyond_end([item], {"i": p})
    assert found.as_json() == {"items": 1, "questions": 0, "answers": 2}
    whole = way(engine(rig.seen), item, rig.frames([50] * 25))
    assert beyond_end([item], {"i": whole}).as_json() == {"items": 0, "questions": 0, "answers": 0}


def test_all_answers_of_a_question_that_is_not_asked_count_and_many_are_cut_short():
    due = tuple(Due(t, "x", t, t) for t in (20, 30, 40))
    questions = [Question(str(k), 10 + k, "?", due=due) for k in range(5)]
    item = rig.item(*questions)
    p = play(rig.assistant(rig.seen), item, rig.frames(LEVELS[:4]))
    found = beyond_end([item], {"i": p})
    assert found.as_json() == {"items": 1, "questions": 5, "answers": 15} and MOST_NAMED == 3
    assert (
        "question 0 (10 s), question 1 (11 s), question 2 (12 s) and 2 more: is" in found.lines[0]
    )


def test_predictions_that_do_not_tell_their_seconds_and_missing_ones_are_left_alone():
    item = rig.item(Question("q", 50, "?", due=(Due(60, "x", 60, 70),)), annotated_s=90)
    assert beyond_end([item], {"i": Prediction("i", ())}).lines == ()
    assert beyond_end([item], {}).lines == ()


def test_a_file_that_declares_more_than_it_has_ends_with_its_frames(tmp_path):
    """The sound goes on for 9 s: the frames decide, not the header."""
    import av
    import numpy as np

    path = write_grey_video(tmp_path / "v.mkv", [100 * k for k in range(40)])
    with av.open(str(path)) as bare, av.open(str(tmp_path / "v.mp4"), "w") as out:
        video = out.add_stream_from_template(bare.streams.video[0])
        sound = out.add_stream("aac", rate=8000)
        for packet in bare.demux(video=0):
            if packet.dts is not None:
                packet.stream = video
                out.mux(packet)
        for k in range(9):
            tone = av.AudioFrame.from_ndarray(
                np.zeros((1, 8000), np.float32), format="fltp", layout="mono"
            )
            tone.sample_rate, tone.pts = 8000, 8000 * k
            out.mux(sound.encode(tone))
        out.mux(sound.encode())
    with av.open(str(tmp_path / "v.mp4")) as both:
        assert both.duration > 8.5 * av.time_base
    for polled in (False, True):
        out = tmp_path / f"{polled}.jsonl"
        with Writer(out, Header.of("t", rig.CONFIG, polled)) as writer:
            item = rig.item(Question("q", 5, "?"), Question("r", 8, "?"))
            run([item], tmp_path, ScriptedBackend(rig.seen), rig.CONFIG, writer, polled)
        (p,) = read(out).predictions
        assert (p.seconds, p.beyond_end, [s.question for s in p.said]) == (4, ("r",), ["q"])


# ---- the figures: what comes after the end stays in n, and is not right ------------------------


def test_every_benchmark_counts_them_as_wrong(tmp_path):
    """The authors' n has them, so this n has them, and no silence makes them right."""
    rig.write(tmp_path / "ovo_bench_new.json", [ovo(0, "EPM", 9, 2), OVO[3], OVO[5]])
    later = PROACTIVE | {"ground_truth_time_stamp": "00:00:09"}
    rig.write(tmp_path / "questions_proactive.json", [sb_entry("p.mp4", later)])
    turns = [
        {"question": "What?", "answer": "cup", "timestamp": "1.0 -- 2.0"},
        {"question": "And?", "answer": "box", "timestamp": "8.0 -- 12.0"},
    ]
    rig.write(tmp_path / "dynamic_state_grounding.json", [{"video": "g.mp4", "qa": turns}])
    rig.write(tmp_path / "benchmark.json", [pro("a", "event_narration", trigger(20), trigger(30))])
    window = {"start": 20, "end": 25, "answer": "rain"}
    cell = {"id": "1", "video": "a.mp4", "mode": "proactive", "position": "forward"}
    rig.write(
        tmp_path / "streaming_eval.json",
        [cell | {"question": "?", "question_time": 9, "answers": [window]}],
    )
    asked = {"question_time": 9, "question_text": "?", "answer_time": 12, "answer_text": "cup"}
    rig.write(tmp_path / "1q1a/annotations/t.json", [asked])

    def scored(task):
        items = items_of(task, tmp_path)
        played = [play(rig.assistant(lambda _: None), i, rig.frames(LEVELS[:4])) for i in items]
        found = beyond_end(items, {p.item: p for p in played})
        return figures(task, items, *played), found.as_json()

    f, found = scored("ovobench")
    assert f["EPM"] == (0.0, 1) and f["REC"] == (0.0, 2) and f["total"] == (0.0, 4)
    assert found == {"items": 2, "questions": 2, "answers": 2}  # REC at 5 s and CRR at 3 s: asked
    f, found = scored("streamingbench")
    assert f["overall"] == (0.0, 1) and found == {"items": 1, "questions": 0, "answers": 1}
    f, found = scored("omnimmi")
    assert f["dynamic_state_grounding (single turns)"] == (0.0, 2)
    assert f["mean of five parts"] == (0.0, 1)
    assert found == {"items": 1, "questions": 1, "answers": 1}
    f, found = scored("omnipro")
    assert f["mean time-F1"] == (0.0, 2) and found == {"items": 1, "questions": 0, "answers": 2}
    f, found = scored("streaming-eval")
    assert f["SW-F1"] == (0.0, 1) and found == {"items": 1, "questions": 1, "answers": 1}
    f, found = scored("omniinteract")
    assert f["IA-QTF1"] == (0.0, 1) and found == {"items": 1, "questions": 1, "answers": 1}


@pytest.fixture
def short(tmp_path):
    """A video of 4 s with questions at 3 and 9 s, and one of 12 s."""
    data = tmp_path / "data"
    test_info = [{"realtime": 3, "type": 1}, {"realtime": 9, "type": 1}]
    rows = [OVO[5] | {"id": k, "video": f"{k}.mp4", "test_info": test_info} for k in (1, 2)]
    rig.write(data / "ovo_bench_new.json", rows)
    rig.video(data / "src_videos" / "1.mp4", [100] * 4)
    rig.video(data / "src_videos" / "2.mp4", [100] * 12)
    return data


LINE = f"warning: item 1: the video ends at 4 s, before question 1 (9 s): {CUT}"
NOTE = (
    "1 videos end before their annotations: 1 questions were not asked; 1 answers are in n and"
    " count as wrong or missed"
)


@pytest.mark.parametrize("mode", [(), ("--polled",)])
def test_the_report_tells_them_also_of_a_run_that_goes_on_and_of_a_file(
    short, tmp_path, capsys, mode
):
    out, as_json, html = tmp_path / "p.jsonl", tmp_path / "s.json", tmp_path / "r.html"
    files = ("--json", as_json, "--html", html)
    play_it = ("eval", "ovobench", "--data", short, "--out", out, *SCRIPTED, *mode, *files)
    score_it = ("eval", "score", "ovobench", out, "--data", short, *files)
    reports = []
    for command in (play_it, play_it, score_it):
        assert aura(*command) == 0
        told = capsys.readouterr()
        assert told.err.splitlines().count(LINE) == 1 and f"note: {NOTE}" in told.out
        (row,) = [t for t in told.out.splitlines() if "after a video's end: not right" in t]
        assert row.split()[-2:] == ["1", "│"]
        reports.append(json.loads(as_json.read_text()))
    assert reports[0] == reports[1] == reports[2]
    assert reports[0]["beyond_end"] == {"items": 1, "questions": 1, "answers": 1}
    # "You asked: ..." repeats the options "Yes or No": each question that was asked is right
    assert (reports[0]["figures"]["CRR"]["value"], reports[0]["figures"]["CRR"]["n"]) == (0.75, 4)
    assert NOTE in reports[0]["notes"]
    page = html.read_text()
    assert page.count("<td>not asked</td>") == 1 and NOTE in page


def test_a_run_without_such_videos_has_no_line(short, tmp_path, capsys):
    rig.video(short / "src_videos" / "1.mp4", [100] * 9)
    as_json = tmp_path / "s.json"
    args = ("--data", short, "--out", tmp_path / "p", *SCRIPTED, "--json", as_json)
    assert aura("eval", "ovobench", *args) == 0
    told = capsys.readouterr()
    assert "end" not in told.out and "warning" not in told.err
    assert json.loads(as_json.read_text())["beyond_end"]["items"] == 0


def test_what_was_not_asked_is_in_the_file_and_in_the_report(tmp_path):
    p = Prediction("i", (Spoken(1, "x", "a", True),), 4, ("b",), ("c",))
    with Writer(tmp_path / "p", Header.of("t", rig.CONFIG, False)) as writer:
        writer.add(p)
    assert read(tmp_path / "p").predictions == (p,)
    item = rig.item(*(Question(n, 9, "?") for n in "abc"))
    (page,) = report("T", "s", Scores({}, (), "j"), [item], {"i": p}).values()
    assert page.count("<td>asked</td>") == 1 and page.count("<td>not asked</td>") == 2


# ---- annotations whose times contradict the video, or each other ------------------------------


@pytest.mark.parametrize(
    ("task", "file", "row", "end_s"),
    [
        ("omnipro", "benchmark.json", pro("a", "event_narration", trigger(5), duration=30), 30),
        (
            "streaming-eval",
            "streaming_eval.json",
            {
                "id": "a",
                "video": "a.mp4",
                "mode": "proactive",
                "position": "forward",
                "question": "?",
                "question_time": 2,
                "answers": [{"start": 4, "end": 6, "answer": "x"}],
                "end": 30,
            },
            30,
        ),
        (
            "omnimmi",
            "proactive_alerting.json",
            {"video": "a.mp4", "question": "?", "answer": [4, 30]},
            30,
        ),
    ],
)
def test_a_video_that_is_shorter_than_its_annotation_is_named(tmp_path, task, file, row, end_s):
    """All that is asked and due is in it, but the rest of the video is missing."""
    rig.write(tmp_path / file, [row])
    (item,) = items_of(task, tmp_path)
    for seconds, named in ((12, True), (29, False), (30, False), (31, False)):
        p = play(rig.assistant(rig.seen), item, rig.frames([50] * seconds))
        found = beyond_end([item], {item.id: p})
        assert found.as_json() == {"items": int(named), "questions": 0, "answers": 0}
        if named:
            assert f"at 12 s, before the end of the annotation ({end_s} s): {CUT}" in found.lines[0]


@pytest.mark.parametrize(
    ("file", "row", "says"),
    [
        (
            "dynamic_state_grounding.json",
            {"qa": [{"question": "q", "answer": "a", "timestamp": "-1 -- 4"}]},
            "turn 0: field 'timestamp' must be a time",
        ),
        (
            "proactive_alerting.json",
            {"question": "q", "answer": [9, 4]},
            "item 0: field 'answer' must not end before it begins, 4 < 9",
        ),
        (
            "proactive_alerting.json",
            {"question": "q", "answer": [-1, 4]},
            "item 0: field 'answer' must be a time",
        ),
    ],
)
def test_a_window_that_ends_before_it_begins_or_a_time_before_0(tmp_path, file, row, says):
    rig.write(tmp_path / file, [{"video": "v.mp4"} | row])
    with pytest.raises(InputError, match=says):
        items_of("omnimmi", tmp_path)


@pytest.mark.parametrize(("way", "engine"), WAYS)
def test_an_item_without_questions_has_nothing_after_its_end(way, engine):
    p = way(engine(rig.seen), rig.item(), rig.frames(LEVELS[:4]))
    assert (p.said, p.unasked, p.beyond_end) == ((), (), ()) and lines(rig.item(), p) == ()
