"""Sounds that are no question: hesitation, laughs, surprise."""

from __future__ import annotations

# As a synthetic voice has to be given them. Seven voices say each: 119 sounds.
SOUNDS = (
    "hmm",
    "hm",
    "mm hmm",
    "uh",
    "um",
    "uh huh",
    "oh",
    "ooh",
    "ah",
    "aha",
    "ha ha ha",
    "he he he",
    "huh",
    "er",
    "oops",
    "wow",
    "phew",
)
