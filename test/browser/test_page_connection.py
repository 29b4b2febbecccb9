"""The connection of the page: tokens, servers that go, and links that are silent."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from page_rig import Room, serving

from aura_core.console.robot import Seen
from aura_core.console.server import Server

sync_api = pytest.importorskip("playwright.sync_api", reason="no Playwright: `make test-browser`")
expect = sync_api.expect
pytestmark = pytest.mark.browser
SERVE = "from page_rig import Room, serve_for_ever; serve_for_ever(Room(), {port})"


def test_the_token_is_taken_off_the_address_and_a_reload_keeps_it(
    room: Room, open_page: Callable[..., Any]
) -> None:
    with serving(room, token="a-very-long-secret-token") as server:
        assert server.url.endswith("#token=a-very-long-secret-token")
        page = open_page(server.url)
        expect(page.locator("#state")).to_contain_text("Watching")
        assert "token" not in page.url
        page.reload()
        expect(page.locator("#state")).to_contain_text("Watching")


def test_a_wrong_token_is_told_and_the_right_one_can_be_entered(
    room: Room, open_page: Callable[..., Any]
) -> None:
    with serving(room, token="a-very-long-secret-token") as server:
        page = open_page(server.url.replace("secret", "guessed"))
        away = page.locator("#away")
        expect(away.locator("strong")).to_have_text("This console needs its token")
        assert page.locator(".tile").count() == 0  # nothing of the home is shown
        page.keyboard.type("wrong again and again")  # the field has the focus
        page.keyboard.press("Enter")
        expect(away.locator("input")).to_have_value("")
        expect(away.locator("strong")).to_have_text("This console needs its token")
        page.keyboard.type("a-very-long-secret-token")
        page.keyboard.press("Enter")
        expect(away).to_be_hidden()
        expect(page.locator("#state")).to_contain_text("Watching")


def test_a_console_that_is_killed_and_started_again(
    open_page: Callable[..., Any],
) -> None:
    with _process(0) as (process, port):
        page = open_page(f"http://127.0.0.1:{port}/")
        expect(page.locator("#state")).to_contain_text("Watching")
        process.send_signal(signal.SIGKILL)
        process.wait()
        expect(page.locator("#away strong")).to_have_text("The console’s server is away")
        expect(page.locator("#away .countdown")).to_have_text(re.compile(r"again"))
        expect(page.locator("#state")).to_have_attribute("data-level", "bad")
        page.fill("#question", "are you there?")
        page.press("#question", "Enter")
        expect(page.locator("#ask-error")).to_contain_text("Not connected")
        expect(page.locator("#question")).to_have_value("are you there?")
    with _process(port):
        expect(page.locator("#away")).to_be_hidden()
        expect(page.locator("#state")).to_contain_text("Watching")
        page.press("#question", "Enter")
        expect(page.locator(".message.user .bubble")).to_have_text("are you there?")


@contextmanager
def _process(port: int) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """The console in a process of its own."""
    process = subprocess.Popen(
        [sys.executable, "-c", SERVE.format(port=port)],
        cwd=Path(__file__).parent,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        yield process, int(process.stdout.readline())
    finally:
        process.kill()
        process.wait()


def test_a_link_that_says_nothing_is_given_up(
    room: Room, server: Server, open_page: Callable[..., Any]
) -> None:
    """As after a closed laptop: the connection is open, and nothing comes through it."""
    links: list[Any] = []

    def link(page_side: Any) -> None:
        server_side = page_side.connect_to_server()
        links.append(page_side)
        if len(links) == 1:
            server_side.on_message(lambda message: _some(page_side, message, taken))

    taken: list[object] = []
    route = re.compile("/socket$")
    page = open_page(server.url, before=lambda page: page.route_web_socket(route, link))
    expect(page.locator("#state")).to_contain_text("Watching")
    for _ in range(100):
        page.wait_for_timeout(200)
        if len(links) > 1:
            break
    assert len(links) == 2
    expect(page.locator("#state")).to_contain_text("Watching")
    expect(page.locator("#away")).to_be_hidden()
    page.fill("#question", "what do you see?")
    page.press("#question", "Enter")
    expect(page.locator(".message .bubble").nth(1)).to_have_text("a red cone and a blue cube")


def _some(page_side: Any, message: object, taken: list[object]) -> None:
    """The first messages come through."""
    taken.append(message)
    if len(taken) < 12:
        page_side.send(message)


def test_a_garbled_picture_is_named_and_the_next_one_is_shown(room: Room, page: Any) -> None:
    room.plays = False
    room.tell(Seen("", 1, b"\xff\xd8 no picture \xff\xd9"))
    room.show()
    expect(page.locator(".tile canvas")).to_have_attribute("data-stamp", re.compile(r"\d{6,}"))


def test_one_page_too_many_waits_until_another_is_closed(
    room: Room, open_page: Callable[..., Any]
) -> None:
    with serving(room, max_clients=1) as server:
        one = open_page(server.url)
        expect(one.locator("#state")).to_contain_text("Watching")
        two = open_page(server.url)
        expect(two.locator("#away strong")).to_have_text("Too many pages are open")
        button = two.locator("#away button")
        button.focus()
        with two.expect_websocket():  # it tries again by itself
            pass
        expect(two.locator("#away strong")).to_have_text("Too many pages are open")
        expect(button).to_be_focused()
        one.close()
        expect(two.locator("#state")).to_contain_text("Watching")
        expect(two.locator("#away")).to_be_hidden()
