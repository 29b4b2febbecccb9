"""Recogniser: openai-whisper from a local checkpoint. Nothing is downloaded.

The name of a model is looked up among the files in whisper's cache folder.
"""

from __future__ import annotations

import math
import os
import pickle
from pathlib import Path
from typing import Any

from aura_core.errors import ConfigError, ModelError
from aura_core.extras import how_to_install
from aura_core.speech.asr.base import BufferedUtterance, Recognition
from aura_core.speech.asr.devices import pick

MIN_SAMPLES = 1_600  # a tenth of a second at 16 kHz: a shorter sound holds no word


class Whisper(BufferedUtterance):
    """A loaded model. It transcribes the whole utterance at its end, without partial results."""

    def __init__(self, model: Any, language: str) -> None:
        super().__init__()
        self._model = model
        self._language = None if language == "auto" else language

    def finish(self) -> Recognition:
        samples = self.taken()
        if len(samples) < MIN_SAMPLES:
            return Recognition("", 0.0)
        result = self._model.transcribe(
            samples,
            language=self._language,
            temperature=0.0,
            condition_on_previous_text=False,  # utterances are independent
            without_timestamps=True,
            fp16=self._model.device.type == "cuda",
        )
        segments = result["segments"]
        text = " ".join(str(result["text"]).split())
        return Recognition(
            text, confidence([(s["avg_logprob"], s["no_speech_prob"]) for s in segments])
        )


def confidence(segments: list[tuple[float, float]]) -> float:
    """Return the confidence of the worst segment, in [0, 1]; 0 without segments.

    Args:
        segments: (mean log-probability of a token, probability of no speech) of each segment.

    A segment's confidence is exp(log-probability) * (1 - probability of no speech).
    """
    sure = [math.exp(min(logprob, 0.0)) * (1.0 - silence) for logprob, silence in segments]
    return max(0.0, min(sure, default=0.0))


def open_whisper(model: str, language: str = "en", device: str = "auto") -> Whisper:
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
    kind, index = pick(device, torch.cuda.device_count())
    name = "cpu" if kind == "cpu" else f"cuda:{index}"
    try:
        loaded = whisper.load_model(str(path), device=name)
    except (RuntimeError, KeyError, TypeError, EOFError, pickle.UnpicklingError) as error:
        why = (str(error).splitlines() or [type(error).__name__])[0]
        raise ModelError(f"asr.model: {path} is no whisper checkpoint: {why}") from error
    if language == "zh" and not loaded.is_multilingual:
        raise ConfigError(
            f"asr.language: {path} is an English model: use a multilingual one for 'zh'"
        )
    return Whisper(loaded, language)


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
