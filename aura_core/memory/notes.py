"""The unit of memory: a note, one thing that happened and when."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class NoteKind(StrEnum):
    """What a note is about."""

    SEEN = "seen"  # what happened in a block of video, in the words of a model
    QUESTION = "question"  # a question, and its answer
    ALERT = "alert"  # what a watch was answered
    CAMERA = "camera"  # the camera was lost, or is back
    RUN = "run"  # the assistant began, or ended
    NAME = "name"  # a name that the user has given to something or somebody


@dataclass(frozen=True)
class Note:
    """One note.

    Attributes:
        id: unique over restarts (a run and a count, see `stream/ids.py`).
        kind: what it is about.
        text: the words; for a question, those of the answer. Facts are separated by `;` or by full
            stops, see `words.sentences`.
        begin_ns, end_ns: stamps of the frames that it is about, in nanoseconds of their clock.
        wall_ns: wall-clock time of `end_ns`, in nanoseconds since the UNIX epoch. Time in questions
            means this clock. Where the clock was set since, this is what it would have shown.
        shown_ns: what it has shown then, where that is another time; None: `wall_ns`.
        run: the run of the assistant that wrote it.
        stream: the camera; "" where there is one.
        question: text of the question or watch that it belongs to.
        query_id: id of that question or watch.
        response_id: id of the response that it repeats.
        picture: a keyframe as JPEG; None without.
        thumbnail: a small JPEG; None without.
    """

    id: str
    kind: NoteKind
    text: str
    begin_ns: int
    end_ns: int
    wall_ns: int
    run: str
    stream: str = ""
    question: str = ""
    query_id: str = ""
    response_id: str = ""
    picture: bytes | None = None
    thumbnail: bytes | None = None
    shown_ns: int | None = None

    @property
    def shown_wall_ns(self) -> int:
        """The wall-clock time of `end_ns` as the clock has shown it then."""
        return self.wall_ns if self.shown_ns is None else self.shown_ns

    @property
    def begin_wall_ns(self) -> int:
        """Wall-clock time of `begin_ns`, in nanoseconds since the UNIX epoch."""
        return self.wall_ns - (self.end_ns - self.begin_ns)
