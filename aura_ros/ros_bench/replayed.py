"""A recorded bag, replayed twice by `aura replay`: how fast, and whether the lines are the same."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from aura_core.errors import InputError
from aura_ros.ros_bench.figures import Figure

SEED = 900_001
ASKS = (
    "3:what is on the table?",
    "10:tell me every time the door opens",
    "20:warn me if the person falls",
    "100:where is the cat?",
    "200:is the light on?",
)
PART, GOAL = "replay", ">= 20"


def replays(seconds: int, folder: Path, tell: Callable[[str], None]) -> list[Figure]:
    """Video seconds per second, of the whole command and of the engine's steps alone; and the
    number of lines that differ, times apart."""
    bag = folder / "bag"
    shutil.rmtree(bag, ignore_errors=True)
    asks = [word for ask in ASKS for word in ("--ask", ask)]
    tell(f"a bag of {seconds} s, replayed twice")
    _aura("record", f"sim:{SEED}", "--seconds", str(seconds), *asks, "--out", str(bag))
    speeds, steps, lines = [], [], []
    for i in (1, 2):
        out = folder / f"replay-{i}.jsonl"
        began = time.monotonic()
        _aura("replay", str(bag), "--out", str(out), "--quiet")
        speeds.append(seconds / (time.monotonic() - began))
        read = [json.loads(line) for line in out.read_text().splitlines()]
        steps.append(seconds / sum(line["step_ms"] / 1e3 for line in read))
        lines.append([_without_times(line) for line in read])
    differ = sum(a != b for a, b in zip(*lines, strict=False)) + abs(len(lines[0]) - len(lines[1]))
    return [
        Figure(PART, "whole command, with loading", "x real time", tuple(speeds), GOAL),
        Figure(PART, "steps of the engine alone", "x real time", tuple(steps)),
        Figure(PART, f"lines that differ, of {len(lines[0])}", "lines", (float(differ),), "0"),
    ]


def _without_times(line: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in line.items() if not key.endswith("_ms")}


def _aura(*args: str) -> None:
    command = [sys.executable, "-m", "aura_core.cli", *args]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr or done.stdout).strip().splitlines()[-1:]
        raise InputError(f"aura {args[0]} failed: {' '.join(last)}")
