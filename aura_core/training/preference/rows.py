"""One forward pass over a window that tells the log-probabilities of all outputs of its choices.

The window's tokens come first, as they are in the engine's cache. The words of each output follow
as a branch: they see the window up to their own decision and themselves, and nothing sees them. So
all decisions of a window share one pass over its video, and each has the log-probability that it
has alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from aura_core.models.backend import Piece
from aura_core.models.families import Family
from aura_core.models.families.base import Block, Features
from aura_core.models.kv_session import block_of
from aura_core.stream.prompt import PromptCodec
from aura_core.stream.window import tokens_in
from aura_core.training.preference.rollouts import Choice, Output, View


@dataclass(frozen=True, eq=False)
class Row:
    """A window of L tokens, branches included, with N tokens of M outputs.

    - `block`: the tokens, for `Family.hidden`.
    - `mask`, bool (L, L): whether the token of the row sees that of the column.
    - `choices`, `outputs`: output i belongs to `choices[of[i]]`.
    - `at`, int64 (N,): the token whose logits predict a token of an output; `target`, int64 (N,).
    - `stops`, bool (N,): it is silence, or the end of words; any of the silent ids counts then.
    - `owner`, int64 (N,): the output that a token belongs to.
    - `anchors`, int64 (A,): where the turns of the window that are no choice are predicted.
    """

    block: Block
    mask: torch.Tensor
    choices: tuple[Choice, ...]
    outputs: tuple[Output, ...]
    of: tuple[int, ...]
    at: torch.Tensor
    target: torch.Tensor
    stops: torch.Tensor
    owner: torch.Tensor
    anchors: torch.Tensor


def row_of(
    view: View, choices: Sequence[Choice], codec: PromptCodec, family: Family, device: torch.device
) -> Row:
    """The row of a window for some of its choices; it ends with the last of them.

    Its vision features are normal tensors, which gradients may pass by; none reaches the encoder.
    """
    chosen = {c.turn for c in choices}
    last = max(chosen)
    pieces: list[Piece] = [codec.head(view.prefix)]
    length, decides, anchors = len(pieces[0]), dict[int, int](), list[int]()
    for index, turn in enumerate(view.turns[: last + 1]):
        user = turn.user(codec)
        pieces += user
        length += tokens_in(user)
        decides[index] = length - 1
        if index == last:
            break
        answer = codec.assistant(turn.answer_ids)
        if index not in chosen:
            written = len(codec.silence) if turn.answer_ids is None else len(turn.answer_ids) + 1
            anchors += range(length - 1, length - 1 + written)
        pieces.append(answer)
        length += len(answer)
    main = block_of(pieces, torch.from_numpy(family.positions().extend(pieces))[..., None, :])
    ids, places = [main.ids[0]], [main.positions]
    cuts: list[tuple[int, int, int]] = []  # a branch: first token, end, its decision
    columns: list[tuple[int, int, bool, int]] = []
    outputs, of, total = list[Output](), list[int](), length
    for k, choice in enumerate(choices):
        at = decides[choice.turn]
        for output in choice.outputs:
            branch = output.ids if output.ended else output.ids[:-1]
            where = [at, *range(total, total + len(branch))]
            told = [(i, False) for i in output.ids] + [(0, True)] * output.ended
            columns += [
                (place, target, stop, len(outputs))
                for place, (target, stop) in zip(where, told, strict=True)
            ]
            outputs.append(output)
            of.append(k)
            if branch:
                cuts.append((total, total + len(branch), at))
                ids.append(torch.tensor(branch, device=ids[0].device))
                steps = torch.arange(1, len(branch) + 1, device=ids[0].device)
                places.append(main.positions[..., at : at + 1] + steps)
                total += len(branch)
    mask = torch.ones(total, total, dtype=torch.bool).tril()
    for first, end, at in cuts:
        mask[first:end, at + 1 : first] = False
    visual = torch.zeros(1, total, dtype=torch.bool)
    visual[:, :length] = main.visual
    features = main.features
    if features is not None:  # made in inference mode
        features = Features(features.merged.clone(), [d.clone() for d in features.deepstack])
    place, target, stops, owner = zip(*columns, strict=True)
    block = Block(
        torch.cat(ids)[None].to(device),
        torch.cat(places, dim=-1).to(device),
        visual.to(device),
        features,
    )
    numbers = (torch.tensor(c, device=device) for c in (place, target, stops, owner, anchors))
    at_, target_, stops_, owner_, anchors_ = numbers
    return Row(
        block,
        mask.to(device),
        tuple(choices),
        tuple(outputs),
        tuple(of),
        at_,
        target_,
        stops_,
        owner_,
        anchors_.long(),
    )


def predicted(
    family: Family, model: Any, row: Row, silent_ids: Sequence[int]
) -> tuple[torch.Tensor, torch.Tensor]:
    """What a model says of a row.

    Returns:
        Log-probabilities in nats of the outputs' tokens, float32 (N,); and log-probabilities of all
        tokens at the anchors, float32 (A, vocabulary).
    """
    hidden = family.hidden(model, row.block, attention_mask=row.mask[None, None])[0]
    places = torch.cat((row.at, row.anchors))
    told = family.logits(model, hidden[places]).float().log_softmax(-1)
    mine, anchors = told[: len(row.at)], told[len(row.at) :]
    ends = mine[:, list(silent_ids)].logsumexp(-1)
    words = mine.gather(-1, row.target[:, None])[:, 0]
    return torch.where(row.stops, ends, words), anchors


def sums(values: torch.Tensor, owner: torch.Tensor, count: int) -> torch.Tensor:
    """Sum of the tokens' values (N,) of each output, float32 (count,)."""
    return values.new_zeros(count).index_add(0, owner, values)
