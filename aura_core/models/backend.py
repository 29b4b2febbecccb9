"""What the engine needs of a model. `stream/` uses these protocols and never torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from aura_core.memory.form import PLAIN, MemoryForm
from aura_core.models.grammar import DecisionGrammar
from aura_core.models.tool_form import ToolForm
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
    """A run of visual tokens: an encoded chunk, or one picture of `Pictures`.

    `features` belong to the backend. `grid` is (rows, columns) of visual tokens.
    """

    features: Any
    grid: tuple[int, int]

    def __len__(self) -> int:
        return self.grid[0] * self.grid[1]


@dataclass(frozen=True, eq=False)
class Pictures:
    """An encoded chunk of several runs of visual tokens, with text between them."""

    runs: tuple[Video, ...]

    def __len__(self) -> int:
        return sum(len(run) for run in self.runs)


Piece = Tokens | Video  # a piece of a prompt
Seen = Video | Pictures  # an encoded chunk


def seen(features: Sequence[Any], grids: Sequence[tuple[int, int]]) -> Seen:
    """The encoded chunk that consists of one or several runs."""
    runs = tuple(Video(f, g) for f, g in zip(features, grids, strict=True))
    return runs[0] if len(runs) == 1 else Pictures(runs)


class ChunkFormat(Protocol):
    """The text around a chunk's visual tokens."""

    def parts(self, seen: Seen) -> Sequence[str | Video]:
        """The chunk in the prompt: text, run, text, run, ..., text. Texts may be empty."""
        ...

    def stand_in(self, features: Any) -> Seen:
        """A chunk for its prompt alone: each run is one visual token with these features."""
        ...


@dataclass(frozen=True)
class Around:
    """The same texts around each chunk: one before its first run, one after each run."""

    texts: tuple[str, ...]

    def parts(self, seen: Seen) -> list[str | Video]:
        """See `ChunkFormat`. Raises `ValueError` unless there is one text more than runs."""
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
    """Text to token ids and back.

    `encode` recognises special tokens in the text. `plain` changes a text from outside so that
    `encode` finds none in it; a text without them stays as it is.
    """

    def encode(self, text: str) -> list[int]: ...

    def decode(self, ids: Sequence[int]) -> str: ...

    def plain(self, text: str) -> str: ...

    def written(self, ids: Sequence[int]) -> str:
        """Text of ids with special tokens written out."""
        ...


@dataclass(frozen=True)
class ChatFormat:
    """The checkpoint's chat template as strings: the text before and after each kind of content.

    `chunk` tells what a chunk looks like inside a user turn. For a checkpoint without a silent
    token, `silent_id` equals `end_id`: then an empty turn means silence. With a `grammar`,
    `silent_id` is its first token that means silence.

    `begin`, `ask` and `lead` are empty in most templates. `begin` stands before a conversation that
    has no system text. `ask` stands before a question in its turn. `lead` is a blank that the model
    writes before an answer, and so stands before an answer that comes as text.
    """

    system: tuple[str, str]
    user: tuple[str, str]
    assistant: tuple[str, str]
    chunk: ChunkFormat
    silent_id: int
    end_id: int
    system_prompt: str
    trained_to_decide: bool
    tools: ToolForm | None = None  # how tools are called; None: the template tells no form
    grammar: DecisionGrammar | None = None  # markers; None: the silent token alone
    # An empty thought that stands between the assistant header and an answer while it is made. The
    # template leaves it out of earlier turns. "": the model does not think first.
    thought: str = ""
    begin: str = ""
    ask: str = ""
    lead: str = ""
    memory: MemoryForm = PLAIN  # how notes are asked for, and shown


def deciding(tokenizer: Tokenizer, chat: ChatFormat) -> str:
    """How a checkpoint decides, as a part of its description."""
    if not chat.trained_to_decide:
        thought = ", without a thought" if chat.thought else ""
        return f"not trained to be silent: asked yes or no each second{thought}"
    if chat.grammar is not None:
        return f"decides by {', '.join(chat.grammar.form.markers)}"
    return f"decides by {tokenizer.written([chat.silent_id])}"


class Session(Protocol):
    """The cache of one stream."""

    @property
    def length(self) -> int:
        """Number of tokens in the cache."""
        ...

    @property
    def forwards(self) -> int:
        """Calls of the language model since the session was opened."""
        ...

    def prefill(
        self, pieces: Sequence[Piece], wanted: Sequence[int] | None = None
    ) -> NDArray[np.float32]:
        """Append `pieces`, and return the float32 logits (vocabulary,) after the last token.

        `wanted`: the caller reads the logits of these ids only, and appends no token to them. It
        lets a server make one token, and tell just these.
        """
        ...

    def warm(self, pieces: Sequence[Piece]) -> None:
        """Append `pieces` without logits. A served model may do this in the background."""
        ...

    def rollback(self, length: int) -> None:
        """Forget everything after the first `length` tokens, exactly."""
        ...


@runtime_checkable
class Evictable(Protocol):
    """A session that can cut tokens out of the middle of its cache.

    As StreamingVLM does (arXiv 2510.09608). Approximate.
    """

    def evict(self, first: int, end: int) -> None:
        """Cut tokens `first`..`end` out of the cache, and re-rotate the later keys.

        The positions of the later tokens close the gap. From the second layer on, these tokens keep
        what they took over from the tokens that were cut. So the result is exact for a model of one
        layer only.
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
    def trouble(self) -> str:
        """What is wrong with the model and lasts, although it decides; "" where all is well.

        It stays the same while it lasts. Read from any thread.
        """
        ...

    @property
    def tokenizer(self) -> Tokenizer: ...

    @property
    def chat(self) -> ChatFormat: ...

    def encode(self, chunk: Chunk) -> Seen:
        """Run the vision encoder on one chunk."""
        ...

    def open(self) -> Session:
        """A new, empty session."""
        ...
