"""Parts of clips are decoded from the nearest key frame, and remembered by their bytes."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from aura_core.data import video
from aura_core.data.video import KEY_SLOTS, ClipCache, ClipWriter, decoded, read_clip
from aura_core.errors import InputError

PICTURE = 32 * 32 * 3  # bytes


def written(path: Path, slots: int) -> Path:
    """Write a clip with a picture of its own in each slot: a square that moves, some cuts."""
    writer = ClipWriter(path, (32, 32), 18)
    for slot in range(slots):
        image = np.full((32, 32, 3), 60 if slot % 47 < 33 else 200, np.uint8)
        image[slot % 24 : slot % 24 + 8, slot // 2 % 24 : slot // 2 % 24 + 8] = 10 * slot % 250
        writer.add(image)
    writer.close()
    return path


@pytest.fixture
def taken(monkeypatch) -> list[tuple[str, int]]:
    """Names and slots of the pictures that were decoded for somebody, in order."""
    names: list[tuple[str, int]] = []
    decode = video.decoded

    def counted(path: Path, slots):
        for slot, image in decode(path, slots):
            names.append((path.stem, slot))
            time.sleep(0.005)  # so that threads which do not wait for each other meet here
            yield slot, image

    monkeypatch.setattr(video, "decoded", counted)
    return names


def test_any_part_of_a_clip_equals_the_same_part_of_the_whole(tmp_path):
    path = written(tmp_path / "a.mp4", 150)
    whole = read_clip(path)
    assert len(whole) == 150
    parts = [range(k, k + 9) for k in range(0, 141, 7)]
    for slots in (*parts, range(0, 150, 37), (149,), (3, 4, 90, 91, 92), (0,), ()):
        found = list(decoded(path, slots))
        assert [slot for slot, _ in found] == list(slots)
        assert all(np.array_equal(image, whole[slot]) for slot, image in found)


def test_a_part_at_the_end_does_not_decode_what_comes_before(tmp_path, monkeypatch):
    """Regression: each request for a few seconds decoded its clip from the beginning."""
    path, seen = written(tmp_path / "a.mp4", 400), []
    pictures = video._Clip.pictures

    def counted(self):
        for slot, picture in pictures(self):
            seen.append(slot)
            yield slot, picture

    monkeypatch.setattr(video._Clip, "pictures", counted)
    list(decoded(path, range(380, 390)))
    assert min(seen) >= 380 - 2 * KEY_SLOTS and len(seen) <= 10 + 3 * KEY_SLOTS


def test_the_cache_is_bounded_by_bytes_and_lets_the_oldest_go(tmp_path, taken):
    """Regression: eight clips were kept, however long: 9 GB of ten minutes each."""
    a, b = written(tmp_path / "a.mp4", 8), written(tmp_path / "b.mp4", 8)
    cache = ClipCache(8 * PICTURE)
    for path, slots in ((a, range(4)), (b, range(4)), (a, range(2, 6)), (b, range(4))):
        found = cache.get(path, slots)
        assert list(found) == list(slots) and cache.bytes <= 8 * PICTURE
    # when the last two of `a` came, its first two went, which were the oldest
    assert taken == [
        *(("a", s) for s in range(4)),
        *(("b", s) for s in range(4)),
        *(("a", s) for s in (4, 5)),
    ]
    cache.get(a, (0,))
    assert taken[-1] == ("a", 0)


def test_more_pictures_than_the_cache_holds_are_all_returned(tmp_path, taken):
    path, cache = written(tmp_path / "a.mp4", 12), ClipCache(2 * PICTURE)
    assert len(cache.get(path, range(12))) == 12 and cache.bytes == 2 * PICTURE
    cache.get(path, (10, 11))
    assert len(taken) == 12


def test_threads_decode_a_picture_once_and_different_clips_at_once(tmp_path, taken):
    paths = [written(tmp_path / f"{n}.mp4", 4) for n in "ab"]
    cache, start = ClipCache(1 << 20), threading.Barrier(8)

    def get(i: int) -> int:
        start.wait(10)
        return id(cache.get(paths[i % 2], range(4))[0])

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(get, range(8)))) == 2
    assert sorted(taken) == [(n, s) for n in "ab" for s in range(4)]


def test_a_clip_that_cannot_be_decoded_is_tried_again(tmp_path):
    (tmp_path / "a.mp4").write_bytes(b"no clip")
    cache = ClipCache(1 << 20)
    with pytest.raises(InputError, match=r"a\.mp4: cannot be decoded"):
        cache.get(tmp_path / "a.mp4", (0,))
    written(tmp_path / "a.mp4", 4)
    assert len(cache.get(tmp_path / "a.mp4", range(4))) == 4


@pytest.mark.parametrize("slot", [40, 4000])
def test_a_slot_behind_the_end_is_named(tmp_path, slot):
    path = written(tmp_path / "a.mp4", 40)
    with pytest.raises(InputError, match=rf"a\.mp4: it has no picture for {slot // 2} s"):
        ClipCache(0).get(path, (slot,))
