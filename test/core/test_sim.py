"""The tabletop world, its pictures and its questions: seeded, self-consistent, and known to the ledger."""

from __future__ import annotations

import numpy as np
import pytest

from aura_core.errors import InputError
from aura_core.sim.episode import DENSE_PLAN, TEST_PLAN, Episode, dues_of
from aura_core.sim.questions import Condition, announce, listing, words
from aura_core.sim.render import Camera
from aura_core.sim.showcase import showcase
from aura_core.sim.world import BUSY, CALM, GRID, MAX_ITEMS, World
from aura_core.stream.ledger import standing_kind
from aura_core.types import Kind

SEEDS = range(40)


@pytest.mark.parametrize("pace", [CALM, BUSY])
def test_states_follow_from_the_events(pace):
    for seed in SEEDS:
        world = World.generate(seed, 60, pace)
        items = set(world.initial)
        for chunk in range(60):
            event = world.event_at(chunk)
            if event is not None:
                assert (event.before is None) == (event.kind == "enter")
                assert (event.after is None) == (event.kind == "leave")
                items -= {event.before}
                items |= {event.after} - {None}
            assert set(world.states[chunk]) == items
            assert len(items) <= MAX_ITEMS
            assert len({i.slot for i in items}) == len(items) == len({i.name for i in items})


def test_a_longer_world_begins_like_the_shorter_one():
    short, long = World.generate(7, 30), World.generate(7, 90)
    assert long.states[:30] == short.states
    assert long.events[: len(short.events)] == short.events


def test_both_frames_of_an_event_chunk_show_it_and_no_other_frame_does():
    for seed in SEEDS:
        world = World.generate(seed, 40)
        for slot in range(80):
            _, under_way = world.resting(slot / 2)
            assert under_way == world.event_at(slot // 2), (seed, slot)


def test_frames_are_a_function_of_seed_and_time():
    world = World.generate(3, 20)
    first = Camera(world).frame(4.5)
    assert first.shape == (192, 192, 3) and first.dtype == np.uint8
    assert np.array_equal(first, Camera(World.generate(3, 60)).frame(4.5))
    assert not np.array_equal(first, Camera(world).frame(5.0))  # noise and jitter move even when nothing happens
    assert not np.array_equal(first, Camera(World.generate(4, 20)).frame(4.5))


def test_an_entering_object_appears_where_the_world_says():
    for seed in SEEDS:
        world = World.generate(seed, 30)
        event = next((e for e in world.events if e.kind == "enter"), None)
        if event is None or event.after is None:
            continue
        camera = Camera(world)
        before, after = (camera.frame(event.chunk + dt).astype(int) for dt in (-0.5, 1.0))
        change = np.abs(after - before).sum(-1).reshape(GRID, 64, GRID, 64).mean((1, 3)).ravel()
        assert change.argmax() == event.after.slot
        return
    pytest.fail("no world had an entering object")


def test_every_question_is_answered_by_the_state_of_its_chunk():
    for seed in SEEDS:
        episode = Episode.generate(seed, 60, DENSE_PLAN)
        for ask in episode.asks:
            items = episode.world.states[ask.chunk]
            assert episode.world.event_at(ask.chunk) is None
            if ask.topic == "list":
                assert ask.answer == listing(items)
            elif ask.topic == "count":
                assert ask.answer == ("none", "one", "two", "three", "four")[len(items)]
            elif ask.topic == "colour" and " not " not in ask.answer:
                shape = ask.text.split("the ")[1].split()[0].rstrip("?")
                assert [i.colour for i in items if i.shape == shape] == [ask.answer]
            elif ask.topic == "exists":
                target = [w for w in ask.text.rstrip("?").split() if any(w in i.name.split() for i in items)]
                if ask.answer == "yes":
                    assert target or "something" in ask.text


def test_a_proactive_question_is_due_once_and_a_multi_response_one_each_time():
    for seed in SEEDS:
        episode = Episode.generate(seed, 90, TEST_PLAN)
        for ask in (a for a in episode.asks if a.condition):
            mine = [d.chunk for d in episode.dues if ask.id in d.ask_ids]
            events = [e for e in episode.world.events if e.chunk > ask.chunk and ask.condition.matches(e)]
            chunks = [e.chunk for e in events]
            assert mine == (chunks if ask.kind is Kind.MULTI_RESPONSE else chunks[:1])


def test_two_questions_about_one_event_make_one_announcement():
    world = World.generate(1, 60)
    event = next(e for e in world.events if e.kind == "enter" and e.chunk > 3)
    episode = Episode.generate(1, 60)
    template = next(a for a in episode.asks if a.condition)
    asks = [
        type(template)(id, 1, "", kind, "okay", "standing", Condition("enter", None, None))
        for id, kind in (("a", Kind.PROACTIVE), ("b", Kind.MULTI_RESPONSE))
    ]
    dues = dues_of(world, asks)
    assert [d.ask_ids for d in dues] == [("a", "b")] + [("b",)] * (len(dues) - 1)
    assert next(d.text for d in dues if d.chunk == event.chunk) == announce(event)


def test_the_ledger_reads_the_kind_out_of_every_question():
    for seed in range(200):
        for ask in Episode.generate(seed, 60).asks:
            assert standing_kind(ask.text) == (None if ask.kind is Kind.REAL_TIME else ask.kind), ask.text


def test_every_word_is_in_the_vocabulary():
    known = words()
    for seed in range(100):
        episode = Episode.generate(seed, 60, DENSE_PLAN)
        texts = [t for a in episode.asks for t in (a.text, a.answer)] + [d.text for d in episode.dues]
        assert {w for t in texts for w in t.replace("?", "").split()} <= known


def test_the_showcase_can_be_answered():
    for seed in range(900_000, 900_020):
        episode = showcase(seed, 60)
        assert {a.kind for a in episode.asks} == set(Kind)
        for ask in episode.asks:
            assert ask.condition is None or any(ask.id in d.ask_ids for d in episode.dues)


def test_a_showcase_that_is_too_short_is_refused():
    with pytest.raises(InputError, match="at least 30 seconds"):
        showcase(1, 5)
