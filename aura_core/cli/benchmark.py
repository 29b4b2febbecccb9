"""`aura eval BENCHMARK` and `aura eval score`: play and score public streaming benchmarks."""

from __future__ import annotations

import json
import math
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from aura_core.cli import options, output
from aura_core.errors import ConfigError, InputError
from aura_core.evaluation.tasks import TASKS, Task

if TYPE_CHECKING:
    from aura_core.evaluation.judge import Judge
    from aura_core.evaluation.predictions import Header
    from aura_core.evaluation.records import Item, Prediction
    from aura_core.evaluation.tasks.base import Broken

INCOMPLETE = 3  # exit code: figures were made, but some items could not be played

Data = Annotated[
    Path, typer.Option("--data", help="Folder with the annotation files and the videos.")
]
Json = Annotated[Path | None, typer.Option("--json", help="Write the figures here.")]
Html = Annotated[
    Path | None, typer.Option("--html", help="Write a report with a timeline of each item here.")
]
Limit = Annotated[int | None, typer.Option("--limit", min=1, help="Only the first N items.")]
Skip = Annotated[
    bool, typer.Option("--skip-broken", help="Leave out and count what cannot be used.")
]
JudgeUrl = Annotated[
    str, typer.Option("--judge-url", help="OpenAI-compatible API of a judge; else rules judge.")
]
JudgeModel = Annotated[
    str, typer.Option("--judge-model", help="Name under which the judge is served.")
]
JudgeKey = Annotated[
    str, typer.Option("--judge-key-env", help="Environment variable with the judge's token.")
]
JudgePrompts = Annotated[
    Path | None, typer.Option("--judge-prompts", help="Folder with prompts of your own.")
]
JudgeConfig = Annotated[
    Path | None,
    typer.Option("--judge-config", help="YAML with the judge's settings (docs/evaluation.md)."),
]


class JudgeOptions(NamedTuple):
    """The options of the command line about the judge."""

    url: str
    model: str
    key_env: str
    prompts: Path | None
    config: Path | None

    def open(self, kept: Path) -> Judge:
        """The judge: an LLM where there is an address, else rules.

        `kept` is the file that keeps its verdicts.
        """
        from aura_core.config import ChatConfig
        from aura_core.evaluation.judge import PROMPTS, ApiJudge, RuleJudge

        config = ChatConfig.from_yaml(self.config) if self.config else ChatConfig()
        given = {"url": self.url, "model": self.model, "api_key_env": self.key_env}
        try:
            config = replace(config, **{k: v for k, v in given.items() if v})
        except ConfigError as e:
            raise InputError(f"--judge-url {self.url}: {e}") from e
        if not config.url:
            return RuleJudge()
        return ApiJudge(config, kept, self.prompts or PROMPTS)


def register(app: typer.Typer) -> None:
    """Add one command per benchmark, `score` and `count`."""
    for task in TASKS.values():
        app.command(
            task.name, help=f"{task.title}: play its videos, record what is said, and score it."
        )(_command(task))
    app.command("score")(score)
    app.command("count")(count)


def _command(task: Task) -> object:
    def evaluate(
        data: Data,
        out: Annotated[
            Path,
            typer.Option("--out", help="Predictions; a run that was cut off goes on from them."),
        ],
        model: options.Model = None,
        config: options.Config = None,
        device: options.Device = None,
        dtype: options.Dtype = None,
        polled: Annotated[
            bool,
            typer.Option(
                "--polled", help="As the authors: silent until a question, which is forced."
            ),
        ] = False,
        history: Annotated[
            bool,
            typer.Option(
                "--history",
                help="With --polled: questions and own answers stay in the conversation.",
            ),
        ] = False,
        memory: Annotated[
            bool,
            typer.Option(
                "--memory",
                help="Take notes while a video plays, and answer from them too (docs/memory.md).",
            ),
        ] = False,
        limit: Limit = None,
        skip_broken: Skip = False,
        html: Html = None,
        json_out: Json = None,
        judge_url: JudgeUrl = "",
        judge_model: JudgeModel = "",
        judge_key_env: JudgeKey = "",
        judge_prompts: JudgePrompts = None,
        judge_config: JudgeConfig = None,
        quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar.")] = False,
    ) -> None:
        from aura_core.evaluation import predictions

        if polled and not task.polled:
            raise InputError(f"--polled: {task.title} is free-running by its authors' own protocol")
        if history and not polled:
            raise InputError("--history belongs to --polled; free-running always keeps its history")
        _check(json_out, html)
        settings = options.assistant_config(config, model, device, dtype)
        own = replace(settings.memory, path=":memory:" if memory else "")
        settings = replace(settings, memory=own)
        judge = JudgeOptions(
            judge_url, judge_model, judge_key_env, judge_prompts, judge_config
        ).open(_kept(out))
        items, broken = _items(task, data, skip_broken, limit)
        header = predictions.Header.of(task.name, settings, polled, history)
        missing = _play(items, data, settings, header, out, quiet)
        known = predictions.read(out)
        # With --limit the file may hold predictions of other items.
        chosen, _ = predictions.select(known.predictions, items, out, skip=True)
        notes = [f"{len(missing)} items could not be played and are not in n"] if missing else []
        if memory:
            notes.append("with memory: notes of each video, recalled where a question needs them")
        _report(task, header, items, chosen, judge, broken, notes, json_out, html)
        if missing:
            raise typer.Exit(INCOMPLETE)

    return evaluate


