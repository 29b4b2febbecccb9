"""Synthesizers: a sentence in, sound out piece by piece. One file each; `open_synthesizer` picks
one."""

from aura_core.speech.tts.base import SynthesisError, Synthesizer, TtsConfig
from aura_core.speech.tts.select import open_synthesizer

__all__ = ["SynthesisError", "Synthesizer", "TtsConfig", "open_synthesizer"]
