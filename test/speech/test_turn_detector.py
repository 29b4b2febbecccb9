"""How complete words of free speech are. Words of a grammar: see test_endpointing.py."""

from __future__ import annotations

import pytest

from aura_core.speech.asr import TurnDetector
from aura_core.speech.endpointing import Completeness


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("Tell me when...", Completeness.INCOMPLETE),
        ("Is there a", Completeness.INCOMPLETE),
        ("Let me know", Completeness.INCOMPLETE),
        ("请告诉我", Completeness.INCOMPLETE),
        ("Tell me when somebody comes in.", Completeness.STATED),
        ("请打开厨房的灯。", Completeness.STATED),
        ("In a minute...", Completeness.UNKNOWN),
        ("Please remind me.", Completeness.INCOMPLETE),
        ("Yes, please.", Completeness.UNKNOWN),
        ("Turn it on", Completeness.UNKNOWN),
        ("Can you help me", Completeness.UNKNOWN),
        ("What is on the table?", Completeness.EXTENDABLE),
        ("桌子上有什么？", Completeness.EXTENDABLE),
        ("Tell me what it is?", Completeness.EXTENDABLE),
        ("What?", Completeness.UNKNOWN),
        ("hey aura", Completeness.INCOMPLETE),
        ("", Completeness.UNKNOWN),
    ],
)
def test_free_words(words: str, expected: Completeness) -> None:
    assert TurnDetector(None, [("hey", "aura")])(words) is expected
