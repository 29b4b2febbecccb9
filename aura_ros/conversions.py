"""Conversions between ROS messages and the engine's types. Only this file knows both."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import TypeVar

import cv2
import numpy as np
from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header

from aura_core.errors import InputError
from aura_core.live.events import Alert as CoreAlert
from aura_core.live.events import Asked as CoreAsked
from aura_core.live.events import Delegated, Stepped, Told, Unheard, Words
from aura_core.live.health import Health
from aura_core.memory.notes import Note as CoreNote
from aura_core.memory.wanted import Wanted
from aura_core.reactions import Alert as SeenAlert
from aura_core.sources.encodings import SUPPORTED, decode_compressed, decode_raw, refuse_format
from aura_core.stream.attribution import standing_kind
from aura_core.stream.watches import Watch as CoreWatch
from aura_core.types import NS, Frame, Kind, Query, Severity, Step
from aura_core.types import Evidence as CoreEvidence
from aura_core.types import Response as CoreResponse
from aura_ros.action import Watch as WatchAction
from aura_ros.msg import (
    Alert,
    Asked,
    Delegate,
    Evidence,
    Heartbeat,
    Note,
    Reaction,
    Response,
    Watch,
    Watches,
)
from aura_ros.srv import Ask, Forget

_E = TypeVar("_E", bound=StrEnum)
_UINT32_MAX = 2**32 - 1
_LAST_NS = 2**31 * NS - 1  # seconds of a stamp are an int32
LEVELS = {"ok": DiagnosticStatus.OK, "warn": DiagnosticStatus.WARN, "error": DiagnosticStatus.ERROR}


def to_ns(stamp: Time) -> int:
    """A message's stamp in nanoseconds."""
    return int(stamp.sec) * NS + int(stamp.nanosec)


def to_time(stamp_ns: int) -> Time:
    """A message's stamp from nanoseconds. A time that no message holds becomes the nearest."""
    sec, nanosec = divmod(min(max(0, stamp_ns), _LAST_NS), NS)
    return Time(sec=sec, nanosec=nanosec)


def stamp_or(header: Header, arrival_ns: int) -> int:
    """The header's stamp in nanoseconds; the time of arrival where the driver leaves it zero."""
    return to_ns(header.stamp) or arrival_ns


def refuse_image(msg: Image | CompressedImage) -> str:
    """Why this image cannot be used, from its header fields only; "" when it can."""
    if isinstance(msg, Image) and msg.encoding not in SUPPORTED:
        return (
            f"image encoding '{msg.encoding}' is not supported; supported are"
            f" {', '.join(SUPPORTED)}"
        )
    if isinstance(msg, CompressedImage) and (refused := refuse_format(msg.format)):
        return refused
    return "" if len(msg.data) else "the image has no data"


def to_frame(msg: Image | CompressedImage, stamp_ns: int) -> Frame:
    """The RGB frame of a raw or compressed image. Raises `InputError` when it cannot be decoded."""
    try:
        if isinstance(msg, CompressedImage):
            image = decode_compressed(msg.data, msg.format)
        else:
            image = decode_raw(
                msg.encoding, msg.height, msg.width, msg.step, msg.data, bool(msg.is_bigendian)
            )
        return Frame(image, stamp_ns, frame_id=msg.header.frame_id)
    except InputError as e:
        raise InputError(
            f"frame {msg.header.frame_id or '(no frame_id)'} at {stamp_ns} ns: {e}"
        ) from e


def to_image(frame: Frame, frame_id: str) -> Image:
    """The rgb8 message of a frame."""
    height, width, _ = frame.image.shape
    msg = Image(height=height, width=width, encoding="rgb8", step=3 * width)
    msg.header = header(frame.stamp_ns, frame_id)
    # This takes 0.02 ms; assigning an array or a list takes 14 to 38 ms.
    msg.data.frombytes(np.ascontiguousarray(frame.image))
    return msg


