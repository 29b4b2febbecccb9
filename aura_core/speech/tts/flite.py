"""Synthesiser: flite, in a process of its own.

It is small, speaks only English, and is clearer than espeak-ng. A sentence's sound comes in one
piece.
"""

from __future__ import annotations

from pathlib import Path

from aura_core.errors import ConfigError
from aura_core.speech.tts.base import TtsConfig
from aura_core.speech.tts.process import ProcessSynthesizer, find_program, output_of

_RATES = {"kal": 8000}  # Hz; the other voices of flite have 16 kHz


class Flite(ProcessSynthesizer):
    """A voice of flite.

    `voice` is a name of `flite -lv` (slt, rms, awb, kal16, kal), or the path of a .flitevox file.
    """

    def __init__(self, config: TtsConfig) -> None:
        program = find_program("flite", "flite")
        voice = config.voice or "slt"
        if "/" in voice or voice.endswith(".flitevox"):
            if not Path(voice).is_file():
                raise ConfigError(
                    f"tts.voice: there is no file {voice}; voices are never downloaded"
                )
            voice = str(Path(voice).resolve())
        else:
            names = output_of([program, "-lv"])[1].partition(":")[2].split()
            if voice not in names:
                raise ConfigError(
                    f"tts.voice {voice!r} is not a voice of flite; it has {', '.join(names)}"
                )
        self._command = [
            program,
            "-voice",
            voice,
            "--setf",
            f"duration_stretch={1 / config.speed:.3f}",
        ]
        super().__init__(_RATES.get(voice, 16_000), f"flite, voice {Path(voice).name}")

    def command(self, sentence: str) -> tuple[list[str], bytes]:
        """Give the sentence after `-t`, which takes the next argument as text, whatever it is."""
        return [*self._command, "-o", "/dev/stdout", "-t", sentence], b""
