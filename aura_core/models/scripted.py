"""A deterministic backend without torch, for tests of the engine and of what surrounds it.

It reads the same tokens that a model would get. The session keeps them all, finds the newest chunk
and what was said in it so far, asks its script what to say there, and makes the logits accordingly.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from aura_core.errors import StreamError
from aura_core.models.backend import Around, ChatFormat, Piece, Video
from aura_core.models.byte_tokenizer import BYTES, END, SILENT, SPECIALS, START, ByteTokenizer
from aura_core.models.tool_form import HERMES
from aura_core.types import Chunk

VOCABULARY = BYTES + len(SPECIALS)


@dataclass(frozen=True)
class VisualToken:
    """A visual token of a chunk, and what the script may know of its frames."""

    chunk: int
    brightness: int  # mean of all pixels, 0..255
    digest: int  # of all bytes


@dataclass(frozen=True)
class Moment:
    """What a script decides on.

    `now` is the newest chunk, `question` the question asked in it, `before` the chunk in view
    before it, `words` all text in view.
    """

    now: VisualToken
    question: str
    before: VisualToken | None
    words: str = field(compare=False)


Say = Callable[[Moment], str | None]


def describe_brightness(moment: Moment) -> str | None:
    """The default script: answers questions, and speaks when the brightness changes."""
    b = moment.now.brightness
    if moment.question:
        return f"You asked: {moment.question} The brightness is {b}."
    if moment.before is not None and abs(b - moment.before.brightness) >= 40:
        return f"The brightness changed to {b}."
    return None


class ScriptedSession:
    """Keeps every token, and counts what is done to it.

    `tokens` are ids, and a `VisualToken` for each visual token.
    """

    def __init__(self, say: Say) -> None:
        self.tokens: list[int | VisualToken] = []
        self.forwards = 0
        self.rollbacks: list[int] = []
        self._say = say

    @property
    def length(self) -> int:
        """Number of tokens."""
        return len(self.tokens)

    def prefill(
        self, pieces: Sequence[Piece], wanted: Sequence[int] | None = None
    ) -> NDArray[np.float32]:
        """Append `pieces`; float32 logits (vocabulary,) that follow the script."""
        self.warm(pieces)
        return self._logits()

    def warm(self, pieces: Sequence[Piece]) -> None:
        """Append `pieces`."""
        if sum(len(p) for p in pieces) == 0:
            raise StreamError("a prefill needs at least one token")
        for piece in pieces:
            self.tokens += [piece.features] * len(piece) if isinstance(piece, Video) else piece.ids
        self.forwards += 1

    def rollback(self, length: int) -> None:
        """Forget everything after the first `length` tokens."""
        if not 0 <= length <= self.length:
            raise StreamError(
                f"cannot roll back to {length} tokens: the session holds {self.length}"
            )
        self.rollbacks.append(length)
        del self.tokens[length:]

    def evict(self, first: int, end: int) -> None:
        """Forget tokens `first`..`end`."""
        del self.tokens[first:end]

    def _logits(self) -> NDArray[np.float32]:
        header = len(self.tokens) - 1 - self.tokens[::-1].index(START)
        newline = self.tokens.index(ord("\n"), header)
        said = [t for t in self.tokens[newline + 1 :] if isinstance(t, int)]
        seen = [i for i, t in enumerate(self.tokens) if isinstance(t, VisualToken)]
        now = self.tokens[seen[-1]]
        assert isinstance(now, VisualToken)
        question = [t for t in self.tokens[seen[-1] + 1 : header] if isinstance(t, int) and t < 256]
        earlier = [
            t
            for t in (self.tokens[i] for i in seen)
            if isinstance(t, VisualToken) and t.chunk != now.chunk
        ]
        words = bytes(t for t in self.tokens if isinstance(t, int) and t < 256)
        asked = bytes(question).decode().strip()
        before = earlier[-1] if earlier else None
        text = self._say(Moment(now, asked, before, words.decode(errors="ignore")))
        script = [SILENT] if text is None else list(text.encode())
        rest = script[len(said) :] if script[: len(said)] == said else []
        logits = np.zeros(VOCABULARY, np.float32)
        # Different frames get different p(silent).
        logits[rest[0] if rest else END] = 9.0 + now.digest % 1000 / 1000
        return logits


class ScriptedBackend:
    """A backend that says what its script says.

    Args:
        script: words by chunk index, where other chunks are silent; or a function of the `Moment`;
            None: `describe_brightness`.
        grid: rows and columns of visual tokens of a chunk.
    """

    trouble = ""

    def __init__(
        self, script: Mapping[int, str] | Say | None = None, grid: tuple[int, int] = (2, 2)
    ) -> None:
        self.name = "scripted"
        self.description = "scripted: no model, says what its script says"
        self.tokenizer = ByteTokenizer()
        self.chat = ChatFormat(
            system=("<|im_start|>system\n", "<|im_end|>\n"),
            user=("<|im_start|>user\n", "<|im_end|>\n"),
            assistant=("<|im_start|>assistant\n", "<|im_end|>\n"),
            chunk=Around(("<|vision_start|>", "<|vision_end|>")),
            silent_id=SILENT,
            end_id=END,
            system_prompt="scripted",
            trained_to_decide=True,
            tools=HERMES,
        )
        self.grid = grid
        self.context: int | None = None
        self.encodes: list[int] = []  # chunk indices, in the order in which they were encoded
        self.sessions: list[ScriptedSession] = []
        if isinstance(script, Mapping):
            self._say: Say = lambda moment: script.get(moment.now.chunk)
        else:
            self._say = script or describe_brightness

    def encode(self, chunk: Chunk) -> Video:
        """The chunk as `grid` visual tokens."""
        self.encodes.append(chunk.index)
        images = [np.ascontiguousarray(f.image) for f in chunk.frames]
        digest = hashlib.sha256(b"".join(i.tobytes() for i in images)).digest()
        brightness = round(sum(float(i.mean()) for i in images) / len(images))
        return Video(VisualToken(chunk.index, brightness, int.from_bytes(digest[:6])), self.grid)

    def open(self) -> ScriptedSession:
        """A new, empty session; it is kept in `sessions`."""
        self.sessions.append(ScriptedSession(self._say))
        return self.sessions[-1]