def jpeg_msg(frame: Frame, quality: int) -> CompressedImage:
    """The JPEG message of a frame, with its stamp and frame_id; `quality` is 1 to 100."""
    bgr = cv2.cvtColor(frame.image, cv2.COLOR_RGB2BGR)
    _, jpeg = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])
    msg = CompressedImage(header=header(frame.stamp_ns, frame.frame_id), format="jpeg")
    msg.data.frombytes(jpeg)
    return msg


def compressed_msg(msg: Image, form: str) -> CompressedImage:
    """The same image compressed: `form` is jpeg or png. Raises `InputError` when it cannot be
    decoded."""
    frame = to_frame(msg, to_ns(msg.header.stamp))
    options = [cv2.IMWRITE_JPEG_QUALITY, 90] if form == "jpeg" else [cv2.IMWRITE_PNG_COMPRESSION, 1]
    _, data = cv2.imencode(f".{form}", cv2.cvtColor(frame.image, cv2.COLOR_RGB2BGR), options)
    made = CompressedImage(header=msg.header, format=f"rgb8; {form} compressed bgr8")
    made.data.frombytes(data)
    return made


def header(stamp_ns: int, frame_id: str) -> Header:
    """A header with a stamp in nanoseconds."""
    return Header(stamp=to_time(stamp_ns), frame_id=frame_id)


def partial_msg(words: Words, age_ms: float) -> Response:
    """The answer so far, as a message.

    Its question and its cost are known with the final message only. Its kind is known from the
    first word on if it answers a question of this chunk.
    """
    return Response(
        header=header(words.stamp_ns, words.frame_id),
        id=words.response_id,
        text=words.text,
        kind=str(Kind.REAL_TIME) if words.asked else "",
        final=False,
        urgent=words.urgent,
        frame_age_ms=age_ms,
        camera=words.stream,
    )


def response_msg(event: Stepped | Told, response: CoreResponse, age_ms: float) -> Response:
    """The complete answer of a step, or the result of a task, which costs the model nothing."""
    step = event.step if isinstance(event, Stepped) else None
    return Response(
        header=header(response.stamp_ns, event.frame.frame_id),
        id=response.id,
        text=response.text,
        kind=str(response.kind),
        query_id=response.query_id,
        index=response.index,
        acknowledgment=response.acknowledgment,
        final=response.final,
        urgent=response.urgent,
        p_silent=_p_silent(event),
        frame_age_ms=age_ms,
        decide_ms=step.decide_ms if step else 0.0,
        step_ms=step.step_ms if step else 0.0,
        evidence=[evidence_msg(e) for e in response.evidence],
        camera=event.stream,
    )


def evidence_msg(evidence: CoreEvidence) -> Evidence:
    """A note that was shown with a question."""
    return Evidence(
        note_id=evidence.note_id,
        begin=to_time(evidence.begin_ns),
        end=to_time(evidence.end_ns),
        wall=to_time(evidence.wall_ns),
    )


def _p_silent(event: Stepped | Told) -> float:
    """p(silent) at the decision to speak, or to hand over the task."""
    return event.step.decision.p_silent if isinstance(event, Stepped) else event.delegate.p_silent


def delegate_msg(event: Delegated) -> Delegate:
    """A task that the model hands over."""
    task = event.delegate
    return Delegate(
        header=header(task.stamp_ns, event.frame.frame_id),
        id=task.id,
        task=task.task,
        query_id=task.query_id,
        question=event.query.text if event.query is not None else "",
        said=task.said,
        timeout_s=event.timeout_s,
        camera=event.stream,
    )


def refusal_msg(id: str, query_id: str, reason: str, now_ns: int) -> Response:
    """Words for a question that will not be answered. `query_id` is empty where it got no id."""
    return Response(
        header=header(now_ns, ""),
        id=id,
        text=f"I cannot answer that: {reason}.",
        kind=str(Kind.REAL_TIME),
        query_id=query_id,
        final=True,
        refused=True,
    )


