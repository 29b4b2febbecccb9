"""Stage 1: the vision tower alone learns what lies in each cell and what just happened to it.

Targets per merged visual token (the 3x3 cells of a 96x96 frame): colour, shape, what the chunk shows of it (present,
entering, leaving, moved in, moved out), which cell it is, and whether "a red cube enters" and the like, for every
condition that a question can name. Two linear heads, thrown away afterwards, read the merger's output and the
deepstack output: what they can read, one attention of the language model can.
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

from aura_core.models.pixels import resize
from aura_core.sim.render import Camera
from aura_core.sim.world import BUSY, CALM, COLOURS, FIRST_TEST_SEED, GRID, SHAPES, World
from aura_core.training.muon import Muon
from aura_core.training.tiny import FRAME, PIXELS, build_model

CELLS = GRID * GRID
STATES = ("empty", "present", "entering", "leaving", "moved in", "moved out")
HEADS = (len(COLOURS) + 1, len(SHAPES) + 1, len(STATES))
KINDS = (len(COLOURS) + 1) * (len(SHAPES) + 1) - 1  # a colour, a shape or both; the last index of each is "any"
HAPPENINGS = (
    (STATES.index("present"), STATES.index("moved in")),
    (STATES.index("entering"),),
    (STATES.index("leaving"),),
)
READ_OUTS = (*HEADS, CELLS, KINDS * len(HAPPENINGS))


def cell_targets(world: World, chunk: int) -> NDArray[np.int64]:
    """(9, 3): colour + 1 or 0, shape + 1 or 0, state index, for each cell of `chunk`."""
    out = np.zeros((CELLS, 3), np.int64)

    def put(item: Any, state: str) -> None:
        out[item.slot] = COLOURS.index(item.colour) + 1, SHAPES.index(item.shape) + 1, STATES.index(state)

    for item in world.states[chunk]:
        put(item, "present")
    event = world.event_at(chunk)
    if event is not None:
        if event.kind == "enter":
            put(event.after, "entering")
        elif event.kind == "leave":
            put(event.before, "leaving")
        else:
            put(event.before, "moved out")
            put(event.after, "moved in")
    return out


def chunk_frames(camera: Camera, chunk: int) -> NDArray[np.uint8]:
    """The two frames of a chunk at the model's size: uint8 (2, 96, 96, 3)."""
    return np.stack([resize(camera.frame(chunk + k * 0.5), FRAME, FRAME) for k in range(2)])


