"""The ways to have many watches, and the watches that alerts are told to belong to."""

from __future__ import annotations

import pytest

pytest.importorskip("torch")

from aura_core.config import AssistantConfig
from aura_core.evaluation.scoring import EpisodeScore, Matched, Said
from aura_core.evaluation.sim import episode_of
from aura_core.evaluation.watches import Named, evaluate, plan
from aura_core.models import load
from aura_core.sim.episode import Due
from aura_core.types import Answered, Decision, Kind, Response, Step


def alert(chunk: int, *watches: str) -> Step:
    answered = tuple(Answered(w, Kind.PROACTIVE, 0) for w in watches)
    said = Response("x", Kind.PROACTIVE, watches[0], 0, False, 0, watches=answered)
    decision = Decision(False, 0.0, 1)
    return Step(chunk, 0, decision, said, None, None, 0.0, 0.0, 1, 1, 1, 1, 1, 1, False)


def test_only_alerts_in_time_count_and_all_their_watches():
    dues = [Due(3, "x", ("a",)), Due(8, "x", ("a", "b")), Due(20, "x", ("c",))]
    matched = (Matched(dues[0], "x", 0), Matched(dues[1], "x", 1), Matched(dues[2], "x", 4))
    steps = [alert(3, "a"), alert(9, "c", "b"), alert(24, "a")]
    episode, _ = episode_of(430000, 10)
    said = tuple(Said(s.chunk, "x", None) for s in steps)
    named = Named()
    assert named.report() is None
    named.count(EpisodeScore(episode, (), matched, said, 0, 0, 30), steps)
    report = named.report()
    assert report is not None
    assert (report.named.value, report.named.n) == (0.5, 2)  # "c" was not due at 8
    assert (report.precision.value, report.precision.n) == (pytest.approx(2 / 3), 3)
    assert (report.recall.value, report.recall.n) == (pytest.approx(2 / 3), 3)


def test_the_model_names_the_watch_where_shared_words_do_not():
    backend = load(AssistantConfig().model, AssistantConfig().server)
    seeds = range(430000, 430003)
    model, words = (evaluate(backend, seeds, 8, way) for way in ("conversation", "words"))
    assert model.attribution is not None and words.attribution is not None
    assert model.attribution.named.n >= 6
    assert model.attribution.named.value > words.attribution.named.value
    assert model.attribution.named.value >= 0.9
    assert model.recall.value >= words.recall.value


def test_a_plan_has_one_repeated_watch_in_four():
    assert (plan(8).proactive, plan(8).multi) == ((6, 6), (2, 2))
    assert (plan(1).proactive, plan(1).multi) == ((1, 1), (0, 0))
