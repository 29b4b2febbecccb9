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
from page_rig import Room, entered, now_ms, serving, wait_until

from aura_core.console import protocol as p
from aura_core.console import server as served
from aura_core.console.robot import Seen
from aura_core.console.server import Server

sync_api = pytest.importorskip("playwright.sync_api", reason="no Playwright: `make test-browser`")
expect = sync_api.expect
pytestmark = pytest.mark.browser
# A page that does nothing for 15 s: what it was sent is not read either.
HANG = """() => {
    setTimeout(() => {
        const end = Date.now() + 15_000;
        while (Date.now() < end) {}
    }, 10);
}"""
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


def test_a_page_that_hangs_is_dropped_another_goes_on_and_it_comes_back(
    room: Room,
    server: Server,
    open_page: Callable[..., Any],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(served, "SEND_S", 1.0)
    one, hanging = (entered(open_page(server.url)) for _ in range(2))
    hanging.evaluate(
        "setTimeout(() => { const end = Date.now() + 20_000; while (Date.now() < end); })"
    )
    for i in range(40):  # 40 MB, more than all buffers on the way hold
        for _ in range(25):
            room.tell(p.Note("n", "", "seen", "x" * 40_000, 1.0, 2.0))
        room.tell(p.Asked(f"q{i}", "", f"question {i}", "console", False, now_ms()))
        expect(one.locator(".message .bubble").last).to_have_text(f"question {i}")
    wait_until(one, lambda: len(server.hub.pages) == 1)
    assert [record.getMessage() for record in caplog.records] == [
        "a page of the console did not read what it was sent, and was closed"
    ]
    expect(one.locator("#state")).to_have_text("Watching")
    expect(hanging.locator(".message .bubble").last).to_have_text("question 39")
    expect(hanging.locator("#state")).to_have_text("Watching")
    assert len(server.hub.pages) == 2


def _some(page_side: Any, message: object, taken: list[object]) -> None:
    """The first messages come through."""
    taken.append(message)
    if len(taken) < 12:
        page_side.send(message)


def test_a_garbled_picture_is_named_and_the_next_one_is_shown(room: Room, page: Any) -> None:
    room.plays = False
    note = page.locator(".tile .bar .pill:not(.name, .age)")
    expect(note).to_be_hidden()
    room.tell(Seen("", 1, b"\xff\xd8 no picture \xff\xd9"))
    expect(note).to_be_visible()
    expect(note).to_have_text("A picture cannot be read")
    room.show()
    expect(page.locator(".tile canvas")).to_have_attribute("data-stamp", re.compile(r"\d{6,}"))
    expect(note).to_be_hidden()


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