def batched_vision(visual: Any, patches: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The tower over many equal chunks at once (the library loops over them; equal to 4e-7).

    Args:
        patches: float32 (B, 36, 1536), each row one chunk as `patchify` lays it out.

    Returns:
        merged features and first deepstack features, each (B, 9, out_hidden).
    """
    b, n, d = patches.shape
    side = FRAME // PIXELS.patch
    m = PIXELS.merge
    line = torch.arange(side, device=patches.device)
    ys, xs = torch.meshgrid(line, line, indexing="ij")
    order = [g.reshape(side // m, m, side // m, m).permute(0, 2, 1, 3).reshape(-1) for g in (ys, xs)]
    # The position table has side*side entries, so no interpolation happens at this frame size.
    stem = visual.patch_embed.proj  # a convolution whose stride is its kernel is a matrix product, and faster as one
    x = F.linear(patches.reshape(b * n, d), stem.weight.flatten(1), stem.bias).reshape(b, n, -1)
    x = x + visual.pos_embed(order[0] * side + order[1])
    cos, sin = visual.rotary_pos_emb(x, torch.stack(order, dim=-1))
    cos, sin = cos[None, None], sin[None, None]
    deep = None
    for i, block in enumerate(visual.blocks):
        attn = block.attn
        q, k, v = attn.qkv(block.norm1(x)).reshape(b, n, 3, attn.num_heads, -1).permute(2, 0, 3, 1, 4)
        q, k = _rotate(q, cos, sin), _rotate(k, cos, sin)
        y = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(b, n, -1)
        x = x + attn.proj(y)
        x = x + block.mlp(block.norm2(x))
        if i in visual.deepstack_visual_indexes:
            deep = visual.deepstack_merger_list[0](x.reshape(b * n, -1)).reshape(b, n // m**2, -1)
    assert deep is not None
    return visual.merger(x.reshape(b * n, -1)).reshape(b, n // m**2, -1), deep


def _rotate(x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
    a, b = x.chunk(2, dim=-1)
    return x * cos + torch.cat((-b, a), dim=-1) * sin


def patches_of(frames: torch.Tensor) -> torch.Tensor:
    """uint8 (B, 2, 96, 96, 3) to patches (B, 36, 1536): `patchify` for a batch."""
    b, p, m, s = frames.shape[0], PIXELS.patch, PIXELS.merge, FRAME // PIXELS.factor
    x = frames.float().div_(127.5).sub_(1.0)
    x = x.reshape(b, 2, s, m, p, s, m, p, 3).permute(0, 2, 5, 3, 6, 8, 1, 4, 7)
    return x.reshape(b, s * s * m * m, 3 * 2 * p * p)


def sample_chunks(seed: int, count: int = 10) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Up to `count` chunks of world `seed`, events first: frames (n, 2, 96, 96, 3), targets (n, 9, 3)."""
    world = World.generate(seed, 40, BUSY if seed % 2 else CALM)
    camera = Camera(world)
    rng = np.random.default_rng([seed, 9])
    busy = [e.chunk for e in world.events]
    calm = [c for c in range(40) if c not in busy]
    rng.shuffle(busy)
    rng.shuffle(calm)
    chosen = busy[: count * 2 // 3] + calm[: count - min(len(busy), count * 2 // 3)]
    frames = np.stack([chunk_frames(camera, c) for c in chosen])
    return frames, np.stack([cell_targets(world, c) for c in chosen])


class Pool:
    """Rendered chunks in shared memory, filled by a process of its own."""

    def __init__(self, size: int, first_seed: int) -> None:
        self.frames = torch.empty((size, 2, FRAME, FRAME, 3), dtype=torch.uint8).share_memory_()
        self.targets = torch.empty((size, CELLS, 3), dtype=torch.long).share_memory_()
        context = mp.get_context("fork")
        self._rendered = context.Value("l", 0)
        self._worker = context.Process(target=self._render, args=(first_seed,), daemon=True)
        self._worker.start()

    def _render(self, seed: int) -> None:
        size, frames_out, targets_out = len(self.frames), self.frames.numpy(), self.targets.numpy()
        while seed < FIRST_TEST_SEED and self._rendered.value < size:
            frames, targets = sample_chunks(seed)
            for f, t in zip(frames, targets, strict=True):
                if self._rendered.value < size:
                    frames_out[self._rendered.value], targets_out[self._rendered.value] = f, t
                    self._rendered.value += 1
            seed += 1

    @property
    def rendered(self) -> int:
        """Chunks rendered so far."""
        return int(self._rendered.value)

    def draw(self, rng: np.random.Generator, batch: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Frames (batch, 2, 96, 96, 3) and targets (batch, 9, 3) at random; waits for the first ones."""
        while self.rendered < 4 * batch:
            time.sleep(0.1)
        pick = torch.from_numpy(rng.integers(0, self.rendered, batch))
        return self.frames[pick], self.targets[pick]

    def close(self) -> None:
        """Stop the renderer."""
        self._worker.terminate()


class Heads(torch.nn.Module):
    """Linear read-outs of the merged and of the deepstack features."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.main = torch.nn.Linear(width, sum(READ_OUTS))
        self.deep = torch.nn.Linear(width, sum(READ_OUTS))


def conditions_met(targets: torch.Tensor) -> torch.Tensor:
    """float32 (N, KINDS * len(HAPPENINGS)): whether a thing of this colour and shape (either may be any) rests, enters,
    leaves, for cell targets (N, 3)."""
    colour, shape, state = targets.unbind(-1)
    c = F.one_hot(colour, len(COLOURS) + 1)[:, 1:].float()
    s = F.one_hot(shape, len(SHAPES) + 1)[:, 1:].float()
    c, s = (torch.cat((x, x.sum(1, keepdim=True)), dim=1) for x in (c, s))
    kinds = (c[:, :, None] * s[:, None, :]).flatten(1)[:, :-1]
    happens = torch.stack([torch.isin(state, state.new_tensor(h)).float() for h in HAPPENINGS], dim=1)
    return (kinds[:, :, None] * happens[:, None, :]).flatten(1)


def loss_of(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Sum of the cross-entropies over all cells. logits (B, 9, sum(READ_OUTS)), targets (B, 9, 3)."""
    *parts, cell, met = logits.flatten(0, 1).split(READ_OUTS, dim=-1)
    flat = targets.flatten(0, 1)
    where = torch.arange(CELLS, device=flat.device).repeat(len(logits))
    losses = [F.cross_entropy(p, flat[:, i]) for i, p in enumerate(parts)]
    losses.append(F.cross_entropy(cell, where))
    losses.append(F.binary_cross_entropy_with_logits(met, conditions_met(flat), reduction="sum") / len(flat))
    return torch.stack(losses).sum()


def exact(logits: torch.Tensor, targets: torch.Tensor) -> tuple[float, list[float]]:
    """Share of chunks of which every cell is right in all respects, and in colour, shape, state alone."""
    guess = torch.stack([p.argmax(-1) for p in logits[..., : sum(HEADS)].split(HEADS, dim=-1)], dim=-1)
    right = guess == targets
    parts = [round(float(right[..., i].all(1).float().mean()), 4) for i in range(3)]
    return float(right.flatten(1).all(1).float().mean()), parts


def optimizers(module: torch.nn.Module, lr: float) -> list[torch.optim.Optimizer]:
    """Muon on the hidden matrices, AdamW on embeddings, convolutions, norms and biases."""
    matrices: list[torch.nn.Parameter] = []
    rest: list[torch.nn.Parameter] = []
    for name, p in module.named_parameters():
        if p.requires_grad:
            hidden = p.ndim == 2 and not any(k in name for k in ("embed", "lm_head", "main.", "deep."))
            (matrices if hidden else rest).append(p)
    return [
        Muon(matrices, lr=lr),
        torch.optim.AdamW(rest, lr=lr, weight_decay=0.01, betas=(0.9, 0.98)),
    ]


def train(
    out: Path, minutes: float, *, lr: float = 2e-3, batch: int = 192, pool: int = 48_000, first_seed: int = 1_000,
    device: str = "cpu",
) -> None:  # fmt: skip
    """Train for `minutes` of wall time and save tower and heads to `out`; continue from `out` if it is there."""
    torch.set_flush_denormal(True)
    model, _ = build_model(0)
    visual = model.model.visual
    heads = Heads(192)
    net = torch.nn.ModuleDict({"visual": visual, "heads": heads})
    if out.exists():
        net.load_state_dict(torch.load(out, weights_only=True))
    net.to(device)
    opts = optimizers(net, lr)
    chunks = Pool(pool, first_seed)
    held = [sample_chunks(s) for s in range(400_000, 400_100)]
    dev_x = torch.from_numpy(np.concatenate([f for f, _ in held])).to(device)
    dev_y = torch.from_numpy(np.concatenate([t for _, t in held])).to(device)
    rng = np.random.default_rng(first_seed)
    step = 0
    start = time.monotonic()
    while (elapsed := (time.monotonic() - start) / (60 * minutes)) < 1.0:
        scale = min(1.0, step / 50) * max(0.02, min(1.0, (1.0 - elapsed) / 0.6))
        for opt in opts:
            for group in opt.param_groups:
                group["lr"] = lr * scale
        frames, targets = (t.to(device) for t in chunks.draw(rng, batch))
        main, deep = batched_vision(visual, patches_of(frames))
        loss = loss_of(heads.main(main), targets) + 0.3 * loss_of(heads.deep(deep), targets)
        net.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        for opt in opts:
            opt.step()
        if step % 100 == 0 or elapsed > 0.995:
            with torch.no_grad():
                feats = [batched_vision(visual, patches_of(x)) for x in dev_x.split(200)]
            score, parts = exact(heads.main(torch.cat([m for m, _ in feats])), dev_y)
            used = (time.monotonic() - start) / 60
            print(
                f"step {step} {used:.1f} min rendered {chunks.rendered} loss {loss.item():.3f} "
                f"dev exact {score:.4f} (colour, shape, state: {parts})",
                flush=True,
            )
            torch.save(net.state_dict(), out)
        step += 1
    torch.save(net.state_dict(), out)
    chunks.close()
