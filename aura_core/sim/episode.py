"""A room with somebody who asks about it, and everything that ought to be said: the ground
truth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from aura_core.sim.talk import TOPICS, WAITABLE, About, Question, Talk, Wait
from aura_core.sim.world import COLOURS, KINDS, SHAPES, Event, World
from aura_core.types import Kind

FOLLOWED_S = 15  # seconds after which nobody follows up any more
CHINESE_SHARE, UNSEEN_SHARE = 0.25, 0.2  # of episodes; of phrasings in them


@dataclass(frozen=True)
class Ask:
    """A question in its chunk, and what ought to be said in that same chunk."""

    id: str
    chunk: int
    text: str
    kind: Kind
    answer: str
    topic: str = ""
    condition: Wait | None = None
    language: str = "en"
    unseen: bool = False  # in a phrasing that training never sees
    # a question about the past: the chunk that has to be in view to answer it
    evidence: int | None = None
    follows: bool = False  # only the question before explains it
    recalled: str = ""  # what memory tells about it, see `memory/form.py`


@dataclass(frozen=True)
class Due:
    """Words that are due later: events that standing questions `ask_ids` wait for. They are due in
    the chunk of the events, or in the first one after it in which nothing is asked: a question is
    answered first."""

    chunk: int
    text: str
    ask_ids: tuple[str, ...]
    events: tuple[Event, ...] = ()


@dataclass(frozen=True)
class Plan:
    """How much is asked. Gaps are chunks between real-time questions."""

    min_gap: int = 5
    max_gap: int = 11
    proactive: tuple[int, int] = (1, 2)  # least and most
    multi: tuple[int, int] = (1, 1)
    triggers: float = 0.65  # share of standing questions that something will answer
    first: int = 1  # no question before this chunk
    early: float = 0.7  # standing questions come in this first share of the time
    # share of those that something will answer which are made to wait for an object
    objects: float = 0.0
    exact: float = 0.55  # share of one-time questions about objects that name colour and shape
    follows: float = 0.0  # share of real-time questions that only the one before explains
    odd: float = 0.0  # share of questions that are thanks, greetings or not to be understood
    at_events: bool = True  # questions may come in the very chunk of an event


TEST_PLAN = Plan(follows=0.15, odd=0.08)
IDEAL_PLAN = Plan(at_events=False)  # with an ideal camera: what was asked before there were others
DENSE_PLAN = Plan(
    min_gap=1,
    max_gap=4,
    proactive=(2, 6),
    multi=(0, 2),
    triggers=0.65,
    first=0,
    follows=0.15,
    odd=0.05,
)
NOTHING = Plan(min_gap=10_000, max_gap=10_001, proactive=(0, 0), multi=(0, 0), first=10_000)


@dataclass(frozen=True)
class Episode:
    """One conversation about one room, in one language. `asks` and `dues` are in order of chunk."""

    world: World
    asks: tuple[Ask, ...]
    dues: tuple[Due, ...]

    @classmethod
    def generate(
        cls,
        seed: int,
        duration_s: int,
        plan: Plan = TEST_PLAN,
        world: World | None = None,
        language: str | None = None,
        unseen: float = UNSEEN_SHARE,
        topics: dict[str, float] = TOPICS,
        varied: bool = False,
    ) -> Episode:
        """Deterministic in its arguments.

        `language` is drawn where it is not given; `unseen` is the share of phrasings that training
        never sees, `varied` adds the many that are for training alone.
        """
        world = world or World.generate(seed, duration_s)
        duration_s = min(duration_s, world.duration_s)
        rng = np.random.default_rng([seed, 14])
        language = language or ("zh" if rng.random() < CHINESE_SHARE else "en")
        talk = Talk(language, unseen, varied)
        free = [
            c
            for c in range(plan.first, duration_s)
            if (plan.at_events or world.event_at(c) is None) and not _half_foreign(world, c)
        ]
        counts = [int(rng.integers(low, high + 1)) for low, high in (plan.proactive, plan.multi)]
        kinds = [Kind.PROACTIVE] * counts[0] + [Kind.MULTI_RESPONSE] * counts[1]
        rng.shuffle(kinds)  # type: ignore[arg-type]
        early = [c for c in free if c < max(plan.first + 1, int(duration_s * plan.early))]
        chosen = (
            sorted(rng.choice(early, size=min(len(kinds), len(early)), replace=False))
            if early
            else []
        )
        asks: list[Ask] = []
        for kind, chunk in zip(kinds, chosen, strict=False):
            asks.append(
                _standing(rng, talk, world, Kind(kind), int(chunk), plan, f"s{len(asks) + 1}")
            )
        taken = {a.chunk for a in asks}
        at = plan.first + int(rng.integers(0, plan.max_gap))
        last: tuple[int, About] | None = None  # the question before, and its chunk
        for chunk in free:
            if chunk in taken:
                last = None
            elif chunk >= at:
                q = _question(rng, talk, world, chunk, topics, plan, last)
                last = (chunk, q.about) if q.about is not None else None
                asks.append(
                    Ask(
                        f"r{chunk}",
                        chunk,
                        q.text,
                        Kind.REAL_TIME,
                        q.answer,
                        q.topic,
                        None,
                        language,
                        q.unseen,
                        q.evidence,
                        q.follows,
                    )
                )
                at = chunk + int(rng.integers(plan.min_gap, plan.max_gap + 1))
        asks.sort(key=lambda a: a.chunk)
        asks = [_declined(a, talk) if _foreign(world, a.chunk) else a for a in asks]
        return cls(world, tuple(asks), tuple(dues_of(world, asks)))

    def script(self) -> dict[int, str]:
        """Chunk to words: the perfect assistant. Every other chunk is silent."""
        return {a.chunk: a.answer for a in self.asks} | {d.chunk: d.text for d in self.dues}


def dues_of(world: World, asks: Sequence[Ask]) -> list[Due]:
    """What standing questions make due: a proactive one once, a multi-response one each time."""
    talk = Talk(asks[0].language) if asks else Talk()
    asked = {a.chunk for a in asks}
    done: set[str] = set()
    found: dict[int, tuple[list[Event], list[str]]] = {}
    for event in world.events:
        ids = [
            a.id
            for a in asks
            if a.condition is not None
            and a.chunk < event.chunk
            and a.id not in done
            and a.condition.matches(event)
        ]
        done |= {a.id for a in asks if a.id in ids and a.kind is Kind.PROACTIVE}
        chunk = event.chunk
        while chunk in asked:
            chunk += 1
        if ids and chunk < world.duration_s:
            events, told = found.setdefault(chunk, ([], []))
            events.append(event)
            told += [i for i in ids if i not in told]
    dues = []
    for chunk, (events, told) in sorted(found.items()):
        events.sort(key=lambda e: (e.chunk, KINDS.index(e.kind)))
        dues.append(Due(chunk, talk.announce_all(events), tuple(told), tuple(events)))
    return dues


def _question(
    rng: np.random.Generator,
    talk: Talk,
    world: World,
    chunk: int,
    topics: dict[str, float],
    plan: Plan,
    last: tuple[int, About] | None,
) -> Question:
    if plan.odd and rng.random() < plan.odd:
        return talk.odd(rng) if last is not None or rng.random() < 0.7 else talk.lost(rng)
    if plan.follows and last is not None and chunk - last[0] <= FOLLOWED_S:
        q = talk.follow_up(rng, world, chunk, last[1]) if rng.random() < plan.follows else None
        if q is not None:
            return q
    return talk.real_time(rng, world, chunk, topics)


def _foreign(world: World, chunk: int) -> bool:
    return world.is_foreign(world.look(chunk)[1])


def _half_foreign(world: World, chunk: int) -> bool:
    a, b = world.look(chunk)
    return world.is_foreign(a) != world.is_foreign(b)


def _declined(ask: Ask, talk: Talk) -> Ask:
    """A question about a picture that is not the room."""
    return replace(
        ask, kind=Kind.REAL_TIME, answer=talk.words.foreign, topic="foreign", condition=None
    )


def _standing(
    rng: np.random.Generator, talk: Talk, world: World, kind: Kind, chunk: int, plan: Plan, id: str
) -> Ask:
    later = [e for e in world.events if e.chunk > chunk + 1 and e.kind in WAITABLE]
    repeated = kind is Kind.MULTI_RESPONSE
    if later and rng.random() < plan.triggers:
        near = later[: max(3, len(later) // 2)]
        if plan.objects and rng.random() < plan.objects:
            near = [e for e in near if e.item is not None] or near
        forms = (
            (0.25, 0.25, 0.3, 0.2)
            if repeated
            else (plan.exact, *(p * (1 - plan.exact) for p in (0.4, 0.4, 0.2)))
        )
        wait = _widened(rng, near[int(rng.integers(len(near)))], forms)
    else:
        wait = _never(rng, later)
    text, unseen = talk.standing(rng, wait, repeated)
    return Ask(
        id, chunk, text, kind, talk.words.acknowledgment, "standing", wait, talk.language, unseen
    )


def _widened(rng: np.random.Generator, event: Event, forms: tuple[float, ...]) -> Wait:
    """A condition that `event` meets: for objects exact, by colour, by shape, or anything, with
    these odds."""
    if event.item is None:
        return Wait(event.kind)
    form = int(rng.choice(4, p=forms))
    return Wait(
        event.kind,
        event.item.colour if form in (0, 1) else None,
        event.item.shape if form in (0, 2) else None,
    )


def _never(rng: np.random.Generator, later: list[Event]) -> Wait:
    """A condition that none of `later` meets, close to one of them where possible (a
    distractor)."""
    wait = Wait("person falls")
    for _ in range(30):
        kind = (
            str(rng.choice(WAITABLE))
            if rng.random() < 0.5
            else str(rng.choice(["item enters", "item leaves"]))
        )
        wait = Wait(kind)
        if kind.startswith("item"):
            colour, shape = (
                COLOURS[int(rng.integers(len(COLOURS)))],
                SHAPES[int(rng.integers(len(SHAPES)))],
            )
            items = [e.item for e in later if e.item is not None]
            if items and rng.random() < 0.7:
                near = items[int(rng.integers(len(items)))]
                colour, shape = (near.colour, shape) if rng.random() < 0.5 else (colour, near.shape)
            form = int(rng.choice(3, p=(0.6, 0.2, 0.2)))
            wait = Wait(kind, colour if form != 2 else None, shape if form != 1 else None)
        if not any(wait.matches(e) for e in later):
            break
    return wait
