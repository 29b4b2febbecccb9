"""The page of a running assistant: it shows what comes, and asks."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from page_rig import Room, a_while, entered, look, now_ms, serving

from aura_core.console import protocol as p
from aura_core.console.robot import Seen
from aura_core.console.server import Server
from aura_core.words import is_blank

sync_api = pytest.importorskip("playwright.sync_api", reason="no Playwright: `make test-browser`")
expect = sync_api.expect
pytestmark = pytest.mark.browser

COLOUR = """canvas => [...canvas.getContext("2d").getImageData(
    canvas.width / 2, canvas.height / 2, 1, 1).data].slice(0, 3)"""


# Nothing is drawn before a test calls for it.
HELD = """() => {
    const { parse } = JSON;
    window.drawing = [];
    window.came = "";
    window.requestAnimationFrame = (draw) => drawing.push(draw);
    JSON.parse = (text) => (came += text, parse(text));
}"""


def colour(page: Any, selector: str = ".tile canvas") -> np.ndarray:
    """The pixel in the middle of a picture."""
    return np.array(page.locator(selector).evaluate(COLOUR))


def test_the_newest_frame_is_shown_with_its_age(room: Room, page: Any) -> None:
    room.plays = False
    for red in (250, 20):
        image = np.full((48, 64, 3), (red, 100, 40), np.uint8)
        room.tell(Seen("", red, image))
        expect(page.locator(".tile canvas")).to_have_attribute("data-stamp", str(red))
        np.testing.assert_allclose(colour(page), (red, 100, 40), atol=6)  # a JPEG
    expect(page.locator(".age")).to_contain_text("s old")


def test_the_age_is_the_servers_whatever_the_clock_of_the_browser_says(
    room: Room, server: Server, open_page: Callable[..., Any]
) -> None:
    room.plays, room.age_ms = False, 7000.0
    shift = "const now = Date.now; Date.now = () => now() + 3600_000"
    page = open_page(server.url, before=lambda page: page.add_init_script(shift))
    expect(page.locator(".age")).to_have_attribute("data-level", "old")
    expect(page.locator(".age")).to_have_text(re.compile(r"^\d+(\.\d)? s old$"))
    expect(page.locator('#gauges [data-name="gauge_clock"]')).to_contain_text("60 min ahead")


def test_a_question_is_answered_and_the_words_stream(room: Room, page: Any) -> None:
    room.step = threading.Semaphore(0)
    page.fill("#question", "what do you see?")
    page.press("#question", "Enter")
    expect(page.locator(".message.user .bubble")).to_have_text("what do you see?")
    expect(page.locator("#question")).to_have_value("")
    answer = page.locator(".message:not(.user) .bubble")
    for words in ("a", "a red", "a red cone"):
        room.step.release()
        expect(answer).to_have_text(words)
        expect(page.locator(".message.streaming")).to_have_count(1)
        expect(page.locator(".caption")).to_have_text(words)
    room.step.release(10)
    expect(answer).to_have_text("a red cone and a blue cube")
    expect(page.locator(".message.streaming")).to_have_count(0)
    expect(page.locator("#decision")).to_contain_text("Speaking")
    expect(page.locator("#polite")).to_have_text("Aura: a red cone and a blue cube")


def test_a_question_that_comes_before_the_connection_waits_for_it(
    room: Room, server: Server, open_page: Callable[..., Any]
) -> None:
    links: list[Any] = []
    sent: list[Any] = []

    def hold(link: Any) -> None:
        links.append(link)
        link.on_message(lambda message: sent.append(message))

    opened = re.compile("/socket$")
    page = open_page(server.url, before=lambda page: page.route_web_socket(opened, hold))
    page.fill("#question", "what do you see?")
    page.press("#question", "Enter")
    expect(page.locator("#send")).to_be_disabled()
    expect(page.locator("#ask-error")).to_be_hidden()
    assert [json.loads(message)["type"] for message in sent] == ["enter"]
    to_server = links[0].connect_to_server()
    links[0].on_message(lambda message: to_server.send(message))
    to_server.send(sent[0])
    expect(page.locator(".message .bubble").nth(1)).to_have_text("a red cone and a blue cube")
    expect(page.locator("#question")).to_have_value("")


def test_answers_that_come_together_are_all_read_out(room: Room, page: Any) -> None:
    page.evaluate(HELD)
    room.tell(p.Said("r1", "", "a red cone", 1, now_ms(), "q1", "real-time"))
    room.tell(p.Said("r2", "", "two", 2, now_ms(), "q2", "real-time"))
    watch = room._add(p.AddWatch("tell me when it rains", urgent=True))
    for text in ("it rains", "it pours"):
        room.alert(watch, text)
    page.wait_for_function('() => /"last_text": ?"it pours/.test(came)', polling=50)
    page.evaluate("drawing.forEach((draw) => draw())")
    expect(page.locator("#polite")).to_have_text("Aura: a red cone Aura: two")
    expect(page.locator("#assertive")).to_have_text("Alert: it rains Alert: it pours")


def test_words_that_are_not_said_after_all_go_away(room: Room, page: Any) -> None:
    expect(page.locator("#talk-empty")).to_be_visible()
    room.tell(p.Words("r1", "", "a red", now_ms()))
    expect(page.locator(".message.streaming")).to_have_count(1)
    room.second(0.9, suppressed="cooldown")
    expect(page.locator(".message")).to_have_count(0)
    expect(page.locator("#decision")).to_contain_text("the watch is quiet after its alert")


def test_a_question_that_is_refused_stays_in_the_field_with_the_reason(
    room: Room, page: Any
) -> None:
    room.fails["ask"] = "10 questions wait already"
    page.fill("#question", "who is there?")
    page.click("#send")
    expect(page.locator("#ask-error")).to_have_text("10 questions wait already")
    expect(page.locator("#question")).to_have_value("who is there?")
    expect(page.locator("#send")).to_be_enabled()
    page.fill("#question", "x" * 500)
    page.click("#send")
    expect(page.locator("#ask-error")).to_contain_text("500 characters; at most 400")


def test_where_nothing_can_be_asked_the_field_says_why(room: Room, page: Any) -> None:
    page.fill("#question", "who is there?")
    room.cannot["ask"] = "the model is loading"
    expect(page.locator("#question")).to_be_disabled()
    expect(page.locator("#question")).to_have_attribute("placeholder", "the model is loading")
    expect(page.locator("#send")).to_be_disabled()
    expect(page.locator("#ask-error")).to_have_text("the model is loading")
    del room.cannot["ask"]
    expect(page.locator("#send")).to_be_enabled()
    expect(page.locator("#ask-error")).to_be_hidden()
    expect(page.locator("#question")).to_have_value("who is there?")
    page.click("#send")
    expect(page.locator(".message.user .bubble")).to_have_text("who is there?")


def test_a_watch_is_added_alerts_with_its_frame_and_is_cancelled(room: Room, page: Any) -> None:
    page.click("#tab-watches")
    page.fill("#watch-text", "tell me when a person comes in")
    page.click("#watch-more summary")
    page.select_option("#watch-kind", "multi-response")
    page.select_option("#watch-severity", "critical")
    page.fill("#watch-cooldown", "30")
    page.fill("#watch-limit", "5")
    page.check("#watch-urgent")
    page.click("#watch-form button[type=submit]")
    card = page.locator("#watch-list .card")
    expect(card.locator("h3")).to_have_text("tell me when a person comes in")
    added = next(one for one in room.done if isinstance(one, p.AddWatch))
    assert added == p.AddWatch(
        "tell me when a person comes in", "multi-response", 30.0, 5, True, "critical", ""
    )
    expect(page.locator("#tab-watches .count")).to_have_text("1")

    alert = room.alert(room.watches[0], "a person came in")
    expect(page.locator("#tab-alerts .count")).to_have_text("1")
    expect(page.locator("#assertive")).to_have_text("Alert: a person came in")
    expect(card.locator(".evidence p").first).to_have_text("a person came in")
    toast = page.locator(".toast")
    expect(toast.locator("strong")).to_have_text("a person came in")
    shown = toast.locator("img")
    shown.wait_for()
    width = shown.evaluate("async image => (await image.decode(), image.naturalWidth)")
    assert width == look(0).shape[1]
    assert alert.urgent

    card.locator(".frame").first.click()
    expect(page.locator("#dialog img")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#dialog")).to_be_hidden()

    page.click("#tab-alerts")
    page.click("#alert-list .card button[data-name=acknowledge]")
    expect(page.locator("#alert-list .card.acknowledged")).to_have_count(1)
    expect(page.locator("#tab-alerts .count")).to_be_hidden()
    expect(toast).to_have_count(0)

    page.click("#tab-watches")
    card.locator("button[data-name=end]").click()
    expect(card.locator(".chip").first).to_have_text("ended")
    expect(page.locator("#tab-watches .count")).to_be_hidden()
    assert room.done[-1] == p.Unwatch(room.watches[0].id)


def test_all_alerts_are_acknowledged_by_one_click(
    room: Room, server: Server, open_page: Callable[..., Any]
) -> None:
    one, two = (entered(open_page(server.url)) for _ in range(2))
    watch = room._add(p.AddWatch("tell me when it rains", "multi-response", urgent=True))
    alerts = [room.alert(watch, f"it rains {more}") for more in ("a little", "more", "most")]
    for page in (one, two):
        page.click("#tab-alerts")
        expect(page.locator("#tab-alerts .count")).to_have_text("3")
        expect(page.locator(".toast")).to_have_count(3)
    one.click("#acknowledge-all")
    for page in (one, two):
        expect(page.locator("#alert-list .card.acknowledged")).to_have_count(3)
        expect(page.locator(".toast")).to_have_count(0)
        expect(page.locator("#tab-alerts .count")).to_be_hidden()
        expect(page.locator("#acknowledge-all")).to_be_hidden()
    kept = server.hub.past.snapshot().alerts
    assert [(a.key, a.acknowledged) for a in kept] == [(a.key, True) for a in alerts]


def test_two_pages_show_the_same(room: Room, server: Server, open_page: Callable[..., Any]) -> None:
    one, two = open_page(server.url), open_page(server.url, width=375, height=812)
    expect(two.locator("#state")).to_contain_text("Watching")
    one.fill("#question", "what do you see?")
    one.press("#question", "Enter")
    for page in (one, two):
        expect(page.locator(".message .bubble").nth(1)).to_have_text("a red cone and a blue cube")
    two.fill("#question", "tell me when it rains")
    two.press("#question", "Enter")
    expect(one.locator("#tab-watches .count")).to_have_text("1")
    room.alert(room.watches[0], "it rains")
    for page in (one, two):
        expect(page.locator(".toast")).to_have_count(1)
    two.click(".toast button[data-name=acknowledge]")
    for page in (one, two):
        expect(page.locator(".toast")).to_have_count(0)


def test_a_page_that_comes_late_shows_what_was_before(
    room: Room, server: Server, open_page: Callable[..., Any]
) -> None:
    a_while(room, 130)
    page = open_page(server.url)
    expect(page.locator(".message.user .bubble").first).to_have_text(
        "tell me every time something appears"
    )
    expect(page.locator(".message.alert .bubble").first).to_have_text("a blue cube appeared")
    expect(page.locator("#tab-alerts .count")).to_have_text("2")
    expect(page.locator(".toast")).to_have_count(0)  # nothing that is new


def test_a_camera_that_is_lost_is_said_large_and_comes_back(room: Room, page: Any) -> None:
    trouble = page.locator(".tile .trouble")
    expect(page.locator(".age")).to_have_attribute("data-level", "fresh")
    expect(trouble).to_be_hidden()
    room.plays = False
    room.trouble[""], room.age_ms = ("no_frames", "none for 12 s"), 12_000.0
    expect(trouble.locator("strong")).to_have_text("No pictures from the camera")
    expect(trouble).to_contain_text("none for 12 s")
    expect(page.locator("#state")).to_have_attribute("data-level", "bad")
    expect(page.locator(".age")).to_have_attribute("data-level", "old")
    room.trouble.clear()
    room.plays, room.age_ms = True, 0.0
    expect(trouble).to_be_hidden()
    expect(page.locator(".age")).to_have_attribute("data-level", "fresh")


def test_an_assistant_that_is_killed_and_started_again(room: Room, page: Any) -> None:
    expect(page.locator("#state")).to_contain_text("Watching")
    room.tell(p.Words("r1", "", "a red", now_ms()))
    expect(page.locator(".message.streaming")).to_have_count(1)
    room.now = replace(room.now, trouble="server_away", detail="no heartbeat for 5 s")
    trouble = page.locator(".tile .trouble")
    expect(trouble.locator("strong")).to_have_text("The assistant is away")
    expect(trouble).to_contain_text("no heartbeat for 5 s")
    room.now = replace(room.now, trouble="", detail="", run="run-2")
    expect(trouble).to_be_hidden()
    expect(page.locator(".message.system")).to_contain_text("The assistant was started again")
    expect(page.locator(".message.streaming")).to_have_count(0)


def test_pause_and_go_on(room: Room, page: Any) -> None:
    page.click("#pause")
    expect(page.locator("#pause")).to_have_attribute("aria-pressed", "true")
    expect(page.locator(".tile .trouble strong")).to_have_text("Paused")
    page.click("#pause")
    expect(page.locator("#pause")).to_have_attribute("aria-pressed", "false")
    assert [one for one in room.done if isinstance(one, p.Pause)] == [p.Pause(True), p.Pause(False)]


def test_what_cannot_be_done_says_why(
    room: Room, server: Server, open_page: Callable[..., Any]
) -> None:
    room.cannot |= {
        "record": "no folder for recordings",
        "recall": "the memory is off",
        "microphone": "no speech recognition runs",
        "watch": "the model keeps no watches",
    }
    page = entered(open_page(server.url))
    page.click("#record", force=True)  # it is marked as disabled, and says why
    expect(page.locator(".message.system")).to_contain_text("no folder for recordings")
    page.click("#microphone", force=True)
    expect(page.locator("#ask-error")).to_have_text("no speech recognition runs")
    page.click("#tab-memory")
    expect(page.locator("#memory-empty")).to_contain_text("the memory is off")
    page.click("#tab-watches")
    expect(page.locator("#watch-text")).to_be_disabled()
    expect(page.locator("#watch-error")).to_have_text("the model keeps no watches")


def test_record_and_save_the_conversation(room: Room, page: Any) -> None:
    page.click("#record")
    expect(page.locator("#record")).to_have_attribute("aria-pressed", "true")
    page.click("#record")
    expect(page.locator("#record")).to_have_attribute("aria-pressed", "false")
    expect(page.locator(".message.system").last).to_contain_text("/recordings/2026-01-05_10-30-00")
    assert [one for one in room.done if isinstance(one, p.Record)] == [
        p.Record(True),
        p.Record(False),
    ]


def test_two_quick_clicks_on_record_are_one(room: Room, page: Any) -> None:
    page.evaluate("for (let i = 0; i < 2; i++) document.getElementById('record').click()")
    expect(page.locator("#record")).to_have_attribute("aria-pressed", "true")
    expect(page.locator(".message.system")).to_have_count(1)
    assert [one for one in room.done if isinstance(one, p.Record)] == [p.Record(True)]


def test_what_the_page_has_told_itself_stays_after_a_new_connection(
    room: Room, open_page: Callable[..., Any]
) -> None:
    with serving(room) as server:
        page = entered(open_page(server.url))
        page.click("#record")
        line = page.locator(".message.system", has_text="2026-01-05_10-30-00")
        expect(line).to_have_count(1)
    expect(page.locator("#state")).to_have_attribute("data-level", "bad")
    with serving(room, port=server.port):
        entered(page)
        room.tell(p.Asked("q1", "", "is it there?", "console", False, now_ms()))
        expect(page.locator(".message.user")).to_have_count(1)
        expect(line).to_have_count(1)


def test_several_cameras_stand_side_by_side(open_page: Callable[..., Any]) -> None:
    room = Room("kitchen", "door", "garage")
    with serving(room) as server:
        page = open_page(server.url)
        expect(page.locator(".tile")).to_have_count(3)
        for camera in ("kitchen", "door", "garage"):
            tile = page.locator(f'.tile[data-camera="{camera}"]')
            expect(tile.locator("canvas")).to_have_attribute("data-stamp", re.compile(r"\d+"))
        room.trouble["door"] = ("no_frames", "unplugged")
        door = page.locator('.tile[data-camera="door"]')
        expect(door.locator(".trouble strong")).to_have_text("No pictures from the camera")
        expect(page.locator('.tile[data-camera="kitchen"] .trouble')).to_be_hidden()
        page.click('.tile[data-camera="garage"] .name')
        page.fill("#question", "is the car there?")
        page.press("#question", "Enter")
        expect(page.locator(".message .bubble").first).to_have_text("is the car there?")
        asked = next(one for one in room.done if isinstance(one, p.Ask))
        assert asked.camera == "garage"


def test_foreign_words_are_no_markup(room: Room, page: Any) -> None:
    evil = '<img src=x onerror="document.title=1"><b>bold</b>'
    room.answers["what is this?"] = evil
    page.fill("#question", "what is this?")
    page.press("#question", "Enter")
    expect(page.locator(".message .bubble").nth(1)).to_have_text(evil)
    room._add(p.AddWatch(evil))
    room.alert(room.watches[0], evil)
    room.tell(p.Refused("q9", "", evil, evil, now_ms()))
    room.tell(p.Problem("", evil, now_ms()))
    room.trouble[""] = ("no_frames", evil)
    room.note(evil, 0)
    for tab in ("watches", "alerts", "memory"):
        page.click(f"#tab-{tab}")
        expect(page.locator(f"#{tab} h3").first).to_have_text(evil)
    expect(page.locator(".trouble p").last).to_have_text(evil)
    assert page.locator("b:not(.count, #decision b)").count() == 0
    assert page.locator('img[src="x"]').count() == 0


def test_an_emoji_is_one_character(room: Room, page: Any) -> None:
    page.fill("#question", "\U0001f600" * 401)
    page.press("#question", "Enter")
    expect(page.locator("#ask-error")).to_contain_text("401 characters; at most 400")
    page.fill("#question", "\U0001f600" * 400)
    page.press("#question", "Enter")
    expect(page.locator(".message.user .bubble")).to_have_text("\U0001f600" * 400)
    page.click("#tab-watches")
    page.fill("#watch-text", "\U0001f600" * 401)
    page.click("#watch-form button[type=submit]")
    expect(page.locator("#watch-error")).to_contain_text("401 characters; at most 400")


# The characters, as ranges, of which a text is refused because nothing of it can be seen.
UNSEEN = """async ([begin, end]) => {
    const { refused } = await import("./text.js");
    const unseen = [];
    for (let code = begin; code < end; code++) {
        if (code >= 0xd800 && code < 0xe000) continue;
        if (refused(String.fromCodePoint(code))) unseen.push(code);
    }
    return unseen;
}"""


def test_page_and_server_agree_on_what_cannot_be_seen(page: Any) -> None:
    for begin, end in ((0, 0x10000), (0xE0000, 0xE1100)):
        codes = [code for code in range(begin, end) if not 0xD800 <= code < 0xE000]
        seen_here = [code for code in codes if is_blank(chr(code))]
        assert page.evaluate(UNSEEN, [begin, end]) == seen_here


def test_words_that_nobody_can_see_are_refused(room: Room, page: Any) -> None:
    page.fill("#question", "\u200b\u200b")
    page.press("#question", "Enter")
    expect(page.locator("#ask-error")).to_contain_text("Nothing of it can be seen")
    page.click("#tab-watches")
    page.fill("#watch-text", "\u3164")
    page.click("#watch-form button[type=submit]")
    expect(page.locator("#watch-error")).to_contain_text("Nothing of it can be seen")
    page.click("#tab-memory")
    page.fill("#recall-text", "\u2800")
    page.press("#recall-text", "Enter")
    expect(page.locator("#recall-error")).to_contain_text("Nothing of it can be seen")
    assert not [one for one in room.done if isinstance(one, p.Ask | p.AddWatch)]


def test_of_many_cameras_the_page_says_that_it_shows_some(open_page: Callable[..., Any]) -> None:
    with serving(Room(*(f"camera{i}" for i in range(18)))) as server:
        page = open_page(server.url)
        expect(page.locator("#more-cameras")).to_have_text("16 of 18 cameras are shown")
        expect(page.locator(".tile")).to_have_count(16)
        last = page.locator('.tile[data-camera="camera15"] canvas')
        expect(last).to_have_attribute("data-stamp", re.compile(r"\d+"))
        page.click("#language")
        expect(page.locator("#more-cameras")).to_have_text("显示 18 个摄像头中的 16 个")
    with serving(Room(*(f"camera{i}" for i in range(16)))) as server:
        page = open_page(server.url)
        expect(page.locator(".tile")).to_have_count(16)
        expect(page.locator("#more-cameras")).to_be_hidden()
