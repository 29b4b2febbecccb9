"""The page of a robot: nodes in processes of their own, one of which is killed behind it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("rclpy", reason="no ROS 2: `make setup` installs it from wheels")
sync_api = pytest.importorskip("playwright.sync_api", reason="no Playwright: `make test-browser`")
expect = sync_api.expect
pytestmark = pytest.mark.browser
SCRIPTED = ("model.path:=scripted", "stale_after_s:=1.0", "watch_file:=''")


@contextmanager
def node(module: str, *parameters: str) -> Iterator[subprocess.Popen[str]]:
    """A node as a process, in a namespace of this test run."""
    words = [word for one in parameters for word in ("-p", one)]
    namespace = f"__ns:=/b{os.getpid()}"
    process = subprocess.Popen(
        [sys.executable, "-m", f"aura_ros.{module}", "--ros-args", "-r", namespace, *words],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        stdout=subprocess.PIPE if module == "console_node" else subprocess.DEVNULL,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def test_an_assistant_that_is_killed_is_said_to_be_away_and_goes_on_when_it_is_back(
    open_page: Callable[..., Any],
) -> None:
    with ExitStack() as stack:
        assistant = stack.enter_context(node("assistant_node", *SCRIPTED))
        stack.enter_context(node("sim_camera_node"))
        console = stack.enter_context(node("console_node", "port:=0"))
        assert console.stdout is not None
        line = next(line for line in console.stdout if line.startswith("console: "))
        page = open_page(line.removeprefix("console: ").strip())
        trouble, canvas = page.locator(".tile .trouble"), page.locator(".tile canvas")
        expect(page.locator("#state")).to_have_text("Watching")
        expect(canvas).to_have_attribute("data-stamp", re.compile(r"\d+"))
        ask(page, "what do you see?", 1)

        assistant.send_signal(signal.SIGKILL)
        assistant.wait()
        expect(trouble.locator("strong")).to_have_text("The assistant is away")
        expect(trouble).to_contain_text("aura/heartbeat")
        expect(page.locator("#state")).to_have_attribute("data-level", "bad")
        before = canvas.get_attribute("data-stamp")
        expect(canvas).not_to_have_attribute("data-stamp", before)  # pictures come all the same

        stack.enter_context(node("assistant_node", *SCRIPTED))
        expect(page.locator("#state")).to_have_text("Watching")
        expect(trouble).to_be_hidden()
        expect(page.locator(".message.system", has_text="was started again")).to_have_count(1)
        ask(page, "and what do you see now?", 2)


def ask(page: Any, question: str, answers: int) -> None:
    """Type a question, and wait for the answer of the scripted model."""
    page.fill("#question", question)
    page.press("#question", "Enter")
    said = page.locator(".message:not(.user):not(.system):not(.streaming) .bubble")
    expect(said.filter(has_text=f"You asked: {question}")).to_have_count(1)
    assert said.count() >= answers
