"""`aura data import`, `export`, `stats`, `price` and `review`: samples from and for other programs,
and a look at them."""

from __future__ import annotations

import json
import signal
import threading
import time
import webbrowser
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from aura_core.cli import options, output
from aura_core.console.settings import ConsoleConfig
from aura_core.data.settings import DataConfig
from aura_core.errors import ConfigError, InputError

Source = Annotated[
    str, typer.Argument(help="run folder of `aura data`, folder of a stage, or a pattern of shards")
]
Settings = Annotated[
    Path | None, typer.Option("--config", help="YAML with the stages' settings (docs/data.md)")
]
_EXPORT = "export"  # a format of `import`: what `aura data export` wrote


def add(app: typer.Typer) -> None:
    """Add the commands to `aura data`."""
    app.command("import")(import_)
    for command in (export, stats, price, review):
        app.command()(command)


def import_(
    place: Annotated[Path, typer.Argument(help="a file, or a folder with files")],
    out: Annotated[Path, typer.Option("--out", help="run folder")],
    format: Annotated[
        str,
        typer.Option(
            help="joyai: annotations of JoyAI-VL-Interaction; captions: captions with times (JSON,"
            " SRT, WebVTT); offline: LLaVA's conversations, or messages; export: what `aura data"
            " export` wrote"
        ),
    ],
    media: Annotated[
        Path | None,
        typer.Option(help="folder that pictures and videos are named in; without it, PLACE's"),
    ] = None,
    question: Annotated[
        str | None,
        typer.Option(help="what was asked at the beginning of a clip; see docs/exchange.md"),
    ] = None,
    acknowledgment: Annotated[
        str | None,
        typer.Option(help="said to a question whose answers come later; without it, by language"),
    ] = None,
    at: Annotated[
        str, typer.Option(help="start or end of a caption's stretch: when it is said")
    ] = "end",
    video_chunks: Annotated[
        int, typer.Option(min=1, help="most seconds of a video that an offline sample shows")
    ] = 32,
    config: Settings = None,
    processes: Annotated[int, typer.Option(min=1, help="videos at once")] = 1,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="no progress bar")] = False,
) -> None:
    """Read files of other projects into a run folder; what is left out is listed there."""
    if format == _EXPORT:
        from aura_core.data.exchange.export import restore

        for stage, n in restore(place, out).items():
            print(f"{out / stage}: {output.counted(n, 'sample')}")
        return
    from aura_core.data.exchange.importing import GUESSED, ImportConfig, import_files

    how = ImportConfig(format=format, at=at, video_chunks=video_chunks)
    given = {"question": question, "acknowledgment": acknowledgment}
    how = replace(how, **{k: v for k, v in given.items() if v is not None})
    settings = DataConfig.from_yaml(config) if config else DataConfig()
    with _bar(quiet) as told:
        done = import_files(place, media, out, how, settings, processes, told)
    left = sum(done.left.values())
    what = "offline sample" if format == "offline" else "conversation"
    print(f"{done.folder.path}: {output.counted(done.records, what)}, {left} left out")
    for reason, n in done.left.items():
        print(f"  {n} {reason}")
    if left:
        print(f"  the first: {done.first}\n  all: {done.folder.path}/shard-*.rejected")
    if done.guessed:
        print(f"{sum(done.guessed.values())} guessed, because the files do not say it")
        for reason, n in done.guessed.items():
            print(f"  {n} {reason}")
        print(f"  the first: {done.first_guess}\n  all: {done.folder.path}/{GUESSED}")
    if not done.records:
        raise InputError(f"{done.folder.path}: nothing was imported")
    if format != "offline":
        print(f"next: aura data structure --out {out} --checkpoint NAME")


def export(
    source: Source,
    out: Annotated[Path, typer.Option("--out", help="new folder")],
    to: Annotated[
        str,
        typer.Option(help="parquet (`datasets.load_dataset` opens the folder too), or webdataset"),
    ] = "parquet",
    media: Annotated[
        str, typer.Option(help="copy clips and pictures, or none: samples name them where they are")
    ] = "copy",
) -> None:
    """Write samples for other programs, without those that a review rejected."""
    from aura_core.data.exchange.export import export as write

    done = write(source, out, to, media)
    made = output.counted(done.samples, "sample"), output.counted(done.files, "file")
    print(f"{out}: {', '.join(made)}, {done.bytes / 1e6:.1f} MB of files")


