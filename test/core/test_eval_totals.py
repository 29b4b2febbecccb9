"""A total is given only when every part of the benchmark was scored."""

from __future__ import annotations

import itertools

import pytest

from aura_core.evaluation.published import HEADLINE
from aura_core.evaluation.records import Item, Outcome, Question, Scores
from aura_core.evaluation.statistics import proportion
from aura_core.evaluation.tasks import TASKS, ovobench

MMI = ("dynamic_state_grounding", "multiturn_dependency_reasoning", "action_prediction")
MMI += ("speaker_identification", "proactive_alerting", "proactive_turntaking")
PRO = ("instant_event_alert", "semantic_condition_alert", "explicit_target_grounding")
PRO += ("snapshot_counting", "cumulative_counting", "dedup_counting", "realtime_state_monitor")
PRO += ("event_narration", "sequential_step_instruction")
GAZE = [f"{part}_{k}" for part in ("past", "present") for k in range(4)]
PARTS: dict[str, dict[str, tuple[str, ...]]] = {  # by benchmark and figure: what it needs
    "streamingbench": {"overall": ("real", "omni", "sqa", "proactive")},
    "ovobench": {"total": tuple(ovobench.TASKS), "realtime": ovobench.GROUPS["realtime"]},
    "omnimmi": {"mean of six parts": MMI, "mean of five parts": MMI[:5]},
    "omniinteract": {
        "IA-QTF1": ("1q1a", "1q1a_math", "1qna"),
        "IA-QTF1 1Q1A global": ("1q1a", "1q1a_math"),
    },
    "omnipro": {"mean time-F1": PRO, "mean joint-F1": PRO},
    "fastbench": {"score": ("forward text", "instant choice", "backward text")},
    "streameqa": {"total": ("Perception", "Interaction", "Planning_all")},
    "streamgaze": {
        "mean of tasks": (*GAZE, "proactive_a", "proactive_b"),
        "past": tuple(GAZE[:4]),
    },
    "omniduplex": {"total": ("PR_correction", "PR_event_reminder", "PR_post_event_reminder")},
    "proactivevideoqa": {"PAUC, omega 1": ("WEB", "EGO", "TV", "VAD")},
}
CASES = [(task, figure) for task, of in PARTS.items() for figure in of]
ONE = proportion(1, 1)


def item(part: str) -> Item:
    """An item of a part, which each benchmark finds in a field of its own."""
    truth = {"part": part, "task": part, "subset": part}
    return Item(part, ("v.mp4",), (Question("0", 1, "?", part),), None, truth)


def given(task: str, figure: str, items: list[Item], scored: list[Item]) -> Scores:
    """The scores of some items, with a total over them."""
    outcomes = tuple(Outcome(i.id, "0", i.id, 1.0) for i in scored)
    return TASKS[task].complete(Scores({"a part": ONE, figure: ONE}, outcomes, ""), items)


@pytest.mark.parametrize(("task", "figure"), CASES)
def test_a_total_needs_every_part(task, figure):
    """Regression: the mean over whichever files were there had the name of the whole one."""
    items = [item(part) for part in PARTS[task][figure]]
    assert [*given(task, figure, items, items).figures] == ["a part", figure]
    for left_out in range(len(items)):
        some = items[:left_out] + items[left_out + 1 :]
        for there in (items, some):  # its file was there, or not
            scores = given(task, figure, there, some)
            assert [*scores.figures] == ["a part"]
            assert any(note.startswith(f"'{figure}' is not given") for note in scores.notes)


def test_the_note_names_what_is_missing():
    items = [item(part) for part in ("real", "sqa")]
    (note,) = given("streamingbench", "overall", items, items).notes
    assert note == "'overall' is not given: nothing of omni, proactive was scored"
    items = [item(part) for part in (*GAZE[:5], "proactive_a", "proactive_b")]
    (note,) = given("streamgaze", "mean of tasks", items, items).notes
    assert note == "'mean of tasks' is not given: nothing of 3 of 4 present tasks was scored"


def test_every_published_headline_is_one_of_these():
    """What stands beside a published figure is made over the same parts."""
    assert {(task, name) for task, name in HEADLINE.items()} <= set(CASES)
    names = [[*of] for of in PARTS.values()]
    assert "total" in itertools.chain(*names)
