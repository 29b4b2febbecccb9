"""Fine-tunes a checkpoint by a recipe: one loop on accelerate, for one process or several.

    shards -> examples -> rows -> loss -> AdamW    OUT/log.jsonl  OUT/steps/000100  OUT/model

Weights, optimizer state, random states and the number of samples used are saved together, and the
learning rate is a function of the step. So a run that was killed continues with the same bits (on a
CPU in fp32; tested).
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F

from aura_core.config import ModelConfig
from aura_core.errors import ConfigError, ModelError
from aura_core.extras import how_to_install
from aura_core.models.bars import without_bars
from aura_core.training.finetune import memory
from aura_core.training.finetune.batches import batches, share, steps_of
from aura_core.training.finetune.checks import check
from aura_core.training.finetune.dataset import (
    Ahead,
    Examples,
    loader,
    raised,
)
from aura_core.training.finetune.held_out import free_running, teacher_forced
from aura_core.training.finetune.mixture import open_data
from aura_core.training.finetune.opening import Opened, arguments, open_for_training
from aura_core.training.finetune.order import Order, arranged, clips_of
from aura_core.training.finetune.packing import Row, pack
from aura_core.training.finetune.reports import Line, Log, Told
from aura_core.training.finetune.resume import Steps
from aura_core.training.finetune.saving import base_folder, merge, save_checkpoint, save_pixels
from aura_core.training.finetune.settings import STEPS, ScheduleSettings, TuneRecipe
from aura_core.training.finetune.shards import Shards
from aura_core.training.finetune.throughput import matmul_peak, step_flops
from aura_core.training.loss import weighting

try:
    from accelerate import Accelerator
    from accelerate.utils import DistributedDataParallelKwargs, DistributedType
except ImportError as e:
    raise ModelError(
        f"accelerate is not installed, and training needs it: {how_to_install('train')}"
    ) from e


Weighed = tuple[torch.Tensor, torch.Tensor]  # of a row, see `loss.weighting`


def rate(step: int, s: ScheduleSettings) -> float:
    """Return the learning rate of `step` (from 0).

    It rises linearly, then falls as half a cosine to `floor` times the highest rate.
    """
    steps = s.steps or STEPS
    rise = round(s.warmup * steps)
    if step < rise:
        return s.lr * (step + 1) / (rise + 1)
    done = (step - rise) / max(1, steps - rise)
    return s.lr * (s.floor + (1 - s.floor) * 0.5 * (1 + math.cos(math.pi * done)))


@dataclass(frozen=True)
class Summary:
    """What a run did.

    `model` is the folder of the result. `loss` is that of the last step; None if no step was left.
    `tokens` are those of all processes. `peak` are bytes of process 0, see `memory.Peak`.
    """

    model: Path
    steps: int
    tokens: int
    wall_s: float
    loss: float | None
    peak: int


class Trainer:
    """One run of `recipe` in the folder `out`.

    Args:
        resume: continue from the newest checkpoint. Without it, a folder that holds a run is
            refused.
        device: auto (accelerate chooses) or cpu.

    Attributes:
        schedule: the recipe's, with the number of steps that its epochs need.
        need: the memory and the disk that the run needs.
        main: this is process 0, which writes and tells.
        rejected: by setting (`data.train` with `data.mix`, and `data.eval`): samples that a review
            rejected, by why (`reviews.told`).

    Raises `ConfigError`, `InputError` and `ModelError`.
    """

    def __init__(
        self, recipe: TuneRecipe, out: Path, resume: bool = False, device: str = "auto"
    ) -> None:
        if device not in ("auto", "cpu"):
            raise ConfigError(
                f"--device must be auto or cpu, not '{device}': name a GPU with"
                " CUDA_VISIBLE_DEVICES"
            )
        if os.environ.get("ACCELERATE_USE_DEEPSPEED") == "true":
            raise ConfigError(
                "DeepSpeed is not supported: take FSDP2, which shares the model in the same way,"
                " with config/accelerate/fsdp2.yaml (docs/several_gpus.md)"
            )
        self.recipe, self.out = recipe, out
        shards = open_data(recipe.data, recipe.loss != "balanced", recipe.seed)
        held = Shards(recipe.data.eval) if recipe.data.eval else None
        self.rejected = {"data.train": shards.rejected}
        if held is not None:
            self.rejected["data.eval"] = held.rejected
        bf16 = recipe.precision == "bf16"
        self.accelerator = a = Accelerator(
            mixed_precision="bf16" if bf16 else "no",
            cpu=device == "cpu",
            # else each process holds its gradients twice: 4 bytes for each trained weight
            kwargs_handlers=[DistributedDataParallelKwargs(gradient_as_bucket_view=True)],
        )
        self._peak = memory.Peak(a.device)
        self.main = a.is_main_process
        self.fsdp = a.distributed_type is DistributedType.FSDP
        if self.fsdp and recipe.sim_seeds:
            raise ConfigError(
                "sim_seeds needs the whole model in each process: leave it out with FSDP"
            )
        self.steps = Steps(
            out, recipe, shards.digest, a.process_index, a.num_processes, a.wait_for_everyone
        )
        self.done = self._begin(resume)
        self._each = share(recipe.batch, a.num_processes)
        arrange = arranged(recipe.data, len(shards), recipe.seed, shards.window_of, a.num_processes)
        self.opened = self._open()
        lengths = check(shards, self.opened, recipe.model, recipe.batch.tokens)
        if held is not None:
            check(held, self.opened, recipe.model, recipe.batch.tokens, recipe.data.eval_samples)
        steps = recipe.schedule.steps or STEPS
        if epochs := recipe.schedule.epochs:
            size, tokens = len(shards), shards.by_entry(lengths)
            steps = steps_of(epochs, size, tokens, recipe.batch, arrange, a.num_processes)
        self.schedule = replace(recipe.schedule, steps=steps, epochs=None)
        self.need = self._need()
        self.samples = 0  # number of samples that this process has used
        self.model, self.optimizer = self._prepare()
        if self.done:
            self.samples = self.steps.load(self.done, self.model, self.optimizer.optimizer)
        family, clips = self.opened.backend.family, clips_of(recipe.data, a.num_processes)
        self._examples = Examples(shards, self.opened.codec, family, clips)
        self.order = Order(len(shards), arrange, self.samples, a.process_index, a.num_processes)
        self._held = held

    def run(self, *told: Told) -> Summary:
        """Train to the recipe's last step, and write the result.

        Args:
            told: each gets every line of the log (`reports.Line`), in process 0 only.

        Raises `ModelError` when the loss is not finite.
        """
        recipe, a, start = self.recipe, self.accelerator, time.perf_counter()
        self._told += told if self.main else ()
        self._machine = matmul_peak(
            a.device, torch.bfloat16 if recipe.precision == "bf16" else torch.float32
        )
        steps, tokens, loss = self.schedule.steps or 0, 0, None
        data = self._batches()
        self.model.train()
        for step in range(self.done, steps):
            begin = time.perf_counter()
            batch = [row.to(a.device) for row in next(data)]
            waited = time.perf_counter() - begin
            self.samples += sum(len(r.lengths) for r in batch)
            loss, norm = self._step(step, batch)
            line = self._figures(step, batch, time.perf_counter() - begin)
            tokens += line["tokens"]
            self._tell(line | {"loss": loss, "grad_norm": norm, "data_s": round(waited, 4)})
            last = step + 1 == steps
            if last or (step + 1) % recipe.every == 0:
                self._evaluate(step + 1)
            if last or (step + 1) % recipe.save_every == 0:
                self.steps.save(step + 1, self.model, self.optimizer.optimizer, self.samples)
        model = self._finish()
        return Summary(model, steps, tokens, time.perf_counter() - start, loss, self._peak.bytes())

    def _step(self, step: int, batch: list[Row]) -> tuple[float, float]:
        """Do one update. Returns the loss over all rows of all processes, and the gradient norm."""
        a, recipe = self.accelerator, self.recipe
        weighed = [weighting(recipe.loss, r.supervised, len(r.lengths), r.answers) for r in batch]
        batch, weighed = self._filled(batch, weighed)
        total = a.reduce(torch.stack([t for _, t in weighed]).sum(), "sum").clamp(min=1e-6)
        value = torch.zeros((), device=a.device)
        for i, (row, (weight, _)) in enumerate(zip(batch, weighed, strict=True)):
            with a.no_sync(self.model) if i + 1 < len(batch) else nullcontext():
                with a.autocast():
                    logits = self.model(**arguments(row))
                losses = F.cross_entropy(logits.float(), row.supervised.target, reduction="none")
                part = (weight * losses).sum() / total
                a.backward(part * a.num_processes)  # gradients of several processes are averaged
            value += part.detach()
        loss = float(a.reduce(value, "sum"))
        norm = float(a.clip_grad_norm_(self.model.parameters(), recipe.schedule.clip))
        if not math.isfinite(loss) or not math.isfinite(norm):
            saved = self.steps.newest()
            since = (
                f"the newest good checkpoint is step {saved}"
                if saved
                else "no checkpoint was saved yet"
            )
            raise ModelError(
                f"step {step + 1}: the loss is {loss}, its gradient {norm}: lower schedule.lr;"
                f" {since}"
            )
        for group in self.optimizer.param_groups:
            group["lr"] = rate(step, self.schedule)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        return loss, norm

    def _filled(self, batch: list[Row], weighed: list[Weighed]) -> tuple[list[Row], list[Weighed]]:
        """Return as many rows as the process with the most has; further ones weigh nothing.

        Processes meet in every forward pass of FSDP, so each needs as many. Only `batch.samples`
        makes a number of rows that differs.
        """
        if self._each is None or self.accelerator.num_processes == 1:
            return batch, weighed
        mine = torch.tensor([len(batch)], device=self.accelerator.device)
        more = int(self.accelerator.gather(mine).max()) - len(batch)
        weight, total = weighed[-1]
        nothing = (torch.zeros_like(weight), torch.zeros_like(total))
        return [*batch, *[batch[-1]] * more], [*weighed, *[nothing] * more]

    def _figures(self, step: int, batch: list[Row], seconds: float) -> Line:
        """Return the line of a step: what all processes have done in these seconds.

        All processes have waited for each other in the step, so the seconds are theirs too.
        """
        a = self.accelerator
        flops = sum(step_flops(self.opened.module, r) for r in batch)
        mine = [sum(len(r.ids) for r in batch), self.samples, flops]
        tokens, samples, flops = a.reduce(
            torch.tensor(mine, dtype=torch.float64, device=a.device), "sum"
        ).tolist()
        return {
            "step": step + 1,
            "lr": rate(step, self.schedule),
            "tokens": int(tokens),
            "tokens_per_s": round(tokens / seconds, 1),
            "peak_share": round(flops / seconds / self._machine / a.num_processes, 4),
            "samples": int(samples),
            "epoch": round(self.samples / self.order.per_epoch, 4),
            "peak_gb": round(self._peak.bytes() / memory.GB, 4),
        }

    # ---- the data ----------------------------------------------------------------------------

    def _batches(self) -> Iterator[list[Row]]:
        """Yield the rows of each step endlessly, starting where the run stopped."""
        examples = loader(Ahead(self._examples), self.order, self.recipe.data.workers)
        try:
            yield from batches(raised(examples), self.recipe.batch, self._each)
        finally:
            self._examples.close()

    def _evaluate(self, step: int) -> None:
        """Log the held-out figures.

        Only process 0 does this, except with FSDP, where all processes must take part in each
        forward.
        """
        a, recipe = self.accelerator, self.recipe
        if self._held is None or not (self.fsdp or a.is_main_process):
            return
        codec = self.opened.codec
        held = Examples(self._held, codec, self.opened.backend.family)
        count = min(len(held), recipe.data.eval_samples)
        model = self.model if self.fsdp else self.opened.module
        with a.autocast():
            rows = pack((held[i] for i in range(count)), recipe.batch.tokens)
            line: dict[str, Any] = {
                "step": step,
                "held_out": teacher_forced(model, rows, codec.chat, a.device).as_json(),
            }
            if recipe.sim_seeds:
                first, end = (int(n) for n in recipe.sim_seeds.split(":"))
                line["sim"] = free_running(self.opened.backend, first, end)
        self._tell(line)

    # ---- begin and end -----------------------------------------------------------------------

    def _begin(self, resume: bool) -> int:
        """Return the step to continue from (0 for a new run), and cut the log there.

        Raises `ConfigError`.
        """
        newest = self.steps.newest()
        if newest is not None and not resume:
            raise ConfigError(
                f"{self.out}: holds a run of {newest} steps; add --resume, or use another --out"
            )
        if newest is not None:
            self.steps.check(newest)
        self._told: list[Told] = []
        if self.main:
            try:
                self.out.mkdir(parents=True, exist_ok=True)
                self._told.append(Log(self.out / "log.jsonl", newest or 0))
            except OSError as e:
                raise ConfigError(f"--out {self.out}: cannot be written: {e.strerror}") from e
        self.accelerator.wait_for_everyone()
        return newest or 0

    def _open(self) -> Opened:
        r = self.recipe
        half = r.precision == "bf16" and r.lora.rank > 0 and not self.fsdp
        device = "cpu" if self.fsdp else str(self.accelerator.device)
        attention = r.attention
        if attention == "auto" and r.precision == "fp32":
            attention = "sdpa"
        config = ModelConfig(
            r.model, "bfloat16" if half else "float32", device, attention, r.max_pixels
        )
        return open_for_training(config, r.lora, r.vision, r.checkpointing, r.seed)

    def _need(self) -> memory.Need:
        """Return what the run needs. Raises `ConfigError` where that is more than there is."""
        a, r = self.accelerator, self.recipe
        need = memory.need(
            self.opened.module,
            self._dtype if r.result == "merged" else None,
            a.num_processes if self.fsdp else 1,
        )
        if self.main:
            there = memory.size_of(self.out / "steps")
            memory.fits(need, r.keep, a.device, self.out, there)
        return need

    def _prepare(self) -> tuple[Any, Any]:
        """Return model and optimizer, which accelerate shards or copies over the processes."""
        s = self.recipe.schedule
        trained = [p for p in self.opened.module.parameters() if p.requires_grad]
        decayed, plain = [p for p in trained if p.ndim > 1], [p for p in trained if p.ndim <= 1]
        groups = [
            {"params": decayed, "weight_decay": s.weight_decay},
            {"params": plain, "weight_decay": 0.0},
        ]
        optimizer = torch.optim.AdamW(
            [g for g in groups if g["params"]], lr=s.lr, betas=(0.9, s.beta2)
        )
        return self.accelerator.prepare(self.opened.module, optimizer)

    def _finish(self) -> Path:
        """Write the result from process 0, and return its folder."""
        a, r, opened = self.accelerator, self.recipe, self.opened
        self.optimizer.optimizer.state.clear()  # 8 bytes a trained weight, beside the result's
        state = a.get_state_dict(self.model)  # the whole state, on process 0
        dtype = self._dtype
        folder = self.out / ("model" if r.result == "merged" else "adapter")
        if self.main:
            state = {k.removeprefix("model."): v for k, v in state.items()}
            base = base_folder(r.model)
            if r.lora.rank:
                with without_bars():
                    opened.module.model.save_pretrained(
                        self.out / "adapter", state_dict=state, save_embedding_layers=False
                    )
                save_pixels(self.out / "adapter", opened.backend.pixels.max_pixels)
                if r.result == "merged":
                    config = ModelConfig(r.model, "float32", "cpu", "sdpa", r.max_pixels)
                    merge(config, self.out / "adapter", folder, dtype)
            else:
                save_checkpoint(opened.backend, opened.added, base, folder, dtype, state)
        a.wait_for_everyone()
        return folder

    @property
    def _dtype(self) -> torch.dtype:
        """The type of the result's weights."""
        return torch.bfloat16 if self.recipe.precision == "bf16" else torch.float32

    def _tell(self, line: Line) -> None:
        for told in self._told:
            told(line)
