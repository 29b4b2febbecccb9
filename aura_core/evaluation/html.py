"""A report in HTML: the scores, and a timeline of each item as inline SVG.

A timeline shows what was asked, what was due and what was said. Many items make several pages.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape
from urllib.parse import quote

from aura_core.evaluation.records import AT_END, Due, Item, Outcome, Prediction, Scores, Spoken

# pixels: width of the picture, height of a row, width of the rows' names
WIDTH, ROW, LEFT = 960, 26, 70
PER_PAGE = 100  # items
STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; color: #222; }
body { margin: 2rem auto; max-width: 1060px; padding: 0 1rem; }
table { border-collapse: collapse; margin: .6rem 0 1.4rem; }
td, th { padding: .15rem .8rem .15rem 0; border-bottom: 1px solid #e3e3e3; }
td, th { text-align: left; vertical-align: top; }
td.n { text-align: right; font-variant-numeric: tabular-nums; }
h2 { font-size: 1.05rem; margin: 1.8rem 0 .3rem; } .note { color: #8a5a00; }
.wrong { color: #b23a48; } .right { color: #2c6e49; }
svg text { font: 11px system-ui, sans-serif; fill: #444; }
details { margin: .3rem 0; } summary { cursor: pointer; }
@media (prefers-color-scheme: dark) {
body { background: #16181c; color: #ddd; } svg text { fill: #bbb; } td, th { border-color: #333; }
}
"""


def report(
    title: str,
    subtitle: str,
    scores: Scores,
    items: Sequence[Item],
    predictions: Mapping[str, Prediction],
    name: str = "report.html",
) -> dict[str, str]:
    """Return all pages by file name: `name` with the figures, then the others.

    A page has `PER_PAGE` items. Items without a prediction are left out.
    """
    of: dict[str, list[Outcome]] = {}
    for outcome in scores.outcomes:
        of.setdefault(outcome.item, []).append(outcome)
    played = [i for i in items if i.id in predictions]
    notes = "".join(f'<p class="note">{escape(n)}</p>' for n in scores.notes)
    about = (
        f"<h1>{escape(title)}</h1><p>{escape(subtitle)}</p><p>Judge:"
        f" {escape(scores.judge)}</p>{notes}\n{_table(scores)}\n"
    )
    count = max(1, math.ceil(len(played) / PER_PAGE))
    names = [name, *(_numbered(name, k) for k in range(2, count + 1))]
    pages = {}
    for k, file in enumerate(names):
        shown = played[k * PER_PAGE : (k + 1) * PER_PAGE]
        body = "".join(_item(i, predictions[i.id], of.get(i.id, [])) for i in shown)
        head = about if k == 0 else f"<h1>{escape(title)}, page {k + 1}</h1>\n"
        links = _links(names, k, len(played))
        pages[file] = (
            '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
            f"<title>{escape(title)}</title><style>{STYLE}</style></head><body>\n"
            f"{head}{links}{body}{links}</body></html>\n"
        )
    return pages


def _numbered(name: str, page: int) -> str:
    stem, dot, suffix = name.rpartition(".")
    return f"{stem}-{page}{dot}{suffix}" if dot else f"{name}-{page}"


def _links(names: Sequence[str], page: int, items: int) -> str:
    """Return links to all pages; "" where there is one."""
    if len(names) == 1:
        return ""
    links = " ".join(
        f"<b>{k + 1}</b>" if k == page else f'<a href="{escape(quote(file))}">{k + 1}</a>'
        for k, file in enumerate(names)
    )
    return f"<p>{items} items; page {links}</p>\n"


def _table(scores: Scores) -> str:
    rows = "".join(
        f'<tr><td>{escape(name)}</td><td class="n">{_number(m.value)}</td><td'
        f' class="n">{_number(m.ci95[0])} .. {_number(m.ci95[1])}</td><td'
        f' class="n">{m.n:g}</td></tr>\n'
        for name, m in scores.figures.items()
    )
    return (
        "<table><tr><th>figure</th><th>value</th><th>95%"
        f" interval</th><th>n</th></tr>\n{rows}</table>"
    )


