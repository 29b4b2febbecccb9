"""A picture of what was remembered: a row for each stretch of time, with notes, pictures and talk.

    09:00  ▏ ▎▏▎  ▏  ▎▏▎▎        ◆     a mark for each note, question, alert and loss of the camera
           [thumbnail] [thumbnail]     the notes with most to tell, with their words
           09:14  when did the cat come?  2 hours ago

Times are those of the notes' wall clock. Stretches without notes take one thin line.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, tzinfo
from pathlib import Path

from PIL import Image, ImageDraw, UnidentifiedImageError

from aura_core.errors import InputError
from aura_core.live.lettering import Colour, Text
from aura_core.memory.notes import Note, NoteKind
from aura_core.memory.times import local

WIDTH, EDGE, LEFT = 1600, 24, 104  # pixels; LEFT: where the timelines begin
MOST_ROWS = 14
STEPS_MIN = (5, 10, 15, 30, 60, 120, 240, 480, 1440, 2880, 10_080, 43_200)
FILM = 8  # pictures of a row
FILM_WORDS = 4  # lines of words below a picture
TALK = 6  # questions and alerts of a row that are written out
TRACK, THUMB, LINE = 30, 112, 21  # heights in pixels
SIZE, SMALL, TITLE = 15, 13, 24  # of letters

BACK: Colour = (250, 250, 247)
INK: Colour = (38, 42, 51)
GREY: Colour = (128, 134, 145)
RULE: Colour = (222, 224, 226)
WELL: Colour = (236, 238, 240)
RIGHT: Colour = (40, 128, 72)
WRONG: Colour = (190, 48, 40)
COLOURS: dict[NoteKind, Colour] = {
    NoteKind.SEEN: (74, 120, 176),
    NoteKind.QUESTION: (196, 128, 22),
    NoteKind.ALERT: (206, 66, 54),
    NoteKind.CAMERA: (110, 110, 118),
    NoteKind.RUN: (64, 150, 92),
    NoteKind.NAME: (136, 88, 168),
}
WORDS = {
    NoteKind.SEEN: "seen",
    NoteKind.QUESTION: "question",
    NoteKind.ALERT: "alert",
    NoteKind.CAMERA: "camera lost",
    NoteKind.RUN: "start or end",
    NoteKind.NAME: "name",
}


@dataclass
class _Row:
    """One stretch of time and its notes, oldest first."""

    begins: datetime
    ends: datetime
    notes: list[Note] = field(default_factory=list)


def draw(
    notes: Sequence[Note],
    title: str,
    tz: tzinfo | None = None,
    truths: Mapping[str, str] | None = None,
) -> Image.Image:
    """The picture of these notes, RGB.

    Args:
        notes: in any order; with thumbnails, where there are any.
        title: stands above.
        tz: time zone of the clock; None: this machine's.
        truths: what ought to have been answered, by the id of the question; then answers are
            coloured, and what is wrong is corrected.
    """
    ordered = sorted(notes, key=lambda n: (n.wall_ns, n.id))
    rows = _rows(ordered, tz)
    height = EDGE + 66 + sum(_height(row) for row in rows) + EDGE
    picture = Image.new("RGB", (WIDTH, height), BACK)
    pen = ImageDraw.Draw(picture)
    _heading(pen, ordered, title)
    top = EDGE + 66
    for row in rows:
        _draw_row(picture, pen, row, top, tz, truths or {})
        top += _height(row)
    if not rows:
        Text(pen, SIZE).write(EDGE, top, "no notes", GREY)
    return picture


def write(
    path: Path,
    notes: Sequence[Note],
    title: str,
    tz: tzinfo | None = None,
    truths: Mapping[str, str] | None = None,
) -> None:
    """Write the picture as PNG. Raises `InputError`."""
    data = io.BytesIO()
    draw(notes, title, tz, truths).save(data, "PNG")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data.getvalue())
    except OSError as e:
        raise InputError(f"{path}: cannot be written: {e.strerror}") from e


# ---- rows --------------------------------------------------------------------------------------


def _rows(notes: Sequence[Note], tz: tzinfo | None) -> list[_Row]:
    """The stretches between the first note and the last; empty ones that follow each other are
    one."""
    if not notes:
        return []
    first, last = (local(n.wall_ns, tz) for n in (notes[0], notes[-1]))
    minutes = (last - first) / timedelta(minutes=1)
    step = next((s for s in STEPS_MIN if minutes / s <= MOST_ROWS - 1), STEPS_MIN[-1])
    midnight = first.replace(hour=0, minute=0, second=0, microsecond=0)
    begins = midnight + (first - midnight) // timedelta(minutes=step) * timedelta(minutes=step)
    rows, left = [], list(notes)
    while left:
        ends = begins + timedelta(minutes=step)
        row = _Row(begins, ends)
        while left and local(left[0].wall_ns, tz) < ends:
            row.notes.append(left.pop(0))
        if not row.notes and rows and not rows[-1].notes:
            rows[-1].ends = ends
        else:
            rows.append(row)
        begins = ends
    return rows


def _height(row: _Row) -> int:
    if not row.notes:
        return LINE + 10
    film = THUMB + 6 + FILM_WORDS * (SMALL + 5) + 8 if _film(row) else 0
    talk = LINE * (min(len(_talk(row)), TALK) + (len(_talk(row)) > TALK))
    return TRACK + 14 + film + talk + 20


def _film(row: _Row) -> list[Note]:
    """The notes that are shown with a picture: those with most to tell, spread over the row."""
    seen = [n for n in row.notes if n.kind is NoteKind.SEEN and n.text]
    if len(seen) <= FILM:
        return seen
    parts = [seen[len(seen) * k // FILM : len(seen) * (k + 1) // FILM] for k in range(FILM)]
    return [max(part, key=lambda n: len(n.text)) for part in parts]


def _talk(row: _Row) -> list[Note]:
    return [n for n in row.notes if n.kind not in (NoteKind.SEEN, NoteKind.RUN) and n.text]


def _heading(pen: ImageDraw.ImageDraw, notes: Sequence[Note], title: str) -> None:
    Text(pen, TITLE).write(EDGE, EDGE + 12, title, INK)
    x, middle, text = float(EDGE), EDGE + 44, Text(pen, SIZE)
    for kind, colour in COLOURS.items():
        count = sum(n.kind is kind for n in notes)
        if count:
            pen.rectangle((x, middle - 7, x + 6, middle + 7), fill=colour)
            x = text.write(x + 12, middle, f"{count} {WORDS[kind]}", GREY) + 24


def _draw_row(
    picture: Image.Image,
    pen: ImageDraw.ImageDraw,
    row: _Row,
    top: int,
    tz: tzinfo | None,
    truths: Mapping[str, str],
) -> None:
    text, small = Text(pen, SIZE), Text(pen, SMALL)
    right, format_of = WIDTH - EDGE, "%a %d %b" if row.ends - row.begins >= DAY else "%H:%M"
    middle = top + TRACK // 2
    if not row.notes:
        text.write(EDGE, middle, row.begins.strftime(format_of), GREY)
        small.write(LEFT, middle, f"until {row.ends.strftime(format_of)} nothing", GREY)
        return
    text.write(EDGE, middle, row.begins.strftime(format_of), INK)
    pen.rectangle((LEFT, top, right, top + TRACK), fill=WELL)

    def place(when: datetime) -> float:
        return LEFT + (right - LEFT) * ((when - row.begins) / (row.ends - row.begins))

    for tick in range(1, 6):
        x = place(row.begins + (row.ends - row.begins) * tick / 6)
        pen.line((x, top, x, top + TRACK), fill=RULE)
    for note in row.notes:
        _mark(pen, note, top, place, tz)
    top += TRACK + 14
    film = _film(row)
    if film:
        _draw_film(picture, pen, film, top, place, tz)
        top += THUMB + 6 + FILM_WORDS * (SMALL + 5) + 8
    talk = _talk(row)
    for note in talk[:TALK]:
        _say(pen, note, top + LINE // 2, right, tz, truths)
        top += LINE
    if len(talk) > TALK:
        small.write(LEFT, top + LINE // 2, f"and {len(talk) - TALK} more", GREY)
    bottom = top + LINE * (len(talk) > TALK) + 9
    pen.line((EDGE, bottom, right, bottom), fill=RULE)


DAY = timedelta(days=1)


def _mark(pen: ImageDraw.ImageDraw, note: Note, top: int, place: object, tz: tzinfo | None) -> None:
    assert callable(place)
    colour, bottom = COLOURS[note.kind], top + TRACK
    x = min(max(place(local(note.wall_ns, tz)), LEFT), WIDTH - EDGE)
    if note.kind is NoteKind.CAMERA:
        begin = max(LEFT, place(local(note.begin_wall_ns, tz)))
        pen.rectangle((min(begin, x - 2), top, x, bottom), fill=colour)
    elif note.kind is NoteKind.SEEN:
        tall = TRACK * min(1.0, 0.35 + len(note.text) / 120)  # more to tell is taller
        pen.rectangle((x - 1, bottom - tall, x + 1, bottom), fill=colour)
    elif note.kind is NoteKind.RUN:
        pen.polygon(((x - 6, top), (x + 6, top), (x, top + 10)), fill=colour)
    else:
        pen.polygon(((x, top - 7), (x + 6, top), (x, top + 7), (x - 6, top)), fill=colour)


def _draw_film(
    picture: Image.Image,
    pen: ImageDraw.ImageDraw,
    film: Sequence[Note],
    top: int,
    place: object,
    tz: tzinfo | None,
) -> None:
    """Pictures side by side, each joined to its mark."""
    assert callable(place)
    slot = (WIDTH - EDGE - LEFT) / FILM
    small = Text(pen, SMALL)
    for k, note in enumerate(film):
        x = LEFT + k * slot
        mark = place(local(note.wall_ns, tz))
        pen.line((mark, top - 13, x + 20, top - 2), fill=COLOURS[NoteKind.SEEN])
        thumbnail, wide = _thumbnail(note), slot - 12
        if thumbnail is not None:
            scale = min(wide / thumbnail.width, THUMB / thumbnail.height)
            size = (max(1, round(thumbnail.width * scale)), max(1, round(thumbnail.height * scale)))
            picture.paste(thumbnail.resize(size), (round(x), top))
        else:
            pen.rectangle((x, top, x + wide, top + THUMB), outline=RULE)
        words_at = top + THUMB + 6 + SMALL // 2
        clock = f"{local(note.shown_wall_ns, tz):%H:%M}"
        indent = small.length(clock) + 6
        small.write(x, words_at, clock, GREY)
        lines = small.wrap(note.text, wide, indent, FILM_WORDS)
        for n, line in enumerate(lines):
            small.write(x + (0 if n else indent), words_at + n * (SMALL + 5), line, INK)


def _thumbnail(note: Note) -> Image.Image | None:
    data = note.thumbnail or note.picture
    if data is None:
        return None
    try:
        return Image.open(io.BytesIO(data)).convert("RGB")
    except (UnidentifiedImageError, OSError):
        return None


def _say(
    pen: ImageDraw.ImageDraw,
    note: Note,
    middle: int,
    right: int,
    tz: tzinfo | None,
    truths: Mapping[str, str],
) -> None:
    """One line: when, what was asked, what was answered."""
    text, small = Text(pen, SIZE), Text(pen, SMALL)
    pen.polygon(
        ((LEFT, middle - 5), (LEFT + 5, middle), (LEFT, middle + 5), (LEFT - 5, middle)),
        fill=COLOURS[note.kind],
    )
    x = small.write(LEFT + 14, middle, f"{local(note.shown_wall_ns, tz):%H:%M}", GREY) + 10
    answer, truth = note.text, truths.get(note.query_id)
    colour = INK if truth is None else RIGHT if truth == note.text else WRONG
    if truth is not None and truth != note.text:
        answer += f"   (true: {truth})"
    if note.question:
        question = text.wrap(note.question, (right - x) * 0.55, most=1)[0]
        x = text.write(x, middle, question, GREY) + 14
    text.write(x, middle, text.wrap(answer, right - x, most=1)[0], colour)
