"""Recogniser: openai-whisper from a local checkpoint. Nothing is downloaded.

The name of a model is looked up among the files in whisper's cache folder.
"""

from __future__ import annotations

import os
import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aura_core.errors import ConfigError, ModelError
from aura_core.extras import how_to_install
from aura_core.speech.asr.base import BufferedUtterance, Recognition, as_float
from aura_core.speech.asr.devices import pick
from aura_core.speech.asr.whisper_options import (
    CERTAIN,
    Segment,
    WhisperOptions,
    judged,
    spoken,
)

MIN_SAMPLES = 1_600  # a tenth of a second at 16 kHz: a shorter sound holds no word


class Whisper(BufferedUtterance):
    """A loaded model. It transcribes the whole utterance at its end, without partial results."""

    def __init__(self, model: Any, options: WhisperOptions) -> None:
        super().__init__()
        self._model = model
        self._options = options

    def recognise(self, samples: NDArray[np.int16]) -> Recognition:
        if len(samples) < MIN_SAMPLES:
            return Recognition("", 0.0)
        sound, languages = as_float(samples), self._options.languages
        several = len(languages) != 1 and self._model.is_multilingual
        language, foreign = (languages or ("en",))[0], False
        if several:
            language, foreign = self._language(sound)
        result = self._model.transcribe(
            sound,
            language=language,
            temperature=0.0,
            beam_size=self._options.beam_size if self._options.beam_size > 1 else None,
            initial_prompt=self._options.prompt or None,
            condition_on_previous_text=False,  # utterances are independent
            without_timestamps=True,
            no_speech_threshold=None,  # see `judged`
            fp16=self._model.device.type == "cuda",
        )
        heard = judged(
            [
                Segment(s["text"], s["avg_logprob"], s["no_speech_prob"], s["compression_ratio"])
                for s in result["segments"]
            ],
            language,
        )
        if not several and self._model.is_multilingual and heard.confidence < CERTAIN:
            foreign = self._language(sound)[1]
        return replace(heard, reason="language") if foreign else heard

    def _language(self, sound: NDArray[np.float32]) -> tuple[str, bool]:
        """See `spoken`."""
        from whisper.audio import log_mel_spectrogram, pad_or_trim

        mel = log_mel_spectrogram(pad_or_trim(sound), self._model.dims.n_mels)
        _, probabilities = self._model.detect_language(mel.to(self._model.device))
        return spoken(probabilities, self._options.languages)


def open_whisper(model: str, options: WhisperOptions) -> Whisper:
    """Load a model: a .pt file, or a name such as `base` whose file is in whisper's cache.

    Raises ConfigError when the file or the package is missing, and ModelError when the file is no
    checkpoint.
    """
    path = find_checkpoint(model)
    try:
        import torch
        import whisper
    except ImportError:
        raise ConfigError(
            f"asr.backend: whisper needs openai-whisper: {how_to_install('whisper')}"
        ) from None
    kind, index = pick(options.device, torch.cuda.device_count())
    name = "cpu" if kind == "cpu" else f"cuda:{index}"
    try:
        loaded = whisper.load_model(str(path), device=name)
    except (RuntimeError, KeyError, TypeError, EOFError, pickle.UnpicklingError) as error:
        why = (str(error).splitlines() or [type(error).__name__])[0]
        raise ModelError(f"asr.model: {path} is no whisper checkpoint: {why}") from error
    if "zh" in options.languages and not loaded.is_multilingual:
        raise ConfigError(
            f"asr.language: {path} is an English model: use a multilingual one for 'zh'"
        )
    return Whisper(loaded, options)


def find_checkpoint(model: str) -> Path:
    """Return the file of `model`. Raises ConfigError where whisper would start a download."""
    path = Path(model).expanduser()
    if path.is_file():
        return path.absolute()
    if "/" in model or path.suffix:
        raise ConfigError(f"asr.model: no such file: {path}")
    cache = (
        Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "whisper" / f"{model}.pt"
    )
    if not cache.is_file():
        raise ConfigError(
            f"asr.model: no file '{model}' or {cache}; nothing is downloaded: give a .pt path"
        )
    return cache
