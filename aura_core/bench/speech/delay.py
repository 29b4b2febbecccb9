"""From the end of speech to its text: the live loop of the speech input, with paced sound."""

from __future__ import annotations

import queue
import threading
import time
from collections import Counter
from typing import Any

import numpy as np

from aura_core.bench.speech.addressed import FLOOR_DB
from aura_core.bench.speech.figures import percentiles
from aura_core.bench.speech.listener import PIECE, Subject
from aura_core.bench.speech.sounds import RATE, Samples, pause, spoken, trimmed, with_floor
from aura_core.bench.speech.voices import users
from aura_core.live.sound_inbox import Near, SoundInbox
from aura_core.speech.ears import Ears, Event
from aura_core.speech.endpointing import End
from aura_core.speech.types import NS, Audio, Transcript, TranscriptState

WAIT_S = 8.0  # for the text of a question
Told = tuple[int, Event]  # steady time [ns] at which it came


def latency(subject: Subject, n: int = 40, seed: int = 3) -> dict[str, Any]:
    """`n` questions at the pace of life. Their sound is stamped as a microphone stamps it.

    The delay is from the stamp of the last loud sample to the moment at which the text comes.
    """
    delays_ms: list[tuple[float, float]] = []  # of the endpoint, and of the text
    lost: Counter[str] = Counter()
    voices = users()
    with _Live(subject.ears(), seed) as live:
        live.play(pause(1.0))
        for i in range(n):
            question, voice = subject.questions[i % len(subject.questions)], voices[i % len(voices)]
            said = trimmed(spoken(question, voice))
            end_ns, found = live.play(said) + len(said) * NS // RATE, None
            until_ns, ended_ns = end_ns + round(WAIT_S * NS), end_ns
            while found is None and live.now_ns < until_ns:
                live.play(pause(PIECE / RATE))
                for at_ns, event in live.news():
                    if isinstance(event, End):
                        ended_ns = at_ns
                    elif isinstance(event, Transcript) and _over(event, end_ns):
                        found = (at_ns, event)
            if found is None:
                lost["nothing was heard"] += 1
            elif found[1].state is not TranscriptState.FINAL:
                lost[found[1].reason] += 1
            else:
                delays_ms.append(((ended_ns - end_ns) / 1e6, (found[0] - end_ns) / 1e6))
            live.play(pause(1.0))
            live.news()
        dropped = live.dropped
    return {
        "latency_ms": percentiles(text for _, text in delays_ms)
        | {
            "asked": n,
            "not_sent": dict(lost),
            "endpoint": percentiles(end for end, _ in delays_ms),
            "recogniser": percentiles(text - end for end, text in delays_ms),
            "blocks_dropped": dropped,
        }
    }


def _over(transcript: Transcript, end_ns: int) -> bool:
    """Whether this is the text of a question that ended at `end_ns`, and not of a part of it."""
    if transcript.state is TranscriptState.PARTIAL:
        return False
    return transcript.end_ns > end_ns - NS // 2


class _Live:
    """The loop of `asr_node` on a thread of its own, and a microphone that never stops."""

    def __init__(self, ears: Ears, seed: int) -> None:
        self._inbox, self._told = SoundInbox(mutes=False), queue.SimpleQueue[Told]()
        self._rng, self._stop = np.random.default_rng(seed), threading.Event()
        self._thread = threading.Thread(
            target=self._inbox.run, args=(ears, None, self._stop, self._tell, self._complain)
        )
        self.now_ns = 0  # the stamp of the next sample

    def __enter__(self) -> _Live:
        self._thread.start()
        self.now_ns = time.monotonic_ns()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _tell(self, event: Event) -> None:
        self._told.put((time.monotonic_ns(), event))

    def _complain(self, line: str) -> None:
        raise AssertionError(line)

    @property
    def dropped(self) -> int:
        """Blocks of sound that were lost because the ears were too slow."""
        return self._inbox.dropped

    def play(self, sound: Samples) -> int:
        """Let the microphone hear a sound, to its end. Returns the stamp of its first sample."""
        noisy, began_ns = with_floor(sound, self._rng, FLOOR_DB), self.now_ns
        for start in range(0, len(noisy), PIECE):
            piece = Audio(noisy[start : start + PIECE], RATE, began_ns + start * NS // RATE)
            time.sleep(max(0, piece.end_ns - time.monotonic_ns()) / NS)
            self._inbox.put(Near(piece))
            self.now_ns = piece.end_ns
        return began_ns

    def news(self) -> list[Told]:
        """What the ears have told since the last call."""
        told = []
        while not self._told.empty():
            told.append(self._told.get())
        return told
