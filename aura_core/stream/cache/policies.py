"""How the cache follows the window: five policies behind one interface.

| policy    | window             | cache                                                  | exact |
| shadow    | floats keep..max   | the next window is prefilled in idle time, then used   | yes   |
| floating  | floats keep..max   | rebuilt at each switch (AURA)                          | yes   |
| recompute | floats keep..max   | rebuilt at every step: the reference for tests         | yes   |
| fifo      | slides, max chunks | all behind the prefix is rebuilt at every step         | yes   |
| evict     | slides, max chunks | what leaves is cut out of the cache (as StreamingVLM)  | no    |

The first three hold the same conversation at every step, and so they make the same decisions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aura_core.errors import ConfigError
from aura_core.models.backend import Evictable, Piece, Session, Tokens
from aura_core.stream.cache.kv_stream import KVStream
from aura_core.stream.prefix import Prefix
from aura_core.stream.prompt import PromptCodec
from aura_core.stream.window import DualWindow, Plan, Turn, tokens_in

Open = Callable[[], Session]


@dataclass
class WindowCounters:
    """What the window did since the last reset."""

    switches: int = 0
    rebuilds: int = 0  # switches that had to prefill the rest of an incomplete shadow
    stretched: int = 0  # chunks entered while the window was over `max` and waited for its shadow
    critical_tokens: int = 0  # prefilled while a decision waited
    background_tokens: int = 0  # prefilled ahead of time, while no decision waited
    background_forwards: int = 0  # calls of the language model for the background tokens


class Floating:
    """Append until `max`, then rebuild the cache after the new prefix (AURA).

    The other policies are built on this one.
    """

    def __init__(self, open_: Open, codec: PromptCodec, window: DualWindow) -> None:
        self.codec = codec
        self.window = window
        self.counters = WindowCounters()
        self.kv = KVStream(open_(), codec)
        self.kv.begin(codec.head(window.prefix))

    @property
    def forwards(self) -> int:
        """Calls of the language model that a decision or an answer waited for."""
        return self.kv.session.forwards

    def enter(self, user: Sequence[Piece]) -> NDArray[np.float32]:
        """Switch if the window is full, then prefill the user turn of a new chunk.

        Returns float32 logits (vocabulary,) to decide on.
        """
        self.make_room()
        self.kv.back()
        deciding = tokens_in(self.codec.deciding(user))
        self.counters.critical_tokens += tokens_in(self.kv.waiting) + deciding
        return self.kv.enter(user)

    def probe(
        self, user: Sequence[Piece], question: Tokens, wanted: Sequence[int]
    ) -> NDArray[np.float32]:
        """`enter` for the yes/no decision; returns the logits after `question`.

        See `KVStream.probe`.
        """
        self.make_room()
        self.kv.back()
        self.counters.critical_tokens += (
            tokens_in(self.kv.waiting) + tokens_in(user[:-1]) + len(question)
        )
        return self.kv.probe(user, question, wanted)

    def leave(self, turn: Turn, cached: int = 0) -> None:
        """Close the turn that was entered; `cached` ids of its answer are in the cache already."""
        self.kv.leave(turn.answer_ids, cached)
        self.window.append(turn)

    def add(self, turn: Turn) -> None:
        """Add a turn that is not decided. It is prefilled together with the next chunk."""
        self.make_room()
        self.kv.add(turn)
        self.window.append(turn)

    def discard(self) -> None:
        """Remove the turn that was entered and not left."""
        self.kv.rewind(len(self.window.turns))

    def take_back(self) -> Turn:
        """Remove the newest closed turn from window and cache, and return it."""
        self.kv.rewind(len(self.window.turns) - 1)
        return self.window.take_back()

    def amend(self, index: int, turn: Turn) -> None:
        """Replace `window.turns[index]` by `turn`, which differs only in its answer."""
        later = self.window.turns[index + 1 :]
        if later:
            self.kv.rewind(index)
            for t in (turn, *later):
                self.kv.add(t)
        else:
            self.kv.reopen(turn)
            self.kv.leave(turn.answer_ids)
        self.window.amend(index, turn)

    def background(self) -> int:
        """Do one piece of work that no decision waits for, of at most one chunk.

        Returns the number of tokens prefilled; 0 when nothing is left.
        """
        return 0

    def make_room(self) -> None:
        """Switch if the window is full, before a chunk is added."""
        if self.window.full:
            self.window.switch()
            self.counters.switches += 1
            self.rebuild()

    def renew(self, prefix: Prefix, turns: list[Turn]) -> None:
        """See `DualWindow.renew`."""
        self.window.renew(prefix, turns)
        self.rebuild()

    def rebuild(self) -> None:
        """Let the next prefill compute the whole window again."""
        self.kv.begin(self.codec.head(self.window.prefix))
        for turn in self.window.turns:
            self.kv.add(turn)


class Recompute(Floating):
    """Rebuild the cache at every step: slow, and the reference for the other policies."""

    def make_room(self) -> None:
        """Switch if the window is full, and rebuild in any case."""
        super().make_room()
        self.rebuild()


class Fifo(Floating):
    """Drop the oldest chunk at every step; only the cache of the prefix is reused."""

    def __init__(self, open_: Open, codec: PromptCodec, window: DualWindow) -> None:
        super().__init__(open_, codec, window)
        self._head = codec.head(window.prefix)

    def rebuild(self) -> None:
        """Let the next prefill compute everything after the prefix again.

        If the prefix changed, it is computed again too.
        """
        head = self.codec.head(self.window.prefix)
        if head == self._head:
            self.kv.rewind(0)
        else:
            self.kv.begin(head)
        self._head = head
        for turn in self.window.turns:
            self.kv.add(turn)


class Shadow(Floating):
    """Two KV streams: one decides, the other prefills the next window in idle time.

    A switch swaps them. The work is that of `Floating` or less, because what two prefixes begin
    with in common is computed once; and it is spread over many steps, so that a switch costs no
    more than another step. While the shadow is late because there was no
    idle time, the window grows up to the hard cap. There, the switch prefills the rest of the
    shadow.
    """

    def __init__(self, open_: Open, codec: PromptCodec, window: DualWindow) -> None:
        super().__init__(open_, codec, window)
        self._shadow = KVStream(open_(), codec)
        self._begun = False

    @property
    def forwards(self) -> int:
        """See `Floating.forwards`."""
        return (
            self.kv.session.forwards
            + self._shadow.session.forwards
            - self.counters.background_forwards
        )

    def background(self) -> int:
        """Prefill the oldest turn that the next window keeps and the shadow lacks."""
        missing = self._missing()
        if not missing:
            return 0
        before = self._shadow.session.forwards
        tokens = self._shadow.take(missing[0])
        self.counters.background_forwards += self._shadow.session.forwards - before
        self.counters.background_tokens += tokens
        return tokens

    def take_back(self) -> Turn:
        """See `Floating.take_back`. The shadow is rewound to before that turn."""
        plan = self.window.plan
        turn = super().take_back()
        self._rewind_shadow(plan, len(self.window.turns))
        return turn

    def amend(self, index: int, turn: Turn) -> None:
        """See `Floating.amend`. The shadow is rewound to before that turn."""
        plan = self.window.plan
        super().amend(index, turn)
        self._rewind_shadow(plan, index)

    def renew(self, prefix: Prefix, turns: list[Turn]) -> None:
        """See `Floating.renew`. The shadow begins anew."""
        super().renew(prefix, turns)
        self._begun = False

    def _rewind_shadow(self, plan: Plan | None, index: int) -> None:
        """Take the turn at `index`, and the later ones, out of the shadow. A shadow of another
        plan than `plan` begins anew."""
        if not self._begun:
            return
        if plan is None or self.window.plan is not plan:
            self._begun = False
        elif index - plan.drop < len(self._shadow.starts):
            self._shadow.rewind(index - plan.drop)

    def make_room(self) -> None:
        """Swap the two streams if the window is full.

        An incomplete shadow is waited for up to the hard cap.
        """
        if not self.window.full:
            return
        missing = self._missing()
        if missing and len(self.window.turns) < self.window.config.cap:
            self.counters.stretched += 1
            return
        self.counters.switches += 1
        self.counters.rebuilds += bool(missing)
        for turn in missing:
            self._shadow.add(turn)
        self.window.switch()
        self.kv, self._shadow = self._shadow, self.kv
        self._begun = False
        # The old window's memory is free; what the next head shares with the old one stays.
        self._shadow.begin(self.codec.head(self.window.prefix), reuse=True)

    def _missing(self) -> list[Turn]:
        plan = self.window.plan
        if plan is None:
            return []
        if not self._begun:
            self._shadow.begin(self.codec.head(plan.prefix), reuse=True)
            self._begun = True
        return self.window.turns[plan.drop + len(self._shadow.starts) :]


class Evict(Floating):
    """Cut the oldest chunk out of the cache at every step, and close the gap.

    Approximate: later tokens still hold what they took over from the tokens that were cut. Video is
    cut. Of a turn with a question or an answer, the words stay; at most `qa_groups` such turns do.

    Raises:
        ConfigError: the model's session cannot evict.
    """

    def __init__(self, open_: Open, codec: PromptCodec, window: DualWindow) -> None:
        super().__init__(open_, codec, window)
        if not isinstance(self.kv.session, Evictable):
            raise ConfigError(
                "window.policy evict: this model cannot cut tokens out of its cache; use shadow"
            )
        self._sink = len(codec.head(window.prefix))
        # question id and number of tokens of each turn whose words stayed
        self._words: list[tuple[str | None, int]] = []

    def rebuild(self) -> None:
        """See `Floating.rebuild`. The prefix then holds the words that had stayed in the cache."""
        super().rebuild()
        self._sink, self._words = len(self.codec.head(self.window.prefix)), []

    def make_room(self) -> None:
        """Cut the oldest turn out if the window is full."""
        if not self.window.full:
            return
        turn, (start, end) = self.window.turns[0], self.kv.starts[:2]
        self.window.switch()
        self.counters.switches += 1
        if turn.question is None and turn.answer_ids is None:
            self.kv.evict(start, end, turns=1)
            return
        opening, *seen, _ = turn.user(self.codec)
        first, size = start + len(opening), tokens_in(seen)
        self.kv.evict(first, first + size, turns=1)
        self._words.append((turn.question_id, end - start - size))
        if len(self._words) > self.window.config.qa_groups:
            self._forget()

    def _forget(self) -> None:
        still_open = self.window.still_open()
        closed = [i for i, (id, _) in enumerate(self._words) if id is None or id not in still_open]
        index = closed[0] if closed else 0
        first = self._sink + sum(n for _, n in self._words[:index])
        self.kv.evict(first, first + self._words.pop(index)[1])


POLICIES: dict[str, type[Floating]] = {
    "shadow": Shadow,
    "floating": Floating,
    "recompute": Recompute,
    "fifo": Fifo,
    "evict": Evict,
}
