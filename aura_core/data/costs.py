"""What an MLLM was paid: kept with each reply on disk, so that no kill and no second making of a
shard changes it."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

PAID = ("requests", "retries", "prompt_tokens", "completion_tokens", "seconds")
LOST = ("refused", "gave_up", "malformed")  # what becomes of a request that brings nothing


def paid(replies: Path) -> tuple[dict[str, float], list[str]]:
    """The sum over all replies of a stage, each counted once, and what is to be said about those
    that cannot be read.

    {} where nobody was asked. `replies_without_usage`: those of earlier versions, which kept none.
    """
    spent: Counter[str] = Counter()
    faults = []
    for path in sorted(replies.glob("*/*.json")):
        if ".part-" in path.name:
            continue  # is being written, or was when its run was killed
        try:
            usage = json.loads(path.read_text(encoding="utf-8")).get("usage")
            spent.update(
                {k: usage[k] for k in PAID} if usage is not None else {"replies_without_usage": 1}
            )
        except (OSError, ValueError, AttributeError, KeyError, TypeError):
            faults.append(f"{path}: a damaged reply; delete this file")
    return ({k: round(v, 3) for k, v in spent.items()}), faults
