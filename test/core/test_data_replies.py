"""What the MLLM replies: JSON among its thoughts is found; what cannot be used is repaired once,
then left out."""

from __future__ import annotations

import json

import pytest
from data_rig import shards
from mllm_double import (
    LIGHT,
    SECONDS,
    question,
    request,
    says,
    settings,
    synthesize,
    talks,
)

from aura_core.data.engine import run
from aura_core.data.schema import Rejection
from aura_core.data.store import Done, StageFolder
from aura_core.data.worker import Job
from aura_core.errors import InputError
from aura_core.replies import objects

pytest.importorskip("httpx")
HALF = "\ud83d"  # of a surrogate pair: JSON can say it, a file cannot hold it


# ---- where the JSON is ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "outer", "every"),
    [
        (
            '{"a": {"b": 1}} {"c": 2}',
            [{"a": {"b": 1}}, {"c": 2}],
            [{"a": {"b": 1}}, {"b": 1}, {"c": 2}],
        ),
        ('the set {red, blue} and {"a": 1}', [{"a": 1}], [{"a": 1}]),
        ('{"a": {"b": 1}, ', [{"b": 1}], [{"b": 1}]),
        ('{"a": ' + "9" * 5000 + "}", [], []),
        ('{"a": ' + "[" * 100_000, [], []),
        ("no }{", [], []),
    ],
)
def test_objects_in_a_text(text, outer, every):
    assert list(objects(text)) == outer and list(objects(text, nested=True)) == every


def test_what_is_thought_aloud_before_the_reply_may_have_braces(mllm, prepared, tmp_path):
    """Regression: from the first brace to the last it was no JSON."""

    def aloud(text: str, level: float) -> str:
        lit = {
            "visible": (
                level > 128 if "on" in text.split("Answer: ")[1].split("\n")[0] else level < 128
            )
        }
        first = {"visible": not lit["visible"]}
        return (
            f"Lamps {{left, right}}; at first sight {json.dumps(first)}, but no:"
            f" ```json\n{json.dumps(lit)}\n```"
        )

    mllm.replies["visible"] = aloud
    mllm.replies["now"] = lambda t, b: {"questions": []}
    done = synthesize(mllm, prepared, tmp_path)
    assert (done.records, done.reasons, done.cost.get("repairs")) == (2, {}, None)


# ---- what cannot be used -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "nonsense",
    [
        "I see a lamp.",
        '{"questions": [',
        '["no object"]',
        '{"answers": []}',
        '{"questions": [{"second": "three"}]}',
        '{"questions": [{"second": 1e999, "question": "?", "answer": "x", "level": 1}]}',
        '{"questions": [{"second": NaN, "question": "?", "answer": "x", "level": 1}]}',
        '{"questions": [{"second": 3, "question": "\\ud83d?", "answer": "x", "level": 1}]}',
        json.dumps({"questions": [question(3) | {"answer": HALF}]}, ensure_ascii=False),
        "",
    ],
)
def test_a_malformed_reply_is_repaired_once(mllm, prepared, tmp_path, nonsense):
    mllm.failures["now"] = [says(nonsense)]
    done = synthesize(mllm, prepared, tmp_path)
    assert done.cost["repairs"] == 1 and done.records == 2 and done.reasons == {}
    assert len(talks(tmp_path)[0].questions) == 3


def test_nonsense_twice_costs_its_scene_and_is_counted(mllm, prepared, tmp_path):
    mllm.failures["now"] = [says("no"), says("still no")]
    done = synthesize(mllm, prepared, tmp_path)
    assert (done.records, done.failures, done.reasons) == (2, 0, {"questions: malformed reply": 1})
    (left_out,) = StageFolder(tmp_path, "synthesize").rejected(0)
    assert "there is no JSON object in it" in left_out.detail
    assert left_out.item.startswith("a-") and left_out.item.endswith("/0")
    assert [[q.chunk for q in c.questions] for c in talks(tmp_path)] == [[12], [2, 3, 12]]


def test_a_check_without_a_usable_reply_costs_its_question(mllm, prepared, tmp_path):
    mllm.replies["visible"] = lambda t, b: "perhaps" if "at second 3:" in t else {"visible": True}
    mllm.replies["later"] = lambda t, b: {"requests": []}
    done = synthesize(mllm, prepared, tmp_path)
    assert done.reasons == {"check: malformed reply": 2}
    assert [[q.chunk for q in c.questions] for c in talks(tmp_path)] == [[12], [12]]


def test_a_list_of_scenes_without_a_usable_reply_leaves_the_cuts(mllm, prepared, tmp_path):
    import dataclasses

    config = settings(mllm)
    config = dataclasses.replace(
        config, synthesize=dataclasses.replace(config.synthesize, ask_scenes=True)
    )
    mllm.replies["scenes"] = lambda t, b: "two"
    run(Job("synthesize", prepared, tmp_path, config, "mllm"))
    assert [r.reason for r in StageFolder(tmp_path, "synthesize").rejected(0)] == [
        "scenes: malformed reply"
    ] * 2
    assert [(s.first, s.stop) for s in talks(tmp_path)[0].scenes] == [(0, LIGHT), (LIGHT, SECONDS)]


@pytest.mark.parametrize(
    ("reply", "fault"),
    [
        ({"kind": "later"}, "'kind' must be one of proactive, multi-response"),
        ({"second": True}, "'second' must be int, not True"),
        ({"second": float("inf")}, "'second' must be int, not inf"),
        ({"request": " "}, "'request' must be a text"),
        ({"request": f"tell me {HALF}"}, "'request' holds half of a surrogate pair"),
        ({"answers": [{"second": 4}]}, "the field 'answer' is missing"),
        ({"level": None}, "the field 'level' is missing"),
    ],
)
def test_a_reply_with_wrong_fields_is_told_what_is_wrong(mllm, prepared, tmp_path, reply, fault):
    """Regression: infinity and half a surrogate pair ended the run, and, remembered, each run after
    it."""
    mllm.replies["later"] = lambda t, b: {"requests": [request("proactive", 2, LIGHT) | reply]}
    for _ in range(2):
        done = synthesize(mllm, prepared, tmp_path)
        assert (
            done.reasons == {"questions: malformed reply": 4, "no question left": 2}
            and done.cost["malformed"] == 4
        )
        assert sum(fault in r.detail for r in StageFolder(tmp_path, "synthesize").rejected(0)) == 4
        before = shards(tmp_path)
        (tmp_path / "synthesize" / "shard-00000.done").unlink()
    assert shards(tmp_path) == before


def test_a_record_that_no_file_can_hold_is_named(tmp_path):
    folder = StageFolder(tmp_path, "refine")
    folder.path.mkdir()
    with pytest.raises(
        InputError, match=r"shard-00000\.rejected: a record holds text that is not UTF-8: .*ud83d"
    ):
        folder.save(0, (), [Rejection("a", "b", HALF)], Done("", "", "", 0, 0, 0, 0.0))
