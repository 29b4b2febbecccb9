"""The errors of this package, by who can fix them.

Each message is one line: what, where, what to do.
"""

from __future__ import annotations


class AuraError(Exception):
    """Base of every error that this package raises on purpose."""


class ConfigError(AuraError):
    """A configuration file or a parameter is wrong."""


class ModelError(AuraError):
    """A model cannot be used: its checkpoint is missing or not supported, or its server fails."""


class InputError(AuraError):
    """A frame, question, video or bag cannot be used."""


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
