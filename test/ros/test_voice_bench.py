"""What the voice benchmark counts, with doubles of user, speech input and devices.

Its parts without devices: test/speech/test_speech_bench.py.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from aura_core.bench.speech.listener import Subject
from aura_core.errors import ConfigError, InputError
from aura_core.speech.asr import AsrConfig
from aura_core.speech.types import Audio
from aura_ros.grammars import phrases
from aura_ros.voice_bench import parts, report, runs
from aura_ros.voice_bench.parts import PARTS, Plan, chosen
from aura_ros.voice_bench.subject import Asked, asked, questions

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


def made_up_plan(busy: int = 0) -> Plan:
    # frozen and small: nothing of it is loaded by these tests
    subject: Any = SimpleNamespace(asr=AsrConfig(), ears=lambda: None)
    return Plan(Asked(subject, {}), 1, 1, 1.0, 1.0, busy, Path())


def test_a_part_that_fails_does_not_cost_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(_: Plan) -> dict[str, Any]:
        raise InputError("waited 8 s for\nthe nodes")

    made_up = {"first": fails, "second": lambda _: {"share": {"value": 0.5, "n": 4}}}
    monkeypatch.setattr(parts, "PARTS", made_up)
    lines: list[str] = []
    out = report.measure(made_up_plan(), ["first", "second"], lines.append)
    assert out["figures"] == {"share": {"value": 0.5, "n": 4}}
    assert report.failures(out) == ["first: waited 8 s for the nodes"]
    assert lines == ["first ...", "first: waited 8 s for the nodes", "second ..."]
    assert out["run"]["parts"]["second"]["figures"] == ["share"]
    assert out["version"] and out["before"]["cores"] > 0
    json.dumps(out)


@pytest.mark.parametrize("busy", [0, 2])
def test_busy_loops_run_beside_each_part(busy: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def children(_: Plan) -> dict[str, Any]:
        pids = Path("/proc/thread-self/children").read_text().split()
        commands = [Path(f"/proc/{pid}/cmdline").read_text() for pid in pids]
        return {"loops": {"value": sum("sum(range(" in c for c in commands), "n": 1}}

    monkeypatch.setattr(parts, "PARTS", {"one": children, "two": children})
    out = report.measure(made_up_plan(busy), ["one", "two"], lambda _: None)
    assert out["figures"]["loops"]["value"] == busy
    assert out["load"]["busy_loops"] == busy


def test_a_row_has_value_n_spread_and_the_rest() -> None:
    times = {"p50": 250.04, "p95": 400.0, "n": 20}
    assert report.row(times) == ("p50 250", "20", "p95 400", "")
    assert report.row(
        {"value": 0.5, "n": 2, "ci95": [0.1, 0.9], "hits": 1, "missed": [{"said": "a"}]}
    ) == ("0.5", "2", "95% 0.1 to 0.9", "hits 1")
    assert report.row({"value": 0, "minutes": 10.0, "ci95": [0.0, 3.67], "reasons": {"empty": 2}})[
        1:
    ] == ("10 min", "95% 0 to 3.67", "reasons {empty: 2}")
    assert report.row({"p50": None, "p95": None, "n": 0})[0] == "p50 -"


def test_parts_are_chosen_by_name() -> None:
    assert chosen(()) == list(PARTS)
    assert chosen(("wer", "idle")) == ["idle", "wer"]
    with pytest.raises(ConfigError, match=r"^--only: 'talk' is none of idle, round_trip, "):
        chosen(("idle", "talk"))


def test_the_recogniser_is_named_with_its_weights(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="whisper needs the path of its weights"):
        asked("whisper", "")
    with pytest.raises(ConfigError, match="backend must be one of"):
        asked("ears", "")
    free = asked("faster_whisper", str(tmp_path))
    assert list(free.subject.kinds) == ["household", "grammar"] and free.subject.free
    assert free.parameters == {
        "asr_node:backend": "faster_whisper",
        "asr_node:model": str(tmp_path),
    }
    grammar = asked("pocketsphinx", "")
    assert list(grammar.subject.kinds) == ["grammar"] and not grammar.subject.free
    assert len(grammar.subject.questions) >= 42


def test_what_is_asked_of_the_grammar_is_in_it() -> None:
    room = phrases("room")
    assert room is not None
    assert all(room.matches(text) for text in questions(60, room))


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--only", "talk"], "error: --only: 'talk' is none of idle,"),
        (["--asr", "whisper", "--only", "wake"], "error: asr.model: whisper needs the path"),
        (
            ["--asr", "faster_whisper", "--model", "/none", "--only", "wake"],
            "error: asr.model: no such folder: /none;",
        ),
    ],
)
def test_bad_arguments_get_one_line(arguments: list[str], line: str) -> None:
    command = [sys.executable, "-m", "aura_ros.voice_bench", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 1
    assert done.stderr.startswith(line) and done.stderr.count("\n") == 1
