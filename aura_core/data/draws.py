"""Choices that are random, but the same in every process and after every kill."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


def drawn(share: float, seed: int, *names: object) -> bool:
    """Whether what `names` tell is chosen, which is so for this share of all names."""
    return _number(seed, names) < share


def one_of(options: Sequence[T], seed: int, *names: object) -> T:
    """Return one of `options`, each as often as the others."""
    return options[min(int(_number(seed, names) * len(options)), len(options) - 1)]


def _number(seed: int, names: tuple[object, ...]) -> float:
    """Return a number in [0, 1)."""
    text = "\0".join(map(str, (seed, *names)))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:6], "big") / 2**48
