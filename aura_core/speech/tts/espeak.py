"""Synthesiser: espeak-ng, in a process of its own because it is GPL.

The first sound comes within milliseconds. It speaks about a hundred languages, and sounds robotic.
"""

from __future__ import annotations

from aura_core.errors import ConfigError
from aura_core.speech.tts.base import TtsConfig
from aura_core.speech.tts.process import ProcessSynthesizer, find_program, one_line, output_of

_RATE = 22050
_WORDS_PER_MINUTE = 175  # the default of espeak-ng


class Espeak(ProcessSynthesizer):
    """`voice` is a name of `espeak-ng --voices`: en, en-gb, en-us+f3, cmn..."""

    def __init__(self, config: TtsConfig) -> None:
        program = find_program("espeak-ng", "espeak-ng")
        voice = config.voice or "en"
        pace = round(_WORDS_PER_MINUTE * config.speed)
        self._command = [program, "--stdout", "--stdin", "-v", voice, "-s", str(pace), "-b", "1"]
        status, said = output_of([program, "-q", "-v", voice, "."])
        if status != 0 or "Error" in said:
            raise ConfigError(
                f"tts.voice {voice!r} is not a voice of espeak-ng ({one_line(said)}): see espeak-ng"
                " --voices"
            )
        super().__init__(_RATE, f"espeak-ng, voice {voice}")

    def command(self, sentence: str) -> tuple[list[str], bytes]:
        """Give the sentence by standard input: one that begins with a dash is then no option."""
        return self._command, sentence.encode()
