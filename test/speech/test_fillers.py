"""What is no question is told from what is one, in two languages."""

from __future__ import annotations

import pytest

from aura_core.speech.fillers import is_filler

SOUNDS = """
HMM. | Oh. | Ah | MMMM | Mm-hmm. | Uh-huh | Um, uh... | Ha ha ha ha | Hahaha! | Hehe | Eh? | Ugh.
(laughs) | [MUSIC] | *sighs* | ♪ la la ♪ | Thanks for watching! | 嗯。 | 哈哈哈 | 哎呀 | 谢谢观看
"""
WORDS = """
um, what is there | oh no, the soup | what | stop | no | yes | hi | he | her | were | thank you all
well okay then | hmm where is my cup | 嗯,杯子在哪里? | 好 | 哪里 | haha what is that
"""


@pytest.mark.parametrize("text", [t.strip() for t in SOUNDS.replace("\n", "|").split("|") if t])
def test_sounds_are_fillers(text: str) -> None:
    if text:
        assert is_filler(text) and is_filler(text, answers=True)


@pytest.mark.parametrize("text", [t.strip() for t in WORDS.replace("\n", "|").split("|") if t])
def test_words_are_not(text: str) -> None:
    assert not is_filler(text)


def test_a_remark_may_answer_the_robot() -> None:
    for remark in ("Okay.", "yeah", "Right, thanks"):
        assert is_filler(remark) and not is_filler(remark, answers=True)


def test_a_text_without_words_is_empty_and_no_filler() -> None:
    for text in ("", " ... ", "?"):
        assert not is_filler(text)
