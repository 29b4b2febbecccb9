"""The values that the engine takes and gives.

Frozen; times are nanoseconds of the frames' clock.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from aura_core.errors import InputError

NS = 1_000_000_000  # nanoseconds in a second


class Kind(StrEnum):
    """Why something was said; see `stream/attribution.py`."""

    REAL_TIME = "real-time"  # in the chunk of its question
    PROACTIVE = "proactive"  # later: the first answer of a watch that asks for one
    MULTI_RESPONSE = "multi-response"  # later: an answer of a watch that gives several


class Severity(StrEnum):
    """How much the event of a watch matters, from little to much."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


@dataclass(frozen=True, eq=False)
class Frame:
    """One image. `image` is RGB uint8 (height, width, 3).

    `arrived_ns` is when it came, by a clock that does not jump; None where that is not known.
    `frame_id` names the camera: in ROS, the coordinate frame of the image's header.
    """

    image: NDArray[np.uint8]
    stamp_ns: int
    arrived_ns: int | None = None
    frame_id: str = ""

    def checked(self) -> Frame:
        """This frame. Raises `InputError` unless its image is RGB uint8 (height, width, 3)."""
        image = self.image
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != "uint8" or 0 in image.shape:
            raise InputError(
                f"a frame must be uint8 (height, width, 3), not {image.dtype} {image.shape}"
            )
        return self


@dataclass(frozen=True, eq=False)
class Chunk:
    """One second of video: two frames, 0.5 s apart.

    `index` counts seconds since the stream's first frame; it skips seconds without a frame.
    `repeated` counts frames that are used twice because one is missing.
    """

    index: int
    frames: tuple[Frame, ...]
    start_ns: int
    end_ns: int
    repeated: int = 0

    @property
    def stamp_ns(self) -> int:
        """Stamp of the newest frame. A response about this chunk has this stamp."""
        return self.frames[-1].stamp_ns


@dataclass(frozen=True)
class Before:
    """What a watch has answered in an earlier run of the assistant."""

    answers: int
    last_ns: int | None  # stamp of its newest answer, and the words
    last_text: str


@dataclass(frozen=True)
class Call:
    """A tool that the model calls to answer a question (see `tools.py`).

    `count`: which call of the question it is, from 1. `said`: the words before it, which belong to
    the response with the id `response_id`. `problem`: why the call cannot be read; "" when it can.
    """

    name: str
    arguments: Mapping[str, Any]
    query_id: str
    response_id: str
    count: int = 1
    said: str = ""
    problem: str = ""

    def as_json(self) -> dict[str, object]:
        """The call, as a line of `aura run` and `aura replay` holds it."""
        if self.problem:
            return {"query_id": self.query_id, "problem": self.problem}
        arguments = dict(self.arguments)
        return {"query_id": self.query_id, "name": self.name, "arguments": arguments}


@dataclass(frozen=True)
class Delegate:
    """A task that the model hands over to somebody else (see `docs/delegate.md`).

    `query_id`: the question or watch that it belongs to; "" where there is none. `said`: the words
    before the task, which only promise an answer. `stamp_ns`: the newest frame that the model saw.
    """

    id: str
    task: str
    query_id: str
    stamp_ns: int
    said: str = ""
    p_silent: float = 0.0  # at the decision to hand it over

    def as_json(self) -> dict[str, object]:
        """The task, as a line of `aura run` and `aura replay` holds it."""
        return {"id": self.id, "query_id": self.query_id, "task": self.task}


@dataclass(frozen=True)
class Query:
    """A question. Without a stamp it joins the chunk that closes next.

    `limit`, `cooldown_s`, `urgent` and `severity` are for watches. `limit` are the most answers,
    and `cooldown_s` the seconds of stream time after an answer in which the watch is silent; None:
    as configured. `quiet`: the words with which the model accepts the watch are not said. `before`:
    the watch goes on from an earlier run. `after`: the text is the result of this call, and no
    question.
    """

    text: str
    id: str = ""
    stamp_ns: int | None = None
    kind: Kind | None = None  # given for a registered watch; None: found from the words
    limit: int | None = None
    cooldown_s: float | None = None
    urgent: bool = False  # its answers may interrupt the user
    severity: Severity = Severity.INFO
    quiet: bool = False
    before: Before | None = None
    after: Call | None = None


