"""`aura memory`: look into the notes of an assistant, search them, and delete them."""

from __future__ import annotations

import json
import os
import stat
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from aura_core.cli.show import one_line
from aura_core.errors import InputError, StoreError
from aura_core.memory.notes import Note, NoteKind

if TYPE_CHECKING:
    from aura_core.memory.store import Stats, Store

app = typer.Typer(help="Look into the notes of an assistant.", no_args_is_help=True)

File = Annotated[
    Path | None,
    typer.Option(
        "--file", help="the file of memory.path; without it that of `auto`, of assistant_node"
    ),
]
Since = Annotated[
    str | None,
    typer.Option(
        "--since", help="a date, a time or words: 2026-03-01, '9:30', 'yesterday', '2 hours ago'"
    ),
]
Until = Annotated[str | None, typer.Option("--until", help="the same; the end is not included")]
Json = Annotated[bool, typer.Option("--json", help="print one JSON object a line")]
Kinds = Annotated[
    list[NoteKind] | None, typer.Option("--kind", help="only notes of this kind; repeatable")
]


@app.callback()
def _memory() -> None:
    """Look into the notes of an assistant, while it runs or not."""


@app.command("list")
def list_(
    since: Since = None,
    until: Until = None,
    kind: Kinds = None,
    limit: Annotated[int, typer.Option(min=1, help="most notes; the newest of them")] = 50,
    json_out: Json = False,
    file: File = None,
) -> None:
    """Print notes, the newest last."""
    from aura_core.memory.store import Wanted

    begin, end = _span(since, until)
    wanted = Wanted(
        begin_wall_ns=begin,
        end_wall_ns=end,
        kinds=tuple(kind or ()),
        limit=limit,
        newest_first=True,
    )
    with _opened(file) as store:
        notes = store.find(wanted)[::-1]
        more = store.count(wanted) - len(notes)
    if more and not json_out:
        print(f"({more} more notes before these: --limit)")
    _print(notes, json_out)


@app.command()
def search(
    text: Annotated[str, typer.Argument(help="words, or a question with a time in it")],
    since: Since = None,
    until: Until = None,
    limit: Annotated[int, typer.Option(min=1, help="most notes")] = 10,
    json_out: Json = False,
    file: File = None,
) -> None:
    """Print the notes that match words or a question, the best match first."""
    from aura_core.config import MemoryConfig
    from aura_core.memory.form import PLAIN
    from aura_core.memory.recall import Recall, check_search

    check_search(text)
    begin, end = _span(since, until)
    with _opened(file) as store:
        recall = Recall(store, MemoryConfig(), PLAIN)
        notes = recall.search(text, time.time_ns(), begin, end, limit)
    _print(notes, json_out)
    if not notes and not json_out:
        print("nothing")


@app.command()
def show(
    note_id: Annotated[str, typer.Argument(metavar="ID", help="of the note")],
    picture: Annotated[
        Path | None, typer.Option(help="write its keyframe to this file, as JPEG")
    ] = None,
    file: File = None,
) -> None:
    """Print one note with everything that belongs to it."""
    from aura_core.memory.store import Wanted

    with _opened(file) as store:
        found = store.find(Wanted(ids=(note_id,), pictures=True, thumbnails=True))
        if not found:
            raise InputError(f"{store.path}: there is no note {note_id}")
    note = found[0]
    for name, value in as_json(note).items():
        if value != "":
            print(f"{name}: {one_line(str(value))}")
    for name, data in (("picture", note.picture), ("thumbnail", note.thumbnail)):
        print(f"{name}: {'none' if data is None else f'{len(data)} bytes'}")
    if picture is not None:
        data = note.picture or note.thumbnail
        if data is None:
            raise InputError(f"note {note_id} has no picture")
        _private(picture, data)


