"""Notes found by meaning: what an embedder is, and the adapter for sentence-transformers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class Embedder(Protocol):
    """Makes vectors of texts. Texts of like meaning have a large dot product.

    Attributes:
        name: of the model: vectors of another one cannot be compared with these.
        dimension: d.
    """

    name: str
    dimension: int

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Vectors of length 1, (n, d)."""
        ...
