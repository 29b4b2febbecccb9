"""Many alerts that waited while the user talked, in few sentences: their number, the newest words.

Whoever was silent for eight alerts does not want to hear eight sentences: the words of the newest
three watches are said, the others are counted. The topic has all of them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from aura_core.speech.sentences import CJK

TOLD = 3  # watches whose newest words are said
LONGEST = 80  # characters of the words of one watch


@dataclass(frozen=True)
class Waiting:
    """An alert that waits: its watch ("" where that is not known), and its sentences."""

    id: str
    watch: str
    sentences: tuple[str, ...]
    times: int = 1  # how often it came


@dataclass(frozen=True)
class Summary:
    """What is said of several alerts: sentences, and the words of each alert by its id.

    Of an alert that is only counted, or of which only the beginning is said, the words are "".
    """

    sentences: tuple[str, ...]
    words: dict[str, str]


def summed_up(alerts: Sequence[Waiting]) -> Summary:
    """A summary of alerts, which come in the order of their arrival.

    >>> came, left = Waiting("r1", "w1", ("A cat came.",)), Waiting("r2", "w1", ("It left.",))
    >>> summed_up([came, left]).sentences
    ('2 alerts.', 'It left.')
    """
    watches: dict[str, list[Waiting]] = {}
    for alert in alerts:
        key = alert.watch or alert.id
        watches[key] = [*watches.pop(key, []), alert]  # the newest last
    chinese = re.search(rf"[{CJK}]", "".join(alerts[-1].sentences)) is not None
    told = list(watches.values())[-TOLD:]
    total = sum(a.times for a in alerts)
    sentences = [f"{total}条提醒。" if chinese else f"{total} alerts."]
    words = {a.id: "" for a in alerts}
    for group in reversed(told):
        newest, times = group[-1], sum(a.times for a in group)
        said, whole = _bounded(newest.sentences)
        words[newest.id] = said if whole else ""
        sentences.append(_counted(said, times if len(watches) > 1 else 1, chinese))
    rest = total - sum(a.times for group in told for a in group)
    if rest:
        sentences.append(f"还有{rest}条别的。" if chinese else f"And {rest} more.")
    return Summary(tuple(sentences), words)


def _counted(words: str, times: int, chinese: bool) -> str:
    if times == 1:
        return words
    return f"{times}次，最新的是：{words}" if chinese else f"{times} times, the newest: {words}"


def _bounded(sentences: Sequence[str]) -> tuple[str, bool]:
    """The first sentences, up to `LONGEST` characters, and whether these are all.

    A first sentence that is longer is cut between words.
    """
    text, left = sentences[0], len(sentences) - 1
    for sentence in sentences[1:]:
        gap = "" if re.search(rf"[{CJK}。！？]$", text) else " "
        if len(text) + len(gap) + len(sentence) > LONGEST:
            break
        text, left = text + gap + sentence, left - 1
    if len(text) <= LONGEST:
        return text, not left
    end = max(text[: LONGEST + 1].rfind(" "), 0) or LONGEST
    return text[:end].rstrip(" ,;:，、") + ("……" if re.search(rf"[{CJK}]", text) else " ..."), False
