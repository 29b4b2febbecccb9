"""Items of a benchmark through the engine: free-running as it runs live, or polled as most authors do.

Free-running: one pass over the video, in lockstep, 2 frames a second; questions come at their times into one
conversation, the model alone decides each second whether to speak, and everything that it says is recorded.

Polled: each question on its own, after the last `window.max` seconds before it, through which the model was kept
silent; words are forced. A standing question is asked anew each second, as yes or no, until the first yes.
"""

from __future__ import annotations

import itertools
import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from aura_core.config import AssistantConfig
from aura_core.errors import InputError
from aura_core.evaluation.predictions import Writer
from aura_core.evaluation.records import PREVIOUS, Item, Prediction, Question, Spoken
from aura_core.models.backend import Backend
from aura_core.replay.lockstep import drive
from aura_core.sources import open_source
from aura_core.sources.base import FrameSource
from aura_core.stream.assistant import StreamingAssistant
from aura_core.stream.decision import Decider, judge
from aura_core.types import Decision, Frame, Query, Step

NS = 1_000_000_000
NEVER_S = 1e9  # later than the end of any video
FROZEN_S = 30  # seconds that the last picture may stand for questions that are later than the video's end
OPEN_QUESTIONS = 64  # a benchmark may ask more at once than a person would


@dataclass(frozen=True)
class RunCounts:
    """What became of the items of a run."""

    played: int
    known: int  # were in the prediction file already
    missing: tuple[str, ...]  # video missing or broken: one line each


def run(
    items: Sequence[Item], data: Path, backend: Backend, config: AssistantConfig, writer: Writer, polled: bool = False,
    progress: Callable[[Item], None] = lambda item: None,
) -> RunCounts:  # fmt: skip
    """Play all items that `writer` does not have yet. A video that is missing or broken is named, not raised."""
    speaker = replace(config.speaker, max_pending_questions=max(OPEN_QUESTIONS, config.speaker.max_pending_questions))
    assistant = StreamingAssistant(backend, replace(config, speaker=speaker))
    known, played, missing = len({i.id for i in items} & writer.done), 0, []
    for item in items:
        if item.id not in writer.done:
            try:
                with open_video(item, data, config.chunker.tolerance_s) as source:
                    prediction = (play_polled if polled else play)(assistant, item, source)
            except InputError as e:
                missing.append(f"item {item.id}: {e}")
            else:
                writer.add(prediction)
                played += 1
        progress(item)
    return RunCounts(played, known, tuple(missing))


def open_video(item: Item, data: Path, tolerance_s: float = 0.05) -> FrameSource:
    """The item's video, from the first of its places that exists. Raises `InputError`."""
    place = next((data / v for v in item.videos if (data / v).is_file()), None)
    if place is None:
        raise InputError(f"video {item.videos[0]} is not in {data}")
    return open_source(str(place), tolerance_s=tolerance_s)


# ---- free-running ----------------------------------------------------------------------------------


def play(assistant: StreamingAssistant, item: Item, frames: Iterable[Frame]) -> Prediction:
    """One free-running pass."""
    assistant.reset()
    said: list[Spoken] = []
    waiting = deque(sorted(item.questions, key=lambda q: q.at_s))
    asked: set[str] = set()
    seconds = 0

    def query(question: Question, now_ns: int) -> Query:
        text = question.text.replace(PREVIOUS, said[-1].text if said else "")
        return Query(text, question.id, min(_start_ns(question), now_ns), question.kind)

    def events() -> Iterator[Frame | Query]:
        """Frames, and each question as soon as its chunk begins, so that it may repeat what was said before."""
        frame: Frame | None = None
        for coming in itertools.chain(frames, (None,)):
            if coming is not None and item.end_s is not None and coming.stamp_ns >= math.ceil(item.end_s) * NS:
                coming = None
            if frame is not None:
                while waiting and (coming is None or _start_ns(waiting[0]) <= frame.stamp_ns):
                    yield query(waiting.popleft(), frame.stamp_ns)
                yield frame
            if coming is None:
                break
            frame = coming
        if frame is not None:
            yield from _frozen(frame, lambda: len(asked) < len(item.questions))

    for step in drive(assistant, events()):
        seconds = step.chunk + 1
        if step.question_id is not None:
            asked.add(step.question_id)
        said += spoken(step)
    return Prediction(item.id, tuple(said), seconds, tuple(q.id for q in item.questions if q.id not in asked))


def chunk_of(at_s: float) -> int:
    """Index of the newest chunk that has ended by `at_s`, rounded up to a full second: nothing later is seen."""
    return max(0, math.ceil(min(at_s, NEVER_S)) - 1)


