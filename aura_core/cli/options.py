"""Options that several subcommands share, and the configuration that they make."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from aura_core.config import AssistantConfig
from aura_core.errors import InputError

Ask = Annotated[
    list[str],
    typer.Option("--ask", help="SECONDS:QUESTION, counted from the first frame; repeatable."),
]
Out = Annotated[
    str | None,
    typer.Option("--out", help="Write one JSON line a step to this file ('-': to stdout)."),
]
Config = Annotated[
    Path | None,
    typer.Option("--config", help="YAML settings, or the node's ROS 2 parameter file."),
]
Model = Annotated[
    str | None, typer.Option("--model", help="Checkpoint folder, hub id, aura_tiny or scripted.")
]
Device = Annotated[str | None, typer.Option("--device", help="auto, cpu, cuda, cuda:0 ...")]
Dtype = Annotated[str | None, typer.Option("--dtype", help="auto, float32, bfloat16 or float16.")]
Seconds = Annotated[
    float | None, typer.Option("--seconds", help="Stop this many seconds after the first frame.")
]
Realtime = Annotated[
    bool, typer.Option("--realtime", help="Pace by the wall clock instead of running through.")
]
Quiet = Annotated[
    bool, typer.Option("--quiet", "-q", help="Print only the last line, the summary.")
]


def assistant_config(
    config: Path | None, model: str | None, device: str | None, dtype: str | None
) -> AssistantConfig:
    """The file's settings (or the defaults) with what the command line says on top."""
    settings = AssistantConfig.from_yaml(config) if config else AssistantConfig()
    given = {"path": model, "device": device, "dtype": dtype}
    return replace(
        settings, model=replace(settings.model, **{k: v for k, v in given.items() if v is not None})
    )


def seeds(text: str) -> list[int]:
    """FIRST:END (END excluded) or one seed. Raises `InputError` on anything else."""
    first, _, end = text.partition(":")
    if not first.isdigit() or (end and not end.isdigit()):
        raise InputError(f"--seeds {text}: expected FIRST:END, as in 500000:500100")
    chosen = list(range(int(first), int(end) if end else int(first) + 1))
    if not chosen:
        raise InputError(f"--seeds {text}: END must be larger than FIRST")
    return chosen
