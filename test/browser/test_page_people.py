"""The page for everybody: every size of window, keyboard, contrast, motion, two languages."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from page_rig import Room, a_while, entered, serving

from aura_core.console import protocol as p
from aura_core.console.server import Server, page_files

sync_api = pytest.importorskip("playwright.sync_api", reason="no Playwright: `make test-browser`")
expect = sync_api.expect
pytestmark = pytest.mark.browser
TABS = ("talk", "watches", "alerts", "memory")

# Elements that reach out of the window, or a text that is cut although it may not be.
OUTSIDE = """() => [...document.querySelectorAll("main *, header *")].filter(node => {
    const box = node.getBoundingClientRect();
    const shown = node.checkVisibility() && box.width > 2 && !node.closest(".hidden, canvas");
    return shown && (box.right > innerWidth + 1 || box.left < -1);
}).map(node => `${node.tagName}.${node.className} ${node.id}`)"""

# Of each text, the contrast with what lies behind it, where that is one colour.
CONTRAST = """() => {
    const numbers = colour => colour.match(/[\\d.]+/g).map(Number);
    const light = ([r, g, b]) => [r, g, b].map(v => v / 255)
        .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
        .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
    const behind = node => {
        for (; node; node = node.parentElement) {
            if (node.matches(".tile, .trouble")) return null;
            const colour = numbers(getComputedStyle(node).backgroundColor);
            if (colour[3] !== 0) return colour;
        }
        return null;
    };
    const bad = [];
    const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walk.nextNode()) {
        const node = walk.currentNode.parentElement;
        if (!walk.currentNode.data.trim() || !node.checkVisibility()) continue;
        if (node.closest("script, .hidden, :disabled, [aria-disabled=true]")) continue;
        const under = behind(node);
        if (!under) continue;
        const [a, b] = [light(numbers(getComputedStyle(node).color)), light(under)];
        const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
        if (contrast < 4.5) bad.push(`${contrast.toFixed(2)} ${walk.currentNode.data.trim()}`);
    }
    return bad;
}"""

NAMELESS = """() => [...document.querySelectorAll("button, input, select, textarea, [tabindex]")]
    .filter(node => node.checkVisibility())
    .filter(node => !(node.getAttribute("aria-label") || node.labels?.length ||
        node.getAttribute("aria-labelledby") || node.textContent.trim()))
    .map(node => node.outerHTML)"""


@pytest.mark.parametrize(("width", "height"), [(320, 568), (375, 812), (812, 375), (1280, 800)])
def test_nothing_reaches_out_of_a_small_window(
    room: Room, server: Server, open_page: Callable[..., Any], width: int, height: int
) -> None:
    a_while(room, 40)
    room._add(p.AddWatch("tell me when " + "averylongwordwithoutanyspace" * 6))
    page = open_page(server.url, width=width, height=height)
    expect(page.locator(".message").first).to_be_attached()
    for tab in TABS:
        page.click(f"#tab-{tab}")
        assert page.evaluate(OUTSIDE) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width


CUT = """() => [...document.querySelectorAll("#tabs button > *")]
    .filter(node => node.checkVisibility() && node.scrollWidth > node.clientWidth + 1
        && getComputedStyle(node).display !== "inline")
    .map(node => node.textContent)"""
COVERED = """() => [...document.querySelectorAll("#tabs button")].filter(tab => {
    const [words, count] = ["span", ".count"].map(one => tab.querySelector(one));
    if (!count?.checkVisibility()) return false;
    const [a, b] = [words, count].map(one => one.getBoundingClientRect());
    return a.right > b.left + 1 && b.right > a.left + 1 && a.bottom > b.top + 1
        && b.bottom > a.top + 1;
}).map(tab => tab.id)"""
LOW = [(375, 400), (412, 500), (320, 480), (375, 480), (639, 400), (640, 400), (667, 375)]


@pytest.mark.parametrize(("width", "height"), LOW)
def test_a_question_can_be_asked_in_a_low_window(
    room: Room, server: Server, open_page: Callable[..., Any], width: int, height: int
) -> None:
    """Regression: with the keyboard of a phone open, the question's field was 44 pixels wide."""
    a_while(room, 40)
    watch = room._add(p.AddWatch("tell me when it burns", urgent=True))
    page = open_page(server.url, width=width, height=height)
    expect(page.locator(".message").first).to_be_attached()
    room.alert(watch, "it burns")
    expect(page.locator("#tab-alerts .count")).to_be_visible()
    for name, least in (("question", 150), ("microphone", 40), ("send", 40)):
        box = page.locator(f"#{name}").bounding_box()
        assert box["width"] >= least, name
        assert box["x"] >= 0 and box["x"] + box["width"] <= width, name
        assert box["y"] >= 0 and box["y"] + box["height"] <= height, name
    assert page.evaluate(OUTSIDE) == page.evaluate(CUT) == page.evaluate(COVERED) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize(("width", "height"), [(375, 480), (375, 812), (667, 375), (1280, 800)])
