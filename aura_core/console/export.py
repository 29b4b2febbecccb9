"""The conversation as a text that can be kept: what was asked and said, and when."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, tzinfo

from aura_core.console import protocol as p

_LOCAL = None  # `astimezone` takes it for the time zone of this machine


def export(
    snapshot: p.Snapshot, form: str, title: str, now_ms: float, zone: tzinfo | None = _LOCAL
) -> tuple[str, str]:
    """The name of a file, and its text.

    Args:
        snapshot: what a page would be shown now.
        form: markdown or json.
        title: of the page: what was watched.
        now_ms: the time, in milliseconds since the UNIX epoch.
        zone: of the times; None: that of this machine.
    """
    entries = _entries(snapshot)
    name = f"conversation-{_time(now_ms, zone):%Y-%m-%d-%H-%M-%S}"
    if form == "json":
        listed = [_as_json(entry, zone) for entry in entries]
        document = {"title": title, "exported": _iso(now_ms, zone), "entries": listed}
        return f"{name}.json", json.dumps(document, indent=2, ensure_ascii=False) + "\n"
    lines = [f"# {_line(title) or 'Conversation'}", ""]
    day = ""
    for entry in entries:
        at = _time(entry.at_ms, zone)
        if (date := f"{at:%Y-%m-%d}") != day:
            day = date
            lines += [*([""] if lines[-1] else []), f"## {date}", ""]
        lines.append(f"- {at:%H:%M:%S} {_words(entry)}")
    if not entries:
        lines.append("Nothing was asked or said.")
    return f"{name}.md", "\n".join(lines) + "\n"


Entry = p.Asked | p.Said | p.Refused | p.Alert


def _entries(snapshot: p.Snapshot) -> list[Entry]:
    """Questions, words, refusals and alerts by their times. The words of an alert stand there
    once."""
    alerts = {alert.id for alert in snapshot.alerts}
    spoken: Sequence[Entry] = [
        one for one in snapshot.conversation if not (isinstance(one, p.Said) and one.id in alerts)
    ]
    return sorted([*spoken, *snapshot.alerts], key=lambda entry: entry.at_ms)


def _words(entry: Entry) -> str:
    camera = f" ({_line(entry.camera)})" if entry.camera else ""
    match entry:
        case p.Asked():
            return f"**{'Watch' if entry.watch else 'Question'}**{camera}: {_line(entry.text)}"
        case p.Said():
            what = "Acknowledgment" if entry.acknowledgment else "Answer"
            return f"**{what}**{camera}: {_line(entry.text)}"
        case p.Refused():
            asked = f" to “{_line(entry.text)}”" if entry.text else ""
            return f"**Refusal**{camera}{asked}: {_line(entry.reason)}"
        case p.Alert():
            seen = ", acknowledged" if entry.acknowledged else ""
            return (
                f"**Alert** ({entry.severity}{seen}){camera}: {_line(entry.text)}"
                f" (watch: “{_line(entry.instruction)}”)"
            )


def _as_json(entry: Entry, zone: tzinfo | None) -> dict[str, object]:
    return {"at": _iso(entry.at_ms, zone), **p.as_json(entry)}


def _time(at_ms: float, zone: tzinfo | None) -> datetime:
    return datetime.fromtimestamp(at_ms / 1e3, UTC).astimezone(zone)


def _iso(at_ms: float, zone: tzinfo | None) -> str:
    return _time(at_ms, zone).isoformat(timespec="milliseconds")


def _line(text: str) -> str:
    """A text on one line, in which Markdown finds nothing of its own."""
    plain = " ".join(text.split())
    return "".join(f"\\{c}" if c in "\\`*_[]<>#|" else c for c in plain)
