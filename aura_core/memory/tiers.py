"""The notes before the video: the newest word for word, older ones merged, within a token budget.

    now ─ recent_s: notes ─ middle_s: merged by ten minutes ─ reach_s: merged by the hour

Merging is done by rule, or by the model where it can (`unmerged`): a summary is kept in the store,
so a restart merges nothing again. Between two mergings the text only grows at its end, because what
stands before the video is in the key-value cache: a text that begins as the one before is read from
there on alone. A model that was trained with notes before the video gets them as it was trained:
the newest notes word for word, as many as it has room for.
"""

from __future__ import annotations

import re
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import tzinfo
from functools import lru_cache

from aura_core.config import MemoryConfig
from aura_core.memory import form as forms
from aura_core.memory.form import Line, MemoryForm
from aura_core.memory.notes import Note, NoteKind
from aura_core.memory.store import Store
from aura_core.memory.times import MINUTE, S, clock, local
from aura_core.memory.wanted import Wanted
from aura_core.memory.words import language_of, sentences, terms

TOKENS = 2000  # where neither the settings nor the checkpoint say
MIDDLE_NS, LONG_NS = 10 * MINUTE, 60 * MINUTE  # lengths of merged blocks
SETTLED_NS = 2 * MINUTE  # a block is merged when it ended so long ago: its notes are written
KINDS = (NoteKind.SEEN, NoteKind.ALERT, NoteKind.NAME, NoteKind.CAMERA, NoteKind.RUN)
TRAINED = (NoteKind.SEEN, NoteKind.ALERT)
REPEATS_NS = 30 * S  # an alert so near to a note that says the same is left out
FILLED = 0.75  # of the budget, when the notes are merged; the rest is for those that come
SHARES = (0.5, 0.3)  # of the budget: for the newest notes, and for the middle; the rest is for long
SHORTEST = 12  # tokens: no merged line is made shorter
MOST_FACTS = 40  # of a summary; the rarest stay
MOST_NOTES = 5000  # of a block
ARTICLES = frozenset(("a", "an", "the", "了"))
_TIMES = re.compile(r"\s*([0-9]{1,6})\s*(?:times|次)$")  # see `_times`
CACHED = 256  # merged blocks


@dataclass(frozen=True)
class Unmerged:
    """A block that is over and has no summary yet.

    Attributes:
        begin_wall_ns, end_wall_ns: from and to, in nanoseconds since the epoch.
        notes: one line for each, oldest first.
        language: under which the store keeps its summary (`Store.add_summary`): the language, and
            the camera where there is one.
        deletions: `Store.deletions` before the notes were read.
    """

    begin_wall_ns: int
    end_wall_ns: int
    notes: str
    language: str
    deletions: int


@dataclass(frozen=True)
class _Told:
    """A line of the text, and when it is about: its end decides about order and age."""

    end_ns: int
    clock: str
    text: str
    facts: tuple[str, ...] = ()  # of a merged one


@dataclass(frozen=True)
class _Kept:
    """The lines of a text, as long as it only grows.

    Attributes:
        made_wall_ns: when the notes were merged.
        since_ns: notes that end later were not merged then.
        known: ids of those, whether there was room for them or not.
        deletions: `Store.deletions` before they were read.
        lines: oldest first.
    """

    made_wall_ns: int
    since_ns: int
    known: frozenset[str]
    deletions: int
    lines: tuple[_Told, ...]


