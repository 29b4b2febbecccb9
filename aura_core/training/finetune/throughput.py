"""Efficiency of training: the arithmetic of a step, and what the machine can do.

Each operation that the model needs counts once. Operations that gradient checkpointing repeats are
not counted again.
"""

from __future__ import annotations

import time

import torch

from aura_core.training.finetune.opening import StreamModel
from aura_core.training.finetune.packing import Row


def matmul_peak(device: torch.device, dtype: torch.dtype, seconds: float = 0.1) -> float:
    """Return the operations a second of a large matrix product on this machine.

    It is the best of the products that were finished within `seconds`.
    """
    n = 8192 if device.type == "cuda" else 1024
    # a generator of its own, because a measurement must not change the run's random state
    draw = torch.Generator(device).manual_seed(0)
    a, b = (torch.randn(n, n, device=device, generator=draw).to(dtype) for _ in range(2))
    best, end = 0.0, time.perf_counter() + seconds
    a @ b  # not measured, because the first product also allocates memory
    while best == 0.0 or time.perf_counter() < end:
        _settle(device)
        start = time.perf_counter()
        a @ b
        _settle(device)
        best = max(best, 2.0 * n**3 / (time.perf_counter() - start))
    return best


def step_flops(module: StreamModel, row: Row) -> float:
    """Return the operations of one forward and backward pass over a row.

    Only matrix products and attention are counted.
    """
    inner, family = module.inner, module.family
    text = family.text(inner)
    config = text.config
    heads = config.num_attention_heads
    width = heads * (getattr(config, "head_dim", None) or config.hidden_size // heads)
    # Causal attention is half of the square. There are two products, of two operations each.
    look = sum(2 * n * n * width * config.num_hidden_layers for n in row.lengths)
    total = (
        _linear(text.layers, len(row.ids), True)
        + 3 * look
        + _linear(inner.get_output_embeddings(), len(row.at), True)
    )
    if not row.pixels:
        return total
    blocks, patches, seen = family.vision_work(inner, row.pixels)
    return total + _linear(blocks, patches, module.see) + (3 if module.see else 1) * seen


def _linear(part: torch.nn.Module, tokens: int, backward: bool) -> float:
    """Return the operations of the linear layers of `part`.

    The forward pass needs 2 for each weight and token. The backward pass needs as many for the
    activations, and as many again for each weight that is trained.
    """
    sizes = [(p.numel(), p.requires_grad) for p in part.parameters() if p.ndim == 2]
    forward = 2.0 * tokens * sum(n for n, _ in sizes)
    return forward + (
        forward + 2.0 * tokens * sum(n for n, trained in sizes if trained) if backward else 0.0
    )


def _settle(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
