"""`aura eval paired`: several models on the same episodes, and their differences from the first."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Annotated

import typer

from aura_core.cli import options, output
from aura_core.errors import InputError

if TYPE_CHECKING:
    from aura_core.evaluation.paired import Compared


def paired(
    models: Annotated[
        list[str], typer.Argument(help="Checkpoints; each is compared with the first one.")
    ],
    seeds: options.EpisodeSeeds = options.EPISODE_SEEDS,
    json_out: options.Json = None,
    config: options.Config = None,
    device: options.Device = None,
    dtype: options.Dtype = None,
    seconds: options.EpisodeSeconds = options.EPISODE_SECONDS,
    camera: options.EpisodeCamera = options.EPISODE_CAMERA,
    watches: Annotated[
        int,
        typer.Option(
            min=0, help="so many watches in each episode and no questions; 0: as eval sim"
        ),
    ] = 0,
) -> None:
    """Compare models on the same episodes: figures, and differences with paired intervals."""
    from rich.console import Console
    from rich.progress import track
    from rich.table import Column, Table

    from aura_core.evaluation.paired import compare, scores
    from aura_core.models import load

    if len(models) < 2:
        raise InputError("aura eval paired: name two models or more")
    options.check_camera(camera)
    output.check("--json", json_out)
    console, chosen = Console(stderr=True), options.seeds(seeds)
    played = []
    for model in models:
        settings = options.assistant_config(config, model, device, dtype)
        backend = load(settings.model, settings.server)
        episodes = track(chosen, model, console=console)
        played.append(scores(backend, episodes, settings, seconds, camera, watches))
    told: dict[str, object] = {}
    for model, after in zip(models[1:], played[1:], strict=True):
        compared = compare(played[0], after)
        table = Table(
            Column("figure", no_wrap=True), models[0], model, "difference", "95% interval", "n"
        )
        for name, c in compared.items():
            table.add_row(
                name,
                f"{c.before.value:.3f}",
                f"{c.after.value:.3f}",
                f"{c.difference.value:+.3f}",
                _interval(c),
                f"{c.before.n:g}",
            )
        Console().print(table)
        told[model] = {name: c.as_json() for name, c in compared.items()}
    print(f"{len(chosen)} episodes of {seconds} s, the same for each model")
    if json_out is not None:
        about = {"first": models[0], "seeds": seeds, "watches": watches, "compared": told}
        output.write(json_out, json.dumps(about, indent=2) + "\n")


def _interval(c: Compared) -> str:
    low, high = c.difference.ci95
    if not math.isnan(low):
        return f"{low:+.3f} .. {high:+.3f}"
    if c.differ:
        return "all episodes differ alike"
    return f"none of {c.episodes} episodes differs (at most {c.may_differ:.0%} do)"
