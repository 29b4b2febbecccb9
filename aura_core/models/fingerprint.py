"""A short text that identifies the weights at a path. It changes when the model is trained further.

No weights are loaded, and large files are not hashed completely. Of a weight file these parts
count: its name, its size, its header (name, dtype and shape of every tensor) and samples from all
over each tensor. Training changes whole tensors, so the samples show it. A change of a few bytes
between the samples is not noticed. Files of up to `WHOLE` bytes are hashed completely, and so are
the texts that matter for a decision: configuration, tokenizer, chat template and `aura.json`.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import BinaryIO

from aura_core.errors import ModelError
from aura_core.models import checkpoint

WHOLE = 64 << 20
# Samples of each tensor: their number and their bytes. They are spread evenly, ends included.
SPANS, SPAN = 8, 4096
TEXTS = (
    "config.json",
    "aura.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "merges.txt",
    "chat_template.json",
    "chat_template.jinja",
    "processor_config.json",
    "preprocessor_config.json",
    "video_preprocessor_config.json",
)


def fingerprint(path: str) -> str:
    """16 hexadecimal digits for the checkpoint at `path`.

    `path` is a folder, a hub id or an embedded model, as `model.path`. Where the checkpoint lies
    does not matter. `scripted` has no weights; its fingerprint is "scripted". Raises `ModelError`
    when there is no checkpoint.
    """
    if path == "scripted":
        return path
    folder = checkpoint.find(path, path)
    weights = sorted(folder.glob("*.safetensors"))
    if not weights:
        raise ModelError(
            f"{path}: incomplete checkpoint: there is no *.safetensors file in {folder}"
        )
    digest = hashlib.sha256()
    for file in [*(folder / name for name in TEXTS if (folder / name).is_file()), *weights]:
        try:
            size = file.stat().st_size
            digest.update(f"{file.name}\0{size}\0".encode())
            with file.open("rb") as f:
                if size <= WHOLE or file.name in TEXTS:
                    digest.update(f.read())
                else:
                    _sample(f, file, size, digest)
        except OSError as e:
            raise ModelError(f"{file}: cannot be read: {e.strerror}") from e
    return digest.hexdigest()[:16]


def _sample(f: BinaryIO, file: Path, size: int, digest: hashlib._Hash) -> None:
    """Hash the header of a safetensors file, and samples of each tensor.

    The header is 8 bytes of length, then JSON.
    """
    length = int.from_bytes(f.read(8), "little")
    header = f.read(length) if length <= size - 8 else b""
    try:
        spans = [
            t["data_offsets"] for name, t in json.loads(header).items() if name != "__metadata__"
        ]
        tensors = sorted((8 + length + int(begin), 8 + length + int(end)) for begin, end in spans)
    except (ValueError, KeyError, TypeError, AttributeError) as e:
        raise ModelError(f"{file}: not a safetensors file: its header cannot be read") from e
    digest.update(header)
    for begin, end in tensors:
        last = max(begin, end - SPAN)
        for k in range(SPANS):
            at = begin + (last - begin) * k // (SPANS - 1)
            f.seek(at)
            digest.update(f.read(min(SPAN, end - at)))
