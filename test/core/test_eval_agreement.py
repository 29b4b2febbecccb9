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

SCRIPT = r"""
import json
import re

def normalize_answer(text):
    found = re.search(r"\b[ABCD]\b", text.strip().upper())
    return found[0] if found else text.strip().upper()

def calculate_proactive_accuracy(data):
    points = [p for e in data for q in e["questions"] for p in q["test_info"]]
    right = sum(("YES" if p["type"] else "NO") in p["response"].upper() for p in points)
    return 100 * right / len(points), right, len(points)

def calculate_accuracy(path):
    with open(path) as file:
        data = json.load(file)
    if "test_info" in data[0]["questions"][0]:
        return calculate_proactive_accuracy(data)
    pairs = [p for e in data for p in zip(e["questions"], e["model_predictions"])]
    pairs = [(q["answer"], p["model_prediction"]) for q, p in pairs]
    right = sum(normalize_answer(a) == normalize_answer(b){extra} for a, b in pairs)
    return 100 * right / len(pairs), right, len(pairs)

raise RuntimeError("this script runs when it is imported")
"""


def aura(*args: object) -> int:
    with pytest.raises(SystemExit) as e:
        main([str(a) for a in args])
    return int(e.value.code or 0)


@pytest.fixture
def checkout(tmp_path):
    def write(extra: str = ""):
        path = tmp_path / "evaluate_results.py"
        path.write_text(SCRIPT.replace("{extra}", extra))
        return tmp_path

    return write


def test_a_script_that_agrees(checkout, tmp_path, capsys):
    out = tmp_path / "t.json"
    args = ("--authors", checkout(), "--items", 20, "--seeds", "0:2", "--json", out)
    assert aura("eval", "agree", "streamgaze", *args) == 0
    assert "streamgaze: 2 seeds of 20 items; equal: to 1e-9" in capsys.readouterr().out
    rows = json.loads(out.read_text())["rows"]
    found = {r["compared"]: (r["n"], r["equal"], r["first"]) for r in rows}
    entries = 2 * 3 * 20  # seeds, tasks, items
    assert found["right of an entry"] == found["questions of an entry"] == (entries, entries, "")
    assert found["figures"] == (8, 8, "")


def test_a_script_that_differs_is_an_error_with_the_first_item(checkout, capsys):
    args = ("--authors", checkout(" and '.' not in b"), "--items", 30, "--seeds", "0:1")
    assert aura("eval", "agree", "streamgaze", *args) == 1
    told = capsys.readouterr().err
    assert "differs: right of an entry: seed 0, ('past_drawn', 'past_drawn-" in told
    assert "differs: questions" not in told


def test_no_checkout(tmp_path, capsys):
    assert aura("eval", "agree", "streamgaze", "--authors", tmp_path) == 1
    assert "evaluate_results.py is not in it" in capsys.readouterr().err
    (tmp_path / "evaluate_results.py").write_text("def another(): pass\n")
    assert aura("eval", "agree", "streamgaze", "--authors", tmp_path) == 1
    assert "there is no function normalize_answer in it" in capsys.readouterr().err
    assert aura("eval", "agree", "omnipro", "--authors", tmp_path) == 1  # a module of a package
    assert f"{tmp_path}: metrics/online/scorer.py is not in it" in capsys.readouterr().err
    assert aura("eval", "agree", "fastbench", "--authors", tmp_path) == 1
    assert f"{tmp_path}: run_stream_eval.py is not in it" in capsys.readouterr().err
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


PORT = """
import numpy as np
from ..nowhere import not_needed

def _area_under_line_ratio(points, max_x, max_y, omega, start):
    steps = [(x * (1 - omega), y) for x, y in sorted(points)]
    ends = [x for x, _ in steps[1:]] + [max_x]
    area = start * steps[0][0] + sum((end - x) * y for (x, y), end in zip(steps, ends))
    return area / (max_x * max_y)

def _stat_metric(examples, omega=0.5):
    found = []
    for e in examples:
        for turn in e["answer"]:
            first, last = turn["reply_timespan"]
            points = [(t - first, v) for t, v in turn["judge_scores"].items()]
            none = {without}
            found.append(
                _area_under_line_ratio(points, last - first, 2, omega, 0.5) if points else none
            )
    return {"mean_auc": float(np.mean(found))}
"""


