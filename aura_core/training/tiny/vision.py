"""Stage 1: the vision tower alone learns what there is in the room and what just happened to it.

Targets (`targets.py`) per place on the table: colour, shape, what the chunk shows of it (present,
entering, leaving, moved in, moved out), which place it is, and whether "a red cube enters" and the
like, for every condition that a question can name; for everything else yes or no, at a token of its
own. Two linear heads, thrown away afterwards, read the merger's output and the deepstack output:
what they can read, one attention of the language model can.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from aura_core.models.families.qwen_vl_batched import equal_chunks
from aura_core.sim.world import COLOURS, SHAPES
from aura_core.training.tiny.model import HEIGHT, PIXELS, WIDTH, build_model
from aura_core.training.tiny.muon import Muon
from aura_core.training.tiny.store import CHUNKS, Pictures
from aura_core.training.tiny.targets import FACT_TOKENS, SLOT_TOKENS, STATES

HEADS = (len(COLOURS) + 1, len(SHAPES) + 1, len(STATES))
# a colour, a shape or both; the last index of each is "any"
KINDS = (len(COLOURS) + 1) * (len(SHAPES) + 1) - 1
HAPPENINGS = (
    (STATES.index("present"), STATES.index("moved in"), STATES.index("going")),
    (STATES.index("entering"),),
    (STATES.index("leaving"),),
)
SHIFT = 2  # pixels
REPORTS = 40  # of a stage
READ_OUTS = (*HEADS, len(SLOT_TOKENS), KINDS * len(HAPPENINGS))


def batched_vision(visual: Any, patches: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The tower over many chunks at once.

    Args:
        patches: float32 (B, 48, 1536), each row one chunk as `patchify` lays it out.

    Returns:
        merged features and first deepstack features, each (B, 12, out_hidden).
    """
    out = equal_chunks(visual, patches, (HEIGHT // PIXELS.patch, WIDTH // PIXELS.patch))
    return out.merged, out.deepstack[0]


def patches_of(frames: torch.Tensor) -> torch.Tensor:
    """Frames (B, 2, 96, 128, 3), 0 to 255, to patches (B, 48, 1536): `patchify` for a batch."""
    b, p, m, rows, columns = (
        len(frames),
        PIXELS.patch,
        PIXELS.merge,
        HEIGHT // PIXELS.factor,
        WIDTH // PIXELS.factor,
    )
    x = frames.float() / 127.5 - 1.0
    x = x.reshape(b, 2, rows, m, p, columns, m, p, 3).permute(0, 2, 5, 3, 6, 8, 1, 4, 7)
    return x.reshape(b, rows * columns * m * m, 3 * 2 * p * p)


def jittered(frames: torch.Tensor, generator: torch.Generator | None = None) -> torch.Tensor:
    """Chunks uint8 (B, 2, H, W, 3), each its own way: moved by up to `SHIFT` pixels, lighter or
    darker, warmer or colder, with noise. The rooms are not learned by heart."""
    b, _, h, w, _ = frames.shape
    device = frames.device
    moves = torch.randint(-SHIFT, SHIFT + 1, (2, b, 1), device=device, generator=generator)
    rows = (torch.arange(h, device=device) - moves[0]) % h
    columns = (torch.arange(w, device=device) - moves[1]) % w
    each = torch.arange(b, device=device)[:, None, None]
    x = frames.transpose(1, 2).transpose(2, 3)  # (B, H, W, 2, 3)
    x = x[each, rows[:, :, None], columns[:, None, :]].float()
    light = 1 + 0.12 * (2 * torch.rand((b, 1, 1, 1, 1), device=device, generator=generator) - 1)
    tint = 1 + 0.05 * (2 * torch.rand((b, 1, 1, 1, 3), device=device, generator=generator) - 1)
    noise = torch.randn(x.shape, device=device, generator=generator)
    noise *= 5.0 * torch.rand((b, 1, 1, 1, 1), device=device, generator=generator)
    x = (x * (light * tint) + noise).clamp_(0, 255)
    return x.permute(0, 3, 1, 2, 4)


def known_bce(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Sum of binary cross-entropies where the target is not NaN."""
    told = F.binary_cross_entropy_with_logits(logits, targets.nan_to_num(0.0), reduction="none")
    return torch.where(targets.isnan(), 0.0, told).sum()


class Heads(torch.nn.Module):
    """Linear read-outs of the merged and of the deepstack features."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.main = torch.nn.Linear(width, sum(READ_OUTS) + len(FACT_TOKENS))
        self.deep = torch.nn.Linear(width, sum(READ_OUTS) + len(FACT_TOKENS))


def conditions_met(targets: torch.Tensor) -> torch.Tensor:
    """float32 (N, KINDS * len(HAPPENINGS)): whether a thing of this colour and shape (either may be
    any) rests, enters, leaves, for items (N, 3)."""
    colour, shape, state = targets.unbind(-1)
    c, s = (
        (x[:, None] == torch.arange(1, n + 1, device=x.device)).float()
        for x, n in ((colour, len(COLOURS)), (shape, len(SHAPES)))
    )
    c, s = (torch.cat((x, x.sum(1, keepdim=True)), dim=1) for x in (c, s))
    kinds = (c[:, :, None] * s[:, None, :]).flatten(1)[:, :-1]
    happens = torch.stack(
        [torch.stack([state == k for k in h]).any(0).float() for h in HAPPENINGS], dim=1
    )
    return (kinds[:, :, None] * happens[:, None, :]).flatten(1)


def read_out(logits: torch.Tensor) -> tuple[tuple[torch.Tensor, ...], torch.Tensor]:
    """Of all tokens' logits (B, 12, ...): those for the places on the table, split by `READ_OUTS`,
    each (B, 6, .), and those for the facts (B, F), each at its own token."""
    items, facts = logits.split((sum(READ_OUTS), len(FACT_TOKENS)), dim=-1)
    return (
        items[:, list(SLOT_TOKENS)].split(READ_OUTS, dim=-1),
        facts[:, list(FACT_TOKENS), range(len(FACT_TOKENS))],
    )


def loss_of(logits: torch.Tensor, items: torch.Tensor, facts: torch.Tensor) -> torch.Tensor:
    """Sum of the cross-entropies. logits (B, 12, ...), items (B, 6, 3), facts (B, F)."""
    parts, said = read_out(logits)
    *heads, place, met = (p.flatten(0, 1) for p in parts)
    flat = items.flatten(0, 1)
    where = torch.arange(len(SLOT_TOKENS), device=flat.device).repeat(len(logits))
    losses = [F.cross_entropy(p, flat[:, i]) for i, p in enumerate(heads)]
    losses.append(F.cross_entropy(place, where))
    asked = (flat >= 0).all(1)
    told = F.binary_cross_entropy_with_logits(met, conditions_met(flat), reduction="none").sum(1)
    losses.append((told * asked).sum() / len(flat))
    losses.append(known_bce(said, facts) / len(facts))
    return torch.stack(losses).sum()


def exact(
    logits: torch.Tensor, items: torch.Tensor, facts: torch.Tensor
) -> tuple[float, list[float]]:
    """Share of chunks in which everything is right; and colours, shapes, states, facts alone."""
    parts, said = read_out(logits)
    right = (torch.stack([p.argmax(-1) for p in parts[:3]], dim=-1) == items) | (items < 0)
    known = (((said > 0) == (facts > 0.5)) | facts.isnan()).all(1)
    each = [*(right[..., i].all(1) for i in range(3)), known]
    return float((right.flatten(1).all(1) & known).float().mean()), [
        round(float(e.float().mean()), 4) for e in each
    ]


def optimizers(module: torch.nn.Module, lr: float) -> list[torch.optim.Optimizer]:
    """Muon on the hidden matrices, AdamW on embeddings, convolutions, norms and biases."""
    matrices: list[torch.nn.Parameter] = []
    rest: list[torch.nn.Parameter] = []
    for name, p in module.named_parameters():
        if p.requires_grad:
            hidden = p.ndim == 2 and not any(
                k in name for k in ("embed", "lm_head", "main.", "deep.")
            )
            (matrices if hidden else rest).append(p)
    return [
        Muon(matrices, lr=lr),
        torch.optim.AdamW(rest, lr=lr, weight_decay=0.01, betas=(0.9, 0.98), fused=rest[0].is_cuda),
    ]


def train(
    out: Path,
    pictures: Pictures,
    minutes: float,
    *,
    lr: float = 2.5e-3,
    batch: int = 192,
    seed: int = 0,
    device: str = "cpu",
    told: Callable[[str, float, str], None] = lambda stage, share, line: None,
) -> None:
    """Train for `minutes` of wall time and save tower and heads to `out`; continue from `out` if it
    is there."""
    torch.set_flush_denormal(True)
    torch.manual_seed(seed)
    model, _ = build_model(seed)
    visual = model.model.visual
    heads = Heads(192)
    net = torch.nn.ModuleDict({"visual": visual, "heads": heads})
    if out.exists():
        net.load_state_dict(torch.load(out, weights_only=True, map_location="cpu"))
    net.to(device)
    opts = optimizers(net, lr)
    rng = np.random.default_rng([seed, 1])
    while len(pictures.places) * CHUNKS < 2 * batch:
        pictures.update()
        time.sleep(0.1)
    step, told_at, reported, saved = 0, 0, -1.0, 0.0
    total = torch.zeros((), device=device)
    frames, items, facts = (
        t.flatten(0, 1) for t in (pictures.frames, pictures.items, pictures.facts)
    )
    start = time.monotonic()
    while (elapsed := (time.monotonic() - start) / (60 * minutes)) < 1.0:
        scale = min(1.0, (step + 1) / 100) * max(0.01, min(1.0, (1.0 - elapsed) / 0.6))
        for opt in opts:
            for group in opt.param_groups:
                group["lr"] = lr * scale
        pictures.update()
        places = np.asarray(pictures.places)
        pick = places[rng.integers(0, len(places), batch)] * CHUNKS
        pick = torch.from_numpy(pick + rng.integers(0, CHUNKS, batch)).to(device)
        main, deep = batched_vision(visual, patches_of(jittered(frames[pick])))
        y = items[pick].long(), facts[pick].float()
        loss = loss_of(heads.main(main), *y) + 0.3 * loss_of(heads.deep(deep), *y)
        net.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        for opt in opts:
            opt.step()
        step += 1
        minute = elapsed * minutes
        total += loss.detach()
        if minute - reported > minutes / REPORTS or elapsed > 0.995 > reported / minutes:
            mean, spent = float(total) / (step - told_at), max(minute - max(reported, 0.0), 1e-9)
            rate = (step - told_at) / (60 * spent)
            total, told_at, reported = torch.zeros_like(total), step, minute
            pictures.check(int(pick[0]))
            score, parts = _held(visual, heads, pictures)
            told(
                "vision",
                elapsed,
                f"step {step} {rate:.1f} steps/s rooms {len(places)} lr {lr * scale:.1e} loss"
                f" {mean:.3f} development exact {score:.4f} (colour, shape, state, facts:"
                f" {parts})",
            )
        if minute - saved > 1.0:
            saved = minute
            torch.save(net.state_dict(), out)
    torch.save(net.state_dict(), out)


@torch.no_grad()
def _held(visual: Any, heads: Heads, pictures: Pictures) -> tuple[float, list[float]]:
    """`exact` on the development rooms that are here."""
    held = pictures.held()
    if not held:
        return float("nan"), []
    logits = [
        heads.main(batched_vision(visual, patches_of(x))[0])
        for x in pictures.frames[held].flatten(0, 1).split(360)
    ]
    items, facts = (t[held].flatten(0, 1) for t in (pictures.items, pictures.facts))
    return exact(torch.cat(logits), items.long(), facts.float())
