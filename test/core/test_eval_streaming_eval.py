"""Streaming-Eval in this project's annotation format, with SW-F1 computed by hand."""

from __future__ import annotations

import json
from pathlib import Path

import eval_rig as rig
import pytest
from eval_rig import figures, items_of

from aura_core.errors import InputError
from aura_core.evaluation.records import Item, Prediction, Spoken
from aura_core.evaluation.tasks import streaming_eval
from aura_core.types import Kind


@pytest.fixture
def streaming_eval_data(tmp_path: Path) -> Path:
    windows = [
        {"start": 10, "end": 14, "answer": "a cat"},
        {"start": "00:30", "end": 33, "answer": "a dog"},
    ]
    common = {"video": "v.mp4", "question": "Tell me what comes in.", "question_time": 3}
    rig.write(
        tmp_path / "streaming_eval.json",
        [
            common | {"id": "a", "mode": "proactive", "position": "forward", "answers": windows},
            common
            | {
                "id": "b",
                "mode": "punctual",
                "position": "present",
                "answers": [{"start": 3, "end": 5, "answer": "x"}],
            },
        ],
    )
    return tmp_path


def test_streaming_eval_scores(streaming_eval_data):
    items = items_of("streaming-eval", streaming_eval_data)
    a = Prediction(
        "a",
        (
            Spoken(3, "okay", "0", True),
            Spoken(14, "a cat!", "0"),
            Spoken(20, "a cat", "0"),
            Spoken(31, "a cow", "0"),
        ),
    )
    f = figures("streaming-eval", items, a, rig.said("b", (4, "x"), (5.5, "x")))
    assert f["SW-F1 proactive/forward"] == (round(2 / (2 + 0.2 + 2), 4), 2)
    assert f["SW-F1 punctual/present"] == (round(2 / 2.2, 4), 1)
    assert f["SW-F1"] == (round(4 / (4 + 0.4 + 2), 4), 3)
    with pytest.raises(InputError, match="no other format is known"):
        streaming_eval.published(streaming_eval_data, items, "")


def choice(at_s: float, *windows: tuple[float, float, str]) -> dict:
    return {
        "question": "What is on the table?",
        "question_time": at_s,
        "options": ["A. a cup", "B) a ball", "C. a cat"],
        "answers": [{"start": a, "end": b, "answer": letter} for a, b, letter in windows],
    }


@pytest.fixture
def choices_data(tmp_path: Path) -> Path:
    common = {"video": "v.mp4"}
    one = common | {"id": "f", "split": "fact-changing"} | choice(3, (3, 6, "A"), (20, 25, "B"))
    several = [choice(3, (3, 6, "A")), choice(30, (30, 34, "C"))]
    two = common | {"id": "q", "split": "question-changing", "questions": several}
    rig.write(tmp_path / "streaming_eval.json", [one, two])
    return tmp_path


def test_multiple_choice_of_the_paper_is_exact_and_in_its_window(choices_data):
    fact, question = items = items_of("streaming-eval", choices_data)
    assert fact.questions[0].kind is Kind.MULTI_RESPONSE
    assert [q.kind for q in question.questions] == [Kind.REAL_TIME] * 2
    assert "A. a cup\nB. a ball\nC. a cat" in question.questions[0].text
    free = {"asked": False}
    f = figures(
        "streaming-eval",
        items,
        # the first in time; outside of all windows; the second wrong for its time
        rig.said("f", (4, "A"), (10, "B"), (21, "A"), **free),
        rig.said("q", (3, "a cup.", "0"), (30, "(C)", "1")),
    )
    assert f["SW-F1 fact-changing"] == (round(2 / (2 + 0.2 + 2), 4), 2)
    assert f["SW-F1 question-changing"] == (1.0, 2)
    assert f["SW-F1"] == (round(6 / (6 + 0.2 + 2), 4), 4)
    for words in ("A cup is there", "A or B", "a", ""):
        wrong = rig.said("q", (3, words, "0"), (30, "C", "1"))
        assert figures("streaming-eval", items, wrong)["SW-F1"] == (round(2 / 4, 4), 2)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"split": "later"}, "'split' must be one of backward, present, forward, fact-changing"),
        ({"answers": [{"start": 3, "end": 4, "answer": "D"}]}, "must be an option's letter, not"),
        (
            {"answers": [{"start": 2, "end": 6, "answer": "A"}]},
            "answer 0: field 'start' must not be before question_time, 2 < 3",
        ),
    ],
)
def test_a_wrong_choice_is_named(tmp_path, change, says):
    row = {"id": "1", "video": "v.mp4", "split": "present"} | choice(3, (3, 6, "A")) | change
    rig.write(tmp_path / "streaming_eval.json", [row])
    with pytest.raises(InputError, match=says):
        items_of("streaming-eval", tmp_path)


