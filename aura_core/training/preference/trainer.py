"""Trains decisions by preference or reward: rounds of rollouts and updates until the time is spent.

    rooms -> Rollouts.play -> lessons -> objective + anchor -> AdamW     OUT/train.log  OUT/model

The vision encoder is frozen, all other weights are trained. Where a window was seen but not chosen
from, and where a question was answered, the model is held to the first checkpoint by the
Kullback-Leibler divergence from it (the anchor): what is trained is the doubtful decisions alone.
"""

from __future__ import annotations

import copy
import math
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch

from aura_core.config import ModelConfig
from aura_core.errors import ConfigError, ModelError
from aura_core.models.local import LocalBackend
from aura_core.training.finetune.opening import open_base
from aura_core.training.finetune.saving import base_folder
from aura_core.training.preference.forks import Seeing
from aura_core.training.preference.lessons import (
    OBJECTIVES,
    Grouping,
    Lesson,
    Pairing,
    useful,
)
from aura_core.training.preference.rollouts import Played, Rollouts
from aura_core.training.preference.rooms import Room, room_of, watched
from aura_core.training.preference.rows import Row, predicted, row_of
from aura_core.training.preference.saving import save
from aura_core.training.preference.settings import PreferenceRecipe

WARM_UP = 5  # updates in which the learning rate rises
FLOOR = 0.02  # share of the learning rate that is left at the end
BETAS = (0.9, 0.95)

Told = Callable[[str, float, str], None]


