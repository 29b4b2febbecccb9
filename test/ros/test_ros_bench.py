"""`aura bench ros`: its arithmetic, and that it runs. Nothing here depends on how fast it is."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest
from aura_ros.msg import Response

from aura_ros.conversions import to_time
from aura_ros.ros_bench import response
from aura_ros.ros_bench.figures import Figure

REPOSITORY = Path(__file__).resolve().parents[2]
MS = 1_000_000


def test_the_ros_share_is_the_time_to_the_response_without_the_step() -> None:
    line = {"arrived_ns": 1_002 * MS, "step_ms": 20.0, "words_ms": 6.0, "words": 3}
    line |= {"stepped_ns": 1_025 * MS}  # the step began at 1005
    msg = Response()
    msg.header.stamp = to_time(1_000 * MS)
    assert response._frame(1_026 * MS, msg, line) == {
        "ros": 6.0,
        "with_words": 12.0,
        "image": 2.0,
        "to_model": 3.0,
        "words": 6.0,
        "word": 2.0,
        "step": 20.0,
        "out": 1.0,
    }
    # a question that was sent at 1003
    assert response._question(1_003 * MS, 1_026 * MS, line) == {
        "ros": 3.0,
        "with_words": 9.0,
        "to_model": 2.0,
        "out": 1.0,
    }


def test_a_figure_without_values_has_no_percentiles() -> None:
    assert Figure("p", "x", "ms", ()).summary()["p50"] is None
    late = Figure("p", "x", "s", (1.0, math.inf)).summary()
    assert (late["n"], late["never"], late["max"]) == (1, 1, 1.0)
    told = Figure("p", "x", "ms", (1.0, 2.0, 3.0)).summary()
    assert (told["n"], told["p50"], told["min"], told["max"]) == (3, 2.0, 1.0, 3.0)


def bench(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "aura_core.cli", "bench", "ros", *options],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=240,
    )


def test_an_unknown_part_is_refused_in_one_line(tmp_path: Path) -> None:
    done = bench(tmp_path, "--parts", "speed")
    assert done.returncode == 1
    assert done.stderr.strip().startswith("error: --parts: 'speed' is none of response,")
    assert len(done.stderr.strip().splitlines()) == 1


@pytest.mark.scenario
def test_the_responses_are_measured_and_told(tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    done = bench(tmp_path, "--parts", "response", "--responses", "4", "--json", str(out))
    assert done.returncode == 0, done.stderr
    document = json.loads(out.read_text())
    figures = {f["name"]: f for f in document["figures"]}
    assert list(figures) == [*response.FRAME.values(), *response.QUESTION.values()]
    assert all(f["n"] >= 4 and f["min"] <= f["p50"] <= f["p95"] for f in figures.values())
    # the stages are parts of the whole
    whole, image = figures["ROS share"], figures["image: A to the assistant's callback"]
    assert whole["max"] > image["min"] > 0
    for name in figures:
        assert name[:30] in done.stdout
    assert {"cpu", "cores", "load_average"} <= document["conditions"]["before"].keys()


@pytest.mark.slow
def test_a_replayed_bag_gives_the_same_lines(tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    done = bench(tmp_path, "--parts", "replay", "--replay-seconds", "12", "--json", str(out))
    assert done.returncode == 0, done.stderr
    same = next(f for f in json.loads(out.read_text())["figures"] if f["unit"] == "lines")
    assert same["max"] == 0 and int(same["name"].rpartition(" ")[2]) >= 12
