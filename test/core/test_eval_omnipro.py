"""OmniPro: annotations, scores computed by hand, and the authors' predictions."""

from __future__ import annotations

import json
from pathlib import Path

import eval_rig as rig
import pytest
from eval_rig import figures, items_of
from eval_samples import pro, trigger

from aura_core.evaluation.records import Prediction, Spoken
from aura_core.evaluation.tasks import omnipro
from aura_core.types import Kind


@pytest.fixture
def omnipro_data(tmp_path: Path) -> Path:
    rig.write(
        tmp_path / "benchmark.json",
        [
            pro("alert", "instant_event_alert", trigger(10), trigger(30)),
            pro(
                "count",
                "cumulative_counting",
                trigger(10, count=1),
                trigger(20, count=2),
                trigger(40, count=3),
            ),
            pro("place", "explicit_target_grounding", trigger(10, position="top-left")),
            pro("state", "realtime_state_monitor", trigger(10, state_from="red", state_to="green")),
            pro("tale", "event_narration", trigger(10, response="a dog runs off")),
        ],
    )
    return tmp_path


def test_omnipro_items(omnipro_data):
    alert, count, place, state, _ = items_of("omnipro", omnipro_data)
    (q,) = alert.questions
    assert (q.at_s, q.kind, q.shown, alert.end_s) == (4, Kind.MULTI_RESPONSE, "Tell me.", 60)
    assert [(d.at_s, d.start_s, d.end_s) for d in q.due] == [(10, 7, 13), (30, 27, 33)]
    assert [d.text for d in count.questions[0].due] == ["1", "2", "3"] and place.questions[0].due[
        0
    ].text == "top-left"
    assert (
        "top-center" in place.questions[0].text and "one of: green, red;" in state.questions[0].text
    )


def test_omnipro_scores(omnipro_data):
    items = items_of("omnipro", omnipro_data)
    free = {"asked": False}
    f = figures(
        "omnipro",
        items,
        # 9 and 11 merge into one utterance at 9 (in time); 20 is a false alarm; the event at 30 is
        # missed
        rig.said("alert", (9, "now"), (11, "yes now"), (20, "now"), **free),
        # at 9 the newest true count is none: wrong, although it says what comes; at 21 it is 2:
        # right
        rig.said("count", (9, "1"), (21, "now 2 at 00:21"), **free),
        rig.said("place", (12, "A cup. Position: top-left"), **free),
        rig.said("state", (13.5, "green"), **free),
        rig.said("tale", (10, "The dog runs off!"), **free),
    )
    assert f["instant_event_alert time-F1"] == (0.5, 2)
    assert "instant_event_alert content" not in f and f["instant_event_alert joint-F1"] == (0.5, 2)
    assert f["cumulative_counting time-F1"] == (0.8, 3) and f["cumulative_counting content"] == (
        0.5,
        2,
    )
    assert f["cumulative_counting joint-F1"] == (0.4, 3)
    assert f["explicit_target_grounding joint-F1"] == f["event_narration joint-F1"] == (1.0, 1)
    assert f["realtime_state_monitor time-F1"] == (0.0, 1)  # 3.5 s late
    assert f["mean time-F1"] == (round((0.5 + 0.8 + 1 + 0 + 1) / 5, 4), 8)


def test_omnipro_reads_numbers_and_places_from_words():
    assert [omnipro.number(t) for t in ("at 00:12 there are 5", "none", "-3 or 4")] == [5, None, -3]
    assert (
        omnipro.region("Position: center") == "center"
        and omnipro.region("in the Center-Left part") == "center-left"
    )
    assert omnipro.region("Position: nowhere") is None
    # the longest name, wherever it stands
    assert omnipro.region("not top-left but bottom-center") == "bottom-center"


def test_omnipro_published(omnipro_data, tmp_path):
    items = items_of("omnipro", omnipro_data)
    line = {
        "id": "alert",
        "task": "instant_event_alert",
        "predictions": [{"t_sec": 10, "raw": "now"}],
    }
    (tmp_path / "o").mkdir()
    (tmp_path / "o" / "instant_event_alert.jsonl").write_text(json.dumps(line) + "\n")
    (p,) = omnipro.published(tmp_path / "o", items, "")
    assert p == Prediction("alert", (Spoken(10, "now", "0"),))
    assert figures("omnipro", items, p)["mean time-F1"] == (round(2 / 3, 4), 2)


def test_omnipro_published_words_are_not_joined_again(omnipro_data):
    """Regression: the authors join them when they write a file, and do not when they score it."""
    items = items_of("omnipro", omnipro_data)
    said = tuple(Spoken(t, "now", "0") for t in (10, 12, 30))
    written = figures("omnipro", items, Prediction("alert", said))
    played = figures("omnipro", items, Prediction("alert", said, 60))
    assert written["instant_event_alert time-F1"] == (0.8, 2)
    assert played["instant_event_alert time-F1"] == (1.0, 2)
