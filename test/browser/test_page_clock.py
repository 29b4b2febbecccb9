"""Clocks: that of the robot may differ from the browser's, and may be set while a page is open."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from page_rig import Room, entered, now_ms

from aura_core.console import clock
from aura_core.console import protocol as p
from aura_core.console.server import Server

sync_api = pytest.importorskip("playwright.sync_api", reason="no Playwright: `make test-browser`")
expect = sync_api.expect
pytestmark = pytest.mark.browser
HOUR_S = 3600
YOUNG = re.compile(r"^\d(\.\d)? s old$")


@pytest.fixture
def shift(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Sets by how much the robot's clock is ahead [s]."""
    ahead = [0.0]
    shifted = SimpleNamespace(time_ns=lambda: time.time_ns() + round(ahead[0] * 1e9))
    monkeypatch.setattr(clock, "time", shifted)
    return lambda seconds: ahead.__setitem__(0, seconds)


def goes_on(room: Room, page: Any, words: str) -> None:
    """What happens now is shown as of now: picture, timeline and words."""
    expect(page.locator(".age")).to_have_attribute("data-level", "fresh")
    expect(page.locator(".age")).to_have_text(YOUNG)
    room.tell(p.Said(words, "", words, 1, now_ms(), "q1", "real-time"))
    expect(page.locator(".caption")).to_have_text(words)
    room.second(0.71)
    room.second(0.72)
    chart = page.locator("#chart")
    expect(chart).to_have_attribute("aria-valuetext", re.compile("72 %"))
    page.focus("#chart")
    page.keyboard.press("End")  # the newest second is within the time that is drawn
    expect(page.locator("#hover")).to_contain_text("72 % for")
    page.keyboard.press("Escape")


@pytest.mark.parametrize("hours", [-1, 1, 30])
def test_a_robot_whose_clock_is_wrong(
    room: Room,
    server: Server,
    open_page: Callable[..., Any],
    shift: Callable[[float], None],
    hours: int,
) -> None:
    shift(hours * HOUR_S)
    page = entered(open_page(server.url))
    goes_on(room, page, "a red cone")
    differs = page.locator('#gauges [data-name="gauge_clock"] dd')
    ago, much = "behind" if hours > 0 else "ahead", {1: "60 min", 30: "30 h"}[abs(hours)]
    expect(differs).to_have_text(f"this device is {much} {ago}")


def test_a_clock_that_is_set_while_a_page_is_open(
    room: Room, page: Any, shift: Callable[[float], None]
) -> None:
    goes_on(room, page, "before")
    gauges = page.locator("#gauges")
    for seconds, told in ((HOUR_S, "60 min behind"), (-HOUR_S, "60 min ahead"), (0, "")):
        shift(seconds)
        if told:
            expect(gauges).to_contain_text(f"this device is {told}")
        else:
            expect(gauges).not_to_contain_text("this device is")
        goes_on(room, page, f"now {seconds}")
