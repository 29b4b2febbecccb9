"""FastBench: when an answer counts, acknowledgments, and the second in which it is polled."""

from __future__ import annotations

import eval_rig as rig
import pytest
from eval_rig import figures, items_of
from eval_samples import FAST

from aura_core.errors import InputError
from aura_core.evaluation.polled import play_polled
from aura_core.evaluation.records import Prediction, Spoken
from aura_core.evaluation.tasks import fastbench
from aura_core.types import Kind

ID = FAST["video_path"]
QUESTION = FAST["verified_responses"][0]["user_query"]


@pytest.fixture
def data(tmp_path):
    rig.write(tmp_path / "dataset" / "proactive_perception_annotations.json", [FAST])
    return tmp_path


def scores(data, *words):
    said = tuple(Spoken(at_s, text) for at_s, text in words)
    return figures("fastbench", items_of("fastbench", data), Prediction(ID, said, 20))


def test_questions(data):
    (item,) = items_of("fastbench", data)
    first, second = item.questions
    assert item.id == ID and item.videos[1] == "qa_video/sample-0/original_cut.mp4"
    assert (first.at_s, first.due[0].at_s, first.kind) == (3, 9, Kind.PROACTIVE)
    assert (second.at_s, second.due[0].at_s, second.kind) == (12, 12, Kind.REAL_TIME)
    assert first.polled_at == (3, 4, 9, 10) and second.polled_at == (12,)
    assert "A. red\nB. blue" in second.text and item.end_s == 13


@pytest.mark.parametrize(
    ("words", "value"),
    [
        ([(7, "twice")], 1.0),  # 2 s before
        ([(11, "twice")], 1.0),  # 2 s after
        ([(6, "twice")], 0.0),  # early
        ([(12, "twice")], 0.0),  # too late: it is taken for the second question
        ([(9, "once")], 0.0),
        ([(3, "I will tell you."), (9, "twice")], 1.0),  # an acknowledgment by its second
        ([(5, "OK"), (9, "twice")], 1.0),  # and by its words
        ([(5, "I will tell you."), (9, "twice")], 0.0),  # the first words are the answer
        ([], 0.0),
    ],
)
def test_a_standing_question(data, words, value):
    assert scores(data, *words)["forward, text"] == (value, 1)


def test_a_choice_and_the_whole(data):
    f = scores(data, (9, "twice"), (12, "B. blue"))
    assert f["instant, choice"] == (1.0, 1) and f["score"] == (1.0, 2)
    assert f["capability Action"] == f["forward"] == (1.0, 1) and f["forward: early"] == (0.0, 1)
    # to any other question the answer comes in its second
    assert scores(data, (13, "B"))["instant, choice"] == (0.0, 1)
    assert scores(data, (5, "so"))["forward: early"] == (1.0, 1)


def test_acknowledgments_of_the_authors_configuration(data):
    assert scores(data, (5, "Noted."), (9, "twice"))["forward"] == (0.0, 1)
    path = data / "config.yaml"
    path.write_text("scoring: {placeholder_responses: ['noted.']}")
    assert scores(data, (5, "Noted."), (9, "twice"))["forward"] == (1.0, 1)
    path.write_text("scoring: {}")
    with pytest.raises(
        InputError, match=r"config\.yaml: has no list scoring\.placeholder_responses"
    ):
        items_of("fastbench", data)


def test_polled_the_model_decides_in_a_few_seconds_alone(data):
    asked = []

    def say(moment):
        if moment.question == QUESTION:
            asked.append(moment.now.chunk + 1)
        return "twice" if moment.question and moment.now.chunk + 1 == 10 else None

    (item,) = items_of("fastbench", data)
    p = play_polled(rig.polled(say), item, rig.frames([10] * 15))
    assert sorted(set(asked)) == [3, 4, 9, 10]
    assert [(s.at_s, s.text, s.question) for s in p.said] == [(10, "twice", "0")]
    assert figures("fastbench", [item], p)["forward, text"] == (1.0, 1)


def test_what_the_authors_runtime_writes(data, tmp_path):
    items = items_of("fastbench", data)
    line = FAST | {"responses": [{"timestamp": "00:09", "response": "twice"}]}
    (p,) = fastbench.published(rig.write(tmp_path / "r.jsonl", line), items, "")
    assert p == Prediction(ID, (Spoken(9, "twice"),))
