"""`aura train`: train the embedded model, fine-tune a checkpoint, and compare losses."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from aura_core.cli import options, output, preference
from aura_core.training.finetune.settings import DataSettings, TuneRecipe
from aura_core.training.tiny.settings import Budget, Recipe

app = typer.Typer(help="Train the embedded model, or fine-tune a checkpoint.", no_args_is_help=True)


@app.callback()
def _recipes() -> None:
    """Train the embedded model, or fine-tune a checkpoint."""


@app.command()
@options.takes(Recipe)
def tiny(
    out: Annotated[Path, typer.Option(help="folder for the checkpoint")] = Path("runs/aura_tiny"),
    work: Annotated[
        Path, typer.Option(help="folder for stages, features and logs; continued if it exists")
    ] = Path("runs/work"),
    quick: Annotated[
        bool, typer.Option("--quick", help="a minute in all: whether everything runs, no more")
    ] = False,
    *,
    settings: Recipe,
) -> None:
    """Train `aura_tiny` from nothing by the documented recipe, on a GPU or on CPU cores."""
    from aura_core.training.tiny.recipe import run

    if quick:
        settings = replace(
            settings, vision_min=0.5, language_min=0.5, worlds=8, tokens=1024, chunks=16
        )
    with output.stage_bars(work / "train.log") as told:
        run(work, out, settings, told)


@app.command()
def model(
    out: Annotated[Path, typer.Option(help="folder for the log, the checkpoints and the result")],
    recipe: Annotated[
        str | None,
        typer.Option(
            help="YAML file, or the name of a packaged recipe (docs/finetune.md); without it, the"
            " defaults with --model and --data"
        ),
    ] = None,
    model: Annotated[
        str | None, options.option(TuneRecipe, "model", "--model", over="the recipe's")
    ] = None,
    data: Annotated[str | None, options.option(DataSettings, "train", over="the recipe's")] = None,
    held_out: Annotated[
        str | None,
        options.option(DataSettings, "eval", "--eval", over="the recipe's"),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="go on from the newest checkpoint in --out")
    ] = False,
    loss: Annotated[str | None, options.option(TuneRecipe, "loss", over="the recipe's")] = None,
    device: Annotated[
        str, typer.Option(help="auto or cpu; CUDA_VISIBLE_DEVICES names a GPU")
    ] = "auto",
    tensorboard: Annotated[
        bool, typer.Option("--tensorboard", help="also write OUT/tensorboard")
    ] = False,
) -> None:
    """Fine-tune a checkpoint by a recipe.

    With several GPUs: `accelerate launch -m aura_core.cli train model ...` (docs/several_gpus.md)
    """
    named = {"train": data, "eval": held_out}
    given = {k: v for k, v in {"model": model, "loss": loss}.items() if v is not None}
    given["data"] = {k: v for k, v in named.items() if v is not None}
    settings = TuneRecipe.read(recipe, given)
    from aura_core.data.reviews import told as left_out
    from aura_core.training.finetune.reports import Board
    from aura_core.training.finetune.trainer import Trainer

    trainer = Trainer(settings, out, resume, device)
    if not trainer.main:
        trainer.run()
        return
    print(trainer.need.told(settings.keep), flush=True)
    for name, rejected in trainer.rejected.items():
        if rejected:
            print(f"{name}: {left_out(rejected)}", flush=True)
    board = Board(out / "tensorboard", trainer.done) if tensorboard else None
    with output.step_bar(trainer.done, trainer.schedule.steps or 0) as bar:
        done = trainer.run(*([bar] if board is None else [bar, board]))
    if done.loss is None:
        print(
            f"{done.model}: the run was at its last step, {done.steps}; its result is written again"
        )
    else:
        print(
            f"{done.model}: {done.steps} steps, {done.tokens} tokens in {done.wall_s:.0f} s, loss"
            f" {done.loss:.4f}, peak {done.peak / 1e9:.3f} GB"
        )


@app.command()
def merge(
    model: Annotated[str, typer.Option(help="checkpoint that the adapter was trained on")],
    adapter: Annotated[Path, typer.Option(help="folder of the adapter")],
    out: Annotated[Path, typer.Option(help="folder for the checkpoint")],
    dtype: Annotated[str, typer.Option(help="float32, bfloat16 or float16")] = "bfloat16",
) -> None:
    """Merge a LoRA adapter into the weights of its checkpoint, and write the result."""
    import torch

    from aura_core.config import ModelConfig
    from aura_core.errors import ConfigError
    from aura_core.training.finetune.saving import merge as write

    if dtype not in ("float32", "bfloat16", "float16"):
        raise ConfigError(f"--dtype must be float32, bfloat16 or float16, not '{dtype}'")
    write(ModelConfig(model, "float32", "cpu", "sdpa"), adapter, out, getattr(torch, dtype))
    print(out)


@app.command()
def average(
    models: Annotated[list[Path], typer.Argument(help="checkpoint folders of one shape")],
    out: Annotated[Path, typer.Option(help="folder for the checkpoint")],
) -> None:
    """Write the mean of the weights of several checkpoints."""
    from aura_core.training.averaging import average as write

    write(models, out)
    print(out)


@app.command()
def ablation(
    what: Annotated[str, typer.Option(help="loss, last-only or window")],
    model: Annotated[str, typer.Option(help="checkpoint whose vision tower sees")] = "aura_tiny",
    work: Annotated[Path, typer.Option(help="folder for features and finished arms")] = Path(
        "runs/ablation"
    ),
    steps: Annotated[int, options.option(Budget, "steps")] = Budget.steps,
    worlds: Annotated[int, options.option(Budget, "worlds")] = Budget.worlds,
    episodes: Annotated[int, options.option(Budget, "episodes")] = Budget.episodes,
    warm: Annotated[
        bool, typer.Option("--warm", help="start from the checkpoint's language model")
    ] = False,
) -> None:
    """Train twice with one difference and the same budget, and print both results as JSON."""
    from aura_core.training.tiny.ablation import ablate

    budget = Budget(steps=steps, worlds=worlds, episodes=episodes, fresh=not warm)
    print(json.dumps(ablate(what, model, work, budget), indent=1))


app.command()(preference.preference)