def test_the_notice_of_an_alert_leaves_the_picture_free(
    room: Room, server: Server, open_page: Callable[..., Any], width: int, height: int
) -> None:
    watch = room._add(p.AddWatch("tell me when it burns", urgent=True))
    page = entered(open_page(server.url, width=width, height=height, reduced_motion="reduce"))
    room.alert(watch, "it burns")
    expect(page.locator(".toast")).to_be_visible()
    notice, picture = (page.locator(one).bounding_box() for one in (".toast", "#stage"))
    beside = notice["x"] >= picture["x"] + picture["width"]
    assert beside or notice["y"] >= picture["y"] + picture["height"]
    assert notice["x"] + notice["width"] <= width and notice["y"] + notice["height"] <= height


def test_everything_stands_side_by_side_in_a_wide_window(
    room: Room, server: Server, open_page: Callable[..., Any]
) -> None:
    a_while(room, 40)
    page = open_page(server.url, width=2560, height=1440)
    expect(page.locator("#tabs")).to_be_hidden()
    for part in (*TABS, "timeline", "stage"):
        expect(page.locator(f"#{part}")).to_be_visible()
    assert page.evaluate(OUTSIDE) == []
    stage = page.locator("#stage").bounding_box()
    assert stage["height"] > 700


@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_contrast_and_names(
    room: Room, server: Server, open_page: Callable[..., Any], scheme: str
) -> None:
    a_while(room, 40)
    room._add(p.AddWatch("tell me when it burns", severity="critical", urgent=True))
    room.alert(room.watches[-1], "it burns")
    page = open_page(server.url, scheme=scheme)
    page.click("#menu-button")
    expect(page.locator(".message").first).to_be_attached()
    for tab in TABS:
        page.evaluate(f"document.querySelector('#tab-{tab}').click()")
        assert page.evaluate(CONTRAST) == []
        assert page.evaluate(NAMELESS) == []
    assert page.evaluate("document.documentElement.dataset.theme") == scheme


def test_all_is_done_by_keyboard(room: Room, page: Any) -> None:
    expect(page.locator("#state")).to_contain_text("Watching")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")  # skips to the question
    expect(page.locator("#question")).to_be_focused()
    page.keyboard.type("tell me when it rains")
    page.keyboard.press("Enter")
    expect(page.locator("#tab-watches .count")).to_have_text("1")
    for _ in range(20):
        page.keyboard.press("Shift+Tab")
        if page.evaluate("document.activeElement.id") == "tab-talk":
            break
    page.keyboard.press("ArrowRight")
    expect(page.locator("#tab-watches")).to_be_focused()
    expect(page.locator("#watches")).to_be_visible()
    for _ in range(10):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.dataset.name") == "end":
            break
    page.keyboard.press("Enter")
    expect(page.locator("#watch-list .chip").first).to_have_text("ended")
    assert [type(one) for one in room.done if not isinstance(one, p.Recall)] == [p.Ask, p.Unwatch]


def test_nothing_moves_for_who_wants_no_motion(
    server: Server, room: Room, open_page: Callable[..., Any]
) -> None:
    room.trouble[""] = ("waiting", "")
    page = open_page(server.url, reduced_motion="reduce")
    expect(page.locator(".trouble .icon")).to_be_visible()
    moving = "document.getAnimations().filter(one => one.playState === 'running').length"
    assert page.evaluate(moving) == 0
    calm = open_page(server.url, reduced_motion="no-preference")
    expect(calm.locator(".trouble .icon")).to_be_visible()
    assert calm.evaluate(moving) > 0