def unheard_msg(id: str, event: Unheard, now_ns: int) -> Response:
    """Words about a watch whose alerts nobody could hear. They wait for a pause, as alerts do."""
    return Response(
        header=header(now_ns, ""),
        id=id,
        text=event.message,
        kind=str(Kind.PROACTIVE),
        query_id=event.query.id,
        final=True,
        refused=True,
    )


def alert_msg(event: Stepped | Told, response: CoreResponse, alert: CoreAlert) -> Alert:
    """A watch that a response answers, as an event for other nodes."""
    return Alert(
        header=header(response.stamp_ns, event.frame.frame_id),
        id=response.id,
        watch_id=alert.watch.query_id,
        instruction=alert.instruction,
        text=response.text,
        kind=str(alert.watch.kind),
        confidence=1.0 - _p_silent(event),
        index=alert.watch.index,
        urgent=alert.watch.urgent,
        severity=str(alert.watch.severity),
        camera=event.stream,
    )


def query(request: Ask.Request | WatchAction.Goal, kind: Kind | None = None) -> Query:
    """The question of a request; `kind` where the request names none.

    Raises `InputError` for a kind or a severity that does not exist.
    """
    if request.kind:
        kind = _member(Kind, request.kind, "kind")
    severity = Severity.INFO
    if request.severity:
        severity = _member(Severity, request.severity, "severity")
    return Query(
        request.text,
        id=getattr(request, "id", ""),
        kind=kind,
        limit=request.limit or None,
        cooldown_s=request.cooldown_s if request.cooldown_s >= 0 else None,
        urgent=request.urgent,
        severity=severity,
        quiet=getattr(request, "quiet", False),
    )


def _member(kinds: type[_E], given: str, name: str) -> _E:
    try:
        return kinds(given)
    except ValueError:
        raise InputError(
            f"{name} must be one of {', '.join(kinds)} or empty, not '{given}'"
        ) from None


def asked_msg(asked: CoreAsked, now_ns: int) -> Asked:
    """A question that was accepted."""
    q = asked.query
    return Asked(
        header=header(now_ns, ""),
        query_id=q.id,
        text=q.text,
        kind=str(q.kind or standing_kind(q.text) or Kind.REAL_TIME),
        source=asked.source,
        limit=q.limit or 0,
        cooldown_s=-1.0 if q.cooldown_s is None else float(q.cooldown_s),
        urgent=q.urgent,
        severity=str(q.severity),
        quiet=q.quiet,
        camera=asked.stream,
    )


def watches_msg(watches: Mapping[str, Iterable[CoreWatch]], now_ns: int) -> Watches:
    """All watches, by camera."""
    listed = [watch_msg(w, camera) for camera, some in watches.items() for w in some]
    return Watches(header=header(now_ns, ""), watches=listed)


def seen_alert(msg: Alert) -> SeenAlert:
    """An alert, as a reaction sees it."""
    return SeenAlert(
        id=msg.id,
        watch_id=msg.watch_id,
        text=msg.text,
        names=(msg.instruction,),
        severity=msg.severity,
        stamp_ns=to_ns(msg.header.stamp),
        frame_id=msg.header.frame_id,
        camera=msg.camera,
        once=msg.kind == Kind.PROACTIVE,
    )


def note_msg(note: CoreNote, thumbnail: bool = False) -> Note:
    """A note of the memory, with its small picture where asked for."""
    msg = Note(
        header=header(note.end_ns, ""),
        begin=to_time(note.begin_ns),
        wall=to_time(note.shown_wall_ns),
        id=note.id,
        kind=str(note.kind),
        text=note.text,
        question=note.question,
        query_id=note.query_id,
        response_id=note.response_id,
        camera=note.stream,
    )
    if thumbnail and note.thumbnail:
        msg.thumbnail.frombytes(note.thumbnail)
    return msg


def wall_or_none(time: Time) -> int | None:
    """Nanoseconds since the UNIX epoch; None for zero, which means no limit."""
    return to_ns(time) or None


