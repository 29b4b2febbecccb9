"""SubRip (.srt) and WebVTT (.vtt): cues with times, without their marks of style.

Both have blocks that blank lines part: a line with `-->`, then the lines of the text. WebVTT adds a
header, notes, styles and regions, which are no cues, and settings after the times.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from aura_core.data.exchange.entries import BadEntry, read_text, seconds_of

_MARKS = re.compile(r"</?[^<>\n]*>|\{\\[^}]*\}")  # <i>, <v Name>, <00:01.000>, and {\an8} of SRT
_NO_CUES = ("WEBVTT", "NOTE", "STYLE", "REGION")


@dataclass(frozen=True)
class Cue:
    """A text that stands from `start_s` to `end_s`, in seconds."""

    start_s: float
    end_s: float
    text: str


def cues(path: Path) -> Iterator[Cue | BadEntry]:
    """Yield the cues of a file in order, and a `BadEntry` for each block that is none.

    Raises `InputError` for a file that cannot be read.
    """
    lines = read_text(path).splitlines()
    block: list[str] = []
    first = 1
    for number, line in enumerate([*lines, ""], 1):
        if line.strip():
            if not block:
                first = number
            block.append(line.strip())
        elif block:
            if block[0].split()[0] not in _NO_CUES:
                try:
                    if (cue := _cue(f"{path}:{first}", block)) is not None:
                        yield cue
                except BadEntry as e:
                    yield e
            block = []


def _cue(where: str, block: list[str]) -> Cue | None:
    """Return the cue of a block; None for one without text, as players write for a pause."""
    at = next((i for i, line in enumerate(block[:2]) if "-->" in line), None)
    if at is None:
        raise BadEntry(where, "", "a line with 'start --> end' is missing", block[0])
    start, _, rest = block[at].partition("-->")
    end = rest.split()[0] if rest.split() else ""
    start_s = seconds_of(where, "start", start.strip())
    end_s = seconds_of(where, "end", end)
    if end_s < start_s:
        raise BadEntry(where, "end", "is before the start", end_s, f"{start_s:g} s")
    text = html.unescape(_MARKS.sub("", " ".join(block[at + 1 :])))
    words = " ".join(text.split())
    return Cue(start_s, end_s, words) if words else None
