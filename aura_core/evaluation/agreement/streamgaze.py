"""StreamGaze: the letter of a reply.

Compared with `calculate_text_quality_score` in `src/utils/overall_score.py` of
github.com/daeunni/StreamGaze; the script that sums the scores up is not in the repository.
"""

from __future__ import annotations

import json
import random
from pathlib import Path

from aura_core.evaluation.agreement.base import Hashed, Table, clock, modules, words
from aura_core.evaluation.tasks import streamgaze
from aura_core.evaluation.tasks.base import Broken


def compare(checkout: Path, work: Path, n: int, seed: int) -> Table:
    """Return how far both sides agree on `n` questions."""
    rng, table = random.Random(seed), Table()
    entries, outputs = [], []
    for k in range(n):
        question = {
            "question": " ".join(words(rng)),
            "time_stamp": clock(rng.randint(1, 500)),
            "answer": rng.choice("ABCD"),
            "options": [" ".join(words(rng)) for _ in range(4)],
        }
        letter = rng.choice("ABCD")
        reply = rng.choice((letter, f" {letter}. x", letter.lower(), f"It is {letter}", ""))
        entry = {"video_path": f"{k}.mp4", "questions": [question]}
        entries.append(entry)
        outputs.append(entry | {"model_predictions": [{"model_prediction": reply}]})
    out = work / "present_drawn_output.json"
    for path, rows in ((work / "qa" / "present_drawn.json", entries), (out, outputs)):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(rows), encoding="utf-8")
    items = streamgaze.read(work, Broken())
    predictions = {p.item: p for p in streamgaze.published(out, items, "")}
    ours = {o.item: o.value for o in streamgaze.score(items, predictions, Hashed(seed)).outcomes}
    with modules(checkout, "src/utils", ("overall_score",)) as (script,):
        for item, row in zip(items, outputs, strict=True):
            reply, truth = row["model_predictions"][0]["model_prediction"], item.questions[0].truth
            theirs = script.calculate_text_quality_score(reply, truth, "first_char")
            table.add("question", item.id, theirs, ours[item.id])
    return table
