"""StreamEQA: the letter of a reply, and the accuracy by task.

Compared with `streameqa/prompts.py` and `streameqa/metrics.py` of github.com/MrYF-Wang/StreamEQA.
"""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

from aura_core.evaluation.agreement.base import Hashed, Table, modules, words
from aura_core.evaluation.tasks import streameqa
from aura_core.evaluation.tasks.base import Broken


def compare(checkout: Path, work: Path, n: int, seed: int) -> Table:
    """Return how far both sides agree on `n` questions."""
    rng, table = random.Random(seed), Table()
    work.mkdir(parents=True, exist_ok=True)
    rows: list[dict[str, Any]] = []
    for k in range(n):
        options = [" ".join(words(rng)) for _ in range(4)]
        labelled = [f"{c}. {o}" for c, o in zip("ABCD", options, strict=True)]
        rows.append(
            {
                "id": k,
                "video": f"P0{k % 3}-{k % 7}",
                "realtime": rng.randint(2, 500),
                "question": " ".join(words(rng)),
                "options": labelled if rng.random() < 0.5 else options,
                "gt": rng.randrange(4),
                "task": rng.choice(("T1", "T2", "T3")),
            }
        )
    (work / "Perception.json").write_text(json.dumps(rows), encoding="utf-8")
    items = streameqa.read(work, Broken())
    with modules(checkout, "", ("streameqa.prompts", "streameqa.metrics")) as (prompts, metrics):
        raw = []
        for row in rows:
            _, options = prompts.format_prompt(row)
            reply = _reply(rng, options)
            row["model"] = prompts.normalize_choice(reply, options) or reply
            raw.append(reply)
        theirs = metrics.compute_stats(rows, "model")
        single = [metrics.compute_stats([row], "model") for row in rows]
    # our side reads the raw replies
    for row, reply in zip(rows, raw, strict=True):
        row["model"] = reply
    (work / "out.json").write_text(json.dumps(rows), encoding="utf-8")
    predictions = {p.item: p for p in streameqa.published(work / "out.json", items, "model")}
    scores = streameqa.score(items, predictions, Hashed(seed))
    ours = {o.part: o.value for o in scores.outcomes}
    for row, stats in zip(rows, single, strict=True):
        right = stats["total"]["correct"] if stats else None
        table.add("question", row["id"], right, ours.get(str(row["id"])))
    for task, stats in theirs.items():
        table.add("figures", task, stats["accuracy"], scores.figures[task].value)
    return table


def _reply(rng: random.Random, options: list[str]) -> str:
    letter, option = rng.choice("ABCD"), rng.choice(options)
    forms = (letter, f"{letter}.", f"{letter}) it", option, option[3:], option[3:7], letter.lower())
    return rng.choice((*forms, f"The answer is {letter}.", f" ({letter})", "I do not know", ""))
