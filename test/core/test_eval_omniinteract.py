"""OmniInteract: annotations, scores computed by hand, and the authors' predictions."""

from __future__ import annotations

import math
from pathlib import Path

import eval_rig as rig
import pytest
from eval_rig import JUDGE, figures, items_of

from aura_core.errors import InputError
from aura_core.evaluation.judge import Grade
from aura_core.evaluation.metrics import Slot
from aura_core.evaluation.records import Prediction, Spoken
from aura_core.evaluation.statistics import wilson
from aura_core.evaluation.tasks import omniinteract
from aura_core.types import Kind


def qa(asked: str, due: str, answer: str, kind: str = "realtime", interrupted=False) -> dict:
    return {
        "question_time": asked,
        "question_text": f"{answer}?",
        "answer_time": due,
        "answer_text": answer,
        "question_type": kind,
        "is_interrupted": interrupted,
    }


@pytest.fixture
def omniinteract_data(tmp_path: Path) -> Path:
    entries = [
        {"video": f"videos/{n}.mp4", "annotation": f"annotations/{n}.json", "scene_type": s}
        for n, s in (("t", "multi_turn"), ("n", "nested"))
    ]
    rig.write(tmp_path / "1q1a" / "video_json_map.json", {"total": 2, "entries": entries})
    rig.write(
        tmp_path / "1q1a/annotations/t.json",
        [qa("00:20", "00:30", "blue cup", "proactive"), qa("00:01", "00:01", "red box")],
    )
    rig.write(
        tmp_path / "1q1a/annotations/n.json",
        [qa("00:02", "00:40", "outer end", "proactive"), qa("00:10", "00:12", "inner thing")],
    )
    rig.write(
        tmp_path / "1qna/annotations/c/m.json",
        {
            "question_time": "00:05",
            "question_text": "Guide me.",
            "answers": [
                {"answer_time": "00:10", "answer_text": "crack eggs"},
                {"answer_time": 20, "answer_text": "whisk milk"},
            ],
        },
    )
    return tmp_path


def test_omniinteract_slots(omniinteract_data):
    turns, nested, many = items_of("omniinteract", omniinteract_data)
    assert turns.id == "1q1a/videos/t.mp4" and many.id == "1qna/videos_bench/c/m.mp4"
    # in order of time
    assert turns.truth["slots"] == (Slot(1, 1, 20, "red box"), Slot(20, 30, 90, "blue cup"))
    assert nested.truth["slots"] == (Slot(2, 40, 100, "outer end"), Slot(10, 12, 40, "inner thing"))
    assert many.truth["slots"] == (
        Slot(5, 10, 20, "crack eggs", 0.2, hard=False),
        Slot(20, 20, 80, "whisk milk", 0.0, hard=False),
    )
    assert [q.kind for q in turns.questions] == [Kind.REAL_TIME, Kind.PROACTIVE]
    assert many.questions[0].kind is Kind.MULTI_RESPONSE and len(many.questions[0].due) == 2


def test_omniinteract_conversations_and_what_only_the_judge_may_see(tmp_path):
    talk = [
        {"from": "user", "timestamp": "00:03", "value": "Help."},
        {"from": "assistant", "timestamp": "00:09", "value": "cut", "interrupted": "true"},
    ]
    rig.write(
        tmp_path / "1qna/annotations/x.json",
        {"inferred_knowledge": "SECRET", "conversations": talk},
    )
    (item,) = items_of("omniinteract", tmp_path)
    (q,) = item.questions
    assert q.text == "Help." and q.shown == "SECRET\nHelp."
    assert item.truth["slots"] == (Slot(3, 9, 69, "cut", 0.2, hard=True, interrupted=True),)


