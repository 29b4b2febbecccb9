"""Stage 1: the vision tower alone learns what there is in the room and what just happened to it.

Targets (`targets.py`) per place on the table: colour, shape, what the chunk shows of it (present,
entering, leaving, moved in, moved out), which place it is, and whether "a red cube enters" and the
like, for every condition that a question can name; for everything else yes or no, at a token of its
own. Two linear heads, thrown away afterwards, read the merger's output and the deepstack output:
what they can read, one attention of the language model can.
"""

from __future__ import annotations

import multiprocessing as mp
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from aura_core.cores import cores
from aura_core.models.families.qwen_vl_batched import equal_chunks
from aura_core.models.pixels import resize
from aura_core.sim.render import Camera
from aura_core.sim.world import BUSY, CALM, COLOURS, FIRST_TEST_SEED, SHAPES, World
from aura_core.training.tiny.model import HEIGHT, PIXELS, WIDTH, build_model
from aura_core.training.tiny.muon import Muon
from aura_core.training.tiny.targets import FACT_TOKENS, SLOT_TOKENS, STATES, facts_of, items_of

HEADS = (len(COLOURS) + 1, len(SHAPES) + 1, len(STATES))
# a colour, a shape or both; the last index of each is "any"
KINDS = (len(COLOURS) + 1) * (len(SHAPES) + 1) - 1
HAPPENINGS = (
    (STATES.index("present"), STATES.index("moved in")),
    (STATES.index("entering"),),
    (STATES.index("leaving"),),
)
SHIFT = 2  # pixels
READ_OUTS = (*HEADS, len(SLOT_TOKENS), KINDS * len(HAPPENINGS))


def chunk_frames(camera: Camera, chunk: int) -> NDArray[np.uint8]:
    """The two frames of a chunk at the model's size: uint8 (2, 96, 128, 3)."""
    return np.stack([resize(camera.frame(chunk + k * 0.5), HEIGHT, WIDTH) for k in range(2)])


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
    """uint8 (B, 2, 96, 128, 3) to patches (B, 48, 1536): `patchify` for a batch."""
    b, p, m, rows, columns = (
        len(frames),
        PIXELS.patch,
        PIXELS.merge,
        HEIGHT // PIXELS.factor,
        WIDTH // PIXELS.factor,
    )
    x = frames.float().div_(127.5).sub_(1.0)
    x = x.reshape(b, 2, rows, m, p, columns, m, p, 3).permute(0, 2, 5, 3, 6, 8, 1, 4, 7)
    return x.reshape(b, rows * columns * m * m, 3 * 2 * p * p)


Chunks = tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.float32]]


