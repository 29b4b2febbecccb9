"""`aura data`: from raw video to training samples, in five stages."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aura_core.cli import data_exchange, options, output
from aura_core.data.settings import DataConfig, MLLMConfig, StructureConfig
from aura_core.errors import ConfigError, InputError

if TYPE_CHECKING:
    from rich.console import Console

    from aura_core.data.engine import Report
    from aura_core.data.worker import Job

SHOWN = 3  # reasons in the error of a stage that leaves nothing: one may only follow from another

app = typer.Typer(help="From raw video to training samples.", no_args_is_help=True)

In = Annotated[
    Path | None,
    typer.Option("--in", help="prepare: videos and bags, a file or a folder; else: a run folder"),
]
Out = Annotated[
    Path, typer.Option("--out", help="run folder; a run that was ended goes on where it was")
]
Origin = Annotated[
    str,
    typer.Option("--source", help="files (an MLLM writes the questions), or sim (the simulator)"),
]
Seeds = Annotated[
    str,
    typer.Option(
        help="FIRST:END for --source sim, END excluded; below 500000 (those are for tests)"
    ),
]
Seconds = Annotated[int, typer.Option(min=4, help="length of each simulated clip")]
Settings = Annotated[
    Path | None, typer.Option("--config", help="YAML with the stages' settings (docs/data.md)")
]
Url = Annotated[
    str | None,
    typer.Option("--mllm", help="base of an OpenAI-compatible API, such as http://host:8000/v1"),
]
MllmName = Annotated[
    str | None, typer.Option("--mllm-model", help="the name under which the MLLM is served")
]
TokenEnv = Annotated[
    str | None, options.option(MLLMConfig, "api_key_env", "--token-env", over=options.FILE)
]
Prompts = Annotated[
    Path | None, typer.Option(help="folder with prompts that replace the package's")
]
Checkpoint = Annotated[str | None, options.option(StructureConfig, "checkpoint", over=options.FILE)]
Engine = Annotated[str, typer.Option(help="local, or ray: Ray Data")]
RayAddress = Annotated[str | None, typer.Option(help="of a Ray cluster; none: one is started here")]
Processes = Annotated[int, typer.Option(min=1, help="shards at once (shard_size sources each)")]
Requests = Annotated[
    int,
    typer.Option(min=1, help="items that wait for the MLLM at once, in the shard of each process"),
]
Retry = Annotated[
    bool,
    typer.Option(
        "--retry-failed", help="make shards again in which the MLLM's server gave up or refused"
    ),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="no progress bar, no table")]


@app.callback()
def _stages() -> None:
    """From raw video to training samples.

    The stages are prepare, synthesize, refine, structure and verify; `all` runs all of them.
    """


@dataclass(frozen=True)
class How:
    """Options that change how a run is done, but not what it writes."""

    engine: str
    ray_address: str | None
    processes: int
    requests: int = 1
    retry_failed: bool = False
    quiet: bool = False


@app.command()
def prepare(
    out: Out,
    source_in: In = None,
    source: Origin = "files",
    seeds: Seeds = "1000:1016",
    seconds: Seconds = 90,
    config: Settings = None,
    engine: Engine = "local",
    ray_address: RayAddress = None,
    processes: Processes = 1,
    quiet: Quiet = False,
) -> None:
    """Stage 1: cut any video or bag into clips of two frames a second, in H.264."""
    settings = _settings(config)
    _sources(out, source_in, source, seeds, seconds, settings)
    _run(
        ["prepare"],
        out,
        out,
        settings,
        source,
        None,
        How(engine, ray_address, processes, quiet=quiet),
    )


def _later(stage: str, about: str) -> None:
    def command(
        out: Out,
        source_in: In = None,
        source: Origin = "files",
        config: Settings = None,
        mllm: Url = None,
        mllm_model: MllmName = None,
        token_env: TokenEnv = None,
        prompts: Prompts = None,
        engine: Engine = "local",
        ray_address: RayAddress = None,
        processes: Processes = 1,
        requests: Requests = 4,
        retry_failed: Retry = False,
        quiet: Quiet = False,
    ) -> None:
        settings = _settings(config, mllm, mllm_model, token_env)
        how = How(engine, ray_address, processes, requests, retry_failed, quiet)
        _run([stage], source_in or out, out, settings, source, prompts, how)

    command.__doc__ = about
    app.command(stage)(command)


_later("synthesize", "Stage 2: scenes and timestamped questions; each stamp is verified twice.")
_later("refine", "Stage 3: questions of other difficulties, and paraphrases.")


@app.command()
def structure(
    out: Out,
    source_in: In = None,
    source: Origin = "files",
    config: Settings = None,
    checkpoint: Checkpoint = None,
    engine: Engine = "local",
    ray_address: RayAddress = None,
    processes: Processes = 1,
    quiet: Quiet = False,
) -> None:
    """Stage 4: one sample for each answer, made with the engine's window and prompt code."""
    settings = _settings(config, checkpoint=checkpoint)
    how = How(engine, ray_address, processes, quiet=quiet)
    _run(["structure"], source_in or out, out, settings, source, None, how)


_later("verify", "Stage 5: drop answers that window and prefix do not support.")


