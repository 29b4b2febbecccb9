"""The MLLM's replies: JSON is found in other text.

A reply that cannot be used is repaired once, then left out.
"""

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

from aura_core.data import mllm_replies as replies
from aura_core.data import report
from aura_core.data.engine import run
from aura_core.data.schema import LEVELS, Rejection
from aura_core.data.store import Done, StageFolder
from aura_core.data.worker import Job
from aura_core.errors import InputError
from aura_core.replies import CUT_OFF, CutOff, Malformed, Reply, answer

pytest.importorskip("httpx")
HALF = "\ud83d"  # a lone surrogate: JSON can express it, UTF-8 cannot


# ---- where the JSON is ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('{"a": {"b": 1}} {"c": 2}', {"c": 2}),
        ('the set {red, blue} and {"a": 1}', {"a": 1}),
        ('{"a": 1} (of the set {red, blue})', {"a": 1}),
        ('boxed{{"a": 1}}', {"a": 1}),
        ('{"a": 0,} or rather {"a": "}{"}', {"a": "}{"}),
        ('hm {"a": 0}</think>{"a": 1}', {"a": 1}),
        ('<think>{"a": 0</think>\n```json\n{"a": 1}\n```', {"a": 1}),
        ('[THINK]{"a": 0}[/THINK]{"a": 1}', {"a": 1}),
        ("{}", {}),
    ],
)
def test_the_last_object_behind_the_thoughts_is_the_answer(text, found):
    assert answer(Reply(text)) == answer(Reply(text, "stop")) == found


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("no }{", "there is no JSON object"),
        ("", "there is no JSON object"),
        ('{"a": ' + "9" * 5000 + "}", "not valid JSON"),
        ('{"a": ' + "[" * 100_000, "not valid JSON"),
        ('{"a": {"b": 1}, ', "not valid JSON"),
        ('{"a": true}? no.</think>{"a": false,}', "not valid JSON"),
        ('{"a": true}? no. {"a": false,}', "not valid JSON"),
        ('{"a": true}? no. {"a": fal', "not valid JSON"),
        ("{\"a\": true}? no. {'a': False}", "not valid JSON"),
        ('{"a": true}? no. {a: false}', "not valid JSON"),
        ('{"a": true}</think>no', "there is no JSON object"),
        ('<think>{"a": true}? yes, I think', "its thoughts do not end"),
        ('<think>x</think><think>{"a": true}', "its thoughts do not end"),
    ],
    ids=lambda value: value[:40],
)
def test_a_draft_is_never_the_answer(text, fault):
    """Regression: the last object that could be read counted, wherever it stood."""
    with pytest.raises(Malformed, match=fault):
        answer(Reply(text))


@pytest.mark.parametrize("reason", CUT_OFF)
def test_a_reply_that_was_cut_off_is_no_answer(reason):
    with pytest.raises(CutOff, match=f"cut off .finish_reason '{reason}'"):
        answer(Reply('{"a": true}', reason))


@pytest.mark.parametrize(
    ("message", "text"),
    [
        ({"content": "x"}, "x"),
        ({"content": None, "reasoning_content": '{"a": 1}'}, ""),
        ({"reasoning": '{"a": 1}'}, ""),
        ({"content": [{"type": "thinking", "text": "?"}, {"type": "text", "text": "x"}]}, "x"),
    ],
)
def test_the_text_of_a_chat_completion(message, text):
    completion = {"choices": [{"message": message, "finish_reason": "stop"}]}
    assert Reply.of(completion) == Reply(text, "stop")


@pytest.mark.parametrize("completion", [{}, {"choices": []}, {"choices": [{"message": "x"}]}])
def test_what_is_no_chat_completion(completion):
    with pytest.raises(Malformed, match="not a chat completion"):
        Reply.of(completion)


DRAFT = '{"visible": true}? no.</think>{"visible": false,}'


