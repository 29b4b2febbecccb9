"""Qwen3-VL's vision encoder over many equal chunks at once, for training it.

The attention of transformers loops over the chunks. This code gives the same features (to 1e-5 in
float32, tested), and is several times faster where chunks are small and many.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F

from aura_core.models.families.base import Features


def equal_chunks(visual: Any, patches: torch.Tensor, grid: tuple[int, int]) -> Features:
    """Features of B chunks whose frames have the same size.

    Args:
        visual: `Qwen3VLVisionModel`.
        patches: float (B, P, D); each row is one chunk as `patchify` lays it out.
        grid: rows and columns of patches; their product is P.

    Returns:
        Merged and deepstack features, each (B, P / merge**2, width).
    """
    b, n, d = patches.shape
    m = visual.spatial_merge_size
    at, weight, order = _layout(visual, grid, patches.device)
    # A convolution whose stride equals its kernel is a matrix product, which is faster.
    stem = visual.patch_embed.proj
    x = F.linear(patches.reshape(b * n, d), stem.weight.flatten(1), stem.bias).reshape(b, n, -1)
    x = x + (visual.pos_embed(at) * weight[:, :, None]).sum(1)
    cos, sin = visual.rotary_pos_emb(x, order)
    cos, sin = cos[None, None], sin[None, None]
    deep = []
    for i, block in enumerate(visual.blocks):
        attn = block.attn
        q, k, v = (
            attn.qkv(block.norm1(x)).reshape(b, n, 3, attn.num_heads, -1).permute(2, 0, 3, 1, 4)
        )
        q, k = _rotate(q, cos, sin), _rotate(k, cos, sin)
        y = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(b, n, -1)
        x = x + attn.proj(y)
        x = x + block.mlp(block.norm2(x))
        if i in visual.deepstack_visual_indexes:
            merger = visual.deepstack_merger_list[visual.deepstack_visual_indexes.index(i)]
            deep.append(merger(x.reshape(b * n, -1)).reshape(b, n // m**2, -1))
    return Features(visual.merger(x.reshape(b * n, -1)).reshape(b, n // m**2, -1), deep)


def _layout(
    visual: Any, grid: tuple[int, int], device: torch.device
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The position embedding of each patch, and the order of the patches.

    Returns the entries of the position table that each patch mixes, their weights, and the row and
    column of each patch.
    """
    from transformers.models.qwen3_vl import modeling_qwen3_vl as library

    sizes = torch.tensor([[1, *grid]], device=device)
    at, weight = library.get_vision_interpolation_indices_and_weights(
        sizes,
        num_grid_per_side=visual.num_grid_per_side,
        mode=visual.interpolation_mode,
        align_corners=visual.interpolation_align_corners,
        spatial_merge_size=visual.spatial_merge_size,
        kwargs={},
    )
    return at, weight, library.get_vision_position_ids(sizes, visual.spatial_merge_size, kwargs={})


def _rotate(x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
    a, b = x.chunk(2, dim=-1)
    return x * cos + torch.cat((-b, a), dim=-1) * sin
