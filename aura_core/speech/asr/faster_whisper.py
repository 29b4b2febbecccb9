"""Recogniser: faster-whisper (CTranslate2) from a local folder. Nothing is downloaded."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aura_core.errors import ConfigError, ModelError
from aura_core.extras import how_to_install
from aura_core.speech.asr.base import BufferedUtterance, Recognition, as_float
from aura_core.speech.asr.devices import pick
from aura_core.speech.asr.whisper import MIN_SAMPLES
from aura_core.speech.asr.whisper_options import (
    CERTAIN,
    Segment,
    WhisperOptions,
    judged,
    spoken,
)

# without tokenizer.json the library would try to download it
FILES = ("model.bin", "config.json", "tokenizer.json")


class FasterWhisper(BufferedUtterance):
    """A loaded model. It transcribes the whole utterance at its end, without partial results."""

    def __init__(self, model: Any, options: WhisperOptions) -> None:
        super().__init__()
        self._model = model
        self._options = options

    def recognise(self, samples: NDArray[np.int16]) -> Recognition:
        if len(samples) < MIN_SAMPLES:
            return Recognition("", 0.0)
        sound, languages = as_float(samples), self._options.languages
        multilingual = self._model.model.is_multilingual
        several = len(languages) != 1 and multilingual
        language, foreign = (languages or ("en",))[0], False
        if several:
            language, foreign = self._language(sound)
        found, _ = self._model.transcribe(
            sound,
            language=language,
            temperature=0.0,
            beam_size=self._options.beam_size,
            initial_prompt=self._options.prompt or None,
            condition_on_previous_text=False,
            without_timestamps=True,
            no_speech_threshold=None,  # see `judged`
        )
        # `found` is a generator: the transcription happens here
        heard = judged(
            [Segment(s.text, s.avg_logprob, s.no_speech_prob, s.compression_ratio) for s in found],
            language,
        )
        if not several and multilingual and heard.confidence < CERTAIN:
            foreign = self._language(sound)[1]
        return replace(heard, reason="language") if foreign else heard

    def _language(self, sound: NDArray[np.float32]) -> tuple[str, bool]:
        """See `spoken`."""
        *_, probabilities = self._model.detect_language(sound)
        return spoken(dict(probabilities), self._options.languages)


def open_faster_whisper(model: str, options: WhisperOptions) -> FasterWhisper:
    """Load a model from a folder with model.bin, config.json and tokenizer.json.

    Raises ConfigError when the folder or the package is missing, and ModelError when the folder is
    no such model.
    """
    folder = Path(model).expanduser()
    if not folder.is_dir():
        raise ConfigError(
            f"asr.model: no such folder: {folder}; nothing is downloaded: give a local folder"
        )
    missing = [name for name in FILES if not (folder / name).is_file()]
    if missing:
        raise ModelError(f"asr.model: {folder} has no {', '.join(missing)}")
    try:
        import ctranslate2
        import faster_whisper
    except ImportError:
        raise ConfigError(
            f"asr.backend: faster_whisper is missing: {how_to_install('faster-whisper')}"
        ) from None
    kind, index = pick(options.device, ctranslate2.get_cuda_device_count())
    by_device = "int8" if kind == "cpu" else "float16"
    try:
        loaded = faster_whisper.WhisperModel(
            str(folder),
            device=kind,
            device_index=index,
            compute_type=by_device if options.compute_type == "auto" else options.compute_type,
            cpu_threads=options.cpu_threads,
            local_files_only=True,
        )
    except (RuntimeError, ValueError) as error:
        why = (str(error).splitlines() or [type(error).__name__])[0]
        raise ModelError(f"asr.model: {folder} is no faster-whisper model: {why}") from error
    if "zh" in options.languages and not loaded.model.is_multilingual:
        raise ConfigError(
            f"asr.language: {folder} is an English model: use a multilingual one for 'zh'"
        )
    return FasterWhisper(loaded, options)
