"""A recording in the page: what the console has recorded is scrubbed through."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from page_rig import Room, now_ms, serving

from aura_core.console import protocol as p
from aura_core.console.recording import Recording
from aura_core.console.replaying import open_replay

sync_api = pytest.importorskip("playwright.sync_api", reason="no Playwright: `make test-browser`")
expect = sync_api.expect
pytestmark = pytest.mark.browser
SECONDS = 40


@pytest.fixture
def recorded(tmp_path: Path) -> Path:
    """Forty seconds: a question at 10 s, an alert at 30 s, silence between."""
    room = Room()
    recording = Recording(tmp_path, "an afternoon", room.cameras, lambda line: None)
    end = room.listen(recording.take)
    begin_ms = now_ms() - SECONDS * 1000.0
    watch = room._add(p.AddWatch("tell me when a red cone appears"), begin_ms)
    for i in range(SECONDS):
        at_ms, room.chunk = begin_ms + i * 1000.0, i
        if i == 10:
            room.tell(p.Asked("q1", "", "what is there?", "console", False, at_ms))
            room.tell(p.Said("r1", "", "a cat", 1, at_ms, "q1", "real-time"))
        if i == 30:
            room.alert(watch, "a red cone appeared", at_ms)
        else:
            room.second(0.5 + i / 100, at_ms)
        while any(recording._frames.values()):  # the disk may be slow, and then leaves frames out
            pass
    end()
    return recording.finish()


@pytest.fixture
def replayed(recorded: Path, open_page: Callable[..., Any]) -> Iterator[Callable[[str], Any]]:
    """Opens the recording at a place, such as "#at=30"."""
    with serving(open_replay(recorded)) as server:
        yield lambda place: open_page(server.url + place)


def test_scrub_through_a_recording(replayed: Callable[[str], Any]) -> None:
    page = replayed("")
    expect(page.locator("#title")).to_have_text("an afternoon")
    expect(page.locator("#position")).to_have_text(re.compile(r"^0:00 / \d+:\d\d$"))
    expect(page.locator("#record")).to_be_hidden()
    expect(page.locator("#question")).to_be_disabled()
    canvas = page.locator(".tile canvas")
    frames = set()
    for second in (25, 5, 20):
        page.locator("#seek").fill(str(second))
        expect(page.locator("#position")).to_have_text(re.compile(rf"^0:{second:02}"))
        expect(page.locator("#decision")).to_contain_text(f"{50 + second} % for")
        expect(canvas).to_have_attribute("data-stamp", re.compile(r"\d+"))
        page.wait_for_function(
            "known => !known.includes(document.querySelector('.tile canvas').dataset.stamp)",
            arg=sorted(frames),
        )
        frames.add(canvas.get_attribute("data-stamp"))
    assert len(frames) == 3
    expect(page.locator(".message .bubble").last).to_have_text("a cat")


def test_the_marks_lead_from_event_to_event(replayed: Callable[[str], Any]) -> None:
    page = replayed("#at=20")
    expect(page.locator("#position")).to_have_text(re.compile(r"^0:20"))
    page.click("#mark-after")
    expect(page.locator("#position")).to_have_text(re.compile(r"^0:30"))
    expect(page.locator("#alert-list h3")).to_have_text("a red cone appeared")
    expect(page.locator("#decision")).to_contain_text("Speaking")
    page.click("#mark-before")
    expect(page.locator("#position")).to_have_text(re.compile(r"^0:10"))
    expect(page.locator("#alert-list h3")).to_have_count(0)
    expect(page.locator(".message .bubble").last).to_have_text("a cat")


def test_a_link_of_another_recording_is_said_and_goes_nowhere(
    replayed: Callable[[str], Any],
) -> None:
    """It jumped there in whatever was served."""
    page = replayed("#run=a%20run.jsonl&at=20")
    notice = page.locator("#replay-notice")
    said = "This link is of a run.jsonl. Shown here is an afternoon."
    expect(notice).to_have_text(said)
    expect(page.locator("#position")).to_have_text(re.compile(r"^0:00"))
    page.evaluate("location.hash = 'run=an%20afternoon&at=20'")
    expect(page.locator("#position")).to_have_text(re.compile(r"^0:20"))
    expect(notice).to_be_hidden()
    page.evaluate("location.hash = 'run=a%20run.jsonl&at=30'")
    expect(notice).to_have_text(said)
    expect(page.locator("#position")).to_have_text(re.compile(r"^0:20"))


def test_a_link_to_a_recording_is_said_where_none_is_served(
    open_page: Callable[..., Any],
) -> None:
    with serving(Room()) as server:
        page = open_page(server.url + "#run=run.jsonl&at=20")
        said = "This link is of run.jsonl. Shown here is living room."
        expect(page.locator(".message.system")).to_contain_text(said)


def test_play_and_stop(replayed: Callable[[str], Any]) -> None:
    page = replayed("#at=8")
    expect(page.locator("#position")).to_have_text(re.compile(r"^0:08"))
    expect(page.locator(".message.user .bubble")).to_have_text("tell me when a red cone appears")
    page.select_option("#speed", "8")
    page.click("#play")
    expect(page.locator(".message .bubble").last).to_have_text("a red cone appeared")
    expect(page.locator("#play")).to_have_attribute("aria-pressed", "false")  # at its end
    expect(page.locator("#state")).to_contain_text("stopped")


def test_every_decision_has_its_frame(replayed: Callable[[str], Any]) -> None:
    page = replayed("#at=20")
    expect(page.locator("#position")).to_have_text(re.compile(r"^0:20"))
    page.focus("#chart")
    page.keyboard.press("Home")
    expect(page.locator("#hover")).to_contain_text("50 % for")
    expect(page.locator("#hover-picture")).to_have_attribute("src", re.compile("^blob:"))


def test_a_finger_finds_the_bar_on_a_phone(recorded: Path, open_page: Callable[..., Any]) -> None:
    with serving(open_replay(recorded)) as server:
        page = open_page(server.url, width=375, height=760)
        expect(page.locator("#replay")).to_be_visible()
        for name in ("play", "mark-before", "mark-after", "seek", "speed"):
            box = page.locator(f"#{name}").bounding_box()
            assert min(box["width"], box["height"]) >= 43.9, name
            assert box["x"] >= 0 and box["x"] + box["width"] <= 375, name


def test_the_tabs_are_whole_beside_the_bar_in_a_low_window(
    recorded: Path, open_page: Callable[..., Any]
) -> None:
    with serving(open_replay(recorded)) as server:
        page = open_page(server.url, width=375, height=480)
        expect(page.locator("#replay")).to_be_visible()
        for tab in page.locator("#tabs button span").all():
            assert tab.evaluate("node => node.scrollWidth - node.clientWidth") <= 1
        assert page.evaluate("document.documentElement.scrollWidth") <= 375
        field = page.locator("#question").bounding_box()
        assert field["y"] + field["height"] <= 480


def test_the_bar_is_in_line_with_its_buttons(recorded: Path, open_page: Callable[..., Any]) -> None:
    with serving(open_replay(recorded)) as server:
        page = open_page(server.url)
        expect(page.locator("#replay")).to_be_visible()
        boxes = [page.locator(one).bounding_box() for one in ("#play", "#seek")]
        play, bar = (box["y"] + box["height"] / 2 for box in boxes)
        assert abs(play - bar) <= 1


def test_a_link_to_the_file_in_a_recordings_folder_is_followed(
    replayed: Callable[[str], Any],
) -> None:
    page = replayed("#run=run.jsonl&at=20")
    expect(page.locator("#position")).to_have_text(re.compile(r"^0:20"))
    expect(page.locator("#replay-notice")).to_be_hidden()


def test_what_is_missing_in_a_recording_is_said(
    recorded: Path, tmp_path: Path, open_page: Callable[..., Any]
) -> None:
    cut = tmp_path / "cut.part"
    recorded.rename(cut)
    with serving(open_replay(cut)) as server:
        page = open_page(server.url)
        notice = page.locator("#replay-notice")
        expect(notice).to_have_text("it was not finished: its end may be missing")
        page.click("#language")
        expect(notice).to_have_text("录制没有完成，结尾可能缺失")
