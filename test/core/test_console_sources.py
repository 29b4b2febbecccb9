"""What `aura console` watches: a video file, a bag with its questions, a network camera."""

from __future__ import annotations

import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import cv2
import numpy as np
import pytest
from console_command import running
from console_rig import PageDouble, entered, picture, run
from engine_rig import free
from local_rig import Heard, opened, scripted
from mjpeg_server import BITS, number_of
from rtsp_server import PACKAGES, RtspServer, available

from aura_core.config import GenerationConfig, WatchConfig
from aura_core.console import protocol as p
from aura_core.replay.writer import write_bag
from aura_core.sources.encodings import decode_compressed
from aura_core.types import NS, Frame, Query

MODEL = ("--model", "scripted")
START_NS = 1_700_000_000 * NS


def server_of(url: str) -> Any:
    """What `entered` needs to know of a server in another process."""
    return SimpleNamespace(port=urlsplit(url).port)


# ---- a video file --------------------------------------------------------------------------------


def write_video(path: Path, seconds: int, fps: int = 10) -> str:
    """A video of OpenCV, in which each second is brighter than the one before."""
    out = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), fps, (64, 48))
    assert out.isOpened()
    for i in range(seconds * fps):
        out.write(picture(20 + 60 * (i // fps)))
    out.release()
    return str(path)


def test_a_video_file_is_shown_decided_and_ends(tmp_path: Path) -> None:
    video = write_video(tmp_path / "room.mp4", 3)
    with running(video, *MODEL) as (_, url):

        async def test() -> None:
            async with entered(server_of(url)) as page:
                assert page.messages[0]["title"] == video
                assert (await page.do("view", cameras=[""], fps=10))["ok"]
                while True:
                    status = await page.until("camera_status")
                    if status["trouble"] == "stopped":
                        break
                assert status["detail"] == "the source has ended"
                assert status["frames_received"] == 6  # two a second of three seconds
                *_, last = await newest(page)
                assert abs(decode_compressed(last).mean() - 140) < 8
                told = [m for m in page.messages if m["type"] == "second"]
                kept = [s for m in page.messages if m["type"] == "snapshot" for s in m["seconds"]]
                decided = sorted((s["chunk"], int(s["stamp_ns"])) for s in (*kept, *told))
                assert [chunk for chunk, _ in decided] == [0, 1, 2]
                steps = np.diff([stamp_ns for _, stamp_ns in decided])
                assert list(steps) == [NS, NS]

        run(test)


async def newest(page: PageDouble) -> tuple[int, int, int, int, bytes]:
    """The newest live picture that has come."""
    found = await page.picture(p.LIVE)
    while any(one[0] == p.LIVE for one in page.pictures):
        found = await page.picture(p.LIVE)
    return found


# ---- a bag ---------------------------------------------------------------------------------------


def bag(path: Path, *asked: tuple[float, Query], seconds: int = 4) -> str:
    """Two frames a second, and questions at their times in seconds. A time before 0: before the
    first frame."""
    frames = [Frame(picture(10 * i), START_NS + i * NS // 2) for i in range(2 * seconds)]
    at = [(START_NS + round(s * NS), q) for s, q in asked]
    events = [*frames, *(Query(q.text, stamp_ns=ns) for ns, q in at)]
    write_bag(path, sorted(events, key=lambda event: event.stamp_ns or 0))
    return str(path)


def test_the_questions_of_a_bag_are_asked_again_and_answered(tmp_path: Path) -> None:
    path = bag(tmp_path / "bag", (1.2, Query("what is it?")))
    robot = scripted(path, script=lambda *_: "A grey wall.")
    with opened(robot) as told:
        asked = told.next(p.Asked)
        assert (asked.text, asked.source, asked.watch) == ("what is it?", "bag", False)
        said = told.next(p.Said, lambda one: one.query_id == asked.id)
        assert said.text == "A grey wall."
        # of the newest second by its time in the bag, or of the one that holds it
        assert said.stamp_ns in (START_NS + NS // 2, START_NS + 3 * NS // 2)
        ended(robot)
        assert robot.camera_status()[0].frames_received == 8


def ended(robot: Any) -> None:
    while robot.camera_status()[0].trouble != "stopped":
        time.sleep(0.02)


def refusals(told: Heard) -> list[tuple[str, str]]:
    return [(one.text, one.reason) for one in told.all() if isinstance(one, p.Refused)]


def test_a_question_of_a_bag_that_is_refused_is_told_with_its_reason(tmp_path: Path) -> None:
    path = bag(
        tmp_path / "bag",
        (-0.5, Query("is anybody there?")),
        (1.2, Query("what is it?")),
        (1.3, Query("and what is it now?")),
    )
    config = free(generation=GenerationConfig(questions_per_minute=1))
    robot = scripted(path, config=config)
    with opened(robot) as told:
        ended(robot)
        early, often = refusals(told)
        assert early == ("is anybody there?", "no frame has come from the camera yet")
        assert often[0] == "and what is it now?"
        assert "at most 1 questions a minute" in often[1]


def test_a_question_of_a_bag_that_the_model_refuses_is_told_too(tmp_path: Path) -> None:
    watches = [(0.6 + 0.2 * i, Query(f"tell me when {i} cats come")) for i in range(3)]
    path = bag(tmp_path / "bag", *watches)
    robot = scripted(path, config=free(watch=WatchConfig(max_open=2)))
    with opened(robot) as told:
        ended(robot)
        ((text, reason),) = refusals(told)
        assert text == "tell me when 2 cats come"
        assert "watches are" in reason and "at most 2" in reason


def test_the_command_plays_a_bag(tmp_path: Path) -> None:
    path = bag(tmp_path / "bag", (1.2, Query("what is it?")))
    with running(path, *MODEL) as (_, url):

        async def test() -> None:
            async with entered(server_of(url)) as page:
                said = await page.until("said")
                assert said["text"].startswith("You asked: what is it?")

        run(test)


# ---- a network camera ----------------------------------------------------------------------------


@pytest.mark.rtsp
@pytest.mark.skipif(not available(), reason=f"the RTSP server needs: apt install {PACKAGES}")
def test_a_network_camera_is_shown_and_comes_back_after_it_was_lost() -> None:
    with RtspServer() as camera, running(f"yard={camera.url}", *MODEL) as (_, url):

        async def test() -> None:
            async with entered(server_of(url)) as page:
                assert page.messages[0]["cameras"][0]["name"] == "yard"
                assert (await page.do("view", cameras=["yard"], fps=10))["ok"]
                await page.until("second")
                numbers = [number(await page.picture(p.LIVE)) for _ in range(3)]
                steps = np.diff(numbers) % (1 << BITS)
                assert all(0 < step < 1 << (BITS - 1) for step in steps), numbers
                camera.kill()
                lost = await page.until(lambda m: m.get("trouble") == "no_frames")
                assert camera.url in lost["detail"] or "cannot open" in lost["detail"]
                with RtspServer(camera.port):
                    back = await page.until(
                        lambda m: m["type"] == "camera_status" and m["trouble"] == ""
                    )
                    assert back["frame_age_ms"] < 5000
                    page.pictures.clear()
                    number(await page.picture(p.LIVE))
                    await page.until("second")

        run(test)


def number(shown: tuple[int, int, int, int, bytes]) -> int:
    """The number that a picture of the camera shows."""
    image = decode_compressed(shown[-1])
    assert image.shape == (240, 320, 3)
    return number_of(image)