@app.command()
def export(
    out: Annotated[Path, typer.Argument(help="file for one JSON object a line; -: stdout")],
    pictures: Annotated[
        Path | None, typer.Option(help="folder for the keyframes, each named by its note")
    ] = None,
    since: Since = None,
    until: Until = None,
    file: File = None,
) -> None:
    """Write notes, the oldest first, and their pictures where asked."""
    from aura_core.memory.store import Wanted

    begin, end = _span(since, until)
    with _opened(file) as store:
        notes = store.find(Wanted(begin_wall_ns=begin, end_wall_ns=end, limit=-1))
        lines = []
        for note in notes:
            record = as_json(note)
            if pictures is not None and (data := store.picture(note.id)) is not None:
                target = pictures / f"{note.id.replace('/', '_')}.jpg"
                _private(target, data)
                record["picture"] = str(target)
            lines.append(json.dumps(record, ensure_ascii=False) + "\n")
    if str(out) == "-":
        sys.stdout.writelines(lines)
    else:
        _private(out, "".join(lines).encode())
        print(f"{out}: {len(lines)} notes")


@app.command()
def picture(
    out: Annotated[Path, typer.Argument(help="file for the picture, as PNG")],
    since: Since = None,
    until: Until = None,
    file: File = None,
) -> None:
    """Draw notes on a timeline, with their pictures, questions, answers and alerts."""
    from aura_core.live.day_picture import write
    from aura_core.memory.store import Wanted

    begin, end = _span(since, until)
    with _opened(file) as store:
        wanted = Wanted(begin_wall_ns=begin, end_wall_ns=end, limit=-1, thumbnails=True)
        notes = store.find(wanted)
    if not notes:
        raise InputError("there are no notes of this time")
    _private(out, b"")  # its owner alone may read it
    write(out, notes, f"What was remembered from {_told(notes[0].wall_ns)} on")
    print(f"{out}: {len(notes)} notes")


@app.command()
def forget(
    ids: Annotated[
        list[str] | None, typer.Option("--id", help="of a note; repeatable", metavar="ID")
    ] = None,
    since: Since = None,
    until: Until = None,
    everything: Annotated[bool, typer.Option("--all", help="all notes")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="do not ask")] = False,
    file: File = None,
) -> None:
    """Delete notes for good: nothing of them stays in the file.

    It may be done while the assistant runs. Watches that are open stay open; what they have told
    is deleted too.
    """
    from aura_core.memory.store import Wanted

    ways = (bool(ids), since is not None or until is not None, everything)
    if sum(ways) != 1:
        raise InputError("say what to forget: --id, or --since and --until, or --all")
    begin, end = _span(since, until)
    wanted = Wanted(ids=tuple(ids or ()), begin_wall_ns=begin, end_wall_ns=end)
    with _opened(file, write=True) as store:
        count = store.count(wanted)
        if not yes:
            if not sys.stdin.isatty():
                raise InputError(f"{count} notes would be deleted: say --yes")
            typer.confirm(f"{store.path}: delete {count} notes for good?", abort=True)
        print(f"{store.forget(None if everything else wanted)} notes deleted")
        assert store.path is not None
        _forget_words(store.path, everything)


def _forget_words(path: Path, everything: bool) -> None:
    """Delete what watches have told, from the file beside that of the notes. Of one that lies
    elsewhere the assistant does it."""
    from aura_core.live.watch_keeper import forget_words
    from aura_core.memory.paths import watches_of

    watches = watches_of(path)
    still_open = None if watches is None else forget_words(watches)
    if still_open is not None:
        if still_open:
            what = "watch stays" if still_open == 1 else "watches stay"
            print(f"{watches}: {still_open} {what} open; what was told of it is deleted")
    elif everything:
        print(
            "open watches stay open; what they have told is deleted from their file (watch_file) by"
            " the assistant, in the next second or when it starts"
        )


@app.command()
def check(file: File = None) -> None:
    """Check the file; the exit code is 1 when something is wrong with it."""
    from aura_core.memory import schema

    try:
        with _opened(file) as store:  # reads only: an older file is told, not converted
            _show(store.stats())
        with _opened(file, write=True) as store:
            wrong = store.check()
    except StoreError as e:
        wrong = [str(e)]
    for line in wrong:
        print(f"wrong: {line}")
    if wrong:
        raise typer.Exit(1)
    print(f"ok: version {schema.VERSION}")


@app.command()
def stats(
    json_out: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
    file: File = None,
) -> None:
    """Print how many notes there are, of which time, and how large they are."""
    with _opened(file) as store:
        found = store.stats()
    if not json_out:
        _show(found)
        return
    print(
        json.dumps(
            {
                "notes": found.notes,
                "kinds": {kind.value: n for kind, n in found.kinds.items()},
                "first": _told(found.first_wall_ns),
                "last": _told(found.last_wall_ns),
                "text_bytes": found.text_bytes,
                "picture_bytes": found.picture_bytes,
                "file_bytes": found.file_bytes,
                "paused": _told(found.paused_ns),
            }
        )
    )


