"""The watches that are kept: what an earlier run left behind."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from aura_core.config import AssistantConfig
from aura_core.errors import InputError
from aura_core.live.events import Asked, Event, Forgotten, Stepped, Watched
from aura_core.live.host import Host
from aura_core.live.watch_keeper import Kept, WatchKeeper, forget_words
from aura_core.models.scripted import ScriptedBackend
from aura_core.stream.watches import Watch
from aura_core.types import NS, Before, Frame, Kind, Query, Severity

STOVE = Query(
    "tell me every time the stove is on",
    "stove",
    kind=Kind.MULTI_RESPONSE,
    limit=5,
    cooldown_s=2.5,
    urgent=True,
    severity=Severity.CRITICAL,
)
CAT = Query("tell me when the cat jumps", "cat")


def state(query: Query, answers: int, is_open: bool, last_ns: int | None, text: str) -> Watch:
    kind = query.kind or Kind.PROACTIVE
    limit, urgent = query.limit, query.urgent
    cooldown_s = query.cooldown_s or 0.0
    return Watch(
        query.id,
        query.text,
        kind,
        is_open,
        answers,
        limit,
        cooldown_s,
        last_ns,
        urgent,
        query.severity,
        text,
    )


def no_problem(problem: str) -> None:
    raise AssertionError(problem)


def test_what_was_open_goes_on_and_what_was_closed_stays_closed(tmp_path: Path) -> None:
    file = WatchKeeper(tmp_path / "deep" / "watches.json", no_problem)
    assert file.load() == Kept()
    file.on_event(Asked("", STOVE, "aura/ask"))
    file.on_event(Asked("", CAT, "parameters"))
    file.on_event(Asked("", Query("what is that?", "q1"), "asr/text"))  # no watch
    file.on_event(
        Watched("", (state(STOVE, 2, True, 7_000, "it is on"), state(CAT, 1, False, 5, "it jumps")))
    )
    kept = WatchKeeper(file.path, no_problem).load()
    assert kept == file.kept()
    assert kept.closed == {"cat"}
    stove = replace(STOVE, quiet=True, before=Before(2, 7_000, "it is on"))
    assert kept.watches == (("", stove),)


def test_a_watch_counts_on_over_several_crashes(tmp_path: Path) -> None:
    path = tmp_path / "watches.json"
    WatchKeeper(path, no_problem).on_event(
        Asked("", replace(STOVE, before=Before(3, 9, "on")), "restored")
    )
    ((_, again),) = WatchKeeper(path, no_problem).load().watches
    assert again.before == Before(3, 9, "on")


def told(path: Path) -> WatchKeeper:
    """A file with an open watch that has told something, one of an earlier run, and a closed
    one."""
    keeper = WatchKeeper(path, no_problem)
    early = Query("tell me when it rains", "rain", before=Before(4, 9, "rain on the roof"))
    for query in (STOVE, CAT, early):
        keeper.on_event(Asked("", query, "aura/ask"))
    keeper.on_event(
        Watched("", (state(STOVE, 2, True, 7_000, "it is on"), state(CAT, 1, False, 5, "it jumps")))
    )
    return keeper


def test_of_a_closed_watch_no_words_are_kept(tmp_path: Path) -> None:
    keeper = told(tmp_path / "watches.json")
    text = keeper.path.read_text()
    assert "cat jumps" not in text and "it jumps" not in text and '"cat"' in text
    assert keeper.path.stat().st_mode & 0o777 == 0o600


def test_what_watches_have_told_goes_with_the_notes_and_they_stay(tmp_path: Path) -> None:
    """Everything was forgotten, and the words of the newest alert were still beside the notes."""
    keeper = told(tmp_path / "watches.json")
    assert "it is on" in keeper.path.read_text()
    keeper.on_event(Forgotten())
    text = keeper.path.read_text()
    assert "it is on" not in text and "roof" not in text
    left = WatchKeeper(keeper.path, no_problem).load()
    assert left == keeper.kept() and left.closed == {"cat"}
    assert [(q.text, q.before) for _, q in left.watches] == [
        (STOVE.text, Before(2, 7_000, "")),
        ("tell me when it rains", Before(4, 9, "")),
    ]


def test_a_command_deletes_what_watches_have_told(tmp_path: Path) -> None:
    path = tmp_path / "watches.json"
    assert forget_words(path) is None and not path.exists()
    told(path)
    assert forget_words(path) == 2
    assert "it is on" not in path.read_text() and "roof" not in path.read_text()
    assert WatchKeeper(path, no_problem).load().closed == {"cat"}


def test_a_clean_end_leaves_nothing_behind(tmp_path: Path) -> None:
    file = WatchKeeper(tmp_path / "watches.json", no_problem)
    file.on_event(Asked("", CAT, "aura/ask"))
    assert file.path.exists()
    file.close()
    file.close()
    assert not file.path.exists() and list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        '{"version": 1}',
        '{"version": 2, "watches": []}',
        "\x00",
        '{"watches": [1]}',
        '{"version": 1, "watches": [{"id": "a"}]}',
    ],
)
def test_a_file_that_cannot_be_used_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "watches.json"
    path.write_text(text)
    with pytest.raises(InputError, match=str(path)):
        WatchKeeper(path, no_problem).load()


def test_a_folder_that_cannot_be_written_is_told_and_costs_nothing_else() -> None:
    told: list[str] = []
    file = WatchKeeper(Path("/proc/self/no/watches.json"), told.append)
    file.on_event(Asked("", CAT, "aura/ask"))
    assert len(told) == 1 and "the watches cannot be kept for after a crash" in told[0]


def test_an_alert_is_kept_before_it_is_told(tmp_path: Path) -> None:
    """Killed between the alert and the news of its watch, a node counted it again."""
    host = Host(ScriptedBackend, AssistantConfig())
    keeper = WatchKeeper(tmp_path / "watches.json", no_problem)
    kept: list[tuple[int, int]] = []  # answers in the file and alerts told, at each alert

    def world(event: Event) -> None:
        if isinstance(event, Stepped) and event.alerts:
            ((_, query),) = WatchKeeper(keeper.path, no_problem).load().watches
            kept.append((query.before.answers if query.before else 0, len(kept) + 1))

    host.listen(keeper.on_event)
    host.listen(world)
    host.start()
    try:
        host.ask("tell me every time the brightness changes").result(30)
        for half in range(16):
            grey = np.full((4, 4, 3), 200 * (half // 4 % 2), np.uint8)
            frame = Frame(grey, 1_000 * NS + half * NS // 2)
            host.streams[""].inbox.offer(frame.stamp_ns, lambda frame=frame: frame)
            time.sleep(0.05)  # else the backlog drops the oldest seconds
        deadline = time.monotonic() + 30
        while len(kept) < 2 and time.monotonic() < deadline:
            time.sleep(0.01)
    finally:
        assert host.stop(10)
    assert len(kept) >= 2
    assert all(answers == told for answers, told in kept)
