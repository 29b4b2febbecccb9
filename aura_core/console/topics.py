"""Messages of the assistant's topics as events of the console.

It knows no ROS: it reads the fields of whatever has them, the classes of rclpy and those of a bag's
reader. So the console of a robot and the replay of its bag show the same.
"""

from __future__ import annotations

import base64
from collections import OrderedDict
from dataclasses import replace
from typing import Any

from aura_core.console import protocol as p
from aura_core.types import NS, Kind

DECIDED = ("silent", "speaking")  # states of a heartbeat that tells of a decided second
_REMEMBERED = 500  # newest questions, answers and watches whose texts are known
_WAITING_MS = 300.0  # a heartbeat may come so much earlier than the words of its second


class Topics:
    """Takes messages in the order in which they come, and returns the events that they are.

    `at_ms` is always when the message came, by the clock of who shows it, in milliseconds since the
    UNIX epoch.
    """

    def __init__(self) -> None:
        self._texts: OrderedDict[str, str] = OrderedDict()  # of questions, by id
        self._answers: OrderedDict[tuple[str, int], Any] = OrderedDict()  # by camera and stamp
        self._last: OrderedDict[str, tuple[str, int]] = OrderedDict()  # words and stamp, by watch
        self._beats: dict[str, Any] = {}  # the newest heartbeat of a decided second, by camera
        self._held: dict[str, p.Second] = {}  # spoken seconds whose words have not come, by camera

    def heartbeat(self, msg: Any, at_ms: float) -> list[p.Event]:
        """`aura/heartbeat`: a second, or a second that was lost."""
        events = self.late(at_ms, msg.camera)
        if msg.state == "error" and msg.detail:
            return [*events, p.Problem(msg.camera, msg.detail, at_ms)]
        if msg.state not in DECIDED:
            return events
        before = self._beats.get(msg.camera)
        self._beats[msg.camera] = msg
        second = _second(msg, before, at_ms)
        if second.state == "silent":
            return [*events, second]
        if (answer := self._answers.get((msg.camera, second.stamp_ns))) is not None:
            return [*events, _answered(second, answer)]
        self._held[msg.camera] = second
        return events

    def late(self, now_ms: float, camera: str | None = None) -> list[p.Event]:
        """Seconds whose words have not come in time: of one camera all, else those of a while
        ago."""
        names = [camera] if camera is not None else list(self._held)
        due = [
            name
            for name in names
            if name in self._held
            and (camera is not None or now_ms - self._held[name].at_ms >= _WAITING_MS)
        ]
        return [self._held.pop(name) for name in due]

    def response(self, msg: Any, at_ms: float) -> list[p.Event]:
        """`aura/response`: words so far, the whole answer, or a refusal."""
        stamp_ns = to_ns(msg.header.stamp)
        if getattr(msg, "refused", False):
            text = self._texts.get(msg.query_id, "")
            return [p.Refused(msg.query_id or msg.id, msg.camera, text, msg.text, at_ms)]
        if not msg.final:
            asked = msg.kind == Kind.REAL_TIME
            return [p.Words(msg.id, msg.camera, msg.text, at_ms, asked)]
        _keep(self._answers, (msg.camera, stamp_ns), msg)
        said = p.Said(
            id=msg.id,
            camera=msg.camera,
            text=msg.text,
            stamp_ns=stamp_ns,
            at_ms=at_ms,
            query_id=msg.query_id,
            kind=msg.kind,
            acknowledgment=bool(msg.acknowledgment),
            urgent=bool(msg.urgent),
            p_silent=float(msg.p_silent),
            evidence=tuple(
                p.Evidence(e.note_id, to_ns(e.wall) / 1e6) for e in getattr(msg, "evidence", ())
            ),
        )
        held = self._held.get(msg.camera)
        if held is not None and held.stamp_ns == stamp_ns:
            del self._held[msg.camera]
            return [said, _answered(held, msg)]
        return [said]

    def alert(self, msg: Any, at_ms: float) -> list[p.Event]:
        """`aura/alert`."""
        stamp_ns = to_ns(msg.header.stamp)
        _keep(self._last, msg.watch_id, (msg.text, stamp_ns))
        return [
            p.Alert(
                key=f"{msg.id}/{msg.watch_id}",
                id=msg.id,
                watch_id=msg.watch_id,
                camera=msg.camera,
                instruction=msg.instruction,
                text=msg.text,
                stamp_ns=stamp_ns,
                at_ms=at_ms,
                kind=msg.kind,
                severity=msg.severity or "info",
                urgent=bool(msg.urgent),
                confidence=float(msg.confidence),
                index=int(msg.index),
            )
        ]

    def asked(self, msg: Any, at_ms: float) -> list[p.Event]:
        """`aura/asked`."""
        _keep(self._texts, msg.query_id, msg.text)
        watch = msg.kind in (Kind.PROACTIVE, Kind.MULTI_RESPONSE)
        return [p.Asked(msg.query_id, msg.camera, msg.text, msg.source, watch, at_ms)]

    def watches(self, msg: Any, at_ms: float) -> list[p.Event]:
        """`aura/watches`."""
        return [p.Watches(tuple(self._watch(w) for w in msg.watches))]

    def _watch(self, msg: Any) -> p.Watch:
        _keep(self._texts, msg.id, msg.text)
        text, stamp_ns = self._last.get(msg.id, ("", to_ns(msg.last_evidence) or None))
        full = msg.limit and msg.answers >= msg.limit
        answered = full or (msg.kind == Kind.PROACTIVE and msg.answers)
        return p.Watch(
            id=msg.id,
            camera=msg.camera,
            text=msg.text,
            kind=msg.kind,
            open=bool(msg.open),
            answers=int(msg.answers),
            limit=int(msg.limit) or None,
            cooldown_s=float(msg.cooldown_s),
            urgent=bool(msg.urgent),
            severity=msg.severity or "info",
            cancelled=not msg.open and not answered,
            last_text=text,
            last_stamp_ns=stamp_ns,
        )

    def note(self, msg: Any, at_ms: float = 0.0) -> list[p.Event]:
        """`aura/note`, and the notes of `aura/recall`, which may have a small picture."""
        end_ms = to_ns(msg.wall) / 1e6
        length_ms = max(0, to_ns(msg.header.stamp) - to_ns(msg.begin)) / 1e6
        return [
            p.Note(
                id=msg.id,
                camera=msg.camera,
                kind=msg.kind,
                text=msg.text,
                begin_ms=end_ms - length_ms,
                end_ms=end_ms,
                question=msg.question,
                query_id=msg.query_id,
                response_id=msg.response_id,
                thumbnail=base64.b64encode(bytes(msg.thumbnail)).decode(),
            )
        ]

    def transcript(self, msg: Any, at_ms: float) -> list[p.Event]:
        """`asr/transcript`."""
        return [p.Heard("", msg.text, msg.state, at_ms, msg.reason)]


