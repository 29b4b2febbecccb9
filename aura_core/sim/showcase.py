"""The demo's episode: one real-time, one proactive and one multi-response question about a test
room."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from aura_core.errors import InputError
from aura_core.sim.episode import Ask, Episode, dues_of
from aura_core.sim.sensor import IDEAL, Sensor
from aura_core.sim.talk import WAITABLE, Talk, Wait
from aura_core.sim.world import World
from aura_core.types import Kind

SHORTEST_S = 30


def showcase(
    seed: int,
    seconds: int,
    spoken: bool = False,
    language: str = "en",
    sensor: Sensor = IDEAL,
) -> Episode:
    """Three questions that this room will answer, asked at about 3 s, 6 s and in the middle.

    `spoken`: with time between them to be said and answered aloud, and the one about now is for a
    list, whose truth is known in any second (see `retimed`). `sensor` is the camera that looks.

    Raises `InputError` when `seconds` is too short for that, or nothing happens that could be
    waited for.
    """
    if seconds < SHORTEST_S:
        raise InputError(f"the demo needs at least {SHORTEST_S} seconds, not {seconds}")
    world = World.generate(seed, seconds, looks=sensor.looks(seconds))
    rng, talk = np.random.default_rng([seed, 6]), Talk(language)
    quiet = [c for c in range(1, seconds - 1) if world.event_at(c) is None]
    times = (3, 11, max(20, seconds // 2)) if spoken else (3, 6, seconds // 2)
    first, second, third = (next(c for c in quiet if c >= at) for at in times)
    later = [e for e in world.events if second + 1 < e.chunk < seconds - 2 and e.kind in WAITABLE]
    if not later:
        raise InputError(
            f"seed {seed}: nothing happens within {seconds} s; take another seed or more seconds"
        )
    often = Counter(e.kind for e in later).most_common(1)[0][0]
    others = [e for e in later if e.kind != often] or later
    target = others[len(others) // 2]
    once = Wait(target.kind, *((target.item.colour, target.item.shape) if target.item else ()))
    topic, text, answer = (
        "list",
        talk.words.questions["list"].seen[0],
        talk.listing(world.states[third].items),
    )
    if not spoken:
        q = talk.real_time(rng, world, third)
        topic, text, answer = q.topic, q.text, q.answer
    asks = (
        _ask(talk, "proactive", first, Kind.PROACTIVE, once),
        _ask(talk, "multi", second, Kind.MULTI_RESPONSE, Wait(often)),
        Ask("real-time", third, text, Kind.REAL_TIME, answer, topic, None, language),
    )
    return Episode(world, asks, tuple(dues_of(world, asks)))


def retimed(episode: Episode, chunks: Mapping[str, int]) -> Episode:
    """A spoken showcase as it really went: each question in the chunk in which it was
    understood."""
    world, talk = episode.world, Talk(episode.asks[0].language)
    asks = []
    for ask in episode.asks:
        chunk = chunks.get(ask.id, ask.chunk)
        items = world.states[min(chunk, len(world.states) - 1)].items
        asks.append(
            replace(
                ask, chunk=chunk, answer=talk.listing(items) if ask.topic == "list" else ask.answer
            )
        )
    return Episode(world, tuple(asks), tuple(dues_of(world, asks)))


def _ask(talk: Talk, id: str, chunk: int, kind: Kind, wait: Wait) -> Ask:
    text = talk.standing_plainly(wait, kind is Kind.MULTI_RESPONSE)
    return Ask(id, chunk, text, kind, talk.words.acknowledgment, "standing", wait, talk.language)
