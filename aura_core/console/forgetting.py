"""What of the last minutes goes when notes are deleted from the memory.

What a deleted note repeats goes, by its ids: a question with its answer, an alert. So does what was
said in the time of the note, with the pictures of that time. An alert that nobody has acknowledged
stays where its own note is not deleted.
"""

from __future__ import annotations

from collections.abc import Iterable

from aura_core.console import protocol as p
from aura_core.console.clock import MS
from aura_core.memory.deletion import Deleted, Forgotten


def of_note(note: p.Note) -> Deleted:
    """What a deletion says of a note that a page knows."""
    begin, end = round(note.begin_ms * MS), round(note.end_ms * MS)
    return Deleted.of(note.id, note.kind, begin, end, note.query_id, note.response_id)


def told(deletions: Iterable[Forgotten], at_ms: float) -> p.Forgotten:
    """What pages are told of deletions. One that does not name its notes is of everything."""
    spans: list[p.Span] = []
    ids: set[str] = set()
    for one in deletions:
        if one.everything or not (one.by_time or one.notes):
            return p.Forgotten(at_ms)
        if one.by_time:
            spans.append(p.Span(_ms(one.begin_wall_ns), _ms(one.end_wall_ns), True))
        for note in one.notes:
            spans.append(p.Span(note.begin_wall_ns / MS, note.end_wall_ns / MS))
            ids |= set(note.ids)
    if not spans:
        return p.Forgotten(at_ms)
    return p.Forgotten(at_ms, False, tuple(spans), tuple(sorted(ids)))


def _ms(wall_ns: int | None) -> float | None:
    return None if wall_ns is None else wall_ns / MS


def within(forgotten: p.Forgotten, at_ms: float, whole: bool = False) -> bool:
    """Whether a time is in one that was forgotten; `whole`: of which all notes were."""
    return forgotten.everything or any(
        (span.begin_ms is None or span.begin_ms <= at_ms)
        and (span.end_ms is None or at_ms <= span.end_ms)
        for span in forgotten.spans
        if span.whole or not whole
    )


def goes(event: p.Event, forgotten: p.Forgotten) -> bool:
    """Whether an entry of the last minutes goes."""
    ids = set(forgotten.ids)
    match event:
        case p.Alert():
            named = event.id in ids or within(forgotten, event.at_ms, whole=True)
            return named or (event.acknowledged and within(forgotten, event.at_ms))
        case p.Note():
            overlaps = any(
                (s.begin_ms is None or s.begin_ms < event.end_ms or s.begin_ms == event.begin_ms)
                and (s.end_ms is None or event.begin_ms < s.end_ms)
                for s in forgotten.spans
                if s.whole
            )
            return forgotten.everything or event.id in ids or overlaps
        case p.Said():
            named = event.id in ids or event.query_id in ids
        case p.Asked() | p.Refused():
            named = event.id in ids
        case _:
            return False
    return named or within(forgotten, event.at_ms)
