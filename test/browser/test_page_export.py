"""The conversation as a file that the browser saves."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from page_rig import Room, entered

from aura_core.console import protocol as p
from aura_core.console.server import Server

sync_api = pytest.importorskip("playwright.sync_api", reason="no Playwright: `make test-browser`")
expect = sync_api.expect
pytestmark = pytest.mark.browser
AT = datetime(2026, 11, 29, 10, 15, 0, 250_000).astimezone()  # by this machine's clock
AT_MS = AT.timestamp() * 1e3


@pytest.fixture
def talked(room: Room, page: Any) -> Any:
    """A page that shows a question, its answer, a refusal and an alert."""
    room.tell(p.Asked("q1", "", "what is *there*?", "console", False, AT_MS))
    room.tell(p.Said("r1", "", "a red cone", 1, AT_MS + 1000.0, "q1", "real-time"))
    room.tell(p.Refused("q2", "", "and now?", "no frames came for 20 s", AT_MS + 61_000.0))
    watch = room._add(p.AddWatch("tell me when it rains", severity="warning"), AT_MS + 90_000.0)
    room.alert(watch, "it rains", AT_MS + 86_400_000.0)  # on the next day
    expect(page.locator(".message .bubble").last).to_have_text("it rains")
    page.click("#menu-button")
    return page


def saved(page: Any, form: str, folder: Path) -> tuple[str, str]:
    """The name and the text of the file that a click saves."""
    with page.expect_download() as begun:
        page.click(f"#export-{form}")
    begun.value.save_as(folder / "saved")
    return begun.value.suggested_filename, (folder / "saved").read_text(encoding="utf-8")


def test_the_conversation_is_saved_as_markdown(talked: Any, tmp_path: Path) -> None:
    name, text = saved(talked, "markdown", tmp_path)
    assert name.startswith("conversation-20") and name.endswith(".md")
    assert text.splitlines() == [
        "# living room",
        "",
        "## 2026-11-29",
        "",
        r"- 10:15:00 **Question**: what is \*there\*?",
        "- 10:15:01 **Answer**: a red cone",
        "- 10:16:01 **Refusal** to “and now?”: no frames came for 20 s",
        "- 10:16:30 **Watch**: tell me when it rains",
        "",
        "## 2026-11-30",
        "",
        "- 10:15:00 **Alert** (warning): it rains (watch: “tell me when it rains”)",
    ]


def test_the_conversation_is_saved_as_json(talked: Any, tmp_path: Path) -> None:
    name, text = saved(talked, "json", tmp_path)
    assert name.endswith(".json")
    document = json.loads(text)
    assert document["title"] == "living room"
    entries = document["entries"]
    assert [one["type"] for one in entries] == ["asked", "said", "refused", "asked", "alert"]
    at = [datetime.fromisoformat(one["at"]) for one in entries]
    assert at[0] == AT
    assert [(one - AT).total_seconds() for one in at] == [0, 1, 61, 90, 86_400]
    assert entries[0]["text"] == "what is *there*?"
    assert entries[1]["query_id"] == "q1"


def test_a_long_conversation_is_listed_as_it_is_kept_and_saved_with_what_is_left_out(
    room: Room, server: Server, open_page: Callable[..., Any], tmp_path: Path
) -> None:
    for i in range(520):
        room.tell(p.Asked(f"q{i}", "", f"question {i}", "console", False, AT_MS + 1000.0 * i))
    late = entered(open_page(server.url))
    messages = late.locator(".message.user .bubble")
    expect(messages.first).to_have_text("question 20")
    expect(messages).to_have_count(500)
    expect(messages.last).to_have_text("question 519")
    late.click("#menu-button")
    _, text = saved(late, "markdown", tmp_path)
    lines = text.splitlines()
    assert lines[2] == "20 older entries are left out: these are the newest."
    assert sum("**Question**" in line for line in lines) == 500
