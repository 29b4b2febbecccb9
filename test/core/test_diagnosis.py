"""Diagnostics that are true: level and words for each fault, and nothing else changes the words."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest

from aura_core.live.diagnosis import LEVELS, RECENT_S, Now, Recent, diagnose
from aura_core.live.health import Health
from aura_core.live.view import View
from aura_core.types import NS, Chunk, Frame

WELL = Health("ready", 0.0, 100, 0, 0, 0, 0, 0, 0)
FINE = Now(frame_age_s=0.3, seen=True)


def recent(*changes: dict[str, int], steps_s: float = 0.1, decided: int = 20) -> Recent:
    """Half a minute in which the counters changed like this, one change every two seconds."""
    made, health = Recent(), WELL
    for k in range(decided):
        made.step(float(k), steps_s * 1e3)
    made.note(0.0, health)
    for k, change in enumerate(changes):
        health = replace(health, **{n: getattr(health, n) + more for n, more in change.items()})
        made.note(2.0 * (k + 1), health)
    return made


@pytest.mark.parametrize(
    ("health", "now", "past", "expected"),
    [
        (WELL, FINE, recent(), ("ok", "watching")),
        (replace(WELL, phase="loading"), Now(), Recent(), ("warn", "the model is loading")),
        (replace(WELL, phase="failed"), Now(), Recent(), ("error", "the model is failed")),
        (WELL, Now(), Recent(), ("warn", "no frame has come yet")),
        (WELL, Now(2.5, True, True), recent(), ("error", "the camera has stopped")),
        (
            WELL,
            Now(0.1, True, True),
            recent({"frames_undecodable": 4}),
            ("error", "no image can be decoded"),
        ),
        (WELL, replace(FINE, frame_age_s=2.0), recent(), ("warn", "the frames are old")),
        (WELL, replace(FINE, frame_age_s=10.0), recent(), ("error", "the frames are old")),
        (WELL, FINE, recent({"frames_undecodable": 1}), ("warn", "some images cannot be decoded")),
        (replace(WELL, black=True), FINE, recent(), ("warn", "the picture is black")),
        (replace(WELL, frozen_s=29.9), FINE, recent(), ("ok", "watching")),
        (replace(WELL, frozen_s=30.0), FINE, recent(), ("warn", "the picture is frozen")),
        (WELL, FINE, recent({"stuck_stamps": 3}), ("warn", "the stamps stand still")),
        (WELL, FINE, recent(steps_s=0.9), ("warn", "the model is slow")),
        (WELL, FINE, recent(steps_s=2.0), ("error", "the model is slow")),
        (replace(WELL, busy_s=9.0), FINE, recent(), ("error", "the model is slow")),
        (replace(WELL, busy_s=1.0), FINE, recent(), ("ok", "watching")),
        (WELL, FINE, recent({"chunks_dropped": 1}), ("ok", "watching")),
        (WELL, FINE, recent({"chunks_missed": 2}), ("warn", "seconds are not decided")),
        (WELL, FINE, recent({"chunks_dropped": 20}), ("error", "seconds are not decided")),
        (replace(WELL, memory="paused"), FINE, recent(), ("ok", "watching")),
        (
            replace(WELL, memory="failed", memory_trouble="/a/notes.db: damaged"),
            FINE,
            recent(),
            ("warn", "the memory fails: see the value 'memory_trouble'"),
        ),
        (WELL, replace(FINE, problem="x"), recent(), ("warn", "an error was reported")),
        (
            replace(WELL, black=True),
            FINE,
            recent({"chunks_dropped": 30}, steps_s=1.2),
            ("error", "seconds are not decided; the picture is black; the model is slow"),
        ),
    ],
)
def test_each_fault_has_its_level_and_its_words(health, now, past, expected):
    assert diagnose(health, now, past) == expected
    assert expected[0] in LEVELS
    more = replace(health, frames_received=10**9, active_watches=3, errors=7)
    assert diagnose(more, now, past) == expected  # numbers are in the values


def test_what_was_long_ago_does_not_count():
    past = recent({"chunks_dropped": 20, "frames_undecodable": 5})
    late = replace(WELL, chunks_dropped=20, frames_undecodable=5)
    for k in range(3, 40):
        past.step(float(k), 100.0)
        past.note(float(k), late)
    assert diagnose(WELL, FINE, past) == ("ok", "watching")
    assert (past.undecided, past.undecodable) == (0.0, 0)
    assert RECENT_S < 37


def test_the_share_of_seconds_that_were_not_decided():
    assert recent({"chunks_dropped": 3}, {"chunks_missed": 2}, decided=15).undecided == 0.25
    assert Recent().undecided == 0.0 and Recent().step_s is None


# ---- the picture ---------------------------------------------------------------------------------


def chunk_of(index: int, *images: np.ndarray) -> Chunk:
    frames = tuple(
        Frame(image, (2 * index + k) * NS // 2, time.monotonic_ns())
        for k, image in enumerate(images)
    )
    return Chunk(index, frames, index * NS, (index + 1) * NS)


def picture(seed: int, level: float = 120.0, noise: float = 3.0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.clip(rng.normal(level, noise, (48, 64, 3)), 0, 255).astype(np.uint8)


def test_a_live_picture_is_neither_black_nor_frozen():
    view = View()
    for k in range(60):
        view.look(chunk_of(k, picture(2 * k), picture(2 * k + 1)), 0)
        assert not view.black and view.frozen_s == 0.0


def test_a_driver_that_sends_the_same_picture_again_and_again_is_frozen():
    view, same = View(), picture(1)
    for k in range(40):
        view.look(chunk_of(k, same.copy(), same.copy()), 0)
    assert view.frozen_s == 39.5
    view.look(chunk_of(40, picture(2), picture(3)), 0)
    assert view.frozen_s == 0.0


def test_a_picture_that_stands_by_the_setting_is_not_frozen():
    view, same = View(), picture(1)
    for k in range(100):
        view.look(chunk_of(k, same, same), 0)
    assert view.frozen_s == 0.0


@pytest.mark.parametrize(
    ("image", "black"),
    [
        (picture(0, 0.0, 0.0), True),
        (picture(0, 6.0, 3.0), True),  # a covered lens
        (picture(0, 30.0, 3.0), False),  # a dark room
        (np.where(np.indices((48, 64, 3))[1] == 8, 255, 0).astype(np.uint8), False),  # a lamp
    ],
)
def test_black_is_a_picture_that_shows_nothing(image, black):
    view = View()
    view.look(chunk_of(0, image, image.copy()), 0)
    assert view.black is black


def test_frames_that_cannot_be_decoded_do_not_count_as_frames(monkeypatch):
    clock = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    view = View()
    assert view.quiet_s(None) is None
    view.look(None, 2)
    clock[0] = 103.0
    assert view.quiet_s(102.9) == 3.0  # since they began to come
    good = Chunk(0, (Frame(picture(0), 0, 103 * NS),), 0, NS)
    view.look(good, 1)
    clock[0] = 105.0
    assert view.quiet_s(104.5) == 0.5
    view.look(None, 2)
    assert view.quiet_s(104.9) == 2.0 and view.undecodable == 5
