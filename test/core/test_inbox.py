"""The worker's inbox: its order, its end, and which waiting seconds it drops."""

from __future__ import annotations

import threading

from host_rig import NS, frame

from aura_core.config import SamplingConfig
from aura_core.live.inbox import EndOfFrames, Inbox, PendingFrame, PendingQuestion


def test_the_inbox_keeps_order_and_ends_when_closed() -> None:
    inbox = Inbox(SamplingConfig(), 3, 8)
    assert inbox.offer(0, lambda: frame(0))
    assert not inbox.offer(1, lambda: frame(1))
    inbox.ask("q?")
    inbox.end_of_frames()
    assert [type(inbox.take()) for _ in range(3)] == [PendingFrame, PendingQuestion, EndOfFrames]
    threading.Timer(0.05, inbox.close).start()
    assert inbox.take() is None


def test_a_second_whose_first_frame_is_taken_is_not_dropped() -> None:
    inbox = Inbox(SamplingConfig(), 1, 8)
    for half in range(2):
        inbox.offer(half * NS // 2, lambda: frame(0))
    assert isinstance(inbox.take(), PendingFrame)
    for half in range(2, 10):
        inbox.offer(half * NS // 2, lambda: frame(0))
    inbox.end_of_frames()
    items = list(iter(inbox.take, EndOfFrames()))
    assert [item.chunk for item in items if isinstance(item, PendingFrame)] == [0, 3, 3, 4, 4]
    assert inbox.counters().dropped_chunks == 2
