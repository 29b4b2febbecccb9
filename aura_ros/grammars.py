"""The grammars that the ears can be started with, by name."""

from __future__ import annotations

from aura_core.sim import spoken
from aura_core.speech.asr import Grammar, parse


def phrases(name: str) -> Grammar | None:
    """The sentences of `room` (what the embedded model is asked); None for `none`."""
    return parse(spoken.grammar(), "grammar: room") if name == "room" else None
