"""`make demo ARGS="--console"`: the page is served while the demo runs, and until Ctrl-C."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rig import REPOSITORY, WAIT_S

from aura_core.console import protocol as p
from aura_ros.demo.report import complete

aiohttp = pytest.importorskip("aiohttp")
pytest.importorskip("torch")  # of the embedded model
pytestmark = pytest.mark.scenario
SECONDS = 30  # the shortest one


def test_the_demo_serves_the_page_until_ctrl_c_and_then_ends(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "aura_ros.demo", "--console", "--headless"]
    command += ["--seconds", str(SECONDS), "--png", str(tmp_path / "demo.png")]
    process = subprocess.Popen(
        [*command, "--json", str(tmp_path / "demo.json")],
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY), "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    hangs = threading.Timer(3 * WAIT_S, process.send_signal, [signal.SIGINT])
    hangs.start()
    try:
        url = until(process, lambda line: line.startswith("http://127.0.0.1:"))
        asyncio.run(asyncio.wait_for(look(url, process), 2 * WAIT_S))
        output, _ = process.communicate(timeout=WAIT_S)
    finally:
        hangs.cancel()
        if process.poll() is None:
            process.kill()
            process.wait()
    document = json.loads((tmp_path / "demo.json").read_text())
    assert document["exit_codes"] == {
        "assistant_node": 0,
        "sim_camera_node": 0,
        "console_node": 0,
    }
    assert process.returncode == (0 if complete(document) else 1), output
    assert f"/{SECONDS} seconds decided" in output
    assert "Traceback" not in output


def until(process: subprocess.Popen[str], wanted: Callable[[str], bool]) -> str:
    """The next line of its output that is wanted."""
    seen = []
    assert process.stdout is not None
    for line in process.stdout:
        seen.append(line)
        if wanted(line):
            return line.strip()
    raise AssertionError("".join(seen))


async def look(url: str, process: subprocess.Popen[str]) -> None:
    """Open the page while the demo runs, and stay until it has ended by Ctrl-C."""
    async with aiohttp.ClientSession() as session:
        async with session.get(url) as got:
            assert got.status == 200
            assert b'<script type="module"' in await got.read()
        async with session.ws_connect(f"{url}socket", max_msg_size=0) as page:
            await page.send_json({"type": "enter", "version": p.VERSION, "token": ""})
            await page.send_json({"id": 1, "type": "view", "cameras": [""], "fps": 2})
            kinds: set[str] = set()
            while not {"snapshot", "second", "picture"} <= kinds:
                kinds.add(kind(await page.receive()))
            # it is read on another thread: the page must be read on, too
            stays = asyncio.create_task(
                asyncio.to_thread(until, process, lambda line: "the page stays" in line)
            )
            while not stays.done():
                kind(await page.receive())
            told = 0
            while told < 2:  # the room has no more frames, and the page is still there
                told += kind(await page.receive()) == "status"
            process.send_signal(signal.SIGINT)
            async for message in page:
                if kind(message) == "bye":
                    break
            else:
                raise AssertionError("the page was left without a word")


def kind(message: Any) -> str:
    """The type of a message of the console; "picture" for those that are no text."""
    if message.type is aiohttp.WSMsgType.TEXT:
        return str(json.loads(message.data)["type"])
    assert message.type is aiohttp.WSMsgType.BINARY, message
    return "picture"
