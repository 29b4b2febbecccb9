"""Figures of two models on the same episodes, and the interval of their difference."""

from __future__ import annotations

import math

import pytest
import typer

from aura_core import models
from aura_core.cli import main
from aura_core.cli.eval import app as eval_app
from aura_core.evaluation import paired
from aura_core.evaluation.paired import FIGURES, compare
from aura_core.evaluation.scoring import Said, score
from aura_core.evaluation.sim import event_f1, figures
from aura_core.sim.episode import Episode

SECONDS = 40


@pytest.fixture(scope="module")
def episodes():
    return [Episode.generate(seed, SECONDS) for seed in range(2000, 2012)]


def perfect(episode):
    asks = {a.chunk: a.text for a in episode.asks}
    said = [Said(c, text, asks.get(c)) for c, text in sorted(episode.script().items())]
    return [s for s in said if s.chunk < SECONDS]


def silent_at_events(episode):
    asks = {a.chunk for a in episode.asks}
    return [s for s in perfect(episode) if s.chunk in asks]


def scored(episodes, how):
    return [score(e, how(e), SECONDS) for e in episodes]


def test_the_figures_are_those_of_the_benchmark(episodes) -> None:
    mixed = [
        score(e, (perfect if i % 3 else silent_at_events)(e), SECONDS)
        for i, e in enumerate(episodes)
    ]
    theirs, ours = figures(mixed), compare(mixed, mixed)
    assert ours["multi.event_f1"].before.value == pytest.approx(event_f1(mixed))
    for mine, name in {
        "proactive.recall": "proactive.recall",
        "false_alarms_per_min": "proactive.false_alarms_per_min",
        "realtime.exact_match": "realtime.exact_match",
    }.items():
        assert ours[mine].before.value == pytest.approx(theirs[name].value), name
        assert ours[mine].before.n == pytest.approx(theirs[name].n)


def test_a_model_does_not_differ_from_itself(episodes) -> None:
    same = scored(episodes, perfect)
    compared = compare(same, same)
    for name, c in compared.items():
        low, high = c.difference.ci95
        assert c.difference.value == 0.0 and c.differ == 0, name
        if FIGURES[name].bounded:  # the exact form of the rule of three
            assert high == -low and (1 - high) ** c.episodes == pytest.approx(0.05), name
        else:
            assert math.isnan(low), name
    answers = compared["realtime.exact_match"]
    assert answers.episodes == 12 and answers.difference.ci95[1] == pytest.approx(0.2209, abs=1e-4)
    assert compared["proactive.recall"].episodes < 12  # others have no such question


def test_episodes_that_all_differ_alike_have_an_interval_too(episodes) -> None:
    before, after = scored(episodes, silent_at_events), scored(episodes, perfect)
    recall = compare(before, after)["events.recall"]
    low, high = recall.difference.ci95
    assert recall.differ == recall.episodes and recall.difference.value == 1.0
    assert high == pytest.approx(1.0) and low == pytest.approx(1 - 2 * recall.may_differ)


def test_the_difference_is_after_minus_before_and_its_interval_is_paired(episodes) -> None:
    before, after = scored(episodes, silent_at_events), scored(episodes, perfect)
    recall = compare(before, after)["events.recall"]
    assert recall.before.value == 0.0 and recall.after.value == 1.0
    assert recall.difference.value == 1.0
    half = [a if i % 2 else b for i, (a, b) in enumerate(zip(after, before, strict=True))]
    c = compare(half, after)["events.recall"]
    low, high = c.difference.ci95
    assert 0.0 < low < c.difference.value < high < 1.0
    back = compare(after, half)["events.recall"]
    assert back.difference.value == pytest.approx(-c.difference.value)


def test_every_tally_ends_with_its_number_of_samples(episodes) -> None:
    whole = scored(episodes, perfect)
    for name, figure in FIGURES.items():
        rows = [figure.tally(s) for s in whole]
        assert all(row[-1] >= 0 for row in rows) and sum(row[-1] for row in rows) > 0, name


@pytest.mark.parametrize("name", ["seeds", "seconds", "camera", "json_out"])
def test_options_of_episodes_are_the_same_in_each_command(name: str) -> None:
    """Figures of two commands are only compared when both play the same episodes."""
    commands = typer.main.get_command(eval_app).commands
    told = [
        (p.opts, p.help, p.default)
        for command in ("sim", "watches", "paired")
        for p in commands[command].params
        if p.name == name
    ]
    assert len(told) == 3 and told[0] == told[1] == told[2]


@pytest.mark.parametrize("command", [["sim"], ["watches"], ["paired", "a", "b"], ["memory"]])
def test_an_unknown_camera_is_refused_before_a_model_is_loaded(command, capsys) -> None:
    with pytest.raises(SystemExit) as e:
        main(["eval", *command, "--camera", "real"])
    assert e.value.code == 1
    assert "--camera must be one of drawn, ideal, not 'real'" in capsys.readouterr().err


def test_no_name_of_a_figure_is_cut_where_the_output_is_a_file(
    episodes, capsys, monkeypatch
) -> None:
    """Regression: "realtime.exac…" in 80 columns, beside long names of models."""
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(models, "load", lambda *_: None)
    monkeypatch.setattr(paired, "scores", lambda *_: scored(episodes, perfect))
    with pytest.raises(SystemExit) as e:
        main(["eval", "paired", "aura_tiny", "aura_tiny_memory", "--seeds", "500000:500001"])
    printed = capsys.readouterr().out
    assert e.value.code == 0 and [name for name in FIGURES if name not in printed] == []
