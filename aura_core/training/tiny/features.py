"""Frozen vision features of many training worlds, on disk.

With the tower frozen a chunk's features never change, so each is rendered and encoded once and then
read by every epoch; only the questions about it are drawn anew.
"""

from __future__ import annotations

import functools
import hashlib
import multiprocessing as mp
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from aura_core.cores import cores
from aura_core.errors import InputError
from aura_core.sim.render import Camera
from aura_core.sim.world import BUSY, CALM, FIRST_TEST_SEED, World
from aura_core.training.tiny.model import build_model
from aura_core.training.tiny.targets import TOKENS
from aura_core.training.tiny.vision import batched_vision, chunk_frames, patches_of

CHUNKS = 90  # seconds of each training world
WIDTH = 192
FIRST_SEED, FIRST_DEV_SEED = 1_000, 410_000


@functools.lru_cache(maxsize=4096)
def training_world(seed: int) -> World:
    """World of a training or development seed: two in three are busy, rich in distractors."""
    if seed >= FIRST_TEST_SEED:
        raise InputError(
            f"seed {seed} is held out for tests; train and tune below {FIRST_TEST_SEED}"
        )
    return World.generate(seed, CHUNKS, CALM if seed % 3 == 0 else BUSY)


def encode_world(visual: torch.nn.Module, world: World) -> NDArray[np.float16]:
    """Merged and deepstack features of every chunk: float16 (CHUNKS, 12, 2 * WIDTH)."""
    camera = Camera(world)
    frames = torch.from_numpy(np.stack([chunk_frames(camera, c) for c in range(world.duration_s)]))
    with torch.no_grad():
        merged, deep = batched_vision(visual, patches_of(frames))
    return torch.cat((merged, deep), dim=-1).to(torch.float16).numpy()


def fingerprint(weights: Mapping[str, torch.Tensor]) -> str:
    """16 hex digits of weights: of their names, shapes and float32 values. It names what was
    computed with them."""
    told = hashlib.sha256()
    for name in sorted(weights):
        value = weights[name].detach().to("cpu", torch.float32).contiguous()
        told.update(f"{name} {tuple(value.shape)}\n".encode())
        told.update(value.numpy().tobytes())
    return told.hexdigest()[:16]


class FeatureBank:
    """`len(bank)` worlds are ready; `bank[i]` is (seed, features).

    `path` must name the tower that fills it (`fingerprint`): another one's features are never the
    same.
    """

    def __init__(self, path: Path, first_seed: int, capacity: int) -> None:
        self.path, self.first_seed, self.capacity = path, first_seed, capacity
        mode: Any = "r+" if path.exists() else "w+"
        self._data = np.memmap(path, np.float16, mode, shape=(capacity, CHUNKS, TOKENS, 2 * WIDTH))
        self._mark = path.with_suffix(".count")

    def __len__(self) -> int:
        return int(self._mark.read_text() or 0) if self._mark.exists() else 0

    def __getitem__(self, i: int) -> tuple[int, NDArray[np.float16]]:
        return self.first_seed + i, self._data[i]

    def fill(self, tower: dict[str, torch.Tensor]) -> None:
        """Encode worlds until the bank is full; continues where it was stopped."""
        missing = range(len(self), self.capacity)
        if not missing:
            return
        with mp.get_context("spawn").Pool(cores(), _load_tower, (tower,)) as pool:
            seeds = [self.first_seed + i for i in missing]
            for i, features in zip(
                missing, pool.imap(_encode_seed, seeds, chunksize=4), strict=True
            ):
                self._data[i] = features
                self._mark.write_text(str(i + 1))


_tower: list[torch.nn.Module] = []  # of a worker process


def _load_tower(tower: dict[str, torch.Tensor]) -> None:
    torch.set_num_threads(1)
    model, _ = build_model(0)
    model.model.visual.load_state_dict(tower)
    _tower.append(model.model.visual)


def _encode_seed(seed: int) -> NDArray[np.float16]:
    return encode_world(_tower[0], training_world(seed))
