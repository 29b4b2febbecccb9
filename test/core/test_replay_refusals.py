"""Bags that cannot be read or written: one clear line, and never another exception."""

from __future__ import annotations

import random

import pytest
from bags import IMAGE, START, clip, frame, image, raw_bag

from aura_core.errors import InputError
from aura_core.replay.bag import Bag
from aura_core.replay.lockstep import Asked, insert
from aura_core.replay.writer import write_bag
from aura_core.types import Query


def test_paths_that_are_no_bags(tmp_path):
    (tmp_path / "x.txt").write_text("x")
    (tmp_path / "x.mcap").write_bytes(b"")
    (tmp_path / "x.db3").write_bytes(b"x" * 5000)
    (tmp_path / "folder").mkdir()
    (tmp_path / "meta").mkdir()
    (tmp_path / "meta" / "metadata.yaml").write_text(": [not yaml")
    for name, says in [
        ("nope", "there is no such bag"),
        ("x.txt", "not a rosbag2 recording"),
        ("x.mcap", "damaged or incomplete: .*empty"),
        ("x.db3", "damaged or incomplete: Cannot open database"),
        ("folder", "not a rosbag2 folder: it has no metadata.yaml, and 0 data files"),
        ("meta", "damaged or incomplete: Could not load YAML"),
    ]:
        with pytest.raises(InputError, match=says) as e:
            Bag(tmp_path / name)
        assert name in str(e.value) and "\n" not in str(e.value)


def test_unsupported_encoding_names_topic_and_encoding(tmp_path):
    path = raw_bag(tmp_path / "bag", [("/depth", IMAGE, START, image(START, "32FC1"))])
    with (
        Bag(path) as bag,
        pytest.raises(InputError, match=rf"/depth at {START} ns: image encoding '32FC1' is not"),
    ):
        list(bag.events())


@pytest.mark.parametrize("storage", ["sqlite3", "mcap"])
def test_damaged_bags_end_in_an_input_error_or_are_read(tmp_path, storage):
    """Cut off, or with changed bytes, at many places: never another exception."""
    write_bag(tmp_path / "bag", insert(clip(2), [Asked("hm?", 1.0)]), storage)
    (file,) = [p for p in (tmp_path / "bag").iterdir() if p.suffix in (".mcap", ".db3")]
    good, rng, refused = file.read_bytes(), random.Random(0), 0
    for trial in range(30):
        bad = bytearray(good)
        if trial % 3 == 0:
            del bad[rng.randrange(len(bad)) :]
        else:
            for _ in range(rng.choice([1, 8, 200])):
                bad[rng.randrange(len(bad))] = rng.randrange(256)
        file.write_bytes(bad)
        for target in (file, tmp_path / "bag"):
            try:
                with Bag(target) as bag:
                    list(bag.events())
            except InputError as e:
                refused += 1
                assert "\n" not in str(e)
    assert refused > 15


@pytest.mark.parametrize("images", ["raw", "png", "jpeg"])
def test_writer_refuses_what_a_bag_cannot_hold(tmp_path, images):
    write_bag(tmp_path / "bag", clip(1), "mcap", images)
    with pytest.raises(InputError, match="exists already"):
        write_bag(tmp_path / "bag", clip(1))
    with pytest.raises(InputError, match="needs stamps"):
        write_bag(tmp_path / "other", [frame(0), Query("no stamp")])
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot write the bag"):
        write_bag(tmp_path / "file" / "bag", clip(1))