def spoken(step: Step) -> list[Spoken]:
    """The words of a step, at the end of its chunk."""
    r = step.response
    return [] if r is None else [Spoken(step.chunk + 1, r.text, r.query_id, step.question_id is not None)]


def _start_ns(question: Question) -> int:
    return chunk_of(question.at_s) * NS


def _frozen(last: Frame, needed: Callable[[], bool]) -> Iterator[Frame]:
    """The last picture, held for as long as a question waits for a chunk (one chunk takes one question)."""
    for k in range(1, 2 * FROZEN_S + 1):
        if not needed():
            return
        yield replace(last, stamp_ns=last.stamp_ns + k * NS // 2)


# ---- polled ----------------------------------------------------------------------------------------


class PolledDecider(Decider):
    """Silent in every chunk without a question; words in every chunk with one, unless `may_be_silent`."""

    may_be_silent = False

    def decide(
        self, logits: NDArray[np.float32], stamp_ns: int = 0, asked: bool = False, silent: Sequence[int] | None = None
    ) -> Decision:
        """See `Decider.decide`."""
        ids = self.silent_ids if silent is None else tuple(silent)
        own = judge(logits, ids)
        if not asked:
            return Decision(True, own.p_silent, ids[0])
        if self.may_be_silent or not own.silent:
            return own
        words = logits.copy()
        words[list(ids)] = -np.inf
        return Decision(False, own.p_silent, int(words.argmax()))


def play_polled(assistant: StreamingAssistant, item: Item, frames: Iterable[Frame]) -> Prediction:
    """Each question on its own, over the seconds before it."""
    said: list[Spoken] = []
    asked: set[str] = set()
    context: deque[list[Frame]] = deque(maxlen=assistant.config.window.max)
    end = 1 + max((chunk_of(q.poll.until_s if q.poll else q.at_s) for q in item.questions), default=-1)
    seconds = 0
    pending = sorted(item.questions, key=lambda q: q.at_s)
    for second, pictures in by_second(frames, assistant.config.chunker.tolerance_s):
        if second >= end:
            break
        context.append(pictures)
        seconds = second + 1
        for question in pending:
            if question.id not in asked and question.poll is None and chunk_of(question.at_s) <= second:
                asked.add(question.id)
                said.append(_ask(assistant, context, question, said, seconds))
            elif question.poll is not None and question.at_s < seconds <= question.poll.until_s:
                asked.add(question.id)
                if not any(s.question == question.id for s in said) and _says_yes(assistant, context, question):
                    said.append(_ask(assistant, context, question, said, seconds))
    for question in pending:  # later than the end of the video: asked there
        if context and question.id not in asked:
            asked.add(question.id)
            if question.poll is None or _says_yes(assistant, context, question):
                said.append(_ask(assistant, context, question, said, seconds))
    kept = tuple(s for s in said if s.text)
    return Prediction(item.id, kept, seconds, tuple(q.id for q in pending if q.id not in asked))


def by_second(frames: Iterable[Frame], tolerance_s: float) -> Iterator[tuple[int, list[Frame]]]:
    """Frames in groups of one second; one up to `tolerance_s` early counts for the next."""
    tolerance_ns = round(tolerance_s * NS)
    for second, group in itertools.groupby(frames, key=lambda f: (f.stamp_ns + tolerance_ns) // NS):
        yield second, list(group)


def _says_yes(assistant: StreamingAssistant, context: Iterable[list[Frame]], question: Question) -> bool:
    assert question.poll is not None
    return "yes" in _reply(assistant, context, question.poll.text, False).lower()


def _ask(
    assistant: StreamingAssistant, context: Iterable[list[Frame]], question: Question, said: Sequence[Spoken], at_s: int
) -> Spoken:
    text = (question.polled or question.text).replace(PREVIOUS, said[-1].text if said else "")
    words = _reply(assistant, context, text, question.silence)
    return Spoken(at_s, words, question.id, asked=question.poll is None)


def _reply(assistant: StreamingAssistant, context: Iterable[list[Frame]], text: str, may_be_silent: bool) -> str:
    """The words about the newest second of `context`, after a silent view of the others; "" for silence."""
    decider = PolledDecider(assistant.config.decider, assistant.backend.chat)
    decider.may_be_silent = may_be_silent
    assistant.decider = decider
    assistant.reset()
    *earlier, newest = context
    for frame in itertools.chain.from_iterable(earlier):
        assistant.push(frame)
        assistant.step()
    assistant.flush()
    while assistant.step() is not None:
        pass
    assistant.ask(Query(text, stamp_ns=newest[0].stamp_ns))
    for frame in newest:
        assistant.push(frame)
    assistant.flush()
    reply = ""
    while (step := assistant.step()) is not None:
        reply = step.response.text if step.response else reply
    return reply
