"""The conversation as a text that can be kept: what was asked and said, and when."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta, tzinfo

from aura_core.console import protocol as p

_LOCAL = None  # `astimezone` takes it for the time zone of this machine
_FIRST_DAY_MS = 1e11  # a run counts by the stamps of its frames: an earlier time is none of a day
_NO_DAY = "times are by the stamps of the frames: the recording has no time of day"


def export(
    snapshot: p.Snapshot,
    form: str,
    title: str,
    now_ms: float,
    zone: tzinfo | None = _LOCAL,
    left_out: int = 0,
) -> tuple[str, str]:
    """The name of a file, and its text.

    Args:
        snapshot: what a page would be shown now.
        form: markdown or json.
        title: of the page: what was watched.
        now_ms: the time, in milliseconds since the UNIX epoch.
        zone: of the times; None: that of this machine.
        left_out: older entries, which are not kept any more: the text says so.
    """
    entries = _entries(snapshot)
    name = f"conversation-{_time(now_ms, zone):%Y-%m-%d-%H-%M-%S}"
    dated = all(entry.at_ms >= _FIRST_DAY_MS for entry in entries)
    if form == "json":
        at: Callable[[float], str] = (lambda ms: _iso(ms, zone)) if dated else _span
        document = {
            "title": title,
            "exported": _iso(now_ms, zone),
            **({} if dated else {"times": _NO_DAY}),
            **({"left_out": left_out} if left_out else {}),
            "entries": [{"at": at(entry.at_ms), **p.as_json(entry)} for entry in entries],
        }
        return f"{name}.json", json.dumps(document, indent=2, ensure_ascii=False) + "\n"
    lines = [f"# {_line(title) or 'Conversation'}", ""]
    if left_out:
        lines += [f"{left_out} older entries are left out: these are the newest.", ""]
    if dated:
        lines += _by_days(entries, zone)
    else:
        lines += [f"{_NO_DAY.capitalize()}.", ""]
        lines += [f"- {_span(entry.at_ms)} {_words(entry)}" for entry in entries]
    if not entries:
        lines.append("Nothing was asked or said.")
    return f"{name}.md", "\n".join(lines) + "\n"


Entry = p.Asked | p.Said | p.Refused | p.Alert


def _by_days(entries: Sequence[Entry], zone: tzinfo | None) -> list[str]:
    """A line for each entry, under the day on which it was."""
    lines: list[str] = []
    day = ""
    for entry in entries:
        at = _time(entry.at_ms, zone)
        if (date := f"{at:%Y-%m-%d}") != day:
            day = date
            lines += [*([""] if lines else []), f"## {date}", ""]
        lines.append(f"- {at:%H:%M:%S} {_words(entry)}")
    return lines


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


def _time(at_ms: float, zone: tzinfo | None) -> datetime:
    return datetime.fromtimestamp(at_ms / 1e3, UTC).astimezone(zone)


def _iso(at_ms: float, zone: tzinfo | None) -> str:
    return _time(at_ms, zone).isoformat(timespec="milliseconds")


def _span(at_ms: float) -> str:
    """A time that counts from no day: 0:01:02.500."""
    whole = timedelta(seconds=int(at_ms // 1000))
    return f"{whole}.{int(at_ms % 1000):03d}"


def _line(text: str) -> str:
    """A text on one line, in which Markdown finds nothing of its own."""
    plain = " ".join(text.split())
    return "".join(f"\\{c}" if c in "\\`*_[]<>#|" else c for c in plain)
