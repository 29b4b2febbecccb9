"""A stage whose requests bring nothing has failed: it says so, is not done, and can be run
again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from chat_double import Reply, refusal
from data_rig import aura, shards
from mllm_double import HANG_UP, light_video, says, settings, status, synthesize

from aura_core.data.engine import EARLY, run, write_sources
from aura_core.data.prepare import find_sources
from aura_core.data.settings import DataConfig
from aura_core.data.store import StageFolder, read_samples
from aura_core.data.worker import Job
from aura_core.errors import InputError

pytest.importorskip("httpx")
ALWAYS = 10_000
UNKNOWN = "Unsupported parameter: 'max_tokens'"


def finished(out: Path, stage: str) -> list[str]:
    return sorted(p.name for p in (out / stage).glob("shard-*"))


def test_a_server_that_refuses_everything_fails_the_command(mllm, tmp_path):
    """Regression: exit code 0, no samples, five stages done, and nothing left to run again."""
    light_video(tmp_path / "in" / "lamp.mp4")
    (tmp_path / "data.yaml").write_text(
        "structure: {checkpoint: scripted, after_last: 0, unasked: 0}\n"
        "synthesize: {ask_scenes: false, never: 0}\n"
    )
    out = tmp_path / "run"
    command = ["all", "--in", tmp_path / "in", "--out", out, "--mllm", mllm.url]
    command += ["--mllm-model", "m", "--config", tmp_path / "data.yaml", "--quiet"]
    mllm.failures = {kind: [refusal(UNKNOWN)] * ALWAYS for kind in ("now", "later")}
    failed = aura(*command)
    assert failed.returncode != 0
    (line,) = failed.stderr.splitlines()
    assert "synthesize: 2 of 2 requests to the MLLM brought nothing" in line and UNKNOWN in line
    assert finished(out, "synthesize") == [] and not (out / "refine").exists()
    mllm.failures = {}
    again = aura(*command)
    assert again.returncode == 0, again.stderr
    assert len(list(read_samples(out))) == 4


@pytest.mark.parametrize(
    ("stage", "fault", "words"),
    [
        ("synthesize", refusal(UNKNOWN), f"the server answered 400: {UNKNOWN}"),
        ("refine", refusal(UNKNOWN), f"the server answered 400: {UNKNOWN}"),
        ("verify", status(422), "the server answered 422"),
        ("synthesize", says("I cannot."), "there is no JSON object in it"),
        ("verify", says('{"grounded": true', "length"), "'length'.*max_tokens is 2048"),
        ("refine", refusal("", 200), "not a chat completion"),
    ],
    ids=["400", "400 later", "422", "no json", "cut off", "no completion"],
)
def test_a_stage_whose_requests_all_bring_nothing_fails(
    mllm, prepared, tmp_path, stage, fault, words
):
    config, source = settings(mllm), prepared
    for before in ("synthesize", "refine", "structure", "verify"):
        job = Job(before, source, tmp_path, config, "mllm")
        if before == stage:
            break
        run(job)
        source = tmp_path
    kinds = ("now", "later", "siblings", "rephrase", "grounded")
    mllm.failures = {kind: [fault] * ALWAYS for kind in kinds}
    with pytest.raises(InputError, match=f"^{stage}: (\\d+) of \\1 requests .*{words}"):
        run(job)
    assert finished(tmp_path, stage) == []
    with pytest.raises(InputError, match=f"run `aura data {stage}` again"):
        StageFolder(tmp_path, stage).all_done()
    mllm.failures = {}
    if isinstance(fault, Reply) and "choices" in fault.value:
        # what was replied is remembered; another model is asked anew
        job = replace(job, config=replace(config, server=replace(config.server, max_tokens=4096)))
    assert run(job).records > 0


def test_a_server_that_is_gone_fails_the_stage_with_its_words(mllm, prepared, tmp_path):
    mllm.failures = {kind: [HANG_UP] * ALWAYS for kind in ("now", "later")}
    with pytest.raises(InputError, match="all 2 items failed, the last with: no reply"):
        synthesize(mllm, prepared, tmp_path)
    assert finished(tmp_path, "synthesize") == []


@pytest.mark.parametrize(
    ("max_lost", "fails"), [(0.0, True), (0.05, True), (0.5, False), (1.0, False)]
)
def test_the_share_that_may_be_lost_is_a_setting(mllm, prepared, tmp_path, max_lost, fails):
    """One of about twenty requests is refused."""
    whole = tmp_path / "whole"
    synthesize(mllm, prepared, whole)
    mllm.failures["now"] = [status(400)]
    config = replace(settings(mllm), max_lost=max_lost)
    job = Job("synthesize", prepared, tmp_path, config, "mllm")
    if not fails:
        assert run(job).records == 2
        assert run(job).made == 0
        assert run(job, retry_failed=True).notes[0].endswith("1 requests were refused: made again")
    else:
        with pytest.raises(InputError, match=r"synthesize: 1 of \d+ requests"):
            run(job)
        assert finished(tmp_path, "synthesize") == []
        assert run(job).made == 1
    records = "synthesize/shard-00000.jsonl"
    assert shards(tmp_path)[records] == shards(whole)[records]


def many(out: Path, count: int) -> DataConfig:
    for i in range(count):
        light_video(out / "in" / f"{i:02d}.mp4", dark=20 + i)
    config = replace(DataConfig(), shard_size=1)
    write_sources(out, find_sources(out / "in"), config)
    run(Job("prepare", out, out, config))
    return config


@pytest.mark.parametrize("processes", [1, 2])
def test_a_stage_that_fails_ends_early_and_keeps_what_lost_nothing(mllm, tmp_path, processes):
    many(tmp_path, 16)
    config = replace(settings(mllm), shard_size=1)
    job = Job("synthesize", tmp_path, tmp_path, config, "mllm")
    mllm.failures = {"now": [status(400)] * ALWAYS}
    with pytest.raises(InputError, match="brought nothing"):
        run(job, processes=processes)
    # two requests a clip; other workers may be some shards ahead of what was looked at
    assert mllm.posts >= EARLY and (mllm.posts == EARLY or processes > 1)
    assert finished(tmp_path, "synthesize") == []
    mllm.failures = {}
    assert run(job, processes=processes).records == 16


def test_other_settings_are_taken_while_nothing_is_finished(mllm, prepared, tmp_path):
    """Regression: after a stage had failed for a wrong setting, the setting could not be
    changed."""
    config = settings(mllm)
    mllm.failures = {"now": [status(400)] * ALWAYS}
    with pytest.raises(InputError, match="brought nothing"):
        run(Job("synthesize", prepared, tmp_path, config, "mllm"))
    mllm.failures = {}
    config = replace(config, server=replace(config.server, max_tokens=4096))
    assert run(Job("synthesize", prepared, tmp_path, config, "mllm")).records == 2
    config = replace(config, server=replace(config.server, max_tokens=2048))
    with pytest.raises(InputError, match=r"made with settings\.author\.max_reply_tokens = 4096"):
        run(Job("synthesize", prepared, tmp_path, config, "mllm"))


def test_a_stage_that_leaves_out_everything_ends_the_run(tmp_path):
    """Regression: later stages were done with nothing, and the exit code was 0."""
    (tmp_path / "in").mkdir()
    for name in ("a.mp4", "b.mp4"):
        (tmp_path / "in" / name).write_bytes(b"")
    result = aura("prepare", "--in", tmp_path / "in", "--out", tmp_path / "run", "--quiet")
    assert result.returncode != 0
    assert (
        "prepare: nothing is left of 2 items, most often because: empty file (2)" in result.stderr
    )


def test_the_error_of_an_empty_stage_tells_every_frequent_reason(tmp_path):
    """Regression: of two reasons it told the one that only followed from the other."""
    (tmp_path / "in").mkdir()
    for name in ("a.mp4", "b.mp4"):
        (tmp_path / "in" / name).write_bytes(b"")
    (tmp_path / "in" / "c.mp4").write_bytes(b"no video")
    result = aura("prepare", "--in", tmp_path / "in", "--out", tmp_path / "run", "--quiet")
    reasons = result.stderr.partition("most often because: ")[2]
    assert reasons.startswith("empty file (2), ") and reasons.endswith(" (1)\n")
