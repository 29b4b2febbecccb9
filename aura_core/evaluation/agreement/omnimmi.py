"""OmniMMI: whole items of several turns, alerts and silence, on the authors' annotation files.

Compared with `evaluations/evaluate.py` of github.com/OmniMMI/OmniMMI. Its judge is an LLM in
another process, so both sides get verdicts that are drawn; alerts and turn-taking have none.
"""

from __future__ import annotations

import contextlib
import io
import json
import random
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from aura_core.evaluation.agreement.base import HashedVerdict, Table, modules, sentence, stand_ins
from aura_core.evaluation.tasks import omnimmi
from aura_core.evaluation.tasks.base import Broken, load_rows

SHORT = dict(
    zip(omnimmi.PARTS, ("sg", "md", "ap", "si", "pa", "pt"), strict=True)
)  # names of the parts in the authors' script

NEEDS = {"openai": ("AzureOpenAI", "OpenAI"), "dotenv": ("load_dotenv",), "tqdm": ("tqdm",)}


def compare(checkout: Path, work: Path, n: int, seed: int) -> Table:
    """Return how far both sides agree on up to `n` items of each part, drawn from the files."""
    rng, table, judge = random.Random(seed), Table(), HashedVerdict(seed)
    data = work / "data"
    data.mkdir(parents=True, exist_ok=True)
    for part in omnimmi.PARTS:
        rows = load_rows(checkout / "omnimmi" / f"{part}.json")
        rows = rng.sample(rows, min(n, len(rows)))
        (data / f"{part}.json").write_text(json.dumps(rows), encoding="utf-8")
        lines = [_reply(rng, part, row) for row in rows]
        (work / f"{part}.pred.json").write_text(
            "".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8"
        )
    items = omnimmi.read(data, Broken())
    predictions = {}
    for part in omnimmi.PARTS:
        for p in omnimmi.published(work / f"{part}.pred.json", items, ""):
            predictions[p.item] = p
    scores = omnimmi.score(items, predictions, judge)
    whole: dict[str, float] = {}
    for o in scores.outcomes:
        whole[o.item] = min(whole.get(o.item, 1.0), o.value)
    with (
        _in_process(),
        stand_ins(NEEDS),
        modules(checkout, "evaluations", ("evaluate",)) as (evaluate,),
    ):
        evaluate.openai_eval = lambda question, answer, pred: {
            "pred": "yes" if pred and judge.right(answer, pred) else "no",
            "score": 0,
        }
        for part in omnimmi.PARTS:
            theirs, single = _theirs(evaluate, work, part)
            table.add("figure of a part", part, theirs, scores.figures[part].value)
            for id, value in single.items():
                item = next(i for i in items if id in (i.id,))
                table.add("item", id, value, whole[item.id])
    return table


def _theirs(evaluate: ModuleType, work: Path, part: str) -> tuple[float, dict[str, float]]:
    """Return the figure that the authors' script prints, and that of each item alone."""
    path = work / f"{part}.pred.json"
    lines = path.read_text(encoding="utf-8").splitlines()
    ids = {
        item.id: line
        for item, line in zip(
            [i for i in omnimmi.read(work / "data", Broken()) if i.truth["part"] == part],
            lines,
            strict=True,
        )
    }
    single = {}
    for k, (id, line) in enumerate(ids.items()):
        alone = work / "one" / f"{part}-{k}.json"
        alone.parent.mkdir(exist_ok=True)
        alone.write_text(line + "\n", encoding="utf-8")
        single[id] = _run(evaluate, alone, work / "out" / f"{k}", part)
    return _run(evaluate, path, work / "out" / "all", part), single


def _run(evaluate: ModuleType, path: Path, out: Path, part: str) -> float:
    """Return the accuracy that `evaluate.main` prints. It reads lines with Python's `eval`."""
    argv, printed = sys.argv, io.StringIO()
    sys.argv = ["evaluate.py", "--model_name", "M4", "--benchmark_name", SHORT[part]]
    sys.argv += ["--pred_path", str(path), "--output_dir", str(out)]
    try:
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(io.StringIO()):
            evaluate.main()
    finally:
        sys.argv = argv
    line = next(x for x in printed.getvalue().splitlines() if x.lower().startswith("average acc"))
    return float(line.rpartition(":")[2])


class _Pool:
    """Runs in this process, so that drawn verdicts are seen."""

    def __enter__(self) -> _Pool:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def starmap(self, work: Any, rows: Any) -> list[Any]:
        return [work(*row) for row in rows]


@contextlib.contextmanager
def _in_process() -> Any:
    """Let the script's pool of processes run here."""
    from multiprocessing import pool

    before, pool.Pool = pool.Pool, _Pool  # type: ignore[misc, assignment]
    try:
        yield
    finally:
        pool.Pool = before  # type: ignore[misc]


def _reply(rng: random.Random, part: str, row: dict[str, Any]) -> dict[str, Any]:
    if part in omnimmi.SEVERAL:
        right = rng.random() < 0.5
        qa = [
            turn | {"pred": turn["answer"] if right or rng.random() < 0.5 else sentence(rng)}
            for turn in row["qa"]
        ]
        return row | {"qa": qa}
    if part == omnimmi.ALERT:
        start_s, end_s = row["answer"]
        near = sorted(
            round(rng.uniform(start_s - 10, end_s + 10), 1) for _ in range(rng.randint(0, 3))
        )
        return row | {"pred": [max(0.0, t) for t in near]}
    if part == omnimmi.SILENCE:
        return row | {"pred": rng.choice(("", "<2> hm", sentence(rng)))}
    return row | {"pred": rng.choice((row["answer"], sentence(rng)))}
