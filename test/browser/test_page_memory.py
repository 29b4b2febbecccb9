"""Memory and timeline of the page: search, forget, point at a second."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any

import pytest
from page_rig import Room, a_while, look, now_ms

from aura_core.console import protocol as p
from aura_core.console.server import Server

sync_api = pytest.importorskip("playwright.sync_api", reason="no Playwright: `make test-browser`")
expect = sync_api.expect
pytestmark = pytest.mark.browser
NEWEST = 'document.querySelector("#chart").getAttribute("aria-valuetext")'


def test_search_the_memory_and_forget(room: Room, page: Any) -> None:
    for i, text in enumerate(("a cat came in", "a red cone appeared", "the cat left")):
        room.note(text, 10 * i)
    page.click("#tab-memory")
    notes = page.locator("#note-list .card")
    expect(notes.locator("h3")).to_have_text(
        ["the cat left", "a red cone appeared", "a cat came in"]
    )
    page.fill("#recall-text", "cat")
    page.press("#recall-text", "Enter")
    expect(notes.locator("h3")).to_have_text(["the cat left", "a cat came in"])
    expect(page.locator("#note-count")).to_have_text("2 notes")
    width = notes.first.locator("img").evaluate(
        "async image => (await image.decode(), image.naturalWidth)"
    )
    assert width == 160

    notes.first.locator("input").check()
    page.click("#forget-selected")
    page.click("#dialog button[value='']")  # not yet
    expect(notes).to_have_count(2)
    page.click("#forget-selected")
    page.click("#dialog button[value=yes]")
    expect(notes.locator("h3")).to_have_text(["a cat came in"])
    expect(page.locator("#note-count")).to_have_text("1 note was forgotten.")
    assert [note.text for note in room.notes] == ["a cat came in", "a red cone appeared"]


def test_search_by_time_and_forget_that_time(room: Room, page: Any) -> None:
    room.note("long ago", 0, at_ms=now_ms() - 7200_000.0)
    room.note("just now", 10)
    page.click("#tab-memory")
    notes = page.locator("#note-list .card h3")
    expect(notes).to_have_text(["just now", "long ago"])
    page.select_option("#recall-when", "3600")
    expect(notes).to_have_text(["just now"])
    page.select_option("#recall-when", "own")
    page.click("#recall button[type=submit]")
    expect(page.locator("#recall-error")).to_contain_text("Enter")
    local = "d => new Date(Date.now() - d - new Date().getTimezoneOffset() * 6e4)"
    for field, ago_ms in (("from", 10_800_000), ("to", 3_600_000)):
        value = page.evaluate(f"({local})({ago_ms}).toISOString().slice(0, 19)")
        page.fill(f"#recall-{field}", value)
    page.click("#recall button[type=submit]")
    expect(notes).to_have_text(["long ago"])
    page.click("#forget-more")
    page.select_option("#forget-what", "time")
    page.click("#dialog button[value=yes]")
    expect(page.locator("#memory-empty")).to_be_visible()
    expect(page.locator("#memory-empty")).to_contain_text("Nothing was found")
    assert [note.text for note in room.notes] == ["just now"]
    asked = next(one for one in room.done if isinstance(one, p.Forget))
    assert asked.begin_ms is not None and asked.end_ms is not None


def test_the_last_minutes_are_forgotten_by_the_servers_clock(
    room: Room, server: Server, open_page: Callable[..., Any]
) -> None:
    room.note("long ago", 0, at_ms=now_ms() - 7200_000.0)
    room.note("a while ago", 5, at_ms=now_ms() - 1800_000.0)
    room.note("just now", 10)
    shift = "const now = Date.now; Date.now = () => now() + 3600_000"  # the browser's is wrong
    page = open_page(server.url, before=lambda page: page.add_init_script(shift))
    page.click("#tab-memory")
    notes = page.locator("#note-list .card h3")
    expect(notes).to_have_text(["just now", "a while ago", "long ago"])
    for minutes, left in ((10, ["a while ago", "long ago"]), (60, ["long ago"])):
        page.click("#forget-more")
        page.select_option("#forget-what", str(minutes))
        before_ms = now_ms()
        page.click("#dialog button[value=yes]")
        expect(notes).to_have_text(left)
        expect(page.locator("#note-count")).to_have_text("1 note was forgotten.")
        asked = [one for one in room.done if isinstance(one, p.Forget)][-1]
        assert (asked.ids, asked.end_ms, asked.everything) == ((), None, False)
        began_ms = before_ms - 60_000.0 * minutes
        assert began_ms - 2000.0 < asked.begin_ms < now_ms() - 60_000.0 * minutes + 2000.0


def test_everything_is_forgotten_by_a_click_and_not_before_it_is_confirmed(
    room: Room, page: Any
) -> None:
    watch = room._add(p.AddWatch("tell me when a letter comes"))
    room.alert(watch, "a red envelope")
    room.note("a red envelope", 0)
    room.note("a cat came in", 10)
    page.click("#tab-memory")
    expect(page.locator("#note-list .card")).to_have_count(2)
    page.click("#forget-more")
    page.select_option("#forget-what", "all")
    page.click("#dialog button[value='']")  # cancelled
    expect(page.locator("#dialog")).to_be_hidden()
    assert len(room.notes) == 2
    page.click("#forget-more")
    page.select_option("#forget-what", "all")
    page.click("#dialog button[value=yes]")
    expect(page.locator("#note-list .card")).to_have_count(0)
    expect(page.locator("#note-count")).to_have_text("2 notes were forgotten.")
    assert not room.notes
    assert [one for one in room.done if isinstance(one, p.Forget)] == [p.Forget(everything=True)]
    page.click("#tab-alerts")
    expect(page.locator("#alert-list .card")).to_have_count(0)
    page.click("#tab-talk")
    expect(page.locator(".message.alert")).to_have_count(0)


def test_one_forgotten_note_leaves_the_alerts_of_others(room: Room, page: Any) -> None:
    """Regression: one note was deleted, and all alerts and words went from every page."""
    watch = room._add(p.AddWatch("tell me when a letter comes"))
    room.alert(watch, "a red envelope")
    room.note("a cat came in", 10, at_ms=now_ms() - 60_000.0)
    page.click("#tab-memory")
    page.click("#note-list .pick")
    page.click("#forget-selected")
    expect(page.locator("#dialog-body")).to_contain_text("1 note is deleted, with its picture, and")
    expect(page.locator("#dialog-body")).to_contain_text("Other alerts stay")
    page.click("#dialog button[value=yes]")
    expect(page.locator("#note-list .card")).to_have_count(0)
    page.click("#tab-alerts")
    expect(page.locator("#alert-list .card h3")).to_have_text("a red envelope")
    expect(page.locator("#alert-list img")).to_have_attribute("src", re.compile("^blob:"))
    page.click("#tab-talk")
    expect(page.locator(".message.alert")).to_have_count(1)


def test_what_another_page_forgets_goes_away(
    room: Room, server: Server, open_page: Callable[..., Any]
) -> None:
    room.note("a cat came in", 0)
    page = open_page(server.url)
    page.click("#tab-memory")
    expect(page.locator("#note-list .card")).to_have_count(1)
    room.forget(p.Forget(everything=True))
    expect(page.locator("#note-list .card")).to_have_count(0)


def test_words_that_repeat_what_was_forgotten_leave_every_page(
    room: Room, server: Server, open_page: Callable[..., Any]
) -> None:
    watch = room._add(p.AddWatch("tell me when a letter comes"))
    room.alert(watch, "a red envelope")
    pages = [open_page(server.url) for _ in range(2)]
    for page in pages:
        expect(page.locator("#alert-list .card")).to_have_count(1)
        expect(page.locator(".message .bubble").last).to_have_text("a red envelope")
    room.alert(room.watches[0], "another red envelope")
    for page in pages:
        expect(page.locator(".toast")).to_have_count(1)
    room._change(watch.id, last_text="", last_stamp_ns=None)  # as the keeper of the watches does
    room.forget(p.Forget(everything=True))
    for page in pages:
        expect(page.locator("#alert-list .card")).to_have_count(0)
        expect(page.locator(".toast")).to_have_count(0)
        expect(page.locator("#tab-alerts .count")).to_be_hidden()
        expect(page.locator(".message")).to_have_count(0)
        assert "envelope" not in page.locator("body").text_content()  # nor for a screen reader


def test_stop_remembering(room: Room, page: Any) -> None:
    page.click("#tab-memory")
    page.click("#memory-pause")
    expect(page.locator("#memory-pause")).to_have_text("Remember again")
    assert room.done[-1] == p.MemoryPause(True)


def kept(server: Server) -> None:
    """Wait until no picture waits to be encoded: more than 32 at once are not kept."""
    deadline = time.monotonic() + 60
    while server.hub.thumbnails._waiting:
        assert time.monotonic() < deadline, "pictures are not encoded"
        time.sleep(0.01)


def test_pointing_at_a_second_shows_its_frame(
    room: Room, server: Server, open_page: Callable[..., Any]
) -> None:
    a_while(room, 60, lambda: kept(server))
    page = open_page(server.url)
    expect(page.locator(".message .bubble").first).to_be_visible()
    box = page.locator("#chart").bounding_box()
    page.mouse.move(box["x"] + box["width"] - 150, box["y"] + 70)
    hover = page.locator("#hover")
    expect(hover).to_be_visible()
    expect(hover).to_contain_text("% for silence")
    image = page.locator("#hover-picture")
    expect(image).to_have_attribute("src", re.compile("^blob:"))
    size = image.evaluate("async image => (await image.decode(), image.naturalWidth)")
    assert size == 320  # the small picture of a second
    assert look(0).shape[1] == 640
    page.mouse.move(5, 5)
    expect(hover).to_be_hidden()


def test_the_timeline_by_keyboard_and_as_a_table(room: Room, page: Any) -> None:
    for p_silent in (0.91, 0.92, 0.93):
        room.second(p_silent)
    room.second(0.02, reason="threshold", response_id="r7", dropped=2, switched=True)
    expect(page.locator("#decision")).to_contain_text("by the threshold")
    page.focus("#chart")
    page.keyboard.press("ArrowLeft")
    hover = page.locator("#hover")
    expect(hover).to_contain_text("2 seconds dropped before it")
    expect(hover).to_contain_text("the window was cut back")
    page.keyboard.press("ArrowLeft")
    expect(hover).to_contain_text("93 % for")
    assert "93 % for" in page.evaluate(NEWEST)
    page.keyboard.press("Home")
    expect(hover).to_contain_text("91 % for")
    page.keyboard.press("Escape")
    expect(hover).to_be_hidden()
    page.click("#table-button")
    rows = page.locator("#table tbody tr")
    expect(rows).to_have_count(4)
    expect(rows.first).to_contain_text("0.020")
    room.second(0.5)
    expect(rows).to_have_count(5)


# How many pixels of the timeline have the colour of a mark in its legend, which is not transparent.
DRAWN = """async (mark) => {
    const rgb = getComputedStyle(mark).backgroundColor.match(/[\\d.]+/g).map(Number);
    const canvas = document.querySelector("#canvas");
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    let count = 0;
    for (let i = 0; i < data.length; i += 4) {
        const same = rgb.slice(0, 3).every((value, at) => value === data[i + at]);
        count += same && data[i + 3] === 255;
    }
    return rgb.length === 4 && rgb[3] === 0 ? -1 : count;
}"""


@pytest.mark.parametrize(
    ("kind", "english", "chinese", "fields"),
    [
        ("dropped", "dropped", "丢弃", {"dropped": 2}),
        ("switched", "window cut back", "窗口缩减", {"switched": True}),
        ("slow", "step over 1 s", "单步超过 1 秒", {"step_ms": 1500.0}),
    ],
)
def test_the_legend_names_the_marks_of_the_timeline(
    room: Room, page: Any, kind: str, english: str, chinese: str, fields: dict[str, Any]
) -> None:
    item = page.locator("#legend li", has=page.locator(f".{kind}"))
    expect(item).to_have_text(english)
    mark = item.locator("i")
    for _ in range(3):
        room.second(0.9)
    expect(page.locator("#chart")).to_have_attribute("aria-valuenow", "2")
    before = mark.evaluate(DRAWN)
    assert before >= 0
    room.second(0.9, **fields)
    expect(page.locator("#chart")).to_have_attribute("aria-valuenow", "3")
    page.wait_for_timeout(300)  # it is drawn a few times a second
    assert mark.evaluate(DRAWN) > before + 10
    page.click("#language")
    expect(item).to_have_text(chinese)
