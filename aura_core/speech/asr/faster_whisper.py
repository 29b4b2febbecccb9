"""Recogniser: faster-whisper (CTranslate2) from a local folder. Nothing is downloaded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from aura_core.errors import ConfigError, ModelError
from aura_core.extras import how_to_install
from aura_core.speech.asr.base import BufferedUtterance, Recognition
from aura_core.speech.asr.devices import pick
from aura_core.speech.asr.whisper import MIN_SAMPLES, confidence

# without tokenizer.json the library would try to download it
FILES = ("model.bin", "config.json", "tokenizer.json")


class FasterWhisper(BufferedUtterance):
    """A loaded model. It transcribes the whole utterance at its end, without partial results."""

    def __init__(self, model: Any, language: str) -> None:
        super().__init__()
        self._model = model
        self._language = None if language == "auto" else language

    def finish(self) -> Recognition:
        samples = self.taken()
        if len(samples) < MIN_SAMPLES:
            return Recognition("", 0.0)
        segments, _ = self._model.transcribe(
            samples,
            language=self._language,
            temperature=0.0,
            condition_on_previous_text=False,
            without_timestamps=True,
        )
        parts = list(segments)  # `segments` is a generator: the transcription happens here
        text = " ".join(" ".join(s.text for s in parts).split())
        return Recognition(text, confidence([(s.avg_logprob, s.no_speech_prob) for s in parts]))


def open_faster_whisper(model: str, language: str = "en", device: str = "auto") -> FasterWhisper:
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
    kind, index = pick(device, ctranslate2.get_cuda_device_count())
    try:
        loaded = faster_whisper.WhisperModel(
            str(folder), device=kind, device_index=index, local_files_only=True
        )
    except (RuntimeError, ValueError) as error:
        why = (str(error).splitlines() or [type(error).__name__])[0]
        raise ModelError(f"asr.model: {folder} is no faster-whisper model: {why}") from error
    if language == "zh" and not loaded.model.is_multilingual:
        raise ConfigError(
            f"asr.language: {folder} is an English model: use a multilingual one for 'zh'"
        )
    return FasterWhisper(loaded, language)