@pytest.mark.parametrize(("without", "code"), [("0.25", 0), ("0.0", 1)])
def test_a_port_whose_other_imports_are_not_there(tmp_path, capsys, without, code):
    """ProactiveVideoQA; a span without a reply has the area of the quality at its begin."""
    path = tmp_path / "vlmeval/dataset/proactive_videoqa.py"
    path.parent.mkdir(parents=True)
    path.write_text(PORT.replace("{without}", without))
    args = ("--authors", tmp_path, "--items", 30, "--seeds", "0:1")
    assert aura("eval", "agree", "proactivevideoqa", *args) == code
    assert ("differs: area of an answer: seed 0, q" in capsys.readouterr().err) == bool(code)


SCORING = """
import json

def _stat_metric(examples, omega=0.5):
    found = []
    for turn in (turn for e in examples for turn in e["answer"]):
        first, last = turn["reply_timespan"]
        x, y, area = 0.0, 0.5, 0.0
        for t, v in sorted(turn["judge_scores"].items()):
            to = (t - first) * (1 - omega)
            area, x, y = area + (to - x) * y, to, v
        area += (last - first - x) * y
        found.append(area / (2 * (last - first)) if turn["judge_scores"] else 0.25)
    return {"mean_auc": sum(found) / len(found)}

def build_inputs(rows):
    prompts, said, gold = [], {}, {}
    for row in rows:
        id, records = row["question_id"], json.loads(row["prediction"])["records"]
        gold[id] = json.loads(row["answer_json"])
        said[id] = [r for r in records if r["answerable"] == "Yes"]
        for k, answer in enumerate(gold[id]):
            words = []
            for r in said[id]:
                t = r["video_span"][1]
                inside = answer["reply_timespan"][0] <= t <= answer["reply_timespan"][1]
                if inside and r["model_response"] not in words:
                    words.append(r["model_response"])
                    text = f"Ground Truth Answer: {answer['content']}\\nPredicted Answer: "
                    prompts.append((f"{id}={k}={t}", [{"content": text + " ".join(words)}]))
    return prompts, said, gold

def compute_scores(gold_dict, pred_dict, results):
    data = [
        {"id": id, "answer": [a | {"judge_scores": {}} for a in of]}
        for id, of in gold_dict.items()
    ]
    turns = {(e["id"], k): turn for e in data for k, turn in enumerate(e["answer"])}
    for key, result in results.items():
        id, k, t = key.split("=")
        turns[id, int(k)]["judge_scores"][float(t)] = int(result["content"]) - 1
    for turn in turns.values():
        end, last = turn.get("related_timespan", turn["reply_timespan"])[1], 0
        for t, v in sorted(turn["judge_scores"].items()):
            if t <= end:
                last = v
            elif v < last and {rule}:
                del turn["judge_scores"][t]
    return data, {}
"""


@pytest.mark.parametrize(("rule", "code"), [("True", 0), ("False", 1)])
def test_a_port_that_decides_which_verdicts_count(tmp_path, capsys, rule, code):
    """ProactiveVideoQA; a later verdict that is worse than the last related one is left out."""
    path = tmp_path / "Eval/VLMEvalKit/vlmeval/dataset/pvqa_scoring.py"
    path.parent.mkdir(parents=True)
    path.write_text(SCORING.replace("{rule}", rule))
    args = ("--authors", tmp_path, "--items", 40, "--seeds", "0:1")
    assert aura("eval", "agree", "proactivevideoqa", *args) == code
    assert ("differs: verdicts that count: seed 0, q" in capsys.readouterr().err) == bool(code)
