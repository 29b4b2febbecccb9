"""Direct preference optimization (Rafailov et al., arXiv 2305.18290, equation 7).

    L = -log sigmoid(beta * [log pi(y_w|x) / ref(y_w|x) - log pi(y_l|x) / ref(y_l|x)])

x is a prefix, y_w the better turn and y_l the worse one, pi the model, and ref the checkpoint that
training began with. Two things are added: weights of pairs (`pairs.balanced`), and where wanted the
negative log-likelihood of y_w for each of its tokens (Pang et al., arXiv 2404.19733, equation 1).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F


def dpo_losses(
    chosen: torch.Tensor,
    rejected: torch.Tensor,
    chosen_before: torch.Tensor,
    rejected_before: torch.Tensor,
    beta: float,
) -> torch.Tensor:
    """The loss of each pair, (P,).

    Args:
        chosen: log pi of the better turns in nats, (P,).
        rejected: log pi of the worse turns.
        chosen_before: log ref of the better turns.
        rejected_before: log ref of the worse turns.
        beta: how strongly the model is tied to ref.
    """
    gained = (chosen - chosen_before) - (rejected - rejected_before)
    return -F.logsigmoid(beta * gained)