@pytest.mark.parametrize("cut", [says(DRAFT), says('{"visible": true}? I th', "length")])
def test_a_draft_is_repaired_and_its_repair_remembered(mllm, prepared, tmp_path, cut):
    """Regression: a thinking model's draft was taken for its verdict, so a question whose answer is
    not visible was kept."""
    mllm.replies["later"] = lambda t, b: {"requests": []}
    mllm.failures["visible"] = [cut]
    mllm.replies["visible"] = lambda t, b: {"reason": "?", "visible": "it is bright" in t}
    done = synthesize(mllm, prepared, tmp_path)
    assert done.reasons == {"not visible at its time": 2} and done.cost["repairs"] == 1
    before, asked = shards(tmp_path), sum(mllm.kinds.values())
    (tmp_path / "synthesize" / "shard-00000.done").unlink()
    again = synthesize(mllm, prepared, tmp_path)
    assert shards(tmp_path) == before and sum(mllm.kinds.values()) == asked
    assert again.cost["repairs"] == 1
    costs = report.summarise(tmp_path)["stages"]["synthesize"]["cost"]
    assert (costs["repairs"], costs["requests"]) == (1, asked)


@pytest.mark.parametrize("repairs", [0, 1, 3])
def test_repair_turns_are_bounded(mllm, prepared, tmp_path, repairs):
    mllm.replies["now"] = lambda t, b: {"questions": [question(3)]} if "0 to" in t else "no"
    done = synthesize(mllm, prepared, tmp_path, repairs=repairs)
    # the bright half of both clips is the same
    assert done.cost.get("repairs", 0) == 2 * repairs and done.cost["malformed"] == 2
    assert mllm.kinds["now"] == 2 + 1 + repairs


def test_the_requests_have_the_servers_settings(mllm, prepared, tmp_path):
    synthesize(
        mllm,
        prepared,
        tmp_path,
        max_tokens=777,
        max_tokens_field="max_completion_tokens",
        extra_body={"reasoning_effort": "low"},
    )
    for r in mllm.requests:
        assert r.body["max_completion_tokens"] == 777 and "max_tokens" not in r.body
        assert r.body["reasoning_effort"] == "low"


def test_what_is_thought_aloud_before_the_reply_may_have_braces(mllm, prepared, tmp_path):
    """Regression: the text from the first brace to the last was read, which was no JSON."""

    def aloud(text: str, level: float) -> str:
        lit = {
            "reason": "the last picture",
            "visible": (
                level > 128 if "on" in text.split("Answer: ")[1].split("\n")[0] else level < 128
            ),
        }
        first = {"reason": "the first picture", "visible": not lit["visible"]}
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
    yes = {"reason": "it is to be seen", "visible": True}
    mllm.replies["visible"] = lambda t, b: "perhaps" if "at second 3:" in t else yes
    mllm.replies["later"] = lambda t, b: {"requests": []}
    done = synthesize(mllm, prepared, tmp_path)
    assert done.reasons == {"check: malformed reply": 2}
    assert [[q.chunk for q in c.questions] for c in talks(tmp_path)] == [[12], [12]]


@pytest.mark.parametrize("name", ["visible", "missed", "grounded"])
@pytest.mark.parametrize("reason", [None, "", " ", 3])
def test_a_verdict_without_a_reason_is_none(name, reason):
    """Regression: verdicts of two of the three checks were taken without one."""
    with pytest.raises(Malformed, match="'reason'"):
        replies.verdict({"reason": reason, name: True}, name)
    assert replies.verdict({"reason": "it lies there", name: False}, name) == (
        False,
        "it lies there",
    )


@pytest.mark.parametrize("name", ["visible", "missed", "grounded"])
@pytest.mark.parametrize("value", [True, False])
def test_a_verdict_before_its_reason_is_none(name, value):
    """Regression: the prompts ask for the reason first, and no reply was refused for its order."""
    with pytest.raises(Malformed, match=f"'reason' must stand before '{name}'"):
        replies.verdict({name: value, "reason": "it lies there"}, name)
    with pytest.raises(Malformed, match="'reason'"):
        replies.verdict({"note": "x", name: value, "reason": "it lies there"}, name)
    told = {"note": "x", "reason": "it lies there", "level": 2, name: value}
    assert replies.verdict(told, name) == (value, "it lies there")


