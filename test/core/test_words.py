"""What is a word, and what nobody can see."""

from __future__ import annotations

import pytest

from aura_core.cli import main
from aura_core.errors import InputError
from aura_core.memory.recall import check_search
from aura_core.replay.lockstep import Asked
from aura_core.stream.intake import check_text
from aura_core.words import is_blank

BLANKS = ("", " ", "\t\n", "\u200b", "\u200b \ufeff", "\u3164", "\u2800", "\ufe0f", "\U000e0020")


@pytest.mark.parametrize("text", BLANKS)
def test_nothing_of_it_can_be_seen(text: str) -> None:
    assert is_blank(text)
    with pytest.raises(InputError, match="the question is empty"):
        check_text(text)
    with pytest.raises(InputError, match="the question is empty"):
        Asked.parse(f"3:{text}")


@pytest.mark.parametrize(
    "text", ["?", "\u200b?", "é", "e\u0301", "\u0301", "杯", "👩\u200d🚀", "❤\ufe0f", "_"]
)
def test_something_can_be_seen(text: str) -> None:
    assert not is_blank(text)
    check_text(text)


@pytest.mark.parametrize("text", BLANKS[3:])
def test_a_search_for_what_nobody_can_see_is_refused(
    text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(InputError, match="nothing of the words to search for can be seen"):
        check_search(text)
    with pytest.raises(SystemExit):
        main(["memory", "search", text])
    assert "nothing of the words" in capsys.readouterr().err
    for words in ("", " ", f"{text}cup"):
        check_search(words)
