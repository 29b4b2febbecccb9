"""Runs a stage over its shards: in this process, in several, or on Ray Data; the same functions, the same bytes.

A shard of the stage before becomes a shard of this one. Whoever makes it writes it, whole or not at all; a run that
was killed goes on with the shards that are missing.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from aura_core.data import STAGES, prepare, refine, structure, synthesize, verify
from aura_core.data.author import Author
from aura_core.data.outcome import ItemError, Outcome, Stage, name_of, total
from aura_core.data.prepare import Source
from aura_core.data.schema import Rejection
from aura_core.data.settings import DataConfig
from aura_core.data.store import Done, StageFolder, media_root, sha256_of, write
from aura_core.errors import AuraError, ConfigError, InputError

ENGINES = ("local", "ray")
BEFORE = dict(zip(STAGES, ("sources", *STAGES), strict=False))
AUTHORED = ("synthesize", "refine", "verify")


@dataclass(frozen=True)
class Job:
    """One stage of one run; all that a worker needs to know. `author`: oracle or mllm."""

    stage: str
    source: Path  # run folder with the stage before
    out: Path  # run folder
    config: DataConfig
    author: str = "oracle"
    prompts: Path | None = None
    threads: int = 1

    @property
    def folder(self) -> StageFolder:
        return StageFolder(self.out, self.stage)

    @property
    def before(self) -> StageFolder:
        return StageFolder(self.source, BEFORE[self.stage])

    @property
    def media(self) -> Path:
        """The folder that `Clip.video` is relative to."""
        return self.out if self.stage == "prepare" else media_root(self.source, BEFORE[self.stage])

    def settings(self) -> dict[str, Any]:
        """All that changes this stage's bytes."""
        known = self.config.of_stage(self.stage)
        return known | {"author": _author_settings(self)} if self.stage in AUTHORED else known


@dataclass(frozen=True)
class Report:
    """What one run of a stage did. `notes` name shards that were redone and why."""

    stage: str
    shards: int
    made: int  # in this run
    wall_s: float
    records_made: int
    notes: tuple[str, ...] = field(default=())


def write_sources(run: Path, sources: list[Source], config: DataConfig) -> None:
    """The sources as shards: what `prepare` reads. Raises `InputError` when the folder was made of others."""
    folder, size = StageFolder(run, "sources"), config.shard_size
    known = [[s.name, s.bytes, s.seconds] for s in sources]
    shards = [sources[i : i + size] for i in range(0, len(sources), size)]
    with folder.lock():
        folder.claim({"shard_size": size}, {"sources": _hash(known), "count": str(len(sources))}, len(shards), ".")
        for index, part in enumerate(shards):
            try:
                if folder.done(index) is not None and list(folder.read(index, Source)) == part:
                    continue
            except InputError:
                pass  # what was damaged is written again
            folder.save(index, part, (), Done("", "", "", len(part), len(part), 0, 0.0))


def run(
    job: Job, engine: str = "local", processes: int = 1, retry_failed: bool = False,
    progress: Callable[[int, int], None] | None = None, ray_address: str | None = None,
) -> Report:  # fmt: skip
    """Make the shards that are missing. `progress` is told (shards that are there, all shards).

    Raises `InputError` when the stage before is not finished, or the folder was made with other settings.
    """
    if engine not in ENGINES:
        raise ConfigError(f"--engine must be one of {', '.join(ENGINES)}, not '{engine}'")
    start = time.monotonic()
    inputs = job.before.all_done()
    media = "." if job.stage == "prepare" else os.path.relpath(job.media, job.out)
    folder = job.folder
    with folder.lock():
        folder.claim(job.settings(), job.before.fingerprint(), len(inputs), media)
        folder.sweep()
        missing, notes = _missing(job, inputs, retry_failed)
        there = len(inputs) - len(missing)
        if progress is not None:
            progress(there, len(inputs))
        made: list[Done] = []
        for done in _ENGINES[engine](job, missing, processes, ray_address):
            made.append(done)
            if progress is not None:
                progress(there + len(made), len(inputs))
        wall = time.monotonic() - start
        report = Report(job.stage, len(inputs), len(made), wall, sum(d.records for d in made), tuple(notes))
        if made:
            _remember(folder, report, engine, processes)
    return report


