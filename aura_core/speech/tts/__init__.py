"""Text to speech: a sentence goes in, its sound comes out in pieces.

Each synthesiser has one file; `open_synthesizer` chooses one.
"""

from aura_core.speech.tts.base import SynthesisError, Synthesizer, TtsConfig
from aura_core.speech.tts.select import open_synthesizer
from aura_core.speech.tts.voices import Voices, open_voices

__all__ = [
    "SynthesisError",
    "Synthesizer",
    "TtsConfig",
    "Voices",
    "open_synthesizer",
    "open_voices",
]
