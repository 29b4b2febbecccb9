"""The rooms that the embedded model is trained on: rendered and drawn by processes of their own.

`Store` holds the pictures of `capacity` rooms in memory that all processes share. Its workers
render rooms until it is full or `rendered` is called, and draw batches of samples about the rooms
that `draw_from` names once that is called. They are started anew, not forked: a fork of a process
whose libraries have threads of their own may wait for ever for a lock that nobody will release.
"""

from __future__ import annotations

import functools
import mmap
import multiprocessing as mp
import os
import queue
import signal
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing import reduction
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from aura_core.errors import InputError, ModelError
from aura_core.models.pixels import resize
from aura_core.orphans import end_with
from aura_core.sim.render import Camera
from aura_core.sim.sensor import Sensor
from aura_core.sim.world import BUSY, CALM, FIRST_TEST_SEED, QUIET, Looks, Pace, World
from aura_core.training.tiny.model import HEIGHT, WIDTH
from aura_core.training.tiny.targets import FACT_TOKENS, SLOT_TOKENS, facts_of, items_of

CHUNKS = 90  # seconds of each room
FIRST_SEED, FIRST_DEV_SEED = 1_000, 410_000
HELD = 32  # the first rooms of a store: development seeds, never trained on
_RENDERING, _WAITING, _DRAWING = range(3)
FOREIGN, COVERED = 0.10, 0.08  # share of rooms never, and not always, in the picture


def sensor_of(seed: int) -> Sensor:
    """The camera of a training or development room."""
    return Sensor.draw(seed)


@functools.lru_cache(maxsize=1024)
def training_world(seed: int) -> World:
    """World of a training or development seed: one in two is busy, rich in distractors; in one of
    six little happens."""
    if seed >= FIRST_TEST_SEED:
        raise InputError(
            f"seed {seed} is held out for tests; train and tune below {FIRST_TEST_SEED}"
        )
    looks: Looks = sensor_of(seed).looks(CHUNKS)
    rng = np.random.default_rng([seed, 41])
    kind, begin = rng.random(), float(rng.uniform(5, CHUNKS - 25))
    foreign: tuple[tuple[float, float], ...] = ()
    if kind < FOREIGN:
        foreign = ((-10.0, 10.0 * CHUNKS),)
    elif kind < FOREIGN + COVERED:
        foreign = ((begin, begin + float(rng.uniform(4, 25))),)
    return World.generate(seed, CHUNKS, pace_of(seed), looks, foreign=foreign)


def pace_of(seed: int) -> Pace:
    """How much happens in a training or development room."""
    return QUIET if seed % 6 == 5 else CALM if seed % 3 == 0 else BUSY


def chunk_frames(camera: Camera, chunk: int) -> NDArray[np.uint8]:
    """The two frames of a chunk at the model's size: uint8 (2, 96, 128, 3)."""
    first, last = camera.world.look(chunk)
    one = resize(camera.frame(first), HEIGHT, WIDTH)
    return np.stack([one, one if last == first else resize(camera.frame(last), HEIGHT, WIDTH)])


def nothing_drawn(*_: Any) -> list[Any]:
    """For a store whose rooms are rendered only."""
    return []


@dataclass(frozen=True, slots=True)
class _Shared:
    """Memory that processes share: a file without a name, which no size of /dev/shm limits."""

    fd: int
    shape: tuple[int, ...]
    dtype: str

    @classmethod
    def zeros(cls, shape: tuple[int, ...], dtype: Any) -> _Shared:
        """Zeros of this shape; a page takes memory once it is written to."""
        if hasattr(os, "memfd_create"):
            fd = os.memfd_create("rooms")
        else:  # not on macOS
            with tempfile.TemporaryFile() as file:
                fd = os.dup(file.fileno())
        os.ftruncate(fd, int(np.prod(shape)) * np.dtype(dtype).itemsize)
        return cls(fd, shape, np.dtype(dtype).str)

    def array(self) -> NDArray[Any]:
        """The memory as an array that can be written to."""
        return np.frombuffer(mmap.mmap(self.fd, 0), self.dtype).reshape(self.shape)

    def __reduce__(self) -> tuple[Any, ...]:
        return _received, (reduction.DupFd(self.fd), self.shape, self.dtype)


def _received(handle: Any, shape: tuple[int, ...], dtype: str) -> _Shared:
    return _Shared(handle.detach(), shape, dtype)


Draw = Callable[[np.random.Generator, NDArray[np.int64], float], list[Any]]


