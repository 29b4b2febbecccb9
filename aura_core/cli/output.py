"""Files that a command writes at its end, and what it shows while it runs.

The files are checked before a long run begins.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

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


@contextmanager
def step_bar(done: int, total: int, every_s: float = 30.0) -> Iterator[Callable[[Any], None]]:
    """A progress bar over the steps of a training run. What is yielded takes the run's log lines.

    Where the output is no terminal, such as a file, there is a line for the first and the last step
    and at most one in `every_s` seconds between them. Figures of an evaluation are always a line.
    """
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(soft_wrap=True)
    bar = Progress(
        TextColumn("{task.completed}/{task.total}"),
        BarColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.description}"),
        console=console,
        disable=not console.is_terminal,
    )
    task = bar.add_task("", total=total, completed=done)
    last = -every_s

    def told(line: dict[str, Any]) -> None:
        nonlocal last
        if "loss" not in line:
            _plain(console, f"step {line['step']}: {_evaluated(line)}")
            return
        words = _figures(line)
        bar.update(task, completed=line["step"], description=words)
        now = time.monotonic()
        due = line["step"] == total or now - last >= every_s
        if not console.is_terminal and due:
            last = now
            _plain(console, f"step {line['step']}/{total}: {words}")

    with bar:
        yield told


def _plain(console: Any, text: str) -> None:
    console.print(text, highlight=False, markup=False)


def _figures(line: dict[str, Any]) -> str:
    """The figures of a step, in a few words."""
    return (
        f"loss {line['loss']:.4f}, lr {line['lr']:.2e}, {line['tokens_per_s']:,.0f} tokens/s,"
        f" epoch {line['epoch']:.2f}, peak {line['peak_gb']:.2f} GB"
    )


def _evaluated(line: dict[str, Any]) -> str:
    """The held-out figures, in a few words."""
    held = line.get("held_out", {})
    parts = [f"loss of {k} {v['value']:.4f}" for k, v in held.get("loss", {}).items()]
    parts += [f"right when {k} {v['value']:.2f}" for k, v in held.get("right", {}).items()]
    return ", ".join(parts) or "evaluated"


def counted(n: int, noun: str) -> str:
    """Return a number with its noun, in the plural but for one.

    >>> counted(1, "conversation"), counted(0, "sample")
    ('1 conversation', '0 samples')
    """
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"
