"""Rollouts: the engine plays a room, and every doubtful turn is tried in several ways.

The conversation goes on greedily, as it does when the model is deployed. So the prefixes are those
that the model itself brings about. Before a second in which unasked words may come, the engine is
copied; where the decision turns out to be doubtful, copies write the turn in other ways, play on
for `horizon` seconds, and are scored. All ways of a turn have the same prefix.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from aura_core.config import AssistantConfig, DeciderConfig, WindowConfig
from aura_core.evaluation.scoring import EpisodeScore, Said, score
from aura_core.stream.engine import StreamEngine
from aura_core.stream.prefix import Prefix
from aura_core.stream.window import Turn
from aura_core.training.preference.acting import Acting, Draft, Logits, Writing, log_p
from aura_core.training.preference.forks import Seeing, forked
from aura_core.training.preference.reward import worth
from aura_core.training.preference.rooms import Room, chunks_of
from aura_core.training.preference.settings import PreferenceRecipe
from aura_core.types import Chunk, Query, Step

# The floating policy holds the same conversation as shadow and makes the same decisions, and one
# cache is less to copy than two.
CONFIG = AssistantConfig(
    window=WindowConfig(policy="floating"), decider=DeciderConfig(mode="token")
)


@dataclass(frozen=True)
class Output:
    """One way in which a turn may be written.

    `ids`: token ids of its words; () is silence. `ended`: the model ends the words itself.
    `reward`: see `reward.worth`. `count`: how often it was sampled. `log_p`: its log-probability in
    nats, as the engine computed it; nan where the words were given to it.
    """

    ids: tuple[int, ...]
    ended: bool
    reward: float
    count: int
    log_p: float


@dataclass(frozen=True)
class Choice:
    """A decision, and the outputs that were tried. The first one is silence.

    `turn`: index of its turn in the window. `p_silent`: the model's own.
    """

    turn: int
    chunk: int
    p_silent: float
    outputs: tuple[Output, ...]


@dataclass(frozen=True, eq=False)
class View:
    """A window at its end, with the choices that were made in it."""

    prefix: Prefix
    turns: tuple[Turn, ...]
    choices: tuple[Choice, ...]


@dataclass(frozen=True, eq=False)
class Played:
    """A room that was played: its windows, and what the scorer makes of the conversation."""

    views: tuple[View, ...]
    score: EpisodeScore
    steps: tuple[Step, ...]


class Rollouts:
    """Plays rooms with the model of `seeing`, as it is at that time."""

    def __init__(
        self, seeing: Seeing, recipe: PreferenceRecipe, config: AssistantConfig = CONFIG
    ) -> None:
        self.recipe, self._seeing = recipe, seeing
        self.engine = StreamEngine(seeing, config, Acting(config.decider, seeing.chat))
        self.engine.generator = Writing(
            self.engine.codec, config.generation, self.engine.decider.silent_ids
        )
        # A copy lives for some seconds; whose words its alerts are needs no model there.
        self._plain = replace(config, watch=replace(config.watch, attribution="words"))
        self._rng = np.random.default_rng([recipe.seed, 71])
        self._room: list[tuple[Chunk, Query | None]] = []

    def play(self, room: Room) -> Played:
        """Play one room from its beginning."""
        engine = self.engine
        self._seeing.forget()
        engine.reset()
        self._room = list(chunks_of(room))
        dues = {d.chunk: d.text for d in room.episode.dues}
        ends: list[tuple[Prefix, tuple[Turn, ...]]] = []  # of each window
        choices: list[list[Choice]] = [[]]
        steps: list[Step] = []
        said: list[Said] = []
        for at, (chunk, query) in enumerate(self._room):
            before = forked(engine) if query is None and self._may_speak else None
            prefix, turns = engine.window.prefix, tuple(engine.window.turns)
            step = self._step(engine, chunk, query)
            if step.switched:
                ends.append((prefix, turns))
                choices.append([])
            if before is not None and self._tried(step, chunk.index in dues):
                turn = len(engine.window.turns) - 1
                choices[-1].append(
                    self._choice(before, room, at, turn, step, said, dues.get(chunk.index))
                )
            said += _said(step)
            steps.append(step)
        ends.append((engine.window.prefix, tuple(engine.window.turns)))
        views = tuple(
            View(prefix, turns, tuple(self._judged(c, room, said) for c in made))
            for (prefix, turns), made in zip(ends, choices, strict=True)
        )
        return Played(views, score(room.episode, said, room.seconds), tuple(steps))

    def _judged(self, choice: Choice, room: Room, said: Sequence[Said]) -> Choice:
        """The choice with the reward of the turn that the conversation itself has gone on with."""
        at = next(i for i, (chunk, _) in enumerate(self._room) if chunk.index == choice.chunk)
        last = self._last(at)
        reward = worth(room.episode, [s for s in said if s.chunk <= last], last + 1)
        outputs = (replace(o, reward=reward) if math.isnan(o.reward) else o for o in choice.outputs)
        return replace(choice, outputs=tuple(outputs))

    def _last(self, at: int) -> int:
        """The last chunk by which the turn of the room's chunk `at` is judged."""
        return self._room[min(at + self.recipe.horizon, len(self._room) - 1)][0].index

    @property
    def _may_speak(self) -> bool:
        """Whether words may come in a second without a question."""
        engine = self.engine
        return engine.config.decider.unsolicited or engine.conversation.expects()

    @staticmethod
    def _step(engine: StreamEngine, chunk: Chunk, query: Query | None) -> Step:
        asked = engine.conversation.admit(query) if query is not None else None
        return engine.step(chunk, asked)

    def _tried(self, step: Step, due: bool) -> bool:
        """Whether a turn is tried in other ways: it is doubtful, or known to matter.

        A sampled group shows something only where the decision is doubtful.
        """
        p, least = step.decision.p_silent, self.recipe.least
        doubtful = least <= p <= 1.0 - least
        return doubtful or (self.recipe.method == "dpo" and (due or not step.decision.silent))

    def _choice(
        self,
        before: StreamEngine,
        room: Room,
        at: int,
        turn: int,
        step: Step,
        said: Sequence[Said],
        due: str | None,
    ) -> Choice:
        """Try the turn of chunk `at` of the room, whose engine was `before`; `due`: the true words.

        Of the method dpo: silence, the model's own words, and the true words where some are due. Of
        grpo: silence and words as they are sampled.
        """
        outputs: dict[tuple[int, ...], Output] = {}

        def tried(draft: Draft, count: int) -> None:
            output = self._branch(before, room, at, draft, said, outputs)
            outputs[output.ids] = replace(output, count=output.count + count)

        group = self.recipe.group if self.recipe.method == "grpo" else 0
        silent = int(self._rng.binomial(group, step.decision.p_silent)) if group else 0
        if step.decision.silent:  # that is how the conversation goes on; it is judged there
            acting = self.engine.decider
            assert isinstance(acting, Acting) and acting.logits is not None
            own = log_p(acting.logits, acting.silent_ids)
            outputs[()] = Output((), True, math.nan, silent, own)
        else:
            tried(Draft(()), silent)
        for _ in range(group - silent):
            tried(Draft(None, self._rng), 1)
        if not group:
            tried(Draft(None), 0)
            codec = self.engine.codec
            if due is not None and codec.answer_ids(due) not in outputs:
                tried(Draft(codec.answer_ids(due)), 0)
        return Choice(turn, step.chunk, step.decision.p_silent, tuple(outputs.values()))

    def _branch(
        self,
        before: StreamEngine,
        room: Room,
        at: int,
        draft: Draft,
        said: Sequence[Said],
        known: dict[tuple[int, ...], Output],
    ) -> Output:
        """Write the turn as `draft` tells, play on greedily, and score it."""
        engine = forked(before)
        engine.configure(self._plain)
        acting, writing = engine.decider, engine.generator
        assert isinstance(acting, Acting) and isinstance(writing, Writing)
        acting.draft = writing.draft = draft
        heard = [*said, *_said(self._step(engine, *self._room[at]))]
        acting.draft = writing.draft = None
        assert acting.logits is not None
        output = _output(acting.logits, acting.silent_ids, draft, writing)
        if output.ids in known:
            return known[output.ids]
        for chunk, query in self._room[at + 1 : at + 1 + self.recipe.horizon]:
            heard += _said(self._step(engine, chunk, query))
        return replace(output, reward=worth(room.episode, heard, self._last(at) + 1))


def _output(logits: Logits, silent_ids: Sequence[int], draft: Draft, writing: Writing) -> Output:
    """What the draft has become, without its reward. `logits`: those of the decision."""
    if draft.ids == ():
        return Output((), True, math.nan, 0, log_p(logits, silent_ids))
    written = writing.written
    assert written is not None
    first = log_p(logits, written.ids[:1])
    return Output(written.ids, written.ended, math.nan, 0, first + written.log_p)


def _said(step: Step) -> list[Said]:
    response = step.response
    return [] if response is None else [Said(step.chunk, response.text, step.question)]
