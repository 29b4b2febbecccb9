"""Watches (standing questions): they are listed, cancelled and limited at run time.

The model sees the text of a watch, but knows nothing of its limit, its cooldown or its
cancellation. So an answer that a watch must not give any more is suppressed here, before it is
published.
"""

from __future__ import annotations

from dataclasses import dataclass

from aura_core.config import WatchConfig
from aura_core.stream.attribution import Attribution, Entry
from aura_core.types import NS, Kind, Query, Severity


@dataclass(frozen=True)
class Watch:
    """A snapshot of one watch.

    `answers` counts the answers so far, `limit` is the most that it may give (None: no limit).
    `last_ns` is the stamp of its newest answer; None before the first.
    """

    id: str
    text: str
    kind: Kind
    open: bool
    answers: int
    limit: int | None
    cooldown_s: float
    last_ns: int | None
    urgent: bool = False
    severity: Severity = Severity.INFO
    last_text: str = ""  # the words of its newest answer, in small letters
    cancelled: bool = False  # it was ended by a user or a node


class Watches:
    """The watches among the questions of one stream's `attribution`."""

    def __init__(self, attribution: Attribution, config: WatchConfig) -> None:
        self._attribution, self._config = attribution, config
        # stamp and words of each watch's newest answer, by watch id
        self._said: dict[str, tuple[int, str]] = {}

    def list(self) -> list[Watch]:
        """All watches that are still remembered, oldest first."""
        return [self._snapshot(e) for e in self._attribution.entries if e.standing is not None]

    def _snapshot(self, e: Entry) -> Watch:
        assert e.standing is not None
        last_ns, text = self._last(e.query) or (None, "")
        return Watch(
            e.query.id,
            e.query.text,
            e.standing,
            e.open,
            e.later,
            e.query.limit,
            self._cooldown_s(e),
            last_ns,
            e.urgent,
            e.query.severity,
            text,
            e.cancelled,
        )

    def cancel(self, watch_id: str) -> bool:
        """End a watch. Returns False when no open watch has this id."""
        for entry in self._attribution.entries:
            if entry.query.id == watch_id and entry.open:
                entry.cancelled = True
                return True
        return False

    def may_publish(self, stamp_ns: int) -> bool:
        """Whether no watch could suppress unasked words of this stamp.

        Then the words may be published while they are generated.
        """
        entries = [e for e in self._attribution.entries if e.standing is not None]
        return not any(e.cancelled or e.exhausted or self._resting(e, stamp_ns) for e in entries)

    def objection(self, entry: Entry, text: str, stamp_ns: int) -> str:
        """The reason why a watch must not answer with these words; "" when it may.

        The reasons are "cancelled", "limit", "cooldown" and "duplicate".
        """
        if entry.standing is None:
            return ""
        if entry.cancelled:
            return "cancelled"
        if entry.exhausted:
            return "limit"
        resting = self._resting(entry, stamp_ns)
        last = self._last(entry.query)
        if resting == "duplicate" and last is not None and last[1] != _plain(text):
            return ""
        return resting

    def said(self, watch_id: str, text: str, stamp_ns: int) -> None:
        """Record an answer to a watch, with the stamp of the frame that it describes."""
        known = {e.query.id for e in self._attribution.entries}
        self._said = {k: v for k, v in self._said.items() if k in known} | {
            watch_id: (stamp_ns, _plain(text))
        }

    def unsaid(self, watch_id: str) -> None:
        """Forget the newest answer to a watch: nobody heard it, so it holds nothing back."""
        self._said.pop(watch_id, None)

    def forget_words(self) -> None:
        """Forget the words of all answers so far; when they were given, and how many, is known on:
        limit and cooldown depend on it."""
        for entry in self._attribution.entries:
            last = self._last(entry.query)
            if last is not None:
                self._said[entry.query.id] = (last[0], "")

    def _resting(self, entry: Entry, stamp_ns: int) -> str:
        """Why an answer at this stamp would come too early; "" when it would not.

        "cooldown", or "duplicate": it is too early for the same words.
        """
        last = self._last(entry.query)
        if last is None:
            return ""
        since_ns = stamp_ns - last[0]
        if 0 <= since_ns < self._cooldown_s(entry) * NS:
            return "cooldown"
        return "duplicate" if 0 <= since_ns <= self._config.duplicate_s * NS else ""

    def _last(self, query: Query) -> tuple[int, str] | None:
        """Stamp and words of the newest answer, in this run or an earlier one."""
        if query.id in self._said:
            return self._said[query.id]
        before = query.before
        return (
            None if before is None or before.last_ns is None else (before.last_ns, before.last_text)
        )

    def configure(self, config: WatchConfig) -> None:
        """Use other limits from now on."""
        self._config = config

    def _cooldown_s(self, entry: Entry) -> float:
        own = entry.query.cooldown_s
        return self._config.cooldown_s if own is None else own


def _plain(text: str) -> str:
    return " ".join(text.lower().split()).rstrip(".!")
