"""Batches for stage 2: stretches of training worlds with fresh questions, drawn by the processes of
a `Store`.

The curriculum lengthens the window: short and dense first, the deployed length last (a model that
was trained on short windows does poorly in late chunks).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from aura_core.sim.episode import DENSE_PLAN, TEST_PLAN, Ask, Episode, Plan
from aura_core.sim.memory import MemoryTalk
from aura_core.sim.talk import TOPICS
from aura_core.sim.world import BUSY
from aura_core.stream.prompt import PromptCodec
from aura_core.training.loss import Supervised
from aura_core.training.tiny.remembered import Noted, noted, past, question, remembering
from aura_core.training.tiny.samples import Sample, build
from aura_core.training.tiny.store import CHUNKS, Store, pace_of, training_world
from aura_core.training.tiny.targets import AWAITED

# Seconds by which the truth of a world's events is moved, another time in each episode: just before
# and after an event is complete, both to speak and to wait are right once.
MARGIN_S = 0.06
CHINESE_SHARE = 0.33  # of episodes: more than tests ask for, its characters are met less often
GROUP = 4  # batches that are drawn together and sorted by length: little padding


@dataclass(frozen=True)
class Stage:
    """Until this share of the time: windows of `chunks` (least, most), asked about by one of
    `plans`; `past` is the share of tokens of windows that are there for questions about the
    past."""

    until: float
    chunks: tuple[int, int]
    plans: tuple[Plan, ...]
    past: float = 0.2


# What takes longest is asked more: where, how many of a kind, what came first, what happened, the
# single facts.
HARD = TOPICS | {
    "list": 0.12,
    "count_of": 0.12,
    "exists": 0.08,
    "where": 0.14,
    "person": 0.03,
    "who": 0.02,
    "pose": 0.03,
    "where_person": 0.04,
    "door": 0.04,
    "lamp": 0.06,
    "kettle": 0.04,
    "cup": 0.04,
    "night": 0.03,
    "took": 0.07,
    "brought": 0.06,
    "last": 0.08,
    "order": 0.14,
}
MANY = Plan(
    min_gap=1,
    max_gap=3,
    proactive=(4, 10),
    multi=(0, 3),
    first=0,
    objects=0.6,
    follows=0.25,
    odd=0.05,
)
# One or two lasting conditions, asked early: nearly every event of the window is a clear yes or no.
FOCUS = Plan(
    min_gap=1,
    max_gap=3,
    proactive=(0, 2),
    multi=(1, 2),
    triggers=0.8,
    first=0,
    early=0.25,
    objects=0.85,
    follows=0.25,
    odd=0.05,
)
# One-time questions by colour, by shape or for anything: what they wait for happens again after
# they are answered.
ONCE = Plan(
    min_gap=1,
    max_gap=3,
    proactive=(2, 3),
    multi=(0, 1),
    triggers=0.9,
    first=0,
    early=0.15,
    objects=0.9,
    exact=0.3,
    follows=0.25,
    odd=0.05,
)
# Many open conditions, and as few questions about now as tests ask.
WATCHES = Plan(
    min_gap=3,
    max_gap=9,
    proactive=(2, 6),
    multi=(1, 4),
    triggers=0.85,
    first=0,
    early=0.4,
    objects=0.5,
    follows=0.15,
    odd=0.08,
)
# Windows that are there for the past: short, with questions in most chunks.
PAST_PLAN = Plan(min_gap=1, max_gap=2, proactive=(0, 1), multi=(0, 1), first=0, early=1.0)
PAST_CHUNKS, PAST_GROUPS = (1, 3), 2
# Share of questions about now that give way to one about the past; questions about the past beside
# the conversation, in a chunk; share of chunks after which a note is asked for. In short windows,
# and in all others.
REPLACED, BESIDES, NOTED = (0.5, 0.15), ((5, 10), (-3, 2)), (0.0, 0.3)
DENSE = 16  # chunks: longer windows have no more of these than one of so many
TOLD = (0.1, 0.2)  # share of windows with memory in the system turn
MEMORY_TOKENS = (20, 300)  # least and most of it
AT_EVENTS = 0.4  # share of episodes that are asked about also in the very chunk of an event
CURRICULUM = (
    Stage(0.2, (8, 14), (FOCUS, FOCUS, ONCE, MANY)),
    Stage(0.4, (20, 30), (FOCUS, FOCUS, ONCE, MANY, WATCHES, TEST_PLAN)),
    Stage(
        1.0,
        (30, 60),
        (FOCUS, FOCUS, FOCUS, ONCE, ONCE, MANY, WATCHES, WATCHES, TEST_PLAN, DENSE_PLAN),
    ),
)
# Of a model that knows the room and learns of the past. Most of a day nothing is said.
CALM_PLAN = Plan(min_gap=15, max_gap=90, proactive=(0, 1), multi=(0, 1), first=0)
_CONTINUED = (FOCUS, ONCE, MANY, WATCHES, TEST_PLAN, DENSE_PLAN, CALM_PLAN, CALM_PLAN)
CONTINUED = (
    Stage(0.2, (6, 14), _CONTINUED, 0.35),
    Stage(0.5, (12, 28), _CONTINUED, 0.3),
    Stage(1.0, (28, 60), _CONTINUED, 0.25),
)


Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Batch:
    """Right-padded sequences on a device: ids (B, L), positions (3, B, L), and the features of
    their visual tokens (V, 2 * WIDTH), at the flat places `visual` (V,) of (B * L)."""

    ids: torch.Tensor
    positions: torch.Tensor
    visual: torch.Tensor
    rows: torch.Tensor  # which chunk of the bank each of the C chunks is, int64 (C,)
    at: torch.Tensor  # flat index into (B * L) of each supervised position
    supervised: Supervised
    answers: torch.Tensor
    awaited: torch.Tensor  # float32 (V, AWAITED), see `targets.awaited_in`
    decides: torch.Tensor  # flat index into (B * L) of each chunk's decision, C in all
    items: torch.Tensor  # int64 (C, 6, 3), see `targets.items_of`
    facts: torch.Tensor  # float32 (C, F), see `targets.facts_of`
    conditions: torch.Tensor  # float32 (C, CONDITIONS), see `targets.conditions_in`
    met: torch.Tensor  # float32 (C, WAITS), see `targets.met_in`
    asked: torch.Tensor  # int64 (C,), see `targets.asked_in`
    ends: torch.Tensor  # flat index into (B * L) of the end of each chunk's answer, C in all
    closed: torch.Tensor  # float32 (C, WAITS), see `targets.closed_in`
    branch: torch.Tensor | None  # int64 (B, L), see `forward.hidden_of`
    tokens: int  # without padding


def collate(samples: list[Sample], rows: list[NDArray[np.int64]]) -> Arrays:
    """Samples, and which chunks of the bank (chunks,) they show, to the arrays of one batch: small
    types, for the way between processes."""
    b, length = len(samples), max(len(s.ids) for s in samples)
    ids = np.zeros((b, length), np.int16)
    positions = np.zeros((3, b, length), np.int16)
    visual = np.zeros((b, length), np.bool_)
    branch = np.zeros((b, length), np.int8)
    for i, s in enumerate(samples):
        n = len(s.ids)
        ids[i, :n], visual[i, :n] = s.ids, s.visual
        positions[:, i, :n] = s.positions
        branch[i, :n] = s.branch

    def flat(name: str) -> NDArray[Any]:
        return np.concatenate([getattr(s, name) for s in samples])

    def small(values: NDArray[np.float32]) -> NDArray[np.int8]:
        return np.where(np.isnan(values), -1, values).astype(np.int8)

    row = np.repeat(np.arange(b), [len(s.at) for s in samples])
    owner = length * np.repeat(np.arange(b), [len(s.chunks) for s in samples])
    return {
        "ids": ids,
        "positions": positions,
        "visual": np.flatnonzero(visual).astype(np.int32),
        "rows": np.concatenate(rows).astype(np.int32),
        "at": (row * length + flat("at")).astype(np.int32),
        "row": row.astype(np.int32),
        "target": flat("target").astype(np.int16),
        "flags": (flat("silent") + 2 * flat("hard") + 4 * flat("event")).astype(np.uint8),
        "answers": np.asarray([s.answers for s in samples], np.int16),
        "awaited": small(np.concatenate([s.awaited.reshape(-1, AWAITED) for s in samples])),
        "decides": (owner + flat("decides")).astype(np.int32),
        "items": flat("items").astype(np.int8),
        "facts": small(flat("facts")),
        "conditions": flat("conditions").astype(np.int8),
        "met": flat("met").astype(np.int8),
        "asked": flat("asked").astype(np.int16),
        "ends": (owner + flat("ends")).astype(np.int32),
        "closed": small(flat("closed")),
        "branch": branch,
        "tokens": np.asarray(sum(len(s.ids) for s in samples)),
    }


def on(arrays: Arrays, device: str) -> Batch:
    """The batch of `collate` on a device."""
    t = {}
    for name, value in arrays.items():
        part = torch.from_numpy(value)
        t[name] = part.pin_memory().to(device, non_blocking=True) if device != "cpu" else part

    def whole(name: str) -> torch.Tensor:
        return t[name].long()

    def known(name: str) -> torch.Tensor:
        return torch.where(t[name] < 0, torch.nan, t[name].float())

    flags = t["flags"]
    return Batch(
        whole("ids"),
        whole("positions"),
        whole("visual"),
        whole("rows"),
        whole("at"),
        Supervised(
            whole("row"), whole("target"), (flags & 1) > 0, (flags & 2) > 0, (flags & 4) > 0
        ),
        whole("answers"),
        known("awaited"),
        whole("decides"),
        whole("items"),
        known("facts"),
        t["conditions"].float(),
        t["met"].float(),
        whole("asked"),
        whole("ends"),
        known("closed"),
        whole("branch") if arrays["branch"].any() else None,
        int(arrays["tokens"]),
    )


def windows(
    rng: np.random.Generator,
    place: int,
    codec: PromptCodec,
    plans: tuple[Plan, ...],
    chunks: tuple[int, int],
    varied: bool = True,
    unseen: float = 0.0,
    memory: bool = True,
) -> Iterator[tuple[Sample, Episode]]:
    """Stretches of the room at a place of the store, one after the other, of so many chunks (least,
    most), with fresh questions, this share of them in phrasings kept out of training; and the
    conversation that each is a window of. `memory`: with questions about the past and notes."""
    plan = plans[int(rng.integers(len(plans)))]
    topics = HARD if plan in (FOCUS, ONCE, MANY) else TOPICS
    long = int(plan != PAST_PLAN)
    if plan != TEST_PLAN:
        plan = replace(plan, at_events=bool(rng.random() < AT_EVENTS))
    room = training_world(Store.seed(place))
    room = room.looked_at(room.looks, float(rng.uniform(-MARGIN_S, MARGIN_S)))
    language = "zh" if rng.random() < CHINESE_SHARE else "en"
    episode = Episode.generate(
        int(rng.integers(2**31)),
        CHUNKS,
        plan,
        room,
        language,
        unseen=unseen,
        topics=topics,
        varied=varied,
    )
    talk = MemoryTalk(language, unseen)
    other = MemoryTalk("en" if language == "zh" else "zh")
    groups = 10 if long else int(rng.integers(1, PAST_GROUPS + 1))
    start = 0 if rng.random() < 0.35 else int(rng.integers(0, chunks[0]))
    while start + (n := int(rng.integers(chunks[0], chunks[1] + 1))) <= CHUNKS:
        stop, since = start + n, start + 1 if start else 0
        if not memory:
            yield build(episode, codec, start, stop), episode
            start = stop
            continue
        tokens = (
            int(np.exp(rng.uniform(*np.log(MEMORY_TOKENS)))) if rng.random() < TOLD[long] else 0
        )
        before = past(rng, talk, tokens, codec.question_tokens)
        episode = remembering(rng, episode, talk, since, stop, REPLACED[long], before)
        asides: list[Noted | Ask] = []
        fewer = min(1.0, DENSE / n) if long else 1.0
        for chunk in range(since, stop):
            most = int(rng.integers(*BESIDES[long], endpoint=True))
            for _ in range(most if rng.random() < fewer else 0):
                asides += filter(None, [question(rng, talk, room, since, chunk, before)])
            if rng.random() < NOTED[long] * fewer:
                writer = talk if rng.random() < 0.7 else other
                note = noted(rng, writer, codec.chat.memory.note, room, since, chunk + 1)
                asides += [note] * bool(note.text or rng.random() < 0.5)
        yield build(episode, codec, start, stop, groups, before.text, asides), episode
        start = stop + (0 if long else int(rng.integers(0, 15)))


@dataclass(frozen=True)
class Drawer:
    """Called by a store's worker: a few batches of about `tokens` tokens, for the stage of the
    curriculum that `progress` (0 to 1) is in. Their sequences are of about one length. Of the busy
    rooms the share `calmer` is passed over."""

    codec: PromptCodec
    tokens: int
    stages: tuple[Stage, ...] = CURRICULUM
    calmer: float = 0.0

    def __call__(
        self, rng: np.random.Generator, places: NDArray[np.int64], progress: float
    ) -> list[Arrays]:
        stage = next(s for s in self.stages if progress <= s.until)
        drawn: list[tuple[Sample, NDArray[np.int64]]] = []
        spent = {True: 1e-9, False: 1e-9}  # tokens of windows for the past, and of others
        while (total := sum(spent.values())) < GROUP * self.tokens:
            place = int(places[rng.integers(len(places))])
            if self.calmer and pace_of(Store.seed(place)) is BUSY and rng.random() < self.calmer:
                continue
            short = spent[True] / (spent[True] + spent[False]) < stage.past
            plans, chunks = ((PAST_PLAN,), PAST_CHUNKS) if short else (stage.plans, stage.chunks)
            for sample, _ in windows(rng, place, self.codec, plans, chunks):
                drawn.append((sample, place * CHUNKS + np.asarray(sample.chunks)))
                spent[short] += len(sample.ids)
        drawn.sort(key=lambda pair: len(pair[0].ids))
        ends = np.cumsum([len(s.ids) for s, _ in drawn])
        cuts = np.searchsorted(ends, np.arange(1, GROUP) * total / GROUP) + 1
        groups = [drawn[i:j] for i, j in zip([0, *cuts], [*cuts, len(drawn)], strict=True) if i < j]
        order = rng.permutation(len(groups))
        return [collate([s for s, _ in groups[i]], [r for _, r in groups[i]]) for i in order]