def test_omniinteract_scores(omniinteract_data):
    turns, nested, many = items = items_of("omniinteract", omniinteract_data)
    f = figures(
        "omniinteract",
        items,
        # real-time at once: 0.8; proactive: acknowledged at 20 (0.2), right at 45 with 60 s to go:
        # 0.8 * 0.75
        rig.said(turns.id, (1, "a red box"), (20, "okay"), (45, "blue cup"), (200, "what?")),
        # inner at 26 of 12..40: 0.8 * 0.5; outer in time: 0.8
        rig.said(nested.id, (26, "the inner thing"), (40, "outer end")),
        # the first step at once and acknowledged; the second one wrong: a false positive and a miss
        rig.said(many.id, (5, "okay"), (10, "crack eggs"), (20, "nothing")),
    )
    # neither false positives nor misses: however late, the formula gives 1
    assert f["IA-QTF1 realtime"] == f["IA-QTF1 proactive"] == (1.0, 1) and f["IA-QTF1 nested"] == (
        1.0,
        2,
    )
    assert f["IA-QTF1 1qna"] == (0.5, 2)  # TP 1, FP 1, FN 1
    tp = 0.8 + (0.2 + 0.6) + (0.4 + 0.8) + 1.0
    # with the words at 200 outside of all slots
    assert f["IA-QTF1"] == (round(2 * tp / (2 * tp + 2 + 1), 4), 6)
    assert f["TP of a slot"] == (round(tp / 6, 4), 6)
    assert f["NCCS"] == (round(math.sqrt(0.4 * 0.8), 4), 1)


def test_omniinteract_what_is_told_too_early_is_a_false_positive(omniinteract_data):
    turns, *_ = items = items_of("omniinteract", omniinteract_data)
    f = figures(
        "omniinteract",
        items,
        rig.said(turns.id, (1, "red box"), (22, "blue something"), (30, "blue cup")),
    )
    # "blue" and "cup" are both in the question, which may be repeated
    assert f["IA-QTF1 proactive"] == (1.0, 1)
    row = qa("00:20", "00:30", "blue cup") | {"question_text": "What?"}
    rig.write(omniinteract_data / "1q1a/annotations/t.json", [row])
    turns, *_ = items = items_of("omniinteract", omniinteract_data)
    f = figures("omniinteract", items, rig.said(turns.id, (22, "blue"), (30, "blue cup")))
    assert f["IA-QTF1 realtime"] == (round(1.6 / 2.6, 4), 1)


def test_omniinteract_words_outside_of_all_slots_count_in_the_figure_of_everything_alone(
    omniinteract_data,
):
    """As in the authors' tables: it is unknown to which slot they belong."""
    _, nested, many = items = items_of("omniinteract", omniinteract_data)
    p = rig.said(
        many.id,
        (5, "okay"),
        (10, "crack eggs"),
        (20, "whisk milk"),
        (90, "and so on"),
        (95, "well"),
    )
    f = figures("omniinteract", items, p)  # TP 1 + 1, FP 2
    assert f["IA-QTF1 1qna"] == f["IA-QTF1 subset 1qna"] == (1.0, 2)
    assert f["IA-QTF1"] == (round(4 / 6, 4), 2) and "IA-QTF1 1Q1A global" not in f
    f = figures(
        "omniinteract",
        items,
        rig.said(nested.id, (12, "inner thing"), (40, "outer end"), (200, "what?")),
    )
    assert f["IA-QTF1 nested"] == f["IA-QTF1 1Q1A global"] == (1.0, 2)
    assert f["IA-QTF1"] == (round(3.2 / 4.2, 4), 2)  # TP 0.8 + 0.8, FP 1


def test_omniinteract_tells_inner_and_outer_slots_and_missed_outer_ones(omniinteract_data):
    turns, nested, _ = items = items_of("omniinteract", omniinteract_data)
    f = figures(
        "omniinteract",
        items,
        rig.said(nested.id, (12, "inner thing")),
        rig.said(turns.id, (1, "red box"), (30, "blue cup")),
    )
    assert f["IA-QTF1 nested, inner"] == (1.0, 1) and f["IA-QTF1 nested, outer"] == (0.0, 1)
    assert f["nested: missed outer"] == (1.0, 1) and f["NCCS"] == (0.0, 1)
    # TP 0.8 three times, and one miss
    assert f["IA-QTF1 1Q1A global"] == f["IA-QTF1"] == (round(4.8 / 5.8, 4), 4)


