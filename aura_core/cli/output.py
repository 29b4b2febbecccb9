"""Files that a command writes at its end: checked before it begins, because hours of play may lie
between."""

from __future__ import annotations

from pathlib import Path

from aura_core.errors import InputError


def check(option: str, path: Path | None) -> None:
    """Make the file's folder and try whether the file can be written; it is left as it was. Raises
    `InputError`."""
    if path is None:
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = not path.exists()
        path.open("a").close()
        if fresh:
            path.unlink()
    except OSError as e:
        raise InputError(
            f"{option} {path}: cannot write the file: {e.strerror}; name another one"
        ) from e


def write(path: Path, text: str) -> None:
    """Write UTF-8 text. Raises `InputError`."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as e:
        raise InputError(f"{path}: cannot write the file: {e.strerror}") from e