def to_ns(stamp: Any) -> int:
    """A message's stamp in nanoseconds."""
    return int(stamp.sec) * NS + int(stamp.nanosec)


def _second(msg: Any, before: Any, at_ms: float) -> p.Second:
    """A decided second, without its words. `before`: the heartbeat of the second before."""

    def more(name: str) -> int:
        """How much a counter has grown; it begins anew where the assistant was started again."""
        return max(0, int(getattr(msg, name)) - int(getattr(before, name))) if before else 0

    cut = before is not None and msg.window_chunks < before.window_chunks
    return p.Second(
        camera=msg.camera,
        chunk=int(msg.chunk),
        stamp_ns=to_ns(msg.header.stamp),
        at_ms=at_ms,
        state="silent" if msg.state == "silent" else "speak",
        p_silent=float(msg.p_silent),
        # A heartbeat of an older recording lacks some of these.
        reason=getattr(msg, "reason", ""),
        suppressed=getattr(msg, "suppressed", ""),
        step_ms=float(msg.step_ms),
        decide_ms=float(getattr(msg, "decide_ms", 0.0)),
        window_chunks=int(msg.window_chunks),
        window_max=int(msg.window_max),
        window_tokens=int(getattr(msg, "window_tokens", 0)),
        decode_tokens=int(msg.decode_tokens),
        switched=getattr(msg, "switched", cut),
        missed=more("chunks_missed"),
        dropped=more("chunks_dropped"),
    )


def _answered(second: p.Second, answer: Any) -> p.Second:
    now = answer.kind == Kind.REAL_TIME
    return replace(
        second,
        response_id=answer.id,
        query_id=answer.query_id if now else "",
        decide_ms=float(answer.decide_ms),
    )


def _keep(into: OrderedDict[Any, Any], key: Any, value: Any) -> None:
    into[key] = value
    into.move_to_end(key)
    while len(into) > _REMEMBERED:
        into.popitem(last=False)
