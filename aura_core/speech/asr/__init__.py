"""Automatic speech recognition (ASR): one interface, and one file for each recogniser.

A recogniser's package is imported only when that recogniser is opened.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from aura_core.errors import ConfigError
from aura_core.settings import Settings, setting
from aura_core.speech.asr.base import Recognition, Recognizer, transcribe
from aura_core.speech.asr.grammar import Grammar, parse, read_grammar
from aura_core.speech.asr.turn_detector import TurnDetector
from aura_core.speech.asr.whisper_options import WhisperOptions
from aura_core.speech.wake import WakeConfig, WakeMode

__all__ = [
    "AsrConfig",
    "Grammar",
    "Recognition",
    "Recognizer",
    "TurnDetector",
    "grammar_of",
    "open_recognizer",
    "parse",
    "transcribe",
]

BACKENDS = ("pocketsphinx", "whisper", "faster_whisper")
LANGUAGES = ("en", "zh", "auto")
REJECTION = 0.5  # default of `rejection`
COMPUTE_TYPES = ("auto", "int8", "int8_float16", "int8_float32", "float16", "float32")


@dataclass(frozen=True)
class AsrConfig(Settings, section="asr"):
    """Which recogniser, and how it runs."""

    backend: str = setting(
        "pocketsphinx",
        "what turns speech into text: pocketsphinx (embedded) knows the sentences of a grammar;"
        " whisper and faster_whisper take free speech",
        choices=BACKENDS,
    )
    model: str = setting(
        "",
        "weights, never downloaded: a .pt file (whisper), a folder (faster_whisper), or the folder"
        " of an acoustic model (pocketsphinx; empty: the English one in its package)",
    )
    language: str = setting("en", "language of the user; auto and zh: whisper", choices=LANGUAGES)
    languages: tuple[str, ...] = setting(
        (),
        "whisper: the languages of a mixed household, such as en and zh; one of them is found for"
        " each utterance, and speech in any other is rejected; empty: language alone",
    )
    initial_prompt: str = setting(
        "",
        "whisper: text in front of each utterance, for names and words of the house; the wake"
        " phrase is added by itself",
    )
    beam_size: int = setting(
        1, "whisper: hypotheses that are kept; 1 is the fastest", low=1, high=16
    )
    compute_type: str = setting(
        "auto",
        "faster_whisper: type of the weights; auto: int8 on a CPU, float16 on a GPU",
        choices=COMPUTE_TYPES,
    )
    cpu_threads: int = setting(
        0, "faster_whisper: threads on a CPU; 0: the library's choice", low=0, high=256
    )
    device: str = setting(
        "auto",
        "where whisper runs: cpu, cuda, cuda:1 ...; auto: the second GPU where there are two, else"
        " the first, else the CPU",
    )
    grammar_file: str = setting(
        "", "pocketsphinx: a file of more sentence templates, one a line; empty: none"
    )
    rejection: float = setting(
        REJECTION,
        "pocketsphinx: how sure it must be that speech was one of its sentences; 0 takes"
        " everything",
        low=0.0,
        high=1.0,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.backend == "pocketsphinx" and self.language != "en":
            raise ConfigError(
                f"asr.language: pocketsphinx knows English only, not '{self.language}': use whisper"
            )
        if self.backend != "pocketsphinx" and not self.model:
            raise ConfigError(
                f"asr.model: {self.backend} needs the path of its weights; nothing is downloaded"
            )
        if self.backend != "pocketsphinx" and self.grammar_file:
            raise ConfigError(
                f"asr.grammar_file: {self.backend} takes no grammar; only pocketsphinx does"
            )
        self._check_languages()
        if self.backend == "pocketsphinx":
            for name, unused in (("initial_prompt", ""), ("beam_size", 1), ("device", "auto")):
                if getattr(self, name) != unused:
                    raise ConfigError(f"asr.{name}: pocketsphinx does not use it; whisper does")
        elif self.rejection != REJECTION:
            raise ConfigError(
                f"asr.rejection is of pocketsphinx, not of {self.backend}: set min_confidence"
            )
        if self.backend != "faster_whisper" and (self.compute_type, self.cpu_threads) != (
            "auto",
            0,
        ):
            raise ConfigError(
                f"asr.compute_type and cpu_threads are of faster_whisper, not of {self.backend}"
            )
        cuda = self.device.removeprefix("cuda:").isdigit() and self.device.startswith("cuda:")
        if self.device not in ("auto", "cpu", "cuda") and not cuda:
            raise ConfigError(f"asr.device must be auto, cpu, cuda or cuda:N, not '{self.device}'")

    def _check_languages(self) -> None:
        if self.languages and self.backend == "pocketsphinx":
            raise ConfigError("asr.languages: pocketsphinx does not use it; whisper does")
        for name in self.languages:
            if name not in LANGUAGES or name == "auto":
                raise ConfigError(f"asr.languages must be of en and zh, not '{name}'")
            if self.languages.count(name) > 1:
                raise ConfigError(f"asr.languages names '{name}' twice")
        if self.languages and self.language not in self.languages:
            listed = ", ".join(self.languages)
            raise ConfigError(
                f"asr.language: '{self.language}' is none of asr.languages [{listed}]; set it to"
                " one of them"
            )

    @property
    def spoken(self) -> tuple[str, ...]:
        """The languages that are spoken here; () for any."""
        return self.languages or (() if self.language == "auto" else (self.language,))


def grammar_of(config: AsrConfig, phrases: Grammar | None = None) -> Grammar | None:
    """Return the sentences that the recogniser listens for, or None if it takes any words.

    They are `phrases` and those of `config.grammar_file`. Raises ConfigError when a recogniser that
    needs sentences has none.
    """
    if config.backend != "pocketsphinx":
        return None
    if config.grammar_file:
        return read_grammar(Path(config.grammar_file), phrases)
    if phrases is None:
        raise ConfigError(
            "asr.grammar_file: pocketsphinx recognises only the sentences of a grammar, and it was"
            " given none"
        )
    return phrases


def open_recognizer(
    config: AsrConfig, wake: WakeConfig | None = None, phrases: Grammar | None = None
) -> Recognizer:
    """Load the recogniser.

    Args:
        wake: the wake phrase, which a grammar must contain.
        phrases: the sentences that pocketsphinx recognises. The caller knows what users ask.

    Raises ConfigError when its package, file or phrases are missing, and ModelError when the file
    is not a checkpoint.
    """
    wake = wake or WakeConfig()
    if config.backend != "pocketsphinx":
        return _open_free(config, wake)
    from aura_core.speech.asr.pocketsphinx import open_pocketsphinx

    grammar = grammar_of(config, phrases)
    assert grammar is not None
    return open_pocketsphinx(grammar, wake, config.model, config.rejection)


def _open_free(config: AsrConfig, wake: WakeConfig) -> Recognizer:
    options = whisper_options(config, wake)
    if config.backend == "whisper":
        from aura_core.speech.asr.whisper import open_whisper as open_model
    else:
        from aura_core.speech.asr.faster_whisper import open_faster_whisper as open_model
    from aura_core.speech.asr.wake_score import WakeScore

    recognizer = open_model(config.model, options)
    if wake.mode is not WakeMode.OFF:
        recognizer.rescore = WakeScore(recognizer, wake)
    return recognizer


def whisper_options(config: AsrConfig, wake: WakeConfig) -> WhisperOptions:
    """Return how whisper is run.

    The wake phrase stands in the prompt, because whisper otherwise writes a usual word for it: with
    `Hey Aura.` as prompt "They are, is the kettle on" became "Hey Aura is the kettle on".
    """
    phrase = "" if wake.mode is WakeMode.OFF else f"{wake.written}."
    return WhisperOptions(
        config.spoken,
        config.device,
        " ".join(f"{phrase} {config.initial_prompt}".split()),
        config.beam_size,
        config.compute_type,
        config.cpu_threads,
    )
