"""The silent token of a checkpoint that has none: its id, and the rows that it begins with.

The rows of the token in the embedding table and in the head begin as the mean of the rows of all
words (J. Hewitt, "Initializing New Word Embeddings for Pretrained Language Models", 2021). The
logit of the token is then the mean of the logits of the n words, and by Jensen's inequality

    p(silent) = exp(mean logit) / (sum of exp(logit) + exp(mean logit)) <= 1 / (n + 1).

So it is neither likely nor unlikely at first, and takes at most 1 / (n + 1) from each word.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from aura_core.models.chat import SILENT

MULTIPLE = 16  # a table that grows gets a multiple of so many rows, as matrix products want it
_BLOCK = 8192  # rows that are summed at a time


def first_row(table: torch.Tensor, words: int) -> torch.Tensor:
    """Return the mean of the first `words` rows of a table (rows, width), in its dtype: (width,).

    The sum is float64. A table on the meta device has no values, and neither has the result.
    """
    total = torch.zeros(table.shape[1], dtype=torch.float64, device=table.device)
    for start in range(0, words, _BLOCK):
        total += table[start : min(words, start + _BLOCK)].double().sum(0)
    return (total / words).to(table.dtype)


def grown(table: torch.Tensor, token: int) -> torch.Tensor:
    """Return a table (rows, width) with first rows for the id `token`, which follows the words.

    The row is a spare one of a table that has more rows than words. Else rows are added, up to a
    multiple of `MULTIPLE`; those after the token are never read, and get the same values.
    """
    row = first_row(table, token)
    if token < table.shape[0]:
        made = table.clone()
        made[token] = row
        return made
    rows = -(-(token + 1) // MULTIPLE) * MULTIPLE
    return torch.cat([table, row.expand(rows - table.shape[0], -1)])


@torch.no_grad()
def add(tokenizer: Any, model: Any) -> int:
    """Add the silent token to a tokenizer and a model of transformers, and return its id."""
    from tokenizers import AddedToken

    tokenizer.add_tokens([AddedToken(SILENT, special=True)], special_tokens=True)
    token = int(tokenizer.get_vocab()[SILENT])
    old = _tables(model)
    made = [grown(t.weight, token) for t in old]
    if token >= old[0].weight.shape[0]:
        model.resize_token_embeddings(made[0].shape[0], mean_resizing=False)
    for layer, table in zip(_tables(model), made, strict=True):
        layer.weight.copy_(table)
    return token


def _tables(model: Any) -> list[nn.Module]:
    """The embedding and the head, or the one layer where the head shares its weight."""
    embedding, head = model.get_input_embeddings(), model.get_output_embeddings()
    tied = head is None or head.weight is embedding.weight
    return [embedding] if tied else [embedding, head]
