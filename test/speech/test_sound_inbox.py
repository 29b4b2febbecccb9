"""Sound from any thread reaches the ears on theirs, and words come back when they are ready."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator

import numpy as np
import pytest
from test_background import free
from test_ears import SAID, T0, silence

from aura_core.live.sound_inbox import Near, SoundInbox
from aura_core.speech.ears import Ears, Event
from aura_core.speech.types import NS, Audio, Transcript

RATE = 16_000


class Running:
    """An inbox with its loop on a thread."""

    def __init__(self, ears: Ears, mutes: bool) -> None:
        self.told: queue.Queue[Event] = queue.Queue()
        self.inbox, self.stop = SoundInbox(mutes), threading.Event()
        arguments = (ears, None, self.stop, self.told.put, pytest.fail)
        self.thread = threading.Thread(target=self.inbox.run, args=arguments)
        self.thread.start()

    def put(self, samples: np.ndarray, at_ns: int) -> None:
        for i in range(0, len(samples), 1_600):
            block = Audio(samples[i : i + 1_600], RATE, at_ns + i * NS // RATE)
            self.inbox.put(Near(block))

    def transcript(self) -> Transcript:
        while not isinstance(event := self.told.get(timeout=30), Transcript):
            pass
        return event


@pytest.fixture
def running() -> Iterator[Running]:
    run = Running(free("Where is my cup?"), mutes=True)
    yield run
    run.stop.set()
    run.thread.join(30)
    assert not run.thread.is_alive()


def test_words_come_without_more_sound(running: Running) -> None:
    running.put(SAID[:-8_000], T0)  # the end of the sound is not long after the end of the speech
    heard = running.transcript()
    while heard.state == "partial":
        heard = running.transcript()
    assert (heard.state, heard.text) == ("final", "Where is my cup?")


def test_each_mute_that_came_before_the_sound_holds(running: Running) -> None:
    """The sound of a busy machine is looked at after the robot has begun to speak again."""
    inbox = running.inbox
    for start_s in (0.5, 3.5):
        inbox.robot(True, T0 + round(start_s * NS))
        inbox.robot(False, T0 + round((start_s + 1.7) * NS))
    running.put(np.concatenate([SAID, SAID, silence(500), SAID]), T0)
    heard = running.transcript()
    while heard.state == "partial":
        heard = running.transcript()
    assert heard.start_ns == pytest.approx(T0 + 7.5 * NS, abs=NS // 10)


def test_what_the_robot_says_is_known(running: Running) -> None:
    running.inbox.says("Where is my cup, you ask.")
    running.inbox.robot(True, T0)
    running.inbox.robot(False, T0 + NS // 2)
    running.put(SAID, T0)
    heard = running.transcript()
    while heard.state == "partial":
        heard = running.transcript()
    assert heard.reason == "own_voice"
