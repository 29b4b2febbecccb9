"""The interface of every synthesiser, and its settings."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from aura_core.errors import AuraError, ConfigError
from aura_core.settings import Settings, named, setting
from aura_core.speech.language_codes import CODES
from aura_core.speech.types import Audio

BACKENDS = ("auto", "espeak", "flite", "piper")


class SynthesisError(AuraError):
    """A sentence could not be synthesised. The next one may succeed."""


@dataclass(frozen=True)
class VoiceConfig(Settings, section="voices.NAME"):
    """The voice of one language."""

    backend: str = setting(
        "", "espeak, flite or piper; empty: as the main voice", choices=("", *BACKENDS)
    )
    voice: str = setting(
        "",
        "name of a voice of the backend, or a voice file; empty: espeak's for the language",
    )


@dataclass(frozen=True)
class TtsConfig(Settings, section="tts"):
    """Which voice, and how it speaks."""

    backend: str = setting(
        "auto",
        "the synthesiser: espeak (the program espeak-ng), flite or piper; auto: espeak or flite,"
        " the first that is installed",
        choices=BACKENDS,
    )
    voice: str = setting(
        "",
        "name of a voice of the backend, or a voice file; never downloaded; empty: the backend's"
        " own (piper has none)",
    )
    rate: int = setting(0, "rate of the samples; 0: the voice's own", unit="Hz", parameter=None)
    speed: float = setting(1.0, "pace; 1 is the voice's own", low=0.5, high=2.0)
    device: str = setting("cpu", "where piper runs: cpu, cuda, cuda:1 ...")
    voices: Mapping[str, VoiceConfig] = named(
        VoiceConfig,
        "voices of other languages, by their codes: a sentence is spoken by the voice of its script"
        " (zh, ja, ko, ru, ar ...; Latin letters count as en)",
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.rate and not 8_000 <= self.rate <= 48_000:
            raise ConfigError(
                f"tts.rate must be 0 (the voice's own) or in [8000, 48000] Hz, not {self.rate}"
            )
        for code in self.voices:
            if code not in CODES:
                raise ConfigError(
                    f"tts.voices.{code}: '{code}' is no code of a language; they have two letters,"
                    " such as zh"
                )
        if not re.fullmatch(r"cpu|cuda(:\d+)?", self.device):
            raise ConfigError(f"tts.device must be cpu, cuda or cuda:N, not {self.device!r}")


class Synthesizer(Protocol):
    """One voice.

    Only one thread may use it at a time. Call `speak` again only when the iterator of the call
    before is exhausted or closed.
    """

    rate: int  # sample rate of what `speak` yields, in Hz
    description: str  # program and voice, for the log

    def speak(self, sentence: str) -> Iterator[Audio]:
        """Yield the sound of one sentence, in pieces as they are made; `stamp_ns` is 0.

        Closing the iterator cancels the rest at once. Raises SynthesisError where the program
        fails. The pieces that were yielded before remain valid, and the next sentence may be
        spoken.
        """
        ...

    def close(self) -> None:
        """End every process that belongs to the synthesiser."""
        ...
