"""What samples are like: by kind, language, difficulty, length and number of answers.

Difficulty and the number of a question's answers are read from the conversations (`refine`) of the
same run, where there are any: a sample has one answer of a question.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from aura_core.data.detector import detector
from aura_core.data.exchange.rows import kind_of
from aura_core.data.language import language_of
from aura_core.data.offline import Offline
from aura_core.data.samples import Line
from aura_core.data.schema import Conversation, Sample
from aura_core.data.store import StageFolder
from aura_core.words import words_of

LATIN = "in Latin letters"
"""The language of answers whose letters do not tell it, without py3langid or where it is unsure."""
SHARES = (0.0, 0.1, 0.5, 0.9, 1.0)  # of the samples: the quantiles that are shown


def statistics(lines: Sequence[Line]) -> dict[str, Any]:
    """Return counts and quantiles of samples, as plain values.

    Raises `InputError` when the conversations of their run are damaged.
    """
    samples = [line.sample for line in lines]
    streams = [s for s in samples if isinstance(s, Sample)]
    offline = [s for s in samples if isinstance(s, Offline)]
    spoken = [s for s in streams if s.target.answer]
    asked = _asked({line.shard.path.parent.parent for line in lines})
    known = [asked[s.target.question_id] for s in streams if s.target.question_id in asked]
    once = {s.target.question_id for s in streams}
    answers = [asked[q] for q in sorted(once & asked.keys())]
    return {
        "version": 1,
        "samples": len(samples),
        "clips": len({s.clip.video for s in streams}),
        "hours": round(_seconds(streams) / 3600, 3),
        "kind": _counts(["acknowledgment" if _acknowledges(s) else kind_of(s) for s in samples]),
        "language of the answer": _counts(
            _languages(
                [(s.target.answer, s.target.question) for s in spoken]
                + [(s.rounds[-1].answer, s.rounds[-1].text) for s in offline]
            )
        ),
        "level": _counts([str(level) for level, _ in known]),
        "answers of a question": _counts([str(n) for _, n in answers]),
        "shown": _counts([_shown(s) for s in offline]),
        "quantiles": {
            "words of an answer": _quantiles(
                [len(words_of(s.target.answer)) for s in spoken]
                + [len(words_of(r.answer)) for s in offline for r in s.rounds]
            ),
            "seconds in view": _quantiles([s.stop - s.first for s in streams]),
            "text tokens": _quantiles([s.text_tokens for s in streams]),
            "answers in view": _quantiles(
                [sum(w.answer is not None for w in s.turns) for s in streams]
            ),
            "share of silent seconds": _quantiles([_silent(s) for s in streams]),
            "rounds": _quantiles([len(s.rounds) for s in offline]),
        },
    }


def tables(found: dict[str, Any]) -> list[Any]:
    """Return tables for `rich`."""
    from rich.table import Table

    counts = Table("", "", "samples", title=f"{found['samples']} samples, {found['clips']} clips")
    for name, values in found.items():
        if isinstance(values, dict) and name != "quantiles":
            for value, n in values.items():
                counts.add_row(name, value, str(n))
                name = ""
    spread = Table("", "n", *("least", "10 %", "half", "90 %", "most"))
    for name, one in found["quantiles"].items():
        if one["n"]:
            spread.add_row(name, str(one["n"]), *(f"{v:g}" for v in one["at"]))
    return [counts, spread]


def _asked(runs: Iterable[Path]) -> dict[str, tuple[int, int]]:
    """Return the level and the number of answers of each question, by its id."""
    found: dict[str, tuple[int, int]] = {}
    for run in runs:
        folder = StageFolder(run, "refine")
        if not (folder.path / "manifest.json").is_file():
            continue
        for index in range(len(folder.all_done())):
            for conversation in folder.read(index, Conversation):
                for q in conversation.questions:
                    found[q.id] = (q.level, len(q.answers))
    return found


def _seconds(samples: Iterable[Sample]) -> int:
    return sum({s.clip.video: s.clip.seconds for s in samples}.values())


def _acknowledges(sample: Sample | Offline) -> bool:
    return isinstance(sample, Sample) and sample.target.acknowledgment


def _shown(sample: Offline) -> str:
    kinds = {"video" if m.chunks else "picture" for m in sample.media}
    return " and ".join(sorted(kinds)) or "text alone"


def _silent(sample: Sample) -> float:
    spoken = sum(w.answer is not None for w in sample.turns)
    return 1 - spoken / (sample.stop - sample.first)


def _languages(asked: Sequence[tuple[str, str]]) -> list[str]:
    """Return the language of each answer, given with its question.

    Its script tells it; in Latin letters the detector, by the question too, because one word does
    not tell a language.
    """
    tell, found = detector(), []
    for answer, question in asked:
        language = language_of(answer) or "none"
        if language == "latin":
            language = (tell(f"{question} {answer}") if tell else "") or LATIN
        found.append(language)
    return found


def _counts(values: Sequence[str]) -> dict[str, int]:
    return dict(sorted(Counter(values).items(), key=lambda c: (-c[1], c[0])))


def _quantiles(values: Sequence[float]) -> dict[str, Any]:
    at = [round(float(v), 3) for v in np.quantile(values, SHARES)] if values else []
    return {"n": len(values), "at": at}
