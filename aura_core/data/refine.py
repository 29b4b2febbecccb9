"""Stage 3: varies the difficulty and the wording of questions, and arranges them.

A real-time question gets siblings of up to four other difficulties. One of the five is chosen at
random, and answered if it is a sibling (AURA, arXiv 2604.04184). Standing questions are only
rephrased, because the times of their answers were verified. The result is one conversation.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from aura_core.data.author import Author, Sibling
from aura_core.data.outcome import ItemError, Outcome, Stage
from aura_core.data.schema import LEVELS, Clip, Conversation, Question
from aura_core.data.settings import RefineConfig
from aura_core.types import Kind


def open_stage(author: Author, config: RefineConfig, seed: int, threads: int) -> Stage:
    """Return the stage on conversations."""
    return Stage(
        Conversation, lambda c: refine(c, author, config, seed), author.cost, author.close, threads
    )


def refine(conversation: Conversation, author: Author, config: RefineConfig, seed: int) -> Outcome:
    """Return the conversation with refined questions, at most one in a second."""
    out = Outcome()
    clip = conversation.clip
    questions = []
    for q in conversation.questions:
        if q.kind is Kind.REAL_TIME:
            questions.append(_one_of_five(q, clip, author, config, seed, out))
        else:
            questions.append(_rephrased(q, clip, author, out))
    kept = _arranged(questions, out)
    if not kept:
        out.reject(clip.id, "no question left")
        return out
    out.records.append(replace(conversation, questions=tuple(kept)))
    return out


def _one_of_five(
    q: Question, clip: Clip, author: Author, config: RefineConfig, seed: int, out: Outcome
) -> Question:
    """Return the question, or one of its siblings with its answer.

    If the sibling cannot be used, the question itself is returned.
    """
    try:
        siblings = _usable(q, author.siblings(clip, q, config.siblings), out)
        rng = np.random.default_rng(
            [seed, int.from_bytes(hashlib.sha256(q.id.encode()).digest()[:8], "big")]
        )
        chosen = int(rng.integers(1 + len(siblings)))
        out.counts["siblings"] += len(siblings)
        if chosen == 0:
            out.counts["drafts kept"] += 1
            return q
        s = siblings[chosen - 1]
        answer = author.answer(clip, s.text, q.chunk)
        sibling = replace(q, text=s.text, draft=s.text, level=s.level, answers=(answer,))
        if author.visible(clip, sibling, answer, q.chunk):
            out.counts["siblings kept"] += 1
            return sibling
        out.reject(
            q.id, "sibling's answer not visible", f"'{s.text}' -> '{answer.text}' at {q.chunk} s"
        )
    except ItemError as e:
        out.leave_out(q.id, "sibling", e)
    except ValueError as e:
        out.reject(q.id, "sibling contradicts itself", str(e))
    return q


def _usable(q: Question, siblings: Sequence[Sibling], out: Outcome) -> list[Sibling]:
    """Return the siblings of other difficulties, one for each."""
    taken, usable = {q.level}, []
    for s in siblings:
        if s.level in taken or s.level not in LEVELS or not s.text.strip():
            out.reject(q.id, "sibling of no new difficulty", f"level {s.level}: '{s.text}'")
            continue
        taken.add(s.level)
        usable.append(s)
    return usable


def _rephrased(q: Question, clip: Clip, author: Author, out: Outcome) -> Question:
    try:
        text = author.rephrase(clip, q)
        if text.strip():
            out.counts["rephrased"] += text != q.text
            return replace(q, text=text)
        out.reject(q.id, "rephrasing is empty")
    except ItemError as e:
        out.leave_out(q.id, "rephrasing", e)
    return q


def _arranged(questions: Sequence[Question], out: Outcome) -> list[Question]:
    """Return the questions that fit into one conversation.

    There is at most one in a second, and none in the second of another one's answer. Standing
    questions have priority, because they passed more checks.
    """
    kept: list[Question] = []
    for q in sorted(questions, key=lambda q: (q.kind is Kind.REAL_TIME, q.chunk, q.id)):
        if any(q.chunk == k.chunk for k in kept):
            out.reject(q.id, "two questions in one second", f"at {q.chunk} s")
        elif any(q.chunk == a.chunk for k in kept for a in k.answers):
            out.reject(q.id, "asked in the second of another's answer", f"at {q.chunk} s")
        elif any(k.chunk == a.chunk for k in kept for a in q.answers):
            out.reject(q.id, "answered in the second of another question", f"asked at {q.chunk} s")
        else:
            kept.append(q)
    return sorted(kept, key=lambda q: (q.chunk, q.id))
