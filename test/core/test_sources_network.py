"""MJPEG over HTTP from a server on loopback: the newest picture, and streams that break."""

from __future__ import annotations

import contextlib
import itertools
import socket
import threading
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import av
import numpy as np
import pytest
from mjpeg_server import MjpegServer, number_of
from videos import write_grey_video

from aura_core.errors import InputError
from aura_core.sources import network, open_source, video
from aura_core.sources.network import NetworkSource
from aura_core.sources.video import VideoSource
from aura_core.stream.sampling import Slots
from aura_core.types import NS

WAIT_S = 60.0  # no test waits for this; it is where a hung one is given up


def until(found: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + WAIT_S
    while not found():
        assert time.monotonic() < deadline, f"waited {WAIT_S} s for {what}"
        time.sleep(0.005)


@pytest.fixture(params=[True, False], ids=["with lengths", "without lengths"])
def camera(request: pytest.FixtureRequest) -> Iterator[MjpegServer]:
    with MjpegServer(with_length=request.param) as server:
        server.send(2)
        yield server


@contextlib.contextmanager
def watching(camera: MjpegServer, fps: float | None = None) -> Iterator[NetworkSource]:
    with open_source(camera.url, fps) as source:
        assert isinstance(source, NetworkSource)
        yield source
        camera.end()  # a thread that waits for a picture ends sooner


def arrived(source: NetworkSource, camera: MjpegServer) -> int:
    """Wait until the source has all pictures that were sent. Returns the newest one's number.

    A part without a length is complete when the next one begins.
    """
    count = camera.sent if camera.with_length else camera.sent - 1
    until(lambda: source.received == count, f"{count} pictures; {source.received} arrived")
    return count - 1


def test_a_slow_consumer_gets_the_newest_picture(camera: MjpegServer) -> None:
    """Read as a file of 25 FPS, this stream was 8 s late after a minute."""
    with watching(camera) as source:
        frames = iter(source)
        seen = [number_of(next(frames).image)]
        for _ in range(3):
            camera.send(200)  # more than the buffers of the connection hold
            newest = arrived(source, camera)
            before_ns = time.monotonic_ns()
            frame = next(frames)
            seen.append(number_of(frame.image))
            assert seen[-1] == newest
            assert frame.stamp_ns < before_ns  # when it arrived, not when it was taken
        assert source.live and source.skipped == 0 and seen == sorted(seen)
        assert "160x64 mjpeg" in source.description


def test_pictures_are_sampled_by_their_arrival(camera: MjpegServer) -> None:
    """A fast camera costs no more than the frames that are wanted."""
    done = threading.Event()

    def shoot() -> None:
        while not done.wait(0.005):
            camera.send()

    shooter = threading.Thread(target=shoot)
    with watching(camera, fps=10.0) as source:
        shooter.start()
        frames = list(itertools.islice(source, 4))
        done.set()
        shooter.join()
    slots = Slots(10.0)
    for frame in frames:
        assert slots.wants(frame.stamp_ns)
        slots.took(frame.stamp_ns)
    numbers = [number_of(f.image) for f in frames]
    assert numbers == sorted(set(numbers))


def test_only_pictures_that_are_taken_are_decoded(
    camera: MjpegServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    converted: list[int] = []
    upright = network.upright

    def convert(picture: av.VideoFrame, aspect: Fraction | None) -> np.ndarray:
        image = upright(picture, aspect)
        converted.append(number_of(image))
        return image

    monkeypatch.setattr(network, "upright", convert)
    with watching(camera) as source:
        camera.send(50)
        newest = arrived(source, camera)
        assert converted == []
        next(iter(source))
        assert converted == [newest]


def test_the_end_of_the_stream_is_an_error_after_the_newest_picture(camera: MjpegServer) -> None:
    with watching(camera) as source:
        newest = arrived(source, camera)
        camera.end()
        source._thread.join()
        frames = iter(source)
        assert number_of(next(frames).image) == newest
        with pytest.raises(InputError, match=rf"^{camera.url}: the stream ended"):
            next(frames)


def test_a_stream_that_hangs_is_an_error(
    camera: MjpegServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(network, "READ_TIMEOUT_S", 0.3)
    with (
        watching(camera) as source,
        pytest.raises(InputError, match=rf"^{camera.url}: no data for 0\.3 s$"),
    ):
        list(source)
    assert not source._thread.is_alive()


def test_a_server_that_is_killed_is_an_error_and_the_cut_picture_is_not_shown(
    camera: MjpegServer,
) -> None:
    with watching(camera) as source:
        camera.write(camera.part(7)[:5000])
        camera.end()
        source._thread.join()
        camera.close()
        frames = iter(source)
        assert number_of(next(frames).image) == 1  # without lengths, the cut part completed it
        with pytest.raises(InputError, match="the stream ended"):
            next(frames)
    with pytest.raises(InputError, match="cannot open the video"):
        open_source(camera.url)


def test_damage_costs_pictures_and_not_the_stream(camera: MjpegServer) -> None:
    with watching(camera) as source:
        camera.write(b"neither a boundary\r\nnor a header\xff\xd8\r\n" * 3)
        camera.send(3)
        newest = arrived(source, camera)
        assert number_of(next(iter(source)).image) == newest


def test_a_server_that_accepts_and_says_nothing_cannot_be_opened(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(network, "OPEN_TIMEOUT_S", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as server:
        for scheme in ("http", "rtsp"):
            url = f"{scheme}://user:secret@127.0.0.1:{server.getsockname()[1]}/x"
            with pytest.raises(InputError, match=r"no answer for 0\.3 s") as error:
                open_source(url)
            assert "secret" not in str(error.value) and "\n" not in str(error.value)


def test_closing_ends_the_thread_and_wakes_whoever_waits(
    camera: MjpegServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(network, "READ_TIMEOUT_S", 1.0)
    source = open_source(camera.url, fps=None)
    assert isinstance(source, NetworkSource)
    taken: list[int] = []
    waiter = threading.Thread(target=lambda: taken.extend(number_of(f.image) for f in source))
    waiter.start()
    until(lambda: bool(taken), "the first picture")
    source.close()
    assert not source._thread.is_alive()
    source.close()
    waiter.join(WAIT_S)
    assert not waiter.is_alive()
    assert list(source) == []


class _Files(BaseHTTPRequestHandler):
    """A web server with one video. Of `/hang` it sends a part, and then nothing; of `/cut` it sends
    a part and goes away. `/live.m3u8` is a live stream of one segment that does not go on."""

    content = segment = b""
    over = threading.Event()

    def do_GET(self) -> None:
        if self.path == "/live.m3u8" and self.over.is_set():
            self.send_error(404)
        elif self.path == "/live.m3u8":
            self._send(b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:2.0,\nsegment.ts\n")
        elif self.path == "/segment.ts":
            self._send(self.segment)
        else:
            self._send_part()

    def _send(self, content: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _send_part(self) -> None:
        part = len(self.content) // (1 if self.path == "/v.mkv" else 2)
        self.send_response(200)
        self.send_header("Content-Type", "video/x-matroska")
        self.send_header("Content-Length", str(len(self.content)))
        self.end_headers()
        self.wfile.write(self.content[:part])
        if self.path == "/hang":
            self.over.wait(WAIT_S)

    def log_message(self, *args: object) -> None:
        """Print nothing."""


@pytest.fixture
def files(tmp_path: Path) -> Iterator[str]:
    path = write_grey_video(tmp_path / "v.mkv", [10 * k for k in range(2000)])
    _Files.content = path.read_bytes()
    segment = write_grey_video(tmp_path / "s.ts", [40 * k for k in range(50)], codec="mpeg4")
    _Files.segment = segment.read_bytes()
    _Files.over.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Files)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    _Files.over.set()
    server.shutdown()
    server.server_close()


def test_a_video_file_on_a_web_server_is_a_file(files: str) -> None:
    with open_source(f"{files}/v.mkv", fps=None) as source:
        assert isinstance(source, VideoSource) and not source.live
        assert [f.stamp_ns for f in source] == [k * NS // 100 for k in range(2000)]


def test_a_web_server_that_goes_away_in_a_file_is_an_error_and_no_end(files: str) -> None:
    with open_source(f"{files}/cut", fps=None) as source:
        frames = iter(source)
        assert [f.stamp_ns for f in itertools.islice(frames, 5)] == [
            k * NS // 100 for k in range(5)
        ]
        with pytest.raises(InputError, match=r"/cut: the connection broke off"):
            list(frames)


def test_a_live_stream_of_segments_that_ends_is_an_error_and_no_end(files: str) -> None:
    with (
        open_source(f"{files}/live.m3u8") as source,
        pytest.raises(InputError, match=r"/live.m3u8: the stream ended$"),
    ):
        _Files.over.set()  # the list of segments goes away
        list(source)


def test_a_web_server_that_hangs_in_a_file_is_an_error(
    files: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(video, "READ_TIMEOUT_S", 0.5)
    with open_source(f"{files}/hang", fps=None) as source:
        frames = iter(source)
        seen = list(itertools.islice(frames, 5))
        with pytest.raises(InputError, match=r"/hang: no data for 0\.5 s$"):
            list(frames)
    assert [f.stamp_ns for f in seen] == [k * NS // 100 for k in range(5)]
