"""The result of a demo run: a table for people, a document for programs, and a check."""

from __future__ import annotations

from typing import Any

import numpy as np
from rich.table import Table

from aura_core.evaluation.scoring import Asked, EpisodeScore, Matched
from aura_core.types import Kind
from aura_ros.demo.user import DemoUser


def outcomes(result: EpisodeScore) -> list[dict[str, Any]]:
    """One entry for each question.

    `answered` is true when something was said that belongs to the question: right, late or wrong.
    """
    out = []
    for asked in result.asked:
        entry: dict[str, Any] = {
            "question": asked.ask.text,
            "kind": str(asked.ask.kind),
            "asked_s": asked.ask.chunk,
            "expected": asked.ask.answer,
            "said": asked.text,
        }
        if asked.ask.kind is Kind.REAL_TIME:
            entry |= {"answered": asked.text is not None, "outcome": _now(asked)}
        else:
            events = [m for m in result.matched if asked.ask.id in m.due.ask_ids]
            entry["events"] = [
                {"at_s": m.due.chunk, "expected": m.due.text, "said": m.text, "delay_s": m.delay}
                for m in events
            ]
            entry |= {
                "answered": any(m.delay is not None for m in events),
                "outcome": _later(events),
            }
        out.append(entry)
    return out


def _now(asked: Asked) -> str:
    if asked.text is None:
        return "missed"
    return "right" if asked.right else "wrong"


def _later(events: list[Matched]) -> str:
    late = sum(m.delay is not None and not m.in_time for m in events)
    wrong = sum(m.in_time and m.text != m.due.text for m in events)
    parts = [f"{sum(m.in_time for m in events)}/{len(events)} in time"]
    parts += [f"{late} late"] if late else []
    parts += [f"{wrong} with wrong words"] if wrong else []
    return ", ".join(parts)


def report(
    seed: int, seconds: int, user: DemoUser, result: EpisodeScore, exit_codes: dict[str, int]
) -> dict[str, Any]:
    """The run as plain values."""
    decided = {c for c in user.beats if c < seconds}
    decided |= {s.chunk for s in user.said() if s.chunk < seconds}
    steps = [b.step_ms for c, b in user.beats.items() if c < seconds] or [0.0]
    ages = [b.frame_age_ms for c, b in user.beats.items() if c < seconds] or [0.0]
    return {
        "seed": seed,
        "seconds": seconds,
        "seconds_decided": len(decided),
        "seconds_missing": sorted(set(range(seconds)) - decided),
        "questions": outcomes(result),
        "false_alarms": [{"at_s": f.chunk, "said": f.text} for f in result.false_alarms],
        "silent_seconds": result.silent,
        "silent_seconds_right": result.silent_right,
        "step_ms": {"p50": float(np.percentile(steps, 50)), "p95": float(np.percentile(steps, 95))},
        "frame_age_ms": {
            "p50": float(np.percentile(ages, 50)),
            "p95": float(np.percentile(ages, 95)),
        },
        "exit_codes": exit_codes,
    }


def complete(document: dict[str, Any]) -> bool:
    """Whether every second was decided, every question answered, and every exit code 0."""
    answered = len(document["questions"]) == 3 and all(q["answered"] for q in document["questions"])
    return not document["seconds_missing"] and answered and not any(document["exit_codes"].values())


def table(result: EpisodeScore) -> Table:
    """Questions and events next to the ground truth."""
    out = Table("at", "kind", "question or event", "expected", "said", "outcome")
    for entry in outcomes(result):
        good = entry["outcome"] == "right" or ("0/" not in entry["outcome"] and entry["answered"])
        mark = "green" if good else "red"
        out.add_row(
            f"{entry['asked_s']} s",
            entry["kind"],
            entry["question"],
            entry["expected"],
            entry["said"] or "-",
            f"[{mark}]{entry['outcome']}[/]",
        )
    for m in result.matched:
        outcome = (
            "missed"
            if m.delay is None
            else f"answered, {m.delay:+d} s"
            if m.in_time
            else f"late, {m.delay:+d} s"
        )
        mark = "green" if m.in_time and m.text == m.due.text else "red"
        out.add_row(
            f"{m.due.chunk} s",
            "event",
            " + ".join(m.due.ask_ids),
            m.due.text,
            m.text or "-",
            f"[{mark}]{outcome}[/]",
        )
    for f in result.false_alarms:
        out.add_row(f"{f.chunk} s", "-", "-", "silence", f.text, "[red]false alarm[/]")
    return out