def test_a_verdict_before_its_reason_is_asked_for_again(mllm, prepared, tmp_path):
    mllm.failures["visible"] = [says('{"visible": false, "reason": "it is dark"}')]
    done = synthesize(mllm, prepared, tmp_path)
    assert done.cost["repairs"] == 1 and done.records == 2 and done.reasons == {}


def test_a_verdict_without_a_reason_is_asked_for_again(mllm, prepared, tmp_path):
    mllm.failures["visible"] = [says('{"visible": false}')]
    mllm.failures["missed"] = [says('{"missed": true}')]
    done = synthesize(mllm, prepared, tmp_path)
    assert done.cost["repairs"] == 2 and done.records == 2 and done.reasons == {}


# ---- the language that was asked for -------------------------------------------------------------


def in_chinese(second: int, **changes: object) -> dict:
    return question(second) | {"question": "灯怎么样?", "answer": "灯现在很亮"} | changes


@pytest.mark.parametrize(
    ("language", "reply", "wrong"),
    [
        ("Chinese", in_chinese(3), None),
        ("Chinese", question(3), "'question' must be in Chinese"),
        ("Chinese", in_chinese(3, answer="it is dark in here"), "'answer' must be in Chinese"),
        ("Chinese", in_chinese(3, question="how is the light?"), "'question' must be in Chinese"),
        ("Chinese", in_chinese(3, answer="STOP"), None),  # what is written on a sign
        ("Chinese", in_chinese(3, answer="12"), None),
        ("English", in_chinese(3), "'answer' must be in English"),
        ("Brazilian Portuguese", question(3), None),  # the script alone is looked at
        ("Japanese", in_chinese(3), None),  # kanji alone may be Japanese
        ("Russian", question(3), "'question' must be in Russian"),
        ("Klingon", in_chinese(3), None),
    ],
)
def test_questions_and_answers_are_in_the_language_that_was_asked_for(language, reply, wrong):
    """Regression: no reply's language was looked at."""
    if wrong is None:
        assert replies.now(reply, LEVELS, language).text == reply["question"]
    else:
        with pytest.raises(Malformed, match=wrong):
            replies.now(reply, LEVELS, language)


@pytest.mark.parametrize("name", ["request", "acknowledgment"])
def test_so_are_requests_and_acknowledgments(name):
    later = request("proactive", 2, LIGHT)
    assert replies.later(later, LEVELS, "English").chunk == 2
    with pytest.raises(Malformed, match=f"'{name}' must be in English, which '灯亮了"):
        replies.later(later | {name: "灯亮了告诉我"}, LEVELS, "English")


def test_what_is_made_of_a_question_stays_in_its_language(mllm, prepared, tmp_path):
    mllm.failures["now"] = [says(json.dumps({"questions": [in_chinese(3)]}))]
    done = synthesize(mllm, prepared, tmp_path)
    assert done.cost["repairs"] == 1 and done.reasons == {}
    mllm.replies["rephrase"] = lambda t, b: {"request": "灯亮了告诉我"}
    run(Job("refine", tmp_path, tmp_path, settings(mllm), "mllm"))
    (refined,) = StageFolder(tmp_path, "refine").all_done()
    assert refined.lost == 2 and "'request' must be in the language of 'tell me" in refined.fault


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
        ({"request": f"tell me {HALF}"}, "'request' holds a lone surrogate"),
        ({"answers": [{"second": 4}]}, "the field 'answer' is missing"),
        ({"level": None}, "the field 'level' is missing"),
    ],
)
def test_a_reply_with_wrong_fields_is_told_what_is_wrong(mllm, prepared, tmp_path, reply, fault):
    """Regression: infinity and a lone surrogate ended the run.

    Because the reply was stored, each later run ended too.
    """
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
