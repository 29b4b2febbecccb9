"""What a recording holds: its events with their times, and its frames.

Three kinds are read: a recording of the console (`recording.py`), the JSON lines of `aura run` and
`aura replay` (`--out`), and a rosbag2 recording.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aura_core.console import protocol as p
from aura_core.console.film import Film, FolderFilm, Shot, SourceFilm
from aura_core.console.recording import FRAMES, LINES, PART
from aura_core.console.stored import event_of
from aura_core.errors import InputError
from aura_core.stream.attribution import standing_kind
from aura_core.words import shorten

MOST_MS = 1e14  # milliseconds since the UNIX epoch; a later time is none (the year 5138)
MOST_LINE = 10_000_000  # bytes; a longer line is no line of a recording


@dataclass(frozen=True)
class Tape:
    """A recording that was read.

    `events` are in the order of their times, in milliseconds: since the UNIX epoch for what was
    recorded live, else since the first frame.
    """

    title: str
    cameras: tuple[p.Camera, ...]
    events: Sequence[tuple[float, p.Event]]
    film: Film = field(default_factory=Film)
    notice: str = ""  # what is missing in it, in one line

    @property
    def span_ms(self) -> tuple[float, float]:
        """The times of its beginning and end."""
        times = [at_ms for at_ms, _ in (self.events[:1] + self.events[-1:])]
        times += [s.at_ms for shots in self.film.shots.values() for s in (shots[:1] + shots[-1:])]
        return (min(times), max(times)) if times else (0.0, 0.0)


def is_bag(path: Path) -> bool:
    """Whether a path looks like a rosbag2 recording."""
    if path.is_dir():
        files = [*path.glob("*.mcap"), *path.glob("*.db3")]
        return (path / "metadata.yaml").exists() or bool(files)
    return path.suffix in (".mcap", ".db3")


def read_tape(path: Path, frames: str | None = None) -> Tape:
    """Read a recording.

    Args:
        path: the folder of a recording of the console, or its `run.jsonl`; the JSON lines of a
            run; a bag.
        frames: where the frames of a run are: the bag, file or `sim:SEED` that it has seen.

    Raises:
        InputError: it cannot be read; the message names the file and the line.
    """
    if not path.exists():
        raise InputError(
            f"{path}: there is no such recording (a folder of the console's, the JSON lines of a"
            " run, or a bag)"
        )
    if is_bag(path):
        from aura_core.console.bag_tape import read_bag

        if frames is not None:
            raise InputError(f"{path}: a bag has its own frames; leave out {frames}")
        return read_bag(path)
    file = path / LINES if path.is_dir() else path
    if not file.is_file():
        raise InputError(f"{path}: neither a bag nor a recording: it has no {LINES}")
    lines = list(_lines(file))
    if not lines:
        raise InputError(f"{file}: it has no lines")
    if lines[0][1].get("type") == "recording":
        return _recording(file, lines, frames)
    return _run(file, lines, frames)


def _lines(file: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """The objects of a file of JSON lines, with their numbers. Half a line at its end, as a crash
    leaves it, is left out."""
    try:
        with file.open("rb") as opened:
            number = 0
            while line := opened.readline(MOST_LINE):
                number += 1
                whole = line.endswith(b"\n")
                try:
                    data = json.loads(line)
                except (ValueError, RecursionError) as e:
                    if not whole and len(line) < MOST_LINE:
                        return
                    raise InputError(f"{file}: line {number} is not JSON: {e}") from e
                if not isinstance(data, dict):
                    raise InputError(f"{file}: line {number} is no object of JSON")
                yield number, data
    except OSError as e:
        raise InputError(f"{file}: cannot be read: {e.strerror}") from e


# ---- a recording of the console ------------------------------------------------------------------


def _recording(file: Path, lines: Sequence[tuple[int, dict[str, Any]]], frames: str | None) -> Tape:
    if frames is not None:
        raise InputError(f"{file}: the recording has its own frames; leave out {frames}")
    head = lines[0][1]
    cameras = _cameras(file, head)
    folder = file.parent
    folders = {c.name: folder / FRAMES / str(i) for i, c in enumerate(cameras)}
    events: list[tuple[float, p.Event]] = []
    shots: dict[str, list[Shot]] = {c.name: [] for c in cameras}
    for number, line in lines[1:]:
        try:
            written_ms = _time_ms(line.get("written_ms", 0.0))
            if line.get("type") == "frame":
                shots[line["camera"]].append(Shot(written_ms, int(line["stamp_ns"])))
            elif (event := event_of(line)) is not None:
                events.append((_time_ms(getattr(event, "at_ms", written_ms)), event))
        except (InputError, TypeError, ValueError, KeyError, OverflowError) as e:
            raise InputError(f"{file}: line {number}: {e}") from e
    events.sort(key=lambda one: one[0])
    shots = {name: _in_time(name, some, events) for name, some in shots.items()}
    cut = "" if not folder.name.endswith(PART) else "it was not finished: its end may be missing"
    title = str(head.get("title") or folder.name)
    return Tape(title, cameras, events, FolderFilm(shots, folders), cut)


def _time_ms(value: float) -> float:
    """A time of a recording. Raises `ValueError` for one that no clock shows."""
    time_ms = float(value)
    if not 0.0 <= time_ms <= MOST_MS:
        raise ValueError(f"{time_ms:g} ms is no time")
    return time_ms


def _in_time(
    camera: str, shots: Sequence[Shot], events: Sequence[tuple[float, p.Event]]
) -> list[Shot]:
    """The frames in the order of their times: a disk that is behind writes a frame after it was
    decided on."""
    decided_ms = {
        event.stamp_ns: at_ms
        for at_ms, event in reversed(events)
        if isinstance(event, p.Second) and event.camera == camera
    }
    timed = [Shot(min(s.at_ms, decided_ms.get(s.stamp_ns, s.at_ms)), s.stamp_ns) for s in shots]
    return sorted(timed, key=lambda shot: shot.at_ms)


def _cameras(file: Path, head: Mapping[str, Any]) -> tuple[p.Camera, ...]:
    given = head.get("cameras")
    named = isinstance(given, list) and all(
        isinstance(c, dict) and isinstance(c.get("name"), str) for c in given
    )
    if not named or not given:
        raise InputError(f"{file}: line 1: cameras must be a list of objects with a name")
    return tuple(p.Camera(c["name"], str(c.get("title") or c["name"])) for c in given)


# ---- the JSON lines of `aura run` and `aura replay` ----------------------------------------------


def _run(file: Path, lines: Sequence[tuple[int, dict[str, Any]]], frames: str | None) -> Tape:
    texts: dict[str, str] = {}  # of questions, by id
    events: list[tuple[float, p.Event]] = []
    waiting = ""  # a watch that was asked for, and has not answered yet
    for number, line in lines:
        try:
            stamp_ns = _whole(line, "stamp_ns")
            at_ms = _time_ms(stamp_ns / 1e6)
            question, query_id = str(line.get("question", "")), str(line.get("query_id", ""))
            if question:
                watch = standing_kind(question) is not None
                asked_id = query_id or f"line-{number}"
                texts[asked_id] = question
                waiting = question if watch else waiting
                events.append((at_ms, p.Asked(asked_id, "", question, "run", watch, at_ms)))
            events.append((at_ms, _second(line, stamp_ns, at_ms)))
            if line.get("text"):
                events += [(at_ms, one) for one in _said(line, stamp_ns, at_ms, texts, waiting)]
        except (TypeError, ValueError, KeyError, OverflowError) as e:
            raise InputError(
                f"{file}: line {number} is no step of a run: {shorten(str(e))}; write one with"
                " aura run --out, or aura replay --out"
            ) from e
    film = _film(frames) if frames is not None else Film()
    notice = "" if frames is not None else "it has no frames: name the bag or file with --frames"
    return Tape(file.name, (p.Camera("", file.name),), events, film, notice)


def _film(frames: str) -> Film:
    path = Path(frames)
    if path.exists() and is_bag(path):
        from aura_core.console.bag_tape import BagFilm

        return BagFilm.of_stamps(path)
    return SourceFilm(frames)


def _whole(line: Mapping[str, Any], name: str) -> int:
    value = line[name]
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} must be a whole number")
    return value


def _second(line: Mapping[str, Any], stamp_ns: int, at_ms: float) -> p.Second:
    return p.Second(
        camera="",
        chunk=_whole(line, "chunk"),
        stamp_ns=stamp_ns,
        at_ms=at_ms,
        state=str(line["state"]),
        p_silent=float(line["p_silent"]),
        reason=str(line.get("reason", "")),
        suppressed=str(line.get("suppressed", "")),
        step_ms=float(line.get("step_ms", 0.0)),
        decide_ms=float(line.get("decide_ms", 0.0)),
        window_chunks=int(line.get("window_chunks", 0)),
        window_tokens=int(line.get("window_tokens", 0)),
        decode_tokens=int(line.get("decode_tokens", 0)),
        switched=bool(line.get("switched", False)),
        missed=int(line.get("missed_chunks", 0)),
        query_id=str(line.get("query_id", "")) if line.get("question") else "",
        response_id=str(line.get("response_id", "")),
    )


def _said(
    line: Mapping[str, Any],
    stamp_ns: int,
    at_ms: float,
    texts: Mapping[str, str],
    waiting: str,
) -> Iterator[p.Event]:
    kind, p_silent = str(line["kind"]), float(line["p_silent"])
    said = p.Said(
        id=str(line["response_id"]),
        camera="",
        text=str(line["text"]),
        stamp_ns=stamp_ns,
        at_ms=at_ms,
        query_id=str(line["query_id"]),
        kind=kind,
        acknowledgment=bool(line.get("acknowledgment", False)),
        p_silent=p_silent,
    )
    yield said
    for watch_id in line.get("watches") or ():
        yield p.Alert(
            key=f"{said.id}/{watch_id}",
            id=said.id,
            watch_id=str(watch_id),
            camera="",
            instruction=texts.get(str(watch_id), waiting),
            text=said.text,
            stamp_ns=stamp_ns,
            at_ms=at_ms,
            kind=kind,
            confidence=1.0 - p_silent,
            index=int(line.get("index", 0)),
        )
