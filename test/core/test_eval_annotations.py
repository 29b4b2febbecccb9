"""Broken annotation files: file, item and field are named, and items are refused or left out."""

from __future__ import annotations

import eval_rig as rig
import pytest
from eval_rig import JUDGE, items_of
from eval_samples import OVO, ovo, pro, sb_entry, sb_question, trigger

from aura_core.errors import InputError
from aura_core.evaluation.tasks import TASKS
from aura_core.evaluation.tasks.base import Broken, Record

BROKEN = [
    (
        "streamingbench",
        "questions_real.json",
        [{"video_path": "v", "questions": [{"task_type": "x"}]}],
        r"questions_real\.json: item 0: field 'time_stamp' is missing",
    ),
    (
        "streamingbench",
        "questions_real.json",
        [sb_entry("v", sb_question("0:0:x", "A"))],
        "'time_stamp' must be a t",
    ),
    (
        "streamingbench",
        "questions_real.json",
        [sb_entry("v", sb_question("0:01", "E"))],
        "must be the letter",
    ),
    (
        "streamingbench",
        "questions_real.json",
        [sb_entry("v")],
        "'questions' must be a list with something in it",
    ),
    (
        "ovobench",
        "ovo_bench_new.json",
        [{k: v for k, v in OVO[0].items() if k != "realtime"}],
        r"ovo_bench_new\.json: item 0: field 'realtime' is missing",
    ),
    (
        "ovobench",
        "ovo_bench_new.json",
        [ovo(7, "EPM", 3, 5)],
        "item 7: field 'gt' must be the index of one of 3",
    ),
    (
        "ovobench",
        "ovo_bench_new.json",
        [ovo(7, "XYZ", 3, 1)],
        "item 7: field 'task' must be one of EPM",
    ),
    (
        "ovobench",
        "ovo_bench_new.json",
        [ovo(7, "EPM", -3, 1)],
        "'realtime' must be a number from 0 on, not -3",
    ),
    (
        "ovobench",
        "ovo_bench_new.json",
        [OVO[5] | {"test_info": [{"realtime": 3}]}],
        "test_info 0: field 'type'",
    ),
    ("ovobench", "ovo_bench_new.json", ["x"], "item 0: expected an object with fields, found str"),
    (
        "omnimmi",
        "proactive_alerting.json",
        [{"video": "v", "question": "q", "answer": [1]}],
        "must be .start, end.",
    ),
    (
        "omnimmi",
        "dynamic_state_grounding.json",
        [{"video": "v", "qa": [{"question": "q", "answer": "a", "timestamp": "9"}]}],
        "turn 0: field 'timestamp' must be",
    ),
    (
        "omnipro",
        "benchmark.json",
        [pro("7", "event_narration")],
        "item 7: field 'ground_truth' must be a list",
    ),
    (
        "omnipro",
        "benchmark.json",
        [pro("7", "snapshot_counting", trigger(3))],
        "trigger 0: field 'count' is missing",
    ),
    (
        "omnipro",
        "benchmark.json",
        [pro("7", "snapshot_counting", trigger(3, count="two"))],
        "trigger 0: field 'count' must be a whole number, not 'two'",
    ),
    (
        "omnimmi",
        "proactive_turntaking.json",
        [{"video": "v", "conversation": ["Hi.", {"human": "Oh well."}]}],
        (
            r"proactive_turntaking\.json: item 0: item turn 0: expected an object with fields,"
            r" found str"
        ),
    ),
    (
        "streaming-eval",
        "streaming_eval.json",
        [{"id": "7", "mode": "x", "position": "present"}],
        "field 'mode'",
    ),
]


@pytest.mark.parametrize(("task", "file", "rows", "says"), BROKEN)
def test_a_broken_item_is_named_and_refused_or_left_out(tmp_path, task, file, rows, says):
    rig.write(tmp_path / file, rows)
    with pytest.raises(InputError, match=says):
        items_of(task, tmp_path)
    broken = Broken(skip=True)
    assert TASKS[task].read(tmp_path, broken) == [] and len(broken.named) == 1


@pytest.mark.parametrize("task", TASKS)
def test_a_folder_without_annotations_is_named(tmp_path, task):
    with pytest.raises(InputError, match=str(tmp_path)):
        items_of(task, tmp_path)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[", "not a JSON file: line 1"),
        ("{}", "expected a list of items"),
        ("\xff", "not a JSON file"),
    ],
)
def test_a_file_that_is_no_annotation_file(tmp_path, text, says):
    (tmp_path / "ovo_bench_new.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(InputError, match=says):
        items_of("ovobench", tmp_path)


def test_the_same_id_twice_is_refused(tmp_path):
    rig.write(tmp_path / "ovo_bench_new.json", [OVO[0], OVO[0]])
    with pytest.raises(InputError, match="item 0 is there twice"):
        items_of("ovobench", tmp_path)


@pytest.mark.parametrize("task", TASKS)
def test_nothing_played_scores_nothing(task):
    scores = TASKS[task].score([], {}, JUDGE)
    assert all(m.n == 0 for m in scores.figures.values()) and scores.outcomes == ()


def test_times():
    record = Record({}, "f", 1)
    assert [record.moment(t, "k") for t in ("01:02:03", "1:30", "12.5", 7, "0:00:00.5")] == [
        3723,
        90,
        12.5,
        7,
        0.5,
    ]
    for bad in ("x", "1:2:3:4", -1, True, None, float("nan"), "inf"):
        with pytest.raises(InputError, match="must be a time"):
            record.moment(bad, "k")
