"""The console over HTTPS: the page, its web socket, and who may use them."""

from __future__ import annotations

import json
import shutil
import signal
import ssl
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest
from console_command import SIMULATED, ended, running
from console_rig import FakeRobot, entered, run, seen, serving, socket

from aura_core.console import protocol as p
from aura_core.console import tls
from aura_core.console.server import Server
from aura_core.errors import InputError

TOKEN = "a-very-long-secret-token"
pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl")


@pytest.fixture
def robot() -> FakeRobot:
    return FakeRobot()


@pytest.fixture
def server(robot: FakeRobot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A server with a token and the certificate that it makes."""
    monkeypatch.setenv("ROS_HOME", str(tmp_path))
    with serving(robot, https=True, token=TOKEN) as server:
        yield server


@pytest.fixture
def trusted(server: Server) -> ssl.SSLContext:
    """What a browser that has accepted this certificate trusts."""
    return ssl.create_default_context(cafile=str(tls.default_folder() / "console.pem"))


def test_the_page_comes_over_https_alone(server: Server, trusted: ssl.SSLContext) -> None:
    assert server.url == f"https://127.0.0.1:{server.port}/#token={TOKEN}"

    async def test() -> None:
        async with aiohttp.ClientSession() as session:
            async with session.get(server.url, ssl=trusted) as got:
                assert got.status == 200
                assert b'<script type="module"' in await got.read()
                assert f"wss://127.0.0.1:{server.port}" in got.headers["Content-Security-Policy"]
            with pytest.raises(aiohttp.ClientConnectorCertificateError):
                await session.get(server.url)  # nobody has vouched for it
            with pytest.raises(aiohttp.ClientError):
                await session.get(server.url.replace("https", "http"))

    run(test)


def test_a_page_enters_asks_and_sees_over_wss(
    robot: FakeRobot, server: Server, trusted: ssl.SSLContext
) -> None:
    origin = f"https://127.0.0.1:{server.port}"

    async def test() -> None:
        async with entered(server, TOKEN, ssl=trusted, origin=origin) as page:
            assert (await page.do("ask", text="what?"))["data"]["query_id"] == "q1"
            assert (await page.do("view", cameras=[""], fps=10))["ok"]
            robot.tell(seen(5, 50))
            assert (await page.picture(p.LIVE))[3] == 5

    run(test)


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "https://127.0.0.1", "http://127.0.0.1:{port}1", "null"]
)
def test_a_page_of_another_origin_is_refused_over_wss(
    server: Server, trusted: ssl.SSLContext, origin: str
) -> None:
    async def test() -> None:
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            async with socket(server, ssl=trusted, origin=origin.format(port=server.port)):
                pass
        assert refused.value.status == 403

    run(test)


def test_a_wrong_token_is_refused_over_wss(server: Server, trusted: ssl.SSLContext) -> None:
    async def test() -> None:
        for token in ("", "guessed", TOKEN + "x"):
            async with socket(server, ssl=trusted) as page:
                enter = {"type": "enter", "version": p.VERSION, "token": token}
                await page.ws.send_str(json.dumps(enter))
                assert (await page.closed())["code"] == "token"
                assert [m["type"] for m in page.messages] == ["bye"]

    run(test)


def test_the_command_prints_the_fingerprint_of_what_it_serves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROS_HOME", str(tmp_path))
    with running(*SIMULATED, "--https", "--host", "0.0.0.0") as (process, url):
        assert process.stdout is not None
        printed = process.stdout.readline()
        address = urlsplit(url)
        assert address.scheme == "https"
        token = address.fragment.removeprefix("token=")
        shown = ssl.get_server_certificate(("127.0.0.1", address.port))
        (tmp_path / "shown.pem").write_text(shown)
        assert printed == f"certificate: SHA-256 {tls.fingerprint(tmp_path / 'shown.pem')}\n"
        trusted = ssl.create_default_context(cadata=shown)
        server: Any = SimpleNamespace(port=address.port)

        async def test() -> None:
            async with entered(server, token, ssl=trusted) as page:
                await page.until("second")

        run(test)
        code, _, err = ended(process, signal.SIGTERM)
        assert code == 0
        assert "not encrypted" not in err
        assert token not in err


def test_a_certificate_that_cannot_be_read_is_refused_before_anything_is_served(
    robot: FakeRobot, tmp_path: Path
) -> None:
    with (
        pytest.raises(InputError, match=r"gone\.pem: cannot be read"),
        serving(robot, https=True, certificate=str(tmp_path / "gone.pem")),
    ):
        pass
    assert robot.opened == 0
