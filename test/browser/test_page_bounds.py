"""The page stays small: its elements and its heap do not grow with what happens."""

from __future__ import annotations

from typing import Any

import pytest
from page_rig import Room, now_ms

from aura_core.console import protocol as p

sync_api = pytest.importorskip("playwright.sync_api", reason="no Playwright: `make test-browser`")
expect = sync_api.expect
pytestmark = pytest.mark.browser
AT_ONCE = 500  # events: fewer than the server lets wait for one page
HEAP = 1.5  # of what it was when the lists were full; a list that grows makes it 3 and more


def test_ten_thousand_events_do_not_make_the_page_grow(room: Room, page: Any) -> None:
    page.click("#table-button")
    page.click("#tab-memory")
    page.click("#tab-talk")
    _events(room, page, 0, 3_500)
    elements, heap = _size(page)
    _events(room, page, 3_500, 10_000)
    more_elements, more_heap = _size(page)
    assert more_elements <= elements + 100
    assert more_elements < 6_000
    assert more_heap < HEAP * heap


def _events(room: Room, page: Any, begin: int, end: int) -> None:
    """Events of every kind, as the server sends them."""
    watches = tuple(p.Watch(f"w{i}", "", f"watch {i}", "proactive", i > 60) for i in range(64))
    for i in range(begin, end):
        at_ms = now_ms()
        match i % 10:
            case 0:
                room.tell(p.Asked(f"q{i}", "", f"question {i}?", "console", False, at_ms))
            case 1:
                room.tell(p.Words(f"r{i // 10}", "", f"answer {i}", at_ms))
            case 3:
                said = f"answer {i}"
                room.tell(p.Said(f"r{i // 10}", "", said, i, at_ms, f"q{i - 3}", "real-time"))
            case 4:
                key = f"r{i // 10}/w1"
                room.tell(p.Alert(key, f"r{i}", "w1", "", "watch 1", f"alert {i}", i, at_ms))
            case 5:
                room.tell(p.Problem("", f"problem {i}", at_ms))
            case 6:
                room.tell(p.Note(f"n{i}", "", "seen", f"note {i}", at_ms, at_ms))
            case 7:
                room.tell(p.Watches(watches[i // 10 % 8 :]))
            case 8:
                room.tell(p.Refused(f"q{i}", "", f"question {i}?", "too late", at_ms))
            case 2 | 9:
                room.tell(p.Second("", i, i, at_ms, "silent", 0.5, window_chunks=3, window_max=60))
        if i % AT_ONCE == AT_ONCE - 1:
            assert page.locator("#away").is_hidden()
            expect(page.locator(".message").last).to_contain_text(f"question {i - 1}?")


def _size(page: Any) -> tuple[int, int]:
    """Elements of the page, and bytes of its heap after the garbage is collected."""
    page.wait_for_timeout(1500)  # pictures that cannot be found are asked for
    tools = page.context.new_cdp_session(page)
    for _ in range(3):
        tools.send("HeapProfiler.collectGarbage")
    heap = tools.send("Runtime.getHeapUsage")["usedSize"]
    tools.detach()
    return page.evaluate("document.getElementsByTagName('*').length"), heap
