"""espeak-ng, as its own process (it is GPL): first sound within milliseconds, about a hundred
languages, robotic."""

from __future__ import annotations

from aura_core.errors import ConfigError
from aura_core.speech.tts.base import TtsConfig
from aura_core.speech.tts.process import ProcessSynthesizer, find_program, one_line, output_of

_RATE = 22050
_WORDS_PER_MINUTE = 175  # its own default


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
        """The sentence goes in by standard input: one that begins with a dash is no option."""
        return self._command, sentence.encode()
