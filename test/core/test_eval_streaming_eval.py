"""Streaming-Eval in this project's annotation format, with SW-F1 computed by hand."""

from __future__ import annotations

from pathlib import Path

import eval_rig as rig
import pytest
from eval_rig import figures, items_of

from aura_core.errors import InputError
from aura_core.evaluation.records import Prediction, Spoken
from aura_core.evaluation.tasks import streaming_eval


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
