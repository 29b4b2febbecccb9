"""A tiny whisper checkpoint whose weights are set by hand: it hears one sentence in everything."""

from __future__ import annotations

from pathlib import Path
from typing import Any

STATE = 32  # width: at most this many different tokens


def planted_whisper(path: Path, sentence: str, language: str = "en") -> Path:
    """Write a multilingual checkpoint of 7 MB that always transcribes `sentence`, and finds `language` in any sound.

    Every block adds nothing, so the decoder's state is its positional embedding. That of position p points to the
    token that shall follow p, and each such token's embedding points there too.
    """
    import torch
    import whisper

    dims = {
        "n_mels": 80, "n_audio_ctx": 1500, "n_audio_state": STATE, "n_audio_head": 1, "n_audio_layer": 1,
        "n_vocab": 51865, "n_text_ctx": 448, "n_text_state": STATE, "n_text_head": 1, "n_text_layer": 1,
    }  # fmt: skip
    model = whisper.model.Whisper(whisper.model.ModelDimensions(**dims))
    tokenizer = whisper.tokenizer.get_tokenizer(True, num_languages=99, language=language, task="transcribe")
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
    torch.save({"dims": dims, "model_state_dict": state}, path)
    return path
