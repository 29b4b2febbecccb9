"""Compares what was said with what was due, for one simulated episode.

Times match within one chunk (`TOLERANCE`). Words in the chunk of a question answer that question.
All other words are unasked: each matches at most one due event, and words that match none are a
false alarm.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from aura_core.sim.episode import Ask, Due, Episode
from aura_core.types import Kind

TOLERANCE = 1
LATE = 5  # up to so many chunks after the event, an answer is late; after that, it is missed


@dataclass(frozen=True)
class Said:
    """Words in a chunk. `question` is the text of the question asked in that chunk, or None."""

    chunk: int
    text: str
    question: str | None


@dataclass(frozen=True)
class Asked:
    """A question and what was said in its chunk. `right`: it is exactly the true answer."""

    ask: Ask
    text: str | None

    @property
    def right(self) -> bool:
        return self.text == self.ask.answer


@dataclass(frozen=True)
class Matched:
    """A due event and its unasked words. `delay` is in chunks; it is None if nothing was said."""

    due: Due
    text: str | None
    delay: int | None

    @property
    def in_time(self) -> bool:
        return self.delay is not None and abs(self.delay) <= TOLERANCE


@dataclass(frozen=True)
class EpisodeScore:
    """Everything that one episode contributes to the figures."""

    episode: Episode
    asked: tuple[Asked, ...]
    matched: tuple[Matched, ...]
    false_alarms: tuple[Said, ...]
    silent_right: int
    silent: int
    seconds: int

    def of_kind(self, kind: Kind) -> list[Matched]:
        """Return the due events of the standing questions of `kind`.

        A proactive question waits for its first event only.
        """
        ids = {a.id for a in self.episode.asks if a.kind is kind}
        return [m for m in self.matched if ids & set(m.due.ask_ids)]

    def multi_false_alarms(self) -> int:
        """Return the number of false alarms while a multi-response question was open.

        All of them count for that question, which is the strict reading.
        """
        since = min(
            (a.chunk for a in self.episode.asks if a.kind is Kind.MULTI_RESPONSE), default=None
        )
        return 0 if since is None else sum(f.chunk > since for f in self.false_alarms)


def score(episode: Episode, said: Sequence[Said], seconds: int) -> EpisodeScore:
    """Match `said`, in order of time, with the ground truth of the first `seconds` chunks."""
    asks = [a for a in episode.asks if a.chunk < seconds]
    answered: list[Asked] = []
    used: set[int] = set()
    for ask in asks:
        # A live run may put a question into a neighbouring chunk, so it is found by its text.
        found = next(
            (
                i
                for i, s in enumerate(said)
                if i not in used
                and s.question == ask.text
                and abs(s.chunk - ask.chunk) <= TOLERANCE + 1
            ),
            None,
        )
        if found is not None:
            used.add(found)
        answered.append(Asked(ask, said[found].text if found is not None else None))
    unasked = [s for i, s in enumerate(said) if i not in used and s.question is None]
    dues = [d for d in episode.dues if d.chunk < seconds]
    matched, alarms = _match(dues, unasked)
    spoken = {s.chunk for s in said}
    needed = {a.chunk for a in asks} | {m.due.chunk for m in matched if not m.in_time}
    silent = [c for c in range(seconds) if c not in spoken]
    right = sum(c not in needed for c in silent)
    return EpisodeScore(
        episode, tuple(answered), tuple(matched), tuple(alarms), right, len(silent), seconds
    )


def _match(dues: Sequence[Due], unasked: Sequence[Said]) -> tuple[list[Matched], list[Said]]:
    """Match each due event with the nearest free words in time, then with the first late ones."""
    free = list(unasked)
    pairs: dict[int, Said] = {}
    for reach in (0, TOLERANCE, LATE):
        for i, due in enumerate(dues):
            if i in pairs:
                continue
            early = -min(reach, TOLERANCE)
            near = [s for s in free if early <= s.chunk - due.chunk <= reach]
            if near:
                pairs[i] = min(near, key=lambda s: abs(s.chunk - due.chunk))
                free.remove(pairs[i])
    matched = [
        (
            Matched(d, pairs[i].text, pairs[i].chunk - d.chunk)
            if i in pairs
            else Matched(d, None, None)
        )
        for i, d in enumerate(dues)
    ]
    late = [pairs[i] for i, m in enumerate(matched) if i in pairs and not m.in_time]
    return matched, sorted([*free, *late], key=lambda s: s.chunk)