@app.command("all")
def all_stages(
    out: Out,
    source_in: In = None,
    source: Origin = "files",
    seeds: Seeds = "1000:1016",
    seconds: Seconds = 90,
    config: Settings = None,
    mllm: Url = None,
    mllm_model: MllmName = None,
    token_env: TokenEnv = None,
    prompts: Prompts = None,
    checkpoint: Checkpoint = None,
    engine: Engine = "local",
    ray_address: RayAddress = None,
    processes: Processes = 1,
    requests: Requests = 4,
    retry_failed: Retry = False,
    quiet: Quiet = False,
) -> None:
    """All five stages."""
    from aura_core.data import STAGES

    settings = _settings(config, mllm, mllm_model, token_env, checkpoint)
    if source == "files":
        _check_before_spending(settings, prompts)
    _sources(out, source_in, source, seeds, seconds, settings)
    how = How(engine, ray_address, processes, requests, retry_failed, quiet)
    _run(list(STAGES), out, out, settings, source, prompts, how)


@app.command()
def report(
    out: Out,
    json_out: Annotated[Path | None, typer.Option("--json", help="write it here too")] = None,
) -> None:
    """Print what every stage of a run made, left out and cost."""
    import json

    from aura_core.data import report as reports

    output.check("--json", json_out)
    data = reports.save(out)
    _show(data)
    if json_out is not None:
        output.write(json_out, json.dumps(data, indent=2) + "\n")


def _settings(
    config: Path | None,
    url: str | None = None,
    model: str | None = None,
    token_env: str | None = None,
    checkpoint: str | None = None,
) -> DataConfig:
    """The settings of the file, changed by what the command line says."""
    settings = DataConfig.from_yaml(config) if config else DataConfig()
    given = {"url": url, "model": model, "api_key_env": token_env}
    server = replace(settings.server, **{k: v for k, v in given.items() if v is not None})
    chosen = (
        settings.structure
        if checkpoint is None
        else replace(settings.structure, checkpoint=checkpoint)
    )
    return replace(settings, server=server, structure=chosen)


def _check_before_spending(settings: DataConfig, prompts: Path | None) -> None:
    """Check what a later stage needs, before the first request is paid for."""
    from aura_core.data.mllm import MLLM
    from aura_core.data.prompts import Prompts as Texts
    from aura_core.data.structure import open_codec
    from aura_core.data.worker import NO_CHECKPOINT

    MLLM(settings.server, Texts.load(prompts))
    if not settings.structure.checkpoint:
        raise ConfigError(NO_CHECKPOINT)
    open_codec(settings.structure.checkpoint)


def _sources(
    out: Path, place: Path | None, source: str, seeds: str, seconds: int, settings: DataConfig
) -> None:
    """Write the list of what is to be prepared."""
    from aura_core.data.engine import write_sources
    from aura_core.data.oracle import seed_of
    from aura_core.data.prepare import find_sources, sim_sources

    if source == "files":
        if place is None:
            raise InputError("--in is missing: a video, a bag, or a folder with such")
        write_sources(out, find_sources(place), settings)
        return
    if source != "sim":
        raise ConfigError(f"--source must be files or sim, not '{source}'")
    if seconds > settings.prepare.max_seconds:
        raise ConfigError(
            f"--seconds {seconds} is above prepare.max_seconds, {settings.prepare.max_seconds}"
        )
    chosen = options.seeds(seeds)
    seed_of(f"{source}:{chosen[-1]}")
    write_sources(out, sim_sources(chosen, seconds, source), settings)


def _run(
    stages: list[str],
    start: Path,
    out: Path,
    settings: DataConfig,
    source: str,
    prompts: Path | None,
    how: How,
) -> None:
    from rich.console import Console

    from aura_core.data import report as reports
    from aura_core.data.worker import Job

    author = "mllm" if source == "files" else "oracle"
    for stage in stages:
        job = Job(
            stage, start, out, settings, author, prompts, how.requests if author == "mllm" else 1
        )
        told = _run_stage(job, how, Console(stderr=True))
        if not told.records:
            break
    data = reports.save(out)
    if not how.quiet:
        _show(data)
    if not told.records:
        often = sorted(told.reasons.items(), key=lambda one: -one[1])[:SHOWN]
        reasons = ", ".join(f"{reason} ({n})" for reason, n in often)
        why = f", most often because: {reasons}" if often else ""
        raise InputError(f"{told.stage}: nothing is left of {told.items} items{why}")


def _run_stage(job: Job, how: How, console: Console) -> Report:
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    from aura_core.data.engine import run

    columns = (
        TextColumn("{task.description:>10}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, disable=how.quiet) as progress:
        bar = progress.add_task(job.stage)

        def tell(worked: int, items: int) -> None:
            progress.update(bar, completed=worked, total=items)

        told = run(job, how.engine, how.processes, how.retry_failed, tell, how.ray_address)
    for note in told.notes:
        console.print(f"note: {note}", soft_wrap=True, highlight=False)
    return told


def _show(data: dict[str, object]) -> None:
    from rich.console import Console

    from aura_core.data import report as reports

    for table in reports.tables(data):
        Console().print(table)


data_exchange.add(app)
