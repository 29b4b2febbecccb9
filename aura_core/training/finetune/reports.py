"""Where the figures of a run go: OUT/log.jsonl, TensorBoard, and whoever else asks for them.

A line is a plain dictionary with `step`, and with figures that may be nested.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from aura_core.errors import ModelError
from aura_core.extras import how_to_install

Line = dict[str, Any]
Told = Callable[[Line], None]


class Log:
    """JSON lines in a file. Lines after step `done`, of a run that is continued, are cut off."""

    def __init__(self, path: Path, done: int) -> None:
        self._path = path
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() and done else []
        kept = [line for line in lines if _step_of(line) <= done]
        path.write_text("".join(f"{line}\n" for line in kept), encoding="utf-8")

    def __call__(self, line: Line) -> None:
        """Add a line."""
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")


class Board:
    """TensorBoard's event files in a folder. Figures after step `done` are hidden.

    Raises `ModelError` where TensorBoard is not installed.
    """

    def __init__(self, folder: Path, done: int) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as e:
            raise ModelError(
                "tensorboard is not installed, and --tensorboard needs it:"
                f" {how_to_install('tensorboard')}"
            ) from e
        self._writer = SummaryWriter(str(folder), purge_step=done + 1)

    def __call__(self, line: Line) -> None:
        """Add the numbers of a line; a nested one is named `held_out/loss/silence`."""
        for name, value in numbers(line):
            self._writer.add_scalar(name, value, line["step"])
        self._writer.flush()


def numbers(line: Line, prefix: str = "") -> Iterator[tuple[str, float]]:
    """Yield the names and values of all numbers of a line, but its step.

    Of a figure with its count, {"value": v, "n": n}, only the value is told, by the figure's name.
    """
    for key, value in line.items():
        name = prefix + key
        if isinstance(value, dict):
            inner = {"": value["value"]} if {*value} >= {"value", "n"} else value
            yield from numbers(inner, f"{name}/" if inner is value else name)
        elif isinstance(value, int | float) and not isinstance(value, bool) and name != "step":
            yield name or "value", float(value)


def _step_of(line: str) -> float:
    """Return the step of a log line; infinity for a half-written last line."""
    try:
        return float(json.loads(line)["step"])
    except (ValueError, KeyError, TypeError):
        return math.inf