def forgotten(request: Forget.Request) -> Wanted | None:
    """The notes that a request wants to be deleted; None: everything.

    Raises `InputError` for a request that names nothing, or that names it twice.
    """
    begin, end = wall_or_none(request.begin), wall_or_none(request.end)
    ways = (bool(request.ids), begin is not None or end is not None, request.everything)
    if sum(ways) != 1:
        raise InputError("say what to forget: ids, or begin and end, or everything")
    if begin is not None and end is not None and begin >= end:
        raise InputError("begin must be before end")
    if request.everything:
        return None
    return Wanted(ids=tuple(request.ids), begin_wall_ns=begin, end_wall_ns=end)


def reaction_msg(
    name: str, alert: SeenAlert, state: str, detail: str, duration_s: float = 0.0
) -> Reaction:
    """What became of a reaction to an alert; `state` is one of `Reaction.STATE_*`."""
    return Reaction(
        header=header(alert.stamp_ns, alert.frame_id),
        name=name,
        watch_id=alert.watch_id,
        alert_id=alert.id,
        state=state,
        detail=detail,
        duration_s=duration_s,
    )


def watch_msg(watch: CoreWatch, camera: str) -> Watch:
    """The state of a watch."""
    return Watch(
        camera=camera,
        id=watch.id,
        text=watch.text,
        kind=str(watch.kind),
        open=watch.open,
        answers=watch.answers,
        limit=watch.limit or 0,
        cooldown_s=float(watch.cooldown_s),
        urgent=watch.urgent,
        severity=str(watch.severity),
        last_evidence=to_time(watch.last_ns or 0),
    )


def heartbeat_msg(
    state: str,
    detail: str,
    sequence: int,
    step: Step | None,
    health: Health,
    window_max: int,
    frame_id: str,
    age_ms: float,
) -> Heartbeat:
    """A heartbeat. The model's figures are those of the newest step; zero before the first."""
    msg = Heartbeat(
        state=state,
        state_code=getattr(Heartbeat, f"CODE_{state.upper()}"),
        detail=detail,
        sequence=sequence,
        window_max=window_max,
        frame_age_ms=age_ms,
    )
    msg.frames_dropped = _uint32(health.frames_dropped)
    msg.chunks_dropped, msg.chunks_lost = (
        _uint32(health.chunks_dropped),
        _uint32(health.chunks_lost),
    )
    msg.chunks_missed = _uint32(health.chunks_missed)
    msg.active_watches = health.active_watches
    msg.memory, msg.memory_trouble = health.memory, health.memory_trouble
    if step is not None:
        msg.header = header(step.stamp_ns, frame_id)
        msg.chunk = _uint32(step.chunk)
        msg.p_silent, msg.reason = step.decision.p_silent, step.decision.reason or ""
        msg.suppressed = step.suppressed
        msg.step_ms, msg.decide_ms = step.step_ms, step.decide_ms
        msg.prefill_tokens, msg.vision_encodes = step.prefill_tokens, step.vision_encodes
        msg.decode_tokens, msg.window_chunks = step.decode_tokens, step.window_chunks
        msg.window_tokens, msg.switched = step.window_tokens, step.switched
    return msg


def diagnostics_msg(
    stamp_ns: int, node: str, hardware: str, level: str, message: str, values: Mapping[str, object]
) -> DiagnosticArray:
    """The state of one component; `level` is a key of `LEVELS`."""
    status = DiagnosticStatus(level=LEVELS[level], name=node, message=message, hardware_id=hardware)
    status.values = [KeyValue(key=k, value=str(v)) for k, v in values.items()]
    return DiagnosticArray(header=header(stamp_ns, ""), status=[status])


def _uint32(value: int) -> int:
    """`value` clamped to a uint32.

    A clock that jumps from zero to today loses billions of seconds.
    """
    return min(max(value, 0), _UINT32_MAX)
