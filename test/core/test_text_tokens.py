"""Tokens out of the text of a reply."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aura_core.models.byte_tokenizer import SILENT, SPECIALS, ByteTokenizer
from aura_core.models.server.side import WORDS
from aura_core.models.server.text_tokens import TextTokens

SILENT_TEXT = SPECIALS[-1]


def tokenizer() -> ByteTokenizer:
    return ByteTokenizer(SPECIALS, WORDS)


def read(*pieces: str) -> list[int]:
    tokens = TextTokens(tokenizer(), (SILENT_TEXT,))
    return [t.id for i, p in enumerate(pieces) for t in tokens.take(p, i == len(pieces) - 1, [])]


@given(st.text(max_size=30), st.lists(st.integers(0, 30), max_size=4))
def test_the_text_comes_back_however_it_was_cut(text: str, cuts: list[int]) -> None:
    """Half a surrogate pair cannot be in JSON that was sent as UTF-8."""
    text = text.encode(errors="replace").decode()
    at = sorted({0, len(text), *(c for c in cuts if c < len(text))})
    pieces = [text[a:b] for a, b in itertools.pairwise(at)] or [""]
    assert tokenizer().written(read(*pieces)) == text.lstrip(" \t\r\n")


@pytest.mark.parametrize("pieces", [(SILENT_TEXT,), ("<|sil", "ent|>"), ("\n<", "|silent|", ">")])
def test_the_silent_token_is_one_token_however_it_was_cut(pieces: tuple[str, ...]) -> None:
    assert read(*pieces) == [SILENT]


def test_words_that_only_begin_like_it_are_words() -> None:
    assert tokenizer().written(read("<|sil", "ly")) == "<|silly"
    assert tokenizer().written(read("a <|", "b")) == "a <|b"


@pytest.mark.parametrize("word", WORDS)
def test_yes_and_no_are_one_token_where_they_stand_alone(word: str) -> None:
    t = tokenizer()
    (whole,) = t.encode(word)
    assert t.encode(f"{word}, it is")[0] == whole
    assert whole not in t.encode(f"{word}x") and whole not in t.encode(f"x{word}")


def test_the_first_token_has_the_told_probabilities() -> None:
    told = {"token": "Yes", "logprob": math.log(0.6)}
    others = [
        {"token": " Yes", "logprob": math.log(0.1)},
        {"token": "No", "logprob": math.log(0.2)},
        {"token": "You", "logprob": math.log(0.05)},
    ]
    entry = told | {"top_logprobs": [told, *others]}
    t = tokenizer()
    first = TextTokens(t, (SILENT_TEXT,)).take("Yes", False, [entry])[0]
    logits = first.logits(t.vocabulary)
    yes, no, y = (t.encode(w)[0] for w in ("Yes", "No", "You"))
    assert logits[[yes, no, y]] == pytest.approx([math.log(p) for p in (0.7, 0.2, 0.05)], abs=1e-5)


@pytest.mark.parametrize("entry", [{}, {"token": 3}, {"token": "No", "logprob": "x"}])
def test_probabilities_of_an_unknown_form_change_nothing(entry: dict[str, object]) -> None:
    t = tokenizer()
    (token,) = TextTokens(t, ()).take("Yes", True, [entry])
    assert token.id == t.encode("Yes")[0] == int(token.logits(t.vocabulary).argmax())


def test_entries_of_blanks_that_were_left_out_of_the_text_do_not_decide() -> None:
    t = tokenizer()
    no = {"token": "No", "logprob": math.log(0.9), "top_logprobs": []}
    entries = [{"token": "\n", "logprob": 0.0, "top_logprobs": []}, no]
    (token,) = TextTokens(t, ()).take("\nNo", True, entries)
    assert token.logits(t.vocabulary)[t.encode("No")[0]] == pytest.approx(math.log(0.9), abs=1e-4)


@pytest.mark.parametrize("top", [{"No": -0.1}, ["No"], "No", [None]])
def test_likely_tokens_of_an_unknown_form_are_left_out(top: object) -> None:
    t = tokenizer()
    entry = {"token": "No", "logprob": -0.1, "top_logprobs": top}
    (token,) = TextTokens(t, ()).take("No", True, [entry])
    assert token.id == t.encode("No")[0]
