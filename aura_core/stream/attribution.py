"""Attribution: which question an answer belongs to, and of which kind the answer is.

An answer in the chunk of its question is real-time. If that question is a watch (registered as one,
or recognised by its words), this first answer is an acknowledgment. Words in a chunk without a
question belong to a watch. They are multi-response if the watch asks for several answers or has had
one already, else proactive. Where there is no watch, they belong to the newest question.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from aura_core.stream.urgency import hasty
from aura_core.types import Answered, Kind, Query, Severity
from aura_core.words import words_of

_REPEATED = re.compile(
    r"\b(every time|each time|whenever|any time|anytime|always|count every)\b|"
    r"\bkeep (telling|reporting|counting)\b|每当|每次|一直"
)
_ONCE = re.compile(
    r"\b(want|like|need) to know (when|once|as soon as|the moment)\b|"
    r"\b(watch|look out|wait) for\b|提醒"
)
# The second follows the first in a line. As one expression with `.*` between them, a search would
# take quadratic time.
_ONCE_IN_A_LINE = tuple(
    (re.compile(first), re.compile(second))
    for first, second in (
        (
            r"\b(tell|let|alert|notify|warn|remind|inform|say|shout|call)\b",
            r"\b(when|once|if|as soon as|the moment)\b",
        ),
        (
            r"\b(when|if|once|as soon as|the moment)\b",
            r"\b(tell|let|alert|notify|warn|remind|inform|say something)\b",
        ),
        ("告诉我", "时"),
        ("时|如果", "告诉|通知|叫我"),
    )
)
REOPENINGS = 3  # of one watch; more would say the same again and again to nobody


def standing_kind(text: str) -> Kind | None:
    """PROACTIVE or MULTI_RESPONSE when the words ask for a later answer, else None.

    >>> standing_kind("Tell me when a red cube appears.")
    <Kind.PROACTIVE: 'proactive'>
    """
    text = text.lower()
    if _REPEATED.search(text):
        return Kind.MULTI_RESPONSE
    once = _ONCE.search(text) or any(map(_asks_once, text.split("\n")))
    return Kind.PROACTIVE if once else None


def _asks_once(line: str) -> bool:
    return any(
        (found := first.search(line)) is not None and second.search(line, found.end()) is not None
        for first, second in _ONCE_IN_A_LINE
    )


def urgent(query: Query) -> bool:
    """Whether the answers of a watch need not wait until the user pauses.

    It was registered so, it is critical, or its words say so.

    >>> urgent(Query("Warn me when the baby wakes up."))
    True
    """
    critical = query.severity is Severity.CRITICAL
    return query.urgent or critical or hasty(query.text)


STANDING = (Kind.PROACTIVE, Kind.MULTI_RESPONSE)


def stands(query: Query) -> bool:
    """Whether the question begins a watch: by its kind, or because it asks for a later answer."""
    return (query.kind or standing_kind(query.text)) in STANDING


@dataclass
class Entry:
    """The record of one question."""

    query: Query
    standing: Kind | None
    later: int = 0  # answers in chunks without a question, so far
    answers: int = 0  # all answers so far, without acknowledgments
    cancelled: bool = False
    reopened: int = 0  # how often it was opened again, because nobody heard its answer

    @property
    def urgent(self) -> bool:
        """Whether its answers need not wait until the user pauses."""
        return urgent(self.query)

    @property
    def given_up(self) -> bool:
        """Whether it was opened again so often that it stays closed, unheard as it is."""
        return self.reopened >= REOPENINGS and not self.open and not self.cancelled

    @property
    def exhausted(self) -> bool:
        """Whether the question has had as many answers as its limit allows."""
        return self.query.limit is not None and self.later >= self.query.limit

    @property
    def open(self) -> bool:
        """Whether a later answer is still due.

        A MULTI_RESPONSE question is open until its limit, a PROACTIVE one until its first answer.
        """
        if self.cancelled or self.exhausted:
            return False
        return self.standing is Kind.MULTI_RESPONSE or (
            self.standing is Kind.PROACTIVE and self.later == 0
        )


@dataclass(frozen=True)
class Booking:
    """The question that an answer was attributed to. See `Response` for the fields."""

    query_id: str
    kind: Kind
    index: int
    acknowledgment: bool
    urgent: bool = False
    watches: tuple[Answered, ...] = ()


class Attribution:
    """All questions of one stream.

    More than `limit` are not kept: the oldest closed ones are forgotten.
    """

    def __init__(self, limit: int = 64) -> None:
        self.limit = limit
        self.entries: list[Entry] = []

    def ask(self, query: Query) -> None:
        """Record a question, in the chunk in which the model sees it. The result of a call is
        none."""
        if query.after is not None:
            return
        kind = query.kind or standing_kind(query.text)
        before = query.before.answers if query.before else 0
        standing = None if kind is Kind.REAL_TIME else kind
        self.entries.append(Entry(query, standing, later=before, answers=before))
        closed = [e for e in self.entries[:-1] if not e.open]
        for entry in closed[: max(0, len(self.entries) - self.limit)]:
            self.entries.remove(entry)

    def forget(self, query: Query | None) -> None:
        """Remove a question whose answer was discarded, as if it had never been asked."""
        self.entries = [e for e in self.entries if e.query is not query]

    def open_ids(self) -> frozenset[str]:
        """Ids of the open watches."""
        return frozenset(e.query.id for e in self.entries if e.open)

    def open_texts(self) -> list[str]:
        """The texts of the open watches, oldest first."""
        return [e.query.text for e in self.entries if e.open]

    def question(self, query_id: str) -> str:
        """The text of a question; "" when its id is unknown or forgotten."""
        return next((e.query.text for e in reversed(self.entries) if e.query.id == query_id), "")

    def is_watch(self, query_id: str) -> bool:
        """Whether this id is that of a watch, open or not."""
        return any(e.query.id == query_id and e.standing is not None for e in self.entries)

    def named(self, query_ids: Sequence[str]) -> list[Entry]:
        """The questions with these ids, in their order; of several with one id, the newest."""
        newest = {e.query.id: e for e in self.entries}
        return [newest[i] for i in query_ids if i in newest]

    def book(self, text: str, asked: Query | None = None, owners: Sequence[Entry] = ()) -> Booking:
        """Attribute an answer to a question, and count it.

        Args:
            text: the words of the answer.
            asked: the question of the same chunk, if there was one.
            owners: the watches that unasked words answer, the most likely first. All of them are
                counted; the result is about the first. Empty: the watch is found by its words.
        """
        if asked is not None:
            entry = next((e for e in reversed(self.entries) if e.query.id == asked.id), None)
            if entry is None:  # it was forgotten while a tool was called
                return Booking(asked.id, Kind.REAL_TIME, 0, False)
            if entry.standing is not None:  # an acknowledgment is not counted as an answer
                return Booking(asked.id, Kind.REAL_TIME, 0, True)
            entry.answers += 1
            return Booking(asked.id, Kind.REAL_TIME, entry.answers - 1, False)
        found = owners or [e for e in [self.owner(text)] if e is not None]
        if not found:  # there is no question: an alert of the model's own
            return Booking("", Kind.PROACTIVE, 0, False)
        answered = [self._answered(entry) for entry in found]
        first = answered[0]
        watches = tuple(
            a for a, entry in zip(answered, found, strict=True) if entry.standing is not None
        )
        return Booking(first.query_id, first.kind, first.index, False, first.urgent, watches)

    def _answered(self, entry: Entry) -> Answered:
        entry.later += 1
        entry.answers += 1
        repeated = entry.standing is Kind.MULTI_RESPONSE or entry.later > 1
        kind = Kind.MULTI_RESPONSE if repeated else Kind.PROACTIVE
        query = entry.query
        return Answered(query.id, kind, entry.answers - 1, entry.urgent, query.severity)

    def unheard(self, query_id: str) -> bool:
        """Take back an unasked answer to a watch, because nobody heard it: the watch is open again.

        Returns False where it stays as it is: it was cancelled, or was opened again too often.
        """
        entry = next(iter(self.named([query_id])), None)
        if entry is None or entry.standing is None or entry.cancelled or entry.later == 0:
            return False
        if not entry.open:
            if entry.reopened >= REOPENINGS:
                return False
            entry.reopened += 1
        entry.later -= 1
        entry.answers -= 1
        return True

    def candidates(self) -> list[Entry]:
        """The watches that unasked words may belong to.

        Watches that were cancelled or have reached their limit count too, because the model may not
        have noticed.
        """
        return [
            e
            for e in self.entries
            if e.standing is not None and (e.open or e.cancelled or e.exhausted)
        ]

    def urgent_so_far(self, text: str) -> bool:
        """Whether unasked words that are still growing probably answer an urgent watch.

        All open watches are urgent, or all of those that share most words with `text`.
        """
        entries = [e for e in self.entries if e.standing is not None and e.open]
        words = words_of(text)
        most = max((shared(words, e) for e in entries), default=0)
        likely = [e for e in entries if most and shared(words, e) == most] or entries
        return bool(likely) and all(e.urgent for e in likely)

    def owner(self, text: str) -> Entry | None:
        """The watch that unasked words belong to; None when there is no question at all.

        It is the candidate that shares most words with `text`; on a tie an open watch, then the
        newest. Where there is no candidate, it is the newest question.
        """
        words = words_of(text)
        best: Entry | None = None
        most = -1
        for entry in self.candidates() or self.entries[-1:]:
            common = shared(words, entry)
            if common > most or (common == most and (entry.open or best is None or not best.open)):
                best, most = entry, common
        return best


def shared(words: Collection[str], entry: Entry) -> int:
    """How many of these words the question has."""
    return len(set(words).intersection(words_of(entry.query.text)))
