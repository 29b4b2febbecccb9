"""Bags: both storages, raw and compressed, found topics, exact stamps, and one clear line for what is wrong."""

from __future__ import annotations

import random
import sqlite3
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore

from aura_core.errors import InputError
from aura_core.models.scripted import ScriptedBackend
from aura_core.replay.bag import Bag
from aura_core.replay.lockstep import Asked, drive, insert, until
from aura_core.replay.writer import write_bag
from aura_core.stream.assistant import StreamingAssistant
from aura_core.types import Frame, Query

MS = 1_000_000
S = 1_000_000_000
START = 1_700_000_000 * S
IMAGE, COMPRESSED, STRING = "sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage", "std_msgs/msg/String"
STORE = get_typestore(Stores.ROS2_HUMBLE)
T = STORE.types


def frame(ms: int, level: int = 0) -> Frame:
    return Frame(np.full((4, 6, 3), level, np.uint8), START + ms * MS)


def clip(seconds: int = 6) -> list[Frame]:
    rng = np.random.default_rng(1)
    return [Frame(rng.integers(0, 256, (12, 16, 3), np.uint8), START + k * 500 * MS) for k in range(2 * seconds)]


def image(stamp_ns: int, encoding: str = "rgb8", level: int = 9, step: int = 6) -> object:
    stamp = T["builtin_interfaces/msg/Time"](*divmod(stamp_ns, S))
    header = T["std_msgs/msg/Header"](stamp, "camera")
    return T[IMAGE](header, 2, 2, encoding, 0, step, np.full(2 * step, level, np.uint8))


def compressed(stamp_ns: int, data: bytes) -> object:
    stamp = T["builtin_interfaces/msg/Time"](*divmod(stamp_ns, S))
    return T[COMPRESSED](T["std_msgs/msg/Header"](stamp, "c"), "jpeg", np.frombuffer(data, np.uint8))


def raw_bag(path: Path, messages: list[tuple[str, str, int, object]], empty: list[tuple[str, str]] = ()) -> Path:
    """A bag of (topic, type, bag time, message); `empty` topics are declared and never used."""
    with Writer(path, version=8, storage_plugin=StoragePlugin.SQLITE3) as bag:
        made = {}
        for topic, kind in [*((t, k) for t, k, _, _ in messages), *empty]:
            if topic not in made:
                made[topic] = bag.add_connection(topic, kind, typestore=STORE)
        for topic, kind, ns, message in messages:
            bag.write(made[topic], ns, STORE.serialize_cdr(message, kind))
    return path


def same(events: list[Frame | Query], expected: list[Frame | Query]) -> None:
    assert [type(e) for e in events] == [type(e) for e in expected]
    for got, want in zip(events, expected, strict=True):
        assert got.stamp_ns == want.stamp_ns
        if isinstance(got, Frame):
            np.testing.assert_array_equal(got.image, want.image)
        else:
            assert got.text == want.text


@pytest.mark.parametrize("storage", ["sqlite3", "mcap"])
@pytest.mark.parametrize("images", ["raw", "png"])
def test_what_is_written_is_read_back(tmp_path, storage, images):
    events = list(insert(clip(), [Asked("what is there?", 3.0), Asked("每当看到猫时告诉我", 4.2)]))
    assert write_bag(tmp_path / "bag", events, storage, images) == 12
    with Bag(tmp_path / "bag") as bag:
        same(list(bag.events()), events)
        assert bag.topics.image_topic == ("/image_raw" if images == "raw" else "/image_raw/compressed")
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
    assert [e.stamp_ns for e in events] == [None, 10 * S, 10 * S + 500 * MS, 10 * S + 600 * MS, 11 * S]


def test_zero_header_stamps_fall_back_to_bag_time(tmp_path):
    path = raw_bag(tmp_path / "bag", [("/image_raw", IMAGE, START + k * 500 * MS, image(0)) for k in range(3)])
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


