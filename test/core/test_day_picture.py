"""The picture of what was remembered."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, timedelta, timezone
from pathlib import Path

import numpy as np
import pytest
from memory_rig import S, note
from PIL import Image

from aura_core.errors import InputError
from aura_core.live import day_picture
from aura_core.live.day_picture import COLOURS, RIGHT, WIDTH, WRONG, draw, write
from aura_core.memory.notes import Note, NoteKind
from aura_core.memory.pictures import jpeg

RED = jpeg(np.full((72, 96, 3), (250, 10, 10), np.uint8), 96)


def at(minutes: float, i: int = 0, **more: object) -> Note:
    """A note of that minute after 08:00 UTC."""
    midnight = 1_772_409_600 * S
    wall = midnight + 8 * 3600 * S + round(minutes * 60 * S)
    return replace(note(i or round(minutes * 10)), wall_ns=wall, **more)  # type: ignore[arg-type]


def pixels(image: Image.Image, colour: tuple[int, int, int], slack: int = 0) -> int:
    return int((np.abs(np.asarray(image, int) - colour) <= slack).all(axis=2).sum())


def test_every_kind_of_note_leaves_its_mark() -> None:
    for kind in NoteKind:
        marked = draw([at(0, 1), at(5, 2, kind=kind), at(50, 3)], "a day", UTC)
        assert pixels(marked, COLOURS[kind]) > 20, kind
    plain = draw([at(0, 1), at(50, 3)], "a day", UTC)
    assert pixels(plain, COLOURS[NoteKind.ALERT]) == 0


def test_thumbnails_are_shown_and_broken_ones_are_not() -> None:
    shown = draw([at(0, 1, thumbnail=RED), at(50, 2)], "a day", UTC)
    broken = draw([at(0, 1, thumbnail=b"no picture"), at(50, 2)], "a day", UTC)
    assert pixels(shown, (250, 10, 10), 12) > 10_000
    assert pixels(broken, (250, 10, 10), 12) == 0
    assert shown.size == broken.size


def test_answers_are_compared_with_the_truth() -> None:
    asked = at(
        5, 1, kind=NoteKind.QUESTION, question="did the cat come?", text="yes", query_id="q1"
    )
    notes = [at(0, 2), asked, at(50, 3)]
    none, right, wrong = (
        draw(notes, "a day", UTC, truths) for truths in (None, {"q1": "yes"}, {"q1": "no"})
    )
    assert pixels(none, RIGHT) == pixels(none, WRONG) == 0
    assert pixels(right, RIGHT) > 0 and pixels(right, WRONG) == 0
    assert pixels(wrong, WRONG) > 0 and pixels(wrong, RIGHT) == 0


@pytest.mark.parametrize("hours", [0.01, 1, 12, 24 * 30])
def test_any_length_of_time_is_readable(hours: float) -> None:
    """A minute, an hour, a day, a month: few rows of the same width."""
    notes = [at(m, i + 1) for i, m in enumerate(np.linspace(0, hours * 60, 400))]
    image = draw(notes, "a day", UTC)
    assert image.width == WIDTH
    assert image.height < 6000
    assert len(day_picture._rows(notes, UTC)) <= day_picture.MOST_ROWS + 1


def test_hours_without_notes_take_one_line() -> None:
    notes = [at(0, 1), at(10 * 60, 2)]
    rows = day_picture._rows(notes, UTC)
    assert [len(r.notes) for r in rows] == [1, 0, 1]
    assert (rows[1].begins.hour, rows[1].ends.hour) == (9, 18)
    assert day_picture._height(rows[1]) < day_picture._height(rows[0]) / 3


def test_the_clock_is_that_of_the_time_zone() -> None:
    east = timezone(timedelta(hours=9))
    (row,) = day_picture._rows([at(5, 1)], east)
    assert row.begins.hour == 17


def test_many_questions_are_counted() -> None:
    asked = [at(i, i + 1, kind=NoteKind.QUESTION, question="why?", text="yes") for i in range(4)]
    few, many = draw(asked[:3], "a day", UTC), draw(asked * 5, "a day", UTC)
    assert many.height > few.height
    assert many.height < few.height * 3


def test_odd_notes_are_drawn() -> None:
    """Without notes, with a text of 10,000 words, without a text, and in Chinese."""
    assert draw([], "nothing", UTC).height < 200
    odd = [
        at(0, 1, text="the cat came " * 3000, thumbnail=RED),
        at(1, 2, text=""),
        at(2, 3, text="猫来了；门开了"),
        at(3, 4, kind=NoteKind.QUESTION, question="x" * 9000, text="y" * 9000),
        at(4, 5, kind=NoteKind.CAMERA, begin_ns=-(10**15)),
    ]
    assert draw(odd, "t" * 500, UTC).width == WIDTH


def test_a_picture_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    write(tmp_path / "new" / "day.png", [at(0, 1)], "a day", UTC)
    assert Image.open(tmp_path / "new" / "day.png").size[0] == WIDTH
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be written"):
        write(tmp_path / "file" / "day.png", [at(0, 1)], "a day", UTC)