class ShardWorker:
    """Makes one shard after another; opened once a process."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.stage = open_stage(job)

    def __call__(self, index: int) -> Done:
        """Make shard `index` and write it. Raises `AuraError` when no item of it could be worked on."""
        start, cost = time.monotonic(), self.stage.cost()
        items = list(self.job.before.read(index, self.stage.reads))
        if self.stage.threads > 1:
            with ThreadPoolExecutor(self.stage.threads) as pool:
                outcomes = list(pool.map(self._work, items))
        else:
            outcomes = [self._work(item) for item in items]
        failures = sum(failed for _, failed in outcomes)
        if failures and failures == len(items):
            last = outcomes[-1][0].rejections[-1]
            raise InputError(f"shard {index}: all {failures} items failed, the last with: {last.reason} {last.detail}")
        results = [o for o, _ in outcomes]
        records = [r for o in results for r in o.records]
        rejections = [r for o in results for r in o.rejections]
        spent = {k: round(v - cost.get(k, 0), 3) for k, v in self.stage.cost().items()}
        done = Done(
            sha256_of(self.job.before.shard(index)), "", "", len(items), len(records), failures,
            round(time.monotonic() - start, 3), _reasons(rejections), total([o.counts for o in results]), spent,
            {name: size for o in results for name, size in o.files.items()},
        )  # fmt: skip
        return self.job.folder.save(index, records, rejections, done)

    def _work(self, item: Any) -> tuple[Outcome, bool]:
        """What becomes of the item, and whether it was lost to something that may pass."""
        try:
            return self.stage.work(item), False
        except ItemError as e:
            out = Outcome()
            out.reject(name_of(item), e.reason, e.detail)
            return out, e.transient


def open_stage(job: Job) -> Stage:
    """The stage function of a job, with whom it asks."""
    c = job.config
    if job.stage == "prepare":
        return prepare.open_stage(job.out, c.prepare)
    if job.stage == "structure":
        return structure.open_stage(c.structure)
    author = open_author(job)
    if job.stage == "synthesize":
        return synthesize.open_stage(job.media, author, c.synthesize, job.threads)
    if job.stage == "refine":
        return refine.open_stage(author, c.refine, c.seed, job.threads)
    return verify.open_stage(author, job.threads)


def open_author(job: Job) -> Author:
    """The oracle or the MLLM. Raises `ConfigError` when the MLLM has no address."""
    if job.author == "oracle":
        from aura_core.data.oracle import Oracle

        return Oracle(job.config.seed)
    from aura_core.data.mllm_author import MLLMAuthor

    return MLLMAuthor.open(job.config, job.media, job.prompts, job.folder.path / "replies")


# ---- where the work is done ------------------------------------------------------------------------


def _local(job: Job, missing: list[int], processes: int, _address: str | None) -> Iterator[Done]:
    if not missing:
        return
    if processes == 1:
        yield from map(ShardWorker(job), missing)
        return
    context = multiprocessing.get_context("spawn")
    arguments = (job, os.getpid())
    with ProcessPoolExecutor(min(processes, len(missing)), context, _enter, arguments) as pool:
        try:
            yield from pool.map(_make, missing)
        except BrokenProcessPool as e:
            raise InputError(f"{job.stage}: a worker process died (out of memory?); run again to go on") from e
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


_worker: ShardWorker | None = None
_job: Job | None = None


def _enter(job: Job, parent: int) -> None:
    global _job
    _job = job
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _make(index: int) -> Done:
    global _worker
    if _worker is None:  # here, not in `_enter`: an error there would only break the pool
        assert _job is not None
        _worker = ShardWorker(_job)
    return _worker(index)


def _end_with(parent: int) -> None:
    """A worker whose run was killed would wait for work for ever."""
    while os.getppid() == parent:
        time.sleep(0.2)
    os._exit(1)


class RayWorker:
    """`ShardWorker` as Ray Data calls it: rows in, rows out."""

    def __init__(self, job: Job) -> None:
        self._make = ShardWorker(job)

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        """{"index"} to {"done", "error"}: an error that a user can mend is told, not retried."""
        try:
            return {"done": json.dumps(asdict(self._make(int(row["index"])))), "error": ""}
        except AuraError as e:
            return {"done": "", "error": str(e)}


def _ray(job: Job, missing: list[int], processes: int, address: str | None) -> Iterator[Done]:
    try:
        import ray
        import ray.data
    except ImportError as e:
        raise ConfigError(f"{e.name} is not installed, and --engine ray needs it: pip install 'aura-ros[ray]'") from e
    if not missing:
        return
    if not ray.is_initialized():
        cores = None if address else processes
        ray.init(address, num_cpus=cores, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    rows = ray.data.from_items([{"index": i} for i in missing], override_num_blocks=len(missing))
    size = min(processes, len(missing))
    made = rows.map(RayWorker, fn_constructor_args=(job,), concurrency=size, num_cpus=1)
    for row in made.iter_rows():
        if row["error"]:
            raise InputError(row["error"])
        yield Done(**json.loads(row["done"]))


_ENGINES: dict[str, Callable[[Job, list[int], int, str | None], Iterator[Done]]] = {"local": _local, "ray": _ray}


# ---- what is there already ---------------------------------------------------------------------------


def _missing(job: Job, inputs: list[Done], retry_failed: bool) -> tuple[list[int], list[str]]:
    """Shards to make, and what is to be said about those that were begun already."""
    missing, notes = [], []
    for index, source in enumerate(inputs):
        try:
            done = job.folder.done(index)
            if done is None:
                missing.append(index)
                continue
            if done.input_sha256 != source.sha256:
                raise InputError(f"{job.folder.shard(index)}: made of an earlier input")
            if retry_failed and done.failures:
                raise InputError(f"{job.folder.shard(index)}: {done.failures} items had failed")
        except InputError as e:
            notes.append(f"{e}: made again")
            missing.append(index)
    return missing, notes


def _remember(folder: StageFolder, report: Report, engine: str, processes: int) -> None:
    """Add this run to the stage's list of runs: wall times, for throughput."""
    path = folder.path / "runs.json"
    try:
        runs = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        runs = []
    entry = {"engine": engine, "processes": processes, "shards": report.made, "records": report.records_made}
    runs.append(entry | {"wall_s": round(report.wall_s, 3)})
    write(path, (json.dumps(runs, indent=1) + "\n").encode())


def _author_settings(job: Job) -> dict[str, Any]:
    if job.author == "oracle":
        return {"kind": "oracle"}
    from aura_core.data.prompts import Prompts

    prompts = Prompts.load(job.prompts).sha256
    c = job.config
    known = {"kind": "mllm", "model": c.server.model, "prompts": prompts}
    return known | {"max_reply_tokens": c.max_reply_tokens, "jpeg_quality": c.server.jpeg_quality}


def _reasons(rejections: Iterable[Rejection]) -> dict[str, int]:
    return total([{r.reason: 1} for r in rejections])


def _hash(value: Any) -> str:
    import hashlib

    return hashlib.sha256(json.dumps(value).encode()).hexdigest()
