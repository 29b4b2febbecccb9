"""Polled, as most authors run: silent through the video, words forced at a question, and no
question leaves a trace.

A standing question is asked anew each second, as yes or no, until the first yes. What the model
sees at a question is the window that the engine holds then, with silent turns alone and without
earlier questions.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from aura_core.config import AssistantConfig
from aura_core.evaluation.records import Item, Prediction, Question, Spoken, chunk_of
from aura_core.evaluation.turns import Turns
from aura_core.models.backend import Backend
from aura_core.stream.decision import Decider, read_decision
from aura_core.stream.engine import StreamEngine
from aura_core.stream.generation import Answer, OnText
from aura_core.stream.window import Turn
from aura_core.types import Chunk, Decision, Frame, Query, Response


class PolledDecider(Decider):
    """Silent in every chunk without a question; words in every chunk with one, unless
    `may_be_silent`."""

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


class PolledAssistant(StreamEngine):
    """An engine that can be asked about its next chunk without taking it."""

    def __init__(self, backend: Backend, config: AssistantConfig | None = None) -> None:
        super().__init__(backend, config)
        self.decider: PolledDecider = PolledDecider(self.config.decider, backend.chat)
        self._heard = ""

    def reply(self, text: str, may_be_silent: bool = False) -> str:
        """What the model says to `text` in the next chunk; "" for silence. The chunk still waits,
        as before."""
        chunk = self.next_chunk
        assert chunk is not None
        self.decider.may_be_silent = may_be_silent
        self.ask(Query(text, stamp_ns=chunk.start_ns))
        self.step()
        return self._heard

    def _close_turn(
        self,
        turn: Turn,
        chunk: Chunk,
        asked: Query | None,
        answer: Answer | None,
        on_text: OnText | None,
    ) -> tuple[Response | None, str]:
        """A turn with a question is taken back, and its chunk waits again, encoded."""
        if asked is None:
            return super()._close_turn(turn, chunk, asked, answer, on_text)
        self._heard = self.codec.text(answer.ids) if answer else ""
        self.policy.discard()
        self.attribution.forget(asked)
        self._peeked[chunk.index] = turn.video
        self._pending.appendleft(chunk)
        return None, ""


def play_polled(assistant: PolledAssistant, item: Item, frames: Iterable[Frame]) -> Prediction:
    """One pass, with every question on its own."""
    assistant.reset()
    said: list[Spoken] = []
    turns = Turns(item.questions, polled=True)
    pending = turns.in_order()
    asked: set[str] = set()
    seconds = 0

    def wanted(question: Question, chunk: Chunk, last: bool) -> bool:
        """Whether the question is put to this chunk; one that is later than the video is put to its
        last."""
        if question.poll is not None and question.at_s < seconds <= question.poll.until_s:
            return all(s.question != question.id for s in said)
        come = question.poll is None and chunk_of(turns.at_s(question)) <= chunk.index
        return question.id not in asked and (come or last)

    def put(question: Question) -> None:
        """Ask; a poll that is not answered with yes leaves the question open."""
        if question.poll is not None and "yes" not in assistant.reply(question.poll.text).lower():
            return
        if words := assistant.reply(turns.text(question, said), question.silence):
            said.append(Spoken(seconds, words, question.id, asked=question.poll is None))

    ends = [chunk_of(q.poll.until_s if q.poll else turns.at_s(q)) for q in item.questions]
    for chunk, last in _chunks(assistant, max(ends, default=-1), frames):
        seconds = chunk.index + 1
        for question in pending:
            if wanted(question, chunk, last):
                asked.add(question.id)
                put(question)
        assistant.step()
    return Prediction(
        item.id, tuple(said), seconds, tuple(q.id for q in pending if q.id not in asked)
    )


def _chunks(
    assistant: PolledAssistant, end: int, frames: Iterable[Frame]
) -> Iterator[tuple[Chunk, bool]]:
    """The chunk that waits next, up to chunk `end`, once it is known whether it is the last one of
    the video."""
    for frame in frames:
        assistant.push(frame)
        while (chunk := assistant.next_chunk) is not None and (
            assistant.ready > 1 or chunk.index >= end
        ):
            yield chunk, False
            if chunk.index >= end:
                return
    assistant.flush()
    while (chunk := assistant.next_chunk) is not None:
        yield chunk, assistant.ready == 1
