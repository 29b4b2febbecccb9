"""`make demo ARGS="--memory"`: an hour in the room as fast as it can be played, asked about at its
end.

No ROS process takes part: the hour is played in lockstep, so that it takes a minute. The engine,
the notes, their file and the search are those of the node.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.table import Table

from aura_core.cli import output
from aura_core.config import AssistantConfig, ModelConfig
from aura_core.errors import InputError
from aura_core.evaluation.memory_days import draw, play_day, remove
from aura_core.evaluation.memory_questions import DayQuestion, closing
from aura_core.evaluation.memory_run import Answered
from aura_core.memory.notes import Note, NoteKind
from aura_core.memory.times import local
from aura_core.models import load
from aura_core.sim.day import HOUR_S, Day

SHORTEST_S = 900
QUESTIONS = 7


def run(options: argparse.Namespace, console: Console) -> int:
    """Play the hour, ask, and draw its picture. Returns the exit code: 0 when every question was
    answered."""
    seconds = options.seconds or HOUR_S
    if seconds < SHORTEST_S:
        raise InputError(f"the demo of memory needs at least {SHORTEST_S} seconds, not {seconds}")
    output.check("--json", options.json)
    picture = options.png or Path("out/memory.png")
    output.check("--png", picture)
    notes = picture.with_suffix(".db")
    remove(notes)
    day = Day.generate(options.seed, seconds / HOUR_S, options.camera)
    plan = closing(day, options.seed, QUESTIONS)
    config = AssistantConfig(model=ModelConfig(path=options.model))
    backend = load(config.model)
    if not backend.chat.memory.uses:
        raise InputError(
            f"{options.model} was not trained to write notes or to answer from them"
            " (docs/training.md); leave --model out, or name a checkpoint that was"
        )
    console.print(
        f"seed {options.seed}: {seconds / 60:.0f} minutes of a room from {day.begins:%H:%M} on,"
        f" {len(day.world.events)} events; {options.model} watches in lockstep",
        highlight=False,
    )
    started = time.perf_counter()
    played, _ = play_day(
        day,
        plan,
        backend,
        config,
        notes,
        (),
        on_second=_clock(console, day),
        complain=lambda line: console.print(f"[red]{line}[/]"),
        tell=lambda note: _tell(console, day, note),
    )
    took_s = time.perf_counter() - started
    console.print(_table(day, played.answered))
    draw(picture, notes, played, f"An hour in a simulated room, seed {options.seed}")
    right = sum(a.right() for a in played.answered)
    console.print(
        f"{right}/{len(plan)} right; {seconds} seconds in {took_s:.0f} s; picture: {picture},"
        f" notes: {notes} (aura memory list --file {notes})",
        highlight=False,
    )
    if options.json is not None:
        document = {
            "seed": options.seed,
            "seconds": seconds,
            "wall_s": round(took_s, 1),
            "questions": [a.as_json() for a in played.answered],
        }
        output.write(options.json, json.dumps(document, indent=2, ensure_ascii=False) + "\n")
    if not options.headless and os.environ.get("DISPLAY"):
        silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        subprocess.Popen(["xdg-open", str(picture)], **silent)
    return 0 if _complete(plan, played.answered) else 1


def _complete(plan: list[DayQuestion], answered: list[Answered]) -> bool:
    return len(answered) == len(plan) and all(a.said["memory"] for a in answered)


def _clock(console: Console, day: Day) -> Callable[[int], None]:
    """Says how far the day is, every ten minutes."""

    def told(second: int) -> None:
        if second and second % 600 == 0:
            console.print(f"[dim]{local(_wall_ns(day, second), day.begins.tzinfo):%H:%M}[/]")

    return told


def _wall_ns(day: Day, second: int) -> int:
    return day.begins_wall_ns + second * 1_000_000_000


def _tell(console: Console, day: Day, note: Note) -> None:
    """Print a note as it is taken."""
    clock = f"{local(note.wall_ns, day.begins.tzinfo):%H:%M:%S}"
    if note.kind is NoteKind.QUESTION:
        console.print(f"{clock}  [yellow]{note.question}[/]  [bold]{note.text}[/]", highlight=False)
    elif note.kind is NoteKind.SEEN:
        console.print(f"{clock}  [cyan]noted[/]: {note.text}", highlight=False)


def _table(day: Day, answered: list[Answered]) -> Table:
    """What was asked and answered, the truth, and the notes that were put before the question."""
    table = Table("asked", "question", "answer", "true", "from memory")
    for a in answered:
        clock = f"{local(_wall_ns(day, a.asked.chunk), day.begins.tzinfo):%H:%M:%S}"
        mark = "green" if a.right() else "red"
        lines = a.text.strip().splitlines()
        told = "\n".join(lines[:1] + lines[1:][-3:]) if lines else "memory was not asked"
        table.add_row(
            clock,
            a.asked.asked.text,
            f"[{mark}]{a.said['memory'] or '-'}[/]",
            a.asked.asked.answer,
            told,
        )
    return table
