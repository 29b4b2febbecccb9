"""Connections without a token: however many and whatever they ask for, they keep nobody out."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import resource
import socket as sockets
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("aiohttp")

from console_rig import FakeRobot, entered, is_closed, run, serving

from aura_core.console import server as served
from aura_core.console.connections import Bounds, Connections
from aura_core.console.server import Server

REQUEST = b"GET /icon.svg HTTP/1.1\r\nHost: localhost\r\n\r\n"
HALF = b"GET /icon.svg HTTP/1.1\r\nHost: local"
WAITS_S = 20.0


def stranger(server: Server, sends: bytes = HALF) -> sockets.socket:
    """A connection that had one whole answer, and begins a request that it does not end."""
    made = sockets.create_connection(("127.0.0.1", server.port), WAITS_S)
    made.sendall(REQUEST)
    got = b""
    while b"</svg>" not in got:
        got += (more := made.recv(65536))
        assert more
    made.sendall(sends)
    return made


def a_page_enters(server: Server) -> None:
    async def test() -> None:
        async with entered(server) as page:
            assert (await page.do("view", cameras=[], fps=0))["ok"]

    run(test)


def test_connections_that_have_asked_once_are_bounded_too() -> None:
    """Regression: after its first request a connection was in no bound any more."""
    with serving(FakeRobot(), max_clients=2) as server, contextlib.ExitStack() as stack:
        made = [stack.enter_context(stranger(server)) for _ in range(40)]
        assert all(is_closed(one, WAITS_S) for one in made[:32])
        assert not any(is_closed(one, 0.1) for one in made[-8:])
        a_page_enters(server)


@pytest.mark.parametrize("sends", [b"", HALF])
def test_after_a_request_the_next_one_has_a_time_limit(
    sends: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(served, "WAIT_S", 1.0)
    with serving(FakeRobot()) as server, stranger(server, sends) as connection:
        assert is_closed(connection, WAITS_S)


def test_who_has_entered_is_in_no_bound() -> None:
    async def test() -> None:
        with serving(FakeRobot(), max_clients=2) as server:
            async with entered(server) as page:
                for _ in range(3):
                    made = [await asyncio.to_thread(stranger, server) for _ in range(10)]
                    for one in made:
                        one.close()
                assert (await page.do("view", cameras=[], fps=0))["ok"]

    run(test)


@pytest.fixture
def few_files() -> Iterator[None]:
    """This process may open few files more."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    opened = len(list(Path("/proc/self/fd").iterdir()))
    resource.setrlimit(resource.RLIMIT_NOFILE, (opened + 40, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


CROWD = """
import contextlib, resource, socket, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
made = []
for _ in range(120):
    with contextlib.suppress(ConnectionError):
        made.append(socket.create_connection(("127.0.0.1", int(sys.argv[1])), 20.0))
        made[-1].sendall(b"GET /icon.svg HTTP/1.1\\r\\nHost: localhost\\r\\n\\r\\nGET /ic")
print("all", flush=True)
sys.stdin.read()
"""


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="file descriptors are not counted")
def test_without_file_descriptors_one_line_is_logged_and_it_goes_on(
    few_files: None, caplog: pytest.LogCaptureFixture
) -> None:
    """Regression: asyncio logged a hundred tracebacks a second, and the console was shut."""
    caplog.set_level(logging.WARNING)
    with serving(FakeRobot(), max_clients=1000) as server:
        command = [sys.executable, "-c", CROWD, str(server.port)]
        crowd = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert crowd.stdin is not None and crowd.stdout is not None
        try:
            assert crowd.stdout.readline() == b"all\n"
            until_s = time.monotonic() + WAITS_S
            while not caplog.records and time.monotonic() < until_s:
                time.sleep(0.05)
        finally:
            crowd.stdin.close()
            crowd.stdout.close()
            crowd.wait(WAITS_S)
        a_page_enters(server)
    lines = [r.getMessage() for r in caplog.records]
    assert lines[0].startswith("a connection could not be accepted: Too many open files")
    assert len(lines) <= 2 and not any(r.exc_info for r in caplog.records)  # and their number


def test_many_of_one_address_leave_room_for_those_of_another() -> None:
    class Gone:
        transport = None

    class There:
        def __init__(self) -> None:
            self.transport, self.aborted = self, False

        def abort(self) -> None:
            self.aborted = True

    async def test() -> None:
        done = asyncio.create_task(asyncio.sleep(0))
        await done
        connections = Connections(Bounds(most=6, most_of_one=4, wait_s=10.0))
        many, few = [There() for _ in range(4)], [There() for _ in range(3)]
        for one in many:
            connections.add(one, "10.0.0.1", done)
        for one in few:
            connections.add(one, "10.0.0.2", done)
        assert [one.aborted for one in many] == [True, False, False, False]
        connections.asked(many[1])  # it is the newest now
        connections.asked(many[2], lasts=True)
        connections.add(There(), "10.0.0.1", done)
        assert [one.aborted for one in many] == [True, False, False, True]
        assert not any(one.aborted for one in few)
        connections.add(Gone(), "10.0.0.4", done)
        connections.shed()
        assert few[0].aborted and not many[2].aborted  # the older half

    run(test)
