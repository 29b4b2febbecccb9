"""Sentences between speech synthesis and the loudspeaker, shared by two threads. Knows no ROS.

It remembers which sentences were handed out, and what the loudspeaker reported of them.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace

from aura_core.speech.mouth import Mouth
from aura_core.speech.mouth_types import SAY, MouthConfig, MouthCounters, Said, Sentence
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
        self._stopping: set[int] = set()  # of these: the loudspeaker was told to stop them
        self._making = 0  # tag of the sentence that is being synthesised
        self._loud_ns: int | None = None  # since when the loudspeaker plays without a break
        self._turn_ns = 0  # when a sentence was last reported: the next one begins there
        self._began_ns: dict[int, int] = {}  # by tag: when the first sound of it was sent
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
            now_ns = self._clock()
            self._mouth.response(answer, text, final, kind, urgent, watch=query_id, now_ns=now_ns)
            self._stop_making()

    def say(self, name: str, text: str, urgent: bool = False, language: str = "") -> None:
        """Take words that another node wants to be said, under a name that is used once."""
        with self._lock:
            self._mouth.response(name, text, True, SAY, urgent, language, now_ns=self._clock())
            self._stop_making()

    def cancel(self, name: str) -> bool:
        """Say no more of an answer; the sentence that sounds is stopped."""
        with self._lock:
            known = self._mouth.cancel(name)
            self._stop_making()
            return known

    def _stop_making(self) -> None:
        if self._making in self._mouth.overruled():
            self.cut.set()

    def said_of(self, name: str) -> str:
        """The words that were heard so far of an answer that is not over.

        Those of the sentence that sounds are estimated from the time for which it has sounded.
        """
        with self._lock:
            tag = next(iter(self._due), 0)
            if self._loud_ns is None or tag not in self._began_ns or tag in self._stopping:
                return self._mouth.said_of(name)
            began_ns = max(self._loud_ns, self._turn_ns, self._began_ns[tag])
            return self._mouth.said_of(name, tag, max(0, self._clock() - began_ns))

    def sounding(self, loud: bool) -> None:
        """Tell whether the loudspeaker plays something."""
        with self._lock:
            if not loud:
                self._loud_ns = None
            elif self._loud_ns is None:
                self._loud_ns = self._clock()

    def query_of(self, answer: str) -> str:
        """Id of the question of an answer; "" while it is not known."""
        return self._queries.get(answer, "")

    def stops(self) -> list[int]:
        """The sentences that the loudspeaker has to stop now, each told once.

        They are in the way of an urgent one, or were cancelled. Call this before `next`.
        """
        with self._lock:
            tags = self._to_stop()
            self._stopping.update(tags)
            for tag in tags:
                self._due[tag] = min(self._due[tag], self._clock() + REPORT_S * NS)
            return tags

    def _to_stop(self) -> list[int]:
        tags = [tag for tag in self._mouth.overruled() if tag in self._due]
        return [tag for tag in tags if tag != self._making and tag not in self._stopping]

    def next(self, user_speaking: bool) -> Sentence | None:
        """The sentence to synthesise now; None when the loudspeaker has enough.

        None too while there are `stops` to be told: what is in the way of an urgent sentence must
        be known to the loudspeaker before it.
        """
        with self._lock:
            if len(self._due) - len(self._stopping) >= AHEAD or self._to_stop():
                return None
            sentence = self._mouth.next(self._clock(), user_speaking)
            if sentence is not None:
                self._due[sentence.tag] = float("inf")
                self._making = sentence.tag
                self.cut.clear()
            return sentence

    def sent(self, tag: int) -> None:
        """Tell that sound of a sentence was sent to the loudspeaker."""
        with self._lock:
            if tag in self._due:
                self._began_ns.setdefault(tag, self._clock())

    def made(self, tag: int, length_ns: int) -> None:
        """Tell that all sound of a sentence, `length_ns` long, was sent."""
        with self._lock:
            self._making = 0
            if tag in self._due:
                self._mouth.made(tag, length_ns)
                self._due[tag] = self._clock() + AHEAD * length_ns + REPORT_S * NS

    def left(self, tag: int) -> None:
        """Tell that a sentence is not synthesised to its end, because `cut` was set."""
        with self._lock:
            self._making = 0

    def failed(self, tag: int) -> None:
        """Tell that a sentence could not be synthesised."""
        with self._lock:
            self._making = 0
            if self._over(tag):
                self._mouth.failed(tag, self._clock())

    def played(self, tag: int, played_ns: int, complete: bool) -> list[Said]:
        """Take the loudspeaker's report of a sentence.

        A sentence that was stopped ends all answers, unless `stops` has told to stop it. Returns
        what was heard of each.
        """
        with self._lock:
            if tag not in self._due:
                return []
            self._turn_ns = self._clock()
            wanted = tag in self._stopping
            if complete or wanted:
                self._over(tag)
                if complete:
                    self._mouth.spoken(tag, self._clock())
                else:
                    self._mouth.stopped(tag, played_ns, self._clock())
                return []
            self.cut.set()
            # the others that were under way come as not played
            for other in list(self._due):
                self._over(other)
            return self._mouth.interrupted({tag: played_ns})

    def _over(self, tag: int) -> bool:
        """Forget a sentence that was handed out. Returns whether it was known."""
        self._stopping.discard(tag)
        self._began_ns.pop(tag, None)
        return self._due.pop(tag, None) is not None

    def ended(self) -> list[Said]:
        """The answers that were heard or dropped completely since the last call."""
        with self._lock:
            return self._mouth.ended()

    def give_up_overdue(self) -> bool:
        """Count sentences as failed whose report is late. Returns whether there were any.

        One that the loudspeaker was told to stop counts as not heard.
        """
        with self._lock:
            now = self._clock()
            overdue = [tag for tag, due in self._due.items() if now > due]
            for tag in overdue:
                stopping = tag in self._stopping
                self._over(tag)
                if stopping:
                    self._mouth.stopped(tag, 0, now)
                else:
                    self._mouth.failed(tag, now)
            return bool(overdue)
