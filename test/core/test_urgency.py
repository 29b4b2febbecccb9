"""Which watches are urgent by their words: 60 sentences, of which the rules were made on one half.

Regression: "don't warn me" and "when the ambulance leaves immediately" were urgent, and "right
now", "ASAP" and "the moment the pan catches fire" were not.
"""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from aura_core.stream.urgency import hasty

with Path(__file__).with_name("urgent_words.tsv").open(encoding="utf-8") as file:
    SENTENCES = [(text, urgent == "yes") for _, urgent, text in csv.reader(file, delimiter="\t")]


@pytest.mark.parametrize(("text", "urgent"), SENTENCES)
def test_haste_counts_in_the_request(text: str, urgent: bool) -> None:
    assert hasty(text) is urgent
    assert hasty(text.upper() if text.isascii() else text) is urgent


@pytest.mark.parametrize("haste", ["immediately", "right away", "right now", "at once", "ASAP"])
def test_a_negation_takes_it_away(haste: str) -> None:
    assert hasty(f"Tell me {haste} when it rains.")
    assert hasty(f"When it rains, tell me {haste}.")
    assert hasty(f"Do not wait, tell me {haste} when it rains.")
    assert not hasty(f"Don’t tell me {haste} when it rains.")
    assert not hasty(f"There is no need to tell me {haste} when it rains.")


def test_a_long_text_takes_no_long_time() -> None:
    for text in ("马上" * 20_000, "when " * 20_000, "一" * 50_000, "tell me if not " * 10_000):
        hasty(text)
