"""Stage 5: drops samples whose answer does not follow from the window and the QA history.

A judge decides this. Two rules need no judge: the question must be in the window or the history,
and its evidence must be in the window. A sample that ends in silence has no answer to judge: its
silence was checked with the questions, in stage 2.
"""

from __future__ import annotations

from aura_core.data.author import Author
from aura_core.data.outcome import Outcome, Stage
from aura_core.data.schema import Sample
from aura_core.data.structure import kind_of


def open_stage(author: Author, threads: int) -> Stage:
    """Return the stage on samples."""
    return Stage(Sample, lambda s: verify(s, author), author.cost, author.close, threads)


def verify(sample: Sample, author: Author) -> Outcome:
    """Return the sample, or the reason why it was dropped."""
    out = Outcome()
    target = sample.target
    known = {w.question_id for w in sample.turns} | {g.query_id for g in sample.history}
    if not target.silent and target.question_id not in known:
        out.reject(sample.id, "the question is forgotten", target.question)
    elif target.evidence < sample.first:
        out.reject(
            sample.id,
            "the evidence is out of view",
            f"{target.evidence} s, in view from {sample.first} s",
        )
    elif not target.silent and (reason := author.ungrounded(sample)):
        out.reject(
            sample.id, "not grounded", f"{reason} ('{target.question}' -> '{target.answer}')"
        )
    else:
        out.records.append(sample)
        out.counts[kind_of(sample)] += 1
    return out