def test_omniinteract_reports_by_subset(omniinteract_data):
    """Regression: two subsets with the same kind of scene were mixed."""
    rig.write(omniinteract_data / "1q1a_math/annotations/t.json", [qa("00:01", "00:01", "four")])
    turns, _, math_item, many = items = items_of("omniinteract", omniinteract_data)
    f = figures(
        "omniinteract",
        items,
        rig.said(turns.id, (1, "red box"), (30, "blue cup")),
        rig.said(math_item.id, (1, "five")),
        rig.said(many.id, (10, "crack eggs"), (20, "nothing")),
    )
    assert f["IA-QTF1 subset 1q1a"] == (1.0, 2) and f["IA-QTF1 subset 1q1a_math"] == (0.0, 1)
    assert f["IA-QTF1 subset 1qna"] == (round(1.6 / 3.6, 4), 2)  # TP 0.8, FP 1, FN 1
    assert f["IA-QTF1 realtime"] == (round(1.6 / 3.6, 4), 2)


def test_omniinteract_intervals_draw_whole_items(omniinteract_data):
    """Regression: slots, pairs and grades were resampled one by one.

    With a single item all draws are equal, and the interval is that of one sample.
    """
    rows = [
        qa("00:02", "00:40", "outer end"),
        qa("00:10", "00:12", "inner thing"),
        qa("01:00", "01:40", "outer two"),
        qa("01:10", "01:12", "inner two"),
    ]
    rig.write(omniinteract_data / "1q1a/annotations/n.json", rows)
    cut = [qa(f"00:{t}0", f"00:{t}1", "red box", interrupted=True) for t in (1, 2, 3)]
    rig.write(omniinteract_data / "1q1a/annotations/t.json", cut)
    turns, nested, _ = items = items_of("omniinteract", omniinteract_data)
    predictions = {
        nested.id: rig.said(nested.id, (12, "inner thing"), (40, "outer end"), (75, "wrong words")),
        turns.id: rig.said(turns.id, (11, "red box"), (21, "green")),
    }
    for item, names in (
        (nested, ("IA-QTF1 nested", "IA-QTF1", "NCCS", "TP of a slot")),
        (turns, ("interrupted: quality",)),
    ):
        scores = omniinteract.score(items, {item.id: predictions[item.id]}, JUDGE)
        for name in names:
            m = scores.figures[name]
            assert 0 < m.value < 1 and m.ci95 == wilson(m.value, 1), name


def test_omniinteract_interruptions(omniinteract_data, tmp_path):
    rig.write(
        tmp_path / "1q1a/annotations/t.json",
        [
            qa("00:01", "00:02", "red box", "realtime", True),
            qa("00:05", "00:06", "blue cup", "realtime", "yes"),
        ],
    )
    turns, *_ = items = items_of("omniinteract", omniinteract_data)
    cut = Prediction(turns.id, (Spoken(2, "red", "0", end_s=5.5),))  # speaks on into the next slot
    scores = omniinteract.score(items, {turns.id: cut}, JUDGE)
    assert scores.figures["interrupted: silent"].value == 0.5
    # F1 of "red" and "red box"
    assert scores.figures["interrupted: quality"].value == pytest.approx(2 / 3)
    assert scores.figures["IA-QTF1"].value == 0.0
    assert scores.figures["interrupted: goes on (CSM-SR)"].value == 1.0
    assert scores.figures["interrupted: seconds over (CSM-AS)"].value == 0.5


