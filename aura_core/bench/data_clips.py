"""`aura bench data clips`: training samples of long clips, in any order and in runs.

The samples are windows that overlap, as the data engine cuts them. They are read by the training's
own loader, once in a random order and once with `data.run`, and are the same samples both times.
The clips are made here: H.264 at two frames a second, as `aura data prepare` writes them.
"""

from __future__ import annotations

import json
import resource
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

from aura_core.bench import data_video
from aura_core.config import ModelConfig
from aura_core.errors import ConfigError
from aura_core.stream.prompt import PromptCodec
from aura_core.training.finetune.dataset import Ahead, Examples, loader, raised
from aura_core.training.finetune.opening import open_base
from aura_core.training.finetune.order import Order, arranged, clips_of
from aura_core.training.finetune.settings import DataSettings
from aura_core.training.finetune.shards import Shards


@dataclass(frozen=True)
class Asked:
    """What is measured.

    Attributes:
        clips: number of clips.
        seconds: length of each.
        size: height and width of their frames in pixels.
        samples: windows of each clip, evenly spaced.
        window_s: length of a window in seconds.
        run, at_once, workers: `data.run`, `data.runs_at_once` and `data.workers`.
    """

    clips: int
    seconds: int
    size: tuple[int, int]
    samples: int
    window_s: int
    run: int
    at_once: int
    workers: int

    def __post_init__(self) -> None:
        if self.window_s > self.seconds:
            raise ConfigError(f"--window {self.window_s} is longer than a clip, {self.seconds} s")


def measure(asked: Asked, folder: Path, on_step: Callable[[str], None]) -> dict[str, Any]:
    """Make the clips, and read one epoch of their samples in each order.

    Returns for "any" and "runs": samples and tokens a second, and CPU time of a sample in ms (of
    all processes that load). Raises `AssertionError` where the samples are not the same.
    """
    on_step(f"making {asked.clips} clips of {asked.seconds} s")
    shards = Shards(_written(asked, folder))
    backend, _ = open_base(ModelConfig("aura_tiny", "float32", "cpu", "sdpa"))
    codec, family = PromptCodec(backend.tokenizer, backend.chat), backend.family
    runs = DataSettings(train="x", workers=asked.workers, run=asked.run, runs_at_once=asked.at_once)
    told, seen = {}, {}
    for name, data in {"any": replace(runs, run=None), "runs": runs}.items():
        on_step(f"reading {len(shards)} windows of {asked.window_s} s, order: {name}")
        order = Order(len(shards), arranged(data, len(shards), 0, shards.window_of, 1))
        examples = Examples(shards, codec, family, clips_of(data, 1))
        begin, cpu = time.perf_counter(), _cpu_s()
        loading = loader(Ahead(examples), list(islice(order, len(shards))), asked.workers)
        lengths = {e.id: len(e.ids) for e in raised(loading)}
        del loading  # its processes have ended, and their time is counted
        examples.close()
        wall_s = time.perf_counter() - begin
        seen[name] = lengths
        told[name] = {
            "samples_per_s": round(len(lengths) / wall_s, 3),
            "tokens_per_s": round(sum(lengths.values()) / wall_s, 1),
            "cpu_ms_per_sample": round(1e3 * (_cpu_s() - cpu) / len(lengths), 1),
        }
    assert seen["any"] == seen["runs"] and len(seen["any"]) == len(shards)
    return told


def _written(asked: Asked, folder: Path) -> str:
    """Write clips and samples, and return the pattern of the shards."""
    made = data_video.Asked(asked.seconds, asked.size, 0, 0)
    lines = []
    for clip in range(asked.clips):
        path = data_video.written(folder / f"{clip}.mp4", made)
        for i in range(asked.samples):
            first = i * (asked.seconds - asked.window_s) // max(1, asked.samples - 1)
            line = {"version": 1, "id": f"{clip}-{i}", "clip": {"video": str(path)}, "turns": []}
            line |= {"first": first, "stop": first + asked.window_s, "history": []}
            lines.append(json.dumps(line) + "\n")
    (folder / "shard-0.jsonl").write_text("".join(lines), encoding="utf-8")
    return str(folder / "shard-*.jsonl")


def _cpu_s() -> float:
    """CPU time of this process, and of those of its children that have ended."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime
