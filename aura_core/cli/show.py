"""The output of a run: a line per second for people, a JSON line per step, and a summary."""

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
from aura_core.lines import say
from aura_core.types import Response, Step


class Show:
    """Prints steps and counts them.

    Use it as `with showing(...) as show: show.step(step)`.
    """

    def __init__(self, console: Console, lines: TextIO | None, quiet: bool) -> None:
        self.console, self.lines, self.quiet = console, lines, quiet
        self.questions = self.spoken = 0
        self.step_ms: list[float] = []

    def note(self, text: str) -> None:
        """Print a line about the run itself."""
        if not self.quiet:
            self.console.print(Text(text, style="dim"), soft_wrap=True)

    def warn(self, text: str) -> None:
        """Print a line on stderr, also when quiet."""
        say(f"warning: {' '.join(text.split())}", sys.stderr)

    def warn_of(self, text: str) -> None:
        """The same with its remedy on the command line; nothing where there is nothing to say."""
        if text:
            self.warn(f"{text} with --model")

    def step(self, step: Step) -> None:
        """Print one step, and write its JSON line."""
        self.step_ms.append(step.step_ms)
        self.spoken += step.response is not None
        self.questions += step.question is not None
        if self.lines is not None:
            self.lines.write(json.dumps(step.as_json(), ensure_ascii=False) + "\n")
            self.lines.flush()  # a run that is interrupted keeps its steps
        if not self.quiet:
            self.console.print(step_text(step), soft_wrap=True)

    def told(self, response: Response) -> None:
        """Print the words that came after a step, for a task that was handed over."""
        self.spoken += 1
        if not self.quiet:
            self.console.print(Text(f"        {one_line(response.text)}", "bold green"))

    def summary(self) -> str:
        """Numbers of steps and spoken steps, and the step time, in one line."""
        times = sorted(self.step_ms)
        if not times:
            return "0 steps"
        median, p95 = times[len(times) // 2], times[min(len(times) - 1, int(len(times) * 0.95))]
        spoken = f"{self.spoken} spoken, {len(times) - self.spoken} silent"
        return f"{len(times)} steps, {spoken}; step median {median:.1f} ms, p95 {p95:.1f} ms"


def step_text(step: Step) -> Text:
    """The line of one step: silent with its probability, or the words.

    A question is a line above it.
    """
    line = Text()
    clock = f"{step.chunk:4d} s  "
    if step.question is not None:
        line.append(f"{clock}? {one_line(step.question)}\n", style="cyan")
    line.append(clock)
    if step.call is not None:
        return line.append(one_line(f"calls {json.dumps(step.call.as_json())}"), style="magenta")
    if step.delegate is not None:
        line.append(f"hands over: {one_line(step.delegate.task)}", style="magenta")
        if step.response is None:
            return line
        line.append(f"\n{clock}")
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
    """Open the console and the file of JSON lines.

    With `out` "-", JSON lines go to stdout and text for people to stderr.
    """
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
    """`text` without line breaks and without control characters, which a terminal would obey."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())
