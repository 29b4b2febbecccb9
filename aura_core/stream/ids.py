"""Ids of questions, watches and responses. They are unique over restarts of the assistant."""

from __future__ import annotations

import secrets
import time

_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


class Ids:
    """Counts ids within one run: `3k9x2f7a-q1`, `3k9x2f7a-q2`, `3k9x2f7a-r1` ...

    `run` is the name of the run. Replay uses a fixed name, so that two replays write the same
    lines.
    """

    def __init__(self, run: str) -> None:
        self.run = run
        self._counts: dict[str, int] = {}

    def next(self, kind: str) -> str:
        """The next id of a kind.

        `q`: a question, and the watch that it begins. `r`: a response, and the alert that it is.
        """
        self._counts[kind] = self._counts.get(kind, 0) + 1
        return f"{self.run}-{kind}{self._counts[kind]}"


def new_run() -> str:
    """A new name for a run: the time in seconds and 20 random bits, in base 36."""
    value = (int(time.time()) << 20) | secrets.randbits(20)
    digits = ""
    while value:
        value, digit = divmod(value, 36)
        digits = _DIGITS[digit] + digits
    return digits
