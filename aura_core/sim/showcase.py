"""The demo's episode: one real-time, one proactive and one multi-response question about a test world."""

from __future__ import annotations

import numpy as np

from aura_core.errors import InputError
from aura_core.sim.episode import Ask, Episode, dues_of
from aura_core.sim.questions import ACKNOWLEDGMENT, MULTI, PROACTIVE, VERBS, Condition, real_time
from aura_core.sim.world import World
from aura_core.types import Kind

SHORTEST_S = 30


def showcase(seed: int, seconds: int) -> Episode:
    """Three questions that this world will answer, asked at about 3 s, 6 s and in the middle.

    Raises `InputError` when `seconds` is too short for that, or nothing happens that could be waited for.
    """
    if seconds < SHORTEST_S:
        raise InputError(f"the demo needs at least {SHORTEST_S} seconds, not {seconds}")
    world = World.generate(seed, seconds)
    rng = np.random.default_rng([seed, 6])
    quiet = [c for c in range(1, seconds - 1) if world.event_at(c) is None]
    first, second, third = (next(c for c in quiet if c >= at) for at in (3, 6, seconds // 2))
    later = [e for e in world.events if second + 1 < e.chunk < seconds - 2 and e.kind != "move"]
    if not later:
        raise InputError(f"seed {seed}: nothing comes or goes within {seconds} s; take another seed or more seconds")
    target = later[len(later) // 2]
    once = Condition(target.kind, target.item.colour, target.item.shape)
    verb = "enter" if sum(e.kind == "enter" for e in later) * 2 >= len(later) else "leave"
    each = Condition(verb, None, None)
    topic, text, answer = real_time(rng, world.states[third])
    asks = (
        _ask("proactive", first, Kind.PROACTIVE, PROACTIVE[0], once),
        _ask("multi", second, Kind.MULTI_RESPONSE, MULTI[0], each),
        Ask("real-time", third, text, Kind.REAL_TIME, answer, topic),
    )
    return Episode(world, asks, tuple(dues_of(world, asks)))


def _ask(id: str, chunk: int, kind: Kind, template: str, condition: Condition) -> Ask:
    text = template.format(x=condition.phrase, v=VERBS[condition.verb][0])
    return Ask(id, chunk, text, kind, ACKNOWLEDGMENT, "standing", condition)
