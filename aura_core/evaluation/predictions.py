"""The prediction file: JSON lines with a header, and one line for each item.

A line is written as soon as its item has been played. A run that was interrupted continues where it
stopped: a half-written last line is dropped and reported, and items in the file are not played
again. A file of another task, model, mode or settings is refused. So is a file of the same model
folder with other weights. An item whose annotation has changed since is named by its fingerprint.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, TextIO

from aura_core.config import AssistantConfig, ServerConfig
from aura_core.errors import InputError
from aura_core.evaluation.records import Item, Prediction, Spoken
from aura_core.models.fingerprint import fingerprint

FORMAT = "aura-predictions"
VERSION = 1
WITH_HISTORY = "polled with history"


@dataclass(frozen=True)
class Header:
    """What the predictions were made with.

    `settings` is a digest of all settings that influence decisions, apart from the model. `weights`
    tells two models at one path apart: it is their fingerprint, or the name under which a server
    serves them. It is "" in files that are older than this field, and in the authors' own files.
    """

    task: str
    model: str
    mode: str  # free-running, polled or polled with history
    settings: str
    weights: str = ""

    @classmethod
    def of(cls, task: str, config: AssistantConfig, polled: bool, history: bool = False) -> Header:
        """Return the header of a run. A server's address and secrets are left out.

        Raises `ModelError` if there is no model.
        """
        kept = replace(config, server=ServerConfig())
        digest = hashlib.sha256(repr(kept).encode()).hexdigest()[:16]
        server, path = config.server, config.model.path
        weights = f"served as {server.model or path}" if server.url else fingerprint(path)
        mode = WITH_HISTORY if polled and history else "polled" if polled else "free-running"
        return cls(task, path, mode, digest, weights)


@dataclass(frozen=True)
class PredictionFile:
    """A file that was read. `dropped` is a message about a half-written last line, or ""."""

    header: Header
    predictions: tuple[Prediction, ...]
    dropped: str = ""


def is_ours(path: Path) -> bool:
    """Whether the file begins with this format's header."""
    if not path.is_file():
        return False
    with path.open("rb") as f:
        return f.readline(4096).startswith(b'{"format": "' + FORMAT.encode())


def read(path: Path) -> PredictionFile:
    """Read a prediction file. Raises `InputError` that names the wrong line."""
    try:
        data = path.read_bytes()
    except OSError as e:
        raise InputError(f"{path}: cannot read the predictions: {e.strerror}") from e
    lines = data.split(b"\n")
    half = lines.pop()  # empty where the last line is whole
    if not lines:
        raise InputError(f"{path}: not a prediction file: it has no header line")
    header = _header(path, _parse(path, 1, lines[0]))
    predictions = [
        _prediction(path, n, _parse(path, n, line)) for n, line in enumerate(lines[1:], 2)
    ]
    seen: set[str] = set()
    for n, p in enumerate(predictions, 2):
        if p.item in seen:
            raise InputError(
                f"{path}: line {n}: item {p.item} is there twice; remove one of the two lines"
            )
        seen.add(p.item)
    dropped = f"{path}: line {len(lines) + 1} was written half and is dropped" if half else ""
    return PredictionFile(header, tuple(predictions), dropped)


