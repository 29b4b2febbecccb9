"""Stage 2: the language model learns when to speak and what to say, on frozen vision features.

The curriculum lengthens the window: short and dense first, the deployed length last (a model that was
trained on short windows does poorly in late chunks).
"""

from __future__ import annotations

import time
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from aura_core.sim.episode import DENSE_PLAN, TEST_PLAN, Episode, Plan
from aura_core.stream.prompt import PromptCodec
from aura_core.training.features import CHUNKS, WIDTH, FeatureBank, training_world
from aura_core.training.loss import Supervised, balanced_loss, plain_loss
from aura_core.training.samples import Sample, build
from aura_core.training.vision import optimizers


@dataclass(frozen=True)
class Stage:
    """Until this share of the time: windows of `chunks` (least, most), asked about by one of `plans`."""

    until: float
    chunks: tuple[int, int]
    plans: tuple[Plan, ...]


SHORT = Plan(min_gap=1, max_gap=3, proactive=(8, 20), multi=(0, 4), first=0)
MANY = Plan(min_gap=2, max_gap=6, proactive=(4, 10), multi=(0, 3), first=0)
# One or two lasting conditions, asked early: nearly every event of the window is a clear yes or no.
FOCUS = Plan(min_gap=5, max_gap=12, proactive=(0, 2), multi=(1, 2), triggers=0.8, first=0, early=0.25)
AUXILIARY = 0.5
CURRICULUM = (
    Stage(0.45, (8, 14), (FOCUS, FOCUS, FOCUS, MANY)),
    Stage(0.70, (20, 30), (FOCUS, FOCUS, MANY, TEST_PLAN)),
    Stage(1.0, (30, 60), (FOCUS, FOCUS, TEST_PLAN, TEST_PLAN, DENSE_PLAN)),
)


@dataclass(frozen=True)
class Batch:
    """Right-padded sequences: ids (B, L), positions (3, B, L), visual (B, L), features (V, 2 * WIDTH)."""

    ids: torch.Tensor
    positions: torch.Tensor
    visual: torch.Tensor
    features: torch.Tensor
    at: torch.Tensor  # flat index into (B * L) of each supervised position
    supervised: Supervised
    answers: torch.Tensor
    awaited: torch.Tensor  # float32 (V, 2), see `samples.awaited_in`

    def to(self, device: str) -> Batch:
        """The batch on a device."""

        def move(value: Any) -> Any:
            if isinstance(value, Supervised):
                return Supervised(*(move(getattr(value, f.name)) for f in fields(value)))
            return value.to(device)

        return Batch(*(move(getattr(self, f.name)) for f in fields(self)))


def collate(samples: list[Sample], features: list[np.ndarray]) -> Batch:
    """Samples with the features (chunks, 9, 2 * WIDTH) of their chunks, to one batch."""
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
    return Batch(
        ids, positions, visual,
        torch.from_numpy(np.concatenate([f.reshape(-1, 2 * WIDTH) for f in features]).astype(np.float32)),
        row * length + flat("at"),
        Supervised(row, flat("target"), flat("silent"), flat("hard"), flat("event")),
        torch.tensor([s.answers for s in samples]),
        torch.from_numpy(np.concatenate([s.awaited.reshape(-1, 2) for s in samples])),
    )  # fmt: skip


def logits_of(model: Any, batch: Batch) -> torch.Tensor:
    """float32 logits (N, vocabulary) at the supervised positions."""
    lm = model.model.language_model
    embeds = lm.embed_tokens(batch.ids)
    merged, deep = batch.features.split(WIDTH, dim=-1)
    embeds = embeds.masked_scatter(batch.visual[..., None], merged)
    hidden = lm(
        inputs_embeds=embeds, position_ids=batch.positions, visual_pos_masks=batch.visual,
        deepstack_visual_embeds=[deep], use_cache=False,
    ).last_hidden_state  # fmt: skip
    return model.lm_head(hidden.flatten(0, 1)[batch.at])


class Matching:
    """Auxiliary loss: visual tokens know, after the third layer, whether their object is awaited.

    An event is rare, an object in view is not: this teaches matching what is seen with what was asked every second, and
    leaves only its use to the decision. The linear read-out is thrown away after training.
    """

    def __init__(self, lm: Any) -> None:
        self.head = torch.nn.Linear(WIDTH, 2)
        self._hidden: torch.Tensor | None = None
        lm.layers[2].register_forward_hook(self._keep)

    def _keep(self, _module: Any, _inputs: Any, output: Any) -> None:
        self._hidden = output[0] if isinstance(output, tuple) else output

    def __call__(self, batch: Batch) -> torch.Tensor:
        """Mean binary cross-entropy over the occupied cells of the batch that `logits_of` ran last; a scalar."""
        assert self._hidden is not None
        logits = self.head(self._hidden[batch.visual])
        known = ~batch.awaited.isnan()
        return F.binary_cross_entropy_with_logits(logits[known], batch.awaited[known])


