"""OVO-Bench: annotations, scores computed by hand, and the authors' predictions."""

from __future__ import annotations

from pathlib import Path

import eval_rig as rig
import pytest
from eval_rig import JUDGE, figures, items_of
from eval_samples import OVO

from aura_core.evaluation.tasks import ovobench


@pytest.fixture
def ovo_data(tmp_path: Path) -> Path:
    rig.write(tmp_path / "ovo_bench_new.json", OVO)
    return tmp_path


def test_ovobench_items(ovo_data):
    items = items_of("ovobench", ovo_data)
    assert [i.id for i in items] == list("012345")
    q = items[2].questions[0]
    assert (q.at_s, q.truth, items[2].end_s) == (3.5, "B", 5) and "A. v\nB. w\nC. x\n" in q.text
    assert items[2].videos == (
        "src_videos/src/2.mp4",
        "src/2.mp4",
        "data/src_videos/src/2.mp4",
        "chunked_videos/2.mp4",
    )
    # the longest clip holds both test points
    assert items[3].videos[-1] == "chunked_videos/3_1.mp4"
    assert [(q.at_s, q.truth) for q in items[3].questions] == [(5, "1"), (9, "12")]
    assert "How many times did they jump so far" in items[3].questions[0].text
    assert [q.truth for q in items[4].questions] == ["No", "Yes"] and "cut?" in items[4].questions[
        0
    ].text
    assert items[5].questions[0].text.startswith("Why?\n")


@pytest.mark.parametrize(
    ("task", "reply", "truth", "right"),
    [
        ("EPM", "C", "C", True),
        ("EPM", "The answer is C.", "C", True),
        ("EPM", "", "C", False),
        ("REC", "12 times", "12", True),
        ("REC", "1 or 2", "12", True),
        ("REC", "", "12", False),
        ("SSR", "Yes.", "Yes", True),
        ("SSR", "Y", "Yes", True),
        ("SSR", "yes", "Yes", False),
        ("CRR", "No", "No", True),
        ("CRR", "N", "No", True),
        ("CRR", "Yes", "No", False),
    ],
)
def test_ovobench_replies_by_the_authors_rules(task, reply, truth, right):
    assert ovobench.right(task, reply, truth) is right


def test_ovobench_means_of_tasks_and_groups(ovo_data):
    items = items_of("ovobench", ovo_data)
    f = figures(
        "ovobench",
        items,
        rig.said("0", (9, "C")),
        rig.said("1", (4, "B")),
        rig.said("2", (4, "B")),
        rig.said("3", (5, "1", "0"), (9, "11", "1")),
        rig.said("4", (4, "No", "0"), (6, "Yes", "1")),
        rig.said("5", (3, "Yes")),
    )
    assert (
        f["EPM"] == (1.0, 1)
        and f["ASI"] == (0.0, 1)
        and f["REC"] == (0.5, 2)
        and f["SSR"] == (1.0, 2)
    )
    assert f["backward"] == (0.5, 2) and f["realtime"] == (1.0, 1) and f["forward"] == (0.5, 5)
    assert f["total"] == (round(2 / 3, 4), 8)


def test_ovobench_a_group_that_was_not_run_has_no_mean_and_no_total(ovo_data):
    items = items_of("ovobench", ovo_data)
    scores = ovobench.score(items, {"0": rig.said("0", (9, "C"))}, JUDGE)
    whole = ovobench.TASK.complete(scores, items)
    assert [*whole.figures] == ["EPM"]
    assert whole.notes == (
        "'total' is not given: nothing of ASI, HLD, STU, OJR, ATR, FPD, ACR, OCR, REC, SSR, CRR"
        " was scored",
        "'backward' is not given: nothing of ASI, HLD was scored",
    )


def test_ovobench_published(ovo_data, tmp_path):
    items = items_of("ovobench", ovo_data)
    row = {
        "id": 0,
        "video": "data/x.mp4",
        "task": "EPM",
        "question": "What?",
        "response": "C",
        "ground_truth": "C",
    }
    rec = OVO[3] | {
        "test_info": [
            {"realtime": 5, "count": 1, "response": "1"},
            {"realtime": 9, "count": 12, "response": None},
        ]
    }
    rig.write(tmp_path / "r" / "a.json", {"backward": [row], "realtime": [], "forward": []})
    rig.write(tmp_path / "r" / "b.json", {"backward": [], "realtime": [], "forward": [rec]})
    p = ovobench.published(tmp_path / "r", items, "")
    assert [(x.item, x.answer("0"), x.answer("1")) for x in p] == [("0", "C", ""), ("3", "1", "")]
    f = figures("ovobench", items, *p)
    assert f["EPM"] == (1.0, 1) and f["REC"] == (0.5, 2)


def test_ovobench_two_results_under_one_id_are_told_apart_by_the_truth(ovo_data, tmp_path):
    items = items_of("ovobench", ovo_data)
    rows = [{"id": 1, "question": "What?", "response": r, "ground_truth": r} for r in ("C", "A")]
    path = rig.write(tmp_path / "a.json", {"backward": rows, "realtime": [], "forward": []})
    assert [p.item for p in ovobench.published(path, items, "")] == ["0", "1"]
