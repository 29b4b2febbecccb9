"""Offline samples: questions with answers about pictures, a whole video, or nothing but text.

AURA mixes 59,000 of them with its streaming samples, so that a model does not forget what it could
do (arXiv 2604.04184). Nothing in them happens at a time: all pictures of a turn stand before its
words, or between them, in one user turn. A picture is shown as a chunk whose frames are all this
picture, and a video as chunks, so that the model sees them in the form of its stream.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from aura_core.errors import InputError
from aura_core.models.backend import Piece, Seen, Tokens
from aura_core.stream.prefix import Prefix
from aura_core.stream.prompt import PromptCodec

STAGE = "offline"  # the folder of a run that holds them


@dataclass(frozen=True)
class Medium:
    """A picture, or a video as a prepared clip.

    `path` is relative to the run folder. `chunks` are the seconds of the clip that are shown; empty
    for a picture.
    """

    path: str
    chunks: tuple[int, ...]
    width: int  # pixels
    height: int


@dataclass(frozen=True)
class Part:
    """A part of a question: words, or with `text` None, the medium of this index."""

    text: str | None
    medium: int


@dataclass(frozen=True)
class Round:
    """A question in parts, and its answer."""

    question: tuple[Part, ...]
    answer: str

    @property
    def text(self) -> str:
        """The words of the question."""
        return " ".join(p.text for p in self.question if p.text is not None)


@dataclass(frozen=True)
class Offline:
    """One offline sample: all answers are supervised.

    `source` is the file and line that it was read from. `system` empty: no system text. Raises
    ValueError for a contradiction.
    """

    VERSION: ClassVar[int] = 1
    id: str
    source: str
    system: str
    media: tuple[Medium, ...]
    rounds: tuple[Round, ...]

    def __post_init__(self) -> None:
        if not self.rounds or any(not r.answer.strip() or not r.question for r in self.rounds):
            raise ValueError("an offline sample needs questions with answers")
        shown = [p.medium for r in self.rounds for p in r.question if p.text is None]
        if sorted(shown) != list(range(len(self.media))):
            raise ValueError(f"media {shown} are shown, there are {len(self.media)}; each once")


def pieces_of(
    sample: Offline, codec: PromptCodec, seen: Callable[[int], list[Seen]]
) -> list[tuple[list[Piece], tuple[int, ...]]]:
    """Return for each round the pieces before its answer, and the token ids of the answer.

    The first round begins with the head. After its answer stands `codec.assistant(ids)`.

    Args:
        seen: by index of a medium, its chunks.

    Raises `InputError` for an answer that the tokenizer knows no word of.
    """
    c = codec.chat
    out = []
    pieces: list[Piece] = [codec.head(Prefix(sample.system))]
    for turn in sample.rounds:
        text = c.user[0]
        for part in turn.question:
            if part.text is not None:
                text += c.ask + codec.plain(part.text)
                continue
            for chunk in seen(part.medium):
                for run in c.chunk.parts(chunk):
                    if isinstance(run, str):
                        text += run
                        continue
                    pieces += [Tokens(tuple(codec.tokenizer.encode(text))), run] if text else [run]
                    text = ""
        header = codec.tokenizer.encode(text + c.user[1] + c.assistant[0])
        pieces.append(Tokens((*header, *codec.lead.ids)))
        ids = codec.answer_ids(turn.answer.strip())
        if not codec.text(ids):
            raise InputError(f"{sample.id}: the tokenizer knows no word of '{turn.answer:.60}'")
        out.append((pieces, ids))
        pieces = []
    return out
