"""RTSP from a real server on loopback: the newest picture, and a server that breaks."""

from __future__ import annotations

import time

import pytest
from mjpeg_server import BITS, number_of
from rtsp_server import PACKAGES, PASSWORD, PIPELINES, USER, RtspServer, available

from aura_core.errors import InputError
from aura_core.sources import network, open_source
from aura_core.sources.network import NetworkSource

WAIT_S = 60.0  # no test waits for this; it is where a hung one is given up

pytestmark = [
    pytest.mark.rtsp,
    pytest.mark.skipif(not available(), reason=f"the RTSP server needs: apt install {PACKAGES}"),
]


@pytest.mark.parametrize("codec", PIPELINES)
def test_a_slow_consumer_gets_the_newest_picture(codec: str) -> None:
    with RtspServer(codec=codec) as server, open_source(server.url, fps=None) as source:
        assert isinstance(source, NetworkSource)
        frames = iter(source)
        seen = number_of(next(frames).image)
        for _ in range(3):
            at_first = source.received
            deadline = time.monotonic() + WAIT_S
            while source.received < at_first + 40:
                assert time.monotonic() < deadline, f"{source.received} pictures"
                time.sleep(0.01)
            by_now, before_ns = source.received, time.monotonic_ns()
            frame = next(frames)
            number = number_of(frame.image)
            # counted from a picture that was not newer than number `at_first`
            assert (number - seen) % (1 << BITS) >= by_now - at_first
            assert frame.stamp_ns < before_ns or source.received > by_now
            seen = number


def test_a_server_that_is_killed_is_an_error_and_can_be_opened_when_it_is_back() -> None:
    with RtspServer() as server, open_source(server.url) as source:
        frames = iter(source)
        next(frames)
        server.kill()
        with pytest.raises(InputError, match=rf"^{server.url}: the stream ended"):
            list(frames)
    with pytest.raises(InputError, match=rf"^{server.url}: cannot open the video"):
        open_source(server.url)
    with RtspServer(server.port) as server, open_source(server.url) as source:
        assert next(iter(source)).image.shape == (240, 320, 3)


def test_a_server_that_stalls_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network, "READ_TIMEOUT_S", 2.0)
    with RtspServer() as server, open_source(server.url) as source:
        frames = iter(source)
        next(frames)
        server.stall()
        with pytest.raises(InputError, match=rf"^{server.url}: no data for 2 s$"):
            list(frames)
        monkeypatch.setattr(network, "OPEN_TIMEOUT_S", 1.0)
        with pytest.raises(InputError, match=r"cannot open the video: no answer for 1 s$"):
            open_source(server.url)


def test_a_password_is_used_and_never_shown() -> None:
    with RtspServer(with_password=True) as server:
        with open_source(f"rtsp://{USER}:{PASSWORD}@{server.place}") as source:
            assert next(iter(source)).image.shape == (240, 320, 3)
            assert server.url in source.description and PASSWORD not in source.description
        for wrong in ("wrong", PASSWORD + "2"):
            with pytest.raises(InputError) as error:
                open_source(f"rtsp://{USER}:{wrong}@{server.place}")
            assert str(error.value).startswith(f"{server.url}: cannot open the video: ")
            assert wrong not in str(error.value) and "401" in str(error.value)
