"""Muon (Jordan et al. 2024): momentum, orthogonalised by Newton-Schulz, for hidden matrices.

torch has it too, but iterates in bfloat16, four times slower than float32 on a CPU without matrix
instructions for it, and one matrix at a time: on a GPU a step of a small model is then mostly
launches. Here matrices of one shape are iterated together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch

_A, _B, _C = 3.4445, -4.7750, 2.0315


def orthogonalised(g: torch.Tensor, steps: int = 5) -> torch.Tensor:
    """Nearest semi-orthogonal matrices of g (..., rows, columns), float32, approximately."""
    x = g / (g.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    wide = x.shape[-2] > x.shape[-1]
    x = x.mT if wide else x
    for _ in range(steps):
        gram = x @ x.mT
        x = _A * x + (_B * gram + _C * gram @ gram) @ x
    return x.mT if wide else x


class Muon(torch.optim.Optimizer):
    """Update of RMS about 0.2 * lr (so that AdamW's learning rates carry over), decoupled weight
    decay."""

    def __init__(
        self,
        params: Iterable[torch.nn.Parameter],
        lr: float,
        momentum: float = 0.95,
        weight_decay: float = 0.02,
    ) -> None:
        super().__init__(
            list(params), {"lr": lr, "momentum": momentum, "weight_decay": weight_decay}
        )

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> Any:
        """One update of every matrix that has a gradient."""
        for group in self.param_groups:
            alike: dict[torch.Size, list[torch.nn.Parameter]] = {}
            for p in group["params"]:
                if p.grad is not None:
                    alike.setdefault(p.shape, []).append(p)
            for shape, params in alike.items():
                grads = [p.grad for p in params]
                for p in params:
                    if not self.state[p]:
                        self.state[p]["momentum"] = torch.zeros_like(p)
                buffers = [self.state[p]["momentum"] for p in params]
                torch._foreach_lerp_(buffers, grads, 1 - group["momentum"])
                nesterov = torch._foreach_lerp(grads, buffers, group["momentum"])
                update = orthogonalised(torch.stack(nesterov)).unbind()
                torch._foreach_mul_(params, 1 - group["lr"] * group["weight_decay"])
                scale = -0.2 * group["lr"] * max(shape) ** 0.5
                torch._foreach_add_(params, update, alpha=scale)
        return None
