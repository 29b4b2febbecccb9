"""The assistant as a process, over DDS: what it publishes, and after which failures it goes on."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable

import cv2
import numpy as np
import pytest
from aura_ros.msg import AssistantState, Heartbeat, Response
from rclpy.parameter import Parameter
from rclpy.parameter_client import AsyncParameterClient
from rig import Process, Rig
from sensor_msgs.msg import CompressedImage, Image

from aura_core.models.scripted import ScriptedBackend
from aura_core.replay.lockstep import Lockstep, drive
from aura_core.stream.engine import StreamEngine
from aura_core.types import NS, Frame, Kind, Query
from aura_ros import qos
from aura_ros.conversions import header, to_image, to_ns

Assistant = tuple[Process, Rig]
Rigs = Callable[[], tuple[str, Rig]]


def test_a_silent_second_gives_a_heartbeat_with_the_steps_numbers(assistant: Assistant) -> None:
    _, rig = assistant
    first, second = rig.live_second(), rig.live_second()
    assert (first.state, second.state) == ("silent", "silent")
    assert second.chunk == first.chunk + 1
    assert second.sequence > first.sequence
    assert (second.vision_encodes, second.decode_tokens) == (1, 0)
    assert second.prefill_tokens > 0
    assert second.window_chunks == first.window_chunks + 1
    assert (second.window_max, second.active_watches, second.detail) == (60, 0, "")
    assert 0.5 < second.p_silent <= 1.0
    assert (second.frames_dropped, second.chunks_dropped, second.chunks_lost) == (0, 0, 0)
    assert second.header.frame_id == "rig"


def test_a_question_is_answered_in_its_second_with_the_stamp_of_its_frames(
    assistant: Assistant,
) -> None:
    _, rig = assistant
    rig.live_second()
    rig.responses.clear()
    rig.ask("how bright is it?")
    rig.until(lambda: _asked(rig, "how bright is it?"), "the answer")
    (response,) = rig.final()
    assert response.text == "You asked: how bright is it? The brightness is 0."
    assert (response.kind, response.index, response.acknowledgment) == (Kind.REAL_TIME, 0, False)
    # A question that came after its second was decided is answered in it: a second heartbeat.
    heartbeat = rig.until(lambda: _spoken(rig, to_ns(response.header.stamp)), "its heartbeat")
    assert heartbeat.decode_tokens == len(response.text)
    partials = [r.text for r in rig.responses if not r.final]
    assert partials == sorted(set(partials), key=len)
    assert partials[0] == "Y" and partials[-1] == response.text
    assert {r.kind for r in rig.responses} == {Kind.REAL_TIME}
    assert {to_ns(r.header.stamp) for r in rig.responses} == {to_ns(response.header.stamp)}
    assert response.step_ms >= response.decide_ms > 0


def test_an_unasked_answer_is_an_alert_with_its_evidence(assistant: Assistant) -> None:
    _, rig = assistant
    rig.ask("Tell me whenever the brightness changes.")
    rig.until(lambda: _asked(rig, "Tell me whenever"), "the acknowledgment")
    acknowledgment = rig.final("Tell me whenever")[0]
    assert acknowledgment.acknowledgment
    assert not rig.alerts
    assert rig.live_second().active_watches == 1
    for index, grey in enumerate((100, 200)):
        stamp = rig.frames(grey)[-1]
        rig.until(lambda wanted=index + 1: len(rig.alerts) == wanted, "an alert")
        alert = rig.alerts[-1]
        assert alert.text == f"The brightness changed to {grey}."
        assert alert.instruction == "Tell me whenever the brightness changes."
        assert (alert.watch_id, alert.index) == (acknowledgment.query_id, index)
        assert alert.kind == Kind.MULTI_RESPONSE
        assert to_ns(alert.header.stamp) == stamp
        assert alert.confidence > 0.9
        rig.decided(stamp)
    rig.until(lambda: len(rig.final("changed to")) == 2, "the responses")
    assert [r.kind for r in rig.final("changed to")] == [Kind.MULTI_RESPONSE] * 2
    assert {r.kind for r in rig.responses if r.text.startswith("The b") and not r.final} == {""}
    rig.frames(0)
    rig.until(lambda: len(rig.alerts) == 3, "the alert of the dark")


def test_every_second_has_exactly_one_heartbeat_and_a_spoken_one_exactly_one_response(
    assistant: Assistant,
) -> None:
    _, rig = assistant
    stamps = [to_ns(rig.live_second(grey).header.stamp) for grey in (0, 0, 90, 90, 0)]
    beats = [
        (to_ns(h.header.stamp), h.state) for h in rig.heartbeats if to_ns(h.header.stamp) in stamps
    ]
    states = ("silent", "silent", "speaking", "silent", "speaking")
    assert beats == list(zip(stamps, states, strict=True))

    def spoken() -> list[int]:
        return [to_ns(r.header.stamp) for r in rig.final() if to_ns(r.header.stamp) in stamps]

    rig.until(lambda: len(spoken()) == 2, "two responses")
    assert spoken() == [stamps[2], stamps[4]]


def test_images_that_cannot_be_read_are_reported_and_the_node_goes_on(assistant: Assistant) -> None:
    process, rig = assistant
    rig.live_second()
    for name, value, detail in (
        ("encoding", "32FC1", "image encoding '32FC1' is not supported"),
        ("step", 3, "step 3 is shorter than a row"),
        ("height", 900, "image data has"),
    ):
        before = len(rig.heartbeats)
        msg = to_image(Frame(np.zeros((8, 8, 3), np.uint8), rig.start_ns + rig.second * NS), "rig")
        setattr(msg, name, value)
        rig.second += 1

        def reported(msg: Image = msg, detail: str = detail, before: int = before) -> bool:
            rig.camera.publish(msg)  # again: a single best-effort message may be lost
            rig.frames()
            return any(detail in h.detail for h in rig.heartbeats[before:])

        rig.until(reported, detail)
    assert process.running
    rig.until(lambda: rig.live_second().detail == "", "a heartbeat without a complaint")


@pytest.mark.parametrize(
    ("text", "detail"),
    [
        (" ", "question refused: the question is empty"),
        ("word " * 10_000, "the question has 50000 characters; at most 2000"),
    ],
)
def test_a_useless_question_is_refused_and_the_next_one_answered(
    assistant: Assistant, text: str, detail: str
) -> None:
    _, rig = assistant
    before = len(rig.heartbeats)
    rig.responses.clear()
    rig.ask(text)
    rig.until(
        lambda detail=detail, before=before: (
            rig.frames() and any(detail in h.detail for h in rig.heartbeats[before:])
        ),
        detail,
    )
    (refusal,) = rig.until(lambda: [r for r in rig.responses if r.refused], "the refusal")
    assert refusal.final and refusal.kind == Kind.REAL_TIME
    assert refusal.text.startswith("I cannot answer that: the question ")
    rig.responses.clear()
    rig.ask("and now?")
    rig.until(lambda: _asked(rig, "and now?"), "the answer")


def test_a_camera_that_vanishes_is_reported_and_so_is_its_return(assistant: Assistant) -> None:
    process, rig = assistant
    last = rig.live_second()
    before, rig.diagnostics[:] = len(rig.heartbeats), []
    (stamp,) = rig.frames(halves=(0,))  # it dies in the middle of a second
    assert rig.decided(stamp).chunk == last.chunk + 1  # which is decided all the same
    first = rig.state("no_frames", "no frame for", before)
    later = rig.state("no_frames", "no frame for", len(rig.heartbeats))
    assert later.sequence > first.sequence
    assert to_ns(later.header.stamp) == stamp
    rig.until(
        lambda: any(s.level == b"\x02" for d in rig.diagnostics for s in d.status),
        "an error in /diagnostics",
    )
    rig.second += 5
    back = rig.live_second()
    assert back.state == "silent"
    assert (back.chunk, back.chunks_lost) == (last.chunk + 7, last.chunks_lost + 5)
    assert process.running


def test_a_stamp_of_zero_is_replaced_by_the_time_of_arrival(rigs: Rigs) -> None:
    namespace, rig = rigs()
    with Process("assistant_node", namespace, "-p", "model.path:=scripted") as process:
        rig.matched()
        msg = to_image(Frame(np.zeros((8, 8, 3), np.uint8), 0), "rig")
        begin_ns = rig.node.get_clock().now().nanoseconds
        rig.until(
            lambda: rig.camera.publish(msg) or any(h.state == "silent" for h in rig.heartbeats),
            "a decision",
        )
        beat = next(h for h in rig.heartbeats if h.state == "silent")
        assert begin_ns < to_ns(beat.header.stamp) < rig.node.get_clock().now().nanoseconds
        process.end_cleanly(signal.SIGTERM)


def test_stamps_that_jump_or_stand_still_are_told_and_the_seconds_go_on(rigs: Rigs) -> None:
    namespace, rig = rigs()
    with Process("assistant_node", namespace, "-p", "model.path:=scripted") as process:
        rig.matched()
        rig.live_second()
        rig.second += 86_400  # one second is a day ahead
        rig.live_second()
        rig.second -= 86_400
        assert rig.live_second().chunk < 10
        (stamp,) = rig.frames(halves=(0,))
        still = to_image(Frame(np.zeros((8, 8, 3), np.uint8), stamp), "rig")
        rig.until(
            lambda: rig.camera.publish(still) or rig.heartbeats[-1].chunk >= 7,
            "seconds that pass",
        )
        assert rig.heartbeats[-1].chunk < 20
        rig.until(
            lambda: any(
                v.key == "stuck_stamps" and int(v.value) > 0
                for d in rig.diagnostics
                for status in d.status
                for v in status.values
            ),
            "the count in /diagnostics",
        )
        output = process.end_cleanly()
    assert "the clock of the stamps jumped (" in output
    assert output.count("the stamps stand still; the time of arrival is used instead") == 1


def test_a_camera_that_sends_only_changes_has_not_stopped_where_a_picture_may_stand(
    rigs: Rigs,
) -> None:
    namespace, rig = rigs()
    args = ("-p", "model.path:=scripted", "-p", "sampling.hold_s:=600.0")
    with Process("assistant_node", namespace, *args, "-p", "stale_after_s:=1.0"):
        rig.matched()
        first = rig.live_second(120)
        rig.until(lambda: rig.heartbeats[-1].chunk >= first.chunk + 4, "seconds without a frame")
        rig.ask("how bright?")
        rig.until(lambda: rig.final("The brightness is 120."), "the answer")
    assert not [h for h in rig.heartbeats if h.state == "no_frames"]


def test_compressed_images(rigs: Rigs) -> None:
    namespace, rig = rigs()
    args = (
        "-p",
        "model.path:=scripted",
        "-p",
        "image_transport:=compressed",
        "-p",
        "stale_after_s:=1.0",
    )
    with Process("assistant_node", namespace, *args):
        rig.matched(rig.compressed)
        for second, (grey, suffix) in enumerate(((120, ".png"), (40, ".jpg"))):
            for half in range(2):
                stamp = rig.start_ns + second * NS + half * NS // 2
                msg = CompressedImage(header=header(stamp, "rig"), format=suffix[1:])
                msg.data.frombytes(cv2.imencode(suffix, np.full((16, 16, 3), grey, np.uint8))[1])
                rig.compressed.publish(msg)
            rig.decided(stamp)
            rig.responses.clear()
            rig.ask("how bright?")
            rig.until(lambda: rig.final("brightness"), "an answer")
            assert rig.final("brightness")[0].text.endswith(f"brightness is {grey}.")
        garbage = CompressedImage(header=header(rig.start_ns + 9 * NS, "rig"), format="jpeg")
        garbage.data.frombytes(b"no jpeg")
        before = len(rig.heartbeats)

        def refused() -> bool:
            rig.compressed.publish(garbage)  # again: a single best-effort message may be lost
            return any(
                h.state == "no_frames" and "cannot be decoded (expected JPEG or PNG)" in h.detail
                for h in rig.heartbeats[before:]
            )

        rig.until(refused, "the garbage to be told")


def test_diagnostics_tell_each_fault_of_the_camera(rigs: Rigs) -> None:
    """Regression: garbage, a frozen picture and old frames were "watching"."""
    namespace, rig = rigs()
    args = ("-p", "model.path:=scripted", "-p", "image_transport:=compressed")

    def told(level: bytes, words: str) -> Callable[[], bool]:
        rig.diagnostics.clear()
        return lambda: any(
            s.level == level and words in s.message
            for d in rig.diagnostics
            for s in d.status
            if s.name.endswith("assistant_node")
        )

    def publish(data: bytes, age_s: float = 0.0) -> None:
        stamp = rig.node.get_clock().now().nanoseconds - round(age_s * NS)
        msg = CompressedImage(format="jpeg", header=header(stamp, "rig"))
        msg.data.frombytes(data)
        rig.compressed.publish(msg)
        time.sleep(0.1)

    rng = np.random.default_rng(0)

    def noise(level: int) -> bytes:
        grey = np.clip(rng.normal(level, 5, (32, 32, 3)), 0, 255).astype(np.uint8)
        return cv2.imencode(".jpg", grey)[1].tobytes()

    with Process("assistant_node", namespace, *args, "-p", "stale_after_s:=1.0"):
        rig.until(told(b"\x01", "no frame has come yet"), "no frame")
        rig.matched(rig.compressed)
        for level, words, make in (
            (b"\x00", "watching", lambda: publish(noise(120))),
            (b"\x01", "the picture is black", lambda: publish(noise(0))),
            (b"\x01", "the frames are old", lambda: publish(noise(120), 5.0)),
            (b"\x02", "the frames are old", lambda: publish(noise(120), 30.0)),
            (b"\x02", "no image can be decoded", lambda: publish(b"garbage")),
            (b"\x02", "the camera has stopped", lambda: time.sleep(0.1)),
        ):
            found = told(level, words)
            rig.until(lambda make=make, found=found: make() or found(), words)  # type: ignore[func-returns-value]
    states = {h.state for h in rig.heartbeats}
    assert states >= {"silent", "no_frames"}


def test_live_gives_the_decisions_of_the_replay(rigs: Rigs) -> None:
    frames, asked = [], {3: "how bright is it?", 5: "Tell me whenever it changes."}
    rng = np.random.default_rng(3)
    start_ns = 1_000 * NS
    for i in range(20):
        picture = rng.integers(0, 60, (24, 32, 3)).astype(np.uint8) + np.uint8(
            100 if 11 < i < 16 else 0
        )
        frames.append(Frame(picture, start_ns + i * NS // 2))
    events: list[Frame | Query] = []
    for i, frame in enumerate(frames):
        if i % 2 == 0 and i // 2 in asked:
            events.append(Query(asked[i // 2]))
        events.append(frame)
    expected = list(drive(Lockstep(StreamEngine(ScriptedBackend())), events))
    assert sum(s.response is not None for s in expected) == 4

    namespace, rig = rigs()
    with Process(
        "assistant_node", namespace, "-p", "model.path:=scripted", "-p", "stale_after_s:=1.0"
    ):
        rig.matched()
        rig.camera.publish(to_image(frames[0], "rig"))
        for i, frame in enumerate(frames[1:], 1):
            if i % 2 == 0 and i // 2 in asked:
                # Wait until the question has come: an empty one is sent after it, and its refusal
                # shows that both came.
                before = len(rig.heartbeats)
                rig.ask(asked[i // 2])
                rig.ask(" ")
                rig.state("no_frames", "the question is empty", before)
            rig.camera.publish(to_image(frame, "rig"))
            if i % 2:
                rig.decided(frame.stamp_ns)

        def answers() -> list[Response]:
            return [r for r in rig.final() if not r.refused]

        rig.until(lambda: len(answers()) == 4, "four answers")
        beats = [h for h in rig.heartbeats if h.state in ("silent", "speaking")]
    for beat, step in zip(beats, expected, strict=True):
        assert to_ns(beat.header.stamp) == step.stamp_ns
        assert (beat.chunk, beat.state == "silent") == (step.chunk, step.response is None)
        assert beat.p_silent == np.float32(step.decision.p_silent)
        assert (beat.prefill_tokens, beat.decode_tokens) == (
            step.prefill_tokens,
            step.decode_tokens,
        )
    spoken = [s.response for s in expected if s.response is not None]
    for msg, response in zip(answers(), spoken, strict=True):
        assert (
            msg.text,
            msg.kind,
            msg.query_id.partition("-")[2],
            msg.id.partition("-")[2],
            msg.index,
            msg.acknowledgment,
            to_ns(msg.header.stamp),
        ) == (
            response.text,
            response.kind,
            response.query_id.partition("-")[2],
            response.id.partition("-")[2],
            response.index,
            response.acknowledgment,
            response.stamp_ns,
        )


def test_parameters_can_be_set_or_are_refused_with_a_reason(assistant: Assistant) -> None:
    _, rig = assistant
    client = AsyncParameterClient(rig.node, "assistant_node")
    rig.until(client.services_are_ready, "the parameter services")

    def set_to(name: str, value: object) -> tuple[bool, str]:
        future = client.set_parameters([Parameter(name, value=value)])
        rig.until(future.done, "the answer")
        (result,) = future.result().results
        return result.successful, result.reason

    assert set_to("decider.threshold", 0.5) == (True, "")
    assert set_to("decider.threshold", 1.0) == (
        False,
        "decider.threshold must be between 0 and 1, not 1.0",
    )
    for value in (float("nan"), -0.1):
        ok, reason = set_to("decider.threshold", value)
        assert not ok and "out of range Min: 0.0, Max: 1.0" in reason
    ok, reason = set_to("window.keep", 5)
    assert not ok and reason == "window.keep can be changed only while the node is unconfigured"
    assert set_to("decider.threshold", 0.0) == (True, "")


def test_a_model_that_cannot_be_loaded_ends_the_node_with_one_line(rigs: Rigs) -> None:
    namespace, _ = rigs()
    with Process("assistant_node", namespace, "-p", "model.path:=/no/such/model") as process:
        code, output = process.wait()
    assert code == 1
    lines = [line for line in output.splitlines() if "INFO" not in line]
    assert len(lines) == 1, output
    assert "[FATAL]" in lines[0] and "/no/such/model" in lines[0]


def _spoken(rig: Rig, stamp_ns: int) -> Heartbeat | None:
    beats = [h for h in rig.heartbeats if to_ns(h.header.stamp) == stamp_ns]
    return next((h for h in beats if h.state == "speaking"), None)


def _asked(rig: Rig, text: str) -> bool:
    """Give the assistant seconds of video until it answers.

    A question and a frame on two topics have no order.
    """
    if not rig.final(text):
        rig.live_second()
    return bool(rig.final(text))


def test_without_a_watch_nothing_is_said_unasked(rigs: Rigs) -> None:
    """Regression: on a picture that changed, with nothing asked, the model's words were published,
    with an alert of no watch."""
    namespace, rig = rigs()
    with Process("assistant_node", namespace, "-p", "model.path:=scripted"):
        rig.matched()
        for grey in (0, 200, 0, 128, 128, 0, 255):
            assert rig.live_second(grey).state == "silent"
    assert not rig.responses and not rig.alerts


def test_unasked_words_that_are_allowed_are_no_alert_without_a_watch(rigs: Rigs) -> None:
    namespace, rig = rigs()
    args = ("-p", "model.path:=scripted", "-p", "decider.unsolicited:=true")
    with Process("assistant_node", namespace, *args):
        rig.matched()
        assert [rig.live_second(grey).state for grey in (0, 200)] == ["silent", "speaking"]
        rig.until(lambda: rig.final("changed to 200"), "the words")
        rig.ask("how bright?")  # words that come later are attributed to it, and it is no watch
        rig.until(lambda: _asked(rig, "how bright?"), "the answer")
        rig.live_second(90)
        rig.until(lambda: rig.final("changed to 90"), "the words")
        rig.live_second(90)
    assert not rig.alerts


def test_before_the_first_frame_and_after_the_last_a_question_is_refused_in_words(
    rigs: Rigs,
) -> None:
    namespace, rig = rigs()
    args = ("-p", "model.path:=scripted", "-p", "generation.question_ttl_s:=0.5")
    with Process("assistant_node", namespace, *args):
        rig.matched()

        def refusal(text: str) -> str:
            rig.responses.clear()
            rig.ask(text)
            (response,) = rig.until(lambda: rig.final(), "the refusal")
            assert response.refused and response.query_id == "" and response.id
            return response.text

        assert refusal("how bright?") == (
            "I cannot answer that: no frame has come from the camera yet."
        )
        rig.live_second()
        rig.live_second()
        last = time.monotonic()
        rig.until(lambda: time.monotonic() - last > 1.0, "a camera that has stopped")
        assert refusal("how bright?").startswith(
            "I cannot answer that: no frames come from the camera; the last one came "
        )
        rig.responses.clear()
        rig.live_second()
        rig.ask("how bright?")
        rig.until(lambda: rig.final("brightness is"), "the answer")
    assert not [r for r in rig.final("brightness is") if r.refused]


@pytest.mark.parametrize(("model", "lines"), [("aura_tiny", 1), ("scripted", 0)])
def test_the_embedded_model_is_warned_of_once_at_the_start(
    rigs: Rigs, model: str, lines: int
) -> None:
    namespace, rig = rigs()
    with Process("assistant_node", namespace, "-p", f"model.path:={model}") as process:
        rig.until(lambda: bool(rig.heartbeats), "a heartbeat")
        output = process.end_cleanly()
    found = [line for line in output.splitlines() if "knows the simulator's room alone" in line]
    assert len(found) == lines
    assert all("[WARN]" in line and f"{namespace}/image_raw" in line for line in found)


def test_a_server_that_is_away_leaves_the_robot_to_the_fallback(rigs: Rigs) -> None:
    """Which model runs, since when and why: in the heartbeat, in the state, in the diagnostics."""
    pytest.importorskip("httpx")
    pytest.importorskip("transformers")
    namespace, rig = rigs()
    states: list[AssistantState] = []
    rig.node.create_subscription(AssistantState, "aura/state", states.append, qos.LATCHED)
    parameters = {
        "model.path": "aura_tiny",
        "server.url": "http://127.0.0.1:9/v1",  # nobody listens there
        "server.retries": 0,
        "fallback.model.path": "scripted",
    }
    args = [word for name, value in parameters.items() for word in ("-p", f"{name}:={value}")]
    with Process("assistant_node", namespace, *args) as process:
        rig.matched()
        beat = rig.live_second()
        assert beat.state == "silent"
        assert beat.detail.startswith("on the fallback model scripted since ")
        assert "http://127.0.0.1:9/v1" in beat.detail
        rig.ask("how bright is it?")
        rig.until(lambda: rig.final("The brightness is 0."), "the answer")
        told = rig.until(
            lambda: next((s for s in states if s.state == "watching"), None), "the state"
        )
        assert (told.model, told.detail) == ("scripted", beat.detail)
        rig.until(
            lambda: any(
                beat.detail in status.message
                for array in rig.diagnostics
                for status in array.status
            ),
            "the diagnostics",
        )
        output = process.end_cleanly()
    assert output.count("scripted goes on: ") == 1
