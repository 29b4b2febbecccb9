"""Stage 2: the language model learns when to speak and what to say, on frozen vision features."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from aura_core.models.families.base import Block, Features
from aura_core.plain import one_of
from aura_core.sim.episode import TEST_PLAN, Episode
from aura_core.stream.prompt import PromptCodec
from aura_core.training.loss import balanced_loss, plain_loss
from aura_core.training.tiny.auxiliary import Auxiliary
from aura_core.training.tiny.batches import Batch, BatchStream, collate
from aura_core.training.tiny.features import (
    CHUNKS,
    FIRST_DEV_SEED,
    FIRST_SEED,
    WIDTH,
    FeatureBank,
    fingerprint,
    training_world,
)
from aura_core.training.tiny.model import FAMILY
from aura_core.training.tiny.samples import Sample, build
from aura_core.training.tiny.settings import LOSSES
from aura_core.training.tiny.vision import optimizers


def logits_of(model: Any, batch: Batch) -> torch.Tensor:
    """float32 logits (N, vocabulary) at the supervised positions."""
    merged, deep = batch.features.split(WIDTH, dim=-1)
    block = Block(batch.ids, batch.positions, batch.visual, Features(merged, (deep,)))
    hidden = FAMILY.hidden(model, block)
    return FAMILY.logits(model, hidden.flatten(0, 1)[batch.at])


def teacher_forced(
    model: Any, batches: list[tuple[Batch, list[Sample], list[Episode]]]
) -> dict[str, float]:
    """Quick development figures; the true ones are free-running (`aura eval sim`)."""
    right: dict[str, list[bool]] = {
        k: [] for k in ("real-time", "due", "due text", "false alarm", "chatter")
    }
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
    model: Any,
    codec: PromptCodec,
    tower: dict[str, torch.Tensor],
    folder: Path,
    minutes: float,
    *,
    lr: float = 2e-3,
    tokens: int = 4096,
    worlds: int = 1400,
    seed: int = 0,
    loss: str = "balanced_all",
    begin: float = 0.0,
    save: Any = None,
    device: str = "cpu",
) -> None:
    """Train the language model in place for `minutes`; `begin` skips that share of the
    curriculum."""
    one_of("loss", loss, LOSSES)
    torch.manual_seed(seed)
    torch.set_flush_denormal(True)
    model.model.visual.load_state_dict(tower)
    model.model.visual.requires_grad_(False)
    model.to(device)
    eyes = fingerprint(tower)
    dev = FeatureBank(folder / f"dev-{eyes}.f16", FIRST_DEV_SEED, 48)
    dev.fill(tower)
    bank = FeatureBank(folder / f"train-{eyes}.f16", FIRST_SEED, worlds)
    bank.fill(tower)
    torch.set_num_threads(2)
    held = []
    for i in range(0, 48, 8):
        seeds = range(dev.first_seed + i, dev.first_seed + i + 8)
        episodes = [Episode.generate(k, CHUNKS, TEST_PLAN, training_world(k)) for k in seeds]
        samples = [build(e, codec, 0, 60) for e in episodes]
        batch = collate(samples, [dev[k][1][:60] for k in range(i, i + 8)]).to(device)
        held.append((batch, samples, episodes))
    auxiliary = Auxiliary(model.model.language_model)
    heads = folder / "auxiliary.pt"
    if heads.exists():  # read-outs drawn anew would disturb a model that is trained on
        auxiliary.heads.load_state_dict(torch.load(heads, weights_only=True, map_location="cpu"))
    parameters = torch.nn.ModuleDict({"lm": model.model.language_model, "main": auxiliary.heads})
    parameters.to(device)
    opts = optimizers(parameters, lr)
    stream = BatchStream(bank, codec, tokens, seed, begin)
    start, step, seen, reported = time.monotonic(), 0, 0, 0.0
    for batch in stream.loader():
        used = (time.monotonic() - start) / (60 * minutes)
        if used >= 1.0:
            break
        stream.progress.value = begin + (1.0 - begin) * used
        batch = batch.to(device)
        scale = min(1.0, (step + 1) / 100) * max(0.01, min(1.0, (1.0 - used) / 0.7))
        for opt in opts:
            for group in opt.param_groups:
                group["lr"] = lr * scale
        logits = logits_of(model, batch)
        aside = auxiliary(batch)
        value = aside + (
            plain_loss(logits, batch.supervised)
            if loss == "plain"
            else balanced_loss(logits, batch.supervised, len(batch.ids), batch.answers)
        )
        parameters.zero_grad(set_to_none=True)
        value.backward()
        torch.nn.utils.clip_grad_norm_(parameters.parameters(), 1.0)
        for opt in opts:
            opt.step()
        step, seen = step + 1, seen + batch.tokens
        minute = used * minutes
        if minute - reported >= 4.0:
            reported = minute
            figures = " ".join(f"{k} {v:.3f}" for k, v in teacher_forced(model, held).items())
            rate = seen / (minute * 60)
            head = f"{minute:.1f} min step {step} {rate:.0f} tok/s worlds {len(bank)}"
            print(f"{head} loss {value.item():.4f} auxiliary {aside.item():.4f}", end=" | ")
            print(figures, flush=True)
            torch.save(auxiliary.heads.state_dict(), heads)
            if save is not None:
                save()
    torch.save(auxiliary.heads.state_dict(), heads)
