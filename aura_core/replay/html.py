"""A verdict as one HTML file: a timeline with pictures, and the same in tables.

It loads nothing from outside. A state is shown by a word and a shape, and not by colour alone.
"""

from __future__ import annotations

import base64
import json
import math
import shlex
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from urllib.parse import quote

from aura_core.console.settings import ConsoleConfig
from aura_core.evaluation.html import STYLE, clock
from aura_core.replay.judge import Result, Run, Spoken, State, Verdict, fits
from aura_core.replay.witness import Thumbnail

# pixels: width of the timeline, height of a row, width of the rows' names
WIDTH, ROW, LEFT = 1000, 24, 150
STRIP_WIDTH, STRIP = 104, 78  # pixels: a picture above the timeline
MOST_ROWS = 200  # expectations with a row of their own
MOST_PICTURES = 200
MARK = {
    State.MET: "✓",
    State.MISSED: "✗",
    State.FORBIDDEN: "⊘",
    State.FALSE_ALARM: "!",
    State.INVALID: "?",
}
COLOUR = {
    State.MET: "#2c6e49",
    State.MISSED: "#b23a48",
    State.FORBIDDEN: "#7b2d8b",
    State.FALSE_ALARM: "#b35900",
    State.INVALID: "#666666",
}
_OWN_STYLE = """
img { display: block; width: 160px; min-height: 20px; } .said { font-weight: 600; }
.state { white-space: nowrap; font-weight: 600; color: #fff; }
.state { padding: 0 .4rem; border-radius: .3rem; } small { color: #888; }
"""


@dataclass(frozen=True)
class Scrub:
    """The same replay in the console: the JSON lines of its steps, and the bag with its frames."""

    lines: Path
    bag: Path

    @property
    def command(self) -> str:
        """What shows it."""
        words = ["aura", "console", "--replay", str(self.lines), "--frames", str(self.bag)]
        return shlex.join(words)

    @property
    def host(self) -> str:
        """Where that command shows it."""
        return f"{ConsoleConfig.host}:{ConsoleConfig.port}"

    def link(self, at_s: float) -> str:
        """The address of a moment, while that command runs."""
        return f"http://{self.host}/#run={quote(self.lines.name)}&at={at_s:g}"


def write_steps(steps: Sequence[Mapping[str, object]]) -> str:
    """The JSON lines of the steps of a replay, as `aura replay --out` writes them."""
    return "".join(json.dumps(step, ensure_ascii=False) + "\n" for step in steps)


def page(
    title: str,
    verdict: Verdict,
    run: Run,
    thumbnails: Sequence[Thumbnail] = (),
    scrub: Scrub | None = None,
) -> str:
    """The whole page.

    `thumbnails` are in the order of their times; a few of them are used. `scrub` makes the times
    links to the console.
    """
    head = "passed" if verdict.ok else "failed"
    colour = COLOUR[State.MET if verdict.ok else State.MISSED]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f"<title>{head}: {escape(title)}</title><style>{STYLE}{_OWN_STYLE}</style></head><body>\n"
        f'<h1>{escape(title)}</h1>\n<p><b class="state" style="background:{colour}">{head}</b>'
        f" {escape(str(verdict))}. Words were said {len(run.said)} times, {len(run.asked)}"
        f" questions were asked; the bag ends at {clock(run.end_s)}.</p>\n"
        f"{_scrubbing(scrub)}{timeline(verdict, run, thumbnails)}\n"
        f"<h2>Expectations</h2>\n{_results(verdict, scrub)}\n"
        f"<h2>What happened</h2>\n{_events(verdict, run, thumbnails, scrub)}\n</body></html>\n"
    )


def _scrubbing(scrub: Scrub | None) -> str:
    if scrub is None:
        return ""
    return (
        "<p>Every second with its frame: <code>"
        f"{escape(scrub.command)}</code> shows this replay on {scrub.host}. While it runs, the"
        " times below are links to their moments.</p>\n"
    )


def _time(at_s: float, scrub: Scrub | None) -> str:
    """A time, and where it can be looked at a link to it."""
    if scrub is None:
        return clock(at_s)
    return f'<a href="{escape(scrub.link(at_s))}" target="aura-console">{clock(at_s)}</a>'


