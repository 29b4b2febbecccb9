"""`python -m aura_ros.voice_bench`, which `aura bench voice` runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from aura_core import __version__
from aura_core.bench.conditions import told
from aura_core.cli import output
from aura_core.cli.with_ros import main_of
from aura_core.errors import InputError
from aura_ros.voice_bench.parts import PARTS, Plan, chosen
from aura_ros.voice_bench.report import failures, measure, table
from aura_ros.voice_bench.subject import asked


def voice(
    asr: Annotated[
        str, typer.Option(help="the recogniser: pocketsphinx, faster_whisper or whisper")
    ] = "pocketsphinx",
    model: Annotated[str, typer.Option(help="whisper's weights: a folder, or a .pt file")] = "",
    only: Annotated[
        list[str] | None,
        typer.Option(metavar="PART", help=f"run this part; repeatable: {', '.join(PARTS)}"),
    ] = None,
    json_out: Annotated[Path | None, typer.Option("--json", help="write the figures here")] = None,
    n: Annotated[
        int, typer.Option(min=1, help="conversations with echo mute and apm, and interruptions")
    ] = 20,
    sentences: Annotated[
        int, typer.Option(min=1, help="sentences that each voice says to the recogniser")
    ] = 40,
    idle_s: Annotated[float, typer.Option(min=1.0, help="length of the idle run")] = 20.0,
    minutes: Annotated[
        float,
        typer.Option(min=0.05, help="length of each long sound; three times that of talk"),
    ] = 10.0,
    busy: Annotated[int, typer.Option(min=0, max=64, help="busy loops beside the measurement")] = 0,
    logs: Annotated[Path, typer.Option(help="folder of the nodes' logs")] = Path("out/voice-logs"),
) -> None:
    """Speech input and output, measured.

    As ROS nodes over virtual devices: round trip, barge-in, self-triggers, idle CPU. Without
    devices: noises, talk, wake phrase, delay, word errors.
    """
    output.check("--json", json_out)
    names = chosen(only or ())
    plan = Plan(asked(asr, model, sentences), n, sentences, idle_s, minutes, busy, logs)
    progress = Console(stderr=True)
    out = measure(plan, names, lambda line: progress.print(line, highlight=False))
    Console().print(table(out["figures"]))
    print(f"aura {__version__}, {asr} {out['model']}; {told(out['before'], out['after'])}")
    room = "in real time" if out["load"]["room_in_real_time"] else "at ordinary priority"
    print(
        f"load: {busy} busy loops beside it; virtual devices run {room}; long sounds of"
        f" {minutes:g} min"
    )
    if json_out is not None:
        output.write(json_out, json.dumps(out, indent=2) + "\n")
    if failed := failures(out):
        raise InputError("; ".join(failed))


if __name__ == "__main__":
    main_of("aura bench voice", voice)
