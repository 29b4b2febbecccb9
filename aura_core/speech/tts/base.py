"""What every synthesizer offers, and what is asked of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from aura_core.errors import AuraError, ConfigError
from aura_core.speech.types import Audio

BACKENDS = ("auto", "espeak", "flite", "piper")


class SynthesisError(AuraError):
    """A sentence could not be made into sound. The next one may."""


@dataclass(frozen=True)
class TtsConfig:
    """Which voice, and how it speaks.

    `backend`: auto (the first installed of espeak-ng and flite), espeak, flite, piper.
    `voice`: a name of the backend's own, a file; empty: its default (piper has none). Nothing is
        ever downloaded.
    `rate`: the samples' rate in Hz; 0: the voice's own. `speed`: 1.0 is the voice's own pace.
    `device`: for piper: cpu, cuda, cuda:1...
    """

    backend: str = "auto"
    voice: str = ""
    rate: int = 0
    speed: float = 1.0
    device: str = "cpu"

    def __post_init__(self) -> None:
        if self.backend not in BACKENDS:
            raise ConfigError(
                f"tts.backend must be one of {', '.join(BACKENDS)}, not {self.backend!r}"
            )
        if self.rate and not 8_000 <= self.rate <= 48_000:
            raise ConfigError(
                f"tts.rate must be 0 (the voice's own) or in [8000, 48000] Hz, not {self.rate}"
            )
        if not 0.5 <= self.speed <= 2.0:
            raise ConfigError(f"tts.speed must be in [0.5, 2], not {self.speed}")
        if self.device != "cpu" and self.device.split(":")[0] != "cuda":
            raise ConfigError(f"tts.device must be cpu or cuda[:N], not {self.device!r}")


class Synthesizer(Protocol):
    """One voice. Used by one thread at a time; `speak` again only when the iterator before is used
    up or closed."""

    rate: int  # of all that `speak` yields, in Hz
    description: str  # program and voice, for the log

    def speak(self, sentence: str) -> Iterator[Audio]:
        """Sound of one sentence, in pieces as they are made; `stamp_ns` is 0.

        Closing the iterator cancels the rest at once. Raises SynthesisError where the program
        fails: what was yielded before stands, and the next sentence may be spoken all the same.
        """
        ...

    def close(self) -> None:
        """End every process that belongs to it."""
        ...