def sample_chunks(seed: int, count: int = 10) -> Chunks:
    """Up to `count` chunks of room `seed`, events first: frames (n, 2, 96, 128, 3), items (n, 6,
    3), facts (n, F)."""
    room = World.generate(seed, 40, BUSY if seed % 2 else CALM)
    camera = Camera(room)
    rng = np.random.default_rng([seed, 9])
    busy = [e.chunk for e in room.events]
    calm = [c for c in range(40) if c not in busy]
    rng.shuffle(busy)
    rng.shuffle(calm)
    chosen = busy[: count * 2 // 3] + calm[: count - min(len(busy), count * 2 // 3)]
    frames = np.stack([chunk_frames(camera, c) for c in chosen])
    return (
        frames,
        np.stack([items_of(room, c) for c in chosen]),
        np.stack([facts_of(room, c) for c in chosen]),
    )


class Pool:
    """Rendered chunks in shared memory, filled by processes of their own: each fills every
    `workers`-th place."""

    def __init__(self, size: int, first_seed: int, workers: int = 1) -> None:
        self.frames = torch.empty((size, 2, HEIGHT, WIDTH, 3), dtype=torch.uint8).share_memory_()
        self.items = torch.empty((size, len(SLOT_TOKENS), 3), dtype=torch.long).share_memory_()
        self.facts = torch.empty((size, len(FACT_TOKENS))).share_memory_()
        context = mp.get_context("fork")
        self._rendered = [context.Value("l", 0) for _ in range(workers)]
        self._workers = [
            context.Process(target=self._render, args=(first_seed, i), daemon=True)
            for i in range(workers)
        ]
        for worker in self._workers:
            worker.start()

    def _render(self, first_seed: int, worker: int) -> None:
        count, every = self._rendered[worker], len(self._rendered)
        places = range(worker, len(self.frames), every)
        shelves = (self.frames.numpy(), self.items.numpy(), self.facts.numpy())
        seed = first_seed + worker
        while seed < FIRST_TEST_SEED and count.value < len(places):
            for chunk in zip(*sample_chunks(seed), strict=True):
                if count.value < len(places):
                    for shelf, value in zip(shelves, chunk, strict=True):
                        shelf[places[count.value]] = value
                    count.value += 1
            seed += every

    @property
    def rendered(self) -> int:
        """How many chunks from the first one on are rendered without a gap."""
        return len(self._rendered) * min(int(r.value) for r in self._rendered)

    def draw(
        self, rng: np.random.Generator, batch: int
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Frames, items and facts of `batch` random chunks; waits for the first ones."""
        while self.rendered < 4 * batch:
            time.sleep(0.1)
        pick = torch.from_numpy(rng.integers(0, self.rendered, batch))
        return self.frames[pick], self.items[pick], self.facts[pick]

    def close(self) -> None:
        """Stop rendering."""
        for worker in self._workers:
            worker.terminate()


def jittered(frames: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    """Chunks (B, 2, H, W, 3) moved by up to `SHIFT` pixels, each its own way: the pool is not
    learned by heart."""
    moves = rng.integers(-SHIFT, SHIFT + 1, (len(frames), 2))
    return torch.stack(
        [f.roll((int(dy), int(dx)), (1, 2)) for f, (dy, dx) in zip(frames, moves, strict=True)]
    )


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
    c = F.one_hot(colour, len(COLOURS) + 1)[:, 1:].float()
    s = F.one_hot(shape, len(SHAPES) + 1)[:, 1:].float()
    c, s = (torch.cat((x, x.sum(1, keepdim=True)), dim=1) for x in (c, s))
    kinds = (c[:, :, None] * s[:, None, :]).flatten(1)[:, :-1]
    happens = torch.stack(
        [torch.isin(state, state.new_tensor(h)).float() for h in HAPPENINGS], dim=1
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
    losses.append(
        F.binary_cross_entropy_with_logits(met, conditions_met(flat), reduction="sum") / len(flat)
    )
    losses.append(F.binary_cross_entropy_with_logits(said, facts, reduction="sum") / len(facts))
    return torch.stack(losses).sum()


def exact(
    logits: torch.Tensor, items: torch.Tensor, facts: torch.Tensor
) -> tuple[float, list[float]]:
    """Share of chunks in which everything is right; and colours, shapes, states, facts alone."""
    parts, said = read_out(logits)
    right = torch.stack([p.argmax(-1) for p in parts[:3]], dim=-1) == items
    known = ((said > 0) == (facts > 0.5)).all(1)
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
        torch.optim.AdamW(rest, lr=lr, weight_decay=0.01, betas=(0.9, 0.98)),
    ]


def train(
    out: Path,
    minutes: float,
    *,
    lr: float = 2e-3,
    batch: int = 192,
    pool: int = 48_000,
    first_seed: int = 1_000,
    device: str = "cpu",
) -> None:
    """Train for `minutes` of wall time and save tower and heads to `out`; continue from `out` if it
    is there."""
    torch.set_flush_denormal(True)
    model, _ = build_model(0)
    visual = model.model.visual
    heads = Heads(192)
    net = torch.nn.ModuleDict({"visual": visual, "heads": heads})
    if out.exists():
        net.load_state_dict(torch.load(out, weights_only=True))
    net.to(device)
    opts = optimizers(net, lr)
    chunks = Pool(pool, first_seed, max(1, cores() - 1))
    held = [sample_chunks(s) for s in range(400_000, 400_100)]
    dev_x, *dev_y = (
        torch.from_numpy(np.concatenate(part)).to(device) for part in zip(*held, strict=True)
    )
    rng = np.random.default_rng(first_seed)
    step = 0
    start = time.monotonic()
    while (elapsed := (time.monotonic() - start) / (60 * minutes)) < 1.0:
        scale = min(1.0, step / 50) * max(0.02, min(1.0, (1.0 - elapsed) / 0.6))
        for opt in opts:
            for group in opt.param_groups:
                group["lr"] = lr * scale
        frames, items, facts = chunks.draw(rng, batch)
        frames, items, facts = (t.to(device) for t in (jittered(frames, rng), items, facts))
        main, deep = batched_vision(visual, patches_of(frames))
        loss = loss_of(heads.main(main), items, facts) + 0.3 * loss_of(
            heads.deep(deep), items, facts
        )
        net.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        for opt in opts:
            opt.step()
        if step % 100 == 0 or elapsed > 0.995:
            with torch.no_grad():
                feats = [batched_vision(visual, patches_of(x)) for x in dev_x.split(200)]
            score, parts = exact(heads.main(torch.cat([m for m, _ in feats])), *dev_y)
            used = (time.monotonic() - start) / 60
            print(
                f"step {step} {used:.1f} min rendered {chunks.rendered} loss {loss.item():.3f} "
                f"dev exact {score:.4f} (colour, shape, state, facts: {parts})",
                flush=True,
            )
            torch.save(net.state_dict(), out)
        step += 1
    torch.save(net.state_dict(), out)
    chunks.close()
