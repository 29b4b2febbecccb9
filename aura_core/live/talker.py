"""Sentences between speech synthesis and the loudspeaker, shared by two threads. Knows no ROS.

It remembers which sentences were handed out, and what the loudspeaker reported of them.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace

from aura_core.speech.mouth import SAY, Mouth, MouthConfig, MouthCounters, Said, Sentence
from aura_core.speech.types import NS

AHEAD = 2  # sentences made before the first of them was played, so that there is no gap
REPORT_S = 5.0  # a sentence that is not reported this long after its end counts as failed
_REMEMBERED = 64  # answers whose question is remembered


class Talker:
    """A thread-safe `Mouth` that takes the loudspeaker's reports.

    `clock` returns nanoseconds of a steady clock.
    """

    def __init__(self, config: MouthConfig, clock: Callable[[], int] = time.monotonic_ns) -> None:
        self.cut = threading.Event()  # set: stop the sentence that is being synthesised
        self._mouth, self._clock, self._lock = Mouth(config), clock, threading.Lock()
        # sentences handed out, and the time at which their report is late [ns]
        self._due: dict[int, float] = {}
        self._queries: OrderedDict[str, str] = OrderedDict()

    @property
    def counters(self) -> MouthCounters:
        """A snapshot of the counters."""
        with self._lock:
            return replace(self._mouth.counters)

    def response(
        self, answer: str, text: str, final: bool, kind: str, urgent: bool, query_id: str
    ) -> None:
        """Take the answer so far. Its `query_id` is known with the final text."""
        with self._lock:
            if final:
                self._queries[answer] = query_id
                if len(self._queries) > _REMEMBERED:
                    self._queries.popitem(last=False)
            self._mouth.response(answer, text, final, kind, urgent, now_ns=self._clock())

    def say(self, name: str, text: str, urgent: bool = False, language: str = "") -> None:
        """Take words that another node wants to be said, under a name that is used once."""
        with self._lock:
            self._mouth.response(name, text, True, SAY, urgent, language, now_ns=self._clock())

    def cancel(self, name: str) -> bool:
        """Say no more of an answer; the sentence that sounds is said to its end."""
        with self._lock:
            return self._mouth.cancel(name)

    def said_of(self, name: str) -> str:
        """The sentences that were heard so far of an answer that is not over."""
        with self._lock:
            return self._mouth.said_of(name)

    def query_of(self, answer: str) -> str:
        """Id of the question of an answer; "" while it is not known."""
        return self._queries.get(answer, "")

    def next(self, user_speaking: bool) -> Sentence | None:
        """The sentence to synthesise now; None when the loudspeaker has enough."""
        with self._lock:
            if len(self._due) >= AHEAD:
                return None
            sentence = self._mouth.next(self._clock(), user_speaking)
            if sentence is not None:
                self._due[sentence.tag] = float("inf")
                self.cut.clear()
            return sentence

    def made(self, tag: int, length_ns: int) -> None:
        """Tell that all sound of a sentence, `length_ns` long, was sent."""
        with self._lock:
            if tag in self._due:
                self._mouth.made(tag, length_ns)
                self._due[tag] = self._clock() + AHEAD * length_ns + REPORT_S * NS

    def failed(self, tag: int) -> None:
        """Tell that a sentence could not be synthesised."""
        with self._lock:
            if self._due.pop(tag, None) is not None:
                self._mouth.failed(tag, self._clock())

    def played(self, tag: int, played_ns: int, complete: bool) -> list[Said]:
        """Take the loudspeaker's report of a sentence.

        A sentence that was stopped ends all answers. Returns what was heard of each.
        """
        with self._lock:
            if tag not in self._due:
                return []
            if complete:
                del self._due[tag]
                self._mouth.spoken(tag, self._clock())
                return []
            self.cut.set()
            self._due.clear()  # the others that were under way come as not played
            return self._mouth.interrupted({tag: played_ns})

    def ended(self) -> list[Said]:
        """The answers that were heard or dropped completely since the last call."""
        with self._lock:
            return self._mouth.ended()

    def give_up_overdue(self) -> bool:
        """Count sentences as failed whose report is late. Returns whether there were any."""
        with self._lock:
            now = self._clock()
            overdue = [tag for tag, due in self._due.items() if now > due]
            for tag in overdue:
                del self._due[tag]
                self._mouth.failed(tag, now)
            return bool(overdue)
