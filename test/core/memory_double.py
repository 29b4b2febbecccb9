"""A memory that keeps what it is told, and tells what it is given."""

from __future__ import annotations

from aura_core.memory.form import MemoryForm
from aura_core.stream.notes import Block, Remembered, Request
from aura_core.types import Chunk, Query


class MemoryDouble:
    def __init__(self, block: int = 4, before: str = "", told: Remembered | None = None) -> None:
        self.block, self.text, self.told = block, before, told
        self.writes, self.note_tokens, self.prefix_tokens, self.language = True, 5, 0, "en"
        self.elsewhere = self.paused = False
        self.pictures = True
        self.prepared = 0
        self.merges: list[Request] = []
        self.notes: list[tuple[Block, str]] = []
        self.gaps: list[tuple[int, int]] = []
        self.asked: list[tuple[str, int]] = []

    def block_chunks(self, form: MemoryForm) -> int:
        return self.block

    def wall_ns(self, stamp_ns: int) -> int:
        return stamp_ns

    def before(self) -> str:
        return self.text

    def prepare(self) -> None:
        self.prepared += 1

    def recall(self, query: Query, chunk: Chunk) -> Remembered:
        self.asked.append((query.text, chunk.stamp_ns))
        return self.told or Remembered("", query.text)

    def closed(self, block: Block) -> bool:
        return self.elsewhere

    def missed(self, begin_ns: int, end_ns: int) -> None:
        self.gaps.append((begin_ns, end_ns))

    def wrote(self, block: Block, text: str) -> None:
        self.notes.append((block, text))

    def merging(self) -> Request | None:
        return self.merges.pop(0) if self.merges else None

    def said(self, text: str) -> str:
        return text.replace("a red cube", "your toy")