def stats(
    source: Source,
    threshold: Annotated[
        float, typer.Option(min=0.1, max=1.0, help="likeness from which words are nearly the same")
    ] = 0.7,
    drop: Annotated[
        bool,
        typer.Option("--drop", help="reject the duplicates, as `aura data review` does"),
    ] = False,
    json_out: Annotated[Path | None, typer.Option("--json", help="write it here too")] = None,
) -> None:
    """Count samples by kind, language, difficulty, length and answers, and find near-duplicates."""
    from rich.console import Console

    from aura_core.data.duplicates import duplicates
    from aura_core.data.reviews import Decision, decide
    from aura_core.data.samples import lines_of
    from aura_core.data.stats import statistics, tables

    output.check("--json", json_out)
    lines = list(lines_of(source))
    if not lines:
        raise InputError(f"{source}: there is no sample in it that was not rejected")
    found = statistics(lines)
    alike, twins = duplicates(lines, threshold)
    pairs = [[lines[i].sample.id, lines[kept].sample.id] for i, kept in sorted(twins.items())]
    same = {"groups": len(alike), "samples": sum(map(len, alike))}
    for table in tables(found):
        Console().print(table)
    found |= {"nearly the same words": same, "duplicates": pairs}
    print(
        f"nearly the same words: {same['samples']} samples in {same['groups']} groups; duplicates,"
        f" whose newest picture is nearly the same too: {len(pairs)}"
    )
    for one, kept in pairs[:10]:
        print(f"  {one} is like {kept}")
    if json_out is not None:
        output.write(json_out, json.dumps(found, indent=2) + "\n")
    if drop:
        now = time.time()
        folders: dict[Path, list[Decision]] = {}
        for i, kept in twins.items():
            why = f"nearly the same as {lines[kept].sample.id}"
            folders.setdefault(lines[i].shard.path.parent, []).append(
                Decision(lines[i].sample.id, lines[i].sha256, False, "duplicates", why, now)
            )
        for folder, decisions in folders.items():
            decide(folder, decisions)
        are = "sample is" if len(twins) == 1 else "samples are"
        print(f"{len(twins)} {are} rejected; `aura data review` can take that back")


def price(
    out: Annotated[
        Path | None,
        typer.Option("--out", help="run folder: the estimate is kept there, and compared"),
    ] = None,
    source_in: Annotated[
        Path | None, typer.Option("--in", help="videos; without it, the clips of the run folder")
    ] = None,
    config: Settings = None,
    prompts: Annotated[
        Path | None, typer.Option(help="folder with prompts that replace the package's")
    ] = None,
    events: Annotated[
        int, typer.Option(min=1, help="how often the event of a multi-response question happens")
    ] = 4,
    off: Annotated[
        float,
        typer.Option(
            min=0, max=1, help="share of times claimed a second early or late, where many"
        ),
    ] = 0.3,
    like: Annotated[
        Path | None, typer.Option(help="an earlier run, whose mean tokens a request are used")
    ] = None,
    input_price: Annotated[
        float | None, typer.Option(min=0.0, help="price of a million prompt tokens")
    ] = None,
    output_price: Annotated[
        float | None, typer.Option(min=0.0, help="price of a million tokens of replies")
    ] = None,
) -> None:
    """Estimate requests, tokens and money before a run, and compare them with what was spent."""
    from rich.console import Console

    from aura_core.data import pricing
    from aura_core.data.prepare import find_sources
    from aura_core.data.prompts import Prompts
    from aura_core.data.schema import Clip
    from aura_core.data.store import StageFolder

    if (input_price is None) != (output_price is None):
        raise ConfigError("give --input-price and --output-price, or neither")
    if out is None and source_in is None:
        raise InputError("name videos with --in, or a run folder with --out")
    settings = DataConfig.from_yaml(config) if config else DataConfig()
    unknown: list[str] = []
    found = pricing.load(out) if out is not None and source_in is None else None
    if found is None:
        if source_in is not None:
            lengths, unknown = pricing.lengths_of(find_sources(source_in), settings)
        else:
            assert out is not None
            folder = StageFolder(out, "prepare")
            clips = [c for i in range(len(folder.all_done())) for c in folder.read(i, Clip)]
            lengths = [pricing.Length(c.seconds, c.width, c.height) for c in clips]
        if not lengths:
            why = f", {unknown[0]}" if unknown else ""
            raise InputError(f"{source_in or out}: no video of a known length{why}")
        found = pricing.estimate(lengths, settings, Prompts.load(prompts), events, off)
        if like is not None:
            found = pricing.like(found, like)
        if out is not None:
            pricing.save(out, found)
    prices = None if input_price is None or output_price is None else (input_price, output_price)
    Console().print(pricing.table(found, out, prices))
    for name in unknown[:10]:
        print(f"not counted: {name}")
    if unknown[10:]:
        print(f"not counted: {len(unknown) - 10} more")


def review(
    source: Source,
    host: Annotated[str, options.option(ConsoleConfig, "host", "--host")] = ConsoleConfig.host,
    port: Annotated[int, options.option(ConsoleConfig, "port", "--port")] = ConsoleConfig.port,
    token: Annotated[str, options.option(ConsoleConfig, "token", "--token")] = ConsoleConfig.token,
    browser: Annotated[bool, typer.Option("--browser", help="Open the page in a browser.")] = False,
) -> None:
    """Show samples on a page in the browser, to accept or reject them. It runs until Ctrl-C."""
    from aura_core.data.review.desk import Desk
    from aura_core.data.review.server import ReviewServer

    server = ReviewServer(Desk(source), ConsoleConfig(host=host, port=port, token=token))
    server.start()
    try:
        stopped = threading.Event()
        for number in (signal.SIGINT, signal.SIGTERM):  # before anybody knows that it runs
            signal.signal(number, lambda *_: stopped.set())
        print(f"review: {server.url}", flush=True)
        if browser:
            webbrowser.open(server.url)
        while not stopped.wait(1.0):  # a wait without end would hold signals back on some systems
            pass
    finally:
        server.stop()
    counts = server.desk.counts()
    print(", ".join(f"{n} {state}" for state, n in counts.items()))


@contextmanager
def _bar(quiet: bool) -> Iterator[Callable[[int, int], None]]:
    """A progress bar of the videos that are prepared."""
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), disable=quiet) as progress:
        bar = progress.add_task("prepare", total=None)
        yield lambda done, of: progress.update(bar, completed=done, total=of)