def timeline(verdict: Verdict, run: Run, thumbnails: Sequence[Thumbnail] = ()) -> str:
    """Rows over the seconds of the bag, as SVG: pictures, questions, words, a bar an expectation.

    Pictures are those of words and misses, where there is room for them.
    """
    ruled = [r for r in verdict.results if r.rule is not None]
    rows = ruled[:MOST_ROWS]
    bag_s = max([1.0, run.end_s, *(s.at_s for s in run.said)])
    ends = [r.rule.until_s for r in rows if r.rule and math.isfinite(r.rule.until_s)]
    end_s = min(max([bag_s, *ends]), 1.1 * bag_s)  # windows far behind the end are cut off
    height = (2 + len(rows)) * ROW + 20

    def x(at_s: float) -> float:
        return round(LEFT + (WIDTH - LEFT - 20) * min(at_s, end_s) / end_s, 1)

    names = ["asked", "said", *(f"{MARK[r.state]} {r.where}" for r in rows)]
    parts = [
        f'<text x="0" y="{k * ROW + 16}">{escape(name)}</text><line x1="{LEFT}" x2="{WIDTH}"'
        f' y1="{k * ROW + 12}" y2="{k * ROW + 12}" stroke="#cccccc" stroke-opacity="0.5"/>'
        for k, name in enumerate(names)
    ]
    parts += [
        f'<rect x="{x(q.at_s) - 1.5}" y="3" width="3" height="18" fill="#33658a">'
        f"<title>{_tip(q.at_s, f'asked: {q.text}')}</title></rect>"
        for q in run.asked
    ]
    parts += [_dot(x(s.at_s), s, _state_of(s, verdict)) for s in run.said]
    parts += [_bar(x, k + 2, r, end_s) for k, r in enumerate(rows)]
    step = next(
        s for s in (1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600, 10**9) if end_s / s <= 12
    )
    for t in range(0, int(end_s) + 1, step):
        parts.append(f'<text x="{x(t)}" y="{height - 4}" text-anchor="middle">{clock(t)}</text>')
    strip = _strip(x, verdict, run, thumbnails)
    top = STRIP + 6 if strip else 0
    svg = (
        f'<svg viewBox="0 0 {WIDTH} {height + top}" width="100%" role="img">{strip}'
        f'<g transform="translate(0 {top})">{"".join(parts)}</g></svg>'
    )
    legend = ", ".join(f"{MARK[s]} {s}" for s in State)
    more = (
        f" {len(ruled) - MOST_ROWS} more rules are in the table." if len(ruled) > len(rows) else ""
    )
    return f"{svg}\n<p><small>{legend}; ○ words that no rule is about.{more}</small></p>"


def _strip(
    x: Callable[[float], float], verdict: Verdict, run: Run, thumbnails: Sequence[Thumbnail]
) -> str:
    """Pictures above the timeline, each beginning at its time; one that has no room is left out."""
    moments = [s.at_s for s in run.said]
    moments += [r.rule.from_s for r in verdict.failed if r.rule and r.state is State.MISSED]
    parts, free = [], 0.0
    for at_s in sorted(moments):
        picture = _at(thumbnails, at_s)
        left = min(x(at_s), WIDTH - STRIP_WIDTH)
        if picture is None or left < free:
            continue
        free = left + STRIP_WIDTH + 4
        parts.append(
            f'<image x="{left}" y="0" width="{STRIP_WIDTH}" height="{STRIP}"'
            f' preserveAspectRatio="xMinYMax" href="{_data(picture)}"/>'
        )
    return "".join(parts)


def _at(thumbnails: Sequence[Thumbnail], at_s: float) -> Thumbnail | None:
    """The newest picture at a time; None before the first."""
    index = bisect_right(thumbnails, at_s, key=lambda t: t.at_s) - 1
    return thumbnails[index] if index >= 0 else None


def _state_of(spoken: Spoken, verdict: Verdict) -> State | None:
    """What became of words; None where no rule is about them."""
    for r in verdict.results:
        if r.state is State.FORBIDDEN and r.rule is not None and fits(r.rule, spoken):
            return State.FORBIDDEN
    if any(r.ok and r.spoken == spoken for r in verdict.results):
        return State.MET
    return State.FALSE_ALARM if spoken in verdict.false_alarms else None


