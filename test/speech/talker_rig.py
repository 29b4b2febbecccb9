"""A `Talker` and a loudspeaker that plays on a clock of its own: the loop of tts_node without ROS.

The loudspeaker is the real `PlaybackBuffer` with the real `Utterances`. A voice needs no time to
make a sentence; it speaks `CHARS_PER_S`.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np

from aura_core.live.talker import Talker
from aura_core.speech.mouth_types import MouthConfig, Said, Sentence
from aura_core.speech.playback import PlaybackBuffer
from aura_core.speech.types import NS, Audio
from aura_core.speech.utterances import Ended, Utterances

RATE = 4_000
CHARS_PER_S = 14
TICK_S = 0.05


class Stage:
    """Talker and loudspeaker; `tick` lets time pass."""

    def __init__(self, config: MouthConfig | None = None) -> None:
        self.now_ns = 0
        self.talker = Talker(config or MouthConfig(), clock=lambda: self.now_ns)
        buffer = PlaybackBuffer(RATE, capacity_s=120.0)
        device: Any = SimpleNamespace(buffer=buffer, write=buffer.write, cut_off=lambda: [])
        self.speaker, self.buffer = Utterances(device, clock=lambda: self.now_ns), buffer
        self.said: list[tuple[Said, str]] = []
        self.handed: list[Sentence] = []
        self.sounds: list[tuple[int, str]] = []  # what began to sound, and when [ns]
        self.user = False

    def tick(self, seconds: float = TICK_S) -> None:
        """Let this time pass, in steps of `TICK_S`."""
        for _ in range(round(seconds / TICK_S)):
            self._loop()
            before = {s.tag: self.buffer.played(str(s.tag)) for s in self.handed[-8:]}
            self.buffer.read(round(TICK_S * RATE))
            for sentence in self.handed[-8:]:
                if not before[sentence.tag] and self.buffer.played(str(sentence.tag)):
                    self.sounds.append((self.now_ns, sentence.text))
            self.now_ns += round(TICK_S * NS)
            self.talker.sounding(not self.buffer.idle)
            self.report(self.speaker.poll())

    def until_silent(self, limit_s: float = 600.0) -> None:
        """Let time pass until nothing is left to be said."""
        end_ns = self.now_ns + round(limit_s * NS)
        self.tick()
        while not self.buffer.idle or self.talker._mouth.busy:
            self.tick()
            assert self.now_ns < end_ns, "it never ends"
        self.tick()

    def interrupt(self) -> None:
        """The user begins to speak: the loudspeaker stops."""
        self.user = True
        self.report(self.speaker.stop(), "interrupted")

    def report(self, ended: list[Ended], reason: str = "lost") -> None:
        for e in ended:
            told = self.talker.played(int(e.utterance), round(e.played_s * NS), e.complete)
            self.said += [(said, reason) for said in told]

    def _loop(self) -> None:
        """One round of `TtsNode._main`."""
        self.talker.give_up_overdue()
        for tag in self.talker.stops():
            self.report([self.speaker.stop_one(str(tag))], "stopped")
        sentence = self.talker.next(self.user)
        self.said += [(said, "dropped") for said in self.talker.ended()]
        if sentence is not None:
            self.handed.append(sentence)
            size = round(len(sentence.speech) / CHARS_PER_S * RATE)
            sound = Audio(np.ones(size, np.int16), RATE)
            self.speaker.write(sound, str(sentence.tag), last=True)
            self.talker.sent(sentence.tag)
            self.talker.made(sentence.tag, size * NS // RATE)