def score(
    task: Annotated[str, typer.Argument(help=f"One of {', '.join(TASKS)}.")],
    path: Annotated[
        Path,
        typer.Argument(metavar="PREDICTIONS", help="A prediction file, of ours or of the authors."),
    ],
    data: Data,
    published: Annotated[
        str, typer.Option("--published", help="Name of the model, in a file that has several.")
    ] = "",
    limit: Limit = None,
    skip_broken: Skip = False,
    html: Html = None,
    json_out: Json = None,
    judge_url: JudgeUrl = "",
    judge_model: JudgeModel = "",
    judge_key_env: JudgeKey = "",
    judge_prompts: JudgePrompts = None,
    judge_config: JudgeConfig = None,
) -> None:
    """Score predictions without running a model."""
    from aura_core.evaluation import predictions

    if task not in TASKS:
        raise InputError(f"task '{task}': expected one of {', '.join(TASKS)}")
    if not path.exists():
        raise InputError(f"{path}: there is no such file or folder")
    _check(json_out, html)
    benchmark = TASKS[task]
    items, broken = _items(benchmark, data, skip_broken, None)
    if predictions.is_ours(path):
        known = predictions.read(path)
        header, found = known.header, list(known.predictions)
        _warn(known.dropped)
        if header.task != task:
            raise InputError(f"{path}: has predictions of {header.task}, not of {task}")
    else:
        header = predictions.Header(task, published or path.stem, "published", "")
        found = benchmark.published(path, items, published)
    chosen, left_out = predictions.select(found, items, path, skip_broken)
    for line in left_out:
        _warn(line)
    notes = [f"{len(left_out)} predictions are left out"] if left_out else []
    judge = JudgeOptions(judge_url, judge_model, judge_key_env, judge_prompts, judge_config).open(
        _kept(path)
    )
    _report(benchmark, header, items[:limit], chosen, judge, broken, notes, json_out, html)


def count(
    task: Annotated[str, typer.Argument(help=f"One of {', '.join(TASKS)}.")],
    data: Data,
    skip_broken: Skip = False,
    json_out: Json = None,
) -> None:
    """Read the annotation files, and print how many items and questions they have.

    A question is what is asked or polled for by itself; test points are counted as questions.
    """
    if task not in TASKS:
        raise InputError(f"task '{task}': expected one of {', '.join(TASKS)}")
    output.check("--json", json_out)
    items, broken = _items(TASKS[task], data, skip_broken, None)
    questions = sum(len(item.questions) for item in items)
    videos = len({item.videos[0] for item in items})
    print(f"{len(items)} items of {videos} videos, {questions} questions")
    if json_out is not None:
        counts = {"task": task, "items": len(items), "videos": videos, "questions": questions}
        counts["broken"] = len(broken.named)
        output.write(json_out, json.dumps(counts, indent=2) + "\n")


def _check(json_out: Path | None, html: Path | None) -> None:
    output.check("--json", json_out)
    output.check("--html", html)


def _items(
    task: Task, data: Path, skip_broken: bool, limit: int | None
) -> tuple[list[Item], Broken]:
    from aura_core.evaluation.tasks.base import Broken

    if not data.is_dir():
        raise InputError(f"--data {data}: there is no such folder")
    broken = Broken(skip_broken)
    items = task.read(data, broken)
    for line in broken.named:
        _warn(f"left out: {line}")
    if not items:
        raise InputError(f"--data {data}: not one item of {task.title} can be used")
    return items[:limit], broken