def _dot(x: float, spoken: Spoken, state: State | None) -> str:
    y, colour = ROW + 12, "#777777" if state is None else COLOUR[state]
    fill = "none" if state is None else colour
    letter = ""
    if state is not None:
        letter = (
            f'<text x="{x}" y="{y + 4}" text-anchor="middle" style="fill:#fff;font-weight:700">'
            f"{MARK[state]}</text>"
        )
    what = "words" if state is None else str(state)
    return (
        f'<g><circle cx="{x}" cy="{y}" r="8" fill="{fill}" stroke="{colour}" stroke-width="2"/>'
        f"{letter}<title>{_tip(spoken.at_s, f'{what}: {spoken.text}')}</title></g>"
    )


def _bar(x: Callable[[float], float], row: int, result: Result, end_s: float) -> str:
    assert result.rule is not None
    colour, top = COLOUR[result.state], row * ROW
    left = x(result.rule.from_s)
    width = max(3.0, round(x(min(result.rule.until_s, end_s)) - left, 1))
    dashes = "" if result.ok else ' stroke-dasharray="4 3"'
    tip = escape(f"{result.state}: {result.name}. {result.reason}".strip())
    parts = (
        f'<rect x="{left}" y="{top + 4}" width="{width}" height="16" fill="{colour}"'
        f' fill-opacity="0.25" stroke="{colour}"{dashes}><title>{tip}</title></rect>'
    )
    if result.spoken is not None:
        at = x(result.spoken.at_s)
        parts += f'<rect x="{at - 1.5}" y="{top + 2}" width="3" height="20" fill="{colour}"/>'
    return parts


def _results(verdict: Verdict, scrub: Scrub | None) -> str:
    rows = "".join(
        f"<tr><td>{_label(r.state)}</td><td>{escape(r.where)}</td><td>{escape(r.name)}</td>"
        f"<td>{_what(r, scrub)}</td></tr>\n"
        for r in verdict.results
    )
    head = "<tr><th>result</th><th>rule</th><th>expectation</th><th>said</th></tr>"
    return f"<table>{head}\n{rows}</table>"


def _what(result: Result, scrub: Scrub | None) -> str:
    if result.ok and result.spoken is not None:
        return f"{_time(result.spoken.at_s, scrub)} {escape(result.spoken.text)}"
    return escape(result.reason)


def _label(state: State) -> str:
    return f'<span class="state" style="background:{COLOUR[state]}">{MARK[state]} {state}</span>'


def _events(
    verdict: Verdict, run: Run, thumbnails: Sequence[Thumbnail], scrub: Scrub | None
) -> str:
    """Questions, words and misses in the order of their times, each with its picture."""
    rows: list[tuple[float, str, str]] = []
    for q in run.asked:
        rows.append((q.at_s, "asked", escape(q.text)))
    for s in run.said:
        state = _state_of(s, verdict)
        what = "alert" if s.alert else "answer"
        to = f"<br><small>to {escape(', '.join(s.to))}</small>" if s.to else ""
        label = f"{what}<br>{_label(state)}" if state else what
        rows.append((s.at_s, label, f'<span class="said">{escape(s.text)}</span>{to}'))
    for r in verdict.failed:
        if r.state is State.MISSED and r.rule is not None and not r.rule.anytime:
            text = f"{escape(r.where)}: {escape(r.name)}<br><small>{escape(r.reason)}</small>"
            rows.append((r.rule.from_s, _label(r.state), text))
    rows.sort(key=lambda row: row[0])
    out, pictures, shown = [], 0, None
    for at_s, what, text in rows:
        picture = _at(thumbnails, at_s)
        image = ""
        if picture is not None and picture is not shown and pictures < MOST_PICTURES:
            image, shown, pictures = _image(picture), picture, pictures + 1
        out.append(
            f'<tr><td class="n">{_time(at_s, scrub)}</td><td>{image}</td><td>{what}</td>'
            f"<td>{text}</td></tr>\n"
        )
    if not out:
        return "<p>Nothing was asked, said or missed.</p>"
    return f"<table>{''.join(out)}</table>"


def _image(thumbnail: Thumbnail) -> str:
    alt = f"the camera at {clock(thumbnail.at_s)}"
    return f'<img alt="{alt}" src="{_data(thumbnail)}">'


def _data(thumbnail: Thumbnail) -> str:
    return f"data:image/jpeg;base64,{base64.b64encode(thumbnail.jpeg).decode()}"


def _tip(at_s: float, text: str) -> str:
    return escape(f"{clock(at_s)} {text}")
