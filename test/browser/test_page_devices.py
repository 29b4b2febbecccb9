"""The camera and the microphone of the browser: Chromium has ones that are made up."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from page_rig import Room, entered, now_ms, serving, wait_until

from aura_core.console import protocol as p
from aura_core.console.server import Server
from aura_core.errors import InputError

sync_api = pytest.importorskip("playwright.sync_api", reason="no Playwright: `make test-browser`")
expect = sync_api.expect
pytestmark = pytest.mark.browser
DENY = """() => { navigator.mediaDevices.getUserMedia = () =>
    Promise.reject(new DOMException("no", "NotAllowedError")); }"""


def test_the_microphone_is_heard(room: Room, page: Any) -> None:
    page.click("#microphone")
    expect(page.locator("#microphone")).to_have_attribute("aria-pressed", "true")
    wait_until(page, lambda: len(room.heard) > 60)  # Chromium beeps once a second
    begun = next(one for one in room.done if isinstance(one, p.Microphone))
    assert begun.on and begun.rate in (16000, 44100, 48000)
    samples = np.concatenate([np.frombuffer(one, "<i2") for one in room.heard])
    assert abs(samples.astype(int)).max() > 1000
    expect(page.locator("#heard")).to_have_text("Listening …")
    room.tell(p.Heard("", "what do you", "partial", now_ms()))
    expect(page.locator("#heard")).to_have_text("what do you …")
    page.click("#microphone")
    expect(page.locator("#microphone")).to_have_attribute("aria-pressed", "false")
    wait_until(page, lambda: not room.done[-1].on)  # type: ignore[union-attr]


def test_a_microphone_is_off_after_a_lost_connection_and_the_page_says_so(
    room: Room, open_page: Callable[..., Any]
) -> None:
    with serving(room) as server:
        page = open_page(server.url)
        page.click("#microphone")
        expect(page.locator("#microphone")).to_have_attribute("aria-pressed", "true")
        wait_until(page, lambda: len(room.heard) > 2)
        port = server.port
    error = page.locator("#ask-error")
    expect(error).to_contain_text("the microphone is off")
    with serving(room, port=port):
        expect(page.locator("#state")).to_have_text("Watching")
        expect(page.locator("#microphone")).to_have_attribute("aria-pressed", "false")
        expect(error).to_contain_text("the microphone is off")
        page.click("#language")
        expect(error).to_have_text("连接中断，麦克风已关闭。要继续说话，请再按一次。")
        before = len(room.heard)
        page.click("#microphone")
        expect(page.locator("#microphone")).to_have_attribute("aria-pressed", "true")
        expect(error).to_be_hidden()
        wait_until(page, lambda: len(room.heard) > before + 2)


def test_one_page_speaks_at_a_time(
    room: Room, server: Server, open_page: Callable[..., Any]
) -> None:
    one, two = open_page(server.url), open_page(server.url)
    one.click("#microphone")
    expect(two.locator("#microphone")).to_have_attribute("aria-disabled", "true")
    one.close()
    expect(two.locator("#microphone")).to_have_attribute("aria-disabled", "false")
    wait_until(two, lambda: room.done[-1] == p.Microphone(False))


def test_the_camera_of_the_page_is_a_camera_of_the_assistant(
    open_page: Callable[..., Any],
) -> None:
    room = Room("phone")
    with serving(room) as server:
        page = open_page(server.url, width=375, height=812)
        page.click("#menu-button")
        page.click("#phone")
        expect(page.locator("#phone .label")).to_have_text("Stop sending this camera")
        wait_until(page, lambda: len(room.pictures) > 5)
        image = room.pictures[-1]
        assert max(image.shape[:2]) == 640
        green = image.reshape(-1, 3).mean(axis=0)
        assert green[1] > green[0] and green[1] > green[2]  # Chromium's picture is green
        expect(page.locator(".tile canvas")).to_have_attribute("data-stamp", re.compile(r"\d+"))
        page.click("#phone")
        expect(page.locator("#phone .label")).to_have_text("Use the camera of this device")
        assert room.done[-1] == p.Phone(False, "phone")


def test_a_second_phone_is_refused_while_the_first_sends_and_may_be_another_camera(
    open_page: Callable[..., Any],
) -> None:
    room = Room("phone", "tablet")
    room.cameras = tuple(p.Camera(name, name, True) for name in ("phone", "tablet"))
    with serving(room) as server:
        one, two = (entered(open_page(server.url)) for _ in range(2))
        for page in (one, two):
            page.click("#menu-button")
            page.click("#phone")
        expect(two.locator("#phone-why")).to_have_text("another page is this camera already")
        two.keyboard.press("Escape")
        two.click('.tile[data-camera="tablet"] .name')
        two.click("#menu-button")
        two.click("#phone")
        expect(two.locator("#phone .label")).to_have_text("Stop sending this camera")
        wait_until(two, lambda: p.Phone(True, "tablet") in room.done)
        shown = two.locator('.tile[data-camera="tablet"] canvas')
        expect(shown).to_have_attribute("data-stamp", re.compile(r"\d+"))
        two.click("#phone")
        two.keyboard.press("Escape")
        one.close()  # its camera is free then
        two.click('.tile[data-camera="phone"] .name')
        two.click("#menu-button")
        two.click("#phone")
        expect(two.locator("#phone .label")).to_have_text("Stop sending this camera")
        assert room.done[-1] == p.Phone(True, "phone")


def test_a_camera_goes_on_after_a_lost_connection_though_nobody_sees_the_page(
    open_page: Callable[..., Any],
) -> None:
    room = Room("phone")
    with serving(room) as server:
        page = open_page(server.url)
        page.click("#menu-button")
        page.click("#phone")
        wait_until(page, lambda: len(room.pictures) > 2)
        page.evaluate("window.requestAnimationFrame = () => 0")  # as where it is hidden
        port = server.port
    del room.done[:], room.pictures[:]
    refusals: list[str] = []
    page.on("websocket", lambda link: link.on("framereceived", lambda m: _refusal(m, refusals)))
    with serving(room, port=port):
        wait_until(page, lambda: len(room.pictures) > 8)
        assert room.done == [p.Phone(True, "phone")]
    assert not refusals


def _refusal(message: Any, refusals: list[str]) -> None:
    if isinstance(message, str) and '"ok":false' in message.replace(" ", ""):
        refusals.append(message)


def refuses(why: str) -> Callable[..., None]:
    def refuse(*_: object) -> None:
        raise InputError(why)

    return refuse


def test_pictures_that_are_refused_have_their_reason_shown_once(
    open_page: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page went on without a word, until the server closed it."""
    room = Room("phone")
    with serving(room) as server:
        page = open_page(server.url)
        page.click("#menu-button")
        page.click("#phone")
        wait_until(page, lambda: len(room.pictures) > 2)
        with monkeypatch.context() as refusing:
            refusing.setattr(room, "see", refuses("this camera takes no pictures now"))
            why = page.locator("#phone-why")
            expect(why).to_have_text("this camera takes no pictures now")
            page.wait_for_timeout(9000)  # four pictures a second would have closed the page
            expect(why).to_be_visible()
            expect(page.locator(".message.system", has_text="takes no pictures")).to_have_count(1)
        before = len(room.pictures)
        wait_until(page, lambda: len(room.pictures) > before + 2)
        expect(why).to_be_hidden()


