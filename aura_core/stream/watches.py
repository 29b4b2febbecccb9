"""Watches: standing questions that are listed and cancelled at run time, and what keeps them from
chattering.

The model sees the words of a watch and knows nothing of limits, cooldowns and cancellations; what
it says all the same is taken back here, before anybody hears it.
"""

from __future__ import annotations

from dataclasses import dataclass

from aura_core.config import WatchConfig
from aura_core.stream.attribution import Attribution, Entry
from aura_core.types import Kind

NS = 1_000_000_000


@dataclass(frozen=True)
class Watch:
    """A snapshot of one standing question. `last_ns`: stamp of its newest evidence, None before the
    first."""

    id: str
    text: str
    kind: Kind
    open: bool
    answers: int
    limit: int | None
    cooldown_s: float
    last_ns: int | None
    urgent: bool = False


class Watches:
    """The standing questions of one stream's `attribution`."""

    def __init__(self, attribution: Attribution, config: WatchConfig) -> None:
        self._ledger, self._config = attribution, config
        # watch id: stamp and words of its newest answer
        self._said: dict[str, tuple[int, str]] = {}

    def list(self) -> list[Watch]:
        """All standing questions that are still remembered, oldest first."""
        return [
            Watch(
                e.query.id,
                e.query.text,
                e.standing,
                e.open,
                e.later,
                e.query.limit,
                self._cooldown_s(e),
                self._said.get(e.query.id, (None, ""))[0],
                e.query.urgent,
            )
            for e in self._ledger.entries
            if e.standing is not None
        ]

    def cancel(self, watch_id: str) -> bool:
        """End a watch; False when no open one has this id."""
        for entry in self._ledger.entries:
            if entry.query.id == watch_id and entry.open:
                entry.cancelled = True
                return True
        return False

    def settled(self, stamp_ns: int) -> bool:
        """Whether anything that the model may say unasked can be said now, so that words may be
        told as they come."""
        entries = [e for e in self._ledger.entries if e.standing is not None]
        return not any(e.cancelled or e.exhausted or self._resting(e, stamp_ns) for e in entries)

    def objection(self, text: str, stamp_ns: int) -> str:
        """Why an unasked answer must not be said: cancelled, limit, cooldown or duplicate; "" when
        it may be."""
        entry = self._ledger.owner(text)
        if entry is None or entry.standing is None:
            return ""
        if entry.cancelled:
            return "cancelled"
        if entry.exhausted:
            return "limit"
        resting = self._resting(entry, stamp_ns)
        if resting == "duplicate" and self._said[entry.query.id][1] != _plain(text):
            return ""
        return resting

    def said(self, watch_id: str, text: str, stamp_ns: int) -> None:
        """Record an answer to a watch and the stamp of its evidence."""
        known = {e.query.id for e in self._ledger.entries}
        self._said = {k: v for k, v in self._said.items() if k in known} | {
            watch_id: (stamp_ns, _plain(text))
        }

    def _resting(self, entry: Entry, stamp_ns: int) -> str:
        """What an answer so soon after the last one would be: cooldown, or duplicate if its words
        are the same."""
        if entry.query.id not in self._said:
            return ""
        since_ns = stamp_ns - self._said[entry.query.id][0]
        if 0 <= since_ns < self._cooldown_s(entry) * NS:
            return "cooldown"
        return "duplicate" if 0 <= since_ns <= self._config.duplicate_s * NS else ""

    def _cooldown_s(self, entry: Entry) -> float:
        own = entry.query.cooldown_s
        return self._config.cooldown_s if own is None else own


def _plain(text: str) -> str:
    return " ".join(text.lower().split()).rstrip(".!")