class Writer:
    """Appends predictions to a new or existing file. Use it as a context manager.

    `done` holds the ids of the items in the file, each with the fingerprint of its annotation.
    `dropped` is a message about a half-written line that was removed, or "". Raises `InputError`
    when the file cannot be written, or was made with something else.
    """

    def __init__(self, path: Path, header: Header) -> None:
        self.path, self.done, self.dropped = path, dict[str, str](), ""
        try:
            fresh = not path.exists() or b"\n" not in path.read_bytes()
            path.parent.mkdir(parents=True, exist_ok=True)
            if fresh:
                line = {"format": FORMAT, "version": VERSION} | asdict(header)
                path.write_text(json.dumps(line) + "\n", encoding="utf-8")
            else:
                self._go_on(header)
            self._out: TextIO = path.open("a", encoding="utf-8")
        except OSError as e:
            raise InputError(f"--out {path}: cannot write the file: {e.strerror}") from e

    def _go_on(self, header: Header) -> None:
        known = read(self.path)
        for name, old in asdict(known.header).items():
            if old == (new := getattr(header, name)):
                continue
            if name == "weights" and not old:
                raise InputError(
                    f"--out {self.path}: does not say of which weights it is (it was written before"
                    " that was kept), so it cannot be continued; name another file"
                )
            hint = f": what lies at {header.model} has changed" if name == "weights" else ""
            raise InputError(
                f"--out {self.path}: its {name} is {old}, this run's is {new}{hint}; name another"
                " file"
            )
        self.done = {p.item: p.annotation for p in known.predictions}
        self.dropped = known.dropped
        if known.dropped:
            data = self.path.read_bytes()
            with self.path.open("r+b") as f:
                f.truncate(data.rindex(b"\n") + 1)

    def add(self, prediction: Prediction) -> None:
        """Append one item, and flush the file."""
        self._out.write(json.dumps(as_json(prediction), ensure_ascii=False) + "\n")
        self._out.flush()
        self.done[prediction.item] = prediction.annotation

    def has(self, item: Item) -> bool:
        """Whether the file has the item. Raises `InputError` if it was another annotation of it."""
        if item.id not in self.done:
            return False
        if self.done[item.id] not in ("", item.fingerprint):
            raise InputError(
                f"--out {self.path}: {_changed(item)}; remove its line, or name another file"
            )
        return True

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, *_: object) -> None:
        self._out.close()


def as_json(p: Prediction) -> dict[str, object]:
    """Return the line of one item."""
    said = [
        {"at_s": s.at_s, "text": s.text, "question": s.question, "asked": s.asked}
        | ({} if s.end_s is None else {"end_s": s.end_s})
        for s in p.said
    ]
    further = {"unasked": p.unasked, "beyond_end": p.beyond_end, "annotation": p.annotation}
    return {"item": p.item, "seconds": p.seconds, "said": said} | {
        name: value for name, value in further.items() if value
    }


def select(
    predictions: Sequence[Prediction], items: Sequence[Item], where: object, skip: bool = False
) -> tuple[dict[str, Prediction], list[str]]:
    """Return predictions by item id, and messages about those that were left out.

    Unknown items, duplicates, and predictions of another annotation raise `InputError`; with `skip`
    they are left out.
    """
    known = {i.id: i for i in items}
    out: dict[str, Prediction] = {}
    named = []
    for p in predictions:
        item = known.get(p.item)
        if item is None:
            why = f"item {p.item} is not in the annotation files"
        elif p.item in out:
            why = f"item {p.item} is there twice"
        elif p.annotation not in ("", item.fingerprint):
            why = _changed(item)
        else:
            out[p.item] = p
            continue
        named.append(f"{where}: {why}")
        if not skip:
            raise InputError(f"{named[-1]} (--skip-broken leaves such predictions out)")
    return out, named


def _changed(item: Item) -> str:
    return f"item {item.id} was played with another annotation (video, question, time or answer)"


def _parse(path: Path, number: int, line: bytes) -> dict[str, Any]:
    try:
        data = json.loads(line)
    except (json.JSONDecodeError, UnicodeDecodeError):
        data = None
    if not isinstance(data, dict):
        raise InputError(f"{path}: line {number}: not a JSON object; the file is damaged there")
    return data


def _header(path: Path, data: dict[str, Any]) -> Header:
    if data.get("format") != FORMAT:
        raise InputError(f"{path}: not a prediction file: line 1 is not its header")
    if data.get("version") != VERSION:
        raise InputError(
            f"{path}: is of version {data.get('version')}; this program reads version {VERSION}"
        )
    return Header(
        *(str(data.get(name, "")) for name in ("task", "model", "mode", "settings", "weights"))
    )


def _prediction(path: Path, number: int, data: dict[str, Any]) -> Prediction:
    try:
        said = tuple(
            Spoken(
                float(s["at_s"]),
                str(s["text"]),
                str(s["question"]),
                bool(s["asked"]),
                s.get("end_s"),
            )
            for s in data["said"]
        )
        return Prediction(
            str(data["item"]),
            said,
            data["seconds"],
            tuple(data.get("unasked", ())),
            tuple(data.get("beyond_end", ())),
            str(data.get("annotation", "")),
        )
    except (KeyError, TypeError, ValueError) as e:
        raise InputError(f"{path}: line {number}: field {e} is missing or of the wrong kind") from e