def test_broken_jpegs_are_left_out_and_counted(tmp_path):
    good = cv2.imencode(".jpg", np.full((8, 8, 3), 77, np.uint8))[1].tobytes()
    stamps = [START + k * 250 * MS for k in range(5)]
    path = raw_bag(
        tmp_path / "bag",
        [("/cam", COMPRESSED, s, compressed(s, b"oops" if k in (0, 3) else good)) for k, s in enumerate(stamps)],
    )
    with Bag(path) as bag:
        frames = list(bag.events())
        assert [f.stamp_ns - START for f in frames] == [250 * MS, 1000 * MS] and bag.skipped == 2
    path = raw_bag(tmp_path / "bad", [("/cam", COMPRESSED, START, compressed(START, b"oops"))])
    with Bag(path) as bag, pytest.raises(InputError, match="not one of the 1 images of /cam can be decoded"):
        list(bag.events())


# ---- topics --------------------------------------------------------------------------------------

IMG = image(START)
TEXT = T[STRING]("hello")


def test_the_one_camera_is_found_by_type(tmp_path):
    path = raw_bag(
        tmp_path / "bag",
        [("/front/rgb", IMAGE, START, IMG), ("/robot_description", STRING, START, TEXT)],
        empty=[("/other/image_raw", IMAGE)],
    )
    with Bag(path) as bag:
        assert bag.topics.image_topic == "/front/rgb" and bag.topics.text_topic is None
        assert "no questions" in bag.description
    with Bag(path, text_topic="robot_description") as bag:
        assert bag.topics.text_topic == "/robot_description"


def test_image_raw_is_preferred_then_a_choice_is_asked_for(tmp_path):
    two = [("/left/image_raw", IMAGE, START, IMG), ("/left/depth", IMAGE, START, IMG)]
    with Bag(raw_bag(tmp_path / "a", two)) as bag:
        assert bag.topics.image_topic == "/left/image_raw"
    three = [*two, ("/right/image_raw", IMAGE, START, IMG)]
    with pytest.raises(InputError, match=r"several image topics .*--image-topic") as e:
        Bag(raw_bag(tmp_path / "b", three))
    assert "/left/image_raw" in str(e.value) and "/right/image_raw" in str(e.value)
    with Bag(tmp_path / "b", image_topic="/right/image_raw") as bag:
        assert bag.topics.image_topic == "/right/image_raw"


def test_several_question_topics_must_be_told_apart(tmp_path):
    messages = [("/c", IMAGE, START, IMG), ("/a/asr/text", STRING, START, TEXT), ("/b/asr/text", STRING, START, TEXT)]
    with pytest.raises(InputError, match="--text-topic"):
        Bag(raw_bag(tmp_path / "bag", messages))


@pytest.mark.parametrize(
    ("image_topic", "text_topic", "says"),
    [
        ("/nope", None, r"there is no topic /nope; the bag has /asr/text \(std_msgs/msg/String\), /idle"),
        (None, "/nope", "there is no topic /nope; the bag has"),
        ("/asr/text", None, "topic /asr/text is std_msgs/msg/String, which is no image topic"),
        (None, "/image_raw", "topic /image_raw is sensor_msgs/msg/Image, which is no text topic"),
        ("/idle", None, "there are no messages on the image topic /idle"),
    ],
)
def test_wrong_topic_names_list_what_is_there(tmp_path, image_topic, text_topic, says):
    path = raw_bag(
        tmp_path / "bag",
        [("/image_raw", IMAGE, START, IMG), ("/asr/text", STRING, START, TEXT)],
        empty=[("/idle", IMAGE)],
    )
    with pytest.raises(InputError, match=says):
        Bag(path, image_topic, text_topic)


def test_a_bag_without_images_lists_its_topics(tmp_path):
    with pytest.raises(InputError, match=r"no images in it; the bag has /asr/text \(std_msgs/msg/String\)"):
        Bag(raw_bag(tmp_path / "bag", [("/asr/text", STRING, START, TEXT)]))
    with pytest.raises(InputError, match="the bag has no topics"):
        Bag(raw_bag(tmp_path / "empty", []))


