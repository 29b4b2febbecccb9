"""Simulated days: the same for a seed, calm with bursts, and cheap to show."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from aura_core.sim.day import AFTER_S, BEFORE_S, EARLY_SHARE, Day, Film
from aura_core.sim.render import Camera
from aura_core.sim.world import EVENT_S

SEEDS = (500_000, 500_001, 500_002, 500_003)
HOUR_S = 3600


@pytest.fixture(scope="module")
def day() -> Day:
    return Day.generate(500_000, 4)


def test_a_day_is_a_pure_function_of_its_arguments(day: Day) -> None:
    again, other = Day.generate(500_000, 4), Day.generate(500_001, 4)
    assert again.world == day.world
    assert again.sensor == day.sensor
    assert other.world.events != day.world.events


@pytest.mark.parametrize("hours", [1, 4, 12])
def test_a_day_is_calm_for_minutes_and_has_bursts(hours: int) -> None:
    """Every event is seen, most seconds are calm, and most events come close together."""
    day = Day.generate(500_002, hours)
    chunks = np.array([e.chunk for e in day.world.events])
    assert day.seconds == hours * HOUR_S
    assert len(day.world.events) == len(day.world.happenings or ())
    gaps = np.diff(chunks)
    assert gaps.max() > 180
    assert np.mean(gaps < 15) > 0.7
    assert 60 <= len(chunks) <= 500
    live = np.unique(day.drawn_of)
    assert len(live) < 0.2 * day.seconds


@pytest.mark.parametrize("seed", SEEDS)
def test_the_cast_keeps_its_times(seed: int) -> None:
    """What is only for the morning does not come later, and what never happens does not."""
    day = Day.generate(seed, 12)
    early_s = EARLY_SHARE * day.seconds
    came = {(e.item.colour, e.item.shape) for e in day.world.events if e.item is not None}
    assert not came & set(day.cast.never)
    assert came & set(day.cast.early)
    for event in day.world.events:
        assert event.kind not in day.cast.never_kinds
        if event.start_s >= early_s:
            assert event.kind not in day.cast.early_kinds
            if event.kind == "item enters" and event.item is not None:
                assert (event.item.colour, event.item.shape) not in day.cast.early
    for pair in day.cast.once:
        enters = [
            e
            for e in day.world.events
            if e.kind == "item enters" and (e.item.colour, e.item.shape) == pair
        ]
        assert len(enters) <= 1


def test_it_gets_light_and_dark_by_the_hour() -> None:
    """At 7 it may be dark or light; at noon it is light, and at 18:59 dark."""
    for seed in SEEDS:
        day = Day.generate(seed, 12)
        assert day.world.initial.night  # the sun rises after 7:12
        assert not day.world.states[5 * HOUR_S].night
        assert day.world.states[-1].night
        kinds = [e.kind for e in day.world.events if e.subject == "night"]
        assert kinds == ["day breaks", "night falls"]


def test_a_day_begins_when_it_is_told() -> None:
    day = Day.generate(500_000, 1, begins=datetime(2026, 3, 2, 13, 30, tzinfo=UTC))
    assert day.midnight_s == -13.5 * HOUR_S
    assert day.begins_wall_ns == 1_772_458_200 * 10**9
    assert not any(state.night for state in day.world.states)


def test_every_event_is_shown_in_its_own_pictures(day: Day) -> None:
    """An event is drawn from `BEFORE_S` before it to `AFTER_S` after it."""
    phase = day.world.look(0)[0]
    for event in day.world.events:
        first = int(event.start_s - BEFORE_S - phase)
        last = int(event.start_s + EVENT_S + AFTER_S - phase)
        for chunk in range(max(0, first), min(last, day.seconds - 1) + 1):
            assert day.drawn_of[chunk] == chunk
        assert first <= event.chunk <= last


def test_calm_seconds_show_the_very_same_pictures(day: Day) -> None:
    film = Film(day)
    calm = next(c for c in range(1, day.seconds) if day.drawn_of[c] == day.drawn_of[c - 1])
    before, now = film.frames(calm - 1), film.frames(calm)
    assert now[0].image is before[0].image
    assert now[1].image is before[1].image
    assert [f.stamp_ns for f in now] == [calm * 10**9, calm * 10**9 + 5 * 10**8]
    assert film.drawn == 1


def test_pictures_are_the_same_in_any_order(day: Day) -> None:
    """A film that begins in the middle shows what one from the start shows."""
    chunks = [day.world.events[5].chunk, day.world.events[5].chunk + 60]
    film = Film(day)
    for chunk in range(chunks[-1] + 1):
        frames = film.frames(chunk)
        if chunk in chunks:
            for frame, fresh in zip(frames, Film(day).frames(chunk), strict=True):
                assert np.array_equal(frame.image, fresh.image)


def test_around_an_event_the_pictures_are_those_of_the_room(day: Day) -> None:
    event = next(e for e in day.world.events if e.kind == "item enters")
    camera = Camera(day.world, sensor=day.sensor)
    for frame, t_s in zip(Film(day).frames(event.chunk), day.world.look(event.chunk), strict=True):
        assert np.array_equal(frame.image, camera.frame(t_s))


def test_the_camera_keeps_its_picture_and_not_its_clock() -> None:
    day = Day.generate(500_001, 1)
    assert (day.sensor.fps, day.sensor.jitter, day.sensor.drift, day.sensor.drop) == (2, 0, 0, 0)
    ideal = Day.generate(500_001, 1, camera="ideal")
    assert ideal.sensor != day.sensor
    assert ideal.world.happenings == tuple(
        replace(e) for e in day.world.happenings or ()
    )  # the same day
