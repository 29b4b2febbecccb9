"""Ablations on the simulator: one thing changed, everything else equal to the last batch, both arms
printed.

The arms start from the same weights and see the same batches in the same order, with the vision
tower of a finished checkpoint frozen; each is then played free-running on development seeds. The
two departures of `balanced_all` are off, so that its arm differs from `balanced` in nothing but the
answers that are supervised.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from aura_core.config import AssistantConfig, ModelConfig, WindowConfig
from aura_core.cores import cores
from aura_core.errors import ConfigError
from aura_core.evaluation.sim import evaluate
from aura_core.models import load
from aura_core.sim.episode import TEST_PLAN
from aura_core.stream.prompt import PromptCodec
from aura_core.training.loss import Supervised, loss_of
from aura_core.training.tiny.auxiliary import Auxiliary
from aura_core.training.tiny.batches import FOCUS, Batch, collate, on, windows
from aura_core.training.tiny.forward import logits_of
from aura_core.training.tiny.language import encoded
from aura_core.training.tiny.settings import Budget
from aura_core.training.tiny.store import CHUNKS, HELD, Pictures, Store, nothing_drawn
from aura_core.training.tiny.vision import optimizers

ARMS = {"loss": ("plain", "balanced"), "last-only": ("balanced", "balanced_all")}
WINDOWS = ((8, 14), (15, 30), (30, 60))
FIRST_DEV = 420_000  # seeds of the evaluation: neither trained on nor kept for tests


def ablate(what: str, model: str, work: Path, budget: Budget) -> dict[str, Any]:
    """Run an ablation: `loss`, `last-only` or `window`; its arms by name, each with the figures of
    `aura eval sim`.

    Args:
        model: the checkpoint whose vision tower sees (and which `window` plays): aura_tiny, or a
            folder of its kind.
        work: folder of the cached features; an arm that is done is kept there and not run again.
            Both are named by the
            checkpoint's weights: its path may hold others tomorrow.
    """
    if what == "window":
        told = {
            f"{keep}/{most}": _play(load(ModelConfig(model)), budget, keep, most)
            for keep, most in WINDOWS
        }
        return {"what": what, "model": model, "episodes": budget.episodes, "arms": told}
    if what not in ARMS:
        raise ConfigError(f"--what must be one of {', '.join([*ARMS, 'window'])}, not '{what}'")
    work.mkdir(parents=True, exist_ok=True)
    arms = {}
    weights = fingerprint(load(ModelConfig(model, device="cpu")).model.state_dict())
    for name in ARMS[what]:
        done = work / f"arm-{name}-{weights}.json"
        asked = {"model": model, "budget": _plain(budget)}
        told = json.loads(done.read_text(encoding="utf-8")) if done.exists() else {}
        if told.get("asked") != asked:
            told = {"asked": asked} | _arm(name, model, work, budget)
            done.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
        arms[name] = {k: v for k, v in told.items() if k != "asked"}
    return {"what": what, "model": model, "budget": _plain(budget), "arms": arms}


def _arm(loss: str, model: str, work: Path, budget: Budget) -> dict[str, Any]:
    """Train one arm and play it."""
    backend: Any = load(ModelConfig(model, device="cpu"))
    net = backend.model
    tower = {k: v.clone() for k, v in net.model.visual.state_dict().items()}
    torch.manual_seed(budget.seed)
    if budget.fresh:
        from aura_core.training.tiny.model import build_model

        built, _ = build_model(budget.seed, backend.tokenizer.inner)
        net.load_state_dict(built.state_dict())
        net.model.visual.load_state_dict(tower)
    net.model.visual.requires_grad_(False)
    path = work / f"worlds-{budget.worlds}-{fingerprint(tower)}.pt"
    bank = (
        torch.load(path, weights_only=True) if path.exists() else features(net.model.visual, budget)
    )
    torch.save(bank, path)
    auxiliary = Auxiliary(net.model.language_model)  # the recipe's, the same for every arm
    opts = optimizers(
        torch.nn.ModuleDict({"lm": net.model.language_model, "main": auxiliary.heads}), budget.lr
    )
    trained = [p for opt in opts for g in opt.param_groups for p in g["params"]]
    stream = batches(PromptCodec(backend.tokenizer, backend.chat), budget)
    seen, start, curve = 0, time.perf_counter(), []
    net.train()
    for step in range(budget.steps):
        batch = next(stream)
        scale = min(1.0, (step + 1) / 50) * max(0.02, min(1.0, (1 - step / budget.steps) / 0.7))
        for group in (g for opt in opts for g in opt.param_groups):
            group["lr"] = (budget.lr if budget.fresh else budget.lr / 4) * scale
        logits, hidden = logits_of(net, batch, bank)
        value = loss_of(loss, logits, batch.supervised, len(batch.ids), batch.answers)
        for opt in opts:
            opt.zero_grad(set_to_none=True)
        (value + auxiliary(batch, hidden)).backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        for opt in opts:
            opt.step()
        seen += batch.tokens
        curve.append(value.item())
    wall = time.perf_counter() - start
    net.eval()
    ends = {"first": float(np.mean(curve[:20])), "last": float(np.mean(curve[-20:]))}
    told = {"steps": budget.steps, "tokens": seen, "train_s": round(wall, 1), "loss": ends}
    return told | {"sim": _play(backend, budget, budget.keep, budget.max)}


def features(visual: Any, budget: Budget) -> torch.Tensor:
    """What the tower sees in all rooms: float16 (rooms * CHUNKS, 12, 2 * WIDTH), see `encoded`."""
    store = Store(HELD + budget.worlds, max(1, cores() - 1), nothing_drawn)
    try:
        while not store.ready[HELD:].all():
            time.sleep(0.1)
        pictures = Pictures(store, "cpu")
        pictures.update(store.capacity)
        return encoded(visual, pictures)
    finally:
        store.close()


def batches(codec: PromptCodec, budget: Budget) -> Iterator[Batch]:
    """The same batches for every arm: windows with one or two lasting conditions, or asked about as
    the tests are.

    All in the few phrasings that are soon learned.
    """
    rng = np.random.default_rng([budget.seed, 7])
    while True:
        samples, rows, tokens = [], [], 0
        while tokens < budget.tokens:
            place = HELD + int(rng.integers(budget.worlds))
            plans = (FOCUS, FOCUS, TEST_PLAN)
            for sample, _ in windows(
                rng, place, codec, plans, budget.chunks, varied=False, memory=False
            ):
                samples.append(sample)
                rows.append(place * CHUNKS + np.asarray(sample.chunks))
                tokens += len(sample.ids)
        batch = on(collate(samples, rows), "cpu")
        yield replace(batch, supervised=_bare(batch.supervised, batch.at))


def fingerprint(weights: Mapping[str, torch.Tensor]) -> str:
    """16 hex digits of weights: of their names, shapes and float32 values. It names what was
    computed with them."""
    told = hashlib.sha256()
    for name in sorted(weights):
        value = weights[name].detach().to("cpu", torch.float32).contiguous()
        told.update(f"{name} {tuple(value.shape)}\n".encode())
        told.update(value.numpy().tobytes())
    return told.hexdigest()[:16]


def _bare(s: Supervised, at: torch.Tensor) -> Supervised:
    """Without the flags of the departures, and with the turns: tokens that do not adjoin belong to
    different ones."""
    off = torch.zeros_like(s.silent)
    starts = torch.ones_like(s.row)
    starts[1:] = (at[1:] != at[:-1] + 1).long()
    return Supervised(s.row, s.target, s.silent, off, off, starts.cumsum(0) - 1)


def _play(backend: Any, budget: Budget, keep: int, most: int) -> dict[str, Any]:
    config = AssistantConfig(window=WindowConfig(keep=keep, max=most))
    return evaluate(backend, range(FIRST_DEV, FIRST_DEV + budget.episodes), config).as_json()


def _plain(budget: Budget) -> dict[str, Any]:
    return json.loads(json.dumps(vars(budget)))
