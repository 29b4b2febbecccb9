"""The screenshots of README and docs/console.md.

AURA_PICTURES=docs/pictures make test-browser ARGS="-k pictures"
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from page_rig import Room, a_while, now_ms, serving
from PIL import Image

from aura_core.console import protocol as p

sync_api = pytest.importorskip("playwright.sync_api", reason="no Playwright: `make test-browser`")
expect = sync_api.expect
pytestmark = pytest.mark.browser
MOST_BYTES = 150_000
DRAWN = re.compile(r"\d+")
# The timeline is drawn a few times a second: whether the row of p(silent) is filled at its end.
FILLED = """() => {
    const canvas = document.querySelector("#canvas");
    const [x, y] = [canvas.width * 0.94, canvas.height * 0.4];
    return canvas.getContext("2d").getImageData(x, y, 1, 1).data[3] > 0;
}"""

STILL = "() => document.getAnimations().every((one) => one.playState !== 'running')"


def save(page: Any, path: Path) -> None:
    """A screenshot as a PNG of few colours."""
    image = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    few = image.quantize(256, Image.Quantize.MAXCOVERAGE, kmeans=2, dither=Image.Dither.NONE)
    few.save(path, optimize=True)
    assert path.stat().st_size <= MOST_BYTES, path.stat().st_size


@pytest.fixture
def busy(room: Room) -> Any:
    """A room in which something has just happened."""
    with serving(room) as server:
        a_while(room)
        room.chunk = 34
        room.show()
        yield server


def test_pictures_of_the_desk(
    busy: Any, room: Room, open_page: Callable[..., Any], pictures: Path
) -> None:
    page = open_page(busy.url)
    expect(page.locator(".tile canvas")).to_have_attribute("data-stamp", DRAWN)
    room.alert(room.watches[0], "a red cone appeared")
    expect(page.locator(".toast img")).to_be_visible()
    page.wait_for_function(STILL)
    save(page, pictures / "console.png")


def test_pictures_of_the_timeline(busy: Any, open_page: Callable[..., Any], pictures: Path) -> None:
    page = open_page(busy.url, scheme="light")
    page.click("#tab-memory")
    expect(page.locator("#note-list .card")).to_have_count(4)
    page.focus("#chart")
    for _ in range(20):
        page.keyboard.press("ArrowLeft")
    expect(page.locator("#hover-picture")).to_have_attribute("src", re.compile("^blob:"))
    save(page, pictures / "console_light.png")


def test_pictures_of_a_phone(busy: Any, open_page: Callable[..., Any], pictures: Path) -> None:
    page = open_page(busy.url, width=375, height=760)
    expect(page.locator(".tile canvas")).to_have_attribute("data-stamp", DRAWN)
    expect(page.locator(".message").last).to_be_visible()
    save(page, pictures / "console_phone.png")


def test_pictures_of_several_cameras(open_page: Callable[..., Any], pictures: Path) -> None:
    room = Room("kitchen", "door", "garage", "hall")
    with serving(room) as server:
        room.show()
        room.trouble["door"], room.ages_ms["door"] = ("no_frames", ""), 12_400.0
        page = open_page(server.url, locale="zh-CN")
        for camera in room.cameras:
            tile = page.locator(f'.tile[data-camera="{camera.name}"] canvas')
            expect(tile).to_have_attribute("data-stamp", DRAWN)
        expect(page.locator(".trouble strong").first).to_be_attached()
        room._add(p.AddWatch("有人进来时告诉我", camera="kitchen"))
        for ago in range(150, 0, -1):
            room.second(0.97, now_ms() - 1000.0 * ago, "kitchen")
        expect(page.locator("#decision")).to_be_visible()
        page.wait_for_function(FILLED)
        save(page, pictures / "console_cameras.png")
