"""The simulator has one ground truth: what the scorer asks for, what training teaches, what the
frames show."""

from dataclasses import replace

import numpy as np
import pytest

from aura_core.evaluation.scoring import Said, score
from aura_core.evaluation.sim import episode_of, figures
from aura_core.sim.episode import DENSE_PLAN, TEST_PLAN, Episode
from aura_core.sim.foreign import Foreign
from aura_core.sim.render import Camera
from aura_core.sim.sensor import Sensor
from aura_core.sim.world import DONE, World
from aura_core.training.tiny import model as tiny
from aura_core.training.tiny.batches import FOCUS, MANY, ONCE, WATCHES
from aura_core.training.tiny.samples import build
from aura_core.training.tiny.store import CHUNKS, training_world

SEEDS = range(400_000, 400_120)


@pytest.mark.parametrize("camera", ["drawn", "ideal"])
def test_the_perfect_assistant_gets_every_figure(camera: str) -> None:
    scores = []
    for seed in SEEDS:
        episode, _ = episode_of(seed, 60, camera)
        asked = {a.chunk: a.text for a in episode.asks}
        said = [Said(c, text, asked.get(c)) for c, text in sorted(episode.script().items())]
        assert len(said) == len(episode.asks) + len(episode.dues)
        scores.append(score(episode, said, 60))
    for name, figure in figures(scores).items():
        zero = "false_alarms" in name or "error" in name
        assert figure.value == (0.0 if zero else 1.0), name


def test_an_event_is_due_in_the_first_chunk_that_shows_it_complete() -> None:
    for seed in SEEDS:
        sensor = Sensor.draw(seed)
        world = World.generate(seed, 60, looks=sensor.looks(60))
        for event in world.events:
            shown = [max(map(event.progress, world.look(c))) for c in range(60)]
            assert shown[event.chunk] >= DONE[event.kind] > max([0.0, *shown[: event.chunk]])


def test_what_was_over_before_the_first_frame_is_a_state_and_no_event() -> None:
    for seed in SEEDS:
        world = World.generate(seed, 60)
        assert world.happenings
        first = world.happenings[0]
        late = world.looked_at(
            tuple((first.start_s + 1 + c, first.start_s + 1.5 + c) for c in range(3))
        )
        assert all(e.start_s != first.start_s for e in late.events)
        expected = world.initial
        for event in world.happenings:
            if event.done_s <= late.look(0)[0] or event in [
                replace(e, chunk=-1) for e in late.events_at(0)
            ]:
                expected = event.applied(expected)
        assert late.states[0] == expected


@pytest.mark.parametrize("plan", [TEST_PLAN, DENSE_PLAN, FOCUS, ONCE, MANY, WATCHES])
def test_training_teaches_the_script(plan) -> None:
    tokenizer = tiny.build_tokenizer()
    codec = tiny.codec(tokenizer)
    for seed in range(1000, 1016):
        episode = Episode.generate(seed, CHUNKS, plan, training_world(seed), varied=True)
        script, asks = episode.script(), {a.chunk: a for a in episode.asks}
        dues = {d.chunk: d for d in episode.dues}
        for start, stop in ((0, 45), (30, 90)):
            sample = build(episode, codec, start, stop)
            for chunk in range(start, stop):
                taught = sample.target[sample.chunk == chunk].tolist()
                if not taught:  # its evidence is out of view
                    seen = [e.chunk for e in dues[chunk].events] if chunk in dues else []
                    seen += [asks[chunk].evidence] if chunk in asks else []
                    assert start > 0 and min(seen) <= start
                elif chunk in script:
                    assert taught == [*codec.tokenizer.encode(script[chunk]), codec.chat.end_id]
                else:
                    assert taught == list(codec.silence)


def test_nothing_happens_in_a_foreign_picture_and_questions_are_declined() -> None:
    declined = 0
    for seed in SEEDS:
        looks = Sensor.draw(seed).looks(60)
        world = World.generate(seed, 60, looks=looks, foreign=((20.0, 40.0),))
        for event in world.events:
            assert not any(map(world.is_foreign, world.look(event.chunk)))
        episode = Episode.generate(seed, 60, DENSE_PLAN, world)
        for ask in episode.asks:
            foreign = [world.is_foreign(t) for t in world.look(ask.chunk)]
            assert all(foreign) or not any(foreign)
            assert (ask.topic == "foreign") == all(foreign)
            declined += all(foreign)
    assert declined > 200


def test_no_foreign_picture_is_the_room() -> None:
    room = Camera(World.generate(400_000, 60), 128).frame(0.0)
    for seed in range(400):
        film = Foreign(seed, 128, 96, room)
        assert np.abs(film.frame(1.0).astype(int) - room).mean() > 6, (seed, film.kind)
