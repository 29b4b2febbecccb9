"""The memory and the disk that a run needs, told before its first step.

For each process, with n bytes a number (4 in float32, 2 in bfloat16):

    weights     n * all parameters
    gradients   n * trained parameters
    optimizer   2 n * trained parameters              AdamW's two moments
    disk        (keep + 1) * 3 n * trained parameters checkpoints to resume from, while one is saved
              + m * all parameters                    the result, with m bytes a number

With FSDP each process has its share of all of them. The first three are exact. Activations come on
top: they depend on `batch.tokens`, and are not estimated but measured, as the `peak_gb` of each
step in the log. Also on top come the copies that autocast makes of weights, one block at a time.
"""

from __future__ import annotations

import math
import resource
import shutil
from dataclasses import dataclass
from pathlib import Path

import torch

from aura_core.errors import ConfigError

GB = 1e9  # bytes


@dataclass(frozen=True)
class Need:
    """Bytes of one process, and numbers of parameters of the whole model.

    `state` and `result` are bytes on disk, of all processes together: of one checkpoint to resume
    from, and of the result.
    """

    parameters: int
    trained: int
    weights: int
    gradients: int
    optimizer: int
    state: int
    result: int

    @property
    def total(self) -> int:
        """Bytes of weights, gradients and optimizer together."""
        return self.weights + self.gradients + self.optimizer

    def told(self, keep: int) -> str:
        """One line for the user. `keep`: checkpoints to resume from that are kept."""
        parts = (
            f"{self.weights / GB:.3f} weights + {self.gradients / GB:.3f} gradients +"
            f" {self.optimizer / GB:.3f} optimizer"
        )
        return (
            f"memory of a process: {parts} = {self.total / GB:.3f} GB, and activations"
            f" ({self.trained / 1e6:.2f} of {self.parameters / 1e6:.2f} million parameters are"
            f" trained); disk: up to {self.disk(keep) / GB:.3f} GB"
        )

    def disk(self, keep: int) -> int:
        """Most bytes on disk: one checkpoint is being written while `keep` others are there."""
        return (keep + 1) * self.state + self.result


def need(module: torch.nn.Module, result: torch.dtype | None, shards: int = 1) -> Need:
    """Return what a run with this model needs.

    Args:
        result: dtype of the result's weights; None where only what was trained is written.
        shards: number of processes that share the model (FSDP).
    """
    sizes = [(p.numel(), p.element_size(), p.requires_grad) for p in module.parameters()]
    weights = sum(n * size for n, size, _ in sizes)
    gradients = sum(n * size for n, size, trained in sizes if trained)
    count = sum(n for n, _, _ in sizes)
    return Need(
        count,
        sum(n for n, _, trained in sizes if trained),
        math.ceil(weights / shards),
        math.ceil(gradients / shards),
        math.ceil(2 * gradients / shards),
        3 * gradients,
        gradients if result is None else count * result.itemsize,
    )


def fits(need: Need, keep: int, device: torch.device, out: Path, there: int) -> None:
    """Raise `ConfigError` where a GPU or the disk is too small for what is known exactly.

    `there`: bytes of checkpoints to resume from that are on the disk already.
    """
    if device.type == "cuda":
        room = torch.cuda.get_device_properties(device).total_memory
        if need.total > room:
            raise ConfigError(
                f"weights, gradients and optimizer take {need.total / GB:.1f} GB, and {device} has"
                f" {room / GB:.1f} GB: set lora.rank, or share the model by FSDP"
                " (docs/several_gpus.md)"
            )
    free = shutil.disk_usage(out).free + there
    if need.disk(keep) > free:
        raise ConfigError(
            f"{out}: checkpoints and result take up to {need.disk(keep) / GB:.1f} GB, and"
            f" {free / GB:.1f} GB are free: name another --out, or lower keep"
        )


class Peak:
    """The most memory that this process has used since this was made.

    On a GPU, what torch has allocated; on a CPU, by how much the process has grown (its largest
    resident size, so what was freed before it was made does not count).
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._before = 0 if device.type == "cuda" else _resident()

    def bytes(self) -> int:
        """Bytes at the peak."""
        if self._device.type == "cuda":
            return torch.cuda.max_memory_allocated(self._device)
        return max(0, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - self._before)


def _resident() -> int:
    """Resident bytes of this process now (Linux)."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()


def size_of(folder: Path) -> int:
    """Bytes of all files in a folder; 0 where there is none."""
    return sum(f.stat().st_size for f in folder.rglob("*") if f.is_file())
