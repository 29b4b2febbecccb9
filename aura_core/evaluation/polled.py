"""Polled evaluation, as most benchmarks' authors run a model.

The model is silent through the video. At a question it must answer, and no question stays in the
conversation. A standing question is put again each second as a yes/no question, until the first
yes. At a question, the model sees the window that the engine holds at that time, with silent turns
only and without earlier questions.

With history, as in the authors' sessions of several questions about one video, the questions and
the model's own answers stay in the conversation. Polls leave nothing in either way.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from aura_core.config import AssistantConfig
from aura_core.evaluation.records import Item, Prediction, Question, Spoken, chunk_of
from aura_core.evaluation.turns import Turns
from aura_core.models.backend import Backend
from aura_core.replay.lockstep import Lockstep
from aura_core.stream.decision import Decider, read_decision
from aura_core.stream.engine import StreamEngine
from aura_core.types import Chunk, Decision, Frame, Kind, Query


class PolledDecider(Decider):
    """Silent in every chunk without a question; speaks in every chunk with one.

    With `may_be_silent`, the model may also be silent at a question.
    """

    may_be_silent = False

    def decide(
        self,
        logits: NDArray[np.float32],
        stamp_ns: int = 0,
        asked: bool = False,
        silent: Sequence[int] | None = None,
    ) -> Decision:
        """See `Decider.decide`."""
        ids = self.silent_ids if silent is None else tuple(silent)
        own = read_decision(logits, ids)
        if not asked:
            return Decision(True, own.p_silent, ids[0])
        if self.may_be_silent or not own.silent:
            return own
        words = logits.copy()
        words[list(ids)] = -np.inf
        return Decision(False, own.p_silent, int(words.argmax()))


class Polled:
    """An engine that answers questions about its next chunk.

    With `history`, questions and answers stay in the conversation; else nothing of them is kept.
    """

    def __init__(self, backend: Backend, config: AssistantConfig, history: bool = False) -> None:
        self.history = history
        self.decider = PolledDecider(config.decider, backend.chat)
        self.lockstep = Lockstep(StreamEngine(backend, config, self.decider), at_once=False)

    def reply(self, chunk: Chunk, text: str, may_be_silent: bool = False) -> str:
        """Return what the model says to `text` in this chunk; "" for silence."""
        engine = self.lockstep.engine
        self.decider.may_be_silent = may_be_silent
        query = engine.conversation.admit(Query(text, stamp_ns=chunk.start_ns))
        return engine.answer_aside(chunk, query)

    def keep(self, chunk: Chunk, text: str, may_be_silent: bool = False) -> str:
        """Return the same, and keep question and answer in the conversation."""
        self.decider.may_be_silent = may_be_silent
        query = Query(text, stamp_ns=chunk.start_ns, kind=Kind.REAL_TIME)
        if self.lockstep.engine.last_chunk == chunk.index:
            step = self.lockstep.ask_now(query)
        else:
            self.lockstep.ask(query)
            step = self.lockstep.step()
        return step.response.text if step is not None and step.response is not None else ""


def play_polled(polled: Polled, item: Item, frames: Iterable[Frame]) -> Prediction:
    """Play an item once, and put every question separately."""
    polled.lockstep.reset()
    said: list[Spoken] = []
    turns = Turns(item.questions, polled=True)
    pending = turns.in_order()
    asked: set[str] = set()
    beyond: set[str] = set()
    seconds = 0

    def wanted(question: Question, chunk: Chunk, last: bool) -> bool:
        """Whether the question is put in this chunk.

        A question at the video's end is put in its last chunk, and a later one never.
        """
        if question.polled_at:
            return chunk.index in map(chunk_of, question.polled_at)
        poll = question.poll
        if poll is not None and question.at_s < seconds <= poll.until_s:
            return poll.again or all(s.question != question.id for s in said)
        come = question.poll is None and chunk_of(turns.at_s(question)) <= chunk.index
        return question.id not in asked and (come or (last and question.id not in beyond))

    def ripe(question: Question, chunk: Chunk) -> bool:
        """Whether the question is answered now; a standing one only after a yes to its poll."""
        poll = question.poll
        return poll is None or "yes" in polled.reply(chunk, poll.text).lower()

    def put(question: Question, chunk: Chunk) -> None:
        reply = polled.keep if polled.history else polled.reply
        if words := reply(chunk, turns.text(question, said), question.silence):
            said.append(Spoken(seconds, words, question.id, asked=question.poll is None))

    def until_s(question: Question) -> float:
        if question.polled_at:
            return max(question.polled_at)
        return question.poll.until_s if question.poll else turns.at_s(question)

    ends = [chunk_of(until_s(q)) for q in item.questions]
    for chunk, last in _chunks(polled.lockstep, max(ends, default=-1), frames):
        seconds = chunk.index + 1
        if last:
            beyond = turns.beyond_end(chunk.index) - asked
        due = [q for q in pending if wanted(q, chunk, last)]
        asked.update(q.id for q in due)
        # all polls come first: nothing can be put aside once the chunk has its turn
        for question in [q for q in due if ripe(q, chunk)]:
            put(question, chunk)
        if polled.lockstep.engine.last_chunk < chunk.index:
            polled.lockstep.step()
    never = [q.id for q in pending if q.id not in asked]
    return Prediction(
        item.id,
        tuple(said),
        seconds,
        tuple(id for id in never if id not in beyond),
        tuple(id for id in never if id in beyond),
    )


def _chunks(lockstep: Lockstep, end: int, frames: Iterable[Frame]) -> Iterator[tuple[Chunk, bool]]:
    """Yield each next chunk up to chunk `end`, and whether it is the last one of the video."""
    intake = lockstep.intake
    for frame in frames:
        lockstep.push(frame)
        while (chunk := intake.oldest) is not None and (intake.ready > 1 or chunk.index >= end):
            yield chunk, False
            if chunk.index >= end:
                return
    lockstep.flush()
    while (chunk := intake.oldest) is not None:
        yield chunk, intake.ready == 1
