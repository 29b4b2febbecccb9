"""The demo's episode: one real-time, one proactive and one multi-response question about a test world."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from aura_core.errors import InputError
from aura_core.sim.episode import Ask, Episode, dues_of
from aura_core.sim.questions import ACKNOWLEDGMENT, LIST, MULTI, PROACTIVE, VERBS, Condition, listing, real_time
from aura_core.sim.world import World
from aura_core.types import Kind

SHORTEST_S = 30


def showcase(seed: int, seconds: int, spoken: bool = False) -> Episode:
    """Three questions that this world will answer, asked at about 3 s, 6 s and in the middle.

    `spoken`: with time between them to be said and answered aloud, and the one about now is for a list, whose truth
    is known in any second (see `retimed`).

    Raises `InputError` when `seconds` is too short for that, or nothing happens that could be waited for.
    """
    if seconds < SHORTEST_S:
        raise InputError(f"the demo needs at least {SHORTEST_S} seconds, not {seconds}")
    world = World.generate(seed, seconds)
    rng = np.random.default_rng([seed, 6])
    quiet = [c for c in range(1, seconds - 1) if world.event_at(c) is None]
    times = (3, 11, max(20, seconds // 2)) if spoken else (3, 6, seconds // 2)
    first, second, third = (next(c for c in quiet if c >= at) for at in times)
    later = [e for e in world.events if second + 1 < e.chunk < seconds - 2 and e.kind != "move"]
    if not later:
        raise InputError(f"seed {seed}: nothing comes or goes within {seconds} s; take another seed or more seconds")
    target = later[len(later) // 2]
    once = Condition(target.kind, target.item.colour, target.item.shape)
    verb = "enter" if sum(e.kind == "enter" for e in later) * 2 >= len(later) else "leave"
    each = Condition(verb, None, None)
    topic, text, answer = real_time(rng, world.states[third])
    if spoken:
        topic, text, answer = "list", LIST[0], listing(world.states[third])
    asks = (
        _ask("proactive", first, Kind.PROACTIVE, PROACTIVE[0], once),
        _ask("multi", second, Kind.MULTI_RESPONSE, MULTI[0], each),
        Ask("real-time", third, text, Kind.REAL_TIME, answer, topic),
    )
    return Episode(world, asks, tuple(dues_of(world, asks)))


def retimed(episode: Episode, chunks: Mapping[str, int]) -> Episode:
    """A spoken showcase as it really went: each question in the chunk in which it was understood."""
    world = episode.world
    asks = []
    for ask in episode.asks:
        chunk = chunks.get(ask.id, ask.chunk)
        answer = listing(world.states[min(chunk, len(world.states) - 1)]) if ask.topic == "list" else ask.answer
        asks.append(replace(ask, chunk=chunk, answer=answer))
    return Episode(world, tuple(asks), tuple(dues_of(world, asks)))


def _ask(id: str, chunk: int, kind: Kind, template: str, condition: Condition) -> Ask:
    text = template.format(x=condition.phrase, v=VERBS[condition.verb][0])
    return Ask(id, chunk, text, kind, ACKNOWLEDGMENT, "standing", condition)
