"""Which question an answer belongs to, and of what kind it is: the engine's bookkeeping.

An answer in the chunk of its question is real-time. When the question is a standing one (registered
as such, or told by its words), that answer is an acknowledgment, and what is said later without a
question belongs to a standing question: its first answer is proactive, further ones are
multi-response. An unasked answer with no standing question open is booked to the newest question.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from aura_core.types import Kind, Query
from aura_core.words import words_of

_REPEATED = re.compile(
    r"\b(every time|each time|whenever|any time|anytime|always|count every)\b|"
    r"\bkeep (telling|reporting|counting)\b|每当|每次|一直"
)
_ONCE = re.compile(
    r"\b(tell|let|alert|notify|warn|remind|inform|say|shout|call)\b.*\b(when|once|if|as soon as|the"
    r" moment)\b|"
    r"\b(when|if|once|as soon as|the moment)\b.*\b(tell|let|alert|notify|warn|remind|inform|say"
    r" something)\b|"
    r"\b(want|like|need) to know (when|once|as soon as|the moment)\b|"
    r"\b(watch|look out|wait) for\b|提醒|告诉我.*时|(时|如果).*(告诉|通知|叫我)"
)


def standing_kind(text: str) -> Kind | None:
    """PROACTIVE or MULTI_RESPONSE when the words ask for a later answer, else None.

    >>> standing_kind("Tell me when a red cube appears.")
    <Kind.PROACTIVE: 'proactive'>
    """
    text = text.lower()
    if _REPEATED.search(text):
        return Kind.MULTI_RESPONSE
    return Kind.PROACTIVE if _ONCE.search(text) else None


STANDING = (Kind.PROACTIVE, Kind.MULTI_RESPONSE)


@dataclass
class Entry:
    """One question's record."""

    query: Query
    standing: Kind | None
    later: int = 0  # unasked answers so far
    answers: int = 0  # acknowledgments not counted
    cancelled: bool = False

    @property
    def exhausted(self) -> bool:
        """All answers that it was granted have been given."""
        return self.query.limit is not None and self.later >= self.query.limit

    @property
    def open(self) -> bool:
        """Still owes an answer: a repeated question until its limit, a proactive one until its
        first."""
        if self.cancelled or self.exhausted:
            return False
        return self.standing is Kind.MULTI_RESPONSE or (
            self.standing is Kind.PROACTIVE and self.later == 0
        )


@dataclass(frozen=True)
class Booking:
    """To which question an answer was booked."""

    query_id: str
    kind: Kind
    index: int
    acknowledgment: bool
    urgent: bool = False


class Attribution:
    """All questions of one stream. Closed ones beyond `limit` are forgotten, oldest first."""

    def __init__(self, limit: int = 64) -> None:
        self.limit = limit
        self.entries: list[Entry] = []

    def ask(self, query: Query) -> None:
        """Record a question in the chunk in which the model sees it."""
        kind = query.kind or standing_kind(query.text)
        self.entries.append(Entry(query, None if kind is Kind.REAL_TIME else kind))
        closed = [e for e in self.entries[:-1] if not e.open]
        for entry in closed[: max(0, len(self.entries) - self.limit)]:
            self.entries.remove(entry)

    def forget(self, query: Query | None) -> None:
        """A question whose answer was taken back was never asked."""
        self.entries = [e for e in self.entries if e.query is not query]

    def open_ids(self) -> frozenset[str]:
        """Ids of the standing questions that still owe an answer."""
        return frozenset(e.query.id for e in self.entries if e.open)

    def open_texts(self) -> list[str]:
        """The words of the standing questions that still owe an answer, oldest first."""
        return [e.query.text for e in self.entries if e.open]

    def question(self, query_id: str) -> str:
        """The words of a question; empty when it is unknown or long forgotten."""
        return next((e.query.text for e in reversed(self.entries) if e.query.id == query_id), "")

    def book(self, text: str, asked: Query | None = None, owners: Sequence[str] = ()) -> Booking:
        """Book an answer.

        Args:
            text: its words.
            asked: the question of the same chunk, if there was one.
            owners: ids of the standing questions that unasked words answer, where they are known;
                the booking names the last. Else the owner is found by the words.
        """
        if asked is not None:
            entry = next(e for e in reversed(self.entries) if e.query.id == asked.id)
            if entry.standing is not None:  # a promise is no answer: the first answer counts from 0
                return Booking(asked.id, Kind.REAL_TIME, 0, True)
            entry.answers += 1
            return Booking(asked.id, Kind.REAL_TIME, entry.answers - 1, False)
        known = [e for e in self.entries if e.query.id in owners]
        found = sorted(known, key=lambda e: owners.index(e.query.id)) or [self.owner(text)]
        owner = found[-1]
        if owner is None:  # spoken without any question: the model's own alert
            return Booking("", Kind.PROACTIVE, 0, False)
        for entry in found:
            entry.later += 1
            entry.answers += 1
        repeated = owner.standing is Kind.MULTI_RESPONSE or owner.later > 1
        kind = Kind.MULTI_RESPONSE if repeated else Kind.PROACTIVE
        return Booking(owner.query.id, kind, owner.answers - 1, False, owner.query.urgent)

    def owner(self, text: str) -> Entry | None:
        """The standing question that shares most words with an unasked `text`; the newest on a tie.

        Open ones, and those that were ended by hand or by their limit: the model may not have
        noticed that.
        """
        standing = [
            e
            for e in self.entries
            if e.standing is not None and (e.open or e.cancelled or e.exhausted)
        ]
        candidates = standing or self.entries[-1:]
        words = set(words_of(text))
        best: Entry | None = None
        most = -1
        for entry in candidates:
            shared = len(words.intersection(words_of(entry.query.text)))
            if shared > most or (shared == most and (entry.open or best is None or not best.open)):
                best, most = entry, shared
        return best
