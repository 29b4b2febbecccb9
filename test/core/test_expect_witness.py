"""From the steps of a replay to what was said, with the times that a person would give."""

from __future__ import annotations

import numpy as np
from bags import MS, START, S

from aura_core.config import AssistantConfig
from aura_core.errors import ModelError
from aura_core.models.scripted import ScriptedBackend
from aura_core.replay.judge import AskedAt, Spoken
from aura_core.replay.lockstep import Asked, Lockstep, drive, insert
from aura_core.replay.witness import THUMBNAIL, Witness
from aura_core.stream.engine import StreamEngine
from aura_core.types import Frame, Query

WATCH = "Tell me when a red cube appears."


def frames(count: int, start_ns: int = START, size: tuple[int, int] = (4, 6)) -> list[Frame]:
    return [
        Frame(np.full((*size, 3), 10 * k % 256, np.uint8), start_ns + k * 500 * MS)
        for k in range(count)
    ]


def attended(events, say, pictures: bool = False, backend=None) -> Witness:
    """A witness of these events, replayed with a model that says `say` by chunk."""
    witness = Witness(pictures)
    lockstep = Lockstep(StreamEngine(backend or ScriptedBackend(say), AssistantConfig()))
    steps = drive(
        lockstep, witness.attending(events), on_refused=witness.refuse, on_lost=witness.lose
    )
    for step in steps:
        witness.step(step)
    return witness


def test_words_have_the_time_of_their_frame_and_answers_not_before_their_question():
    def say(moment):
        if moment.question:
            return "okay" if moment.question == WATCH else "a cup"
        return "a red cube" if moment.now.chunk == 4 else None

    events = insert(frames(12), [Asked(WATCH, 0.0), Asked("What is there?", 3.0)])
    run = attended(events, say).run()
    assert run.asked == (AskedAt(0.5, WATCH), AskedAt(3.0, "What is there?"))
    assert run.said == (
        Spoken(0.5, "okay", False, (WATCH,), True),
        Spoken(3.0, "a cup", False, ("What is there?",)),
        Spoken(4.5, "a red cube", True, (WATCH,)),
    )
    assert run.end_s == 5.5 and run.problems == ()


def test_a_clock_that_begins_anew_counts_on():
    """A bag that loops: the stamps jump back, and the seconds go on."""
    events = [Query(WATCH), *frames(6), *frames(6, START - 100 * S)]
    run = attended(events, {0: "okay", 4: "a red cube"}).run()
    assert [s.at_s for s in run.said] == [0.5, 4.5] and run.end_s == 5.5


def test_questions_that_are_refused_or_never_seen_are_problems():
    events = insert(frames(8), [Asked("word " * 300, 1.0), Asked("too late?", 60.0)])
    problems = attended(events, {}).run().problems
    assert len(problems) == 2
    assert problems[0].startswith("question 'word word") and "at most 512" in problems[0]
    assert problems[1] == (
        "question 'too late?' was never seen: the frames end at 3.5 s, before its time"
    )


class FailsOnce(ScriptedBackend):
    """A model that fails over chunk 2."""

    def encode(self, chunk):
        if chunk.index == 2:
            raise ModelError("no memory")
        return super().encode(chunk)


def test_a_lost_second_is_a_problem():
    run = attended(frames(10), None, backend=FailsOnce({})).run()
    assert run.problems == ("chunk 2 is lost: no memory",)


def test_a_thumbnail_for_each_second_and_none_where_none_is_wanted():
    import cv2

    events = frames(6, size=(100, 400))
    assert attended(events, {}).thumbnails == []
    thumbnails = attended(events, {}, pictures=True).thumbnails
    assert [t.at_s for t in thumbnails] == [0.5, 1.5, 2.5]
    for k, t in enumerate(thumbnails):
        image = cv2.imdecode(np.frombuffer(t.jpeg, np.uint8), cv2.IMREAD_COLOR)
        assert image.shape == (40, THUMBNAIL, 3)
        assert abs(int(image.mean()) - 10 * (2 * k + 1)) <= 2  # the second frame of its second
