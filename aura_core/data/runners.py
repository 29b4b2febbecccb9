"""Runs shard workers in this process, in several processes, or on Ray Data."""

from __future__ import annotations

import json
import logging
import multiprocessing
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict
from typing import Any

from aura_core.data.folder_lock import Writers
from aura_core.data.store import Done
from aura_core.data.worker import Job, ShardWorker
from aura_core.errors import AuraError, ConfigError, InputError
from aura_core.extras import how_to_install
from aura_core.orphans import end_with


def _local(
    job: Job, missing: list[int], processes: int, _address: str | None, writers: Writers
) -> Iterator[Done]:
    if not missing:
        return
    if processes == 1:
        worker = ShardWorker(job)
        try:
            yield from map(worker, missing)
        finally:
            worker.stage.close()
        return
    context = multiprocessing.get_context("spawn")
    arguments = (job, os.getpid(), writers)
    with ProcessPoolExecutor(min(processes, len(missing)), context, _enter, arguments) as pool:
        try:
            yield from pool.map(_make, missing)
        except BrokenProcessPool as e:
            raise InputError(
                f"{job.stage}: a worker process ended too early: it was killed (for memory, where"
                " fewer --processes help, or by hand), it crashed, or it could not start; what it"
                " printed is above; run again to go on"
            ) from e
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


_worker: ShardWorker | None = None
_job: Job | None = None
_writers: Writers | None = None


def _enter(job: Job, parent: int, writers: Writers) -> None:
    global _job, _writers
    _job, _writers = job, writers
    end_with(parent)


def _make(index: int) -> Done:
    global _worker
    assert _job is not None and _writers is not None
    with _writers.shared():
        if _worker is None:  # not in `_enter`: an error in there breaks the pool and is not shown
            _worker = ShardWorker(_job)
        return _worker(index)


class RayWorker:
    """A `ShardWorker` as Ray Data calls it, with rows as input and output.

    It may go on for a while when its run was killed: then it makes nothing more.
    """

    def __init__(self, job: Job, writers: Writers) -> None:
        self._make, self._writers = ShardWorker(job), writers

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        """Make the shard {"index"}, and return {"done", "error"}.

        An error that the user can correct is returned, because Ray would retry one that is raised.
        """
        try:
            with self._writers.shared():
                done = self._make(int(row["index"]))
        except AuraError as e:
            return {"done": "", "error": str(e)}
        return {"done": json.dumps(asdict(done)), "error": ""}


def _ray(
    job: Job, missing: list[int], processes: int, address: str | None, writers: Writers
) -> Iterator[Done]:
    try:
        import ray
        import ray.data
    except ImportError as e:
        raise ConfigError(
            f"{e.name} is not installed, and --engine ray needs it: {how_to_install('ray')}"
        ) from e
    if not missing:
        return
    if not ray.is_initialized():
        cores = None if address else processes
        ray.init(
            address,
            num_cpus=cores,
            include_dashboard=False,
            log_to_driver=False,
            logging_level="ERROR",
        )
    logging.getLogger("ray.data").setLevel(logging.WARNING)
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    rows = ray.data.from_items([{"index": i} for i in missing], override_num_blocks=len(missing))
    size = min(processes, len(missing))
    made = rows.map(RayWorker, fn_constructor_args=(job, writers), concurrency=size, num_cpus=1)
    for row in made.iter_rows():
        if row["error"]:
            raise InputError(row["error"])
        yield Done(**json.loads(row["done"]))


ENGINES: dict[str, Callable[[Job, list[int], int, str | None, Writers], Iterator[Done]]] = {
    "local": _local,
    "ray": _ray,
}
