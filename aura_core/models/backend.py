"""What the engine needs of a model. Everything in `stream/` talks to these protocols, never to
torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from aura_core.types import Chunk


@dataclass(frozen=True)
class Tokens:
    """A run of text token ids."""

    ids: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True, eq=False)
class Video:
    """One encoded chunk. `features` belongs to the backend; `grid` is (rows, columns) of visual
    tokens."""

    features: Any
    grid: tuple[int, int]

    def __len__(self) -> int:
        return self.grid[0] * self.grid[1]


Piece = Tokens | Video


class Tokenizer(Protocol):
    """Text to ids and back. `encode` recognises special tokens written out in the text."""

    def encode(self, text: str) -> list[int]: ...

    def decode(self, ids: Sequence[int]) -> str: ...


@dataclass(frozen=True)
class ChatFormat:
    """The checkpoint's chat template, taken apart: what stands around each kind of content.

    `video_open`/`video_close` stand around the visual tokens; `timestamps` says that the model
    expects the chunk-relative time of the frames before them (Qwen3-VL). `silent_id` equals
    `end_id` for a checkpoint without a silent token: then an empty turn is silence.
    """

    system: tuple[str, str]
    user: tuple[str, str]
    assistant: tuple[str, str]
    video_open: str
    video_close: str
    timestamps: bool
    silent_id: int
    end_id: int
    system_prompt: str
    trained_to_decide: bool


class Session(Protocol):
    """One stream's cache."""

    @property
    def length(self) -> int:
        """Tokens in the cache."""
        ...

    @property
    def forwards(self) -> int:
        """Calls of the language model since the session was opened."""
        ...

    def prefill(self, pieces: Sequence[Piece]) -> NDArray[np.float32]:
        """Append `pieces` and return the float32 logits (vocabulary,) after the last token."""
        ...

    def warm(self, pieces: Sequence[Piece]) -> None:
        """Append `pieces` like `prefill`, but nobody reads the logits: a server may do it in the
        background."""
        ...

    def rollback(self, length: int) -> None:
        """Forget everything after the first `length` tokens, exactly."""
        ...


@runtime_checkable
class Evictable(Protocol):
    """A session that can forget tokens in the middle, as StreamingVLM does (arXiv 2510.09608):
    approximate."""

    def evict(self, first: int, end: int) -> None:
        """Cut tokens `first`..`end` out of the cache and turn the later ones' positions back to
        close the gap.

        What later tokens took over from the cut ones, from the second layer up, stays: exact for
        one layer only.
        """
        ...


class Backend(Protocol):
    """A model that is ready to run."""

    @property
    def name(self) -> str: ...

    @property
    def description(self) -> str:
        """One line: model, device, dtype, attention, how it decides."""
        ...

    @property
    def context(self) -> int | None:
        """Most tokens that a session may hold; None where only the server knows."""
        ...

    @property
    def tokenizer(self) -> Tokenizer: ...

    @property
    def chat(self) -> ChatFormat: ...

    def encode(self, chunk: Chunk) -> Video:
        """Run the vision encoder on one chunk, as exactly one temporal grid."""
        ...

    def open(self) -> Session:
        """A new, empty session."""
        ...
