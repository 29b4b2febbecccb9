"""Makes one shard: the job, the stage that it opens, and the items of the shard before."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from aura_core.data import STAGES, prepare, refine, structure, synthesize, verify
from aura_core.data.author import Author
from aura_core.data.outcome import ItemError, Outcome, Stage, name_of, total
from aura_core.data.prompts import Prompts
from aura_core.data.settings import DataConfig, MLLMConfig, StructureConfig
from aura_core.data.store import Done, StageFolder, media_root, sha256_of
from aura_core.errors import ConfigError, InputError

BEFORE = dict(zip(STAGES, ("sources", *STAGES), strict=False))
AUTHORED = ("synthesize", "refine", "verify")
NO_CHECKPOINT = (
    "structure: no tokenizer is named: give --checkpoint, the folder or hub id that will be"
    " trained, such as Qwen/Qwen3-VL-8B-Instruct (structure.checkpoint in the settings)"
)


@dataclass(frozen=True)
class Job:
    """One stage of one run: everything that a worker needs. `author` is oracle or mllm."""

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

    @property
    def structure(self) -> StructureConfig:
        """The settings of stage 4, with a checkpoint.

        Raises `ConfigError` when none is set and an MLLM wrote the words.
        """
        config = self.config.structure
        if config.checkpoint:
            return config
        if self.before.manifest()["settings"].get("author") != {"kind": "oracle"}:
            raise ConfigError(NO_CHECKPOINT)
        return replace(config, checkpoint="aura_tiny")

    def settings(self) -> dict[str, Any]:
        """Return all settings that change this stage's bytes."""
        known = self.config.of_stage(self.stage)
        if self.stage == "structure":
            known |= asdict(self.structure)
        return known | {"author": _author_settings(self)} if self.stage in AUTHORED else known


class ShardWorker:
    """Makes one shard after another. Each process opens one."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.stage = open_stage(job)

    def __call__(self, index: int) -> Done:
        """Make shard `index` and write it.

        Raises `AuraError` when every item failed.
        """
        start, cost = time.monotonic(), self.stage.cost()
        items = list(self.job.before.read(index, self.stage.reads))
        if self.stage.threads > 1:
            with ThreadPoolExecutor(self.stage.threads) as pool:
                try:
                    outcomes = list(pool.map(self._work, items))
                except BaseException:
                    # Ctrl-C or an error that ends the run: the pool waits for its threads, which
                    # may be waiting for a server for minutes.
                    pool.shutdown(wait=False, cancel_futures=True)
                    self.stage.close()
                    raise
        else:
            outcomes = [self._work(item) for item in items]
        failures = sum(failed for _, failed in outcomes)
        if failures and failures == len(items):
            last = outcomes[-1][0].rejections[-1]
            raise InputError(
                f"shard {index}: all {failures} items failed, the last with: {last.reason}"
                f" {last.detail}"
            )
        results = [o for o, _ in outcomes]
        records = [r for o in results for r in o.records]
        rejections = [r for o in results for r in o.rejections]
        spent = {k: round(v - cost.get(k, 0), 3) for k, v in self.stage.cost().items()}
        done = Done(
            sha256_of(self.job.before.shard(index)),
            "",
            "",
            len(items),
            len(records),
            failures,
            round(time.monotonic() - start, 3),
            total([{r.reason: 1} for r in rejections]),
            total([o.counts for o in results]),
            spent,
            {name: size for o in results for name, size in o.files.items()},
            " ".join(next((o.faults[-1] for o in reversed(results) if o.faults), "").split()),
        )
        return self.job.folder.save(index, records, rejections, done)

    def _work(self, item: Any) -> tuple[Outcome, bool]:
        """Return the outcome of an item, and whether it was lost to a transient error."""
        try:
            return self.stage.work(item), False
        except ItemError as e:
            out = Outcome()
            out.reject(name_of(item), e.reason, e.detail)
            out.faults.append(str(e))
            return out, e.transient


def open_stage(job: Job) -> Stage:
    """Open the stage of a job, with its author."""
    c = job.config
    if job.stage == "prepare":
        return prepare.open_stage(job.out, c.prepare)
    if job.stage == "structure":
        return structure.open_stage(job.structure, c.seed)
    author = open_author(job)
    if job.stage == "synthesize":
        return synthesize.open_stage(job.media, author, c.synthesize, job.threads)
    if job.stage == "refine":
        return refine.open_stage(author, c.refine, c.seed, job.threads)
    return verify.open_stage(author, job.threads)


def open_author(job: Job) -> Author:
    """Open the oracle or the MLLM. Raises `ConfigError` when the MLLM has no address."""
    if job.author == "oracle":
        from aura_core.data.oracle import Oracle

        return Oracle(job.config.seed)
    from aura_core.data.mllm_author import MLLMAuthor

    return MLLMAuthor.open(job.config, job.media, job.prompts, job.folder.path / "replies")


def _author_settings(job: Job) -> dict[str, Any]:
    if job.author == "oracle":
        return {"kind": "oracle"}
    prompts = Prompts.load(job.prompts).sha256
    c, usual = job.config.server, MLLMConfig()
    known: dict[str, Any] = {"kind": "mllm", "model": c.model, "prompts": prompts}
    known |= {"max_reply_tokens": c.max_tokens, "jpeg_quality": c.jpeg_quality}
    if job.stage in ("synthesize", "refine"):
        known["asking"] = asdict(job.config.asking)
    # only what is not as usual, so that the folders of earlier versions can be gone on with
    names = ("temperature", "extra_body", "repairs")
    return known | {n: getattr(c, n) for n in names if getattr(c, n) != getattr(usual, n)}