def test_english_and_chinese(room: Room, server: Server, open_page: Callable[..., Any]) -> None:
    a_while(room, 40)
    page = open_page(server.url, locale="zh-CN")
    expect(page.locator("#tab-talk")).to_have_text("对话")
    expect(page.locator("html")).to_have_attribute("lang", "zh-Hans")
    expect(page.locator("#state")).to_have_text(re.compile("正在看"))
    expect(page.locator("#decision")).to_contain_text("沉默")
    page.click("#language")
    expect(page.locator("#tab-talk")).to_have_text("Conversation")
    expect(page.locator("#decision")).to_contain_text("Silent")
    page.reload()
    expect(page.locator("#tab-talk")).to_have_text("Conversation")


def test_the_languages_have_the_same_words() -> None:
    words = {name: _words(f"words_{name}.js") for name in ("en", "zh")}
    assert set(words["en"]) == set(words["zh"])
    values = {
        name: {key: set(re.findall(r"\{(\w+)", text)) for key, text in texts.items()}
        for name, texts in words.items()
    }
    assert values["en"] == values["zh"]
    assert len(words["en"]) > 200


def _words(name: str) -> dict[str, str]:
    text = page_files()[name].content.decode()
    return dict(re.findall(r'^  (\w+): "(.*)",$', text, re.MULTILINE))


def test_every_word_that_the_page_uses_is_there() -> None:
    files = {name: file.content.decode() for name, file in page_files().items()}
    words = _words("words_en.js")
    used = set(re.findall(r'data-t(?:-\w+)?="(\w+)"', files["index.html"]))
    for name, text in files.items():
        if name.endswith(".js"):
            used |= set(re.findall(r'\bt\("(\w+)"', text))
    assert used - set(words) == set()
    states = [*p.TROUBLES[:-1]]
    assert {f"trouble_{state}" for state in states} <= set(words)


def test_the_theme_can_be_chosen_and_is_kept(page: Any) -> None:
    page.click("#menu-button")
    page.click("[data-theme-choice=light]")
    expect(page.locator("html")).to_have_attribute("data-theme", "light")
    page.reload()
    expect(page.locator("html")).to_have_attribute("data-theme", "light")


def test_the_page_is_small() -> None:
    assert sum(len(file.content) for file in page_files().values()) <= 200_000


# What can be touched and is smaller than a finger needs. A box to tick is as large as its label.
TOO_SMALL = """() => [...document.querySelectorAll(
    "button, select, summary, input, textarea, [role=slider]")].filter(node => {
    if (!node.checkVisibility() || node.closest(".hidden")) return false;
    const box = (node.type === "checkbox" ? node.closest("label") : node).getBoundingClientRect();
    return box.width > 0 && (box.width < 43.9 || box.height < 43.9);
}).map(node => `${node.id || node.className || node.outerHTML} ${
    Math.round(node.getBoundingClientRect().width)}x${
    Math.round(node.getBoundingClientRect().height)}`)"""
PHONE: dict[str, Any] = {"width": 375, "height": 812}
TABLET: dict[str, Any] = {"width": 1280, "height": 800, "has_touch": True, "is_mobile": True}


@pytest.mark.parametrize("device", [PHONE, TABLET], ids=["phone", "tablet"])
def test_what_can_be_touched_is_large_enough(
    open_page: Callable[..., Any], device: dict[str, Any]
) -> None:
    room = Room("kitchen", "door")
    with serving(room) as server:
        room._add(p.AddWatch("tell me when it burns", severity="critical", urgent=True))
        room.alert(room.watches[-1], "it burns")
        room.note("a red cone", 32)
        room.second(0.9, camera="kitchen")
        page = open_page(server.url, **device)
        expect(page.locator(".message").first).to_be_attached()
        expect(page.locator(".tile")).to_have_count(2)
        room.alert(room.watches[-1], "it burns still")
        expect(page.locator(".toast")).to_be_visible()
        assert page.evaluate(TOO_SMALL) == []
        for tab in (*TABS, *(["timeline"] if device is PHONE else [])):
            page.click(f"#tab-{tab}")
            if tab == "watches":
                page.click("#watch-more summary")
            elif tab == "memory":
                expect(page.locator("#note-list .card")).to_have_count(1)
                page.select_option("#recall-when", "own")
            elif tab == "timeline":
                page.click("#table-button")
            assert page.evaluate(TOO_SMALL) == [], tab
            if device is PHONE and tab != "timeline":  # its table can be moved
                assert page.evaluate(OUTSIDE) == [], tab
        page.click("#menu-button")
        assert page.evaluate(TOO_SMALL) == []
        page.keyboard.press("Escape")
        page.click("#tab-memory")
        page.click("#forget-more")
        assert page.evaluate(TOO_SMALL) == []
