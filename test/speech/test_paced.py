"""A loudspeaker without a buffer of its own gets sound at the pace at which it is played."""

from __future__ import annotations

import numpy as np

from aura_core.speech.device import DeviceConfig
from aura_core.speech.paced import AHEAD_S, PacedLoudspeaker
from aura_core.speech.types import NS, Audio

RATE = 8_000


class Room:
    def __init__(self) -> None:
        self.now_ns, self.sent = 5 * NS, list[Audio]()
        self.speaker = PacedLoudspeaker(
            DeviceConfig(rate=RATE), self.sent.append, "topic", lambda: self.now_ns, True
        )
        self.speaker.open()

    def wait(self, seconds: float, step_s: float = 0.02) -> None:
        for _ in range(round(seconds / step_s)):
            self.speaker.turn()
            self.now_ns += round(step_s * NS)

    @property
    def seconds(self) -> float:
        return sum(a.duration_ns for a in self.sent) / NS


def test_sound_is_sent_a_little_ahead_and_no_more() -> None:
    room = Room()
    said = Audio(np.arange(1, 3 * RATE + 1, dtype=np.int16), RATE)
    room.speaker.write(said, "a", last=True)
    room.wait(1.0)
    assert 1.0 <= room.seconds <= 1.0 + AHEAD_S + 0.02
    room.wait(3.0)
    assert np.concatenate([a.samples for a in room.sent]).tolist() == said.samples.tolist()
    assert room.speaker.buffer.finished() == ["a"]
    stamps = [a.stamp_ns for a in room.sent]
    assert stamps[0] == 5 * NS and set(np.diff(stamps)) == {20_000_000}
    reference = room.speaker.reference
    assert reference is not None and reference.get(0.0) is room.sent[0]


def test_after_a_pause_it_begins_anew_and_a_stop_takes_no_longer_than_it_is_ahead() -> None:
    room = Room()
    room.speaker.write(Audio(np.ones(RATE, np.int16), RATE), "a", last=True)
    room.wait(5.0)
    assert room.seconds == 1.0
    room.speaker.write(Audio(np.ones(9 * RATE, np.int16), RATE), "b", last=True)
    room.wait(0.02)
    assert room.sent[50].stamp_ns == 10 * NS
    room.wait(1.0)
    room.speaker.buffer.stop()
    before = room.seconds
    room.wait(1.0)
    assert room.seconds - before < 0.03  # the fade-out
    room.speaker.close()
    room.speaker.write(Audio(np.ones(RATE, np.int16), RATE), "c", last=True)
    room.wait(1.0)
    assert room.seconds - before < 0.03