def draw(
    rng: np.random.Generator, bank: FeatureBank, codec: PromptCodec, plans: tuple[Plan, ...], n: int
) -> tuple[Sample, np.ndarray]:
    """A random stretch of `n` chunks of a random world with fresh questions."""
    seed, features = bank[int(rng.integers(len(bank)))]
    plan = plans[int(rng.integers(len(plans)))]
    episode = Episode.generate(int(rng.integers(2**31)), CHUNKS, plan, training_world(seed))
    start = 0 if rng.random() < 0.35 else int(rng.integers(0, CHUNKS - n + 1))
    return build(episode, codec, start, start + n), features[start : start + n]


def teacher_forced(model: Any, batches: list[tuple[Batch, list[Sample], list[Episode]]]) -> dict[str, float]:
    """Quick development figures; the true ones are free-running (`aura eval sim`)."""
    right: dict[str, list[bool]] = {k: [] for k in ("real-time", "due", "due text", "false alarm", "chatter")}
    for batch, samples, episodes in batches:
        with torch.no_grad():
            guess = logits_of(model, batch).argmax(-1)
        good = (guess == batch.supervised.target).cpu().numpy()
        offset = 0
        for s, e in zip(samples, episodes, strict=True):
            ok = good[offset : offset + len(s.at)]
            offset += len(s.at)
            dues, asks = {d.chunk for d in e.dues}, {a.chunk: a for a in e.asks}
            for c in s.chunks:
                mine = ok[s.chunk == c]
                if c in dues:
                    right["due"].append(bool(mine[0]))
                    right["due text"].append(bool(mine.all()))
                elif c in asks:
                    if asks[c].condition is None:
                        right["real-time"].append(bool(mine.all()))
                elif e.world.event_at(c) is not None:
                    right["false alarm"].append(not mine[0])
                else:
                    right["chatter"].append(not mine[0])
    return {k: float(np.mean(v)) if v else float("nan") for k, v in right.items()}


def train(
    model: Any, codec: PromptCodec, tower: dict[str, torch.Tensor], folder: Path, minutes: float, *,
    lr: float = 2e-3, tokens: int = 4096, worlds: int = 1400, seed: int = 0, loss: str = "balanced",
    begin: float = 0.0, save: Any = None, device: str = "cpu",
) -> None:  # fmt: skip
    """Train the language model in place for `minutes`; `begin` skips that share of the curriculum."""
    torch.manual_seed(seed)
    torch.set_flush_denormal(True)
    model.model.visual.load_state_dict(tower)
    model.model.visual.requires_grad_(False)
    model.to(device)
    dev = FeatureBank(folder / "dev.f16", 410_000, 48)
    dev.fill(tower)
    bank = FeatureBank(folder / "train.f16", 1_000, worlds)
    bank.fill(tower)
    torch.set_num_threads(2)
    held = []
    for i in range(0, 48, 8):
        seeds = range(dev.first_seed + i, dev.first_seed + i + 8)
        episodes = [Episode.generate(k, CHUNKS, TEST_PLAN, training_world(k)) for k in seeds]
        samples = [build(e, codec, 0, 60) for e in episodes]
        batch = collate(samples, [dev[k][1][:60] for k in range(i, i + 8)]).to(device)
        held.append((batch, samples, episodes))
    matching = Matching(model.model.language_model)
    parameters = torch.nn.ModuleDict({"lm": model.model.language_model, "main": matching.head})
    parameters.to(device)
    opts = optimizers(parameters, lr)
    rng = np.random.default_rng([seed, 5])
    start, step, seen, reported = time.monotonic(), 0, 0, 0.0
    while (used := (time.monotonic() - start) / (60 * minutes)) < 1.0:
        progress = begin + (1.0 - begin) * used
        stage = next(s for s in CURRICULUM if progress <= s.until)
        samples, features, total = [], [], 0
        n = int(rng.integers(stage.chunks[0], stage.chunks[1] + 1))  # one length a batch: little padding
        while total < tokens:
            s, f = draw(rng, bank, codec, stage.plans, n)
            samples.append(s)
            features.append(f)
            total += len(s.ids)
        batch = collate(samples, features).to(device)
        scale = min(1.0, (step + 1) / 100) * max(0.01, min(1.0, (1.0 - used) / 0.7))
        for opt in opts:
            for group in opt.param_groups:
                group["lr"] = lr * scale
        logits = logits_of(model, batch)
        match = matching(batch)
        value = AUXILIARY * match + (
            balanced_loss(logits, batch.supervised, len(samples), batch.answers)
            if loss == "balanced"
            else plain_loss(logits, batch.supervised)
        )
        parameters.zero_grad(set_to_none=True)
        value.backward()
        torch.nn.utils.clip_grad_norm_(parameters.parameters(), 1.0)
        for opt in opts:
            opt.step()
        step, seen = step + 1, seen + total
        minute = used * minutes
        if minute - reported >= 2.0:
            reported = minute
            figures = " ".join(f"{k} {v:.3f}" for k, v in teacher_forced(model, held).items())
            rate = seen / (minute * 60)
            head = f"{minute:.1f} min step {step} {rate:.0f} tok/s worlds {len(bank)}"
            print(f"{head} loss {value.item():.4f} match {match.item():.4f}", end=" | ")
            print(figures, flush=True)
            if save is not None:
                save()
