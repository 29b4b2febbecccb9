"""Whether heard words are the robot's own, and when it spoke."""

from __future__ import annotations

import pytest

from aura_core.speech.own_voice import AFTER_NS, CLOSE_NS, OwnVoice, Windows
from aura_core.speech.types import NS


@pytest.mark.parametrize(
    ("heard", "own"),
    [
        ("the red cup is on the table", True),
        ("red cup is on the", True),
        ("the bread cup is on the table", True),  # misheard
        ("is the red cup on the table", False),  # a question with the robot's words
        ("where is the red cup", False),
        ("what is on the stove", False),
        ("stop", False),
        ("on the", False),
        ("汤在炉子上", True),
        ("汤在哪里", False),
    ],
)
def test_the_robots_words(heard: str, own: bool) -> None:
    voice = OwnVoice()
    voice.says("I see. The red cup is on the table, and the soup boils.")
    voice.says("汤在炉子上。")
    assert voice.resembles(heard) is own


def test_only_near_the_voice() -> None:
    voice = OwnVoice()
    voice.says("The soup boils over.")
    voice.windows.open(10 * NS)
    voice.windows.close(12 * NS)
    for start_ns, own in (
        (9 * NS, True),
        (12 * NS + AFTER_NS - 1, True),
        (12 * NS + AFTER_NS, False),
    ):
        assert voice.heard("the soup boils over", start_ns, start_ns + 2 * NS) is own
    assert not voice.heard("the soup boils over", 5 * NS, 7 * NS)
    assert not voice.heard("where is my red cup", 10 * NS, 11 * NS)
    assert voice.close(12 * NS + CLOSE_NS - 1) and not voice.close(12 * NS + CLOSE_NS)


def test_windows() -> None:
    windows = Windows()
    windows.open(0)
    windows.close(5)
    windows.open(8, 12)
    windows.close(6)  # late news of the first
    assert [t for t in range(15) if windows.hold(t)] == [0, 1, 2, 3, 4, 8, 9, 10, 11]
    assert (windows.ended_ns(4), windows.ended_ns(7), windows.ended_ns(12)) == (None, 5, 12)
    windows.forget(6)
    assert not windows.hold(1) and windows.hold(9)
