"""Clips are decoded once and remembered, by their bytes: long ones do not fill the memory."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from aura_core.data import video
from aura_core.data.video import ClipCache, ClipWriter
from aura_core.errors import InputError

PICTURE = 32 * 32 * 3  # bytes


def written(path: Path, slots: int, level: int = 50) -> Path:
    writer = ClipWriter(path, (32, 32), 18)
    for _ in range(slots):
        writer.add(np.full((32, 32, 3), level, np.uint8))
    writer.close()
    return path


@pytest.fixture
def decoded(monkeypatch) -> list[str]:
    """Names of the clips that were decoded, in order."""
    names: list[str] = []
    decode = video._decoded

    def counted(path: Path):
        names.append(path.name)
        time.sleep(0.05)  # so that threads which do not wait for each other meet here
        return decode(path)

    monkeypatch.setattr(video, "_decoded", counted)
    return names


def test_the_cache_is_bounded_by_bytes_and_lets_the_oldest_go(tmp_path, decoded):
    """Regression: eight clips were kept, however long: 9 GB of ten minutes each."""
    a, b, c = (written(tmp_path / f"{n}.mp4", 4) for n in "abc")
    cache = ClipCache(8 * PICTURE)
    for path in (a, b, a, c, a, b):
        assert len(cache.get(path)) == 4 and cache.bytes <= 8 * PICTURE
    assert decoded == ["a.mp4", "b.mp4", "c.mp4", "b.mp4"]


def test_a_clip_larger_than_the_cache_is_kept_alone(tmp_path, decoded):
    long, short = written(tmp_path / "long.mp4", 12), written(tmp_path / "short.mp4", 2)
    cache = ClipCache(8 * PICTURE)
    for path in (short, long, long, short):
        cache.get(path)
    assert decoded == ["short.mp4", "long.mp4", "short.mp4"] and cache.bytes == 2 * PICTURE


def test_threads_decode_a_clip_once_and_different_clips_at_once(tmp_path, decoded):
    paths = [written(tmp_path / f"{n}.mp4", 4) for n in "ab"]
    cache, start = ClipCache(1 << 20), threading.Barrier(8)

    def get(i: int) -> int:
        start.wait(10)
        return id(cache.get(paths[i % 2]))

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(get, range(8)))) == 2
    assert sorted(decoded) == ["a.mp4", "b.mp4"]


def test_a_clip_that_cannot_be_decoded_is_tried_again(tmp_path):
    (tmp_path / "a.mp4").write_bytes(b"no clip")
    cache = ClipCache(1 << 20)
    with pytest.raises(InputError, match=r"a\.mp4: cannot be decoded"):
        cache.get(tmp_path / "a.mp4")
    written(tmp_path / "a.mp4", 4)
    assert len(cache.get(tmp_path / "a.mp4")) == 4