def test_omniinteract_nested_needs_a_question_inside(omniinteract_data, tmp_path):
    rig.write(
        tmp_path / "1q1a/annotations/n.json", [qa("00:02", "00:05", "a"), qa("00:10", "00:12", "b")]
    )
    with pytest.raises(
        InputError,
        match=r"n\.json: item 0: is nested, but no question comes before its answer_time",
    ):
        items_of("omniinteract", tmp_path)


def test_answers_that_are_interrupted_are_known_by_either_field(tmp_path):
    """Regression: `is_interrupted` of an answer was not read."""
    answers = [
        {"answer_time": 10 * k, "answer_text": "x"} | more
        for k, more in enumerate(
            ({"is_interrupted": True}, {"interrupted": False, "is_interrupted": True}, {}), 1
        )
    ]
    data = {"question_time": 1, "question_text": "Guide me.", "answers": answers}
    rig.write(tmp_path / "1qna/annotations/x.json", data)
    (item,) = items_of("omniinteract", tmp_path)
    assert [s.interrupted for s in item.truth["slots"]] == [True, False, False]


def aligned(*words: tuple[str, float]) -> list[dict]:
    return [{"text": text, "start": at_s, "end": at_s + 1} for text, at_s in words]


@pytest.fixture
def transcript(omniinteract_data, tmp_path):
    """Return a function that scores one transcript of `t.mp4`, whose second slot is 20, 30, 90."""

    def scored(*chunks: dict, judge=JUDGE):
        rig.write(tmp_path / "out/1q1a/videos__t/wav_transcript.json", {"chunks": list(chunks)})
        items = items_of("omniinteract", omniinteract_data)
        (p,) = omniinteract.published(tmp_path / "out", items, "")
        return omniinteract.score(items, {p.item: p}, judge)

    return scored


def test_omniinteract_words_that_cross_the_due_time_count_from_it(transcript):
    """The core part of a chunk that began early is on time, whenever its first word ends."""
    words = aligned(("wait", 25), ("blue", 33), ("cup", 34))
    chunk = {"text": "wait blue cup", "timestamp": ["00:25", "00:36"], "aligned_words": words}
    # acknowledged in the middle of 20..30: 0.2 * 0.5; then the core, as if at 30: 0.8
    assert transcript(chunk).outcomes[1].value == pytest.approx(0.9)
    # without the times of words it is early, and gives the answer away
    assert transcript(chunk | {"aligned_words": []}).outcomes[1].value == 0.1


def test_omniinteract_the_core_counts_from_the_words_that_answer(transcript):
    class Quoting:
        description = "quotes"

        def grade(self, prompt, question, truth, said, later=""):
            return Grade(1.0, phrase="“blue cup”" if prompt == "core" else "")

    words = aligned(("well", 30), ("blue", 60), ("cup", 61))
    chunk = {"text": "well blue cup", "timestamp": [30, 62], "aligned_words": words}
    judge = Quoting()
    assert transcript(chunk, judge=judge).outcomes[1].value == pytest.approx(0.8 * 0.5)
    # the times do not belong to these words
    other = chunk | {"text": "well, blue cup"}
    assert transcript(other, judge=judge).outcomes[1].value == pytest.approx(0.8)


def test_omniinteract_chinese_words_have_no_spaces_between_them(transcript):
    seen = []

    class Reading:
        description = "reads"

        def grade(self, prompt, question, truth, said, later=""):
            seen.append(said)
            return Grade(1.0, phrase="蓝杯" if prompt == "core" else "")

    words = aligned(("等", 25), ("看", 31), ("蓝", 60), ("杯", 61))
    chunk = {"text": "等看蓝杯", "timestamp": [25, 62], "aligned_words": words}
    # acknowledged at 25 of 20..30; the core at 60 of 30..90
    assert transcript(chunk, judge=Reading()).outcomes[1].value == pytest.approx(0.1 + 0.8 * 0.5)
    assert seen == ["等", "看蓝杯"]
