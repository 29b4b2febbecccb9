"""The room: every event is possible where it happens, the truth follows the events, and the camera
shows it."""

from __future__ import annotations

import numpy as np
import pytest

from aura_core.sim.render import WIDTH, Camera, height_of
from aura_core.sim.world import BUSY, KINDS, MAX_ITEMS, Event, State, World

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
        state = room.initial
        for chunk in range(room.duration_s):
            event = room.event_at(chunk)
            if event is not None:
                assert event.before == state
                assert event.after != state or event.kind == "person reaches"
                state = event.after
            assert room.states[chunk] == state
            assert room.at(chunk + 0.9)[0] == state or room.at(chunk + 0.9)[1] is not None


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
    """Its second frame differs from the same moment of a room in which it does not happen."""
    for room, event in [pair for pair in EVENTS if pair[1].kind == kind][:2]:
        without = World(
            room.seed, room.duration_s, event.before, (), (event.before,) * room.duration_s
        )
        late, calm = (
            shown(Camera(room), event.chunk + 0.5),
            shown(Camera(without), event.chunk + 0.5),
        )
        if kind == "kettle stops" or kind == "person falls":  # half hidden by something, perhaps
            assert (np.abs(late - calm).max(-1) > 20).sum() > 10
        else:
            assert (np.abs(late - calm).max(-1) > 20).sum() > 30, (room.seed, event)


def test_after_the_event_the_camera_shows_the_new_state() -> None:
    for room, event in EVENTS[:12]:
        following = room.event_at(event.chunk + 1)
        if following is None:
            rested = World(
                room.seed, room.duration_s, event.after, (), (event.after,) * room.duration_s
            )
            t_s = event.chunk + 1.0
            assert (shown(Camera(room), t_s) == shown(Camera(rested), t_s)).all(), event


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
    room, event = EVENTS[0]
    assert isinstance(event, Event)
    assert event.progress(event.start_s - 1) == 0.0 and event.progress(event.start_s + 2) == 1.0
    assert room.at(event.start_s + 0.5) == (event.before, event)
    assert -0.4 < event.start_s - event.chunk < -0.1
