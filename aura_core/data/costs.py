"""The cost of an MLLM's replies, which is stored on disk with each reply.

A killed run and a shard that is made twice therefore do not change the sum.
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

PAID = ("requests", "retries", "prompt_tokens", "completion_tokens", "seconds")
LOST = ("refused", "gave_up", "malformed")  # what becomes of a request that brings nothing


def paid(replies: Path) -> tuple[dict[str, float], list[str]]:
    """Return the cost of all replies of a stage, and a message for each unreadable one.

    Each reply counts once. The costs are {} if no MLLM was used. `replies_without_usage` counts the
    replies of earlier versions, which stored no cost.
    """
    spent: Counter[str] = Counter()
    faults = []
    for path in sorted(replies.glob("*/*.json")):
        if ".part-" in path.name:
            continue  # half-written: by a run that is under way, or was killed
        try:
            usage = json.loads(path.read_text(encoding="utf-8")).get("usage")
            spent.update(
                {k: usage[k] for k in PAID} if usage is not None else {"replies_without_usage": 1}
            )
        except (OSError, ValueError, AttributeError, KeyError, TypeError):
            faults.append(f"{path}: a damaged reply; delete this file")
    return ({k: round(v, 3) for k, v in spent.items()}), faults
