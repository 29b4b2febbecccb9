"""The grammars of the speech input, by name."""

from __future__ import annotations

from aura_core.sim import spoken
from aura_core.speech.asr import Grammar, parse


def phrases(name: str) -> Grammar | None:
    """The grammar `room`: what the embedded model was trained to be asked. None for `none`."""
    return parse(spoken.grammar(), "grammar: room") if name == "room" else None
