"""Tiny whisper checkpoints with weights set by hand, which hear one sentence in any sound."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aura_core.speech.asr.base import as_float
from aura_core.speech.asr.encoded import EncodedUtterance
from aura_core.speech.asr.whisper_options import Segment

STATE = 32  # width: at most this many different tokens


def planted_whisper(path: Path, sentence: str, language: str = "en") -> Path:
    """Write a multilingual checkpoint of 7 MB that always transcribes `sentence`.

    It finds `language` in any sound. Every block adds nothing, so the decoder's state is its
    positional embedding. The embedding of position p points to the token that follows p. So does
    the embedding of each such token.
    """
    import torch

    dims, state = _planted(sentence, language)
    torch.save({"dims": dims, "model_state_dict": state}, path)
    return path


def planted_faster_whisper(folder: Path, text: str, language: str = "en") -> Path:
    """Write the same weights as a CTranslate2 folder, with openai-whisper's tokenizer."""
    import whisper
    from ctranslate2.specs import WhisperSpec

    _, state = _planted(text, language)
    tokenizer = whisper.tokenizer.get_tokenizer(True, num_languages=99)
    names = _token_names(tokenizer.encoding)
    spec = WhisperSpec(1, 1, 1, 1)
    for conv in ("conv1", "conv2"):
        _set_linear(getattr(spec.encoder, conv), state, f"encoder.{conv}")
    spec.decoder.embeddings.weight = state["decoder.token_embedding.weight"]
    spec.decoder.projection.weight = state["decoder.token_embedding.weight"]
    for side, part, norm in ((spec.encoder, "encoder", "ln_post"), (spec.decoder, "decoder", "ln")):
        side.position_encodings.encodings = state[f"{part}.positional_embedding"]
        _set_norm(side.layer_norm, state, f"{part}.{norm}")
        _set_block(side.layer[0], state, f"{part}.blocks.0")
    spec.config.lang_ids = list(tokenizer.all_language_tokens)
    spec.config.alignment_heads = [(0, 0)]
    spec.register_vocabulary(names)
    spec.validate()
    folder.mkdir(parents=True, exist_ok=True)
    spec.save(str(folder))
    _save_tokenizer(folder / "tokenizer.json", names, tokenizer.eot)
    return folder


def library_segment(recognizer: EncodedUtterance, samples: NDArray[np.int16]) -> Segment:
    """What the library's own `transcribe` makes of a sound, in its window of 30 s."""
    options = {
        "language": "en",
        "temperature": 0.0,
        "beam_size": 1,
        "condition_on_previous_text": False,
        "without_timestamps": True,
        "no_speech_threshold": None,
    }
    found = recognizer._model.transcribe(as_float(samples), **options)
    if isinstance(found, dict):
        (s,) = found["segments"]
        return Segment(s["text"], s["avg_logprob"], s["no_speech_prob"], s["compression_ratio"])
    (s,) = found[0]
    return Segment(s.text, s.avg_logprob, s.no_speech_prob, s.compression_ratio)


def _planted(sentence: str, language: str) -> tuple[dict[str, int], dict[str, Any]]:
    """Return the dimensions, and the weights by openai-whisper's names."""
    import torch
    import whisper

    dims = {
        "n_mels": 80,
        "n_audio_ctx": 1500,
        "n_audio_state": STATE,
        "n_audio_head": 1,
        "n_audio_layer": 1,
        "n_vocab": 51865,
        "n_text_ctx": 448,
        "n_text_state": STATE,
        "n_text_head": 1,
        "n_text_layer": 1,
    }
    model = whisper.model.Whisper(whisper.model.ModelDimensions(**dims))
    tokenizer = whisper.tokenizer.get_tokenizer(
        True, num_languages=99, language=language, task="transcribe"
    )
    state: dict[str, Any] = {k: torch.zeros_like(v) for k, v in model.state_dict().items()}
    for name in state:
        if name.endswith("ln.weight") or name.endswith("ln_post.weight"):
            state[name] += 1.0
    prompt = len(tokenizer.sot_sequence_including_notimestamps)
    following = {0: tokenizer.to_language_token(language)}
    answer = [*tokenizer.encode(" " + sentence), tokenizer.eot]
    following |= {prompt - 1 + k: token for k, token in enumerate(answer)}
    axes = {token: axis for axis, token in enumerate(dict.fromkeys(following.values()))}
    assert len(axes) <= STATE, "too many different tokens"
    for token, axis in axes.items():
        state["decoder.token_embedding.weight"][token, axis] = 10.0
    for position in range(dims["n_text_ctx"]):
        axis = axes[following.get(position, tokenizer.eot)]
        state["decoder.positional_embedding"][position, axis] = 1_000.0
    return dims, state


def _set_block(layer: Any, state: dict[str, Any], name: str) -> None:
    own, cross = f"{name}.attn", f"{name}.cross_attn"
    _set_linear(layer.self_attention.linear[0], state, f"{own}.query", f"{own}.key", f"{own}.value")
    _set_linear(layer.self_attention.linear[1], state, f"{own}.out")
    _set_norm(layer.self_attention.layer_norm, state, f"{own}_ln")
    if hasattr(layer, "attention"):  # of the decoder, to what the encoder heard
        _set_linear(layer.attention.linear[0], state, f"{cross}.query")
        _set_linear(layer.attention.linear[1], state, f"{cross}.key", f"{cross}.value")
        _set_linear(layer.attention.linear[2], state, f"{cross}.out")
        _set_norm(layer.attention.layer_norm, state, f"{cross}_ln")
    _set_linear(layer.ffn.linear_0, state, f"{name}.mlp.0")
    _set_linear(layer.ffn.linear_1, state, f"{name}.mlp.2")
    _set_norm(layer.ffn.layer_norm, state, f"{name}.mlp_ln")


def _set_linear(spec: Any, state: dict[str, Any], *names: str) -> None:
    """Set one linear layer or convolution, or several layers side by side.

    whisper's keys have no bias, so theirs is 0.
    """
    import torch

    spec.weight = torch.cat([state[f"{name}.weight"] for name in names])
    spec.bias = torch.cat(
        [state.get(f"{name}.bias", torch.zeros(len(state[f"{name}.weight"]))) for name in names]
    )


def _set_norm(spec: Any, state: dict[str, Any], name: str) -> None:
    spec.gamma, spec.beta = state[f"{name}.weight"], state[f"{name}.bias"]


def _token_names(encoding: Any) -> list[str]:
    """Return the bytes of every token as GPT-2's vocabularies write them.

    Each byte is a printable character.
    """
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    chars = {byte: chr(byte) for byte in printable} | {
        byte: chr(256 + k) for k, byte in enumerate(others)
    }
    tokens = (encoding.decode_single_token_bytes(k) for k in range(encoding.n_vocab))
    return ["".join(chars[byte] for byte in token) for token in tokens]


def _save_tokenizer(path: Path, names: list[str], eot: int) -> None:
    """Save a byte-level BPE tokenizer.

    tiktoken merges the pair whose token has the lowest rank, so all splits of a token are merges.
    """
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    vocabulary = {name: k for k, name in enumerate(names)}
    splits = ((name[:k], name[k:]) for name in names[:eot] for k in range(1, len(name)))
    merges = [(a, b) for a, b in splits if a in vocabulary and b in vocabulary]
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=merges))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(names[eot:])  # they are in the vocabulary, and keep their ids
    tokenizer.save(str(path))
