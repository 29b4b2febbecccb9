"""Options that several subcommands share, and options that are made from settings."""

from __future__ import annotations

import dataclasses
import inspect
import sys
import typing
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from aura_core.config import AssistantConfig, ModelConfig
from aura_core.errors import InputError
from aura_core.lines import say
from aura_core.settings import Settings, find

FILE = "the file's"  # the value in the file of --config


def option(cls: type[Settings], name: str, *flags: str, over: str = "") -> Any:
    """A typer option for the setting `name` of `cls`.

    Its help is the setting's description, unit, limits and choices. `over` names the value that is
    used without the option, such as "the recipe's"; "": the command's own default.
    """
    s = find(cls, name)
    words = s.description
    if s.choices and not all(choice in words for choice in s.choices):
        words += f": {', '.join(s.choices)}"
    if s.null and not over:
        words += f"; without it: {s.null}"
    if s.unit:
        words += f" [{s.unit}]"
    default = getattr(cls, name, None) or s.null
    shown = f"{over}, else {default}" if over and default else over or True
    return typer.Option(*flags, help=words, min=s.low, max=s.high, show_default=shown)


def takes(cls: type[Settings]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Decorator: the command gets one option for each setting of `cls`.

    The values are its argument `settings`.
    """
    kinds = typing.get_type_hints(cls)
    options = [
        inspect.Parameter(
            f.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=f.default,
            annotation=Annotated[kinds[f.name], option(cls, f.name)],
        )
        for f in dataclasses.fields(cls)  # type: ignore[arg-type]
    ]

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        def run(**given: Any) -> None:
            chosen = cls(**{o.name: given.pop(o.name) for o in options})
            command(**given, settings=chosen)

        hints = typing.get_type_hints(command, include_extras=True)
        own = [
            p.replace(kind=inspect.Parameter.KEYWORD_ONLY, annotation=hints[name])
            for name, p in inspect.signature(command).parameters.items()
            if name != "settings"
        ]
        run.__signature__ = inspect.Signature([*own, *options])  # type: ignore[attr-defined]
        run.__annotations__ = {p.name: p.annotation for p in (*own, *options)}
        run.__name__, run.__doc__ = command.__name__, command.__doc__
        return run

    return decorate


def misused(line: str) -> NoReturn:
    """End the command, because its options do not go together: one line, and exit code 2."""
    say(f"error: {line}", sys.stderr)
    raise typer.Exit(2)


def refuse(given: Mapping[str, object], why: str) -> None:
    """End the command where one of these options was given, by names; it would have no effect."""
    named = [name for name, value in given.items() if value not in (None, "", False)]
    if named:
        misused(f"{' and '.join(named)}: {why}")


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
Model = Annotated[str | None, option(ModelConfig, "path", "--model", over=FILE)]
Device = Annotated[str | None, option(ModelConfig, "device", "--device", over=FILE)]
Dtype = Annotated[str | None, option(ModelConfig, "dtype", "--dtype", over=FILE)]
Memory = Annotated[
    Path | None,
    typer.Option(
        "--memory",
        help="Remember in this file, and answer from it (docs/memory.md). Without it, nothing is"
        " remembered, whatever the file of --config says.",
    ),
]
Seconds = Annotated[
    float | None, typer.Option("--seconds", help="Stop this many seconds after the first frame.")
]
Realtime = Annotated[
    bool, typer.Option("--realtime", help="Pace by the wall clock instead of running through.")
]
Json = Annotated[Path | None, typer.Option("--json", help="write the figures here")]
# the episodes of the household benchmark, in each command that plays them
EpisodeSeeds = Annotated[
    str, typer.Option("--seeds", help="FIRST:END, END excluded; tests use seeds from 500000 on")
]
EpisodeSeconds = Annotated[int, typer.Option("--seconds", min=10, help="length of each episode")]
EpisodeCamera = Annotated[
    str,
    typer.Option(
        "--camera", help="drawn: another one in each episode; ideal: every event in phase"
    ),
]
EPISODE_SEEDS, EPISODE_SECONDS, EPISODE_CAMERA = "500000:500100", 60, "drawn"  # their defaults
Quiet = Annotated[
    bool, typer.Option("--quiet", "-q", help="Print only the last line, the summary.")
]


def assistant_config(
    config: Path | None, model: str | None, device: str | None, dtype: str | None
) -> AssistantConfig:
    """The settings of the file (or the defaults), changed by what the command line says."""
    settings = AssistantConfig.from_yaml(config) if config else AssistantConfig()
    given = {"path": model, "device": device, "dtype": dtype}
    return replace(
        settings, model=replace(settings.model, **{k: v for k, v in given.items() if v is not None})
    )


def remembering(settings: AssistantConfig, memory: Path | None) -> AssistantConfig:
    """The settings with the file of --memory."""
    path = "" if memory is None else str(memory)
    return replace(settings, memory=replace(settings.memory, path=path))


def check_camera(name: str) -> None:
    """Raise `ConfigError` unless the simulator has a camera of this name."""
    from aura_core.plain import one_of
    from aura_core.sim.sensor import CAMERAS

    one_of("--camera", name, CAMERAS)


def seeds(text: str) -> list[int]:
    """The seeds of FIRST:END (END excluded) or of one number.

    Raises `InputError` on other texts.
    """
    first, _, end = text.partition(":")
    if not first.isdigit() or (end and not end.isdigit()):
        raise InputError(f"--seeds {text}: expected FIRST:END, as in 500000:500100")
    chosen = list(range(int(first), int(end) if end else int(first) + 1))
    if not chosen:
        raise InputError(f"--seeds {text}: END must be larger than FIRST")
    return chosen
