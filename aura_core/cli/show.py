"""What a run looks like: a line a second for people, a JSON line a step for machines, a summary."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from rich.console import Console
from rich.text import Text

from aura_core.cli import output
from aura_core.types import Step


class Show:
    """Prints steps and counts them. Use as `with showing(...) as show: show.step(step)`."""

    def __init__(self, console: Console, lines: TextIO | None, quiet: bool) -> None:
        self.console, self.lines, self.quiet = console, lines, quiet
        self.questions = self.spoken = 0
        self.step_ms: list[float] = []

    def note(self, text: str) -> None:
        """A line about the run itself."""
        if not self.quiet:
            self.console.print(Text(text, style="dim"), soft_wrap=True)

    def warn(self, text: str) -> None:
        """A line on stderr, quiet or not."""
        print(f"warning: {' '.join(text.split())}", file=sys.stderr)

    def step(self, step: Step) -> None:
        """One second."""
        self.step_ms.append(step.step_ms)
        self.spoken += step.response is not None
        self.questions += step.question is not None
        if self.lines is not None:
            self.lines.write(json.dumps(step.as_json(), ensure_ascii=False) + "\n")
            self.lines.flush()  # a run that is cut off keeps its steps
        if not self.quiet:
            self.console.print(step_text(step), soft_wrap=True)

    def summary(self) -> str:
        """Steps, spoken steps, and the step time, in one line."""
        times = sorted(self.step_ms)
        if not times:
            return "0 steps"
        median, p95 = times[len(times) // 2], times[min(len(times) - 1, int(len(times) * 0.95))]
        spoken = f"{self.spoken} spoken, {len(times) - self.spoken} silent"
        return f"{len(times)} steps, {spoken}; step median {median:.1f} ms, p95 {p95:.1f} ms"


def step_text(step: Step) -> Text:
    """The line of one second: silent with its probability, or the words; the question above it."""
    line = Text()
    clock = f"{step.chunk:4d} s  "
    if step.question is not None:
        line.append(f"{clock}? {one_line(step.question)}\n", style="cyan")
    line.append(clock)
    if step.response is None:
        held = f" ({step.decision.reason})" if step.decision.reason else ""
        return line.append(f"silent p={step.decision.p_silent:.3f}{held}", style="dim")
    r = step.response
    line.append(
        one_line(r.text), style="bold green" if str(r.kind) == "real-time" else "bold yellow"
    )
    return line.append(f"  [{r.kind}{', acknowledgment' if r.acknowledgment else ''}]", style="dim")


@contextmanager
def showing(out: str | None, quiet: bool) -> Iterator[Show]:
    """Open the JSON lines file and the console. With `--out -` people read stderr."""
    if out == "-":
        yield Show(Console(stderr=True, highlight=False), sys.stdout, quiet)
        return
    console = Console(highlight=False)
    if out is None:
        yield Show(console, None, quiet)
        return
    with output.opened("--out", Path(out)) as lines:
        yield Show(console, lines, quiet)


def one_line(text: str) -> str:
    """Text without line breaks and without control characters that a terminal would obey."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())
