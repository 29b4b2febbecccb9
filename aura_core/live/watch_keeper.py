"""The watches of a stream are kept, in a small file too, so that they go on after a crash.

Knows no ROS. The file is replaced at once (`os.replace`), so it is never half written: a process
that is killed loses nothing that it has told. A clean end removes it, unless the assistant has a
memory. Of a closed watch it holds the id alone. Where notes are deleted from the memory, what open
watches have told is deleted here too.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from aura_core.errors import InputError, one_line
from aura_core.live.events import Asked, Event, Forgotten, Stepped, Told, Watched
from aura_core.stream.attribution import stands
from aura_core.stream.watches import Watch
from aura_core.types import Before, Kind, Query, Severity

VERSION = 1


@dataclass(frozen=True)
class Kept:
    """What was kept: the open watches, as questions to ask again, and the ids of closed ones.

    Each watch comes with the name of its stream.
    """

    watches: tuple[tuple[str, Query], ...] = ()
    closed: frozenset[str] = frozenset()


class WatchKeeper:
    """Keeps the watches whenever one changes. A listener of the host; it never raises there.

    It listens before those who tell the world, so that what was told is kept.

    Args:
        path: the file; its folder is made. None: only memory.
        complain: called with one line when the file cannot be written.
    """

    def __init__(self, path: Path | None, complain: Callable[[str], None]) -> None:
        self.path, self._complain = path, complain
        # standing questions that were accepted in this run, with their streams, by id
        self._asked: dict[str, tuple[str, Query]] = {}
        self._states: dict[str, Watch] = {}
        self._written = ""

    def load(self) -> Kept:
        """What an earlier run left behind; nothing where it ended cleanly.

        Raises `InputError` when the file cannot be used; it stays where it is until it is written.
        """
        if self.path is None:
            return Kept()
        try:
            text = self.path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return Kept()
        except (OSError, UnicodeDecodeError) as e:
            raise InputError(f"{self.path}: cannot be read: {one_line(e)}") from e
        try:
            data = json.loads(text)
            if data["version"] != VERSION:
                raise InputError(f"{self.path}: version {data['version']} is not known")
            return _kept(data["watches"])
        except (ValueError, KeyError, TypeError) as e:
            raise InputError(f"{self.path}: not a file of watches: {one_line(e)}") from e

    def kept(self) -> Kept:
        """What is kept now."""
        return _kept([self._entry(*asked) for asked in self._asked.values()])

    def on_event(self, event: Event) -> None:
        """Take what changed."""
        match event:
            case Asked() if stands(event.query):
                self._asked[event.query.id] = (event.stream, event.query)
            case Watched() | Stepped(alerts=(_, *_)) | Told(alerts=(_, *_)):
                self._states |= {w.id: w for w in event.watches}
            case Forgotten():
                self._forget_words()
            case _:
                return
        self._write()

    def _forget_words(self) -> None:
        """Forget what the watches have told. When, and how often, is known on: limit and cooldown
        depend on it."""
        self._states = {i: replace(w, last_text="") for i, w in self._states.items()}
        self._asked = {
            i: (stream, replace(q, before=q.before and replace(q.before, last_text="")))
            for i, (stream, q) in self._asked.items()
        }

    def close(self) -> None:
        """A clean end: nothing is to be restored."""
        if self.path is not None:
            self.path.unlink(missing_ok=True)

    def _write(self) -> None:
        entries = [self._entry(*asked) for asked in self._asked.values()]
        text = _text(entries)
        if self.path is None or text == self._written:
            return
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            _replace(self.path, text)
        except OSError as e:
            self._complain(f"the watches cannot be kept for after a crash: {one_line(e)}")
        else:
            self._written = text

    def _entry(self, stream: str, query: Query) -> dict[str, Any]:
        before, state = query.before, self._states.get(query.id)
        if state is not None:
            before = Before(state.answers, state.last_ns, state.last_text)
            if not state.open:  # only its id is needed
                query, before = Query("", id=query.id), None
        return {
            "id": query.id,
            "stream": stream,
            "text": query.text,
            "kind": query.kind,
            "limit": query.limit,
            "cooldown_s": query.cooldown_s,
            "urgent": query.urgent,
            "severity": query.severity,
            "open": state is None or state.open,
            "answers": before.answers if before else 0,
            "last_ns": before.last_ns if before else None,
            "last_text": before.last_text if before else "",
        }


def forget_words(path: Path) -> int | None:
    """Delete from a file of watches what they have told, and all texts of closed ones.

    Returns how many are open; None where there is no file. Raises `InputError` when the file cannot
    be used.
    """
    keeper = WatchKeeper(path, lambda line: None)
    if not path.exists():
        return None
    kept = keeper.load()
    entries = [keeper._entry(stream, query) for stream, query in kept.watches]
    for entry in entries:
        entry["last_text"] = ""
    entries += [{**keeper._entry("", Query("", id=i)), "open": False} for i in sorted(kept.closed)]
    try:
        _replace(path, _text(entries))
    except OSError as e:
        raise InputError(f"{path}: cannot be written: {one_line(e)}") from e
    return len(kept.watches)


def _text(entries: Sequence[Mapping[str, Any]]) -> str:
    data = {"version": VERSION, "watches": entries}
    return json.dumps(data, ensure_ascii=False, indent=1)


def _replace(path: Path, text: str) -> None:
    """Write a file at once, for its owner alone: the words of watches are a user's."""
    part = path.with_name(f"{path.name}.{os.getpid()}")
    fd = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with open(fd, "w", encoding="utf-8") as f:
        f.write(text)
    os.replace(part, path)


def _kept(entries: Sequence[Mapping[str, Any]]) -> Kept:
    # a closed one has no text any more
    watches = [(str(e["stream"]), _query(e), bool(e["open"])) for e in entries]
    return Kept(
        tuple((stream, q) for stream, q, is_open in watches if is_open),
        frozenset(q.id for _, q, is_open in watches if not is_open),
    )


def _query(entry: Mapping[str, Any]) -> Query:
    """The question that begins a watch again. Its acceptance was said in the earlier run."""
    query = Query(
        str(entry["text"]),
        id=str(entry["id"]),
        kind=Kind(entry["kind"]) if entry["kind"] else None,
        limit=entry["limit"],
        cooldown_s=entry["cooldown_s"],
        urgent=bool(entry["urgent"]),
        severity=Severity(entry["severity"]),
        quiet=True,
    )
    before = Before(int(entry["answers"]), entry["last_ns"], str(entry["last_text"]))
    return replace(query, before=before)
