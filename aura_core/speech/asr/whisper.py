"""Recogniser: openai-whisper from a local checkpoint. Nothing is downloaded.

The name of a model is looked up among the files in whisper's cache folder.
"""

from __future__ import annotations

import math
import os
import pickle
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aura_core.errors import ConfigError, ModelError
from aura_core.extras import how_to_install
from aura_core.speech.asr.base import as_float
from aura_core.speech.asr.devices import pick
from aura_core.speech.asr.encoded import HOP, LEAST_PROBABILITY, Encoded, EncodedUtterance, window
from aura_core.speech.asr.whisper_options import Segment, WhisperOptions, check_languages


class Whisper(EncodedUtterance):
    """A loaded model."""

    def __init__(self, model: Any, options: WhisperOptions) -> None:
        super().__init__(options, model.is_multilingual)
        self._model = model
        self._half = model.device.type == "cuda"

    def encode(self, samples: NDArray[np.int16], frames: int | None = None) -> Encoded:
        import torch
        from whisper.audio import N_FFT, log_mel_spectrogram, pad_or_trim

        frames = frames or window(len(samples))
        speech = min(len(samples) // HOP, frames)
        with torch.no_grad():
            mel = log_mel_spectrogram(as_float(samples), self._model.dims.n_mels, padding=N_FFT)
            mel = pad_or_trim(mel[:, :speech], frames).to(self._model.device)
            output = _encode(self._model.encoder, (mel.half() if self._half else mel)[None])
        return Encoded(output, frames, speech)

    def words(
        self, encoded: Encoded, language: str, prompt: str | None = None, prefix: str = ""
    ) -> Segment:
        from whisper.decoding import DecodingOptions, DecodingTask

        class Task(DecodingTask):
            def _get_audio_features(self, mel: Any) -> Any:
                return mel  # they are encoded already

        most = min(encoded.most_tokens, self._model.dims.n_text_ctx // 2)
        task = Task(
            self._model,
            DecodingOptions(
                language=language,
                temperature=0.0,
                beam_size=self.options.beam_size if self.options.beam_size > 1 else None,
                prompt=(self.options.prompt if prompt is None else prompt) or None,
                prefix=prefix or None,
                without_timestamps=True,
                sample_len=most,
                fp16=self._half,
            ),
        )
        (result,) = task.run(encoded.output)
        return Segment(
            result.text,
            result.avg_logprob,
            result.no_speech_prob,
            result.compression_ratio,
            len(result.tokens) < most,
            result.avg_logprob * (len(result.tokens) + 1),
        )

    def likelihoods(
        self, encoded: Encoded, language: str, prompt: str, texts: Sequence[Sequence[str]]
    ) -> list[list[float]]:
        import torch
        from whisper.tokenizer import get_tokenizer

        tokenizer = get_tokenizer(
            self._model.is_multilingual,
            num_languages=self._model.num_languages,
            language=language,
            task="transcribe",
        )
        before = [tokenizer.sot_prev, *tokenizer.encode(f" {prompt}")] if prompt else []
        before += tokenizer.sot_sequence_including_notimestamps
        found = []
        for text in texts:
            parts = [tokenizer.encode(part) for part in text]
            tokens = [token for part in parts for token in part]
            with torch.no_grad():
                given = torch.tensor([before + tokens[:-1]], device=self._model.device)
                logits = self._model.logits(given, encoded.output)[0, len(before) - 1 :]
                logs = logits.float().log_softmax(dim=-1)[range(len(tokens)), tokens]
                logs = logs.clamp(min=math.log(LEAST_PROBABILITY)).tolist()
            ends = np.cumsum([len(part) for part in parts])
            found.append([float(part.sum()) for part in np.split(np.array(logs), ends[:-1])])
        return found

    def language_probabilities(self, encoded: Encoded) -> Mapping[str, float]:
        import torch
        from whisper.tokenizer import get_tokenizer

        tokenizer = get_tokenizer(True, num_languages=self._model.num_languages)
        names, tokens = tokenizer.all_language_codes, list(tokenizer.all_language_tokens)
        with torch.no_grad():
            start = torch.tensor([[tokenizer.sot]], device=self._model.device)
            logits = self._model.logits(start, encoded.output)[0, 0, tokens]
        return dict(zip(names, logits.float().softmax(dim=0).tolist(), strict=True))


def _encode(encoder: Any, mel: Any) -> Any:
    """Run whisper's encoder on a window of any length.

    This is `AudioEncoder.forward`, with as many of its positions as there are.

    Args:
        mel: (1, n_mels, frames).

    Returns:
        (1, frames / 2, width).
    """
    from torch.nn.functional import gelu

    x = gelu(encoder.conv2(gelu(encoder.conv1(mel)))).permute(0, 2, 1)
    x = (x + encoder.positional_embedding[: x.shape[1]]).to(x.dtype)
    for block in encoder.blocks:
        x = block(x)
    return encoder.ln_post(x)


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
    check_languages(options, loaded.is_multilingual, path)
    recognizer = Whisper(loaded, options)
    recognizer.warm_up()
    return recognizer


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
