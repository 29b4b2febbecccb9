"""What strangers send costs the log few lines, and each is one line."""

from __future__ import annotations

import asyncio
import json
import logging
import socket as sockets

import pytest
from console_rig import FakeRobot, entered, run, serving, socket

from aura_core.console import protocol as p
from aura_core.console.complaints import Complaints, RequestLog

TOKEN = "a token that is long enough"


class Time:
    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What was logged, as it is printed, tracebacks too."""
    form = logging.Formatter()
    return [line for one in caplog.records for line in form.format(one).splitlines()]


def test_lines_of_a_kind_are_counted(caplog: pytest.LogCaptureFixture) -> None:
    time = Time()
    complaints = Complaints(logging.getLogger("test"), 60.0, time)
    for number in range(1000):
        time.now_s = number * 0.01
        complaints.warn("a", f"a {number}")
        complaints.tell()
    complaints.warn("b", "b")
    assert lines(caplog) == ["a 0", "b"]
    time.now_s = 59.9
    complaints.tell()
    assert len(caplog.records) == 2
    time.now_s = 60.0
    complaints.tell()
    assert lines(caplog)[2:] == ["a 999 (999 more like it in 60 s)"]
    time.now_s = 119.9
    complaints.warn("a", "again")
    complaints.tell()
    assert len(caplog.records) == 3
    complaints.tell(at_once=True)
    assert lines(caplog)[3:] == ["again (1 more like it in 60 s)"]
    time.now_s = 300.0
    complaints.warn("a", "later")
    assert lines(caplog)[4:] == ["later"]


def test_a_bug_keeps_its_traceback(caplog: pytest.LogCaptureFixture) -> None:
    log = logging.getLogger("test")
    requests = RequestLog(log, Complaints(log), ValueError)
    requests.exception("Error handling request from %s", "here", exc_info=ValueError("a\n\x1bb"))
    assert lines(caplog) == ["a malformed request from here was refused: ValueError: a b"]
    caplog.clear()
    try:
        raise KeyError("bug")
    except KeyError as e:
        requests.exception("Error handling request from %s", "here", exc_info=e)
    assert "Traceback (most recent call last):" in lines(caplog)


MALFORMED = (
    b"GET / HTTP/1.1\r\nHost: a\r\nnot a header\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    b"GET / HTTP/9.x\r\n\r\n",
    b"GET " + b"/" * 100_000 + b" HTTP/1.1\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
)


def test_malformed_requests_cost_one_line(caplog: pytest.LogCaptureFixture) -> None:
    with serving(FakeRobot()) as server:
        for request in MALFORMED * 8:
            with sockets.create_connection(("127.0.0.1", server.port)) as raw:
                raw.settimeout(20.0)
                raw.sendall(request)
                assert b" 400 " in raw.recv(4096)

        async def test() -> None:
            async with entered(server) as page:
                assert (await page.do("view", cameras=[], fps=0))["ok"]

        run(test)
        told = lines(caplog)
        assert len(told) == 1 and told[0].startswith("a malformed request from 127.0.0.1 was")
    assert [line.count(" more like it in ") for line in lines(caplog)] == [0, 1]


def test_wrong_tokens_cost_one_line(caplog: pytest.LogCaptureFixture) -> None:
    async def test() -> None:
        with serving(FakeRobot(), token=TOKEN) as server:
            for _ in range(20):
                async with socket(server) as page:
                    enter = {"type": "enter", "version": p.VERSION, "token": "wrong"}
                    await page.ws.send_str(json.dumps(enter))
                    assert (await page.closed())["code"] == "token"
            assert lines(caplog) == ["a page with a wrong token was refused"]
            await asyncio.to_thread(server.stop)

    run(test)
    assert lines(caplog)[1].startswith("a page with a wrong token was refused (19 more like it in")
