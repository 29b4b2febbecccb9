"""The benchmark: counters and figures are right, and exact policies are exact."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

from typer.testing import CliRunner

from aura_core.bench import engine as bench
from aura_core.bench.random_model import SIZES, RandomBackend, Size
from aura_core.cli import app
from aura_core.config import WindowConfig

POLICIES = ("shadow", "floating", "evict", "fifo", "recompute")
WINDOW = WindowConfig(3, 6)
STEPS = 46  # with a question, an answer unasked and a discarded one


@pytest.fixture(scope="module")
def figures() -> dict[str, dict[str, Any]]:
    with pytest.MonkeyPatch.context() as m:
        m.setitem(SIZES, "small", _tiny(SIZES["small"]))
        backend = RandomBackend("small", dtype="float64")
    runs = bench.compare(backend, WINDOW, POLICIES, STEPS, lambda: None)
    return {name: run.figures() for name, run in runs.items()}


def _tiny(size: Size) -> Size:
    text = {
        "hidden_size": 64,
        "intermediate_size": 96,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
    }
    return Size(size.text | text, size.vision | {"out_hidden_size": 64}, (64, 64))


def test_exact_policies_are_exact_and_eviction_is_not(figures: dict[str, dict[str, Any]]) -> None:
    for name in ("shadow", "floating", "fifo"):
        # In float64 only the rounding of the logits to float32 remains: 2^-24 of a few units.
        assert 0 <= figures[name]["max_logit_diff"] <= 1e-6, name
    assert figures["recompute"]["max_logit_diff"] == 0
    assert figures["evict"]["max_logit_diff"] > 1e-4


def test_counters_tell_the_policies_apart(figures: dict[str, dict[str, Any]]) -> None:
    for name in POLICIES:
        assert figures[name]["vision_encodes_per_chunk"] == 1
        assert figures[name]["decodes_per_silent_step"] == 0
    shadow, floating, evict = (figures[n] for n in ("shadow", "floating", "evict"))
    assert shadow["forwards_per_silent_step"] == 1
    assert shadow["critical_tokens_max"] < 1.5 * evict["critical_tokens_max"], (
        "only their answers differ in length"
    )
    assert shadow["tokens_per_step"] <= 1.05 * floating["tokens_per_step"], (
        "the same work, at other times"
    )
    assert floating["critical_tokens_max"] > 2 * shadow["critical_tokens_max"], (
        "the spike at a switch"
    )
    assert figures["recompute"]["tokens_per_step"] > 2 * shadow["tokens_per_step"]
    assert shadow["switches"] == floating["switches"] >= 12


def test_the_ratios_are_those_of_the_figures(figures: dict[str, dict[str, Any]]) -> None:
    ratios = bench.ratios(figures, WINDOW)
    assert ratios["max_over_drop"] == 2
    shadow, evict = figures["shadow"]["tokens_per_step"], figures["evict"]["tokens_per_step"]
    assert ratios["shadow_tokens_per_step_over_chunk"] == shadow / evict
    made_up = {
        "floating": {"max_ms": 30.0, "p50_ms": 3.0},
        "shadow": {"max_ms": 4.0, "p50_ms": 2.0, "p99_ms": 3.0},
    }
    assert bench.ratios(made_up, WINDOW) == {
        "shadow_p99_over_p50": 1.5,
        "floating_worst_over_shadow_worst": 7.5,
        "floating_worst_over_p50": 10.0,
    }


def test_the_command_writes_json_and_a_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(SIZES, "small", _tiny(SIZES["small"]))
    out, plot = tmp_path / "a" / "engine.json", tmp_path / "b" / "engine.png"
    args = [
        "bench",
        "engine",
        "--keep",
        "2",
        "--max",
        "4",
        "--steps",
        "3",
        "--policies",
        "shadow,floating",
    ]
    result = CliRunner().invoke(app, [*args, "--json", str(out), "--plot", str(plot)])
    assert result.exit_code == 0, result.output
    data = json.loads(out.read_text())
    assert set(data["policies"]) == {"shadow", "floating"}
    assert (data["steps"], data["keep"], data["max"]) == (3, 2, 4)
    assert data["load"]["busy_loops"] == 0 and "0 busy loops beside it" in result.output
    assert plot.read_bytes().startswith(b"\x89PNG")


def test_a_soak_tells_flatness_and_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SIZES, "small", _tiny(SIZES["small"]))
    out = tmp_path / "soak.json"
    args = ["bench", "engine", "--keep", "2", "--max", "4", "--soak", "120", "--json", str(out)]
    assert CliRunner().invoke(app, args).exit_code == 0
    soak = json.loads(out.read_text())["soak"]
    assert soak["steps"] == 120 and soak["last100_over_first100"] > 0 and soak["rss_last_kb"] > 0


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["--policies", "shadow,magic"], "'magic' is none of"),
        (["--keep", "9", "--max", "9"], "keep"),
        (["--size", "huge"], "--size must be one of"),
        (["--json", "/proc/none/x.json"], "--json /proc/none/x.json: cannot write the file"),
        (["--plot", "/proc/none/x.png"], "--plot /proc/none/x.png: cannot write the file"),
    ],
    ids=["policy", "window", "size", "json", "plot"],
)
def test_wrong_arguments_are_one_line(args: list[str], says: str) -> None:
    result = CliRunner().invoke(app, ["bench", "engine", *args])
    assert result.exit_code != 0
    assert says in f"{result.output}{result.exception}"


def test_busy_loops_run_and_are_ended() -> None:
    from aura_core.bench.load import busy_loops

    with pytest.raises(KeyError), busy_loops(2) as pids:
        assert len(set(pids)) == 2 and all(Path(f"/proc/{pid}").exists() for pid in pids)
        raise KeyError
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)


def test_a_replay_is_measured_under_a_stated_load(tmp_path: Path) -> None:
    out = tmp_path / "a" / "replay.json"
    args = ["bench", "replay", "--model", "scripted", "--seconds", "10", "--busy", "1"]
    result = CliRunner().invoke(app, [*args, "--json", str(out)])
    assert result.exit_code == 0, result.output
    told = json.loads(out.read_text())
    assert told["load"]["busy_loops"] == 1 and told["load"]["cores"] >= 1
    assert told["silent_steps"] + told["spoken_steps"] == told["video_s"] == 10
    assert told["silent_step_p50_ms"] <= told["silent_step_p95_ms"] <= told["silent_step_max_ms"]
    assert told["times_real_time"] == 10 / told["wall_s"]
    assert "1 busy loops beside it" in result.output


def test_the_latency_of_answers_is_measured_live_both_ways(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is measured is a time of the machine; what is asserted is what the figures are of."""
    from aura_core.bench import latency

    monkeypatch.setattr(latency, "PAUSE_S", (0.0, 0.1))
    monkeypatch.setattr(latency, "LEAD_S", 1.6)
    for args, at_once in (([], True), (["--wait"], False)):
        out = tmp_path / f"{at_once}.json"
        args = ["bench", "latency", "--model", "scripted", "--questions", "3", *args]
        result = CliRunner().invoke(app, [*args, "--json", str(out)])
        assert result.exit_code == 0, result.output
        told = json.loads(out.read_text())
        assert (told["n"], told["unanswered"], told["at_once"]) == (3, 0, at_once)
        p50, p95 = told["question_to_word_p50_ms"], told["question_to_word_p95_ms"]
        assert 0 < p50 <= p95 <= told["question_to_word_max_ms"]
        assert told["load"]["busy_loops"] == 0