# ---- what cannot be read -------------------------------------------------------------------------


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
    with Bag(path) as bag, pytest.raises(InputError, match=rf"/depth at {START} ns: image encoding '32FC1' is not"):
        list(bag.events())


@pytest.mark.parametrize("storage", ["sqlite3", "mcap"])
def test_damaged_bags_end_in_an_input_error_or_are_read(tmp_path, storage):
    """Cut short and with bytes changed, at many places: never another exception."""
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


# ---- lockstep ------------------------------------------------------------------------------------


def test_questions_stand_before_the_first_frame_that_is_not_older():
    asked = [Asked("b", 0.5), Asked("c", 0.6), Asked("d", 9.0), Asked("a", 0.0)]
    events = list(insert([frame(0), frame(500), frame(1000)], asked))
    shown = [e.text if isinstance(e, Query) else (e.stamp_ns - START) // MS for e in events]
    assert shown == ["a", 0, "b", 500, "c", 1000, "d"]
    assert [e.stamp_ns - START for e in events if isinstance(e, Query)] == [0, 500 * MS, 600 * MS, 9000 * MS]
    assert list(insert([], asked)) == []


@given(st.lists(st.integers(0, 20), max_size=8), st.lists(st.integers(0, 20), max_size=8))
def test_insert_loses_nothing_and_keeps_time(frames_at, asked_at):
    frames = [frame(250 * k) for k in sorted(frames_at)]
    questions = [Asked(f"q{i}", k * 0.25) for i, k in enumerate(asked_at)]
    events = list(insert(frames, questions))
    if frames:
        assert [e for e in events if isinstance(e, Frame)] == frames
        assert sorted(e.text for e in events if isinstance(e, Query)) == sorted(q.text for q in questions)
        assert [e.stamp_ns for e in events] == sorted(e.stamp_ns for e in events)


def test_until_counts_from_the_first_frame():
    events = [Query("early"), frame(0), frame(900), Query("q", stamp_ns=START + 950 * MS), frame(1000), frame(1500)]
    assert list(until(events, 1.0)) == events[:4]
    assert list(until(events, None)) == events


@pytest.mark.parametrize("bad", ["", "what?", "x:what?", "-1:what?", "nan:what?", "inf:what?", "3", "3:", "3:  "])
def test_asked_refuses_with_an_example(bad):
    with pytest.raises(InputError, match=r"^--ask '.*': (expected SECONDS:QUESTION|the question is empty)"):
        Asked.parse(bad)


def test_asked_keeps_colons_in_the_question():
    assert Asked.parse("3.5: what: is it? ") == Asked("what: is it?", 3.5)


def test_a_refused_question_is_reported_and_the_stream_goes_on():
    events = [frame(0), Query(""), Query("x" * 5000), frame(500), frame(1000), frame(1500)]
    refused = []
    assistant = StreamingAssistant(ScriptedBackend())
    steps = list(drive(assistant, events, on_refused=lambda q, e: refused.append(str(e))))
    assert len(steps) == 2
    assert refused == ["the question is empty", "the question has 5000 tokens; at most 512 are allowed"]
    with pytest.raises(InputError, match="the question is empty"):
        list(drive(StreamingAssistant(ScriptedBackend()), events))


def test_every_chunk_is_stepped_before_the_next_frame_is_read():
    assistant = StreamingAssistant(ScriptedBackend())
    seen = []

    def events():
        for k in range(6):
            seen.append((k, len(assistant.window.turns)))
            yield frame(500 * k)

    assert [s.chunk for s in drive(assistant, events())] == [0, 1, 2]
    assert seen == [(0, 0), (1, 0), (2, 1), (3, 1), (4, 2), (5, 2)]


def test_a_question_in_the_half_filled_last_chunk_is_seen():
    steps = list(
        drive(StreamingAssistant(ScriptedBackend()), insert([frame(0), frame(500), frame(1000)], [Asked("hm?", 1.7)]))
    )
    assert [(s.chunk, s.question) for s in steps] == [(0, None), (1, "hm?")]
