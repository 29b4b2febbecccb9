"""The figures of a soak run, and whether it passed. Needs no ROS."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from aura_ros.soak.record import REFUSED, UNANSWERED, Beat, Kill, Memory, Question, Record

DEADLINE_S = 2.0  # of the topic aura/heartbeat: it comes once a second
CRASH_S = 5.0  # after a kill of the assistant, heartbeats may be missing for so long
SETTLE_S = 10.0  # after a kill, errors are expected for so long
WARM_S = 120.0  # memory of a process grows at first: its window and its caches fill


@dataclass(frozen=True)
class Limits:
    """What a run must keep to pass."""

    recovery_s: float = 10.0  # from the kill of the assistant to decisions, with its watches
    growth_mb_min: float = 1.0  # of the memory of a process, after `WARM_S`


@dataclass(frozen=True)
class Recovery:
    """How the assistant came back after a kill. Seconds since the kill; None: it did not."""

    first_beat_s: float | None
    decided_s: float | None  # a chunk of each camera is decided
    watches_s: float | None  # all watches that were open are listed as open


def figures(record: Record) -> dict[str, Any]:
    """The figures as plain values."""
    kills = [k for k in record.kills if k.node == "assistant"]
    back = [recovery(record, kill) for kill in kills]
    troubled = [(k.at_s, recovered_s(record, k)) for k in record.kills if k.node in _SEEING]
    outside = [q for q in record.questions if not _overlaps(q, troubled)]
    sampled = [m for m in record.memory if m.at_s >= record.began_s]
    nodes = list(dict.fromkeys(m.node for m in sampled))
    return {
        "seconds": round(record.ended_s - record.began_s, 1),
        "stopped": record.stopped,
        "heartbeats": len(record.beats),
        "heartbeats_missed": missed(record.beats, kills),
        "heartbeat_gaps": [
            {"camera": a.camera, "at_s": round(a.at_s - record.began_s, 1)}
            | {"for_s": round(b.at_s - a.at_s, 1)}
            for a, b in _pairs(record.beats)
            if b.at_s - a.at_s > DEADLINE_S
        ],
        "sequence_gaps": sequence_gaps(record.beats),
        "kills": {n: sum(k.node == n for k in record.kills) for n in nodes},
        "recovery_s": {
            "first_heartbeat": _spread(r.first_beat_s for r in back),
            "decided": _spread(r.decided_s for r in back),
            "watches": _spread(r.watches_s for r in back),
        },
        "questions": {
            source: _outcomes([q for q in record.questions if q.source == source])
            for source in ("asr/text", "aura/ask", "aura/watch")
        },
        "outside_of_kills": _outcomes(outside),
        "answer_s": _spread(q.ended_s - q.asked_s for q in outside if q.source != "aura/watch"),
        "memory": {n: memory([m for m in sampled if m.node == n]) for n in nodes},
        "stuck_topics": [
            {"topic": s.topic, "from_s": round(s.from_s - record.began_s, 1)}
            | {"for_s": round(s.to_s - s.from_s, 1)}
            for s in record.stuck
        ],
        "unexpected_exits": [
            {"node": e.node, "code": e.code, "at_s": round(e.at_s - record.began_s, 1)}
            for e in record.exits
            if not e.expected
        ],
        "exit_codes": {e.node: e.code for e in record.exits if e.at_s >= record.ended_s},
        "errors_in_logs": [
            {"node": c.node, "at_s": round(c.at_s - record.began_s, 1), "text": c.text}
            for c in record.complaints
            if not any(k.at_s <= c.at_s <= k.at_s + SETTLE_S for k in record.kills)
        ],
        "errors_after_kills": sum(
            any(k.at_s <= c.at_s <= k.at_s + SETTLE_S for k in record.kills)
            for c in record.complaints
        ),
        "messages": dict(sorted(record.messages.items())),
        "pauses_of_the_soak": [
            {"at_s": round(at_s - record.began_s, 1), "for_s": round(for_s, 1)}
            for at_s, for_s in record.pauses
        ],
        "shared_memory_left": {
            "files": len(record.left_behind),
            "mb": round(sum(record.left_behind.values()) / 1e6, 1),
        },
    }


_SEEING = ("assistant", "front", "back")  # without them, a question cannot be answered


def reasons(figures: dict[str, Any], limits: Limits) -> list[str]:
    """Why the run failed; empty: it passed."""
    out = []
    if figures["stopped"]:
        out.append(f"it was stopped after {figures['seconds']} s")
    if figures["heartbeats_missed"]:
        out.append(f"{figures['heartbeats_missed']} heartbeats were missed")
    if figures["sequence_gaps"]:
        out.append(f"{figures['sequence_gaps']} heartbeats were lost on the way")
    kills = figures["kills"].get("assistant", 0)
    for what in ("decided", "watches"):
        found = figures["recovery_s"][what]
        if found["n"] < kills:
            out.append(f"{what}: the assistant did not recover after {kills - found['n']} kills")
        elif kills and found["max"] > limits.recovery_s:
            out.append(f"{what}: {found['max']} s after a kill, the limit is {limits.recovery_s:g}")
    for outcome in (REFUSED, UNANSWERED):
        if count := figures["outside_of_kills"][outcome]:
            out.append(f"{count} questions were {outcome} outside of kills")
    for node, m in figures["memory"].items():
        growth = m["slope_mb_min"]
        if growth is not None and growth > limits.growth_mb_min:
            out.append(f"{node}: memory grew by {growth} MB a minute")
    for stuck in figures["stuck_topics"]:
        out.append(f"{stuck['topic']}: nothing came for {stuck['for_s']} s at {stuck['from_s']} s")
    for e in figures["unexpected_exits"]:
        out.append(f"{e['node']} ended by itself with code {e['code']} at {e['at_s']} s")
    bad = {n: code for n, code in figures["exit_codes"].items() if code}
    out += [f"{node} ended with code {code} after Ctrl-C" for node, code in bad.items()]
    if errors := figures["errors_in_logs"]:
        first = errors[0]
        out.append(
            f"{len(errors)} errors in logs outside of kills, the first of {first['node']}:"
            f" {first['text']}"
        )
    if not figures["heartbeats"] or not sum(figures["outside_of_kills"].values()):
        out.append("nothing was measured")
    return out


def missed(beats: Sequence[Beat], kills: Iterable[Kill]) -> int:
    """Heartbeats that did not come, without the first `CRASH_S` after each kill of the assistant.

    One is missed for each second, beyond the first, of an interval longer than the topic's
    deadline. Each camera has its own heartbeats.
    """
    windows = [(k.at_s, k.at_s + CRASH_S) for k in kills]
    count = 0
    for a, b in _pairs(beats):
        excused_s = sum(max(0.0, min(b.at_s, e) - max(a.at_s, s)) for s, e in windows)
        interval_s = b.at_s - a.at_s - excused_s
        if interval_s > DEADLINE_S:
            count += int(interval_s) - 1
    return count


def _pairs(beats: Sequence[Beat]) -> list[tuple[Beat, Beat]]:
    """Each heartbeat with the next one of the same camera."""
    cameras = dict.fromkeys(b.camera for b in beats)
    own = ([b for b in beats if b.camera == camera] for camera in cameras)
    return [pair for of_one in own for pair in itertools.pairwise(of_one)]


def sequence_gaps(beats: Sequence[Beat]) -> int:
    """Heartbeats that were published and not received. A lower number begins a new run."""
    pairs = itertools.pairwise(b.sequence for b in beats)
    return sum(max(0, b - a - 1) for a, b in pairs if b > a)


def recovery(record: Record, kill: Kill) -> Recovery:
    """How the assistant came back after this kill, before the next one; so far, in a run."""
    later = [k.at_s for k in record.kills if k.node == kill.node and k.at_s > kill.at_s]
    end_s = min(later, default=record.ended_s or math.inf)
    before = [b for b in record.beats if b.at_s <= kill.at_s]
    last = before[-1].sequence if before else 0
    # what was on the way when it was killed is not of its successor
    beats = [b for b in record.beats if kill.at_s < b.at_s < end_s]
    beats = list(itertools.dropwhile(lambda b: b.sequence > last, beats))
    told = [w for w in record.watches if w.at_s <= kill.at_s]
    wanted = told[-1].open_ids if told else frozenset()
    restored = (
        w.at_s for w in record.watches if kill.at_s < w.at_s < end_s and wanted <= w.open_ids
    )
    firsts = {b.camera: b.at_s for b in reversed(beats) if b.decided}
    all_decided = firsts.keys() == {b.camera for b in record.beats}
    return Recovery(
        _since(kill, (b.at_s for b in beats)),
        _since(kill, [max(firsts.values())] if all_decided else []),
        _since(kill, restored),
    )


def away(record: Record) -> bool:
    """Whether an assistant that was killed is not back yet: what became of it is to be told."""
    kill = next((k for k in reversed(record.kills) if k.node == "assistant"), None)
    if kill is None:
        return False
    back = recovery(record, kill)
    return None in (back.decided_s, back.watches_s)


def recovered_s(record: Record, kill: Kill) -> float:
    """When questions can be answered again after a kill of the assistant or of a camera."""
    if kill.node == "assistant":
        back = recovery(record, kill)
        times = (back.decided_s, back.watches_s)
        return record.ended_s if None in times else kill.at_s + max(t for t in times if t)
    starts = (s.at_s for s in record.starts if s.node == kill.node and s.at_s > kill.at_s)
    started_s = next(starts, record.ended_s)
    own = (b for b in record.beats if b.camera == kill.node and b.decided)
    seen = (b.at_s for b in own if b.frame_s > started_s)
    return next(seen, record.ended_s)


def memory(samples: Sequence[Memory]) -> dict[str, Any]:
    """Memory of one node [MB]: at its first and its last sample, most, and its growth a minute.

    The growth is the slope of a straight line through the samples of each process, from `WARM_S`
    after its first one on; the same slope for all processes of the node. None: none lived so long.
    """
    over = above = 0.0
    for _, group in itertools.groupby(samples, lambda m: m.pid):
        life = list(group)
        warm = [m for m in life if m.at_s - life[0].at_s >= WARM_S]
        if len(warm) < 2:
            continue
        mid_s = sum(m.at_s for m in warm) / len(warm)
        mid_mb = sum(m.rss_mb for m in warm) / len(warm)
        above += sum((m.at_s - mid_s) * (m.rss_mb - mid_mb) for m in warm)
        over += sum((m.at_s - mid_s) ** 2 for m in warm)
    return {
        "start_mb": round(samples[0].rss_mb, 1),
        "end_mb": round(samples[-1].rss_mb, 1),
        "max_mb": round(max(m.rss_mb for m in samples), 1),
        "slope_mb_min": round(60 * above / over, 2) if over else None,
    }


def _overlaps(question: Question, windows: Iterable[tuple[float, float]]) -> bool:
    return any(question.asked_s <= end and begin <= question.ended_s for begin, end in windows)


def _outcomes(questions: Sequence[Question]) -> dict[str, int]:
    return {o: sum(q.outcome == o for q in questions) for o in ("answered", REFUSED, UNANSWERED)}


def _since(kill: Kill, times: Iterable[float]) -> float | None:
    first = next(iter(times), None)
    return None if first is None else first - kill.at_s


def _spread(values: Iterable[float | None]) -> dict[str, Any]:
    known = sorted(v for v in values if v is not None)
    if not known:
        return {"n": 0, "median": None, "max": None}
    return {
        "n": len(known),
        "median": round(known[len(known) // 2], 2),
        "max": round(known[-1], 2),
    }