def as_json(note: Note) -> dict[str, Any]:
    """A note without its pictures as plain values. `time`: what the clock has shown, in ISO
    8601; `wall_ns`: what it would have shown, if it had been set then as it is now."""
    return {
        "id": note.id,
        "kind": note.kind.value,
        "time": _told(note.shown_wall_ns),
        "text": note.text,
        "question": note.question,
        "stream": note.stream,
        "wall_ns": note.wall_ns,
        "begin_ns": note.begin_ns,
        "end_ns": note.end_ns,
        "run": note.run,
        "query_id": note.query_id,
        "response_id": note.response_id,
    }


@contextmanager
def _opened(file: Path | None, write: bool = False) -> Iterator[Store]:
    """The store of --file, beside an assistant that may be using it."""
    from aura_core.memory.paths import default_path
    from aura_core.memory.store import Store

    path = file or default_path()
    if file is None and not path.exists():
        raise InputError(f"{path}: there is no such file of notes; name one with --file")
    store = Store.open(path, read_only=not write, create=False, alone=False)
    try:
        yield store
    finally:
        store.close()


def _span(since: str | None, until: str | None) -> tuple[int | None, int | None]:
    """From and to, in nanoseconds since the epoch. Of `--since yesterday` the beginning counts, of
    `--until yesterday` too."""
    begin, end = (_time(o, t) for o, t in (("--since", since), ("--until", until)))
    if begin is not None and end is not None and begin >= end:
        raise InputError(f"--until {until}: is not after --since {since}")
    return begin, end


def _time(option: str, text: str | None) -> int | None:
    from aura_core.memory import times

    if text is None:
        return None
    try:
        return round(datetime.fromisoformat(text).timestamp() * 1e9)
    except (ValueError, OverflowError, OSError):
        pass
    now = datetime.now()
    asked = f"at {text}" if text[:1].isdigit() and ":" in text else text
    span = times.span_in(asked, now)
    if span is None:
        raise InputError(
            f"{option} {text}: not a time; such as 2026-03-01T09:30, '9:30', 'yesterday'"
        )
    if span.about_wall_ns is not None:  # "2 hours ago" is told roughly; here it is meant exactly
        return span.about_wall_ns
    return span.begin_wall_ns


def _told(wall_ns: int | None) -> str | None:
    from aura_core.memory import times

    if wall_ns is None:
        return None
    return times.local(wall_ns).astimezone().isoformat(timespec="seconds")


def _print(notes: list[Note], json_out: bool) -> None:
    from aura_core.memory import times

    now = time.time_ns()
    for note in notes:
        if json_out:
            print(json.dumps(as_json(note), ensure_ascii=False))
            continue
        where = f" [{note.stream}]" if note.stream else ""
        asked = f"{note.question} -> " if note.question else ""
        print(
            f"{note.id}  {times.clock(note.shown_wall_ns, now)}  {note.kind.value}{where}  "
            + one_line(f"{asked}{note.text}")
        )


def _show(found: Stats) -> None:
    print(f"{found.notes} notes from {_told(found.first_wall_ns)} to {_told(found.last_wall_ns)}")
    if found.kinds:
        print(", ".join(f"{n} {kind.value}" for kind, n in found.kinds.items()))
    print(
        f"text {found.text_bytes / 1e6:.2f} MB, pictures {found.picture_bytes / 1e6:.2f} MB,"
        f" file {found.file_bytes / 1e6:.2f} MB"
    )
    if found.paused_ns is not None:
        print(f"paused since {_told(found.paused_ns)}: nothing is written")


def _private(path: Path, data: bytes) -> None:
    """Write a file that its owner alone may read. Raises `InputError`."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as f:
            if stat.S_ISREG(os.fstat(f.fileno()).st_mode):
                os.fchmod(f.fileno(), 0o600)  # it may have been there already
            f.write(data)
    except OSError as e:
        raise InputError(f"{path}: cannot be written: {e.strerror}") from e
