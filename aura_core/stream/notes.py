"""Taking notes: when a block of video closes, the model is asked in idle time what happened in it.

This tells what the engine needs of a memory, too; `aura_core/live/memory.py` has it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

from aura_core.memory.form import MemoryForm
from aura_core.memory.words import continued
from aura_core.stream.asides import Aside, Asides
from aura_core.types import Chunk, Evidence, Frame, Query

GAP_CHUNKS = 5  # seconds without a picture that are a note of their own


@dataclass(frozen=True, eq=False)
class Block:
    """The video that one note is about. It may begin before the end of the block before.

    `first` and `last` are indices of chunks, `begin_ns` and `end_ns` stamps, `wall_ns` the wall
    clock when it closed. `frames` are pictures of it, in order; at least the newest.
    """

    first: int
    last: int
    begin_ns: int
    end_ns: int
    wall_ns: int
    frames: tuple[Frame, ...] = field(repr=False)

    @property
    def chunks(self) -> int:
        """Its length in seconds."""
        return self.last - self.first + 1

    def after(self, earlier: Block) -> Block:
        """Both as one block."""
        frames = (*earlier.frames, *self.frames)
        return replace(self, first=earlier.first, begin_ns=earlier.begin_ns, frames=frames)


@dataclass(frozen=True)
class Request:
    """What a memory asks the model in idle time: text, most tokens of the answer, who takes it."""

    text: str
    tokens: int
    done: Callable[[str], None]

    def aside(self) -> Aside:
        """The request as one that is no part of the conversation."""
        return Aside(lambda: self.text, self.tokens, self.done)


@dataclass(frozen=True)
class Remembered:
    """What memory tells about a question.

    Attributes:
        text: stands before the question; "": memory is not asked.
        question: the question as the model gets it.
        evidence: the notes in `text`.
        pictures: are shown before, each with its caption.
        answered: called with the answer.
        ask: what the model is asked in idle time, once the question is answered.
    """

    text: str
    question: str
    evidence: tuple[Evidence, ...] = ()
    pictures: tuple[tuple[Frame, str], ...] = ()
    answered: Callable[[str], None] | None = None
    ask: Request | None = None


class Memory(Protocol):
    """What the engine needs of a memory. Nothing of it raises: a memory that fails says so to its
    host, and the engine goes on without it."""

    @property
    def writes(self) -> bool:
        """Whether the model is asked for notes now."""
        ...

    @property
    def paused(self) -> bool:
        """Whether nothing may be noted now, because somebody asked for it."""
        ...

    @property
    def pictures(self) -> bool:
        """Whether a block keeps the pictures of all its chunks; else it has the newest one."""
        ...

    @property
    def note_tokens(self) -> int:
        """Most tokens of a note."""
        ...

    @property
    def prefix_tokens(self) -> int:
        """Most tokens of `before`."""
        ...

    @property
    def language(self) -> str:
        """ "en" or "zh": in which notes are written now."""
        ...

    def block_chunks(self, form: MemoryForm) -> int:
        """Length of a block in chunks."""
        ...

    def wall_ns(self, stamp_ns: int) -> int:
        """The wall-clock time of a stamp that is now."""
        ...

    def before(self) -> str:
        """The notes that stand before the video, as they are now; "" for none."""
        ...

    def prepare(self) -> None:
        """Make the text of `before` ready, in idle time."""
        ...

    def recall(self, query: Query, chunk: Chunk) -> Remembered:
        """What is remembered for a question that is asked in a chunk."""
        ...

    def said(self, text: str) -> str:
        """The words of an answer, with the names that the user has given."""
        ...

    def closed(self, block: Block) -> bool:
        """A block has closed. Returns whether somebody else writes its note."""
        ...

    def missed(self, begin_ns: int, end_ns: int) -> None:
        """No picture was seen between two stamps, for at least `GAP_CHUNKS` seconds."""
        ...

    def wrote(self, block: Block, text: str) -> None:
        """The model has written a note; "": nothing is new."""
        ...

    def merging(self) -> Request | None:
        """Notes that are to be merged now; None where there are none, or rules merge them."""
        ...


class NoteTaker:
    """Watches blocks close, and asks for their notes.

    Args:
        memory: takes the notes.
        form: how the model is asked.
        asides: answers requests in idle time.
        keep: least chunks that the window holds: a block is no longer.
        most: most chunks that the window holds: several blocks in one note are no longer.
    """

    def __init__(
        self, memory: Memory, form: MemoryForm, asides: Asides, keep: int, most: int
    ) -> None:
        self._memory, self._form, self._asides = memory, form, asides
        self._chunks, self._most = max(1, min(memory.block_chunks(form), keep)), most
        self._block: Block | None = None  # is being filled
        self._first = 0  # the first chunk of it that no block before has
        self._overlap = max(0, min(round(form.overlap_s), keep - self._chunks))
        self._lately: deque[Block] = deque()  # the newest chunks, each as a block
        self._told: tuple[int, str] | None = None  # the newest note: its last chunk, and its text
        self._newest = -1
        self._seen_ns: int | None = None  # stamp of the newest chunk's end
        self._waiting: tuple[Aside, Block] | None = None
        self._merging = False  # the model is asked to merge notes

    def saw(self, chunk: Chunk) -> None:
        """Take the newest chunk of the window; a chunk that was seen before changes nothing."""
        if chunk.index <= self._newest:
            return
        gap, self._newest = chunk.index - self._newest - 1, chunk.index
        if self._seen_ns is not None and gap >= GAP_CHUNKS:
            self._memory.missed(min(self._seen_ns, chunk.start_ns), chunk.start_ns)
        self._seen_ns = chunk.end_ns
        if self._memory.paused:  # no later note tells of this time
            self._give_up()
            self._block = None
            self._lately.clear()
            return
        now_ns = self._memory.wall_ns(chunk.stamp_ns)
        one = Block(
            chunk.index, chunk.index, chunk.start_ns, chunk.end_ns, now_ns, chunk.frames[-1:]
        )
        block = self._block
        # Stamps that jump make a block that cannot be told in time: it begins anew.
        before = block or (self._lately[-1] if self._lately else None)
        if before is not None and not 0 <= one.begin_ns - before.end_ns < 2**62:
            block = None
            self._lately.clear()
        while self._lately and self._lately[0].first < chunk.index - self._overlap:
            self._lately.popleft()
        if block is None:
            self._first = chunk.index
            block = self._lately[0] if self._lately and not self._memory.pictures else None
        self._block = one if block is None else one.after(block)
        self._lately.append(one)
        if not self._memory.pictures:
            self._block = replace(self._block, frames=one.frames)
        if chunk.index - self._first + 1 >= self._chunks:
            self._close(self._block)
            self._block = None

    def _give_up(self) -> Block | None:
        """Ask for the note that waits no more, and return its block."""
        if self._waiting is None:
            return None
        (job, block), self._waiting = self._waiting, None
        self._asides.drop(job)
        return block

    def _close(self, block: Block) -> None:
        earlier = self._give_up()
        if earlier is not None:  # the model was too slow: one note about both
            together = block.after(earlier)
            if together.chunks <= self._most:
                block = replace(together, frames=block.frames)
        if not self._memory.writes or self._memory.closed(block):
            return

        def request() -> str:
            seconds = self._newest - block.first + 1
            return _in(self._form.note, self._memory.language).format(seconds=seconds)

        def done(text: str) -> None:
            self._waiting = None
            before, self._told = self._told, (block.last, text)
            if before is not None and before[0] >= block.first:
                text = continued(before[1], text)
            self._memory.wrote(block, text)
            self._merge()
            self._memory.prepare()

        job = Aside(request, self._memory.note_tokens, done)
        self._waiting = job, block
        self._asides.add(job)

    def _merge(self) -> None:
        """Have older notes merged, one span of time after the other."""
        if self._merging or (merge := self._memory.merging()) is None:
            return
        self._merging = True

        def done(text: str) -> None:
            self._merging = False
            merge.done(text)

        self._asides.add(replace(merge, done=done).aside())


def _in(texts: Mapping[str, str], language: str) -> str:
    """The text in a language; in English where it is not there."""
    return texts.get(language) or texts["en"]
