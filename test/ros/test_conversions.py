"""Messages to core types and back, without DDS."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from aura_ros.msg import Heartbeat, Note
from aura_ros.srv import Forget
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header

from aura_core.errors import InputError
from aura_core.live.events import Alert, Stepped, Unheard, Words
from aura_core.live.health import Health
from aura_core.memory.notes import Note as CoreNote
from aura_core.memory.notes import NoteKind
from aura_core.memory.wanted import Wanted
from aura_core.sources.encodings import SUPPORTED
from aura_core.types import (
    Answered,
    Decision,
    Evidence,
    Frame,
    Kind,
    Query,
    Response,
    Severity,
    Step,
)
from aura_ros import conversions as to

NS = 1_000_000_000
HEALTH = Health("ready", 0.0, 9, 4, 2, 7, 2**40, 3, 0)
SAID = Response("a red cube", Kind.PROACTIVE, "q3", 1, False, 7 * NS + 5, id="run-r3")
STEP = Step(
    chunk=7,
    stamp_ns=7 * NS + 5,
    decision=Decision(False, 0.25, 1),
    response=SAID,
    question=None,
    question_id=None,
    step_ms=30.5,
    decide_ms=20.5,
    prefill_tokens=11,
    vision_encodes=1,
    decode_tokens=4,
    forwards=5,
    window_chunks=8,
    window_tokens=99,
    switched=False,
)


@pytest.mark.parametrize("stamp_ns", [0, 1, NS - 1, NS, 1_795_218_080_432_407_052])
def test_stamps_go_both_ways(stamp_ns: int) -> None:
    assert to.to_ns(to.to_time(stamp_ns)) == stamp_ns


def test_a_stamp_of_zero_is_the_time_of_arrival() -> None:
    assert to.stamp_or(Header(), 77) == 77
    assert to.stamp_or(to.header(5, ""), 77) == 5


def test_an_image_goes_both_ways() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (5, 7, 3), np.uint8)
    msg = to.to_image(Frame(picture[:, ::-1], 3 * NS + 4), "cam")  # not contiguous
    assert (msg.height, msg.width, msg.step, msg.encoding, msg.header.frame_id) == (
        5,
        7,
        21,
        "rgb8",
        "cam",
    )
    back = to.to_frame(msg, to.to_ns(msg.header.stamp))
    assert (back.stamp_ns, back.frame_id) == (3 * NS + 4, "cam")
    np.testing.assert_array_equal(back.image, picture[:, ::-1])


def test_bgr_with_row_padding_is_read() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (4, 5, 3), np.uint8)
    padded = np.zeros((4, 20), np.uint8)
    padded[:, :15] = picture[:, :, ::-1].reshape(4, 15)
    msg = Image(height=4, width=5, step=20, encoding="bgr8")
    msg.data.frombytes(padded)
    np.testing.assert_array_equal(to.to_frame(msg, 0).image, picture)


@pytest.mark.parametrize("big_endian", [0, 1])
def test_the_byte_order_of_a_message_is_kept(big_endian: int) -> None:
    msg = Image(height=1, width=2, step=4, encoding="mono16", is_bigendian=big_endian)
    msg.data.frombytes(b"\x10\x20\x30\x40")
    assert to.to_frame(msg, 0).image[0, :, 0].tolist() == (
        [0x10, 0x30] if big_endian else [0x20, 0x40]
    )


def test_a_compressed_image_is_read() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (4, 5, 3), np.uint8)
    msg = CompressedImage(format="png")
    msg.data.frombytes(cv2.imencode(".png", picture[:, :, ::-1])[1])
    msg.header.frame_id = "cam"
    assert to.refuse_image(msg) == ""
    frame = to.to_frame(msg, 0)
    np.testing.assert_array_equal(frame.image, picture)
    assert frame.frame_id == "cam"


def test_a_frame_as_jpeg_keeps_its_header_and_its_colours() -> None:
    image = np.zeros((16, 16, 3), np.uint8)
    image[:] = (200, 40, 90)
    msg = to.jpeg_msg(Frame(image, 3 * NS + 4, frame_id="cam"), 95)
    assert (msg.format, msg.header) == ("jpeg", to.header(3 * NS + 4, "cam"))
    back = to.to_frame(msg, to.to_ns(msg.header.stamp))
    assert np.abs(back.image.astype(int) - image).max() <= 3  # the rounding of JPEG's colours


def test_every_supported_encoding_is_let_through_and_others_are_named() -> None:
    for encoding in SUPPORTED:
        msg = Image(encoding=encoding)
        msg.data.frombytes(b"x")
        assert to.refuse_image(msg) == ""
    assert to.refuse_image(Image(encoding="rgb8")) == "the image has no data"
    assert to.refuse_image(Image(encoding="16UC1")).startswith(
        "image encoding '16UC1' is not supported; "
    )


def test_a_compressed_depth_image_is_refused_before_it_is_sampled() -> None:
    depth = CompressedImage(format="16UC1; compressedDepth png", data=b"x")
    assert to.refuse_image(depth).startswith("compressed image format '16UC1; compressedDepth png'")
    assert to.refuse_image(CompressedImage(format="rgb8; jpeg compressed bgr8", data=b"x")) == ""


def test_a_frame_that_cannot_be_read_says_which() -> None:
    msg = Image(height=2, width=2, encoding="rgb8", header=to.header(0, "cam"))
    msg.data.frombytes(b"xx")
    with pytest.raises(InputError, match=r"^frame cam at 12 ns: image data has 2 bytes"):
        to.to_frame(msg, 12)


def test_an_answer_as_response_and_alert() -> None:
    frame = Frame(np.zeros((1, 1, 3), np.uint8), SAID.stamp_ns, frame_id="cam")
    stepped = Stepped("front", STEP, frame)
    response = to.response_msg(stepped, SAID, 12.5)
    assert to.to_ns(response.header.stamp) == SAID.stamp_ns
    assert (response.text, response.kind, response.query_id, response.index) == (
        "a red cube",
        "proactive",
        "q3",
        1,
    )
    assert (response.acknowledgment, response.final, response.p_silent) == (False, True, 0.25)
    assert (response.frame_age_ms, response.decide_ms, response.step_ms) == (12.5, 20.5, 30.5)
    watch = Answered("q3", Kind.PROACTIVE, 1, severity=Severity.WARNING)
    alert = to.alert_msg(stepped, SAID, Alert(watch, "tell me"))
    assert (alert.severity, alert.camera, response.camera) == ("warning", "front", "front")
    assert (alert.watch_id, alert.instruction, alert.text) == ("q3", "tell me", "a red cube")
    assert (alert.kind, alert.confidence, alert.index, alert.header) == (
        "proactive",
        0.75,
        1,
        response.header,
    )
    assert response.id == alert.id == "run-r3"
    words = Words("", "run-r4", "a red", 5, True, "cam")
    partial = to.partial_msg(words, 1.0)
    assert (partial.id, partial.header.frame_id) == ("run-r4", "cam")
    assert (partial.text, partial.final, to.to_ns(partial.header.stamp)) == ("a red", False, 5)
    assert partial.kind == Kind.REAL_TIME
    assert to.partial_msg(replace(words, asked=False), 1.0).kind == ""
    assert not partial.urgent and to.partial_msg(replace(words, urgent=True), 1.0).urgent


def test_an_alert_that_nobody_heard_is_told_as_an_alert_is() -> None:
    event = Unheard("hall", Query("Tell me when it rains.", id="w1"))
    msg = to.unheard_msg("run-x1", event, 5)
    assert (msg.query_id, msg.kind, msg.final, msg.refused) == ("w1", Kind.PROACTIVE, True, True)
    assert msg.text == event.message and "Tell me when it rains." in msg.text


def test_a_heartbeat_before_the_first_step_and_after() -> None:
    beat = to.heartbeat_msg("waiting", "loading", 3, None, HEALTH, 60, "cam", 0.0)
    assert (beat.state, beat.detail, beat.sequence, beat.window_max, beat.chunk) == (
        "waiting",
        "loading",
        3,
        60,
        0,
    )
    assert (beat.frames_dropped, beat.chunks_dropped, beat.active_watches) == (4, 2, 3)
    assert beat.chunks_lost == 2**32 - 1  # a clock that stepped
    assert (beat.chunks_dropped, beat.chunks_missed) == (2, 7)
    assert to.to_ns(beat.header.stamp) == 0
    beat = to.heartbeat_msg("silent", "", 4, STEP, HEALTH, 60, "cam", 8.0)
    assert (beat.chunk, beat.p_silent, beat.step_ms, beat.frame_age_ms) == (7, 0.25, 30.5, 8.0)
    assert (beat.prefill_tokens, beat.vision_encodes, beat.decode_tokens, beat.window_chunks) == (
        11,
        1,
        4,
        8,
    )
    assert (beat.decide_ms, beat.window_tokens, beat.switched) == (20.5, 99, False)
    assert to.to_ns(beat.header.stamp) == STEP.stamp_ns


def test_a_heartbeat_tells_why_it_was_silent() -> None:
    held = replace(STEP, decision=Decision(True, 0.4, 1, "min_gap"), response=None)
    beat = to.heartbeat_msg("silent", "", 0, held, HEALTH, 60, "", 0.0)
    assert (beat.reason, beat.suppressed) == ("min_gap", "")
    said = replace(STEP, response=None, suppressed="cooldown", switched=True)
    beat = to.heartbeat_msg("silent", "", 0, said, HEALTH, 60, "", 0.0)
    assert (beat.reason, beat.suppressed, beat.switched) == ("", "cooldown", True)
    assert to.heartbeat_msg("waiting", "", 0, None, HEALTH, 60, "", 0.0).reason == ""


def test_a_heartbeat_tells_its_state_as_a_number_too() -> None:
    states = [getattr(Heartbeat, name) for name in dir(Heartbeat) if name.startswith("STATE_")]
    codes = {s: to.heartbeat_msg(s, "", 0, None, HEALTH, 60, "", 0.0).state_code for s in states}
    assert len(set(codes.values())) == len(states) >= 7
    assert codes["no_frames"] < codes["error"] < codes["silent"] < codes["speaking"]


def test_a_heartbeat_tells_of_the_memory() -> None:
    beat = to.heartbeat_msg("waiting", "", 0, None, HEALTH, 60, "", 0.0)
    assert (beat.memory, beat.memory_trouble) == ("off", "")
    failed = replace(HEALTH, memory="failed", memory_trouble="notes.db: damaged")
    beat = to.heartbeat_msg("silent", "", 0, STEP, failed, 60, "", 0.0)
    assert (beat.memory, beat.memory_trouble) == ("failed", "notes.db: damaged")


def test_a_note() -> None:
    note = CoreNote(
        *("run-n1", NoteKind.ALERT, "it boils", 5 * NS, 9 * NS, 1_795_218_080 * NS + 7, "run"),
        *("kitchen", "tell me when it boils", "run-q2", "run-r3", b"large", b"small"),
    )
    msg = to.note_msg(note, thumbnail=True)
    assert (msg.id, msg.kind, msg.text, msg.question) == (
        "run-n1",
        Note.KIND_ALERT,
        "it boils",
        "tell me when it boils",
    )
    assert (msg.query_id, msg.response_id, msg.camera) == ("run-q2", "run-r3", "kitchen")
    assert [to.to_ns(t) for t in (msg.begin, msg.header.stamp, msg.wall)] == [
        5 * NS,
        9 * NS,
        note.wall_ns,
    ]
    assert bytes(msg.thumbnail) == b"small"
    assert (
        not to.note_msg(note).thumbnail and not to.note_msg(replace(note, thumbnail=None)).thumbnail
    )
    far = to.note_msg(replace(note, wall_ns=2**62, begin_ns=-5))  # a clock that is wrong
    assert (far.wall.sec, far.begin.sec) == (2**31 - 1, 0)


def test_the_kinds_of_notes_are_those_of_the_engine() -> None:
    names = [name for name in dir(Note) if name.startswith("KIND_")]
    assert {name: getattr(Note, name) for name in names} == {
        f"KIND_{kind.name}": kind.value for kind in NoteKind
    }


def test_the_evidence_of_an_answer() -> None:
    said = replace(SAID, evidence=(Evidence("run-n1", NS, 2 * NS, 3 * NS),))
    event = Stepped("", replace(STEP, response=said), Frame(np.zeros((1, 1, 3), np.uint8), 0))
    (evidence,) = to.response_msg(event, said, 0.0).evidence
    assert evidence.note_id == "run-n1"
    stamps = [to.to_ns(t) for t in (evidence.begin, evidence.end, evidence.wall)]
    assert stamps == [NS, 2 * NS, 3 * NS]
    assert to.response_msg(event, SAID, 0.0).evidence == []


def test_what_a_request_wants_to_be_forgotten() -> None:
    assert to.forgotten(Forget.Request(everything=True)) is None
    assert to.forgotten(Forget.Request(ids=["a", "b"])) == Wanted(ids=("a", "b"))
    span = Forget.Request(begin=to.to_time(5), end=to.to_time(NS))
    assert to.forgotten(span) == Wanted(begin_wall_ns=5, end_wall_ns=NS)
    assert to.forgotten(Forget.Request(end=to.to_time(NS))) == Wanted(end_wall_ns=NS)
    for bad in (
        Forget.Request(),
        Forget.Request(ids=["a"], everything=True),
        Forget.Request(ids=["a"], end=to.to_time(NS)),
        Forget.Request(begin=to.to_time(5), end=to.to_time(5)),
    ):
        with pytest.raises(InputError):
            to.forgotten(bad)


def test_diagnostics() -> None:
    msg = to.diagnostics_msg(NS, "ns/node", "cam", "warn", "slow", {"step_ms": 3.5})
    (status,) = msg.status
    assert (status.name, status.hardware_id, status.level, status.message) == (
        "ns/node",
        "cam",
        b"\x01",
        "slow",
    )
    assert [(v.key, v.value) for v in status.values] == [("step_ms", "3.5")]
