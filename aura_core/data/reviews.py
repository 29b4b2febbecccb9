"""Decisions of people about samples, in `review.jsonl` beside the shards.

Each decision is a line, and of several about one sample the last one counts. It holds for the
sample as it was: when the data engine makes the sample again with other words, the decision no
longer holds. Without a decision a sample is used.
"""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Self

from aura_core.data.records import to_line
from aura_core.data.store import read_lines
from aura_core.errors import InputError

NAME = "review.jsonl"
PERSON = "person"
REASONS = 5  # that are told, the most frequent ones


@dataclass(frozen=True)
class Decision:
    """Whether a sample is used.

    `accept` None takes an earlier decision back. `by` says who decided, such as "person" or
    "duplicates", and `at_s` when, in seconds since the UNIX epoch.
    """

    VERSION: ClassVar[int] = 1
    sample: str  # its id
    sha256: str  # of its line
    accept: bool | None
    by: str
    reason: str
    at_s: float

    @property
    def why(self) -> str:
        """The reason in the words of a person, or what decided by itself, such as "duplicates"."""
        return (self.reason or "no reason given") if self.by == PERSON else self.by


class Reviews:
    """The decisions of one folder, by sample and its content."""

    def __init__(self, decisions: Iterable[Decision] = ()) -> None:
        self._found: dict[tuple[str, str], Decision] = {}
        for decision in decisions:
            self._found[decision.sample, decision.sha256] = decision

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read the decisions of a folder; none where there is no file.

        Raises `InputError` that names file and line.
        """
        path = folder / NAME
        return cls(read_lines(path, Decision) if path.is_file() else ())

    def of(self, sample: str, sha256: str) -> Decision | None:
        """Return what was decided about a sample, or None."""
        decision = self._found.get((sample, sha256))
        return None if decision is None or decision.accept is None else decision

    def rejection(self, sample: str, line: bytes) -> Decision | None:
        """Return the decision that rejected the sample of this line; None where it is used."""
        if not self._found:
            return None  # the usual case needs no hashes
        decision = self.of(sample, sha256_of_line(line))
        return None if decision is None or decision.accept else decision

    def rejects(self, sample: str, line: bytes) -> bool:
        """Whether the sample of this line was rejected."""
        return self.rejection(sample, line) is not None

    def take(self, decision: Decision) -> None:
        """Add a decision."""
        self._found[decision.sample, decision.sha256] = decision


def told(rejected: Counter[str]) -> str:
    """Return one line about the samples that are left out, by `Decision.why`."""
    few = rejected.most_common(REASONS)
    parts = [f"{n} {why}" for why, n in few]
    if rest := rejected.total() - sum(n for _, n in few):
        parts.append(f"{rest} for other reasons")
    return f"samples left out after a review: {rejected.total()} ({', '.join(parts)})"


def decide(folder: Path, decisions: Iterable[Decision]) -> None:
    """Append decisions to the file of a folder, all in one write, synced. Raises `InputError`."""
    data = "".join(to_line(d) + "\n" for d in decisions).encode()
    path = folder / NAME
    try:
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            os.write(file, data)
            os.fsync(file)
        finally:
            os.close(file)
    except OSError as e:
        raise InputError(f"{path}: cannot be written: {e.strerror}") from e


def sha256_of_line(line: bytes) -> str:
    """Return a hash of a sample's line, without blanks at its ends: 16 hexadecimal digits."""
    return hashlib.sha256(line.strip()).hexdigest()[:16]
