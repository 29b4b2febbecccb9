"""Samples as flat rows, for export and back.

`record` is the sample itself as its line of JSON, so that nothing is lost. The other columns repeat
what people filter and sort by.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from aura_core.data.language import language_of
from aura_core.data.offline import Offline
from aura_core.data.records import to_line
from aura_core.data.samples import Line
from aura_core.data.schema import Sample
from aura_core.errors import InputError

_UNSAFE = re.compile(r"[^A-Za-z0-9_-]+")


@dataclass(frozen=True)
class Row:
    """One sample.

    - `type`: Sample (of a stream) or Offline; `kind`: real-time, proactive, multi-response,
      silence or offline.
    - `source`: what it was made from.
    - `first`, `stop`: seconds in view, `stop` excluded; 0 for offline samples.
    - `answers`: answers in view, or of the offline sample.
    - `media`: its files, as the record names them.
    """

    id: str
    type: str
    kind: str
    language: str
    source: str
    question: str
    answer: str
    first: int
    stop: int
    answers: int
    media: tuple[str, ...]
    record: str


def row_of(sample: Sample | Offline) -> Row:
    """Return the row of a sample."""
    if isinstance(sample, Offline):
        question, answer = sample.rounds[-1].text, sample.rounds[-1].answer
        kind, source, first, stop = kind_of(sample), sample.source, 0, 0
        answers = len(sample.rounds)
    else:
        question, answer = sample.target.question, sample.target.answer
        kind, source = kind_of(sample), sample.clip.source
        first, stop = sample.first, sample.stop
        answers = sum(w.answer is not None for w in sample.turns)
    return Row(
        sample.id,
        type(sample).__name__,
        kind,
        language_of(answer),
        source,
        question,
        answer,
        first,
        stop,
        answers,
        media_of(sample),
        to_line(sample),
    )


def kind_of(sample: Sample | Offline) -> str:
    """Return what a sample teaches: the kind of its answer, silence, or offline."""
    if isinstance(sample, Offline):
        return "offline"
    return str(sample.target.kind) if sample.target.answer else "silence"


def media_of(sample: Sample | Offline) -> tuple[str, ...]:
    """Return the files of a sample, each once, in order."""
    if isinstance(sample, Sample):
        return (sample.clip.video,)
    return tuple(dict.fromkeys(m.path for m in sample.media))


def moved(sample: Sample | Offline, name: Callable[[str], str]) -> Sample | Offline:
    """Return the sample with other names of its files."""
    if isinstance(sample, Sample):
        return replace(sample, clip=replace(sample.clip, video=name(sample.clip.video)))
    return replace(sample, media=tuple(replace(m, path=name(m.path)) for m in sample.media))


def file_of(line: Line, name: str) -> Path:
    """Return where a file of a sample is on this machine. Raises `InputError` when it is not."""
    path = (line.shard.media or line.shard.path.parent.parent) / name
    if not path.is_file():
        raise InputError(f"{line.where}: {path}: there is no such file")
    return path


def safe_name(path: Path) -> str:
    """Return a file name for a copy of `path`: readable, and different for different paths."""
    digest = hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:8]
    return f"{safe(path.stem)}-{digest}{path.suffix.lower()}"


def safe(text: str) -> str:
    """Return a text as a part of a file name: ASCII letters, digits, - and _ alone."""
    return _UNSAFE.sub("-", text).strip("-")[:60] or "x"
