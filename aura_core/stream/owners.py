"""Which watches unasked words belong to: the model is asked about each watch alone.

The model spoke with all watches before it. To learn for which of them, each watch is put alone
before the newest seconds of the window, in a cache of its own, and the same second is decided
again. The watches for which the model speaks own the words. The deciding cache is not touched, and
no picture is encoded again: a watch costs one prefill of `CHUNKS` chunks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from aura_core.models.backend import Seen, Session
from aura_core.stream import yes_no
from aura_core.stream.attribution import Entry, shared
from aura_core.stream.cache.kv_stream import KVStream
from aura_core.stream.decision import Decider, read_decision
from aura_core.stream.prefix import QAGroup
from aura_core.stream.prompt import PromptCodec
from aura_core.stream.window import DualWindow, Turn
from aura_core.stream.yes_no import YesNo
from aura_core.types import Decision
from aura_core.words import words_of

CHUNKS = 4  # newest chunks that a watch is judged on; 8 attribute nothing better


@dataclass
class Cost:
    """What was spent since the start: tokens prefilled, calls of the language model."""

    tokens: int = 0
    forwards: int = 0


class Owners:
    """Finds the watches that unasked words belong to.

    Args:
        open_: opens a session of the model.
        codec: makes the prompts.
        decider: gives threshold and silent ids.
        yes_no: the question for a model that was not trained to decide; None for one that was.
    """

    def __init__(
        self,
        open_: Callable[[], Session],
        codec: PromptCodec,
        decider: Decider,
        yes_no: YesNo | None,
    ) -> None:
        self.cost = Cost()
        self._open, self._codec, self._decider, self._yes_no = open_, codec, decider, yes_no

    def of(
        self, text: str, watches: Sequence[Entry], window: DualWindow, video: Seen
    ) -> list[Entry]:
        """The watches that `text` answers, the most likely one first.

        Empty where the model cannot tell: it would have spoken without any watch. A model that was
        not trained to decide says yes too easily, so only its most likely watch is returned.

        Args:
            text: the unasked words; they decide between watches that are equally likely.
            watches: what the words may belong to; at least one.
            window: the turns before the chunk of the words.
            video: the chunk of the words, encoded.
        """
        kv = KVStream(self._open(), self._codec)
        groups = {g.query_id: g for g in window.words().groups}

        def alone(watch: Entry | None) -> Decision:
            """The decision about the chunk as if this were the only watch."""
            asked = watch.query if watch else None
            own = [groups.get(asked.id, QAGroup(asked.id, asked.text, ()))] if asked else []
            kv.begin(self._codec.head(replace(window.prefix, groups=tuple(own))))
            for turn in window.turns[1 - CHUNKS :]:
                kv.add(Turn(turn.chunk, turn.video))
            if self._yes_no is None:
                logits, silent = kv.enter(self._codec.user(video, None)), self._decider.silent_ids
            else:
                question = self._yes_no.question(video, [asked.text] if asked else [])
                user, wanted = self._codec.user(video, None), self._yes_no.wanted
                logits = self._yes_no.verdict(kv.probe(user, question, wanted))
                silent = yes_no.SILENT
            return read_decision(logits, silent, self._decider.threshold)

        try:
            decisions = [(watch, alone(watch)) for watch in watches]
            speaking = [d for d in decisions if not d[1].silent]
            if len(speaking) > 1 and not alone(None).silent:
                return []
        finally:
            self.cost.tokens += kv.prefilled
            self.cost.forwards += kv.session.forwards
        words = words_of(text)

        def rank(decided: tuple[Entry, Decision]) -> tuple[bool, float, int]:
            watch, decision = decided
            return not watch.open, decision.p_silent, -shared(words, watch)

        owner, *others = (watch for watch, _ in sorted(speaking or decisions, key=rank))
        both = bool(speaking) and self._yes_no is None and owner.open
        return [owner, *(w for w in others if both and w.open)]
