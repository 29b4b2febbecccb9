"""OmniMMI: annotations, scores computed by hand, and the authors' predictions."""

from __future__ import annotations

import json
from pathlib import Path

import eval_rig as rig
import pytest
from eval_rig import figures, items_of

from aura_core.errors import InputError
from aura_core.evaluation.judge import Grade
from aura_core.evaluation.predictions import select
from aura_core.evaluation.records import AT_END, TURNS, Prediction, Spoken
from aura_core.evaluation.tasks import omnimmi
from aura_core.types import Kind


@pytest.fixture
def omnimmi_data(tmp_path: Path) -> Path:
    turns = [
        {"question": "What is done?", "answer": "cut wood", "timestamp": "2.0 -- 5.0"},
        {"question": "And after ##ANSWER##?", "answer": "paint it", "timestamp": "8.0 -- 12.0"},
    ]
    rig.write(tmp_path / "dynamic_state_grounding.json", [{"video": "g.mp4", "qa": turns}])
    action = {
        "video": "a.mp4",
        "question": "Next?",
        "answer": "flip bread",
        "vocab": ["flip bread", "oil pan"],
    }
    rig.write(tmp_path / "action_prediction.json", [action])
    speaker = {"video": "s.mp4", "question": "Who?", "answer": "Marie", "timestamp": 7.1}
    rig.write(tmp_path / "speaker_identification.json", [speaker])
    alert = {"video": "p.mp4", "question": "Tell me when it is dark.", "answer": [5, 9]}
    rig.write(tmp_path / "proactive_alerting.json", [alert])
    talk = [{"human": "Why?", "assistant": "So."}, {"human": "Oh well."}]
    rig.write(tmp_path / "proactive_turntaking.json", [{"video": "t.mp4", "conversation": talk}])
    return tmp_path


def test_omnimmi_items(omnimmi_data):
    grounding, action, speaker, alert, turn = items_of("omnimmi", omnimmi_data)
    # middle, rounded up
    assert [(q.at_s, q.truth) for q in grounding.questions] == [(4, "cut wood"), (10, "paint it")]
    assert grounding.id == "dynamic_state_grounding/g.mp4/2/What is done?"
    assert grounding.videos == ("videos/g.mp4", "g.mp4")
    assert action.questions[0].at_s == AT_END and action.end_s is None
    assert (
        "flip bread, oil pan" in action.questions[0].text and action.questions[0].shown == "Next?"
    )
    assert speaker.questions[0].at_s == 7.1
    (q,) = alert.questions
    assert (q.at_s, q.kind, q.due[0].start_s, q.due[0].end_s, q.poll.until_s) == (
        0,
        Kind.PROACTIVE,
        5,
        9,
        9,
    )
    assert (
        turn.questions[0].text == "human: Why?\nassistant: So.\nhuman: Oh well."
        and turn.questions[0].silence
    )


def test_polled_questions_see_and_hear_what_the_authors_offline_script_gives(omnimmi_data):
    grounding, action, speaker, _, turn = items_of("omnimmi", omnimmi_data)
    assert [q.polled_s for q in grounding.questions] == [5, 12]  # their clips end with the interval
    assert grounding.questions[1].polled == f"{TURNS}user\nAnd after ##ANSWER##?\nassistant\n"
    assert speaker.questions[0].polled_s == AT_END and action.questions[0].polled_s is None
    assert turn.questions[0].polled == "human\nWhy?\nassistant\nSo.\nhuman\nOh well.\n"
    qa = [
        {"question": q, "answer": "x", "timestamp": "2.0 -- 5.9"}
        for q in ("What?", "After ##ANSWER##?")
    ]
    rig.write(omnimmi_data / "multiturn_dependency_reasoning.json", [{"video": "m.mp4", "qa": qa}])
    several = items_of("omnimmi", omnimmi_data)[1]
    assert [(q.at_s, q.polled_s, q.polled) for q in several.questions] == [(4, 5, ""), (4, 5, "")]


def test_an_interval_that_ends_before_it_begins_is_asked_as_the_authors_ask_it(omnimmi_data):
    """Regression: one row of the authors' file, whose interval is 0.15 s backwards, was refused.

    `online_inference_utils.py` asks at `(s + e) / 2`, and `inference_utils.py` names its clip by
    `e`; neither looks which of them is the earlier.
    """
    turns = [
        {"question": "What?", "answer": "a", "timestamp": "2.0 -- 5.0"},
        {"question": "And then?", "answer": "b", "timestamp": "733.9744 -- 731.82586"},
    ]
    rig.write(omnimmi_data / "dynamic_state_grounding.json", [{"video": "g.mp4", "qa": turns}])
    item = items_of("omnimmi", omnimmi_data)[0]
    assert [(q.at_s, q.polled_s) for q in item.questions] == [(4, 5), (733, 731)]


