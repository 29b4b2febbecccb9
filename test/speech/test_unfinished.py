"""Words that stop where another word must follow, whatever mark the recogniser puts behind them.

Regression: a question mark counted as the end of a question. Whisper writes "Where is my?" at a
pause, so the first half was sent, and the second half too.
"""

from __future__ import annotations

import pytest

from aura_core.speech.asr import TurnDetector
from aura_core.speech.asr.unfinished import unfinished
from aura_core.speech.endpointing import Completeness
from aura_core.speech.joining import joined
from aura_core.speech.types import Transcript, TranscriptState
from aura_core.words import spoken_words

HALVES = """
where is my; is there any; could you please; how many; how much; what is the; do you know
do you know where; can you tell me; can you tell me if; would you;
good you please; is it; are there; where did you
what time do you; why is; which of the; is the book under; is somebody at; what is the name of
is the ladder next to; tell me because; show me; who put the; is it cold or; do i need to
did you see; can you open; let me know; i would like to know; tell me when; hey, could you please
你能告诉我; 请问; 桌子上有没有; 有多少; 因为; 你能; 帮我
"""
WHOLE = """
where is it; what is this; who are you; what is it for; where are you from; what is it made of
what are you looking at; tell me what it is; do you know where my keys are; is anyone there
can you help me please; what can you do; what can you see; how many cups are there; why; since when
i don't know; how do you know; yes it is; i do; is it too much; thank you very much; what do you see
is the lamp on; who does it belong to; wait a while; stop please; what do you have; you can
桌子上有什么; 这是谁的; 几点了; 门开了吗; 请打开厨房的灯
"""


def texts(table: str) -> list[str]:
    return [text.strip() for text in table.replace("\n", ";").split(";") if text.strip()]


@pytest.mark.parametrize("mark", ["", "?", ".", "...", "？"])
@pytest.mark.parametrize("text", texts(HALVES))
def test_no_mark_makes_a_half_whole(text: str, mark: str) -> None:
    assert TurnDetector()(text.capitalize() + mark) is Completeness.INCOMPLETE


@pytest.mark.parametrize("text", texts(WHOLE))
def test_a_whole_sentence_waits_for_nothing(text: str) -> None:
    assert not unfinished(spoken_words(text))
    assert TurnDetector()(text + "?") is not Completeness.INCOMPLETE


@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_any_words_are_judged(n: int) -> None:
    """Each combination of these words, which meet every rule, at every place."""
    vocabulary = ["is", "it", "where", "of", "the", "please", "know", "me", "to", "can"]
    for k in range(len(vocabulary) ** n):
        words = [vocabulary[k // len(vocabulary) ** i % len(vocabulary)] for i in range(n)]
        assert isinstance(unfinished(words), bool)


@pytest.mark.parametrize(
    ("first", "rest", "whole"),
    [
        ("Where is my?", "Red cup.", "Where is my red cup?"),
        ("Is there any...", "milk in it?", "Is there any milk in it?"),
        ("Tell me when", "it boils.", "Tell me when it boils."),
        ("桌子上有没有？", "红色的杯子。", "桌子上有没有红色的杯子？"),
        ("Could you please?", "Tell NASA!", "Could you please tell NASA?"),
    ],
)
def test_the_mark_moves_to_the_end_of_the_whole(first: str, rest: str, whole: str) -> None:
    def heard(text: str, start: int) -> Transcript:
        return Transcript(TranscriptState.FINAL, text, 0.9, start, start + 1)

    assert joined(heard(first, 0), heard(rest, 2)).text == whole