class Store:
    """`frames` uint8 (capacity, CHUNKS, 2, 96, 128, 3), `items` int16 (capacity, CHUNKS, 6, 3),
    `facts` float16 (capacity, CHUNKS, F): stage 1's targets, of what is visible; `ready` bool
    (capacity,)."""

    def __init__(self, capacity: int, workers: int, draw: Draw, depth: int = 24) -> None:
        context = mp.get_context("spawn")
        self.capacity = capacity
        self.progress = context.Value("d", 0.0)
        self._queue: Any = context.Queue(depth)
        self._phase = context.Value("i", _RENDERING)
        self._memory = (
            _Shared.zeros((capacity, CHUNKS, 2, HEIGHT, WIDTH, 3), np.uint8),
            _Shared.zeros((capacity, CHUNKS, len(SLOT_TOKENS), 3), np.int16),
            _Shared.zeros((capacity, CHUNKS, len(FACT_TOKENS)), np.float16),
            _Shared.zeros((capacity,), np.bool_),
            _Shared.zeros((capacity,), np.bool_),
        )
        arrays = [memory.array() for memory in self._memory]
        self.frames, self.items, self.facts, self.ready, self._usable = arrays
        # a small store has few development rooms: the last of the places for them
        # kept here: a lock that its maker has dropped cannot be opened by a starting process
        self._next = context.Value("l", HELD - min(HELD, max(2, (capacity - HELD) // 8)))
        shared = (self._memory, self._next, self._phase, self.progress, self._queue)
        self._workers = [
            context.Process(target=_work, args=(k, os.getpid(), draw, *shared), daemon=True)
            for k in range(workers)
        ]
        for worker in self._workers:
            worker.start()

    @staticmethod
    def seed(place: int) -> int:
        """The seed of the room at a place."""
        return FIRST_DEV_SEED + place if place < HELD else FIRST_SEED + place - HELD

    def rendered(self) -> None:
        """Let the workers stop rendering."""
        self._phase.value = _WAITING

    def draw_from(self, places: list[int]) -> None:
        """Let the workers draw samples about the rooms at these places."""
        self._usable[places] = True
        self._phase.value = _DRAWING

    def batch(self, timeout_s: float = 120.0) -> Any:
        """The next batch that a worker drew."""
        end = time.monotonic() + timeout_s
        while True:
            try:
                return self._queue.get(timeout=1.0)
            except queue.Empty:
                if not any(w.is_alive() for w in self._workers) or time.monotonic() > end:
                    raise InputError("the processes that draw batches have ended") from None

    def close(self) -> None:
        """End the workers."""
        for worker in self._workers:
            worker.kill()
        for worker in self._workers:
            worker.join()
        for memory in self._memory:
            os.close(memory.fd)


def _work(
    worker: int,
    parent: int,
    draw: Draw,
    memory: tuple[_Shared, ...],
    next_place: Any,
    phase: Any,
    progress: Any,
    batches: Any,
) -> None:
    end_with(parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    *rooms, ready, usable = (m.array() for m in memory)
    while phase.value == _RENDERING:
        with next_place.get_lock():
            place = next_place.value
            next_place.value += 1
        if place >= len(ready):
            break
        ready[place] = _render(place, rooms, phase)
    while phase.value != _DRAWING:
        time.sleep(0.05)
    places = np.flatnonzero(usable)
    rng = np.random.default_rng([worker, 5])
    while True:
        for batch in draw(rng, places, float(progress.value)):
            batches.put(batch)


def _render(place: int, rooms: list[NDArray[Any]], phase: Any) -> bool:
    frames, items, facts = (array[place] for array in rooms)
    seed = Store.seed(place)
    room = training_world(seed)
    camera = Camera(room, sensor=sensor_of(seed))
    for chunk in range(CHUNKS):
        if phase.value != _RENDERING:
            return False  # a room that is not finished is left out
        frames[chunk] = chunk_frames(camera, chunk)
        items[chunk] = items_of(room, chunk, visible=True)
        facts[chunk] = facts_of(room, chunk, visible=True)
    return True


class Pictures:
    """The store's frames and targets on a device: `update` brings what was rendered since."""

    def __init__(self, store: Store, device: str) -> None:
        self._store, self._device = store, device
        self.places: list[int] = []  # rooms to train on that are here
        self._here = np.zeros(store.capacity, bool)
        parts = [torch.from_numpy(a) for a in (store.frames, store.items, store.facts)]
        if device != "cpu":
            parts = [torch.empty(p.shape, dtype=p.dtype, device=device) for p in parts]
        self.frames, self.items, self.facts = parts

    def update(self, most: int = 8) -> None:
        """Bring up to `most` further rooms."""
        for place in np.flatnonzero(self._store.ready & ~self._here)[:most]:
            self._here[place] = True
            if self._device != "cpu":
                for here, there in (
                    (self.frames, self._store.frames),
                    (self.items, self._store.items),
                    (self.facts, self._store.facts),
                ):
                    here[place] = torch.from_numpy(there[place]).to(self._device)
            if place >= HELD:
                self.places.append(int(place))

    def check(self, chunk: int) -> None:
        """Compare a chunk, counted over all rooms, with what was rendered. Raises `ModelError`."""
        here = self.frames.flatten(0, 1)[torch.tensor([chunk], device=self.frames.device)]
        there = torch.from_numpy(self._store.frames[chunk // CHUNKS, chunk % CHUNKS])
        if not torch.equal(here[0].cpu(), there):
            raise ModelError(f"chunk {chunk} is another one on {self._device}: too many rooms?")

    def held(self) -> list[int]:
        """Development rooms that are here."""
        return [int(p) for p in np.flatnonzero(self._here[:HELD])]
