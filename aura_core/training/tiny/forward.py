"""The language model's forward pass over right-padded sequences, equal to the library's and with
fewer launches: on a GPU a model of this size is bound by them.

Without padding to the left and with causal attention no mask is needed: what is padded stands
behind everything that is supervised.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F

from aura_core.training.tiny.batches import Batch

WIDTH = 192  # of the model


def logits_of(
    model: Any, batch: Batch, bank: torch.Tensor
) -> tuple[torch.Tensor, list[torch.Tensor]]:
    """float32 logits (N, vocabulary) at the supervised positions, and the output of each layer.

    `bank`: features of all rooms' chunks, float16 (chunks, 12, 2 * WIDTH).
    """
    lm = model.model.language_model
    embeds = lm.embed_tokens(batch.ids)
    seen = bank[batch.rows].flatten(0, 1).float()
    merged, deep = seen.split(WIDTH, dim=-1)
    flat = embeds.flatten(0, 1).index_copy(0, batch.visual, merged)
    hidden = hidden_of(
        lm, flat.view(embeds.shape), batch.positions, batch.visual, [deep], batch.branch
    )
    return model.lm_head(hidden[-1].flatten(0, 1)[batch.at]), hidden


def hidden_of(
    lm: Any,
    embeds: torch.Tensor,
    positions: torch.Tensor,
    visual: torch.Tensor,
    deep: list[torch.Tensor],
    branch: torch.Tensor | None = None,
) -> list[torch.Tensor]:
    """Output of each layer, each (B, L, width), the last one after the final norm besides.

    Args:
        lm: the library's text model.
        embeds: (B, L, width), visual features in their places.
        positions: int64 (3, B, L).
        visual: flat places (V,) of visual tokens in (B * L).
        deep: deepstack features (V, width) that are added after the first layers.
        branch: int64 (B, L): 0 for tokens that all later ones see, else the number of a branch that
            only its own tokens see; None: there are no branches.
    """
    config = lm.config
    heads, kv, width = (
        config.num_attention_heads,
        config.num_key_value_heads,
        config.head_dim,
    )
    cos, sin = lm.rotary_emb(embeds, positions)
    cos, sin = cos[:, None], sin[:, None]
    b, length, _ = embeds.shape
    eps = config.rms_norm_eps
    mask = None if branch is None else _seen_by(branch)
    half = embeds.is_cuda  # flash attention takes 16-bit numbers only
    x, out = embeds, []
    for i, layer in enumerate(lm.layers):
        attn, mlp = layer.self_attn, layer.mlp
        h = F.rms_norm(x, x.shape[-1:], layer.input_layernorm.weight, eps)
        q = attn.q_proj(h).view(b, length, heads, width)
        k = attn.k_proj(h).view(b, length, kv, width)
        v = attn.v_proj(h).view(b, length, kv, width).transpose(1, 2)
        q = F.rms_norm(q, (width,), attn.q_norm.weight, eps).transpose(1, 2)
        k = F.rms_norm(k, (width,), attn.k_norm.weight, eps).transpose(1, 2)
        q, k = _rotated(q, cos, sin), _rotated(k, cos, sin)
        k, v = (t.repeat_interleave(heads // kv, dim=1) for t in (k, v))
        if half:
            q, k, v = q.bfloat16(), k.bfloat16(), v.bfloat16()
        y = F.scaled_dot_product_attention(q, k, v, mask, is_causal=mask is None).to(x.dtype)
        x = x + attn.o_proj(y.transpose(1, 2).reshape(b, length, -1))
        h = F.rms_norm(x, x.shape[-1:], layer.post_attention_layernorm.weight, eps)
        x = x + mlp.down_proj(F.silu(mlp.gate_proj(h)) * mlp.up_proj(h))
        if i < len(deep):
            x = x.flatten(0, 1).index_add(0, visual, deep[i]).view(x.shape)
        out.append(x)
    out.append(F.rms_norm(x, x.shape[-1:], lm.norm.weight, eps))
    return out


def _seen_by(branch: torch.Tensor) -> torch.Tensor:
    """Bool (B, 1, L, L): whether the token of the row sees that of the column."""
    length = branch.shape[1]
    before = torch.ones(length, length, dtype=torch.bool, device=branch.device).tril()
    own = branch[:, None, :] == branch[:, :, None]
    return (before & (own | (branch[:, None, :] == 0)))[:, None]


def _rotated(x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
    a, b = x.chunk(2, dim=-1)
    return x * cos + torch.cat((-b, a), dim=-1) * sin
