"""Batches for stage 2: stretches of training worlds with fresh questions, drawn by processes of
their own.

The curriculum lengthens the window: short and dense first, the deployed length last (a model that
was trained on short windows does poorly in late chunks).
"""

from __future__ import annotations

import multiprocessing as mp
from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from aura_core.cores import cores
from aura_core.sim.episode import DENSE_PLAN, TEST_PLAN, Episode, Plan
from aura_core.sim.talk import TOPICS
from aura_core.stream.prompt import PromptCodec
from aura_core.training.loss import Supervised
from aura_core.training.tiny.features import CHUNKS, WIDTH, FeatureBank, training_world
from aura_core.training.tiny.samples import Sample, build
from aura_core.training.tiny.targets import AWAITED

GROUP = 4  # batches that are drawn together and sorted by length: little padding


@dataclass(frozen=True)
class Stage:
    """Until this share of the time: windows of `chunks` (least, most), asked about by one of
    `plans`."""

    until: float
    chunks: tuple[int, int]
    plans: tuple[Plan, ...]


# What takes longest is asked more: where, how many of a kind, what came first, what happened, the
# single facts.
HARD = TOPICS | {
    "list": 0.12,
    "count_of": 0.12,
    "exists": 0.08,
    "where": 0.14,
    "person": 0.03,
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
MANY = Plan(min_gap=1, max_gap=3, proactive=(4, 10), multi=(0, 3), first=0, objects=0.6)
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
)
CURRICULUM = (
    Stage(0.40, (8, 14), (FOCUS, FOCUS, ONCE, MANY)),
    Stage(0.65, (20, 30), (FOCUS, ONCE, MANY, TEST_PLAN)),
    Stage(1.0, (30, 60), (FOCUS, FOCUS, FOCUS, ONCE, ONCE, ONCE, MANY, TEST_PLAN, DENSE_PLAN)),
)


@dataclass(frozen=True)
class Batch:
    """Right-padded sequences: ids (B, L), positions (3, B, L), visual (B, L), features (V, 2 *
    WIDTH)."""

    ids: torch.Tensor
    positions: torch.Tensor
    visual: torch.Tensor
    features: torch.Tensor
    at: torch.Tensor  # flat index into (B * L) of each supervised position
    supervised: Supervised
    answers: torch.Tensor
    awaited: torch.Tensor  # float32 (V, AWAITED), see `targets.awaited_in`
    decides: torch.Tensor  # flat index into (B * L) of each chunk's decision, C in all
    items: torch.Tensor  # int64 (C, 6, 3), see `targets.items_of`
    facts: torch.Tensor  # float32 (C, F), see `targets.facts_of`
    conditions: torch.Tensor  # float32 (C, CONDITIONS), see `targets.conditions_in`
    asked: torch.Tensor  # int64 (C,), see `targets.asked_in`
    ends: torch.Tensor  # flat index into (B * L) of the end of each chunk's answer, C in all
    closed: torch.Tensor  # float32 (C, WAITS), see `targets.closed_in`
    tokens: int  # without padding

    def to(self, device: str) -> Batch:
        """The batch on a device."""

        def move(value: Any) -> Any:
            if isinstance(value, Supervised):
                return Supervised(*(move(getattr(value, f.name)) for f in fields(value)))
            return value.to(device) if isinstance(value, torch.Tensor) else value

        return Batch(*(move(getattr(self, f.name)) for f in fields(self)))


