"""`aura soak`: what its verdict makes of a record, and a short run with a crash."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from aura_ros.launched import log_lines
from aura_ros.soak import record as rec
from aura_ros.soak.verdict import Limits, away, figures, memory, missed, reasons, recovery

REPOSITORY = Path(__file__).resolve().parents[2]


def beats(*times: float, first: int = 0, camera: str = "front") -> list[rec.Beat]:
    """Heartbeats of decided chunks, whose frames are 0.1 s old."""
    return [rec.Beat(camera, t, first + i, True, t - 0.1) for i, t in enumerate(times)]


def sound_run() -> rec.Record:
    """A run of 100 s without a fault: one kill of the assistant, recovered after 4 s."""
    record = rec.Record(began_s=0.0, ended_s=100.0)
    record.beats = beats(*map(float, range(31)))
    record.beats += beats(*(34.0 + i for i in range(66)))
    record.kills = [rec.Kill("assistant", 30.2)]
    watches = frozenset({"a", "b"})
    record.watches = [rec.Watches(1.0, watches), rec.Watches(33.0, frozenset())]
    record.watches.append(rec.Watches(34.2, watches))
    record.questions = [
        rec.Question("asr/text", "what?", t, t + 0.5, rec.ANSWERED) for t in (10.0, 50.0)
    ]
    record.memory = [rec.Memory("assistant", 1, float(t), 300.0) for t in range(0, 30, 5)]
    record.exits = [
        rec.Exit("assistant", 30.2, -9, True),
        rec.Exit("assistant", 100.5, 0, True),
    ]
    return record


def judge(record: rec.Record) -> list[str]:
    return reasons(figures(record), Limits())


def test_a_sound_run_passes() -> None:
    assert judge(sound_run()) == []
    found = figures(sound_run())
    assert found["recovery_s"]["decided"] == {"n": 1, "median": 3.8, "max": 3.8}
    assert found["recovery_s"]["watches"] == {"n": 1, "median": 4.0, "max": 4.0}


def test_an_assistant_is_away_until_it_decides_and_its_watches_are_open_again() -> None:
    whole = replace(sound_run(), ended_s=0.0)  # it still runs

    def at(now_s: float) -> rec.Record:
        return replace(
            whole,
            beats=[b for b in whole.beats if b.at_s <= now_s],
            watches=[w for w in whole.watches if w.at_s <= now_s],
            kills=[k for k in whole.kills if k.at_s <= now_s],
        )

    assert [away(at(t)) for t in (30.0, 30.5, 34.1, 34.3)] == [False, True, True, False]


FAULTS: dict[str, tuple[dict[str, Any], str]] = {
    "a heartbeat too late": (
        {"beats": beats(*map(float, range(20)), *(23.5 + i for i in range(76)))},
        "3 heartbeats were missed",
    ),
    "a heartbeat lost": (
        {"beats": [b for b in beats(*map(float, range(100))) if b.sequence != 60]},
        "1 heartbeats were lost on the way",
    ),
    "a question without an answer": (
        {"questions": [rec.Question("aura/ask", "what?", 60, 75, rec.UNANSWERED)]},
        "1 questions were never answered outside of kills",
    ),
    "a question refused": (
        {"questions": [rec.Question("aura/ask", "what?", 60, 60.1, rec.REFUSED)]},
        "1 questions were refused outside of kills",
    ),
    "a topic stuck": (
        {"stuck": [rec.Stuck("image_raw", 50, 60)]},
        "image_raw: nothing came for 10 s",
    ),
    "a crash": (
        {"exits": [rec.Exit("tts", 40.0, 1, False)]},
        "tts ended by itself with code 1 at 40.0 s",
    ),
    "a bad end": ({"exits": [rec.Exit("tts", 101.0, -9, True)]}, "tts ended with code -9"),
    "an error in a log": (
        {"complaints": [rec.Complaint("tts", 60.0, "no sound")]},
        "1 errors in logs outside of kills, the first of tts: no sound",
    ),
    "a growing memory": (
        {"memory": [rec.Memory("tts", 1, float(t), 100.0 + t / 10) for t in range(300)]},
        "tts: memory grew by 6.0 MB a minute",
    ),
    "watches that are lost": (
        {"watches": [rec.Watches(1.0, frozenset("ab")), rec.Watches(40.0, frozenset("a"))]},
        "watches: the assistant did not recover after 1 kills",
    ),
    "nothing happened": ({"questions": []}, "nothing was measured"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_fails_the_run(fault: str) -> None:
    changes, reason = FAULTS[fault]
    assert any(r.startswith(reason) for r in judge(replace(sound_run(), **changes)))


def test_what_a_kill_explains_is_no_fault() -> None:
    record = sound_run()
    record.questions.append(rec.Question("asr/text", "?", 29.0, 44.0, rec.UNANSWERED))
    record.questions.append(rec.Question("asr/text", "?", 32.0, 32.1, rec.REFUSED))
    record.complaints.append(rec.Complaint("reactions", 31.0, "nobody answers"))
    assert judge(record) == []
    late = rec.Question("asr/text", "?", 36.0, 51.0, rec.UNANSWERED)
    assert judge(replace(record, questions=[*record.questions, late]))


def test_heartbeats_may_be_missing_for_five_seconds_after_a_kill_of_the_assistant() -> None:
    kill = rec.Kill("assistant", 10.2)
    assert missed(beats(9, 10, 16.5, 17), [kill]) == 0  # 0.2 s before the kill, 1.3 s too long
    assert missed(beats(9, 10, 18.5, 19), [kill]) == 2
    assert missed([*beats(1, 2, 3), *beats(1, 8, camera="back")], []) == 6


def test_the_recovery_is_that_of_the_new_process_and_of_all_cameras() -> None:
    record = rec.Record(ended_s=60.0, kills=[rec.Kill("assistant", 10.0)])
    record.beats = beats(8, 9, first=100) + beats(8.5, first=102, camera="back")
    record.beats += beats(10.05, first=103)  # was on the way
    record.beats += [rec.Beat("front", 12.0, 0, False, 0.0), *beats(13.0, first=1)]
    record.beats += beats(14.5, first=2, camera="back")
    found = recovery(record, record.kills[0])
    assert (found.first_beat_s, found.decided_s, found.watches_s) == (2.0, 4.5, None)


def test_memory_is_a_slope_over_all_lives_of_a_node_after_their_warm_up() -> None:
    lives = [
        rec.Memory("a", pid, begin + t, level + (t - 120 if t >= 120 else 50 * t) / 60)
        for pid, begin, level in ((1, 0.0, 100.0), (2, 400.0, 150.0))
        for t in range(0, 300, 5)
    ]
    assert math.isclose(memory(lives)["slope_mb_min"], 1.0, abs_tol=0.02)
    assert memory(lives[:10])["slope_mb_min"] is None


def test_errors_and_tracebacks_are_found_in_a_log(tmp_path: Path) -> None:
    log = tmp_path / "tts.log"
    log.write_text(
        "[INFO] [1795863529.5] [tts_node]: speaking\n[ERROR] [1795863530.5] [tts_node]: no: it\n"
        "Traceback (most recent call last):\n  File x\n"
    )
    assert [(line.level, line.at_s) for line in log_lines(log)] == [
        ("INFO", 1795863529.5),
        ("ERROR", 1795863530.5),
        ("ERROR", 1795863530.5),
    ]


@pytest.mark.scenario
def test_a_short_run_kills_the_assistant_and_finds_its_watches_again(tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    options = ["--minutes", "0.6", "--kill-every", "10", "--model", "scripted"]
    done = subprocess.run(
        [sys.executable, "-m", "aura_core.cli", "soak", *options, "--json", str(out)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert out.exists(), done.stderr
    document = json.loads(out.read_text())
    found = document["figures"]
    assert (done.returncode == 0) == document["passed"] == (document["reasons"] == [])
    assert found["kills"]["front"] == found["kills"]["assistant"] == 1
    assert found["recovery_s"]["watches"]["n"] == 1
    assert found["sequence_gaps"] == 0
    assert found["outside_of_kills"]["answered"] > 0
    assert set(found["exit_codes"].values()) == {0}
    assert found["unexpected_exits"] == found["errors_in_logs"] == []


@pytest.mark.scenario
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_run_that_is_stopped_tells_what_it_has_found(
    number: signal.Signals, tmp_path: Path
) -> None:
    """Regression: Ctrl-C ended it by a traceback, and reached its nodes as well."""
    running = subprocess.Popen(
        [sys.executable, "-m", "aura_core.cli", "soak", "--minutes", "60", "--model", "scripted"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,  # the signal goes to all of a session, as Ctrl-C does
    )
    assert running.stdout is not None
    said = ""
    try:
        log = tmp_path / "out" / "soak-logs" / "assistant.log"
        deadline = time.monotonic() + 100
        while not (log.exists() and "model ready" in log.read_text()):
            assert time.monotonic() < deadline
            time.sleep(0.2)
        time.sleep(8)  # watches are opened, and questions asked
        if number == signal.SIGINT:
            os.killpg(running.pid, number)
        else:
            running.send_signal(number)
        said, _ = running.communicate(timeout=60)
    finally:
        if running.poll() is None:
            os.killpg(running.pid, signal.SIGKILL)
    assert running.returncode == 1 and "Traceback" not in said
    assert "it was stopped" in said
