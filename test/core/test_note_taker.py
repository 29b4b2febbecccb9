"""Which video a note is asked about, and what of it is told, with a model that answers at will."""

from __future__ import annotations

import numpy as np
import pytest
from memory_double import MemoryDouble

from aura_core.memory.form import MemoryForm
from aura_core.stream.asides import Aside
from aura_core.stream.notes import NoteTaker
from aura_core.types import NS, Chunk, Frame

KEEP, MOST = 10, 20


class Later:
    """Takes requests as `Asides` does; a test answers them."""

    def __init__(self) -> None:
        self.jobs: list[Aside] = []

    def add(self, job: Aside) -> None:
        self.jobs.append(job)

    def drop(self, job: Aside) -> None:
        self.jobs.remove(job)

    def answer(self, text: str = "") -> str:
        job = self.jobs.pop(0)
        asked = job.request()
        job.done(text)
        return asked


def chunk(index: int, later_s: int = 0) -> Chunk:
    begin = (index + later_s) * NS
    image = np.zeros((2, 2, 3), np.uint8)
    return Chunk(index, (Frame(image, begin), Frame(image, begin + NS // 2)), begin, begin + NS)


@pytest.fixture
def memory() -> MemoryDouble:
    memory = MemoryDouble(block=4)
    memory.pictures = False
    return memory


def taker(memory: MemoryDouble, overlap_s: float = 2.0) -> tuple[NoteTaker, Later]:
    form = MemoryForm({"en": "note {seconds:g}"}, overlap_s=overlap_s)
    later = Later()
    return NoteTaker(memory, form, later, KEEP, MOST), later  # type: ignore[arg-type]


def spans(memory: MemoryDouble) -> list[tuple[int, int]]:
    return [(block.first, block.last) for block, _ in memory.notes]


@pytest.mark.parametrize(
    ("overlap_s", "asked", "told"),
    [
        (0.0, ["note 4", "note 4", "note 4"], [(0, 3), (4, 7), (8, 11)]),
        (2.0, ["note 4", "note 6", "note 6"], [(0, 3), (2, 7), (6, 11)]),
        (99.0, ["note 4", "note 8", "note 10"], [(0, 3), (0, 7), (2, 11)]),  # what the window holds
    ],
)
def test_a_note_is_asked_about_the_end_of_the_block_before_too(
    memory: MemoryDouble, overlap_s: float, asked: list[str], told: list[tuple[int, int]]
) -> None:
    notes, later = taker(memory, overlap_s)
    requests = []
    for i in range(13):
        notes.saw(chunk(i))
        if later.jobs:
            requests.append(later.answer())
    assert requests == asked
    assert spans(memory) == told
    assert all(
        b.begin_ns == b.first * NS and b.end_ns == (b.last + 1) * NS for b, _ in memory.notes
    )


def test_what_the_note_before_has_told_is_not_told_again(memory: MemoryDouble) -> None:
    notes, later = taker(memory)
    said = [
        "the cat came; the door opened",
        "the door opened; the lamp went on",
        "the lamp went on",
        "the door opened",
    ]
    for i in range(16):
        notes.saw(chunk(i))
        if later.jobs:
            later.answer(said.pop(0))
    assert [text for _, text in memory.notes] == [
        "the cat came; the door opened",
        "the lamp went on",
        "",  # a note with nothing new closes the block too
        "the door opened",
    ]


def test_blocks_that_only_touch_are_told_as_they_are(memory: MemoryDouble) -> None:
    notes, later = taker(memory, 0.0)
    for i in range(8):
        notes.saw(chunk(i))
        if later.jobs:
            later.answer("the person reached over the table")
    assert [text for _, text in memory.notes] == ["the person reached over the table"] * 2


def test_no_note_reaches_back_before_a_pause(memory: MemoryDouble) -> None:
    notes, later = taker(memory)
    for i in range(14):
        memory.paused = i in (4, 5)
        notes.saw(chunk(i))
        if later.jobs:
            later.answer("the cat came")
    assert spans(memory) == [(0, 3), (6, 9), (8, 13)]
    assert [text for _, text in memory.notes] == ["the cat came", "the cat came", ""]


def test_no_note_reaches_back_over_a_jump_of_the_stamps(memory: MemoryDouble) -> None:
    notes, later = taker(memory)
    for i in range(8):
        notes.saw(chunk(i, later_s=0 if i < 4 else -100))
        if later.jobs:
            later.answer()
    assert spans(memory) == [(0, 3), (4, 7)]


def test_chunks_that_were_lost_do_not_make_the_overlap_longer(memory: MemoryDouble) -> None:
    notes, later = taker(memory)
    for i in (0, 1, 2, 3, 9, 10, 11, 12):
        notes.saw(chunk(i))
        if later.jobs:
            later.answer()
    assert spans(memory) == [(0, 3), (9, 12)]


def test_a_writer_that_gets_pictures_gets_those_of_the_block_alone() -> None:
    memory = MemoryDouble(block=4)
    notes, later = taker(memory)
    for i in range(8):
        notes.saw(chunk(i))
        if later.jobs:
            later.answer()
    assert spans(memory) == [(0, 3), (4, 7)]
    assert [len(block.frames) for block, _ in memory.notes] == [4, 4]


def test_a_model_that_is_late_is_asked_about_both_blocks_and_what_is_before(
    memory: MemoryDouble,
) -> None:
    notes, later = taker(memory)
    for i in range(16):
        notes.saw(chunk(i))
        if i in (3, 12):
            later.answer("the cat came")
    later.answer("the cat came; the door opened")
    assert spans(memory) == [(0, 3), (2, 11), (10, 15)]
    assert [text for _, text in memory.notes] == ["the cat came", "", "the door opened"]
