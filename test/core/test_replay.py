"""Bags: both storages, raw and compressed, read back with exact stamps and exact pixels."""

from __future__ import annotations

import sqlite3

import cv2
import numpy as np
import pytest
from bags import (
    COMPRESSED,
    IMAGE,
    MS,
    START,
    STRING,
    S,
    T,
    clip,
    compressed,
    frame,
    image,
    raw_bag,
    same,
)

from aura_core.errors import InputError
from aura_core.replay.bag import Bag
from aura_core.replay.lockstep import Asked, insert
from aura_core.replay.writer import write_bag
from aura_core.types import Frame, Query


@pytest.mark.parametrize("storage", ["sqlite3", "mcap"])
@pytest.mark.parametrize("images", ["raw", "png"])
def test_what_is_written_is_read_back(tmp_path, storage, images):
    events = list(insert(clip(), [Asked("what is there?", 3.0), Asked("每当看到猫时告诉我", 4.2)]))
    assert write_bag(tmp_path / "bag", events, storage, images) == 12
    with Bag(tmp_path / "bag") as bag:
        same(list(bag.events()), events)
        assert bag.topics.image_topic == (
            "/image_raw" if images == "raw" else "/image_raw/compressed"
        )
    (data,) = [p for p in (tmp_path / "bag").iterdir() if p.suffix in (".mcap", ".db3")]
    with Bag(data) as bag:  # the data file alone
        same(list(bag.events()), events)
    (tmp_path / "bag" / "metadata.yaml").unlink()  # a recorder that was killed
    with Bag(tmp_path / "bag") as bag:
        same(list(bag.events()), events)


def test_a_bag_without_type_definitions_is_read(tmp_path):
    write_bag(tmp_path / "bag", clip(1), "sqlite3")
    with sqlite3.connect(tmp_path / "bag" / "bag.db3") as db:
        db.execute("DELETE FROM message_definitions")
    with Bag(tmp_path / "bag") as bag:
        same(list(bag.events()), clip(1))


def test_only_two_frames_a_second_are_decoded(tmp_path, monkeypatch):
    write_bag(tmp_path / "bag", [frame(33 * k, k) for k in range(60)])
    from aura_core.replay import bag as module

    decoded = []
    original = module.decode_raw
    monkeypatch.setattr(module, "decode_raw", lambda *a: decoded.append(1) or original(*a))
    with Bag(tmp_path / "bag") as bag:
        frames = list(bag.events())
    assert [(f.stamp_ns - START) // MS for f in frames] == [0, 462, 957, 1452] and len(decoded) == 4
    with Bag(tmp_path / "bag", fps=None) as bag:
        assert sum(1 for _ in bag.events()) == 60


def test_header_stamps_win_and_questions_move_into_their_clock(tmp_path):
    """A camera whose clock is 100 s behind the recorder's, with a delay that varies."""
    ask = T[STRING]
    path = raw_bag(
        tmp_path / "bag",
        [
            ("/asr/text", STRING, 100 * S + 10, ask("before the first frame")),
            ("/image_raw", IMAGE, 100 * S + 50 * MS, image(10 * S)),
            ("/image_raw", IMAGE, 100 * S + 580 * MS, image(10 * S + 500 * MS)),
            ("/asr/text", STRING, 100 * S + 680 * MS, ask("after the second")),
            ("/image_raw", IMAGE, 101 * S, image(11 * S)),
        ],
    )
    with Bag(path) as bag:
        events = list(bag.events())
    assert [e.stamp_ns for e in events] == [
        None,
        10 * S,
        10 * S + 500 * MS,
        10 * S + 600 * MS,
        11 * S,
    ]


def test_zero_header_stamps_fall_back_to_bag_time(tmp_path):
    path = raw_bag(
        tmp_path / "bag", [("/image_raw", IMAGE, START + k * 500 * MS, image(0)) for k in range(3)]
    )
    with Bag(path) as bag:
        assert [f.stamp_ns - START for f in bag.events()] == [0, 500 * MS, 1000 * MS]


def test_a_question_comes_before_an_image_of_the_same_time(tmp_path):
    path = raw_bag(
        tmp_path / "bag",
        [
            ("/image_raw", IMAGE, START, image(START)),
            ("/image_raw", IMAGE, START + 500 * MS, image(START + 500 * MS)),
            ("/asr/text", STRING, START + 500 * MS, T[STRING]("now?")),
        ],
    )
    with Bag(path) as bag:
        assert [type(e) for e in bag.events()] == [Frame, Query, Frame]


def test_a_compressed_depth_image_is_refused_as_a_raw_one_is(tmp_path):
    png = cv2.imencode(".png", np.full((8, 8), 1500, np.uint16))[1].tobytes()
    message = compressed(START, png, "16UC1; png compressed")
    path = raw_bag(tmp_path / "bag", [("/depth", COMPRESSED, START, message)])
    with (
        Bag(path) as bag,
        pytest.raises(InputError, match=r"/depth at \d+ ns: .*'16UC1; png compressed' is not supp"),
    ):
        list(bag.events())


def test_a_bag_of_pictures_that_are_too_large_says_so(tmp_path):
    png = cv2.imencode(".png", np.zeros((8100, 8100), np.uint8))[1].tobytes()
    path = raw_bag(tmp_path / "bag", [("/cam", COMPRESSED, START, compressed(START, png, "png"))])
    with Bag(path) as bag, pytest.raises(InputError, match=r"decoded: .*8100x8100.* is too large"):
        list(bag.events())


def test_broken_jpegs_are_left_out_and_counted(tmp_path):
    good = cv2.imencode(".jpg", np.full((8, 8, 3), 77, np.uint8))[1].tobytes()
    stamps = [START + k * 250 * MS for k in range(5)]
    path = raw_bag(
        tmp_path / "bag",
        [
            ("/cam", COMPRESSED, s, compressed(s, b"oops" if k in (0, 3) else good))
            for k, s in enumerate(stamps)
        ],
    )
    with Bag(path) as bag:
        frames = list(bag.events())
        assert [f.stamp_ns - START for f in frames] == [250 * MS, 1000 * MS] and bag.skipped == 2
    path = raw_bag(tmp_path / "bad", [("/cam", COMPRESSED, START, compressed(START, b"oops"))])
    with (
        Bag(path) as bag,
        pytest.raises(InputError, match="not one of the 1 images of /cam can be decoded"),
    ):
        list(bag.events())
