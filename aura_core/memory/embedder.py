"""Notes found by meaning: what an embedder is, and the adapter for sentence-transformers.

Nothing is downloaded: the model is a folder on this machine.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from aura_core.errors import ConfigError, ModelError, one_line
from aura_core.extras import how_to_install

MODULES = "modules.json"  # in the folder of every sentence-transformers model
BATCH = 32


class Embedder(Protocol):
    """Makes vectors of texts. Texts of like meaning have a large dot product.

    Attributes:
        name: of the model: vectors of another one cannot be compared with these.
        dimension: d.
    """

    name: str
    dimension: int

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Vectors of length 1, (n, d). Raises `ModelError` where the model fails."""
        ...


class SentenceTransformers:
    """A sentence-transformers model, on the CPU: the GPU belongs to the model that watches."""

    def __init__(self, model: Any, name: str) -> None:
        self._model, self.name = model, name
        self.dimension = int(self._embed([""]).shape[1])

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """See `Embedder`."""
        if not texts:
            return np.zeros((0, self.dimension), np.float32)
        return self._embed(texts)

    def _embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        try:
            vectors = self._model.encode(
                list(texts), batch_size=BATCH, convert_to_numpy=True, show_progress_bar=False
            )
        except (RuntimeError, ValueError, TypeError, LookupError) as e:  # foreign code
            raise ModelError(f"memory.embedder: {self.name} fails: {one_line(e, 200)}") from e
        vectors = np.asarray(vectors, np.float32)
        return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)


def load_embedder(folder: str) -> Embedder:
    """The model in a folder.

    Raises:
        ConfigError: there is no such folder, or it holds no sentence-transformers model.
        ModelError: the package is not installed, or it cannot load the model.
    """
    try:
        path = Path(folder).expanduser()
    except RuntimeError as e:
        raise ConfigError(f"memory.embedder: {folder}: there is no such user") from e
    if not (path / MODULES).is_file():
        what = f"holds no {MODULES}" if path.is_dir() else "is no folder"
        raise ConfigError(
            f"memory.embedder: {folder} {what}; name the folder of a sentence-transformers model"
        )
    try:
        from sentence_transformers import SentenceTransformer
    except ImportError as e:
        raise ModelError(
            f"memory.embedder needs sentence-transformers ({one_line(e)}):"
            f" {how_to_install('memory')}"
        ) from e
    try:
        model = SentenceTransformer(str(path), device="cpu", local_files_only=True)
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, ImportError) as e:
        raise ModelError(f"memory.embedder: {folder} cannot be loaded: {one_line(e, 200)}") from e
    return SentenceTransformers(model, _name(path))


def _name(path: Path) -> str:
    """A name that is another one when the model is another one: of its folder and its weights'
    first bytes and sizes."""
    digest = hashlib.sha256()
    for file in sorted(path.rglob("*")):
        if file.suffix in (".safetensors", ".bin", ".json"):
            digest.update(f"{file.relative_to(path)} {file.stat().st_size}".encode())
            with file.open("rb") as f:
                digest.update(f.read(65_536))
    return f"{path.resolve().name}-{digest.hexdigest()[:12]}"
