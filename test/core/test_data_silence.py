"""Silence is a training target: events that an author missed are looked for."""

from __future__ import annotations

import itertools
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from data_rig import real_time, standing
from mllm_double import (
    LIGHT,
    SECONDS,
    request,
    says,
    settings,
    synthesize,
    talks,
)

from aura_core.data import prepare as preparing
from aura_core.data.engine import run
from aura_core.data.oracle import Oracle
from aura_core.data.outcome import Outcome
from aura_core.data.prepare import sim_sources
from aura_core.data.settings import PrepareConfig, SynthesizeConfig
from aura_core.data.store import StageFolder
from aura_core.data.synthesize import silences
from aura_core.data.synthesize import synthesize as work
from aura_core.data.worker import Job
from aura_core.errors import ConfigError
from aura_core.types import Kind


@pytest.fixture
def mllm(mllm):
    mllm.replies["now"] = lambda t, b: {"questions": []}
    return mllm


def begun(text: str) -> bool:
    """Whether the prompt is about the scene that begins at 0."""
    return "between\n0 and" in text


# ---- no answer at all ----------------------------------------------------------------------------


def test_a_request_of_an_mllm_without_answers_is_rejected(mllm, prepared, tmp_path):
    """Regression: it had no times to check, so it passed.

    The model was then trained to be silent while the light goes on.
    """
    mllm.replies["later"] = lambda t, b: {
        "requests": [request("proactive", 2), request("multi-response", 3)]
    }
    done = synthesize(mllm, prepared, tmp_path)
    assert done.reasons == {"no answer": 8, "no question left": 2} and done.records == 0
    assert mllm.kinds["visible"] == 0


class Forgetful(Oracle):
    """Leaves out the second answer of every multi-response request."""

    def questions(self, clip, scene):
        return [
            replace(d, answers=(d.answers[0], *d.answers[2:])) if len(d.answers) > 1 else d
            for d in super().questions(clip, scene)
        ]


def simulated(folder: Path, author: Oracle, **settings: int) -> list[Outcome]:
    stage = preparing.open_stage(folder, PrepareConfig(crf=30))
    clips = [stage.work(s).records[0] for s in sim_sources([1002, 1011, 1036], 60)]
    return [work(c, folder, author, SynthesizeConfig(**settings)) for c in clips]


def test_the_simulator_may_ask_for_what_never_happens(tmp_path):
    made = simulated(tmp_path, Oracle(), silences=20)
    asked = [q for out in made for q in out.records[0].questions if q.kind is not Kind.REAL_TIME]
    assert any(not q.answers for q in asked) and all(out.rejections == [] for out in made)
    assert sum(out.counts["silences checked"] for out in made) == sum(
        len(silences(q, 60, 30)) for q in asked
    )


def test_an_answer_that_is_left_out_is_found_in_the_silence(tmp_path):
    honest, made = simulated(tmp_path, Oracle()), simulated(tmp_path, Forgetful(), silences=20)
    cut = [q.id for out in honest for q in out.records[0].questions if len(q.answers) > 1]
    assert cut and [r.item for out in made for r in out.rejections] == cut
    assert {r.reason for out in made for r in out.rejections} == {"silent where it happens"}
    unchecked = simulated(tmp_path, Forgetful(), silences=0)
    assert all(out.rejections == [] and not out.counts["silences checked"] for out in unchecked)


# ---- which silence -------------------------------------------------------------------------------


def test_the_longest_silences_come_first():
    each = standing(2, [(9, "a"), (50, "b"), (52, "c")], Kind.MULTI_RESPONSE)
    # 51 is checked with the answer at 52
    assert silences(each, 60, 30) == [(10, 40), (40, 49), (53, 60), (3, 8)]
    assert silences(standing(2, [(9, "a")], Kind.PROACTIVE), 60, 30) == [(3, 8)]
    assert silences(standing(2, [], Kind.PROACTIVE), 9, 30) == [(3, 9)]
    assert (
        silences(standing(2, [(3, "a")], Kind.PROACTIVE), 60, 30)
        == []
        == silences(real_time(3), 60, 30)
    )


def test_an_mllm_looks_at_its_own_silence_again(mllm, prepared, tmp_path):
    """Regression: only listed times were checked, so missed events became silent targets."""
    mllm.replies["later"] = lambda t, b: {
        "requests": [request("multi-response", 2, 12)] if begun(t) else []
    }
    mllm.replies["visible"] = lambda t, b: {"reason": "?", "visible": "at second 12" in t}
    done = synthesize(mllm, prepared, tmp_path)
    assert done.reasons == {"silent where it happens": 2, "no question left": 2}
    assert next(iter(StageFolder(tmp_path, "synthesize").rejected(0))).detail.endswith("in 3..10 s")
    shown = [labels for kind, labels in mllm.pictures if kind == "missed"]
    assert [(s[0], s[-1]) for s in shown] == [("second 2", "second 10.5")] * 2


