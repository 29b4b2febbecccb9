"""The estimate before a run of the data engine, against what a run then asks for and pays."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import typer
from data_rig import aura
from mllm_double import USAGE, light_run, light_video, settings

from aura_core.bench.data_times import measure
from aura_core.cli.data import app
from aura_core.data.engine import run, write_sources
from aura_core.data.erring import Errors
from aura_core.data.expected_checks import checks_of_a_time
from aura_core.data.expected_replies import REPLIES, TEXT, ExpectedReplies, replies_shown
from aura_core.data.prepare import find_sources
from aura_core.data.pricing import (
    STAGES,
    Amount,
    Length,
    estimate,
    lengths_of,
    like,
    load,
    save,
    spent_of,
)
from aura_core.data.prompts import Prompts
from aura_core.data.settings import DataConfig, PrepareConfig, RefineConfig, SynthesizeConfig
from aura_core.data.worker import Job
from aura_core.errors import InputError

pytest.importorskip("httpx")


def asks_one_scene(mllm) -> DataConfig:
    """Settings with which a clip of the double is one scene, and it writes all it may.

    Without siblings, of which one or none is drawn, nothing depends on chance.
    """
    one = SynthesizeConfig(
        scene_cut=300.0, min_scene_s=16, real_time=1, proactive=1, multi_response=0, never=0.0
    )
    return replace(settings(mllm), synthesize=one, refine=RefineConfig(0))


def test_a_run_asks_for_what_was_estimated(mllm, tmp_path):
    config = asks_one_scene(mllm)
    light_video(tmp_path / "in" / "a.mp4")
    sources = find_sources(tmp_path / "in")
    write_sources(tmp_path, sources, config)
    run(Job("prepare", tmp_path, tmp_path, config))
    lengths, unknown = lengths_of(sources, config)
    assert lengths == [Length(16, 64, 64)] and unknown == []
    found = estimate(lengths, config, Prompts.load(), events=1)
    for stage in STAGES:
        before = "structure" if stage == "verify" else None
        if before:
            run(Job(before, tmp_path, tmp_path, config, "mllm"))
        run(Job(stage, tmp_path, tmp_path, config, "mllm"))
        spent = spent_of(tmp_path, stage)
        assert spent.requests == found.low[stage].requests, stage
        assert spent.prompt_tokens == USAGE["prompt_tokens"] * spent.requests
    measured = like(found, tmp_path)
    for stage in STAGES:
        amount = measured.high[stage]
        assert amount.requests == found.high[stage].requests
        assert amount.prompt_tokens == pytest.approx(amount.requests * USAGE["prompt_tokens"])
        assert amount.completion_tokens == pytest.approx(
            amount.requests * USAGE["completion_tokens"]
        )


def test_more_scenes_and_events_ask_for_more():
    clip, config = [Length(120, 640, 360)], DataConfig()
    few, many = (estimate(clip, config, Prompts.load(), events) for events in (1, 8))
    for stage in STAGES:
        assert few.low[stage] == many.low[stage]
        assert few.low[stage].requests < few.high[stage].requests
    assert few.high["synthesize"].requests < many.high["synthesize"].requests
    # by hand: 2 scenes of 60 s, 3 + 2 questions each, of which 2 answers come later, and in a
    # fourth of the scenes a request whose event never happens
    assert few.low["verify"].requests == 2 * (3 + 2 + 0.25 + 2)
    assert few.low["refine"].requests == pytest.approx(2 * (3 + 3 * 0.8 * 2 + 2 + 0.25))


def test_larger_pictures_and_longer_prompts_cost_more_tokens_and_not_more_requests():
    config, prompts = DataConfig(), Prompts.load()
    small, large = (
        estimate(
            [
                Length(60, w, w),
            ],
            config,
            prompts,
            1,
        )
        for w in (64, 640)
    )
    long = Prompts({k: v * 3 for k, v in prompts.texts.items()})
    wordy = estimate([Length(60, 64, 64)], config, long, 1)
    for stage in STAGES:
        assert small.low[stage].requests == large.low[stage].requests == wordy.low[stage].requests
        assert small.low[stage].prompt_tokens < large.low[stage].prompt_tokens
        assert small.low[stage].prompt_tokens < wordy.low[stage].prompt_tokens


# ---- replies -------------------------------------------------------------------------------------


def written(shown: Any, *entries: int) -> Any:
    """A reply as an example shows it, with texts for "..." and so many entries in its lists."""
    if isinstance(shown, dict):
        return {k: written(v, *entries) for k, v in shown.items()}
    if isinstance(shown, list):
        n = entries[0] if entries else len(shown)
        return [written(shown[0], *entries[1:])] * n
    return "x" * TEXT if shown == "..." else shown


@pytest.mark.parametrize("kind", REPLIES)
def test_every_prompt_shows_a_reply_that_its_length_is_taken_from(kind):
    shown = replies_shown(Prompts.load(), kind)
    assert shown
    as_written = [len(json.dumps(written(reply))) for reply in shown if kind != "later"]
    if as_written:  # the two requests of `later` have different numbers of answers
        found = ExpectedReplies(Prompts.load()).characters(kind)
        assert found == pytest.approx(sum(as_written) / len(as_written))


@pytest.mark.parametrize("kind", ["scenes", "now", "times", "siblings"])
def test_a_reply_is_as_long_as_a_list_of_what_is_asked_for(kind):
    (shown,) = replies_shown(Prompts.load(), kind)
    replies = ExpectedReplies(Prompts.load())
    for n in (0, 1, 7):
        assert replies.characters(kind, (n,)) == len(json.dumps(written(shown, n)))


def test_requests_have_as_many_answers_as_their_events_happen():
    (shown,) = replies_shown(Prompts.load(), "later")
    once, often = shown["requests"]
    assert (once["kind"], often["kind"]) == ("proactive", "multi-response")
    replies = ExpectedReplies(Prompts.load())
    none = [len(json.dumps(written({"requests": [r]}, 1, 0))) for r in (once, often)]
    assert replies.characters("later", (1, 0)) == pytest.approx(sum(none) / 2)
    # the second of one of the three answers that the prompt shows has two digits
    answer = len(json.dumps({"second": 9, "answer": "x" * TEXT}) + ", ")
    further = replies.characters("later", (1, 5)) - replies.characters("later", (1, 4))
    assert further == pytest.approx((answer + (answer + answer + 1) / 2) / 2)


@pytest.mark.parametrize("kind", ["visible", "missed", "grounded"])
def test_the_estimate_counts_the_reason_before_a_verdict_and_follows_the_prompt(kind):
    """Regression: 12 tokens were counted for a verdict whose reason comes first: about 30."""
    prompts = Prompts.load()
    assert {*replies_shown(prompts, kind)[0]} == {"reason", kind}
    longer = prompts.texts[kind].replace('"reason": "', f'"reason": "{400 * "x"}')
    replaced = Prompts(prompts.texts | {kind: longer})
    clip, config = [Length(60, 64, 64)], DataConfig(refine=RefineConfig(0))
    before, after = (estimate(clip, config, p, 1).low for p in (prompts, replaced))
    stage = "verify" if kind == "grounded" else "synthesize"
    more = after[stage].completion_tokens - before[stage].completion_tokens
    asked = after[stage].prompt_tokens - before[stage].prompt_tokens
    # the prompt shows two replies, each of a hundred tokens more
    assert more == pytest.approx(asked / 2) and more > 0
    assert all(after[s] == before[s] for s in STAGES if s != stage)


def test_a_prompt_that_shows_no_reply_counts_as_the_packages_own():
    prompts = Prompts.load()
    bare = prompts.texts["visible"].partition("{")[0]
    silent = ExpectedReplies(Prompts(prompts.texts | {"visible": bare}))
    assert silent.characters("visible") == ExpectedReplies(prompts).characters("visible")


def test_no_siblings_no_requests_for_them():
    with_, without = (
        estimate([Length(60, 64, 64)], DataConfig(refine=RefineConfig(n)), Prompts.load(), 1)
        for n in (4, 0)
    )
    assert without.low["refine"].requests == 2.25 < with_.low["refine"].requests


def test_a_long_video_is_cut_as_prepare_cuts_it_and_what_has_no_length_is_named(tmp_path):
    light_video(tmp_path / "a.mp4")
    (tmp_path / "b.mp4").write_bytes(b"no video")
    config = DataConfig(prepare=PrepareConfig(max_seconds=6, min_seconds=5))
    lengths, unknown = lengths_of(find_sources(tmp_path), config)
    assert [c.seconds for c in lengths] == [6, 6]  # the rest, 4 s, is too short
    assert unknown == ["b.mp4: Invalid data found when processing input"]


def test_money_is_the_price_of_a_million_tokens():
    assert Amount(10, 2e6, 5e5).money(0.3, 1.2) == pytest.approx(0.6 + 0.6)


def test_an_estimate_is_kept_beside_the_run(tmp_path):
    found = estimate([Length(60, 64, 64)], DataConfig(), Prompts.load(), 2)
    assert load(tmp_path) is None
    save(tmp_path, found)
    assert load(tmp_path) == found
    (tmp_path / "price.json").write_text('{"clips": 1}')
    with pytest.raises(InputError, match=r"price\.json: damaged; delete it"):
        load(tmp_path)
    with pytest.raises(InputError, match="no request was paid for"):
        like(found, tmp_path)


def test_the_command_estimates_and_compares_later(mllm, tmp_path):
    config = asks_one_scene(mllm)
    light_run(tmp_path)
    money = ("--input-price", 0.5, "--output-price", 2)
    told = aura("price", "--in", tmp_path / "in", "--out", tmp_path, *money)
    assert told.returncode == 0 and "2 clips, 32 s" in told.stdout, told
    assert "price" in told.stdout and "spent" not in told.stdout
    run(Job("synthesize", tmp_path, tmp_path, config, "mllm"))
    after = aura("price", "--out", tmp_path)
    assert after.returncode == 0 and "spent" in after.stdout, after
    assert f"{spent_of(tmp_path, 'synthesize').prompt_tokens:,.0f}" in after.stdout
    wrong = aura("price", "--out", tmp_path, "--input-price", 1)
    assert wrong.returncode == 1 and "or neither" in wrong.stderr


def test_the_clips_of_a_run_are_enough(tmp_path: Path):
    light_run(tmp_path)
    told = aura("price", "--out", tmp_path)
    assert told.returncode == 0 and "2 clips, 32 s" in told.stdout, told
    none = aura("price")
    assert none.returncode == 1 and "--in" in none.stderr


# ---- the checks that put times right -------------------------------------------------------------


@pytest.mark.parametrize(
    ("repair_s", "off", "standing", "real_time"),
    [
        (2, 0.0, 2.0, 1.0),  # the second itself and the one before; the second itself
        (0, 0.0, 2.0, 1.0),
        # early: it and the next one. Late by one: it, the next and the two before, or, where it is
        # still in view, three before.
        (2, 1.0, (2 + 4) / 2, (2 + (3 + 1) / 2) / 2),
        (2, 0.3, 0.7 * 2 + 0.3 * 3, 0.7 + 0.3 * 2),
        # a wrong time rejects the question: at once, or after the second before
        (0, 1.0, (1 + (1 + 2) / 2) / 2, 1.0),
    ],
)
def test_the_checks_of_a_time_by_hand(repair_s, off, standing, real_time):
    assert checks_of_a_time(True, repair_s, off) == pytest.approx(standing)
    assert checks_of_a_time(False, repair_s, off) == pytest.approx(real_time)


@pytest.mark.parametrize("off", [0.0, 0.3, 0.8])
def test_the_checks_of_a_time_are_those_that_the_simulated_author_counts(off):
    """Regression: the estimate took two for each time, however many were needed to repair it.

    A time takes 1 to 6 checks, so the mean of n times has a standard error of at most 2.5 / sqrt(n)
    (half the range); four of them are allowed, and nothing where no time is off.
    """
    figures = measure(60, 120, Errors(off=off), lambda: None)
    counted, expected = figures["all"]["checks_per_time"], figures["expected_checks_per_time"]
    times = sum(row["answers"] * row["written"] for row in figures["rows"])
    assert times > 300
    error = 4 * 2.5 / times**0.5 if off else 0.0
    assert counted[1] == pytest.approx(expected[1], abs=error)
    assert expected[1] == 2.0 or expected[1] > 2.2


def test_only_the_larger_figure_counts_the_repair():
    def asked(repair_s: int, off: float) -> tuple[float, float]:
        config = DataConfig(synthesize=SynthesizeConfig(repair_s=repair_s))
        found = estimate([Length(120, 640, 360)], config, Prompts.load(), 4, off)
        return found.low["synthesize"].requests, found.high["synthesize"].requests

    (low, without), (same, with_) = asked(2, 0.0), asked(2, 0.3)
    assert low == same
    # by hand: 20 scenes, 3 real-time questions with 0.3 more each, 1 + 4 answers with 0.3 more each
    assert with_ - without == pytest.approx(20 * (3 * 0.3 + 5 * 0.3))


def test_the_command_takes_the_simulated_authors_share():
    options = {p.name: p.default for p in typer.main.get_command(app).commands["price"].params}
    assert options["off"] == Errors.off