def test_sound_that_is_refused_has_its_reason_shown(
    room: Room, page: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    page.click("#microphone")
    wait_until(page, lambda: len(room.heard) > 2)
    with monkeypatch.context() as refusing:
        refusing.setattr(room, "hear", refuses("no speech recognition runs here"))
        expect(page.locator("#ask-error")).to_contain_text("no speech recognition")
    before = len(room.heard)
    wait_until(page, lambda: len(room.heard) > before + 2)
    expect(page.locator("#ask-error")).to_be_hidden()


def test_a_device_that_the_browser_refuses(page: Any) -> None:
    page.evaluate(DENY)
    page.click("#microphone")
    expect(page.locator("#ask-error")).to_contain_text("does not let this page use the microphone")
    page.click("#menu-button")
    page.click("#phone")
    expect(page.locator("#phone-why")).to_contain_text("does not let this page use the camera")


# Counts the audio contexts that the page has made and not closed.
CONTEXTS = """() => {
    window.contexts = [];
    const Made = window.AudioContext;
    window.AudioContext = class extends Made {
        constructor(...given) {
            super(...given);
            contexts.push(this);
        }
    };
}"""
OPEN = "contexts.filter(one => one.state !== 'closed').length"


def test_a_microphone_that_is_refused_leaves_nothing_open(room: Room, page: Any) -> None:
    page.evaluate(CONTEXTS)
    room.fails["microphone"] = "another page uses its microphone already"
    for tried in range(1, 9):  # a browser gives a page only some
        page.click("#microphone")
        page.wait_for_function(f"() => contexts.length === {tried}")
        expect(page.locator("#ask-error")).to_contain_text("another page uses its microphone")
        page.wait_for_function(f"() => {OPEN} === 0")
    room.fails.clear()
    page.click("#microphone")
    expect(page.locator("#microphone")).to_have_attribute("aria-pressed", "true")
    assert page.evaluate(OPEN) == 1


def test_a_reason_that_is_over_is_shown_no_more(room: Room, server: Server, page: Any) -> None:
    room.cannot["camera"] = "no camera takes it: start with the source phone"
    room.cannot["microphone"] = "no speech recognition runs here"
    page.click("#menu-button")
    expect(page.locator("#phone-why")).to_have_text(re.compile("no camera takes it"))
    expect(page.locator("#phone")).to_be_disabled()
    page.keyboard.press("Escape")
    page.click("#microphone", force=True)
    expect(page.locator("#ask-error")).to_contain_text("no speech recognition")
    del room.cannot["camera"], room.cannot["microphone"]
    expect(page.locator("#ask-error")).to_be_hidden()
    page.click("#menu-button")
    expect(page.locator("#phone")).to_be_enabled()
    expect(page.locator("#phone-why")).to_be_hidden()


def test_a_reason_keeps_up_with_the_language(room: Room, page: Any) -> None:
    page.evaluate(DENY)
    page.click("#menu-button")
    page.click("#phone")
    expect(page.locator("#phone-why")).to_contain_text("does not let this page use the camera")
    page.keyboard.press("Escape")
    room.fails["ask"] = "the model is still loading; ask again when it is ready"
    page.fill("#question", "what?")
    page.press("#question", "Enter")
    expect(page.locator("#ask-error")).to_have_text(room.fails["ask"])
    page.click("#language")
    expect(page.locator("#ask-error")).to_have_text("模型还在加载，请在就绪后再问")
    page.click("#menu-button")
    expect(page.locator("#phone-why")).to_have_text("浏览器不允许本页使用摄像头。")
