"""`aura eval agree`: what agrees, what differs, and what is no checkout.

The authors' scripts are not part of this project, so a script of a test stands in for one.
"""

from __future__ import annotations

import json

import pytest

from aura_core.cli import main
from aura_core.evaluation.agreement import COMPARISONS
from aura_core.evaluation.agreement.base import Compared, Hashed, Table
from aura_core.evaluation.tasks import TASKS

SCRIPT = """
def calculate_text_quality_score(said, truth, method):
    return float(said.strip()[:1].lower() == truth.lower(){extra})
"""


def aura(*args: object) -> int:
    with pytest.raises(SystemExit) as e:
        main([str(a) for a in args])
    return int(e.value.code or 0)


@pytest.fixture
def checkout(tmp_path):
    def write(extra: str = ""):
        path = tmp_path / "src/utils/overall_score.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(SCRIPT.replace("{extra}", extra))
        return tmp_path

    return write


def test_a_script_that_agrees(checkout, tmp_path, capsys):
    out = tmp_path / "t.json"
    args = ("--authors", checkout(), "--items", 20, "--seeds", "0:2", "--json", out)
    assert aura("eval", "agree", "streamgaze", *args) == 0
    assert "streamgaze: 2 seeds of 20 items; equal: to 1e-9" in capsys.readouterr().out
    (row,) = json.loads(out.read_text())["rows"]
    assert (row["n"], row["equal"], row["first"]) == (40, 40, "")


def test_a_script_that_differs_is_an_error_with_the_first_item(checkout, capsys):
    args = ("--authors", checkout(" and '.' not in said"), "--items", 30, "--seeds", "0:1")
    assert aura("eval", "agree", "streamgaze", *args) == 1
    told = capsys.readouterr().err
    assert "differs: question: seed 0, present_drawn/" in told and "theirs 0, ours 1" in told


def test_no_checkout(tmp_path, capsys):
    assert aura("eval", "agree", "streamgaze", "--authors", tmp_path) == 1
    assert "src/utils/overall_score.py is not in it" in capsys.readouterr().err
    assert aura("eval", "agree", "nobench", "--authors", tmp_path) == 1
    assert "benchmark 'nobench': expected one of" in capsys.readouterr().err


def test_every_comparison_is_of_a_benchmark():
    assert set(COMPARISONS) <= set(TASKS)


def test_figures_that_are_missing_count_as_nothing():
    table = Table()
    for theirs, ours in ((0.0, float("nan")), (None, None), (0.5, 0.5 + 1e-12), (1.0, 0.5)):
        table.add("f", "item", theirs, ours)
    row = table.rows["f"]
    assert (row.n, row.equal, row.largest) == (4, 3, 0.5)
    whole = Compared("f")
    whole.join(row, "seed 3")
    assert whole.first == "seed 3, item: theirs 1, ours 0.5"


def test_the_same_words_get_the_same_verdict():
    judge = Hashed(1)
    assert judge.grade("core", "", "t", "a b") == judge.grade("core", "?", "t", "ab ")
    drawn = {judge.grade("core", "", "t", str(k)).score for k in range(50)}
    assert len(drawn) > 20 and all(0 <= x <= 1 for x in drawn)