class PreferenceTrainer:
    """One run.

    Args:
        recipe: see `settings`.
        out: folder for the result.
        told: hears of the stage, the share of the run that is done and figures.

    Raises:
        ConfigError, ModelError: the checkpoint cannot be trained so.
    """

    def __init__(
        self, recipe: PreferenceRecipe, out: Path, told: Told = lambda stage, share, line: None
    ) -> None:
        self.recipe, self.out, self._told = recipe, out, told
        config = ModelConfig(recipe.model, "float32", recipe.device, "sdpa")
        self.backend, added = open_base(config)
        check(self.backend, added)
        self._base = base_folder(recipe.model)
        torch.manual_seed(recipe.seed)
        self.model, self.family = self.backend.model, self.backend.family
        self._first = copy.deepcopy(self.model).requires_grad_(False)
        self.model.requires_grad_(True)
        self.family.vision(self.model).requires_grad_(False)
        self._trained = [p for p in self.model.parameters() if p.requires_grad]
        self._optimizer = torch.optim.AdamW(
            self._trained, lr=recipe.lr, betas=BETAS, weight_decay=0.0
        )
        self.rollouts = Rollouts(Seeing(self.backend), recipe)
        self._silent = self.rollouts.engine.decider.silent_ids
        self._rng = np.random.default_rng([recipe.seed, 72])
        self.seed = recipe.first  # of the next room
        self.updates = 0
        self._begun = 0.0

    @property
    def used(self) -> float:
        """Share of the run's time that is spent."""
        return (time.monotonic() - self._begun) / (60 * self.recipe.minutes)

    def run(self) -> Path:
        """Train until the time is spent, and write the result. Returns its folder.

        Raises `ModelError` when the loss is not finite.
        """
        self._begun = time.monotonic()
        while self.used < 1.0:
            lessons = self.collect()
            if lessons:
                self.learn(lessons)
        save(self.backend, self._base, self.out / "model")
        return self.out / "model"

    # ---- rollouts ----------------------------------------------------------------------------

    def collect(self) -> list[Lesson]:
        """Play the rooms of a round, and return what they teach."""
        lessons: list[Lesson] = []
        tally: Counter[str] = Counter()
        for _ in range(self.recipe.rooms):
            played = self.rollouts.play(self._next_room())
            tally += _tally(played)
            for view in played.views:
                choices = useful(view, self.recipe)
                if choices:
                    codec = self.rollouts.engine.codec
                    row = row_of(view, choices, codec, self.family, self.backend.device)
                    lessons.append(self._lesson(row))
            if self.used >= 1.0:
                break
        words = " ".join(f"{name} {tally[name]}" for name in _COUNTED)
        taught = sum(len(lesson.row.choices) for lesson in lessons)
        self._told("rollouts", min(1.0, self.used), f"{words} learned from {taught}")
        return lessons

    def _next_room(self) -> Room:
        """The next training room in which something is waited for."""
        while True:
            room = room_of(self.seed, self.recipe.seconds)
            self.seed += 1
            if watched(room):
                return room

    @torch.no_grad()
    def _lesson(self, row: Row) -> Lesson:
        old, _ = predicted(self.family, self.model, row, self._silent)
        before, taught = predicted(self.family, self._first, row, self._silent)
        return Lesson(row, old, before, taught)

    # ---- updates -----------------------------------------------------------------------------

    def learn(self, lessons: Sequence[Lesson]) -> None:
        """Learn from the lessons of a round, `epochs` times. Raises `ModelError`."""
        objective = OBJECTIVES[self.recipe.method](lessons, self.recipe)
        kinds = Counter(objective.kinds)
        losses, apart = [], []
        for _ in range(self.recipe.epochs):
            for batch in self._batches(lessons, objective):
                if self.used >= 1.0:
                    break
                loss, anchor = self.update(batch, objective)
                losses.append(loss)
                apart.append(anchor)
        if losses:
            better = " ".join(f"{kind} {n}" for kind, n in sorted(kinds.items()))
            self._told(
                "updates",
                min(1.0, self.used),
                f"update {self.updates} better {better} loss {np.mean(losses):.4f} anchor"
                f" {np.mean(apart):.5f} lr {self._rate():.1e}",
            )

    def _batches(
        self, lessons: Sequence[Lesson], objective: Pairing | Grouping
    ) -> list[list[Lesson]]:
        """The lessons in a new order, in batches of about `batch` decisions each."""
        total = sum(map(objective.number, lessons))
        size = total / max(1, round(total / self.recipe.batch))
        batches: list[list[Lesson]] = [[]]
        taken = 0
        for i in self._rng.permutation(len(lessons)):
            if taken >= size * len(batches):
                batches.append([])
            batches[-1].append(lessons[int(i)])
            taken += objective.number(lessons[int(i)])
        return [batch for batch in batches if batch]

    def update(self, batch: Sequence[Lesson], objective: Pairing | Grouping) -> tuple[float, float]:
        """Do one update. Returns the mean loss of a decision, and the mean divergence of an anchor.

        Raises `ModelError` when the loss is not finite.
        """
        number = sum(map(objective.number, batch))
        anchors = max(1, sum(len(lesson.row.anchors) for lesson in batch))
        self._optimizer.zero_grad(set_to_none=True)
        loss = anchor = 0.0
        for lesson in batch:
            log_p, told = predicted(self.family, self.model, lesson.row, self._silent)
            mine = objective(lesson, log_p) / number
            apart = divergence(lesson.taught, told) / anchors
            (mine + self.recipe.anchor * apart).backward()
            loss, anchor = loss + float(mine.detach()), anchor + float(apart.detach())
        norm = float(torch.nn.utils.clip_grad_norm_(self._trained, self.recipe.clip))
        if not math.isfinite(loss) or not math.isfinite(norm):
            raise ModelError(
                f"update {self.updates + 1}: the loss is {loss}, its gradient {norm}: lower --lr"
            )
        for group in self._optimizer.param_groups:
            group["lr"] = self._rate()
        self._optimizer.step()
        self.updates += 1
        return loss, anchor

    def _rate(self) -> float:
        warm = min(1.0, (self.updates + 1) / WARM_UP)
        return self.recipe.lr * warm * max(FLOOR, 1.0 - self.used)


def divergence(taught: torch.Tensor, told: torch.Tensor) -> torch.Tensor:
    """Sum of KL(first || model) over the anchors, a scalar; both log-probabilities, (A, V)."""
    return (taught.exp() * (taught - told)).sum()


def check(backend: LocalBackend, added: bool) -> None:
    """Refuse a checkpoint whose decisions cannot be trained here. Raises `ConfigError`."""
    chat = backend.chat
    if added or not chat.trained_to_decide:
        raise ConfigError(
            f"{backend.name}: was not trained to decide; train it with `aura train model` first"
        )
    if chat.grammar is not None or chat.thought:
        what = "decides by markers" if chat.grammar is not None else "thinks before it answers"
        raise ConfigError(
            f"{backend.name}: {what}; preference training takes checkpoints that decide by one"
            " silent token"
        )


_COUNTED = ("rooms", "due", "told", "words_right", "false_alarms", "tried")


def _tally(played: Played) -> Counter[str]:
    s = played.score
    in_time = [m for m in s.matched if m.in_time]
    return Counter(
        rooms=1,
        due=len(s.matched),
        told=len(in_time),
        words_right=sum(m.text == m.due.text for m in in_time),
        false_alarms=len(s.false_alarms),
        tried=sum(len(v.choices) for v in played.views),
    )
