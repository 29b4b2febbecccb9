"""StreamGaze: choices, and alerts that are polled at test points or told once."""

from __future__ import annotations

import eval_rig as rig
import pytest
from eval_rig import figures, items_of
from eval_samples import GAZE, GAZE_ALERT

from aura_core.evaluation.polled import play_polled
from aura_core.evaluation.records import Prediction, Spoken
from aura_core.evaluation.runner import play
from aura_core.evaluation.tasks import streamgaze


@pytest.fixture
def data(tmp_path):
    rig.write(tmp_path / "dataset/qa/past_recall.json", [GAZE, GAZE])
    rig.write(tmp_path / "dataset/qa/proactive_alert.json", [GAZE_ALERT])
    return tmp_path


def test_items(data):
    first, again, alert = items_of("streamgaze", data)
    assert again.id == f"{first.id} (2)" and first.id.startswith("past_recall/v.mp4/7/What was")
    assert first.videos[0] == "dataset/videos/gaze_viz_video/v.mp4" and first.end_s == 8
    (q,) = alert.questions
    assert (q.at_s, q.polled_at) == (2, (5, 9)) and alert.end_s == 10


def seeing(moment):
    """A model that sees a plate from the sixth second on."""
    plate = moment.now.chunk >= 5
    if moment.question.endswith("nothing else."):
        return "Yes" if plate else "No"
    return "a plate!" if plate and moment.now.chunk == 5 else None


def test_an_alert_is_one_standing_question_or_polled_at_its_test_points(data):
    *_, alert = items_of("streamgaze", data)
    free = play(rig.assistant(seeing), alert, rig.frames([10] * 12))
    assert [(s.at_s, s.text) for s in free.said] == [(6, "a plate!")]
    polled = play_polled(rig.polled(seeing), alert, rig.frames([10] * 12))
    assert [(s.at_s, s.text) for s in polled.said] == [(5, "No"), (9, "Yes")]
    for p in (free, polled):
        assert figures("streamgaze", [alert], p)["proactive_alert"] == (1.0, 2)
    silent = Prediction(alert.id, (), 12)
    early = Prediction(alert.id, (Spoken(4, "a plate!", "0"),), 12)
    for p in (silent, early):
        assert figures("streamgaze", [alert], p)["proactive_alert"] == (0.5, 2)


def test_scores(data):
    first, again, alert = items = items_of("streamgaze", data)
    f = figures(
        "streamgaze",
        items,
        rig.said(first.id, (7, "a. a cup")),
        rig.said(again.id, (7, "It is B")),
        Prediction(alert.id, (Spoken(6, "a plate!", "0"),), 12),
    )
    assert f["past_recall"] == f["past"] == (0.5, 2) and f["proactive"] == (1.0, 2)
    assert f["mean of tasks"] == (0.75, 4)


@pytest.mark.parametrize(
    ("reply", "letter"),
    [
        ("A", "A"),
        (" b. a pan", "B"),
        ("It is (C)", "C"),
        ("The answer: D.", "D"),
        ("I see a cup, so B", "A"),  # the article stands alone, and comes first
        ("AB", "AB"),
        ("", ""),
    ],
)
def test_the_first_letter_that_stands_alone_is_the_choice(reply, letter):
    """As the authors' `evaluate_results.py`, which makes their tables."""
    assert streamgaze.chosen(reply) == letter


@pytest.mark.parametrize(("reply", "value"), [("yes, it is", 0.5), ("no", 0.5), ("maybe", 0.0)])
def test_yes_and_no_count_in_any_case(data, reply, value):
    """Regression: a small letter was wrong, as in OVO-Bench."""
    *_, alert = items_of("streamgaze", data)
    said = Prediction(alert.id, tuple(Spoken(t, reply, "0", True) for t in (5, 9)), 12)
    assert figures("streamgaze", [alert], said)["proactive_alert"] == (value, 2)


def test_the_authors_files(data, tmp_path):
    items = items_of("streamgaze", data)
    rows = [GAZE | {"model_predictions": [{"model_prediction": r}]} for r in ("A", "B")]
    rig.write(tmp_path / "out/past_recall_output.json", rows)
    (question,) = GAZE_ALERT["questions"]
    points = [p | {"response": r} for p, r in zip(question["test_info"], ("No", "No"), strict=True)]
    row = GAZE_ALERT | {"questions": [question | {"test_info": points}]}
    rig.write(tmp_path / "out/proactive_alert_output.json", [row])
    found = streamgaze.published(tmp_path / "out", items, "")
    assert [p.item for p in found] == [i.id for i in items]
    f = figures("streamgaze", items, *found)
    assert f["past_recall"] == f["proactive_alert"] == (0.5, 2)