def test_a_look_that_finds_nothing_leaves_the_request(mllm, prepared, tmp_path):
    done = synthesize(mllm, prepared, tmp_path)
    assert (done.reasons, done.counts["silences checked"], mllm.kinds["missed"]) == ({}, 2, 2)
    assert [[a.chunk for q in c.questions for a in q.answers] for c in talks(tmp_path)] == [
        [LIGHT]
    ] * 2


def test_a_negative_number_of_silences_is_refused():
    with pytest.raises(ConfigError, match=r"synthesize\.silences must not be negative"):
        SynthesizeConfig(silences=-1)


# ---- times in pieces -----------------------------------------------------------------------------


def in_pieces(mllm, prepared, out, frames: int = 8) -> dict[str, int]:
    """Synthesise with fewer frames than the clip has seconds.

    Returns what was left out, and why.
    """
    config = settings(mllm)
    config = replace(config, synthesize=replace(config.synthesize, frames=frames, look_back_s=3))
    run(Job("synthesize", prepared, out, config, "mllm"))
    return StageFolder(out, "synthesize").all_done()[0].reasons


def test_the_times_of_a_long_clip_are_listed_from_a_frame_a_second(mllm, prepared, tmp_path):
    """Regression: 32 frames showed up to ten minutes, and events between them were missed."""
    # wrong times: the overview only guesses
    told = [request("proactive", 2, 5), request("multi-response", 3)]
    mllm.replies["later"] = lambda t, b: {"requests": told if begun(t) else []}
    assert in_pieces(mllm, prepared, tmp_path) == {}
    assert [(q.chunk, [a.chunk for a in q.answers]) for q in talks(tmp_path)[0].questions] == [
        (2, [LIGHT]),
        (3, [LIGHT]),
    ]
    seen = [
        [float(x.removeprefix("second ")) for x in labels]
        for kind, labels in mllm.pictures
        if kind == "times"
    ]
    pieces = [(0, 5.5), (5, 11.5), (11, SECONDS - 0.5)]
    # the last one looks the same in both clips
    assert [(s[0], s[-1]) for s in seen] == pieces + pieces[:2]
    assert all(len(s) <= 8 and max(b - a for a, b in itertools.pairwise(s)) <= 1.0 for s in seen)


def test_a_request_that_has_been_answered_is_not_asked_for_again(mllm, prepared, tmp_path):
    mllm.replies["later"] = lambda t, b: {"requests": [request("proactive", 2)] if begun(t) else []}
    in_pieces(mllm, prepared, tmp_path)
    assert mllm.kinds["times"] == 2 * 2  # the light goes on in the second piece of three


@pytest.mark.parametrize(
    ("wrong", "fault"),
    [
        ({"request": 2}, "'request' must be one of 1, not 2"),
        ({"second": 12}, "'second' must be from 6 to 11 for request 1, not 12"),
    ],
)
def test_a_time_of_another_piece_or_request_is_malformed(mllm, prepared, tmp_path, wrong, fault):
    mllm.replies["later"] = lambda t, b: {"requests": [request("proactive", 2)] if begun(t) else []}

    def times(text: str, level: float) -> object:
        here = re.search("in seconds 6 to", text)
        return {"times": [{"request": 1, "second": LIGHT, "answer": "x"} | wrong] if here else []}

    mllm.replies["times"] = times
    assert in_pieces(mllm, prepared, tmp_path) == {
        "questions: malformed reply": 2,
        "no question left": 2,
    }
    assert all(
        fault in r.detail for r in StageFolder(tmp_path, "synthesize").rejected(0) if r.detail
    )


def test_a_time_before_its_request_is_asked_for_again(mllm, prepared, tmp_path):
    """Otherwise the first time of a proactive request could be before the request itself."""
    mllm.replies["later"] = lambda t, b: {"requests": [request("proactive", 2)] if begun(t) else []}
    mllm.failures["times"] = [
        says(json.dumps({"times": [{"request": 1, "second": 1, "answer": "x"}]}))
    ]
    assert in_pieces(mllm, prepared, tmp_path) == {}
    assert StageFolder(tmp_path, "synthesize").all_done()[0].cost["repairs"] == 1
    assert [[a.chunk for q in c.questions for a in q.answers] for c in talks(tmp_path)] == [
        [LIGHT]
    ] * 2
