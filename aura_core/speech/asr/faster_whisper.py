"""Recogniser: faster-whisper (CTranslate2) from a local folder. Nothing is downloaded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aura_core.errors import ConfigError, ModelError
from aura_core.extras import how_to_install
from aura_core.speech.asr.base import as_float
from aura_core.speech.asr.devices import pick
from aura_core.speech.asr.encoded import LEAST_PROBABILITY, Encoded, EncodedUtterance, window
from aura_core.speech.asr.whisper_options import Segment, WhisperOptions, check_languages

# without tokenizer.json the library would try to download it
FILES = ("model.bin", "config.json", "tokenizer.json")


class FasterWhisper(EncodedUtterance):
    """A loaded model."""

    def __init__(self, model: Any, options: WhisperOptions) -> None:
        super().__init__(options, model.model.is_multilingual)
        self._model = model

    def encode(self, samples: NDArray[np.int16], frames: int | None = None) -> Encoded:
        from faster_whisper.audio import pad_or_trim

        frames = frames or window(len(samples))
        # the extractor pads the sound by one frame
        features = self._model.feature_extractor(as_float(samples))[:, :-1]
        output = self._model.encode(pad_or_trim(features, frames))
        return Encoded(output, frames, min(features.shape[1], frames))

    def words(
        self, encoded: Encoded, language: str, prompt: str | None = None, prefix: str = ""
    ) -> Segment:
        from faster_whisper.transcribe import get_compression_ratio, get_suppressed_tokens

        tokenizer = self._tokenizer(language)
        prompt = self.options.prompt if prompt is None else prompt
        before = self._model.get_prompt(
            tokenizer,
            tokenizer.encode(f" {prompt}") if prompt else [],
            without_timestamps=True,
        )
        given = tokenizer.encode(prefix) if prefix else []
        before += given
        most = encoded.most_tokens
        result = self._model.model.generate(
            encoded.output,
            [before],
            beam_size=self.options.beam_size,
            # CTranslate2 decodes min(max_length / 2, max_length - len(before)) tokens
            max_length=min(max(2 * most, most + len(before)), self._model.max_length),
            return_scores=True,
            return_no_speech_prob=True,
            suppress_tokens=get_suppressed_tokens(tokenizer, [-1]),
        )[0]
        tokens = result.sequences_ids[0]
        if given and tokens[: len(given)] == given:  # it repeats the prefix
            tokens = tokens[len(given) :]
        text = tokenizer.decode(tokens)
        # the score is the sum over the text and its end, for each token of the prefix and the text
        total = result.scores[0] * max(len(given) + len(tokens), 1)
        return Segment(
            text,
            total / (len(tokens) + 1),
            result.no_speech_prob,
            get_compression_ratio(text.strip()),
            len(tokens) < most,
            total,
        )

    def likelihoods(
        self, encoded: Encoded, language: str, prompt: str, texts: Sequence[Sequence[str]]
    ) -> list[list[float]]:
        tokenizer = self._tokenizer(language)
        before = [tokenizer.sot_prev, *tokenizer.encode(f" {prompt}")] if prompt else []
        found = []
        for text in texts:
            parts = [tokenizer.encode(part) for part in text]
            # it puts <|notimestamps|> before the text
            (aligned,) = self._model.model.align(
                encoded.output,
                before + list(tokenizer.sot_sequence),
                [[token for part in parts for token in part]],
                [encoded.speech_frames],
                median_filter_width=1,
            )
            logs = np.log(np.maximum(aligned.text_token_probs, LEAST_PROBABILITY))
            ends = np.cumsum([len(part) for part in parts])
            found.append([float(part.sum()) for part in np.split(logs, ends[:-1])])
        return found

    def _tokenizer(self, language: str) -> Any:
        from faster_whisper.tokenizer import Tokenizer

        return Tokenizer(
            self._model.hf_tokenizer, self.multilingual, task="transcribe", language=language
        )

    def language_probabilities(self, encoded: Encoded) -> Mapping[str, float]:
        # the library calls them <|en|>, <|zh|> ...
        return {name[2:-2]: p for name, p in self._model.model.detect_language(encoded.output)[0]}


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
    check_languages(options, loaded.model.is_multilingual, folder)
    recognizer = FasterWhisper(loaded, options)
    recognizer.warm_up()
    return recognizer
