"""Lines on the standard outputs, each written in one piece.

`print` writes a text and its end one after the other where nothing is buffered (`python -u`,
PYTHONUNBUFFERED, as in most containers): lines of two threads, and of stdout and stderr on one
terminal, then run together.
"""

from __future__ import annotations

import sys
from typing import TextIO


def say(line: str, stream: TextIO | None = None) -> None:
    """Write a line, at once. `stream`: None for stdout."""
    stream = sys.stdout if stream is None else stream
    stream.write(f"{line}\n")
    stream.flush()
