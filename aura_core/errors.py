"""The errors of this package, by who can fix them.

Each message is one line: what, where, what to do.
"""

from __future__ import annotations

import reprlib
from typing import Any

LONGEST = 600  # characters of a message


class AuraError(Exception):
    """Base of every error that this package raises on purpose.

    A message may quote what somebody sent. So line breaks, control characters and marks that change
    the direction of writing become spaces, and of a message that is too long the middle is left
    out: what is logged and printed is one line.
    """

    def __init__(self, *args: object) -> None:
        super().__init__(*(_clear(a) if isinstance(a, str) else a for a in args))


class ConfigError(AuraError):
    """A configuration file or a parameter is wrong."""


class ModelError(AuraError):
    """A model cannot be used: its checkpoint is missing or not supported, or its server fails."""


class InputError(AuraError):
    """A frame, question, video or bag cannot be used."""


class StoreError(InputError):
    """The file of notes cannot be used: it is damaged, newer, full, or somebody else's."""


class StreamError(AuraError):
    """The engine was called in a wrong order, or its window is contradictory.

    This is a bug in the caller.
    """


def one_line(error: BaseException, limit: int = 0) -> str:
    """The text of an error without line breaks, with the name of its type where the text says
    nothing: it is empty, or the key of a `KeyError`.

    `limit`: most characters; 0: all.
    """
    text = " ".join(str(error).split())
    if isinstance(error, KeyError) or not text:
        text = ": ".join(filter(None, (type(error).__name__, text)))
    return text[:limit] if limit else text


def shown(value: Any) -> str:
    """`repr(value)`, shortened where it is long: lists, texts and numbers may be of any size."""
    return _SHORT.repr(value)


class _Short(reprlib.Repr):
    def __init__(self) -> None:
        super().__init__()
        self.maxlevel, self.maxstring, self.maxother = 3, 80, 80

    def repr_int(self, x: int, level: int) -> str:
        """Python writes out no number of more than 4,300 digits."""
        return repr(x) if x.bit_length() < 128 else f"a number of {x.bit_length()} bits"


_SHORT = _Short()


def _clear(text: str) -> str:
    if not text.isprintable():
        text = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    if len(text) > LONGEST:
        text = f"{text[: LONGEST - 205]} ... {text[-200:]}"
    return text
