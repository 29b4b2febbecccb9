"""What the mouth has handed out and what the loudspeaker has reported, shared by two threads. Knows
no ROS."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace

from aura_core.speech.mouth import Mouth, MouthConfig, MouthCounters, Said, Sentence
from aura_core.speech.types import NS

AHEAD = 2  # sentences that are made before the first of them was played: no gap between them
REPORT_S = 5.0  # a loudspeaker that has not reported a sentence so long after its end is gone
_REMEMBERED = 64


class Talker:
    """A `Mouth` with its reports. `clock`: steady nanoseconds."""

    def __init__(self, config: MouthConfig, clock: Callable[[], int] = time.monotonic_ns) -> None:
        self.cut = threading.Event()  # the sentence that is being made is not wanted any more
        self._mouth, self._clock, self._lock = Mouth(config), clock, threading.Lock()
        self._due: dict[int, float] = {}  # sentences handed out: when their report is overdue [ns]
        self._queries: OrderedDict[str, str] = OrderedDict()

    @property
    def counters(self) -> MouthCounters:
        """A snapshot."""
        with self._lock:
            return replace(self._mouth.counters)

    def response(
        self, answer: str, text: str, final: bool, kind: str, urgent: bool, query_id: str
    ) -> None:
        """The answer so far; its `query_id` is known with the final text."""
        with self._lock:
            if final:
                self._queries[answer] = query_id
                if len(self._queries) > _REMEMBERED:
                    self._queries.popitem(last=False)
            self._mouth.response(answer, text, final, kind, urgent, now_ns=self._clock())

    def query_of(self, answer: str) -> str:
        """The question of an answer; empty while it is not known."""
        return self._queries.get(answer, "")

    def next(self, user_speaking: bool) -> Sentence | None:
        """The sentence to make now, if the loudspeaker has not enough yet."""
        with self._lock:
            if len(self._due) >= AHEAD:
                return None
            sentence = self._mouth.next(self._clock(), user_speaking)
            if sentence is not None:
                self._due[sentence.tag] = float("inf")
                self.cut.clear()
            return sentence

    def made(self, tag: int, length_ns: int) -> None:
        """All sound of a sentence is on its way."""
        with self._lock:
            if tag in self._due:
                self._mouth.made(tag, length_ns)
                self._due[tag] = self._clock() + AHEAD * length_ns + REPORT_S * NS

    def failed(self, tag: int) -> None:
        """A sentence could not be made."""
        with self._lock:
            if self._due.pop(tag, None) is not None:
                self._mouth.failed(tag, self._clock())

    def played(self, tag: int, played_ns: int, complete: bool) -> list[Said]:
        """The loudspeaker's report. A sentence that was stopped ends everything: what was heard of
        each answer."""
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
        """Answers that came to their end since the last call, all heard or dropped."""
        with self._lock:
            return self._mouth.ended()

    def give_up_overdue(self) -> bool:
        """Sentences that were never reported count as failed; whether there were any."""
        with self._lock:
            now = self._clock()
            overdue = [tag for tag, due in self._due.items() if now > due]
            for tag in overdue:
                del self._due[tag]
                self._mouth.failed(tag, now)
            return bool(overdue)
