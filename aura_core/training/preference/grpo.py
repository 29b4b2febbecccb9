"""Group relative policy optimization (Shao et al., arXiv 2402.03300, equations 3 and 4).

    J = 1/G sum_i 1/|o_i| sum_t { min(r A_i, clip(r, 1 - eps, 1 + eps) A_i) - beta D }
    r = pi(o_it) / old(o_it)                        A_i = (R_i - mean(R)) / std(R)
    D = ref(o_it) / pi(o_it) - log (ref(o_it) / pi(o_it)) - 1

o_1 .. o_G are turns that were sampled after one prefix, with rewards R_i (outcome supervision). pi
is the model, old is the model that sampled them, and ref the checkpoint that training began with.
Turns that are equal are kept once, with their number. std divides by G. A group whose rewards are
all equal has no advantage, and its turns are left to D.
"""

from __future__ import annotations

import torch

EQUAL = 1e-6  # rewards that differ by less are equal: only their sums are rounded otherwise


def advantages(rewards: torch.Tensor, counts: torch.Tensor) -> torch.Tensor:
    """A_i of the different turns of one group, (M,).

    Args:
        rewards: of each turn, (M,).
        counts: how often it was sampled, (M,); a turn that was not sampled counts nothing.
    """
    share = counts / counts.sum()
    mean = (share * rewards).sum()
    std = (share * (rewards - mean).square()).sum().sqrt()
    sampled = rewards[counts > 0]
    differ = sampled.max() - sampled.min() > EQUAL
    return (rewards - mean) / std if differ else torch.zeros_like(rewards)


def grpo_loss(
    log_p: torch.Tensor,
    old: torch.Tensor,
    before: torch.Tensor,
    owner: torch.Tensor,
    advantage: torch.Tensor,
    share: torch.Tensor,
    ratio: float,
    kl: float,
) -> torch.Tensor:
    """-J, summed over the groups whose M turns are given, a scalar.

    Args:
        log_p: log pi of each token in nats, (N,).
        old: log old of each token.
        before: log ref of each token.
        owner: int64 (N,), the turn of each token.
        advantage: A_i of each turn, (M,).
        share: the part of its group that each turn is, (M,): its number divided by G.
        ratio: eps of the clipping.
        kl: beta.
    """
    r = (log_p - old).exp()
    a = advantage[owner]
    gained = torch.minimum(r * a, r.clamp(1.0 - ratio, 1.0 + ratio) * a)
    apart = before - log_p
    divergence = apart.exp() - apart - 1.0
    length = torch.bincount(owner, minlength=len(share)).to(log_p.dtype)
    return -((share / length)[owner] * (gained - kl * divergence)).sum()
