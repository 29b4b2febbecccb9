"""Malformed input by kind: does the code take it, refuse it in one clear line, or crash?

A kind is one file: `open_kind(folder)` returns a function that draws one input from a random number
generator and gives it to the real readers. It returns where the input was accepted, and raises an
`AuraError` where it was refused. Everything else is a crash (`runner.py`).
"""

from __future__ import annotations

import importlib
import random
from collections.abc import Callable
from pathlib import Path

from aura_core.errors import InputError

KINDS = ("images", "texts", "yaml", "bags")
_MODULES = {"images": "images", "texts": "texts", "yaml": "yaml_files", "bags": "bags"}
MOST = 1_000_000  # inputs of a kind in one run

Feed = Callable[[random.Random], None]


def open_kind(kind: str, folder: Path) -> Feed:
    """The function that feeds one input. It may write into `folder`, which exists."""
    feed: Feed = importlib.import_module(f"aura_core.fuzz.{_MODULES[kind]}").open_kind(folder)
    return feed


def generator(kind: str, seed: int) -> random.Random:
    """The random numbers of one input. They depend on its kind and its seed, and nothing else."""
    return random.Random(f"{kind} {seed}")


def seeds(seed: int, n: int) -> range:
    """The seeds of the `n` inputs of a run. Runs with different seeds share no input."""
    return range(seed * MOST, seed * MOST + n)


def kinds_of(text: str) -> list[str]:
    """The kinds of a comma-separated list. Raises `InputError`."""
    chosen = [part.strip() for part in text.split(",") if part.strip()]
    for kind in chosen:
        if kind not in KINDS:
            raise InputError(f"--kinds {kind}: expected one of {', '.join(KINDS)}")
    if not chosen:
        raise InputError(f"--kinds is empty; expected one of {', '.join(KINDS)}")
    return list(dict.fromkeys(chosen))
