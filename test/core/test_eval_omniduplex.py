"""Omni-DuplexEval: reminders in their windows, corrections, and the authors' replies."""

from __future__ import annotations

import eval_rig as rig
import pytest
from eval_rig import JUDGE, figures, items_of
from eval_samples import REMIND

from aura_core.errors import InputError
from aura_core.evaluation.polled import play_polled
from aura_core.evaluation.records import Prediction, Spoken
from aura_core.evaluation.tasks import omniduplex
from aura_core.types import Kind

TOLD = REMIND["question_text"]


@pytest.fixture
def data(tmp_path):
    rig.write(tmp_path / "PR_event_reminder.json", [REMIND])
    fix = {"id": "2", "question_text": "The cup is blue.", "answer1": "red cup", "reminder1": None}
    rig.write(tmp_path / "PR_correction.jsonl", fix)
    return tmp_path


def test_items(data):
    fix, remind = items_of("omniduplex", data)
    (q,) = remind.questions
    assert remind.id == "PR_event_reminder/1" and q.kind is Kind.MULTI_RESPONSE
    assert [(d.start_s, d.end_s) for d in q.due] == [(10.5, 20.5), (30, 40)]
    assert (q.poll.until_s, q.poll.again, remind.end_s) == (40, True, 41)
    assert fix.questions[0].kind is Kind.REAL_TIME and fix.questions[0].due == ()


def test_scores(data):
    fix, remind = items = items_of("omniduplex", data)
    half = Prediction(remind.id, (Spoken(11, TOLD, "0"), Spoken(29, TOLD, "0")))
    f = figures("omniduplex", items, half, rig.said(fix.id, (1, "No, a red cup.")))
    assert f["PR_event_reminder"] == (0.0, 1) and f["PR_correction"] == (1.0, 1)
    assert f["PR_event_reminder (single reminders)"] == (0.5, 2) and f["total"] == (0.5, 2)
    whole = Prediction(remind.id, (Spoken(20.5, TOLD, "0"), Spoken(30, TOLD, "0")))
    assert figures("omniduplex", items, whole)["PR_event_reminder"] == (1.0, 1)
    # what is said in one window is judged as one text
    parts = tuple(Spoken(t, w, "0") for t, w in ((12, TOLD[:20]), (14, TOLD[20:]), (31, TOLD)))
    scores = omniduplex.score(items, {remind.id: Prediction(remind.id, parts)}, JUDGE)
    assert scores.outcomes[0].said == f"{TOLD[:20].strip()} {TOLD[20:].strip()}"


def test_polled_an_answer_may_come_again(data):
    _, remind = items_of("omniduplex", data)

    def say(moment):
        if moment.question.endswith("yes or no."):
            return "yes" if moment.now.chunk in (11, 31) else "no"
        return TOLD if moment.question else None

    p = play_polled(rig.polled(say), remind, rig.frames([10] * 45))
    assert [s.at_s for s in p.said] == [12, 32]
    assert figures("omniduplex", [remind], p)["PR_event_reminder"] == (1.0, 1)


@pytest.mark.parametrize("split", omniduplex.SPLITS)
def test_polled_a_correction_is_put_when_all_of_the_video_was_seen(tmp_path, split):
    """Regression: it was put at 0 s, so that the run ended there and saw one second of video.

    A row without reminders is judged as a correction, whatever its split.
    """
    row = {"id": "2", "question_text": "The cup is blue.", "answer1": "red cup"}
    rig.write(tmp_path / f"{split}.json", [row | {"video_duration": 20.0}])
    (fix,) = items_of("omniduplex", tmp_path)
    seen = []

    def say(moment):
        seen.append(moment.now.chunk)
        return "No, a red cup." if moment.question and moment.now.brightness > 100 else "Yes."

    p = play_polled(rig.polled(say), fix, rig.frames([10] * 15 + [200] * 5))
    assert p.seconds == 20 and max(seen) == 19
    assert p.said == (Spoken(20, "No, a red cup.", "0", True),)
    assert figures("omniduplex", [fix], p)[split] == (1.0, 1)
    # a video that is shorter than its annotation is asked about all the same, at its own end
    assert play_polled(rig.polled(say), fix, rig.frames([10] * 12)).seconds == 12


def test_the_authors_replies(data, tmp_path):
    items = items_of("omniduplex", data)
    rows = [{"sentence": TOLD, "start": 11}, {"text": TOLD, "current_time": 31}, {"text": " "}]
    rig.write(tmp_path / "out/PR_event_reminder/1.json", {"sentences": rows})
    (p,) = omniduplex.published(tmp_path / "out", items, "")
    assert [s.at_s for s in p.said] == [11, 31]
    assert figures("omniduplex", items, p)["PR_event_reminder"] == (1.0, 1)
    with pytest.raises(InputError, match="no reply"):
        omniduplex.published(rig.write(tmp_path / "no/x", []).parent, items, "")