def _play(
    items: list[Item], data: Path, settings: object, header: Header, out: Path, quiet: bool
) -> tuple[str, ...]:
    """Play the items that are not in `out` yet. Returns those that could not be played."""
    from rich.console import Console
    from rich.progress import Progress

    from aura_core.config import AssistantConfig
    from aura_core.evaluation import predictions, runner
    from aura_core.models import foreign, load

    assert isinstance(settings, AssistantConfig)
    console = Console(stderr=True)
    with predictions.Writer(out, header) as writer:
        _warn(writer.dropped)
        known = sum(writer.has(item) for item in items)
        if known:
            there = f"{known} items were there already, in {out}"
            console.print(there, soft_wrap=True, highlight=False, markup=False)
        if known == len(items):
            _list_missing(out, ())
            return ()
        backend = load(settings.model, settings.server)
        if warned := foreign(settings.model, str(data), settings.server):
            _warn(f"{warned} with --model")
        console.print(
            f"{backend.description}; {header.mode}; {len(items)} items",
            soft_wrap=True,
            highlight=False,
        )
        with Progress(console=console, disable=quiet) as progress:
            bar = progress.add_task(header.task, total=len(items))
            counts = runner.run(
                items,
                data,
                backend,
                settings,
                writer,
                header.mode.startswith("polled"),
                lambda _: progress.advance(bar),
                header.mode == predictions.WITH_HISTORY,
            )
    listed = _list_missing(out, counts.missing)
    if not writer.done:
        first = counts.missing[0] if counts.missing else "there is none"
        raise InputError(
            f"--data {data}: not one of {len(items)} items could be played; the first: {first}"
        )
    if counts.missing:
        few = counts.missing[0] if len(counts.missing) == 1 else f"they are listed in {listed}"
        _warn(f"not played: {len(counts.missing)} of {len(items)} items: {few}")
    return counts.missing


def _list_missing(out: Path, missing: tuple[str, ...]) -> Path:
    """Write the items that were not played, a line each, beside the predictions.

    The list of an earlier run is removed if nothing is missing any more.
    """
    path = out.with_name(f"{out.name}.missing.txt")
    if missing:
        output.write(path, "".join(f"{' '.join(line.split())}\n" for line in missing))
    else:
        path.unlink(missing_ok=True)
    return path


def _report(
    task: Task,
    header: Header,
    items: list[Item],
    chosen: dict[str, Prediction],
    judge: Judge,
    broken: Broken,
    notes: list[str],
    json_out: Path | None,
    html: Path | None,
) -> None:
    """Score, print the table, and write the files that were asked for."""
    from rich.console import Console
    from rich.table import Table

    from aura_core.evaluation.ends import beyond_end
    from aura_core.evaluation.html import report

    with closing(judge):
        scores = task.score(items, chosen, judge)
        judge.check()
    scores = task.complete(scores, items)
    if not any(m.n for m in scores.figures.values()):
        raise InputError(
            f"{task.title}: there is nothing to score: {len(chosen)} of {len(items)} items have a"
            " prediction, and none of them has a reply to a question that counts"
        )
    if broken.named:
        notes.append(f"{len(broken.named)} broken items are left out")
    beyond = beyond_end(items, chosen, header.mode.startswith("polled"))
    for line in beyond.lines:
        _warn(line)
    if beyond.lines:
        notes.append(beyond.note)
    scores = replace(scores, notes=(*scores.notes, *notes))
    table = Table("figure", "value", "95% interval", "n")
    for name, m in scores.figures.items():
        known = not any(map(math.isnan, m.ci95))
        interval = f"{m.ci95[0]:.3f} .. {m.ci95[1]:.3f}" if known else "unknown"
        table.add_row(name, f"{m.value:.3f}", interval, f"{m.n:g}")
    if beyond.lines:
        table.add_section()
        table.add_row("after a video's end: not right", "", "", f"{beyond.answers}")
    Console().print(table)
    scored = sum(i.id in chosen for i in items)
    subtitle = f"{header.model}, {header.mode}: {scored} of {len(items)} items"
    print(f"{subtitle}; judge: {scores.judge}")
    for note in scores.notes:
        print(f"note: {note}")
    if json_out is not None:
        figures = {name: m.as_json() for name, m in scores.figures.items()}
        about = {
            "task": task.name,
            "model": header.model,
            "mode": header.mode,
            "settings": header.settings,
        }
        about["weights"] = header.weights
        counts = {
            "items": len(items),
            "scored": scored,
            "broken": len(broken.named),
            "beyond_end": beyond.as_json(),
        }
        out = (
            about
            | counts
            | {
                "judge": scores.judge,
                "notes": list(scores.notes),
                "figures": figures,
            }
        )
        output.write(json_out, json.dumps(out, indent=2, ensure_ascii=False) + "\n")
    if html is not None:
        pages = report(task.title, subtitle, scores, items, chosen, html.name)
        for file, page in pages.items():
            output.write(html.with_name(file), page)


def _kept(predictions: Path) -> Path:
    """The file that keeps the judge's verdicts, next to the predictions."""
    return predictions.with_name(f"{predictions.name}.judge.jsonl")


def _warn(text: str) -> None:
    if text:
        print(f"warning: {' '.join(text.split())}", file=sys.stderr)
