"""The reward of a turn: what the simulator's scorer makes of the conversation with it.

Two conversations that differ in one turn are played on for a few seconds and scored alike, so their
rewards differ by what that turn has done: right second, right words, no false alarm. The scorer is
that of `aura eval sim`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from aura_core.evaluation.scoring import TOLERANCE, Matched, Said, score
from aura_core.sim.episode import Episode


@dataclass(frozen=True)
class Worth:
    """What is counted. Words for an event in its own second with the true text count 1."""

    wrong_words: float = 0.25  # other words for an event that is due
    off_by_one: float = 0.3  # lost where the words come a second early or late
    missed: float = 1.0  # lost for an event that is not told in time
    alarm: float = 1.0  # lost for words that no event calls for


WORTH = Worth()


def worth(episode: Episode, said: Sequence[Said], seconds: int, w: Worth = WORTH) -> float:
    """The reward of what was said in the first `seconds` chunks of an episode.

    An event that may still be told in time counts neither as told nor as missed. Answers to
    questions count nothing.
    """
    scored = score(episode, said, seconds)
    told = sum(_told(m, w) for m in scored.matched if m.in_time)
    missed = sum(not m.in_time and m.due.chunk + TOLERANCE < seconds for m in scored.matched)
    return told - w.missed * missed - w.alarm * len(scored.false_alarms)


def _told(m: Matched, w: Worth) -> float:
    words = 1.0 if m.text == m.due.text else w.wrong_words
    return words - w.off_by_one * abs(m.delay or 0)
