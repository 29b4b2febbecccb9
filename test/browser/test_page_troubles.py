"""What the page shows, large and plain, in each trouble: in both languages, and gone when it is."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest
from page_rig import Room, entered, serving

from aura_core.console.server import Server

sync_api = pytest.importorskip("playwright.sync_api", reason="no Playwright: `make test-browser`")
expect = sync_api.expect
pytestmark = pytest.mark.browser
LARGE_PX = 15.0
SIZE = "node => Number.parseFloat(getComputedStyle(node).fontSize)"


@dataclass(frozen=True)
class Trouble:
    """A trouble, what the robot says of it, and what the page does in English and Chinese."""

    code: str
    detail: str
    level: str  # of the line in the header
    english: tuple[str, ...]  # the title, and the lines below it
    chinese: tuple[str, ...]
    of_camera: bool = False
    covers: bool = False  # there is no picture that is of use


TROUBLES = [
    Trouble(
        "model_loading",
        "loading model qwen3",
        "warning",
        (
            "The model is loading",
            "Pictures and answers begin when it is ready.",
            "loading model qwen3",
        ),
        ("正在加载模型", "就绪后开始显示画面和回答。", "正在加载模型 qwen3"),
        covers=True,
    ),
    Trouble(
        "model_failed",
        "CUDA out of memory",
        "bad",
        (
            "The model cannot run",
            "Nothing is decided until the assistant is started again.",
            "CUDA out of memory",
        ),
        ("模型无法运行", "重新启动助手之前不会做任何判断。", "CUDA out of memory"),
        covers=True,
    ),
    Trouble(
        "black",
        "",
        "warning",
        ("The picture is black", "Is the lens covered, or is it dark?"),
        ("画面全黑", "镜头被遮住了，还是光线太暗？"),
        of_camera=True,
    ),
    Trouble(
        "frozen",
        "the same picture for 30 s",
        "warning",
        (
            "The picture stands still",
            "The camera sends the same picture again and again.",
            "the same picture for 30 s",
        ),
        ("画面静止不动", "摄像头一直发送同一幅画面。", "30"),
        of_camera=True,
    ),
    Trouble(
        "slow",
        "a step takes 1800 ms",
        "warning",
        (
            "The model is too slow for every second",
            "Some seconds are left out.",
            "a step takes 1800 ms",
        ),
        ("模型太慢，跟不上每一秒", "有些秒被跳过了。", "1800"),
        of_camera=True,
    ),
    Trouble(
        "step_failed",
        "chunk 7 is lost: out of memory",
        "warning",
        ("A second could not be decided", "chunk 7 is lost: out of memory"),
        ("有一秒未能判断", "out of memory"),
        of_camera=True,
    ),
    Trouble(
        "memory_failed",
        "notes are not written: the disk is full",
        "bad",
        ("The memory cannot write", "notes are not written: the disk is full"),
        ("记忆无法写入", "the disk is full"),
    ),
    Trouble(
        "fallback",
        "on the fallback model aura_tiny since 10:15: no answer for 5 s",
        "warning",
        (
            "Another model has taken over",
            "on the fallback model aura_tiny since 10:15: no answer for 5 s",
        ),
        ("已改用另一个模型", "aura_tiny"),
    ),
]


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("trouble", TROUBLES, ids=lambda trouble: trouble.code)
def test_a_trouble_is_shown_large_and_goes_away(
    room: Room, server: Server, open_page: Callable[..., Any], trouble: Trouble, language: str
) -> None:
    locale, well = {"en": ("en-GB", "Watching"), "zh": ("zh-CN", "正在看")}[language]
    title, *lines = trouble.english if language == "en" else trouble.chinese
    page = entered(open_page(server.url, locale=locale))
    expect(page.locator(".tile canvas")).to_have_attribute("data-stamp", re.compile(r"\d+"))
    shown = page.locator(".tile .trouble")
    expect(shown).to_be_hidden()

    begin(room, trouble)
    expect(shown).to_be_visible()
    expect(shown.locator("strong")).to_have_text(title)
    assert shown.locator("strong").evaluate(SIZE) >= LARGE_PX
    expect(shown.locator("p")).to_have_count(len(lines))
    for place, line in enumerate(lines):
        expect(shown.locator("p").nth(place)).to_contain_text(line)
        assert shown.locator("p").nth(place).is_visible()
    expect(page.locator("#state")).to_have_text(title)
    expect(page.locator("#state")).to_have_attribute("data-level", trouble.level)
    assert covered(page) == trouble.covers

    end(room)
    expect(shown).to_be_hidden()
    expect(page.locator("#state")).to_have_text(well)
    assert title not in page.locator("body").inner_text()


def begin(room: Room, trouble: Trouble) -> None:
    if trouble.of_camera:
        room.trouble[""] = trouble.code, trouble.detail
    else:
        room.now = replace(room.now, trouble=trouble.code, detail=trouble.detail)


def end(room: Room) -> None:
    room.trouble.clear()
    room.now = replace(room.now, trouble="", detail="")


def covered(page: Any) -> bool:
    """Whether the words lie over the whole picture."""
    words = page.locator(".tile .trouble").bounding_box()
    tile = page.locator(".tile").bounding_box()
    return words["height"] > 0.9 * tile["height"] and words["width"] > 0.9 * tile["width"]


def test_of_several_troubles_the_worst_is_in_the_header_and_each_on_its_picture(
    open_page: Callable[..., Any],
) -> None:
    room = Room("kitchen", "door")
    with serving(room) as server:
        page = entered(open_page(server.url))
        room.trouble |= {"kitchen": ("black", ""), "door": ("no_frames", "unplugged")}
        expect(page.locator("#state")).to_have_text("door: No pictures from the camera")
        kitchen, door = (page.locator(f'.tile[data-camera="{n}"] strong') for n in room.trouble)
        expect(kitchen).to_have_text("The picture is black")
        expect(door).to_have_text("No pictures from the camera")
        del room.trouble["door"]
        expect(page.locator("#state")).to_have_text("kitchen: The picture is black")
        expect(door).to_be_hidden()
