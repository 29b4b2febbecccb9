"""What the engine needs of a model. Everything in `stream/` talks to these protocols, never to
torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from aura_core.types import Chunk

DEFAULT_SYSTEM_PROMPT = (
    "You are watching a live video stream; the newest frame is now. Speak only when the user's"
    " message or what you see calls for it. Otherwise output <|silent|>."
)


@dataclass(frozen=True)
class Tokens:
    """A run of text token ids."""

    ids: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True, eq=False)
class Video:
    """A run of visual tokens: an encoded chunk, or one of the `Pictures` that a chunk is.

    `features` belongs to the backend; `grid` is (rows, columns) of visual tokens.
    """

    features: Any
    grid: tuple[int, int]

    def __len__(self) -> int:
        return self.grid[0] * self.grid[1]


@dataclass(frozen=True, eq=False)
class Pictures:
    """An encoded chunk that stands in the prompt as several runs, with text between them."""

    runs: tuple[Video, ...]

    def __len__(self) -> int:
        return sum(len(run) for run in self.runs)


Piece = Tokens | Video  # of a prompt
Seen = Video | Pictures  # an encoded chunk


def seen(features: Sequence[Any], grids: Sequence[tuple[int, int]]) -> Seen:
    """The encoded chunk of one or several runs."""
    runs = tuple(Video(f, g) for f, g in zip(features, grids, strict=True))
    return runs[0] if len(runs) == 1 else Pictures(runs)


class ChunkFormat(Protocol):
    """The text around a chunk's visual tokens."""

    def parts(self, seen: Seen) -> Sequence[str | Video]:
        """What the chunk is in the prompt: text, run, text, run, ..., text. Texts may be empty."""
        ...

    def stand_in(self, features: Any) -> Seen:
        """A chunk for the prompt alone, each of its runs one visual token with these features."""
        ...


@dataclass(frozen=True)
class Around:
    """The same texts around each chunk: one before its first run, one after each run."""

    texts: tuple[str, ...]

    def parts(self, seen: Seen) -> list[str | Video]:
        """See `ChunkFormat`. Raises `ValueError` where the runs are not one fewer than texts."""
        runs = seen.runs if isinstance(seen, Pictures) else (seen,)
        out: list[str | Video] = [self.texts[0]]
        for run, text in zip(runs, self.texts[1:], strict=True):
            out += [run, text]
        return out

    def stand_in(self, features: Any) -> Seen:
        """See `ChunkFormat`."""
        runs = len(self.texts) - 1
        return seen([features] * runs, [(1, 1)] * runs)


class Tokenizer(Protocol):
    """Text to ids and back. `encode` recognises special tokens written out in the text."""

    def encode(self, text: str) -> list[int]: ...

    def decode(self, ids: Sequence[int]) -> str: ...


@dataclass(frozen=True)
class ChatFormat:
    """The checkpoint's chat template, taken apart: what stands around each kind of content.

    `chunk` says what a chunk is between the two parts of a user turn. `silent_id` equals `end_id`
    for a checkpoint without a silent token: then an empty turn is silence.
    """

    system: tuple[str, str]
    user: tuple[str, str]
    assistant: tuple[str, str]
    chunk: ChunkFormat
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
        """Cut tokens `first`..`end` out of the cache and re-rotate the later keys, so that their
        positions close the gap.

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

    def encode(self, chunk: Chunk) -> Seen:
        """Run the vision encoder on one chunk, all of it and nothing else."""
        ...

    def open(self) -> Session:
        """A new, empty session."""
        ...
