"""A voice for each language: every sentence is spoken by the voice of its language."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from aura_core.errors import ConfigError
from aura_core.speech.language import NAMES, language_of
from aura_core.speech.tts.base import SynthesisError, Synthesizer, TtsConfig
from aura_core.speech.tts.select import AtRate, chosen, open_synthesizer
from aura_core.speech.types import Audio
from aura_core.words import shorten

_ESPEAK = {"en": "en", "zh": "cmn"}  # voices that espeak-ng has, for a language without another
_CODES = {"cmn": "zh", "yue": "zh", "zho": "zh", "eng": "en"}


class Voices:
    """Several synthesisers as one.

    A language without a voice is spoken by the `main` one. All sound has the rate of `main`.
    """

    def __init__(self, main: Synthesizer, others: Mapping[str, Synthesizer]) -> None:
        self.rate = main.rate
        self.missing: tuple[str, ...] = ()  # languages that nobody speaks, see `open_voices`
        self.main_language = ""  # code of what `main` speaks; "" where that is not known
        self._main = main
        self._others = {
            code: voice if voice.rate == main.rate else AtRate(voice, main.rate)
            for code, voice in others.items()
        }
        parts = [main.description, *(f"{c}: {v.description}" for c, v in self._others.items())]
        self.description = "; ".join(parts)

    def voice(self, sentence: str, language: str = "") -> Synthesizer:
        """Who speaks a sentence. `language` is its code, such as "zh"; "": that of its script."""
        return self._others.get(language or language_of(sentence), self._main)

    def speaks(self, language: str) -> bool:
        """Whether a voice is known to speak the language of this code, or may."""
        return language in self._others or self.main_language in ("", language)

    def speak(self, sentence: str, language: str = "") -> Iterator[Audio]:
        """See `Synthesizer.speak`.

        Raises SynthesisError also where the voice makes no sound at all: a sentence without a
        sound was not said.
        """
        voice, samples = self.voice(sentence, language), 0
        pieces = voice.speak(sentence)
        try:
            for piece in pieces:
                samples += len(piece.samples)
                yield piece
        finally:
            pieces.close()  # type: ignore[attr-defined]  # a generator: cancels the rest
        if not samples:
            raise SynthesisError(
                f"tts: {voice.description} made no sound of '{shorten(sentence, 40)}': it may not"
                f" speak this language; set voices.{language or language_of(sentence)}.voice"
            )

    def close(self) -> None:
        """See `Synthesizer.close`."""
        for voice in (self._main, *self._others.values()):
            voice.close()


def open_voices(config: TtsConfig) -> Voices:
    """Open the main voice, and those of `config.voices`.

    Where nobody speaks English or Chinese, and espeak-ng is installed, its voice is taken; else the
    language is in `missing`, and `warning` says so. Raises ConfigError as `open_synthesizer` does.
    """
    config = dataclasses.replace(config, backend=chosen(config.backend))
    main, others = open_synthesizer(config), {}
    spoken = language_of_voice(config)
    try:
        for code, own in config.voices.items():
            backend = own.backend or config.backend
            wanted = dataclasses.replace(
                config, backend=chosen(backend), voice=own.voice, voices={}, rate=main.rate
            )
            if not own.voice and wanted.backend == "espeak":
                wanted = dataclasses.replace(wanted, voice=_ESPEAK.get(code, code))
            others[code] = open_synthesizer(wanted)
    except ConfigError:
        main.close()
        for voice in others.values():
            voice.close()
        raise
    missing = []
    for code in NAMES:
        if spoken in ("", code) or code in others:
            continue
        wanted = TtsConfig("espeak", _ESPEAK[code], main.rate, config.speed)
        try:
            others[code] = open_synthesizer(wanted)
        except ConfigError:  # it is not installed, or without this voice
            missing.append(code)
    voices = Voices(main, others)
    voices.missing, voices.main_language = tuple(missing), spoken
    return voices


def warning(voices: Voices) -> str:
    """What to do about the languages without a voice, in one line; "" where each has one."""
    if not voices.missing:
        return ""
    names = " and ".join(NAMES[code] for code in voices.missing)
    keys = ", ".join(f"voices.{code}.voice" for code in voices.missing)
    return f"no voice for {names}: apt install espeak-ng, or set {keys}"


def language_of_voice(config: TtsConfig) -> str:
    """The code of the language that the main voice speaks; "" where that is not known."""
    if config.backend == "flite":
        return "en"
    if config.backend == "espeak":
        code = re.split(r"[-+_]", config.voice or "en")[0]
        return _CODES.get(code, code)
    path = Path(config.voice)  # piper: zh_CN-huayan-medium.onnx, and its description beside it
    try:
        described = json.loads(Path(f"{path}.json").read_text("utf-8"))
        code = str(described["language"]["code"])
    except (OSError, ValueError, KeyError, TypeError):
        named = re.match(r"([a-z]{2,3})_[A-Z]{2}-", path.name)
        code = named[1] if named else ""
    code = re.split(r"[-_]", code)[0]
    return _CODES.get(code, code)