def collate(samples: list[Sample], features: list[np.ndarray]) -> Batch:
    """Samples with the features (chunks, 12, 2 * WIDTH) of their chunks, to one batch."""
    b, length = len(samples), max(len(s.ids) for s in samples)
    ids = torch.zeros((b, length), dtype=torch.long)
    positions = torch.zeros((3, b, length), dtype=torch.long)
    visual = torch.zeros((b, length), dtype=torch.bool)
    for i, s in enumerate(samples):
        n = len(s.ids)
        ids[i, :n], visual[i, :n] = torch.from_numpy(s.ids), torch.from_numpy(s.visual)
        positions[:, i, :n] = torch.from_numpy(s.positions)

    def flat(name: str) -> torch.Tensor:
        return torch.from_numpy(np.concatenate([getattr(s, name) for s in samples]))

    row = torch.repeat_interleave(torch.arange(b), torch.tensor([len(s.at) for s in samples]))
    owner = length * torch.repeat_interleave(
        torch.arange(b), torch.tensor([len(s.chunks) for s in samples])
    )
    return Batch(
        ids,
        positions,
        visual,
        torch.from_numpy(
            np.concatenate([f.reshape(-1, 2 * WIDTH) for f in features]).astype(np.float32)
        ),
        row * length + flat("at"),
        Supervised(row, flat("target"), flat("silent"), flat("hard"), flat("event")),
        torch.tensor([s.answers for s in samples]),
        torch.from_numpy(np.concatenate([s.awaited.reshape(-1, AWAITED) for s in samples])),
        owner + flat("decides"),
        flat("items"),
        flat("facts"),
        flat("conditions"),
        flat("asked"),
        owner + flat("ends"),
        flat("closed"),
        sum(len(s.ids) for s in samples),
    )


def draw(
    rng: np.random.Generator,
    bank: FeatureBank,
    codec: PromptCodec,
    plans: tuple[Plan, ...],
    chunks: tuple[int, int],
    varied: bool = True,
) -> Iterator[tuple[Sample, np.ndarray]]:
    """Stretches of a random room, one after the other, of so many chunks (least, most), with fresh
    questions."""
    seed, features = bank[int(rng.integers(len(bank)))]
    plan = plans[int(rng.integers(len(plans)))]
    topics = HARD if plan in (FOCUS, ONCE, MANY) else TOPICS
    episode = Episode.generate(
        int(rng.integers(2**31)),
        CHUNKS,
        plan,
        training_world(seed),
        unseen=0.0,
        topics=topics,
        varied=varied,
    )
    start = 0 if rng.random() < 0.35 else int(rng.integers(0, chunks[0]))
    while start + (n := int(rng.integers(chunks[0], chunks[1] + 1))) <= CHUNKS:
        yield build(episode, codec, start, start + n), features[start : start + n]
        start += n


class BatchStream(IterableDataset[Batch]):
    """Endless batches of about `tokens` tokens; `progress`, set by the trainer (0 to 1), picks the
    stage."""

    def __init__(
        self, bank: FeatureBank, codec: PromptCodec, tokens: int, seed: int, begin: float = 0.0
    ) -> None:
        self._bank, self._codec, self._tokens, self._seed = bank, codec, tokens, seed
        self.progress = mp.get_context("fork").Value("d", begin)

    def __iter__(self) -> Iterator[Batch]:
        worker = get_worker_info()
        rng = np.random.default_rng([self._seed, 5, worker.id if worker else 0])
        while True:
            stage = next(s for s in CURRICULUM if self.progress.value <= s.until)
            groups = self._group(rng, stage)
            for i in rng.permutation(len(groups)):
                yield collate([s for s, _ in groups[i]], [f for _, f in groups[i]])

    def _group(
        self, rng: np.random.Generator, stage: Stage
    ) -> list[list[tuple[Sample, np.ndarray]]]:
        drawn: list[tuple[Sample, np.ndarray]] = []
        total = 0
        while total < GROUP * self._tokens:
            for pair in draw(rng, self._bank, self._codec, stage.plans, stage.chunks):
                drawn.append(pair)
                total += len(pair[0].ids)
        drawn.sort(key=lambda pair: len(pair[0].ids))
        ends = np.cumsum([len(s.ids) for s, _ in drawn])
        cuts = np.searchsorted(ends, np.arange(1, GROUP) * total / GROUP) + 1
        return [drawn[i:j] for i, j in zip([0, *cuts], [*cuts, len(drawn)], strict=True) if i < j]

    def loader(self) -> DataLoader[Batch]:
        """Draws ahead, in processes of its own."""
        return DataLoader(
            self,
            batch_size=None,
            num_workers=max(1, cores() - 1),
            prefetch_factor=2 * GROUP,
            multiprocessing_context="fork",
        )
