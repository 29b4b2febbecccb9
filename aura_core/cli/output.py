"""Files that a command writes at its end. They are checked before a long run begins."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
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


@contextmanager
def stage_bars(log: Path) -> Iterator[Callable[[str, float, str], None]]:
    """A progress bar for each stage of a long run. What is yielded takes a stage's name, the share
    of it that is done (0 to 1) and its figures, which are also added to `log`."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    log.parent.mkdir(parents=True, exist_ok=True)
    start = time.monotonic()
    console = Console(soft_wrap=True)
    bars = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:.0f}%"),
        TimeElapsedColumn(),
        console=console,
        disable=not console.is_terminal,
    )
    tasks: dict[str, object] = {}

    def told(stage: str, share: float, line: str) -> None:
        if stage not in tasks:
            tasks[stage] = bars.add_task(stage, total=1.0)
        bars.update(tasks[stage], completed=share)  # type: ignore[arg-type]
        text = f"{(time.monotonic() - start) / 60:.2f} min {stage} {share:.0%} {line}"
        console.print(text, highlight=False, markup=False)
        with log.open("a", encoding="utf-8") as f:
            f.write(text + "\n")

    with bars:
        yield told
