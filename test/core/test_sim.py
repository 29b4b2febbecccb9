"""The room: every event is possible where it happens, the truth follows the events, and the camera
shows it."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from aura_core.sim.render import WIDTH, Camera, height_of
from aura_core.sim.world import BUSY, EVENT_S, KINDS, MAX_ITEMS, Event, State, World

ROOMS = [World.generate(seed, 60, BUSY) for seed in range(700_000, 700_040)]
EVENTS = [(room, e) for room in ROOMS for e in room.events]


def test_a_room_is_a_function_of_its_seed() -> None:
    assert World.generate(3, 60) == World.generate(3, 60) != World.generate(4, 60)
    room = World.generate(3, 20)
    assert (Camera(room).frame(7.25) == Camera(World.generate(3, 20)).frame(7.25)).all()
    assert (Camera(room).frame(7.25) != Camera(room).frame(7.26)).any()  # the sensor's noise


def test_everything_happens_sometimes() -> None:
    assert {e.kind for _, e in EVENTS} == set(KINDS)


def test_states_follow_the_events() -> None:
    for room in ROOMS:
        assert room.happenings is not None
        for before, after in pairwise(room.happenings):
            assert before.after == after.before
        for event in room.happenings:
            assert event.after != event.before or event.kind == "person reaches"
        missed = {e.start_s for e in room.happenings} - {e.start_s for e in room.events}
        state = room.initial
        for chunk in range(room.duration_s):
            for event in room.events_at(chunk):
                state = event.applied(state)
            early = [e for e in room.happenings if e.start_s in missed and e.done_s <= 0.0]
            assert room.states[chunk] == state or early
            rest, under_way = room.at(chunk + 0.5)
            if not under_way and not missed:
                assert rest == state


def test_nothing_impossible() -> None:
    for room in ROOMS:
        for state in (room.initial, *room.states):
            assert len(state.items) <= MAX_ITEMS
            assert (
                len({i.slot for i in state.items})
                == len(state.items)
                == len({i[:2] for i in state.items})
            )
            assert not state.lying or state.person is not None


def test_only_what_the_event_names_changes() -> None:
    changes = {
        "item": {"items"},
        "person": {"person", "lying"},
        "door": {"door"},
        "lamp": {"lamp"},
        "kettle": {"kettle"},
        "cat": {"cat"},
        "cup": {"cup"},
        "night": {"night"},
        "day": {"night"},
    }
    for _, event in EVENTS:
        changed = {
            f
            for f in State.__dataclass_fields__
            if getattr(event.before, f) != getattr(event.after, f)
        }
        assert changed <= changes[event.kind.split()[0]], event.kind


def shown(camera: Camera, t_s: float) -> np.ndarray:
    """A frame without the sensor's noise."""
    camera._grain = np.zeros_like(camera._grain)
    return camera.frame(t_s).astype(np.int16)


@pytest.mark.parametrize("kind", KINDS)
def test_an_event_shows_in_its_chunk(kind: str) -> None:
    """The frame in which it is complete differs from the same moment of a room in which it does not
    happen."""
    for room, event in [pair for pair in EVENTS if pair[1].kind == kind][:2]:
        without = World(
            room.seed, room.duration_s, event.before, (), (event.before,) * room.duration_s
        )
        t_s = next(t for t in room.look(event.chunk) if t >= event.done_s)
        late, calm = shown(Camera(room), t_s), shown(Camera(without), t_s)
        if kind == "kettle stops" or kind == "person falls":  # half hidden by something, perhaps
            assert (np.abs(late - calm).max(-1) > 20).sum() > 10
        else:
            assert (np.abs(late - calm).max(-1) > 20).sum() > 30, (room.seed, event)


def test_after_the_event_the_camera_shows_the_new_state() -> None:
    compared = 0
    for room, event in EVENTS[:40]:
        t_s = event.start_s + EVENT_S + 0.01
        if not room.under_way(t_s) and room.at(t_s)[0] == event.after:
            rested = World(
                room.seed, room.duration_s, event.after, (), (event.after,) * room.duration_s
            )
            assert (shown(Camera(room), t_s) == shown(Camera(rested), t_s)).all(), event
            compared += 1
    assert compared > 10


def test_a_frame_and_where_the_head_looks() -> None:
    camera = Camera(ROOMS[0])
    assert (
        camera.frame(0.0).shape == (height_of(WIDTH), WIDTH, 3)
        and camera.frame(0.0).dtype == np.uint8
    )
    cameras = [Camera(room) for room in ROOMS]
    looks = [[c.looking(t / 4) for t in range(240)] for c in cameras]
    assert np.abs(looks).max((0, 1)) == pytest.approx([0.045, 0.022], abs=0.002)
    turns = [len({(round(x, 6), round(y, 6)) for x, y in look}) for look in looks]
    assert 1 in turns and max(turns) > 5  # some heads keep still


def test_progress_and_the_room_under_way() -> None:
    room, event = next(p for p in EVENTS if len(p[0].under_way(p[1].start_s + 0.5)) == 1)
    assert isinstance(event, Event)
    assert event.progress(event.start_s - 1) == 0.0 and event.progress(event.start_s + 2) == 1.0
    rest, under_way = room.at(event.start_s + 0.5)
    assert rest == event.before and [e.start_s for e in under_way] == [event.start_s]


def test_events_begin_at_any_time_and_together_too() -> None:
    phases = np.asarray([e.start_s % 1.0 for _, e in EVENTS])
    share = np.histogram(phases, 4, (0, 1))[0] / len(phases)
    # four standard deviations of a quarter of so many
    assert np.abs(share - 0.25).max() < 4 * np.sqrt(0.25 * 0.75 / len(phases))
    assert any(len(room.events_at(c)) > 1 for room in ROOMS for c in range(room.duration_s))
    aligned = World.generate(700_000, 60, BUSY, aligned=True)
    assert all(-0.4 < e.start_s - e.chunk < -0.1 for e in aligned.events)
