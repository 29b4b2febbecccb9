"""What can go wrong, by who can mend it. Each message is one line: what, where, what to do."""

from __future__ import annotations


class AuraError(Exception):
    """Base of every error that this package raises on purpose."""


class ConfigError(AuraError):
    """A configuration file or parameter is wrong: mend the YAML."""


class ModelError(AuraError):
    """A checkpoint is missing, incomplete or of a kind that no backend reads: mend the path."""


class InputError(AuraError):
    """A frame, question, video or bag cannot be used: mend the input."""


class StreamError(AuraError):
    """The engine was called out of order, or its window is contradictory: a bug in the caller."""


def how_to_install(extra: str) -> str:
    """What to do where a package of an extra is missing (there is no distribution of this package
    on an index)."""
    return f"pip install '.[{extra}]' in the folder of aura_ros"