def test_omnimmi_scores(omnimmi_data):
    grounding, action, speaker, alert, turn = items = items_of("omnimmi", omnimmi_data)
    half = rig.said(grounding.id, (4, "They cut wood", "0"), (10, "no idea", "1"))
    whole = rig.said(grounding.id, (4, "cut wood", "0"), (10, "they paint it", "1"))
    rest = [
        rig.said(action.id, (30, "flip bread")),
        rig.said(speaker.id, (8, "John")),
        Prediction(turn.id, ()),
    ]
    in_time = Prediction(
        alert.id, (Spoken(1, "okay", "0", True), Spoken(9, "dark", "0"), Spoken(30, "dark", "0"))
    )
    f = figures("omnimmi", items, half, *rest, in_time)
    assert f["dynamic_state_grounding"] == (0.0, 1) and f[
        "dynamic_state_grounding (single turns)"
    ] == (0.5, 2)
    assert f["action_prediction"] == (1.0, 1) and f["speaker_identification"] == (0.0, 1)
    assert f["proactive_alerting"] == (1.0, 1) and f["proactive_turntaking"] == (1.0, 1)
    assert f["mean of six parts"] == (0.6, 5)
    assert f["mean of five parts"] == (0.5, 4)  # without turn-taking
    assert figures("omnimmi", items, whole)["dynamic_state_grounding"] == (1.0, 1)
    # only the first alert counts
    early = Prediction(alert.id, (Spoken(4, "dark", "0"), Spoken(6, "dark", "0")))
    assert figures("omnimmi", items, early)["proactive_alerting"] == (0.0, 1)
    assert figures("omnimmi", items, rig.said(turn.id, (30, "Indeed.")))[
        "proactive_turntaking"
    ] == (0.0, 1)


def test_omnimmi_published(omnimmi_data, tmp_path):
    items = items_of("omnimmi", omnimmi_data)
    qa = [
        q | {"pred": q["answer"]}
        for q in json.loads((tmp_path / "dynamic_state_grounding.json").read_text())[0]["qa"]
    ]
    lines = [
        {"video": "g.mp4", "qa": qa},
        {"video": "p.mp4", "question": "Tell me when it is dark.", "pred": [6.5]},
        {"video": "t.mp4", "conversation": [{"human": "Oh well."}], "pred": 1},
    ]
    path = tmp_path / "pred.json"
    path.write_text("\n".join(json.dumps(line) for line in lines))
    f = figures("omnimmi", items, *omnimmi.published(path, items, ""))
    assert (
        f["dynamic_state_grounding"]
        == f["proactive_alerting"]
        == f["proactive_turntaking"]
        == (1.0, 1)
    )
    path.write_text(json.dumps({"video": "x.mp4", "question": "Else?", "pred": ""}))
    with pytest.raises(
        InputError, match=r"item x\.mp4 \('Else\?'\) is not in the annotation files"
    ):
        select(omnimmi.published(path, items, ""), items, path)


def test_the_judge_decides_free_text(omnimmi_data):
    class Strict:
        description = "strict"

        def grade(self, prompt, question, truth, said, later=""):
            return Grade(0.49)

    items = items_of("omnimmi", omnimmi_data)
    scores = omnimmi.score(
        items, {items[1].id: rig.said(items[1].id, (30, "flip bread"))}, Strict()
    )
    assert scores.figures["action_prediction"].value == 0.0 and scores.judge == "strict"


def test_predictions_do_not_go_to_other_questions_of_a_subset(omnimmi_data, tmp_path):
    """Regression: ids were row numbers, so those of a whole file fitted any of its subsets."""
    rows = [{"video": f"{v}.mp4", "question": "Who?", "answer": v, "timestamp": 1} for v in "abc"]
    rig.write(omnimmi_data / "speaker_identification.json", rows)
    whole = [i.id for i in items_of("omnimmi", omnimmi_data)]
    rig.write(omnimmi_data / "speaker_identification.json", rows[2:])
    (speaker,) = [i for i in items_of("omnimmi", omnimmi_data) if "speaker" in i.id]
    assert speaker.id == "speaker_identification/c.mp4/1/Who?" and speaker.id in whole
