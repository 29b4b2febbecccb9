"""Runs a stage over its shards: in this process, in several processes, or on Ray Data.

All three run the same functions and write the same bytes. Each shard of the stage before becomes
one shard of this stage. The worker that makes a shard also writes it, whole or not at all. A run
that was killed continues with the shards that are missing.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from aura_core.data.costs import PAID
from aura_core.data.outcome import total
from aura_core.data.prepare import Source
from aura_core.data.runners import ENGINES
from aura_core.data.settings import DataConfig
from aura_core.data.store import Done, StageFolder, write
from aura_core.data.worker import Job
from aura_core.errors import ConfigError, InputError


@dataclass(frozen=True)
class Report:
    """What one run of a stage did. `notes` say which shards were made again, and why."""

    stage: str
    shards: int
    made: int  # in this run
    wall_s: float
    records_made: int
    notes: tuple[str, ...]
    cost: dict[str, float]  # of the shards that this run made


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
        retry_failed: make shards again in which items failed.
        progress: called with (items that are done, all items) after each shard.
        ray_address: an existing Ray cluster; None: start one here.

    Raises `InputError` when the stage before is not finished, or when the folder was made with
    other settings, and `ConfigError` for an unknown engine.
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
        items = sum(source.records for source in inputs)
        worked = items - sum(inputs[index].records for index in missing)
        if progress is not None:
            progress(worked, items)
        made: list[Done] = []
        for done in ENGINES[engine](job, missing, processes, ray_address):
            made.append(done)
            worked += done.items
            if progress is not None:
                progress(worked, items)
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
        )
        if made:
            _remember(folder, report, engine, processes)
    return report


def _missing(job: Job, inputs: list[Done], retry_failed: bool) -> tuple[list[int], list[str]]:
    """Return the shards to make, and a note for each shard that is made again."""
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
