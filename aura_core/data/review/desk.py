"""The samples of a source, what was decided about each, and the pictures that show it."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aura_core.data.exchange.rows import kind_of
from aura_core.data.offline import Offline
from aura_core.data.pictures import read_picture
from aura_core.data.reviews import PERSON, Decision, Reviews, decide
from aura_core.data.samples import Line, lines_of
from aura_core.data.schema import Sample
from aura_core.data.video import FPS, jpeg, read_clip
from aura_core.errors import InputError

LONGEST, QUALITY = 960, 85  # pixels of a picture's longer side, and quality of its JPEG
MOST_PICTURES = 24  # of one sample
MOST_REASON = 300  # characters


@dataclass(frozen=True)
class Picture:
    """One picture of a sample.

    `slot` is its place in the clip, in half seconds; None for a file that is a picture.
    """

    path: Path
    slot: int | None
    label: str


class Desk:
    """All samples of a source. It may be used from any thread.

    Args:
        source: see `samples.lines_of`.
        now: seconds since the UNIX epoch.

    Raises `InputError` for a source that cannot be read, or without samples.
    """

    def __init__(self, source: str, now: Callable[[], float] = time.time) -> None:
        self.source, self._now = source, now
        self.lines: list[Line] = list(lines_of(source, reviewed=False))
        if not self.lines:
            raise InputError(f"{source}: there is no sample in it")
        folders = {line.shard.path.parent for line in self.lines}
        self._reviews = {folder: Reviews.read(folder) for folder in folders}
        self._lock = threading.Lock()

    def state(self, index: int) -> str:
        """Return "accepted", "rejected", or "" where nothing was decided."""
        line = self._line(index)
        found = self._reviews[line.shard.path.parent].of(line.sample.id, line.sha256)
        return "" if found is None else "accepted" if found.accept else "rejected"

    def overview(self) -> dict[str, Any]:
        """Return all samples in short: id and state of each."""
        return {
            "source": self.source,
            "samples": [[line.sample.id, self.state(i)] for i, line in enumerate(self.lines)],
        }

    def sample(self, index: int) -> dict[str, Any]:
        """Return a sample as the page shows it. Raises `InputError`."""
        line = self._line(index)
        review = self._reviews[line.shard.path.parent].of(line.sample.id, line.sha256)
        shown = _stream(line.sample) if isinstance(line.sample, Sample) else _offline(line.sample)
        return shown | {
            "index": index,
            "id": line.sample.id,
            "where": line.where,
            "state": self.state(index),
            "reason": review.reason if review else "",
            "by": review.by if review else "",
            "pictures": [p.label for p in self.pictures(index)],
        }

    def decide(self, index: int, accept: bool | None, reason: str) -> dict[str, int]:
        """Store a decision of a person; `accept` None takes it back. Returns how many have which.

        Raises `InputError`.
        """
        line = self._line(index)
        if len(reason) > MOST_REASON:
            raise InputError(f"the reason must have at most {MOST_REASON} characters")
        folder = line.shard.path.parent
        made = Decision(
            line.sample.id, line.sha256, accept, PERSON, " ".join(reason.split()), self._now()
        )
        with self._lock:
            decide(folder, [made])
            self._reviews[folder].take(made)
        return self.counts()

    def counts(self) -> dict[str, int]:
        """Return the number of samples that are accepted, rejected, and open."""
        found = Counter(self.state(i) or "open" for i in range(len(self.lines)))
        return {name: found[name] for name in ("accepted", "rejected", "open")}

    def pictures(self, index: int) -> list[Picture]:
        """Return the pictures of a sample: the answers' seconds in view, or the files."""
        line = self._line(index)
        root = line.shard.media or line.shard.path.parent.parent
        if isinstance(line.sample, Offline):
            return _files(line.sample, root)
        clip, sample = root / line.sample.clip.video, line.sample
        seconds = {w.chunk: "answer" for w in sample.turns if w.answer is not None}
        seconds |= {w.chunk: "question" for w in sample.turns if w.question is not None}
        seconds.setdefault(sample.target.evidence, "evidence")
        seconds[sample.target.chunk] = "this second"
        if sample.target.chunk > sample.first:
            seconds.setdefault(sample.target.chunk - 1, "the second before")
        chosen = sorted(c for c in seconds if c >= sample.first)[-MOST_PICTURES // FPS :]
        return [
            Picture(clip, c * FPS + half, f"{c + half / FPS:g} s: {seconds[c]}")
            for c in chosen
            for half in range(FPS)
        ]

    def picture(self, index: int, number: int) -> bytes:
        """Return a picture of a sample as JPEG. Raises `InputError`."""
        pictures = self.pictures(index)
        if not 0 <= number < len(pictures):
            raise InputError(
                f"sample {index} has {len(pictures)} pictures, none of number {number}"
            )
        one = pictures[number]
        if one.slot is None:
            return jpeg(read_picture(one.path), LONGEST, QUALITY)
        images = read_clip(one.path)
        if one.slot >= len(images):
            raise InputError(f"{one.path}: shows nothing at {one.slot / FPS:g} s")
        return jpeg(images[one.slot], LONGEST, QUALITY)

    def _line(self, index: int) -> Line:
        if not 0 <= index < len(self.lines):
            raise InputError(
                f"{self.source}: there is no sample {index}, there are {len(self.lines)}"
            )
        return self.lines[index]


def _stream(sample: Sample) -> dict[str, Any]:
    """Return what a sample of a stream says, by second."""
    said: list[dict[str, Any]] = [
        {"second": None, "question": g.question, "answer": " / ".join(g.answers), "mark": "history"}
        for g in sample.history
    ]
    said += [
        {
            "second": w.chunk,
            "question": w.question or "",
            "answer": w.answer or "",
            "mark": "target" if w.chunk == sample.target.chunk else "",
        }
        for w in sample.turns
    ]
    return {
        "kind": kind_of(sample),
        "about": f"{sample.clip.source}, seconds {sample.first} to {sample.stop - 1} in view",
        "question": sample.target.question,
        "answer": sample.target.answer,
        "said": said,
    }


def _offline(sample: Offline) -> dict[str, Any]:
    said = [
        {"second": None, "question": r.text, "answer": r.answer, "mark": "target"}
        for r in sample.rounds
    ]
    return {
        "kind": "offline",
        "about": sample.source,
        "question": sample.rounds[-1].text,
        "answer": sample.rounds[-1].answer,
        "said": said,
    }


def _files(sample: Offline, root: Path) -> list[Picture]:
    found: list[Picture] = []
    for number, medium in enumerate(sample.media, 1):
        path = root / medium.path
        if not medium.chunks:
            found.append(Picture(path, None, f"picture {number}"))
        found += [Picture(path, c * FPS, f"video {number}, {c} s") for c in medium.chunks]
    return found[:MOST_PICTURES]
