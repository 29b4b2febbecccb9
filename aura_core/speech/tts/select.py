"""Opens the synthesiser that the settings name."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Iterator

from aura_core.errors import ConfigError
from aura_core.speech.resample import Resampler
from aura_core.speech.tts.base import Synthesizer, TtsConfig
from aura_core.speech.tts.trim import Trimmed
from aura_core.speech.types import Audio


def open_synthesizer(config: TtsConfig | None = None) -> Synthesizer:
    """Return the voice, ready to speak. No other synthesiser is loaded.

    Raises ConfigError where it is missing, and says what to install.
    """
    config = config or TtsConfig()
    config = dataclasses.replace(config, backend=chosen(config.backend))
    voice: Synthesizer
    if config.backend == "espeak":
        from aura_core.speech.tts.espeak import Espeak

        voice = Espeak(config)
    elif config.backend == "flite":
        from aura_core.speech.tts.flite import Flite

        voice = Flite(config)
    else:
        from aura_core.speech.tts.piper import Piper

        voice = Piper(config)
    voice = Trimmed(voice)
    return voice if config.rate in (0, voice.rate) else AtRate(voice, config.rate)


def chosen(backend: str) -> str:
    """The backend that is meant: for "auto" the first that is installed."""
    if backend != "auto":
        return backend
    for program, backend in (("espeak-ng", "espeak"), ("flite", "flite")):
        if shutil.which(program):
            return backend
    raise ConfigError(
        "tts: no synthesizer is installed: apt install espeak-ng, or apt install flite"
    )


class AtRate:
    """Resamples the sound of another synthesiser."""

    def __init__(self, voice: Synthesizer, rate: int) -> None:
        self.rate = rate
        self.description = f"{voice.description}, at {rate} Hz"
        self._voice = voice

    def speak(self, sentence: str) -> Iterator[Audio]:
        """See `Synthesizer.speak`."""
        resampler = Resampler(self._voice.rate, self.rate)
        pieces = self._voice.speak(sentence)
        try:
            for piece in pieces:
                samples = resampler.push(piece.samples)
                if len(samples):
                    yield Audio(samples, self.rate)
            if len(tail := resampler.flush()):
                yield Audio(tail, self.rate)
        finally:
            pieces.close()  # type: ignore[attr-defined]  # a generator: cancels the rest

    def close(self) -> None:
        """See `Synthesizer.close`."""
        self._voice.close()