def _item(item: Item, p: Prediction, outcomes: Sequence[Outcome]) -> str:
    """Return a heading, the timeline, and a table with the same content in words."""
    value = sum(o.value for o in outcomes) / len(outcomes) if outcomes else math.nan
    tasks = ", ".join(dict.fromkeys(q.group for q in item.questions if q.group))
    video = item.videos[0]
    named = " · ".join(escape(part) for part in (tasks, video, item.id) if part)
    head = f"<h2>{named} <small>{_number(value)} of {len(outcomes)}</small></h2>"
    never = {*p.unasked, *p.beyond_end}
    asked = "".join(
        _row(q.at_s, "not asked" if q.id in never else "asked", escape(q.shown or q.text))
        for q in item.questions
    )
    scored = "".join(
        _row(
            o.at_s,
            f'<span class="{"right" if o.value >= 0.5 else "wrong"}">{_number(o.value)}</span>',
            f"{escape(o.said) or '(silence)'}<br><small>true: {escape(o.truth)}</small>",
        )
        for o in outcomes
    )
    said = "".join(_row(s.at_s, "said", escape(s.text)) for s in p.said)
    words = f"<details><summary>in words</summary><table>{asked}{scored}{said}</table></details>"
    return f"{head}{timeline(item, p)}{words}\n"


def _row(at_s: float | None, what: str, text: str) -> str:
    """Return a row of the table; `what` and `text` are HTML."""
    return f'<tr><td class="n">{clock(at_s)}</td><td>{what}</td><td>{text}</td></tr>'


def timeline(item: Item, p: Prediction) -> str:
    """Return three rows over the seconds of the video, as SVG: asked, due and said.

    Questions are ticks. Due answers are windows. Words are dots, hollow if they answer a question
    in its own chunk.
    """
    due = [d for q in item.questions for d in q.due]
    times = [q.at_s for q in item.questions if q.at_s != AT_END]
    times += [d.end_s for d in due] + [s.until_s for s in p.said] + [p.seconds or 0]
    end_s = max([1.0, *(t for t in times if t < 1e8)])
    height = 3 * ROW + 20

    def x(at_s: float) -> float:
        return round(LEFT + (WIDTH - LEFT - 10) * min(at_s, end_s) / end_s, 1)

    lines = [
        f'<text x="0" y="{k * ROW + 17}">{name}</text><line x1="{LEFT}" x2="{WIDTH}"'
        f' y1="{k * ROW + 13}" y2="{k * ROW + 13}" stroke="#cccccc"/>'
        for k, name in enumerate(("asked", "due", "said"))
    ]
    lines += [_tick(x(q.at_s), q.shown or q.text, q.at_s) for q in item.questions]
    lines += [_window(x, d) for d in due]
    lines += [_dot(x(s.at_s), s) for s in p.said]
    step = next(
        s for s in (1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600, 10**9) if end_s / s <= 12
    )
    for t in range(0, int(end_s) + 1, step):
        lines.append(f'<text x="{x(t)}" y="{height - 4}" text-anchor="middle">{clock(t)}</text>')
    return f'<svg viewBox="0 0 {WIDTH} {height}" width="100%" role="img">{"".join(lines)}</svg>'


def _tick(x: float, text: str, at_s: float) -> str:
    return (
        f'<rect x="{x - 1.5}" y="4" width="3" height="18"'
        f' fill="#33658a"><title>{_tip(at_s, text)}</title></rect>'
    )


def _window(x: object, due: Due) -> str:
    assert callable(x)
    left, right = x(max(0.0, due.start_s)), x(due.end_s)
    return (
        f'<rect x="{left}" y="{ROW + 5}" width="{max(2.0, round(right - left, 1))}" height="16"'
        f' fill="#2c6e49" fill-opacity="0.3"><title>{_tip(due.at_s, due.text)}</title></rect><rect'
        f' x="{x(due.at_s) - 1}" y="{ROW + 3}" width="2" height="20" fill="#2c6e49"/>'
    )


def _dot(x: float, said: Spoken) -> str:
    fill = "none" if said.asked else "#d17b0f"
    return (
        f'<circle cx="{x}" cy="{2 * ROW + 13}" r="5" fill="{fill}" stroke="#d17b0f"'
        f' stroke-width="2"><title>{_tip(said.at_s, said.text)}</title></circle>'
    )


def _tip(at_s: float, text: str) -> str:
    return escape(f"{clock(at_s)} {text}")


def clock(at_s: float | None) -> str:
    if at_s is None or at_s >= 1e8:
        return "end"
    minutes, seconds = divmod(at_s, 60)
    return (
        f"{int(minutes)}:{seconds:04.1f}".removesuffix(".0")
        if seconds % 1
        else f"{int(minutes)}:{int(seconds):02d}"
    )


def _number(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.3f}"