class Tiers:
    """Makes the text before the video, from the store, the time, and the text before."""

    def __init__(
        self,
        store: Store,
        config: MemoryConfig,
        form: MemoryForm,
        tz: tzinfo | None = None,
        count: Callable[[str], int] = len,
    ) -> None:
        """`tz`: of the times in the text; None: the zone of this machine. `count`: the tokens of a
        text."""
        self._store, self._form, self._tz, self._count = store, form, tz, count
        tokens = config.prefix_tokens
        if tokens is None:
            tokens = form.prefix_tokens
        self._tokens = TOKENS if tokens is None else tokens
        self._recent_ns, self._middle_ns, self._reach_ns = (
            int(seconds * S) for seconds in (config.recent_s, config.middle_s, config.reach_s)
        )
        self._cached: OrderedDict[tuple[int, int, str, int, int], str] = OrderedDict()
        self._kept: dict[tuple[str | None, str], _Kept] = {}

    def text(self, now_wall_ns: int, stream: str | None = None, language: str = "en") -> str:
        """What stands in the system turn, `form.remembered(...)`, of at most so many tokens as
        there is room for; "" without notes.

        Args:
            now_wall_ns: the time of the text, in nanoseconds since the epoch.
            stream: only notes of this camera; None: of all.
            language: of the words around the notes, "en" or "zh".
        """
        if self._tokens < 1:
            return ""
        if self._form.prefix_tokens is not None:
            return self._newest(now_wall_ns, stream, language)
        kept = self._kept.get((stream, language))
        kept = self._grown(kept, now_wall_ns, stream, language) if kept is not None else None
        if kept is None:
            kept = self._anew(now_wall_ns, stream, language)
        self._kept[stream, language] = kept
        return self._shown(kept.lines, now_wall_ns, language)

    def _anew(self, now_wall_ns: int, stream: str | None, language: str) -> _Kept:
        """All notes: the recent ones, and the others merged."""
        deletions = self._store.deletions
        long_ns, middle_ns = self._borders(now_wall_ns)
        notes = self._recent(middle_ns, stream)
        recent = [self._verbatim(n, now_wall_ns, language) for n in notes]
        middle = self._merged(long_ns, middle_ns, MIDDLE_NS, now_wall_ns, stream, language)
        first_ns = now_wall_ns - self._reach_ns
        long = self._merged(first_ns, long_ns, LONG_NS, now_wall_ns, stream, language)
        lines = self._fitted(recent, middle, long, now_wall_ns, language)
        known = frozenset(n.id for n in notes)
        return _Kept(now_wall_ns, middle_ns, known, deletions, tuple(lines))

    def _grown(
        self, kept: _Kept, now_wall_ns: int, stream: str | None, language: str
    ) -> _Kept | None:
        """With the notes that came since at its end; None: it is to be made anew, because it is
        full or old, notes were deleted, or another day has other words for the times."""
        age_ns = now_wall_ns - kept.made_wall_ns
        days = {local(ns, self._tz).date() for ns in (kept.made_wall_ns, now_wall_ns)}
        if not 0 <= age_ns < LONG_NS or len(days) > 1 or kept.deletions != self._store.deletions:
            return None
        new = [n for n in self._recent(kept.since_ns, stream) if n.id not in kept.known]
        newest_ns = kept.lines[-1].end_ns if kept.lines else kept.since_ns
        if any(n.wall_ns < newest_ns for n in new):  # a late one
            return None
        lines = (*kept.lines, *(self._verbatim(n, now_wall_ns, language) for n in new))
        if self._count(self._shown(lines, now_wall_ns, language)) > self._tokens:
            return None
        return replace(kept, known=kept.known.union(n.id for n in new), lines=lines)

    def _shown(self, told: Sequence[_Told], now_wall_ns: int, language: str) -> str:
        now = "" if self._form.ages else clock(now_wall_ns, now_wall_ns, self._tz, language)
        return forms.remembered([_line(t, now_wall_ns) for t in told], language, now)

    def unmerged(
        self, now_wall_ns: int, stream: str | None = None, language: str = "en"
    ) -> Unmerged | None:
        """The oldest block with several notes that the model has not merged yet, for
        `Store.add_summary`; None where all are."""
        long_ns, middle_ns = self._borders(now_wall_ns)
        key, deletions = _key(language, stream), self._store.deletions
        first_ns = now_wall_ns - self._reach_ns
        for begin, end, size in ((first_ns, long_ns, LONG_NS), (long_ns, middle_ns, MIDDLE_NS)):
            for first in self._blocks(begin, end, size, stream):
                last = first + size
                if self._store.summary(first, last, key) is not None:
                    continue
                lines = self._parts(first, last, now_wall_ns, stream, language)
                if len(lines) > 1:
                    told = "\n".join(f"- {line.clock}: {line.text}" for line in lines)
                    return Unmerged(first, last, told, key, deletions)
        return None

    # ---- which notes -------------------------------------------------------------------------

    def _borders(self, now_wall_ns: int) -> tuple[int, int]:
        """Where the blocks of an hour end, and where those of ten minutes do."""
        settled_ns = now_wall_ns - max(self._recent_ns, SETTLED_NS)
        middle_ns = settled_ns - settled_ns % MIDDLE_NS
        long_ns = now_wall_ns - max(self._middle_ns, self._recent_ns, SETTLED_NS)
        long_ns -= long_ns % LONG_NS
        return min(long_ns, middle_ns), middle_ns

    def _blocks(self, begin_ns: int, end_ns: int, size_ns: int, stream: str | None) -> list[int]:
        """The beginnings of the blocks from `begin_ns` to `end_ns` that hold notes."""
        begin_ns += -begin_ns % size_ns
        found, first = [], begin_ns
        while first + size_ns <= end_ns:
            notes = self._store.find(_within(first, end_ns, stream, 1))
            if not notes:
                break
            # a note is where it ends, in (begin, end], so it is in one block
            first = (notes[0].wall_ns - 1) // size_ns * size_ns
            if first + size_ns > end_ns:
                break
            found.append(first)
            first += size_ns
        return found

    def _notes(self, begin_ns: int, end_ns: int, stream: str | None) -> list[Note]:
        """The notes that end in (begin, end] and tell something, oldest first."""
        found = self._store.find(_within(begin_ns, end_ns, stream, MOST_NOTES))
        return _without_repeats(n for n in found if n.wall_ns <= end_ns and _tells(n))

    def _recent(self, begin_ns: int, stream: str | None) -> list[Note]:
        wanted = replace(_within(begin_ns, None, stream, MOST_NOTES), newest_first=True)
        return _without_repeats(n for n in reversed(self._store.find(wanted)) if _tells(n))

    def _verbatim(self, note: Note, now_wall_ns: int, language: str) -> _Told:
        told = clock(note.shown_wall_ns, now_wall_ns, self._tz, language)
        return _Told(note.wall_ns, told, " ".join(note.text.split()))

    # ---- merging -----------------------------------------------------------------------------

    def _merged(
        self,
        begin_ns: int,
        end_ns: int,
        size_ns: int,
        now_wall_ns: int,
        stream: str | None,
        language: str,
    ) -> list[_Told]:
        """One line for each block of this size with notes, oldest first."""
        found = []
        for first in self._blocks(begin_ns, end_ns, size_ns, stream):
            text = self._summary(first, first + size_ns, stream, language)
            if text:
                last = local(first + size_ns, self._tz)
                told = clock(first, now_wall_ns, self._tz, language)
                told = f"{told}-{last.hour:02}:{last.minute:02}"
                found.append(_Told(first + size_ns, told, text, tuple(sentences(text))))
        return found

    def _summary(self, begin_ns: int, end_ns: int, stream: str | None, language: str) -> str:
        """The merged notes of a block: what the store keeps, else merged by rule."""
        key, deletions = _key(language, stream), self._store.deletions
        kept = self._store.summary(begin_ns, end_ns, key)
        if kept is not None:
            return kept
        number = self._store.count(_within(begin_ns, end_ns, stream, -1))
        known = (begin_ns, end_ns, key, number, deletions)
        if known in self._cached:
            self._cached.move_to_end(known)
            return self._cached[known]
        text = merged([note.text for note in self._notes(begin_ns, end_ns, stream)])
        if self._form.merges is None and not self._store.read_only:
            self._store.add_summary(begin_ns, end_ns, key, text, deletions)
        else:
            self._cached[known] = text
            while len(self._cached) > CACHED:
                self._cached.popitem(last=False)
        return text

    def _parts(
        self, begin_ns: int, end_ns: int, now_wall_ns: int, stream: str | None, language: str
    ) -> list[_Told]:
        """What a block is merged of: its notes; of an hour what ten minutes each were merged to."""
        if end_ns - begin_ns > MIDDLE_NS:
            return self._merged(begin_ns, end_ns, MIDDLE_NS, now_wall_ns, stream, language)
        notes = self._notes(begin_ns, end_ns, stream)
        return [self._verbatim(note, now_wall_ns, language) for note in notes]

    # ---- the budget --------------------------------------------------------------------------

    def _newest(self, now_wall_ns: int, stream: str | None, language: str) -> str:
        """The newest notes word for word, as many as there is room for."""
        wanted = Wanted(
            begin_wall_ns=now_wall_ns - self._reach_ns,
            kinds=TRAINED,
            stream=stream,
            limit=self._tokens,  # a line has more than one token
            newest_first=True,
        )
        notes = _without_repeats(n for n in reversed(self._store.find(wanted)) if _tells(n))
        lines: list[Line] = []
        best = ""
        for note in reversed(notes):
            told = self._verbatim(note, now_wall_ns, language)
            lines.insert(0, _line(told, now_wall_ns))
            text = forms.remembered(lines, language)
            if self._count(text) > self._tokens:
                break
            best = text
        return best

    def _fitted(
        self,
        recent: list[_Told],
        middle: list[_Told],
        long: list[_Told],
        now_wall_ns: int,
        language: str,
    ) -> list[_Told]:
        """The lines that fit, oldest first; the newest of each tier are taken first. The newest
        notes have their share, merged ones the rest; what nobody needs goes to further recent
        ones."""
        tokens = int(self._tokens * FILLED)

        def cost(told: _Told) -> int:
            line = forms.line(_line(told, now_wall_ns), language, self._form.ages)
            return self._count("\n- " + line)

        shares = (int(tokens * SHARES[0]), int(tokens * SHARES[1]))
        rare: Counter[frozenset[str]] = Counter()
        for fact in (fact for told in (*middle, *long) for fact in told.facts):
            once, times = _counted(fact)
            rare[_said(once)] += times
        chosen: list[_Told] = []
        left = tokens - self._count(
            self._shown([_Told(now_wall_ns, "", "")], now_wall_ns, language)
        )
        of_recent = shares[0] if middle or long else tokens
        later = []
        for told in reversed(recent):
            needed = cost(told)
            if needed <= min(left, of_recent):
                chosen.append(told)
                left, of_recent = left - needed, of_recent - needed
            else:
                later.append(told)
                of_recent = 0  # no gaps among the newest
        of_long = tokens - sum(shares) if long else 0
        for tier, room in ((middle, left - of_long), (long, None), (later[::-1], None)):
            room = left if room is None else room
            for told in reversed(self._trimmed(tier, room, rare, cost)):
                needed = cost(told)
                if needed <= left:
                    chosen.append(told)
                    left -= needed
        if not chosen and recent:
            chosen = [self._cut(recent[-1], tokens, now_wall_ns, language)]
        while chosen:
            lines = sorted(chosen, key=lambda t: t.end_ns)
            if self._count(self._shown(lines, now_wall_ns, language)) <= tokens:
                return lines
            chosen.pop()
        return []

    def _trimmed(
        self,
        lines: list[_Told],
        tokens: int,
        rare: Counter[frozenset[str]],
        cost: Callable[[_Told], int],
    ) -> list[_Told]:
        """Merged lines of which each has its part of the tokens: without the facts that are told
        most often elsewhere. The last fact, how things were at the end, stays."""
        if not lines:
            return []
        most = max(SHORTEST, tokens // len(lines))
        out = []

        def often(fact: str) -> int:
            return rare[_said(_counted(fact)[0])]

        for told in lines:
            facts = told.facts
            if cost(told) > most and len(facts) > 1:
                order = sorted(range(len(facts) - 1), key=lambda i: (-often(facts[i]), i))
                low, high = 0, len(order)
                while low < high:  # drop as few as possible
                    middle = (low + high) // 2
                    if cost(_without(told, order[:middle])) <= most:
                        high = middle
                    else:
                        low = middle + 1
                told = _without(told, order[:low])
            out.append(told)
        return out

    def _cut(self, told: _Told, tokens: int, now_wall_ns: int, language: str) -> _Told:
        """A line with as much of its text as fits."""
        low, high = 0, len(told.text)
        while low < high:
            middle = (low + high + 1) // 2
            shorter = replace(told, text=told.text[:middle] + "...")
            if self._count(self._shown([shorter], now_wall_ns, language)) <= tokens:
                low = middle
            else:
                high = middle - 1
        return replace(told, text=told.text[:low] + "...")


def merged(texts: Sequence[str]) -> str:
    """Notes as one: each fact once, with the number of times where it was told several times, in
    the order in which they were told last; so the end is how things were at the end.

    >>> merged(["the cat came", "the door opened", "the cat came; the lamp went off"])
    'the door opened; the cat came 2 times; the lamp went off'
    """
    told: OrderedDict[frozenset[str], tuple[str, int]] = OrderedDict()
    for text in texts:
        for fact in sentences(text):
            if fact.casefold() in forms.NOTHING_NEW:
                continue
            said = _said(fact)
            _, times = told.pop(said, ("", 0))
            told[said] = (fact, times + 1)
    facts = list(told.values())
    if len(facts) > MOST_FACTS:
        rarest = sorted(range(len(facts)), key=lambda i: (facts[i][1], -i))
        kept = sorted({*rarest[: MOST_FACTS - 1], len(facts) - 1})
        facts = [facts[i] for i in kept]
    chinese = bool(facts) and language_of(" ".join(fact for fact, _ in facts)) == "zh"
    return ("；" if chinese else "; ").join(_times(fact, times) for fact, times in facts)


def _times(fact: str, times: int) -> str:
    fact = " ".join(fact.split())
    if times == 1:
        return fact
    return f"{fact}{times}次" if language_of(fact) == "zh" else f"{fact} {times} times"


def _counted(fact: str) -> tuple[str, int]:
    """A fact of a summary without its number of times, and that number."""
    match = _TIMES.search(fact)
    return (fact, 1) if match is None else (fact[: match.start()], int(match[1]))


@lru_cache(8192)
def _said(fact: str) -> frozenset[str]:
    """What a fact says, so that "the cat came" and "A cat appeared." are one."""
    return frozenset(terms(fact)) - ARTICLES or frozenset((fact,))


def _without(told: _Told, dropped: Iterable[int]) -> _Told:
    left_out = set(dropped)
    facts = tuple(fact for i, fact in enumerate(told.facts) if i not in left_out)
    separator = "；" if language_of(told.text) == "zh" else "; "
    return replace(told, text=separator.join(facts), facts=facts)


def _line(told: _Told, now_wall_ns: int) -> Line:
    return Line(max(0, now_wall_ns - told.end_ns) / S, told.clock, told.text)


def _key(language: str, stream: str | None) -> str:
    return f"{language} {stream}" if stream else language


def _within(begin_ns: int, end_ns: int | None, stream: str | None, limit: int) -> Wanted:
    """Notes that end after `begin_ns`, and begin at `end_ns` at the latest."""
    end_ns = end_ns if end_ns is None else end_ns + 1
    return Wanted(
        begin_wall_ns=begin_ns + 1, end_wall_ns=end_ns, kinds=KINDS, stream=stream, limit=limit
    )


def _tells(note: Note) -> bool:
    return bool(note.text.strip()) and note.text.strip(" .。!").casefold() not in forms.NOTHING_NEW


def _without_repeats(notes: Iterable[Note]) -> list[Note]:
    """Without alerts that say what a note of the time says too."""
    found = list(notes)
    seen = [n for n in found if n.kind is NoteKind.SEEN]
    if len(seen) == len(found):
        return found

    def repeats(alert: Note) -> bool:
        said = _said(alert.text)
        return any(
            n.begin_wall_ns - REPEATS_NS <= alert.wall_ns <= n.wall_ns + REPEATS_NS
            and any(said <= frozenset(terms(fact)) for fact in sentences(n.text))
            for n in seen
        )

    return [n for n in found if n.kind is not NoteKind.ALERT or not repeats(n)]
