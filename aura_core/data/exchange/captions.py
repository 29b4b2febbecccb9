"""Captions with times, as what an assistant says that was asked to describe a video.

    captions.jsonl   {"video": "a.mp4", "start": 1.0, "end": 3.5, "caption": "A cup falls."}
                     {"video": "b.mp4", "captions": [{"time": "0:04", "text": "..."}, ...]}
    dense.json       {"v_1": {"timestamps": [[0.8, 19.8], ...], "sentences": ["...", ...]}}
    a.srt, a.vtt     for the video a.mp4, or any other with the name `a`

The fields may have other usual names, see `TEXT`, `START`, `END`, `TIME` and `VIDEO`. A caption of
a stretch of video is said in its last second, when all that it describes has been seen, or in its
first one (`at`). The seconds between captions are silent: so a video with a caption that cannot be
read is left out as a whole.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aura_core.data.exchange.entries import BadEntry, Entry, entries, seconds_of, text_of
from aura_core.data.exchange.subtitles import cues
from aura_core.data.exchange.timed import Line, Talk

SUFFIXES = (".json", ".jsonl", ".srt", ".vtt")
TEXT = ("caption", "text", "sentence", "content", "description")
START = ("start", "start_time", "begin", "start_s")
END = ("end", "end_time", "stop", "end_s")
TIME = ("time", "timestamp", "at_s")
VIDEO = ("video", "video_path", "video_name", "video_id", "vid", "id")
LISTS = ("captions", "segments", "events", "annotations")


@dataclass(frozen=True)
class Caption:
    """A text for the stretch `start_s` .. `end_s` of a video; both equal for a moment."""

    start_s: float
    end_s: float
    text: str

    def line(self, at: str) -> Line:
        """Return when it is said: `at` is start or end. The end itself is not part of a stretch."""
        if at == "start" or self.end_s <= self.start_s:
            return Line(self.start_s, self.text)
        last = int(self.end_s) - (self.end_s == int(self.end_s))
        return Line(max(self.start_s, float(last)), self.text)


def talks(path: Path, at: str) -> Iterator[Talk | BadEntry]:
    """Yield one talk for each video in a file, without questions, and what is left out of it.

    `at`: start or end, the second in which a caption is said. Raises `InputError`.
    """
    read = _of_subtitles if path.suffix.lower() in (".srt", ".vtt") else _of_entries
    found: dict[str, tuple[str, list[Caption]]] = {}
    spoiled: dict[str, str] = {}  # by video: where a caption of it is left out
    for video, where, captions in read(path):
        if isinstance(captions, BadEntry):
            yield captions
            spoiled.setdefault(video, where)
        else:
            found.setdefault(video, (where, []))[1].extend(captions)
    for video, (where, captions) in found.items():
        if video in spoiled:
            yield BadEntry(where, "", "a caption of it is left out", detail=spoiled[video])
            continue
        lines = sorted((c.line(at) for c in captions), key=lambda line: line.at_s)
        yield Talk(where, video, (), tuple(lines))


_Read = Iterator[tuple[str, str, "list[Caption] | BadEntry"]]  # video, file and line, captions


def _of_subtitles(path: Path) -> _Read:
    for cue in cues(path):
        if isinstance(cue, BadEntry):
            yield path.stem, cue.where, cue
        else:
            yield path.stem, f"{path}:1", [Caption(cue.start_s, cue.end_s, cue.text)]


def _of_entries(path: Path) -> _Read:
    for entry in entries(path):
        if isinstance(entry, BadEntry):
            yield "", entry.where, entry
            continue
        video = ""
        try:
            video = entry.key or entry.text(*VIDEO)
            yield video, entry.where, _captions(entry)
        except BadEntry as e:
            yield video, entry.where, e


def _captions(entry: Entry) -> list[Caption]:
    """Return the captions of an entry: one, or all of a list."""
    name, inner = entry.field(*LISTS)
    if isinstance(inner, list):
        return [_caption(entry.inner(v), f"{name}[{i}].") for i, v in enumerate(inner)]
    times, sentences = entry.field("timestamps")[1], entry.field("sentences")[1]
    if times is None and sentences is None:
        return [_caption(entry, "")]
    if not isinstance(times, list) or not isinstance(sentences, list):
        raise BadEntry(entry.where, "timestamps", "and 'sentences' must be lists")
    if len(times) != len(sentences):
        told = f"has {len(times)} entries and 'sentences' {len(sentences)}"
        raise BadEntry(entry.where, "timestamps", told)
    pairs = enumerate(zip(times, sentences, strict=True))
    return [_dense(entry.where, i, span, text) for i, (span, text) in pairs]


def _caption(entry: Entry, within: str) -> Caption:
    name, text = entry.field(*TEXT)
    words = text_of(entry.where, within + (name or TEXT[0]), text)
    name, start = entry.field(*START, *TIME)
    if isinstance(start, list):
        return _stretch(entry.where, within + name, start, words)
    start_s = seconds_of(entry.where, within + (name or START[0]), start)
    name, end = entry.field(*END)
    end_s = start_s if end is None else seconds_of(entry.where, within + name, end)
    return _ordered(entry.where, within + (name or END[0]), start_s, end_s, words)


def _dense(where: str, index: int, span: Any, text: Any) -> Caption:
    words = text_of(where, f"sentences[{index}]", text)
    return _stretch(where, f"timestamps[{index}]", span, words)


def _stretch(where: str, name: str, span: Any, words: str) -> Caption:
    if not isinstance(span, list) or len(span) != 2:
        raise BadEntry(where, name, "must be [start, end] in seconds", span)
    start_s, end_s = (seconds_of(where, name, s) for s in span)
    return _ordered(where, name, start_s, end_s, words)


def _ordered(where: str, name: str, start_s: float, end_s: float, words: str) -> Caption:
    if end_s < start_s:
        raise BadEntry(where, name, "is before the start", end_s, f"{start_s:g} s")
    return Caption(start_s, end_s, words)