Reason = Literal["threshold", "hysteresis", "min_gap", "no_watch", "asked"]


@dataclass(frozen=True)
class Decision:
    """Silent or speak.

    `p_silent` is the probability of silence, and `token_id` the first token. `reason` is the
    rule that overruled the model: "threshold" (in either direction); "hysteresis", "min_gap" or
    "no_watch" (words were held back: no watch is open); "asked" (silence was masked, because the
    chunk has a question). None when the model's own choice stands.
    """

    silent: bool
    p_silent: float
    token_id: int
    reason: Reason | None = None


@dataclass(frozen=True)
class Answered:
    """A watch that words answer. `index` counts the answers to it from 0."""

    query_id: str
    kind: Kind
    index: int
    urgent: bool = False
    severity: Severity = Severity.INFO


@dataclass(frozen=True)
class Evidence:
    """A note that an answer was given from: its id, and what time it is about.

    `begin_ns` and `end_ns` are stamps of its run; `wall_ns` is the wall clock at `end_ns`, since
    the UNIX epoch.
    """

    note_id: str
    begin_ns: int
    end_ns: int
    wall_ns: int


@dataclass(frozen=True)
class Response:
    """The words of an answer, and the question that they answer.

    `index` counts the answers to that question from 0.
    """

    text: str
    kind: Kind
    query_id: str
    index: int
    acknowledgment: bool
    stamp_ns: int  # newest frame that the words describe
    final: bool = True
    urgent: bool = False  # one of its watches is urgent; it may interrupt the user
    id: str = ""  # unique over runs; an alert has the id of its response
    watches: tuple[Answered, ...] = ()  # that the words answer; `query_id` is the first of them
    evidence: tuple[Evidence, ...] = ()  # the notes that memory told for the question


@dataclass(frozen=True)
class Step:
    """The report of one chunk that was decided. `*_ms` are wall-clock milliseconds."""

    chunk: int
    stamp_ns: int
    decision: Decision
    response: Response | None
    question: str | None  # text of the question that was asked in this chunk
    question_id: str | None
    step_ms: float  # encode + prefill + decision + decode
    decide_ms: float  # encode + prefill + decision: what a silent step costs
    prefill_tokens: int
    vision_encodes: int
    decode_tokens: int
    forwards: int
    window_chunks: int  # chunks in view after this step
    window_tokens: int  # tokens in the cache after this step
    switched: bool  # the window was cut back in this step
    suppressed: str = (
        # why words were not said: cancelled, limit, cooldown, duplicate, quiet, call, empty
        ""
    )
    missed_chunks: int = 0  # chunks before this one that were seen and not decided
    call: Call | None = None  # what the model calls instead of an answer
    delegate: Delegate | None = None  # what it hands over; its result is told later

    @property
    def state(self) -> str:
        """ "silent" or "speak"."""
        did = (self.response, self.call, self.delegate)
        return "silent" if did == (None, None, None) else "speak"

    def as_json(self) -> dict[str, object]:
        """The line that `aura run` and `aura replay` write for this step."""
        r = self.response
        call = {} if self.call is None else {"call": self.call.as_json()}
        task = {} if self.delegate is None else {"delegate": self.delegate.as_json()}
        notes = {"evidence": [e.note_id for e in r.evidence]} if r and r.evidence else {}
        return {
            "chunk": self.chunk,
            "stamp_ns": self.stamp_ns,
            "state": self.state,
            "p_silent": round(self.decision.p_silent, 6),
            "reason": self.decision.reason or "",
            "text": r.text if r else "",
            "response_id": r.id if r else "",
            "query_id": r.query_id if r else "",
            "kind": str(r.kind) if r else "",
            "index": r.index if r else 0,
            "acknowledgment": r.acknowledgment if r else False,
            "watches": [w.query_id for w in r.watches] if r else [],
            "question": self.question or "",
            "step_ms": round(self.step_ms, 3),
            "decide_ms": round(self.decide_ms, 3),
            "prefill_tokens": self.prefill_tokens,
            "vision_encodes": self.vision_encodes,
            "decode_tokens": self.decode_tokens,
            "forwards": self.forwards,
            "window_chunks": self.window_chunks,
            "window_tokens": self.window_tokens,
            "switched": self.switched,
            "suppressed": self.suppressed,
            "missed_chunks": self.missed_chunks,
            **call,
            **task,
            **notes,
        }
