"""rosbag2 recordings with flipped, cut and repeated bytes, and with broken metadata."""

from __future__ import annotations

import random
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from aura_core.fuzz import Feed
from aura_core.fuzz.mutate import mutated
from aura_core.fuzz.yaml_files import changed
from aura_core.replay.bag import Bag
from aura_core.replay.writer import Compression, Storage, write_bag
from aura_core.types import NS, Frame, Query

WAYS: tuple[tuple[Storage, Compression], ...] = (
    ("mcap", "raw"),
    ("mcap", "jpeg"),
    ("sqlite3", "raw"),
    ("sqlite3", "png"),
)


@dataclass(frozen=True)
class Sample:
    """A good recording: the name and the bytes of its data file, and its metadata."""

    name: str
    data: bytes
    metadata: str


def open_kind(folder: Path) -> Feed:
    """See `aura_core.fuzz`."""
    samples = [_sample(folder / f"good-{s}-{i}", s, i) for s, i in WAYS]
    bag = folder / "bag"

    def feed(rng: random.Random) -> None:
        shutil.rmtree(bag, ignore_errors=True)
        bag.mkdir()
        sample = rng.choice(samples)
        alone, broken = rng.random() < 0.2, rng.random()
        data = sample.data if not alone and broken < 0.25 else mutated(rng, sample.data)
        (bag / sample.name).write_bytes(data)
        if not alone and rng.random() < 0.95:
            text = sample.metadata.encode()
            (bag / "metadata.yaml").write_bytes(
                changed(rng, sample.metadata) if broken < 0.3 else text
            )
        with Bag(bag / sample.name if alone else bag) as opened:
            for event in opened.events():
                if isinstance(event, Frame):
                    event.checked()

    return feed


def _sample(path: Path, storage: Storage, images: Compression) -> Sample:
    rng = np.random.default_rng(0)
    start = 1_700_000_000 * NS
    events: list[Frame | Query] = []
    for k in range(6):
        stamp_ns = start + k * NS // 2
        if k == 2:
            events.append(Query("What is on the table? 桌子", stamp_ns=stamp_ns))
        events.append(Frame(rng.integers(0, 256, (6, 8, 3), np.uint8), stamp_ns))
    write_bag(path, events, storage, images)
    (file,) = [f for f in path.iterdir() if f.name != "metadata.yaml"]
    return Sample(file.name, file.read_bytes(), (path / "metadata.yaml").read_text("utf-8"))
