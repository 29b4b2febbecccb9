"""Captions with times, as what an assistant says that was asked to describe a video.

    captions.jsonl   {"video": "a.mp4", "start": 1.0, "end": 3.5, "caption": "A cup falls."}
                     {"video": "b.mp4", "captions": [{"time": "0:04", "text": "..."}, ...]}
    dense.json       {"v_1": {"timestamps": [[0.8, 19.8], ...], "sentences": ["...", ...]}}
    a.srt, a.vtt     for the video a.mp4, or any other with the name `a`

The fields may have other usual names, see `TEXT`, `START`, `END`, `TIME` and `VIDEO`. A caption of
a stretch of video is said in its last second, when all that it describes has been seen, or in its
first one (`at`). The seconds between captions are silent: so a video with a caption that cannot be
read is left out as a whole, and the captions of one video are put together, whichever files and
names they stand under. An entry that cannot be read and does not tell its video may be a caption of
any video of its file: of those whose captions are entries of their own, none is used.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
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


Named = Callable[[str, str], str]  # file and line, the video's name there: its name as a source


@dataclass
class _Film:
    """What all files say of one video. `spoiled`: where a caption of it is left out."""

    where: str
    captions: list[Caption]
    spoiled: BadEntry | None = None


def talks(
    paths: Sequence[Path], at: str, named: Named = lambda where, video: video
) -> Iterator[Talk | BadEntry]:
    """Yield one talk for each video, without questions, and what is left out.

    Args:
        paths: the files. The talk of a video has the captions of all of them.
        at: start or end, the second in which a caption is said.
        named: returns what a name stands for, the same for all names of one video; raises
            `BadEntry`. It is the talk's `video`.

    Raises `InputError`.
    """
    films: dict[str, _Film] = {}
    for path in paths:
        single: set[str] = set()  # videos whose captions are entries of their own
        unknown: list[BadEntry] = []
        for piece in _pieces(path):
            if piece.fault is not None:
                yield piece.fault
            try:
                video = named(piece.where, piece.video) if piece.video else ""
            except BadEntry as e:
                if piece.fault is None:
                    yield e
                continue
            if not video:
                unknown += [piece.fault] if piece.fault is not None else []
                continue
            film = films.setdefault(video, _Film(piece.where, []))
            film.spoiled = film.spoiled or piece.fault
            film.captions += [c for c in piece.captions if c not in film.captions]
            if piece.single:
                single.add(video)
        for video in single if unknown else ():
            films[video].spoiled = films[video].spoiled or unknown[0]
    for video, film in films.items():
        if film.spoiled is not None:
            told = f"{video}: {film.spoiled}; mend that, or take the video out"
            yield BadEntry(film.where, "", "a caption of it is left out", detail=told)
            continue
        lines = sorted((c.line(at) for c in film.captions), key=lambda line: line.at_s)
        yield Talk(film.where, video, (), tuple(lines))


@dataclass(frozen=True)
class _Piece:
    """One entry or cue of a file: `video` is "" where it is not known. `single`: one caption."""

    video: str
    where: str
    captions: tuple[Caption, ...] = ()
    fault: BadEntry | None = None
    single: bool = False


def _pieces(path: Path) -> Iterator[_Piece]:
    if path.suffix.lower() in (".srt", ".vtt"):
        yield from _of_subtitles(path)
        return
    for entry in entries(path):
        if isinstance(entry, BadEntry):
            yield _Piece(_damaged(entry.text), entry.where, fault=entry)
            continue
        video = ""
        try:
            video = entry.key or entry.text(*VIDEO)
            captions, single = _captions(entry)
            yield _Piece(video, entry.where, tuple(captions), None, single)
        except BadEntry as e:
            yield _Piece(video, entry.where, fault=e)


def _of_subtitles(path: Path) -> Iterator[_Piece]:
    for cue in cues(path):
        if isinstance(cue, BadEntry):
            yield _Piece(path.stem, cue.where, fault=cue)
        else:
            caption = Caption(cue.start_s, cue.end_s, cue.text)
            yield _Piece(path.stem, f"{path}:1", (caption,))


def _damaged(text: str) -> str:
    """Return the video that a damaged line of JSON names, or "".

    An `id` is no proof: it may be the caption's own, and the video's name in the part that is lost.
    """
    for name in VIDEO:
        found = re.search(rf'"{name}"\s*:\s*("(?:[^"\\\x00-\x1f]|\\.)+")', text)
        if found and name != "id":
            try:
                return str(json.loads(found[1])).strip()
            except ValueError:
                return ""
    return ""


def _captions(entry: Entry) -> tuple[list[Caption], bool]:
    """Return the captions of an entry: one (and true), or all of a list."""
    name, inner = entry.field(*LISTS)
    if isinstance(inner, list):
        return [_caption(entry.inner(v), f"{name}[{i}].") for i, v in enumerate(inner)], False
    times, sentences = entry.field("timestamps")[1], entry.field("sentences")[1]
    if times is None and sentences is None:
        return [_caption(entry, "")], True
    if not isinstance(times, list) or not isinstance(sentences, list):
        raise BadEntry(entry.where, "timestamps", "and 'sentences' must be lists")
    if len(times) != len(sentences):
        told = f"has {len(times)} entries and 'sentences' {len(sentences)}"
        raise BadEntry(entry.where, "timestamps", told)
    pairs = enumerate(zip(times, sentences, strict=True))
    return [_dense(entry.where, i, span, text) for i, (span, text) in pairs], False


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
