"""Fine-tunes a checkpoint by a recipe: one loop on accelerate, for one process or several.

    shards -> examples -> rows -> loss -> AdamW    OUT/log.jsonl  OUT/steps/000100  OUT/model

Weights, optimizer state, random states and the number of samples used are saved together, and the
learning rate is a function of the step. So a run that was killed continues with the same bits (on a
CPU in fp32; tested).
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F

from aura_core.config import ModelConfig
from aura_core.errors import ConfigError, ModelError
from aura_core.extras import how_to_install
from aura_core.training.finetune.checks import check
from aura_core.training.finetune.dataset import (
    Ahead,
    Examples,
    MixedOrder,
    Order,
    loader,
    raised,
)
from aura_core.training.finetune.held_out import free_running, teacher_forced
from aura_core.training.finetune.mixture import Mixture, open_data
from aura_core.training.finetune.opening import Opened, arguments, open_for_training
from aura_core.training.finetune.packing import Row, pack
from aura_core.training.finetune.resume import Steps
from aura_core.training.finetune.saving import base_folder, merge, save_checkpoint, save_pixels
from aura_core.training.finetune.settings import ScheduleSettings, TuneRecipe
from aura_core.training.finetune.shards import Shards
from aura_core.training.finetune.throughput import matmul_peak, step_flops
from aura_core.training.loss import weighting

try:
    from accelerate import Accelerator
    from accelerate.utils import DistributedType
except ImportError as e:
    raise ModelError(
        f"accelerate is not installed, and training needs it: {how_to_install('train')}"
    ) from e


def rate(step: int, s: ScheduleSettings) -> float:
    """Return the learning rate of `step` (from 0).

    It rises linearly, then falls as half a cosine to `floor` times the highest rate.
    """
    rise = round(s.warmup * s.steps)
    if step < rise:
        return s.lr * (step + 1) / (rise + 1)
    done = (step - rise) / max(1, s.steps - rise)
    return s.lr * (s.floor + (1 - s.floor) * 0.5 * (1 + math.cos(math.pi * done)))


@dataclass(frozen=True)
class Summary:
    """What a run did.

    `model` is the folder of the result. `loss` is that of the last step; None if no step was left.
    """

    model: Path
    steps: int
    tokens: int
    wall_s: float
    loss: float | None


class Trainer:
    """One run of `recipe` in the folder `out`.

    Args:
        resume: continue from the newest checkpoint. Without it, a folder that holds a run is
            refused.
        device: auto (accelerate chooses) or cpu.

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
        self.recipe, self.out = recipe, out
        shards = open_data(recipe.data, recipe.loss != "balanced", recipe.seed)
        held = Shards(recipe.data.eval) if recipe.data.eval else None
        bf16 = recipe.precision == "bf16"
        self.accelerator = a = Accelerator(
            mixed_precision="bf16" if bf16 else "no", cpu=device == "cpu"
        )
        self.fsdp = a.distributed_type is DistributedType.FSDP
        if self.fsdp and recipe.sim_seeds:
            raise ConfigError(
                "sim_seeds needs the whole model in each process: leave it out with FSDP"
            )
        self.steps = Steps(
            out, recipe, shards.digest, a.process_index, a.num_processes, a.wait_for_everyone
        )
        self.done = self._begin(resume)
        self.opened = self._open()
        check(shards, self.opened, recipe.model, recipe.batch.tokens)
        if held is not None:
            check(held, self.opened, recipe.model, recipe.batch.tokens, recipe.data.eval_samples)
        self.samples = 0  # number of samples that this process has used
        self.model, self.optimizer = self._prepare()
        if self.done:
            self.samples = self.steps.load(self.done, self.model, self.optimizer.optimizer)
        self._examples = Examples(shards, self.opened.codec, self.opened.backend.family)
        order = MixedOrder if isinstance(shards, Mixture) else Order
        self.order = order(len(shards), recipe.seed, self.samples, a.process_index, a.num_processes)
        self._held = held

    def run(self) -> Summary:
        """Train to the recipe's last step, and write the result.

        Raises `ModelError` when the loss is not finite.
        """
        recipe, a, start = self.recipe, self.accelerator, time.perf_counter()
        peak = matmul_peak(
            a.device, torch.bfloat16 if recipe.precision == "bf16" else torch.float32
        )
        rows = self._rows()
        tokens, loss = 0, None
        self.model.train()
        for step in range(self.done, recipe.schedule.steps):
            begin = time.perf_counter()
            batch = [next(rows).to(a.device) for _ in range(recipe.batch.rows)]
            self.samples += sum(len(r.lengths) for r in batch)
            loss, norm = self._step(step, batch)
            seconds = time.perf_counter() - begin
            mine = sum(len(r.ids) for r in batch)
            tokens += mine
            flops = sum(step_flops(self.opened.module, r) for r in batch)
            self._log(
                {
                    "step": step + 1,
                    "loss": loss,
                    "lr": rate(step, recipe.schedule),
                    "grad_norm": norm,
                    "tokens": mine,
                    "tokens_per_s": round(mine / seconds, 1),
                    "peak_share": round(flops / seconds / peak, 4),
                    "samples": self.samples,
                    "epoch": round(self.samples / self.order.per_epoch, 4),
                }
            )
            last = step + 1 == recipe.schedule.steps
            if last or (step + 1) % recipe.every == 0:
                self._evaluate(step + 1)
            if last or (step + 1) % recipe.save_every == 0:
                self.steps.save(step + 1, self.model, self.optimizer.optimizer, self.samples)
        return Summary(
            self._finish(), recipe.schedule.steps, tokens, time.perf_counter() - start, loss
        )

    def _step(self, step: int, batch: list[Row]) -> tuple[float, float]:
        """Do one update. Returns the loss over all rows of all processes, and the gradient norm."""
        a, recipe = self.accelerator, self.recipe
        weighed = [weighting(recipe.loss, r.supervised, len(r.lengths), r.answers) for r in batch]
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
            group["lr"] = rate(step, recipe.schedule)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        return loss, norm

    # ---- the data ----------------------------------------------------------------------------

    def _rows(self) -> Iterator[Row]:
        """Yield rows endlessly, starting where the run stopped."""
        examples = loader(Ahead(self._examples), self.order, self.recipe.data.workers)
        return pack(raised(examples), self.recipe.batch.tokens)

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
        self._log(line)

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
        if self.accelerator.is_main_process:
            self.out.mkdir(parents=True, exist_ok=True)
            log = self.out / "log.jsonl"
            lines = log.read_text(encoding="utf-8").splitlines() if log.exists() and newest else []
            kept = [line for line in lines if _step_of(line) <= (newest or 0)]
            log.write_text("".join(f"{line}\n" for line in kept), encoding="utf-8")
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
        state = a.get_state_dict(self.model)  # the whole state, on process 0
        dtype = torch.bfloat16 if r.precision == "bf16" else torch.float32
        folder = self.out / ("model" if r.result == "merged" else "adapter")
        if a.is_main_process:
            state = {k.removeprefix("model."): v for k, v in state.items()}
            base = base_folder(r.model)
            if r.lora.rank:
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

    def _log(self, line: dict[str, Any]) -> None:
        if self.accelerator.is_main_process:
            with (self.out / "log.jsonl").open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")


def _step_of(line: str) -> float:
    """Return the step of a log line; infinity for a half-written last line."""
    try:
        return float(json.loads(line)["step"])
    except (ValueError, KeyError, TypeError):
        return math.inf
