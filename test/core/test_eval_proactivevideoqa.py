"""ProactiveVideoQA: PAUC by hand, verdicts of what was told so far, and published replies."""

from __future__ import annotations

import eval_rig as rig
import pytest
from eval_rig import figures, items_of
from eval_samples import PROACTIVE_QA

from aura_core.errors import InputError
from aura_core.evaluation.judge import Grade
from aura_core.evaluation.records import Prediction, Spoken
from aura_core.evaluation.tasks import proactivevideoqa
from aura_core.evaluation.tasks.proactivevideoqa import pauc, verdicts

ID = "WEB/a%1"


@pytest.fixture
def item(tmp_path):
    rig.write(tmp_path / "WEB/anno.json", [PROACTIVE_QA])
    (item,) = items_of("proactivevideoqa", tmp_path)
    return item


def test_area():
    span = (4.0, 12.0)
    assert pauc({}, span, 0.5) == 0.25
    # quality 0.5 for 2 s, then 2 for 6 s, of 16
    assert pauc({6.0: 2}, span, 0.0) == (0.5 * 2 + 2 * 6) / 16
    assert pauc({6.0: 2}, span, 0.5) == (0.5 * 1 + 2 * 7) / 16
    assert pauc({6.0: 2}, span, 1.0) == 1.0
    assert pauc({6.0: 1, 10.0: 2}, span, 0.0) == (0.5 * 2 + 1 * 4 + 2 * 2) / 16
    assert pauc({4.0: 2}, (4.0, 4.0), 0.0) == 0.0


class Listed:
    """Gives verdicts by what was told, 0 to 2."""

    description = "listed"

    def __init__(self, **of: int) -> None:
        self.of = of

    def grade(self, prompt, question, truth, said, later=""):
        return Grade(self.of[said.replace(" ", "_")] / 2)


def spoken(*words):
    return Prediction(ID, tuple(Spoken(t, w, "0") for t, w in words), 30)


def test_each_reply_is_judged_with_those_before_it_in_its_span(item):
    p = spoken((3, "early"), (5, "a"), (6, "a"), (7, "b"), (13, "late"))
    kept, told = verdicts(item, p, 0, Listed(a=1, a_b=2))
    assert kept == {5: 1, 7: 2} and told == "a b"


def test_a_worse_verdict_after_the_related_span_is_left_out(item):
    kept, _ = verdicts(item, spoken((5, "a"), (9, "b"), (10, "c")), 0, Listed(a=2, a_b=1, a_b_c=2))
    assert kept == {5: 2, 10: 2}
    # within it, it counts
    kept, _ = verdicts(item, spoken((5, "a"), (8, "b")), 0, Listed(a=2, a_b=1))
    assert kept == {5: 2, 8: 1}


def test_scores_and_files(item, tmp_path):
    turns = [
        {"role": "user", "content": "What is done?", "time": 0},
        {"role": "assistant", "content": "cut wood", "time": 8},
    ]
    line = {"question_id": "a%1", "model_response_list": turns}
    (p,) = proactivevideoqa.published(rig.write(tmp_path / "r.jsonl", line), [item], "")
    f = figures("proactivevideoqa", [item], p)
    assert f["WEB PAUC, omega 0"] == f["PAUC, omega 0"] == (round((10 / 16 + 0.25) / 2, 4), 2)
    assert f["PAUC, omega 1"] == (round((1 + 0.25) / 2, 4), 2)
    (q,) = item.questions
    assert q.poll.again and (q.poll.until_s, item.end_s) == (24, 25)
    with pytest.raises(InputError, match=r"none of WEB/anno\.json"):
        items_of("proactivevideoqa", tmp_path / "WEB")
