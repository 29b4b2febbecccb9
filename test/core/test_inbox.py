"""The inbox of one stream: what it samples, drops, refuses and gives out."""

from __future__ import annotations

import pytest
from host_rig import NS, frame

from aura_core.config import SamplingConfig
from aura_core.errors import InputError
from aura_core.live.inbox import Inbox, convert
from aura_core.types import Frame, Query


def second(inbox: Inbox, index: int) -> None:
    for half in (0, NS // 2):
        stamp = index * NS + half
        inbox.offer(stamp, lambda stamp=stamp: frame(stamp))


def test_frames_are_sampled_as_they_come_and_converted_when_they_are_taken() -> None:
    inbox, made = Inbox(SamplingConfig(), 3, 8), []

    def make(stamp: int) -> Frame:
        made.append(stamp)
        return frame(stamp)

    taken = [inbox.offer(s, lambda s=s: make(s)) for s in range(0, NS, NS // 10)]
    assert sum(taken) == 2 and not made and inbox.ready == 1
    chunk, query = inbox.take()
    assert (chunk.index, query) == (0, None) and inbox.take() is None
    assert convert(chunk, pytest.fail) is not None and made == [0, NS // 2]


def test_the_oldest_chunks_are_dropped_and_counted() -> None:
    inbox = Inbox(SamplingConfig(), 2, 8)
    for index in range(6):
        second(inbox, index)
    assert [inbox.take()[0].index for _ in range(inbox.ready)] == [4, 5]
    counters = inbox.counters()
    assert (counters.received_frames, counters.dropped_frames) == (12, 8)
    assert (counters.dropped_chunks, counters.lost_chunks) == (4, 0)


def test_a_question_belongs_to_the_chunk_that_was_being_filled_when_it_came() -> None:
    """It is admitted later, on the model's thread, when the camera is seconds ahead."""
    inbox = Inbox(SamplingConfig(), 8, 8)
    second(inbox, 0)
    asked = inbox.ask("now?")
    for index in (1, 2, 3):
        second(inbox, index)
    assert [q.text for _, q in inbox.admit(lambda query, waiting: query)] == ["now?"]
    assert not asked.done(), "the host says when"
    got = [inbox.take() for _ in range(4)]
    assert [q.text if q else None for _, q in got] == [None, "now?", None, None]


def test_a_question_that_is_not_admitted_gets_its_reason() -> None:
    inbox = Inbox(SamplingConfig(), 8, 2)

    def admit(query: Query, waiting: list[Query]) -> Query:
        if len(query.text) > 5:
            raise InputError("too long")
        return Query(query.text, f"q{len(waiting)}")

    futures = [inbox.ask(text) for text in ("a?", "much longer?")]
    with pytest.raises(InputError, match="2 questions are waiting already"):
        inbox.ask("c?")
    admitted = inbox.admit(admit)
    assert [q.id for _, q in admitted] == ["q0"]
    assert str(futures[1].exception(0)) == "too long"
    assert inbox.take_back("q0") and not inbox.take_back("q0")


def test_the_end_of_the_frames_closes_the_half_filled_chunk() -> None:
    inbox = Inbox(SamplingConfig(), 3, 8)
    inbox.offer(0, lambda: frame(0))
    assert inbox.ready == 0
    inbox.end_of_frames()
    chunk, _ = inbox.take()
    assert convert(chunk, pytest.fail).repeated == 1


def test_a_frame_that_cannot_be_converted_is_replaced_by_its_neighbour() -> None:
    def bad() -> Frame:
        raise InputError("no picture")

    for first, repeated in ((True, 1), (False, 1)):
        inbox, reports = Inbox(SamplingConfig(), 3, 8), []
        inbox.offer(0, bad if first else lambda: frame(0, 5))
        inbox.offer(NS // 2, bad if not first else lambda: frame(0, 5))
        chunk = convert(inbox.take()[0], reports.append)
        assert [str(r) for r in reports] == ["no picture"] and chunk.repeated == repeated
        assert {int(f.image[0, 0, 0]) for f in chunk.frames} == {5}
    inbox = Inbox(SamplingConfig(), 3, 8)
    inbox.offer(0, bad)
    inbox.offer(NS // 2, bad)
    assert convert(inbox.take()[0], lambda e: None) is None


def test_a_closed_inbox_takes_and_gives_nothing_until_it_is_opened() -> None:
    inbox = Inbox(SamplingConfig(), 3, 8)
    second(inbox, 0)
    waiting = inbox.ask("now?")
    inbox.close()
    assert "stopping" in str(waiting.exception(0)) and inbox.take() is None
    assert not inbox.offer(NS, lambda: frame(NS))
    with pytest.raises(InputError, match="stopping"):
        inbox.ask("now?")
    inbox.open()
    assert inbox.ready == 0 and inbox.counters().received_frames == 0
    second(inbox, 0)
    assert inbox.take() is not None
