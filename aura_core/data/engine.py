"""Runs a stage over its shards: in this process, in several processes, or on Ray Data.

All three run the same functions and write the same bytes. Each shard of the stage before becomes
one shard of this stage. The worker that makes a shard also writes it, whole or not at all. A run
that was killed continues with the shards that are missing.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from aura_core.data.costs import PAID
from aura_core.data.outcome import total
from aura_core.data.prepare import Source
from aura_core.data.runners import ENGINES
from aura_core.data.settings import DataConfig
from aura_core.data.store import Done, StageFolder, write
from aura_core.data.worker import Job
from aura_core.errors import ConfigError, InputError

EARLY = 20  # requests after which a run looks at what they brought before its end


@dataclass(frozen=True)
class Report:
    """What one run of a stage did.

    `notes` say which shards were made again, and why. `items` and `records` are those of the whole
    stage, and `reasons` counts why items were left out.
    """

    stage: str
    shards: int
    made: int  # in this run
    wall_s: float
    records_made: int
    notes: tuple[str, ...]
    cost: dict[str, float]  # of the shards that this run made
    items: int = 0
    records: int = 0
    reasons: dict[str, int] = field(default_factory=dict)


def write_sources(run: Path, sources: list[Source], config: DataConfig) -> None:
    """Write the sources as shards, which `prepare` reads.

    Raises `InputError` when the folder was made from other sources.
    """
    folder, size = StageFolder(run, "sources"), config.shard_size
    known = [[s.name, s.bytes, s.seconds] for s in sources]
    shards = [sources[i : i + size] for i in range(0, len(sources), size)]
    with folder.lock():
        folder.claim(
            {"shard_size": size},
            {
                "sources": hashlib.sha256(json.dumps(known).encode()).hexdigest(),
                "count": str(len(sources)),
            },
            len(shards),
            ".",
        )
        for index, part in enumerate(shards):
            try:
                if folder.done(index) is not None and list(folder.read(index, Source)) == part:
                    continue
            except InputError:
                pass  # a damaged shard is written again
            folder.save(index, part, (), Done("", "", "", len(part), len(part), 0, 0.0))


def run(
    job: Job,
    engine: str = "local",
    processes: int = 1,
    retry_failed: bool = False,
    progress: Callable[[int, int], None] | None = None,
    ray_address: str | None = None,
) -> Report:
    """Make the shards that are missing.

    Args:
        engine: local or ray.
        processes: worker processes.
        retry_failed: make shards again in which items failed or requests were refused.
        progress: called with (items that are done, all items) after each shard.
        ray_address: an existing Ray cluster; None: start one here.

    Raises `InputError` when the stage before is not finished, when the folder was made with other
    settings, or when too many requests to the MLLM brought nothing (see `_check_losses`), and
    `ConfigError` for an unknown engine.
    """
    if engine not in ENGINES:
        raise ConfigError(f"--engine must be one of {', '.join(ENGINES)}, not '{engine}'")
    start = time.monotonic()
    inputs = job.before.all_done()
    media = "." if job.stage == "prepare" else os.path.relpath(job.media, job.out)
    folder = job.folder
    with folder.lock() as lock:
        folder.claim(job.settings(), job.before.fingerprint(), len(inputs), media)
        folder.sweep()
        missing, kept, notes = _missing(job, inputs, retry_failed)
        items = sum(source.records for source in inputs)
        worked = items - sum(inputs[index].records for index in missing)
        if progress is not None:
            progress(worked, items)
        made: list[Done] = []
        try:
            # closed before the losses are dropped: its workers have ended then
            with contextlib.closing(
                ENGINES[engine](job, missing, processes, ray_address, lock.writers)
            ) as making:
                for done in making:
                    made.append(done)
                    worked += done.items
                    if progress is not None:
                        progress(worked, items)
                    _check_losses(job, [*kept, *made], EARLY)
            if made:
                _check_losses(job, [*kept, *made], 1)
        except StageFailed:
            lock.settle()  # a machine of a Ray cluster may still be at a shard
            _drop_losses(folder, len(inputs))
            raise
        wall = time.monotonic() - start
        cost = {k: round(v, 3) for k, v in total([d.cost for d in made]).items() if k in PAID}
        report = Report(
            job.stage,
            len(inputs),
            len(made),
            wall,
            sum(d.records for d in made),
            tuple(notes),
            cost,
            items,
            sum(d.records for d in [*kept, *made]),
            total([d.reasons for d in [*kept, *made]]),
        )
        if made:
            _remember(folder, report, engine, processes)
    return report


class StageFailed(InputError):
    """Too many requests to the MLLM brought nothing."""


def _check_losses(job: Job, shards: list[Done], least: int) -> None:
    """Raises `StageFailed` when more than `max_lost` of at least `least` requests to the MLLM
    brought nothing, or all of them: they were refused, given up, or had no usable reply."""
    counted = [d for d in shards if "asked" in d.cost]  # earlier versions did not count them
    asked, lost = int(sum(d.cost["asked"] for d in counted)), sum(d.lost for d in counted)
    limit = job.config.max_lost
    if asked >= least and lost and (lost >= asked or lost > limit * asked):
        last = next(d.fault for d in reversed(counted) if d.lost)
        raise StageFailed(
            f"{job.stage}: {lost} of {asked} requests to the MLLM brought nothing (max_lost is"
            f" {limit:g} of them), the last with: {last}; mend that and run again"
        )


def _drop_losses(folder: StageFolder, shards: int) -> None:
    """A stage that failed is not done: shards with losses are made again."""
    for index in range(shards):
        with contextlib.suppress(InputError):  # a damaged shard is made again anyway
            done = folder.done(index)
            if done is not None and done.lost:
                folder.drop(index)


def _missing(
    job: Job, inputs: list[Done], retry_failed: bool
) -> tuple[list[int], list[Done], list[str]]:
    """Shards to make, shards that are there, and what is to be said about those that were begun
    already."""
    missing, kept, notes = [], [], []
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
            if retry_failed and (refused := int(done.cost.get("refused", 0))):
                raise InputError(f"{job.folder.shard(index)}: {refused} requests were refused")
            kept.append(done)
        except InputError as e:
            notes.append(f"{e}: made again")
            missing.append(index)
    return missing, kept, notes


def _remember(folder: StageFolder, report: Report, engine: str, processes: int) -> None:
    """Add this run to the stage's list of runs; the report computes throughput from it."""
    path = folder.path / "runs.json"
    try:
        runs = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        runs = []
    entry = {
        "engine": engine,
        "processes": processes,
        "shards": report.made,
        "records": report.records_made,
    }
    runs.append(entry | {"wall_s": round(report.wall_s, 3), "cost": report.cost})
    write(path, (json.dumps(runs, indent=1) + "\n").encode())
