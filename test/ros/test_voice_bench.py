"""What the voice benchmark counts, with doubles of user, speech input and devices."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from aura_core.bench.speech.listener import Subject
from aura_core.errors import InputError
from aura_core.speech.asr import AsrConfig
from aura_core.speech.types import Audio
from aura_ros.voice_bench import runs
from aura_ros.voice_bench.subject import Asked

TAKEN, REJECTED = "taken", "rejected"
TAKEN_AND_HEARD_ITSELF, TAKEN_AND_ASKED_ITSELF = "taken, and heard itself", "and asked itself"
SUBJECT = Subject(AsrConfig(), None, {"grammar": ("where is the cube",)})
ASKED = Asked(SUBJECT, {"asr_node:backend": "pocketsphinx"})


class MadeUpUser:
    """A user whose questions are recognised as the script says."""

    def __init__(self, script: list[str]) -> None:
        self._script, self._now = iter(script), ""
        self.texts: list[tuple[float, str]] = []
        self.rejected: list[tuple[float, str]] = []
        self.user, self.robot, self.sounds = [(0.0, False)], [(0.0, False)], [1e12]

    def until(self, found: Callable[[], Any], what: str, timeout_s: float = 0.0) -> None:
        if what == "a transcript":
            self._now = next(self._script)
            if self._now == REJECTED:
                self.rejected.append((time.monotonic(), "where is the"))
                raise InputError("no transcript")
            self.texts.append((time.monotonic(), "where is the cube"))

    def spin(self, seconds: float) -> None:
        if self._now == TAKEN_AND_HEARD_ITSELF:
            self.rejected.append((time.monotonic(), "i see a cube"))
        if self._now == TAKEN_AND_ASKED_ITSELF:
            self.texts.append((time.monotonic(), "is there a cube"))

    def close(self) -> None:
        pass


class MadeUpTap:
    def __init__(self, *_: object) -> None:
        pass

    def loud(self, since_s: float, until_s: float = 0.0) -> list[float]:
        return [since_s]

    def close(self) -> None:
        pass


@contextmanager
def no_nodes(*_: object) -> Iterator[list[Any]]:
    yield []


@pytest.mark.parametrize(
    ("script", "own", "rejected", "unheard"),
    [
        ([TAKEN, TAKEN], 0, 0, 0),
        ([TAKEN, REJECTED, TAKEN, REJECTED], 0, 0, 2),
        ([TAKEN, TAKEN_AND_HEARD_ITSELF, REJECTED], 0, 1, 1),
        ([TAKEN, TAKEN_AND_ASKED_ITSELF, TAKEN_AND_ASKED_ITSELF, TAKEN], 2, 0, 0),
    ],
)
def test_a_question_that_was_rejected_is_no_self_trigger(
    script: list[str], own: int, rejected: int, unheard: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    made_up = {
        "BenchUser": lambda _: MadeUpUser(script),
        "Tap": MadeUpTap,
        "nodes": no_nodes,
        "play": lambda *_: None,
        "users": lambda: ["slt"],
        "say": lambda *_: Audio(np.zeros(0, np.int16), 16_000),
    }
    for name, value in made_up.items():
        monkeypatch.setattr(runs, name, value)

    devices: Any = SimpleNamespace(environment={})
    figures = runs.conversations(devices, Path(), len(script), "mute", ASKED)
    taken = figures["self_triggers_mute"]
    assert (taken["hits"], taken["n"]) == (own, len(script) - unheard)
    assert taken["rejected"] == rejected
    missed = figures["unheard_mute"]
    assert (missed["hits"], missed["n"]) == (unheard, len(script))
    assert [m["heard"] for m in missed["missed"]] == ["where is the"] * unheard
