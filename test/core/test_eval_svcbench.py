"""SVCBench: GPA, MoC and UDA by hand, and the authors' files."""

from __future__ import annotations

import json
import math

import pytest
from eval_rig import figures, items_of, said
from eval_samples import COUNT

from aura_core.evaluation.tasks import svcbench
from aura_core.evaluation.tasks.svcbench import gpa, moc, number, uda


@pytest.fixture
def data(tmp_path):
    rows = [COUNT | {"query_time": t, "count": c} for t, c in ((4, 2), (8, 2), (12, 5))]
    rows.append(COUNT | {"id": "q2", "counting_subtype": "O1-Snap"})
    text = "".join(json.dumps(r) + "\n" for r in rows)
    (tmp_path / "svcbench_eval.jsonl").write_text(text)
    return tmp_path


def test_metrics():
    assert gpa([20, 2], [20, 2]) == 1.0 and gpa([math.nan], [2]) == 0.0
    assert gpa([21], [20]) == pytest.approx(math.exp(-0.5))  # one sigma, 0.05 of 20
    assert gpa([1], [0]) == pytest.approx(math.exp(-200))
    assert moc([1, 2, 2]) == 1.0 and moc([1, 2, 1, 3]) == 1 / 3 and moc([2, 1]) == 0.0
    assert moc([1, math.nan]) == 0.0
    assert uda([2, 2, 4], [2, 2, 5]) == 1.0 and uda([2, 3, 3], [2, 2, 5]) == 0.0
    assert uda([2, math.nan], [2, 2]) == 0.0
    assert [number(t) for t in (" 12 ", "-3")] == [12, -3] and math.isnan(number("12 chairs"))


def test_scores(data):
    several, once = items = items_of("svcbench", data)
    assert [(q.at_s, q.truth) for q in several.questions] == [(4, "2"), (8, "2"), (12, "5")]
    assert several.videos[0] == "data/videos/rooms/v.mp4" and once.end_s == 5
    f = figures(
        "svcbench",
        items,
        said("q1", (4, "2", "0"), (8, "2", "1"), (12, "many", "2")),
        said("q2", (4, "2")),
    )
    assert f["O2-Unique GPA"] == (round(2 / 3, 4), 1) and f["GPA"] == (round(5 / 6, 4), 2)
    # of O1-Snap, the changes of one count are none
    assert f["MoC"] == f["UDA"] == (0.5, 1) and "O1-Snap UDA" not in f


def test_the_authors_files(data, tmp_path):
    items = items_of("svcbench", data)
    rows = [
        COUNT | {"query_time": 4, "prediction": "2"},
        COUNT | {"query_time": 8, "prediction": None},
        {"id": "q2", "query_times": [4], "predictions": [3], "gts": [2]},
    ]
    path = tmp_path / "raw.jsonl"
    path.write_text("".join(json.dumps(r) + "\n" for r in rows))
    first, second = svcbench.published(path, items, "")
    assert [(s.question, s.text) for s in first.said] == [("0", "2"), ("1", "")]
    assert first.unasked == ("2",) and second.said[0].text == "3"
    assert figures("svcbench", items, first)["GPA"] == (0.5, 1)