def test_a_window_of_open_text_does_not_begin_before_its_question(streaming_eval_data):
    """Regression: words from before the question could answer it."""
    path = streaming_eval_data / "streaming_eval.json"
    rig.write(path, [json.loads(path.read_text())[1] | {"question_time": 4}])
    with pytest.raises(InputError, match="'start' must not be before question_time, 3 < 4"):
        items_of("streaming-eval", streaming_eval_data)


@pytest.fixture
def overlapping(tmp_path: Path) -> list[Item]:
    """Two questions of one video whose windows overlap: A is right from 3 to 8, B from 6 to 9."""
    questions = [choice(3, (3, 8, "A")), choice(6, (6, 9, "B"))]
    row = {"id": "q", "video": "v.mp4", "split": "question-changing", "questions": questions}
    rig.write(tmp_path / "streaming_eval.json", [row])
    return items_of("streaming-eval", tmp_path)


@pytest.mark.parametrize(
    ("words", "right", "outside"),
    [
        # a reply to one question is none to the other, also inside the other one's window
        ([(7, "A", "0"), (7, "B", "1")], 2, 0),
        ([(7, "B", "0"), (7, "A", "1")], 0, 0),
        ([(5, "A", "0"), (9, "B", "0")], 1, 1),
        ([(9, "B", "7")], 0, 1),  # to a question that is not there
        # the question is not known: the newest one that has a window, then none
        ([(5, "A", ""), (7, "B", "")], 2, 0),
        ([(7, "B", ""), (8, "A", "")], 1, 0),
        ([(1, "A", "")], 0, 1),
        # the first words are the reply, so trying all letters gains nothing
        ([(4, "B", "0"), (5, "A", "0"), (7, "B", "1")], 1, 0),
        ([(t, "ABC"[k], str(q)) for q, t in ((0, 3), (1, 6)) for k in range(3)], 1, 0),
    ],
)
def test_words_reply_to_the_question_that_they_belong_to(overlapping, words, right, outside):
    """Regression: all words were compared with all windows, and one right letter was enough."""
    (score, n) = figures("streaming-eval", overlapping, rig.said("q", *words))["SW-F1"]
    assert (score, n) == (round(2 * right / (4 + 0.2 * outside), 4) if right else 0.0, 2)


def test_one_reply_counts_in_one_window(tmp_path):
    """Windows of one question may overlap: one reply is not two right ones."""
    row = {"id": "f", "video": "v.mp4", "split": "fact-changing"}
    rig.write(tmp_path / "streaming_eval.json", [row | choice(3, (10, 14, "A"), (12, 16, "A"))])
    items = items_of("streaming-eval", tmp_path)
    one, two = (rig.said("f", *w, asked=False) for w in ([(13, "A")], [(13, "A"), (14, "A")]))
    assert figures("streaming-eval", items, one)["SW-F1"] == (0.5, 2)
    assert figures("streaming-eval", items, two)["SW-F1"] == (1.0, 2)


def test_words_in_a_standing_questions_second_reply_to_no_other_one(tmp_path):
    """They acknowledge it; a reply to a question of its own second is known by its question."""
    questions = [choice(3, (3, 8, "A")), choice(5, (20, 25, "B"))]
    row = {"id": "q", "video": "v.mp4", "split": "question-changing", "questions": questions}
    rig.write(tmp_path / "streaming_eval.json", [row])
    items = items_of("streaming-eval", tmp_path)
    assert [q.kind for q in items[0].questions] == [Kind.REAL_TIME, Kind.PROACTIVE]
    for words, score in (((5, "A", ""), 0.0), ((5, "A", "1"), 0.0), ((5, "A", "0"), 0.5)):
        assert figures("streaming-eval", items, rig.said("q", words))["SW-F1"] == (score, 2)
