"""Files that a command writes at its end. They are checked before a long run begins."""

from __future__ import annotations

from pathlib import Path
from typing import TextIO

from aura_core.errors import InputError


def check(option: str, path: Path | None) -> None:
    """Make the file's folder, and check that the file can be written. The file is left as it was.

    `option` is named in the message. Raises `InputError`.
    """
    if path is None:
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = not path.exists()
        path.open("a").close()
        if fresh:
            path.unlink()
    except OSError as e:
        raise _refused(f"{option} {path}", e) from e


def opened(option: str, path: Path) -> TextIO:
    """The file, emptied, for UTF-8 lines that are written one by one. Raises `InputError`."""
    try:
        return path.open("w", encoding="utf-8")
    except OSError as e:
        raise _refused(f"{option} {path}", e) from e


def write(path: Path, text: str) -> None:
    """Write UTF-8 text. Raises `InputError`."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as e:
        raise _refused(str(path), e) from e


def _refused(what: str, error: OSError) -> InputError:
    return InputError(f"{what}: cannot write the file: {error.strerror}; name another one")
