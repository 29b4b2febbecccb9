"""`aura bench data video`: samples cut from one long clip, and pictures for the checks of an MLLM.

Each is measured twice: decoded from the clip's beginning, as it was before, and from the nearest
key frame. The clip is made here: H.264 at two frames a second, as `aura data prepare` writes it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from aura_core.config import ModelConfig, SamplingConfig
from aura_core.data.video import FPS, ClipCache, ClipWriter, read_clip
from aura_core.sources import open_source
from aura_core.stream.prompt import PromptCodec
from aura_core.stream.sampling import ChunkSampler
from aura_core.training.finetune.dataset import build, clip_chunks
from aura_core.training.finetune.opening import open_base
from aura_core.training.finetune.records import Record
from aura_core.types import Chunk

CHECK_S = 8  # seconds that a check shows, `synthesize.look_back_s`


@dataclass(frozen=True)
class Asked:
    """What is measured.

    Attributes:
        seconds: length of the clip.
        size: height and width of its frames in pixels.
        samples: windows that are drawn, uniformly over the clip.
        window_s: length of a window in seconds.
    """

    seconds: int
    size: tuple[int, int]
    samples: int
    window_s: int


def measure(asked: Asked, folder: Path, on_step: Callable[[str], None]) -> dict[str, Any]:
    """Make the clip, and read samples and checks in both ways, one after another in turn.

    Returns rates, each for "beginning" and "key_frame": samples and tokens a second with ids and
    pixels of the embedded model, windows a second of decoding alone, and checks a second; and the
    CPU time of decoding a window in ms.
    """
    on_step(f"making a clip of {asked.seconds} s")
    path = written(folder / "long.mp4", asked)
    backend, _ = open_base(ModelConfig("aura_tiny", "float32", "cpu", "sdpa"))
    codec, family = PromptCodec(backend.tokenizer, backend.chat), backend.family
    rng = np.random.default_rng(0)
    firsts = rng.integers(0, asked.seconds - asked.window_s + 1, asked.samples)
    spent: dict[str, dict[str, float]] = {
        way: dict.fromkeys(("decode_s", "decode_cpu_s", "build_s", "check_s"), 0.0) for way in WAYS
    }
    tokens = 0
    on_step(f"reading {asked.samples} windows of {asked.window_s} s in both ways")
    for number, first in enumerate(firsts):
        record = _record(path, int(first), int(first) + asked.window_s)
        for way, read in WAYS.items():
            begin, cpu = time.perf_counter(), time.process_time()
            chunks = read(record)
            spent[way]["decode_s"] += time.perf_counter() - begin
            spent[way]["decode_cpu_s"] += time.process_time() - cpu
            example = build(record, codec, family, chunks)
            spent[way]["build_s"] += time.perf_counter() - begin
        tokens += len(example.ids)
        slots = range(int(first) * FPS, (int(first) + CHECK_S) * FPS)
        begin = time.perf_counter()
        whole = read_clip(path)
        spent["beginning"]["check_s"] += time.perf_counter() - begin
        begin = time.perf_counter()
        shown = ClipCache(0).get(path, slots)
        spent["key_frame"]["check_s"] += time.perf_counter() - begin
        assert all(np.array_equal(shown[s], whole[s]) for s in slots)
        del whole
        if (number + 1) % 10 == 0:
            on_step(f"{number + 1} windows")
    n = asked.samples
    return {
        way: {
            "samples_per_s": round(n / s["build_s"], 3),
            "tokens_per_s": round(tokens / s["build_s"], 1),
            "windows_decoded_per_s": round(n / s["decode_s"], 3),
            "decode_cpu_ms": round(1e3 * s["decode_cpu_s"] / n, 1),
            "checks_per_s": round(n / s["check_s"], 3),
        }
        for way, s in spent.items()
    }


def written(path: Path, asked: Asked) -> Path:
    """Write a clip in which a textured square moves over a textured ground."""
    height, width = asked.size
    rng = np.random.default_rng(1)
    ground = rng.integers(0, 255, (height // 8 + 1, width // 8 + 1, 3), np.uint8)
    ground = np.kron(ground, np.ones((8, 8, 1), np.uint8))[:height, :width]
    side = min(asked.size) // 3
    writer = ClipWriter(path, asked.size, 18)
    for slot in range(FPS * asked.seconds):
        image = ground.copy()
        x, y = 7 * slot % (width - side), 5 * slot % (height - side)
        image[y : y + side, x : x + side] = np.roll(ground[:side, :side], 3 * slot, 1)
        writer.add(image)
    writer.close()
    return path


def _record(path: Path, first: int, stop: int) -> Record:
    return Record(f"{first}", str(path), first, stop, (), (), (), str(path))


def _from_beginning(record: Record) -> list[Chunk]:
    sampling = ChunkSampler(SamplingConfig())
    with open_source(record.clip, fps=2.0, duration_s=float(record.stop)) as source:
        closed = [sampling.push(frame) for frame in source]
    chunks = [c for c in [*closed, sampling.flush()] if c is not None]
    return chunks[record.first : record.stop]


WAYS: dict[str, Callable[[Record], list[Chunk]]] = {
    "beginning": _from_beginning,
    "key_frame": clip_chunks,
}
