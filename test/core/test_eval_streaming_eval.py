"""Streaming-Eval in this project's annotation format, with SW-F1 computed by hand."""

from __future__ import annotations

from pathlib import Path

import eval_rig as rig
import pytest
from eval_rig import figures, items_of

from aura_core.errors import InputError
from aura_core.evaluation.records import Prediction, Spoken
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
        "options": ["a cup", "B. a ball", "a cat"],
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
        ({"answers": [{"start": 1, "end": 2, "answer": "D"}]}, "must be an option's letter, not"),
    ],
)
def test_a_wrong_choice_is_named(tmp_path, change, says):
    row = {"id": "1", "video": "v.mp4", "split": "present"} | choice(3, (3, 6, "A")) | change
    rig.write(tmp_path / "streaming_eval.json", [row])
    with pytest.raises(InputError, match=says):
        items_of("streaming-eval", tmp_path)
