"""Calibration: the sweep's estimates, the choice of a threshold, and its second run."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from itertools import pairwise

import pytest
import yaml
from engine_rig import FREE

from aura_core.cli import main
from aura_core.config import AssistantConfig, DeciderConfig, ModelConfig
from aura_core.errors import InputError
from aura_core.evaluation import calibration
from aura_core.evaluation.calibration import (
    GRID,
    Point,
    Record,
    calibrate,
    pick,
    point,
    record,
    sweep,
)
from aura_core.evaluation.sim import episode_of
from aura_core.evaluation.statistics import Measured
from aura_core.models.scripted import ScriptedBackend
from aura_core.types import Decision, Kind, Response, Step

S = 1_000_000_000
SECONDS = 60


def roomy(seed: int) -> bool:
    """Whether the tests below fit into this episode.

    Its events must be far apart, with no question right after the first one.
    """
    episode, _ = episode_of(seed, SECONDS)
    due, asked = [d.chunk for d in episode.dues], {a.chunk for a in episode.asks}
    return (
        len(due) > 1
        and min(b - a for a, b in pairwise(due)) > 4
        and not asked & {due[0] + 1, due[0] + 2}
    )


SEED = next(s for s in range(420_000, 420_100) if roomy(s))
EPISODE, _ = episode_of(SEED, SECONDS)
DUE = [d.chunk for d in EPISODE.dues]
NOTHING_DUE = next(s for s in range(420_000, 420_100) if not episode_of(s, 10)[0].dues)
QUIET = next(
    c
    for c in range(SECONDS)
    if all(abs(c - d) > 6 for d in DUE) and c not in {a.chunk for a in EPISODE.asks}
)


def recorded(p_silent: dict[int, float]) -> Record:
    """Return a run whose model had these probabilities, and answered its questions.

    In all other chunks it was silent with p = 1.
    """
    asked = {a.chunk: a for a in EPISODE.asks}
    steps = []
    for c in range(SECONDS):
        a = asked.get(c)
        response = Response(a.answer, Kind.REAL_TIME, a.id, 0, False, c * S) if a else None
        p = p_silent.get(c, 0.0 if a else 1.0)
        steps.append(
            Step(
                c,
                c * S,
                Decision(response is None, p, 1),
                response,
                a.text if a else None,
                a.id if a else None,
                0,
                0,
                1,
                1,
                0,
                1,
                1,
                1,
                False,
            )
        )
    return Record(EPISODE, tuple(steps), SECONDS)


def test_a_sweep_counts_hits_false_alarms_and_the_questions_answers():
    run = recorded({DUE[0]: 0.2, DUE[1]: 0.6, QUIET: 0.7})
    low, middle, high = sweep([run], DeciderConfig(), (0.1, 0.65, 0.9))
    n = len(DUE)
    assert [p.recall.value * n for p in (low, middle, high)] == pytest.approx([0, 2, 2])
    assert [p.false_alarms_per_min.value for p in (low, middle, high)] == [0, 0, 1]
    assert [p.recall.n for p in (low, middle, high)] == [n] * 3 and low.false_alarms_per_min.n == 1
    assert middle.f1.value == pytest.approx(2 * 2 / (2 * 2 + n - 2))
    # the questions were answered in both
    assert middle.silence_precision.value > low.silence_precision.value


def test_a_sweep_keeps_the_other_settings():
    run = recorded({DUE[0]: 0.2, DUE[0] + 1: 0.2, DUE[0] + 2: 0.2})
    alarms = [
        point(0.5, [run.at(c)]).false_alarms_per_min.value
        for c in (
            DeciderConfig(0.5),
            DeciderConfig(0.5, min_gap_s=2.0),
            DeciderConfig(0.5, rearm=0.9),
        )
    ]
    assert alarms == [2, 1, 0]
    assert [p.threshold for p in sweep([run], DeciderConfig(rearm=0.5))] == [
        t for t in GRID if t <= 0.5
    ]


def made(threshold: float, recall: float, alarms: float, f1: float = 0.5) -> Point:
    m = [Measured(v, 10, (0.0, 1.0)) for v in (recall, alarms, 0.9, f1)]
    return Point(threshold, *m)


def test_the_pick_is_the_best_within_the_budget():
    points = [made(0.2, 0.5, 0.0, 0.9), made(0.5, 0.7, 0.1, 0.8), made(0.9, 0.9, 0.2, 0.7)]
    assert pick(points).threshold == 0.5
    assert pick(points, max_false_alarms=0.2).threshold == 0.9
    assert pick(points, "f1", 0.2).threshold == 0.2


def test_ties_go_to_fewer_false_alarms_and_then_to_the_middle():
    assert pick([made(0.6, 0.5, 0.1), made(0.7, 0.5, 0.05)]).threshold == 0.7
    assert pick([made(t, 0.5, 0.0) for t in (0.01, 0.3, 0.6, 0.9)]).threshold == 0.6


def test_a_mute_threshold_is_never_picked():
    with pytest.raises(
        InputError, match=r"no threshold finds a due event with at most 0\.1 false alarms a minute"
    ):
        pick([made(0.2, 0.0, 0.0), made(0.9, 0.9, 2.0)])
    with pytest.raises(InputError, match="objective 'best': expected one of recall, f1"):
        pick([made(0.5, 0.5, 0.0)], "best")


def test_test_seeds_are_refused():
    with pytest.raises(InputError, match="seed 500000 is a test seed"):
        record(ScriptedBackend({}), [500_000])


def test_the_pick_is_run_again_free():
    backend = ScriptedBackend(EPISODE.script())
    config = AssistantConfig(decider=DeciderConfig(threshold=0.0001))  # must not reach the base run
    result = calibrate(backend, [SEED], config)
    assert len(backend.encodes) == 2 * SECONDS
    assert (
        result.base.threshold,
        result.base.recall.value,
        result.base.false_alarms_per_min.value,
    ) == (None, 1.0, 0.0)
    assert (
        result.estimate.threshold == result.free.threshold == 0.5
        and result.estimate in result.sweep
    )
    assert (result.free.recall.value, result.free.silence_precision.value) == (1.0, 1.0)
    assert math.isclose(result.free.recall.n, len(DUE))


def test_an_estimate_may_differ_from_the_free_run():
    """Only a free run shows what a model does after its own words.

    This model is unsure after it has spoken, until it speaks again.
    """

    class Echo(ScriptedBackend):
        def open(self):
            session = super().open()
            logits = session._logits

            def shaped():
                out = logits()
                words = bytes(t for t in session.tokens if isinstance(t, int) and t < 256)
                if b"!" in words and b"\0" not in words and out.argmax() == self.chat.silent_id:
                    # p(silent) 0.07 until it has repeated itself, with token 0
                    out[self.chat.silent_id] = 3.0
                return out

            session._logits = shaped
            return session

    backend = Echo({DUE[0]: "!"})
    own = AssistantConfig(decider=FREE)
    records = record(backend, [SEED], own)
    assert records[0].free().false_alarms == ()
    at = replace(own, decider=replace(FREE, threshold=0.3))
    estimate = records[0].at(at.decider)
    free = record(backend, [SEED], at)[0].free()
    assert len(free.false_alarms) == 1 < len(estimate.false_alarms)


def aura(*args: object) -> int:
    with pytest.raises(SystemExit) as e:
        main([str(a) for a in args])
    return int(e.value.code or 0)


@pytest.fixture
def perfect(monkeypatch):
    monkeypatch.setattr("aura_core.models.load", lambda *_: ScriptedBackend(EPISODE.script()))


def test_the_command_prints_a_table_and_writes_what_a_run_reads(tmp_path, capsys, perfect):
    base = tmp_path / "base.yaml"
    base.write_text("aura: {decider: {rearm: 0.8, min_gap_s: 1}}\n")
    figures, out = tmp_path / "deep" / "figures.json", tmp_path / "calibration.yaml"
    assert (
        aura(
            "calibrate",
            "--model",
            "scripted",
            "--seeds",
            SEED,
            "--config",
            base,
            "--json",
            figures,
            "--out",
            out,
        )
        == 0
    )
    shown = capsys.readouterr().out
    assert (
        "0.5 *" in shown
        and "free-running: threshold 0.5: recall 1.000" in shown
        and "warning" not in shown
    )
    config = AssistantConfig.from_yaml(out)
    assert config == AssistantConfig(ModelConfig("scripted"), decider=DeciderConfig(0.5, 0.8, 1.0))
    assert "# free-running: threshold 0.5" in out.read_text() and set(
        yaml.safe_load(out.read_text())
    ) == {"aura"}
    data = json.loads(figures.read_text())
    assert data["free_running"]["threshold"] == 0.5 and data["budget_met"] is True
    assert (
        data["free_running"]["recall"]["n"] == len(DUE)
        and len(data["free_running"]["recall"]["ci95"]) == 2
    )
    assert [p["threshold"] for p in data["sweep"]] == [t for t in GRID if t <= 0.8]


def test_a_budget_that_the_free_run_misses_is_told(capsys, perfect, monkeypatch):
    result = calibrate(ScriptedBackend(EPISODE.script()), [SEED])
    worse = replace(result, free=made(0.5, 0.9, 3.0))
    monkeypatch.setattr(calibration, "calibrate", lambda *a: worse)
    assert aura("calibrate", "--model", "scripted", "--seeds", SEED) == 0
    assert "budget of 0.1 false alarms a minute is NOT met" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["--seeds", "499999:500001"], "--seeds 499999:500001: seeds from 500000 on are for tests"),
        (["--seeds", "9:3"], "--seeds 9:3: END must be larger than FIRST"),
        (["--objective", "luck"], "--objective luck: expected one of recall, f1"),
        (["--seeds", NOTHING_DUE, "--seconds", "10"], "nothing is due in these episodes"),
        (
            ["--seeds", "420000", "--out", "/proc/none/x.yaml"],
            "--out /proc/none/x.yaml: cannot write the file",
        ),
    ],
)
def test_what_is_refused_in_one_line(args, says, capsys, perfect):
    assert aura("calibrate", "--model", "scripted", *args) == 1
    err = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert len(err) == 1 and says in err[0]
