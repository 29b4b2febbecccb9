"""Keeps what a replay asked, said and showed, for `judge.py` and the report.

**Time.** The time of words is that of the newest frame that they describe, in seconds from the
first frame. The words of an answer are not earlier than their question, which is asked about the
second that has just ended.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from aura_core.errors import InputError
from aura_core.replay.judge import AskedAt, Run, Spoken
from aura_core.stream.recovery import Lost
from aura_core.types import NS, Frame, Kind, Query, Step
from aura_core.words import shorten

THUMBNAIL = 160  # width in pixels
_RECENT = 4  # frames that wait for the step that shows them: its chunk's, and the next chunk's


@dataclass(frozen=True)
class Thumbnail:
    """The newest frame of a step: a JPEG of at most `THUMBNAIL` pixels in width."""

    at_s: float
    jpeg: bytes


class Witness:
    """Attends one replay: pass it the events, every step, refusal and loss.

    `thumbnails` (one for each second) and `steps` (as `aura replay --out` writes them) are filled
    where `pictures` is true. `stopped` is set when the user ended the replay early.
    """

    def __init__(self, pictures: bool = False) -> None:
        self.pictures, self.stopped = pictures, False
        self.thumbnails: list[Thumbnail] = []
        self.steps: list[dict[str, object]] = []
        self._first_ns: int | None = None  # stamp of the first frame
        self._base_ns = 0  # the same, moved where the clock of the frames began anew
        self._recent: deque[Frame] = deque(maxlen=_RECENT)
        self._waiting: list[Query] = []  # asked, and not seen in a step
        self._texts: dict[str, str] = {}  # of questions, by id
        self._said: list[Spoken] = []
        self._asked: list[AskedAt] = []
        self._problems: list[str] = []
        self._end_s = 0.0

    def attending(self, events: Iterable[Frame | Query]) -> Iterator[Frame | Query]:
        """The events, unchanged."""
        for event in events:
            if isinstance(event, Query):
                self._waiting.append(event)
            else:
                if self._first_ns is None:
                    self._first_ns = self._base_ns = event.stamp_ns
                if self.pictures:
                    self._recent.append(event)
            yield event

    def step(self, step: Step) -> None:
        """Take the report of a chunk."""
        at_s = self._time_of(step)
        if self.pictures:
            self._show(step.stamp_ns, at_s)
            self.steps.append(step.as_json())
        if step.question is not None:
            at_s = self._question(step, at_s)
        self._end_s = max(self._end_s, at_s)
        r = step.response
        if r is None or not r.text.strip():
            return
        ids = dict.fromkeys([r.query_id, *(w.query_id for w in r.watches)])
        to = tuple(self._texts[i] for i in ids if i in self._texts)
        alert = r.kind is not Kind.REAL_TIME
        self._said.append(Spoken(at_s, r.text, alert, to, r.acknowledgment))

    def refuse(self, query: Query, error: InputError) -> None:
        """Take a question that was refused."""
        self._take(query.text)
        self._problems.append(f"question '{shorten(query.text)}' is refused: {error}")

    def lose(self, lost: Lost) -> None:
        """Take a chunk over which the model failed. A question that is given up is a refusal."""
        self._problems.append(lost.message)

    def run(self) -> Run:
        """All that happened so far."""
        never = [
            f"question '{shorten(q.text)}' was never seen: the frames end at {self._end_s:g} s,"
            " before its time"
            for q in self._waiting
        ]
        problems = (*self._problems, *never)
        return Run(tuple(self._said), tuple(self._asked), self._end_s, problems)

    def _time_of(self, step: Step) -> float:
        """Seconds from the first frame. Chunk indices count on where the stamps begin anew."""
        at_ns = step.stamp_ns - self._base_ns
        if not (step.chunk - 1) * NS <= at_ns <= (step.chunk + 2) * NS:
            at_ns = step.chunk * NS + NS // 2
            self._base_ns = step.stamp_ns - at_ns
        return _seconds(at_ns)

    def _question(self, step: Step, at_s: float) -> float:
        """Record the question of a step, and return the time of its answer."""
        assert step.question is not None
        query = self._take(step.question)
        if query is not None and query.stamp_ns is not None:
            asked_s = _seconds(query.stamp_ns - self._base_ns)
            at_s = max(at_s, asked_s) if asked_s - at_s <= 2.0 else at_s
        self._asked.append(AskedAt(at_s, step.question))
        if step.question_id:
            self._texts[step.question_id] = step.question
        return at_s

    def _take(self, text: str) -> Query | None:
        for i, query in enumerate(self._waiting):
            if query.text == text:
                return self._waiting.pop(i)
        return None

    def _show(self, stamp_ns: int, at_s: float) -> None:
        """Keep the frame of this stamp. Questions of one second show it once."""
        if self.thumbnails and self.thumbnails[-1].at_s == at_s:
            return
        frame = next((f for f in reversed(self._recent) if f.stamp_ns == stamp_ns), None)
        if frame is None:
            return
        import cv2

        height, width = frame.image.shape[:2]
        size = min(THUMBNAIL, width), max(1, round(height * min(THUMBNAIL, width) / width))
        small = cv2.resize(frame.image, size, interpolation=cv2.INTER_AREA)
        bgr = cv2.cvtColor(small, cv2.COLOR_RGB2BGR)
        ok, jpeg = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, 70])
        if ok:
            self.thumbnails.append(Thumbnail(at_s, jpeg.tobytes()))


def _seconds(ns: int) -> float:
    return round(ns / NS, 3)
