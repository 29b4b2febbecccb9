"""One pass over a text: at each place the longest reading wins, and what it says is never reread.

A `Kind` is something that is written otherwise than it is said: a date, a sum of money, a sign. The
kinds of a language stand in a table (`english.py`, `chinese.py`). Of two readings with the same
length the one that stands first in the table wins. What no kind reads stays as it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from string import ascii_letters, digits

Say = Callable[[re.Match[str]], "str | None"]
Read = Callable[[str, int], "tuple[int, str] | None"]  # text, place -> end, words


@dataclass(frozen=True)
class Kind:
    """One kind of token.

    `read` takes the text and a place and returns the end and the words, or None. `first` has the
    characters that the kind can begin with; "" stands for any. The kind is tried only in texts
    with one of the characters of `needs`; "" stands for any text.
    """

    name: str
    read: Read
    first: str = digits
    needs: str = ""


def kind(name: str, pattern: str, say: Say | str, first: str = digits, needs: str = "") -> Kind:
    """A kind that a regular expression finds. `say` gives the words, or None: it is no such kind.

    The expression is matched at one place. What it looks at before that place is text, not words.
    """
    match = re.compile(pattern).match

    def read(text: str, at: int) -> tuple[int, str] | None:
        found = match(text, at)
        if found is None or found.end() == at:
            return None
        words = say if isinstance(say, str) else say(found)
        return None if words is None else (found.end(), words)

    return Kind(name, read, first, needs)


class Reader:
    """Reads texts with one table of kinds.

    Args:
        kinds: the table.
        spaced: whether words of a reading are parted from letters beside them by a space.
    """

    def __init__(self, kinds: Iterable[Kind], spaced: bool) -> None:
        self._kinds = tuple(kinds)
        self._spaced = spaced
        characters = {c for k in self._kinds for c in k.first}
        signs = sorted(characters - set(ascii_letters + digits))
        # a place where a kind can begin: a word, a number that is no part of a word, or a sign
        places = ["(?<![A-Za-z0-9])[A-Za-z]", r"(?<![A-Za-z0-9_])(?<![0-9]\.)[0-9]"]
        self._places = re.compile("|".join([*places, *map(re.escape, signs)]))

    def read(self, text: str) -> str:
        """Return the text as it is said."""
        kinds = [k for k in self._kinds if not k.needs or any(c in text for c in k.needs)]
        at_first: dict[str, list[Kind]] = {}
        parts: list[str] = []
        done = at = 0
        while (place := self._places.search(text, at)) is not None:
            at, first = place.start(), place[0]
            if first not in at_first:
                at_first[first] = [k for k in kinds if not k.first or first in k.first]
            end, words = at, ""
            for candidate in at_first[first]:
                found = candidate.read(text, at)
                if found is not None and found[0] > end:
                    end, words = found
            if end == at:
                at += 1
                continue
            self._add(parts, text[done:at])
            self._add(parts, words)
            done = at = end
        self._add(parts, text[done:])
        return "".join(parts)

    def _add(self, parts: list[str], piece: str) -> None:
        if not piece:
            return
        if self._spaced and parts and parts[-1][-1:].isalnum() and piece[0].isalnum():
            parts.append(" ")
        parts.append(piece)
