"""Episodes to training sequences, through the very window and prompt code that inference uses.

A sample is what the engine's cache holds at the end of a stretch of chunks: system turn, text
history of what left the window, then one turn a chunk. Supervised are all assistant turns in view
whose evidence is in view.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aura_core.config import WindowConfig
from aura_core.models.backend import Piece, Tokens, Video
from aura_core.models.families.qwen_vl import MRopePositions
from aura_core.sim.episode import Ask, Episode
from aura_core.stream.conversation import Conversation
from aura_core.stream.prompt import PromptCodec
from aura_core.training.tiny.targets import (
    GRID,
    asked_in,
    awaited_in,
    closed_in,
    conditions_in,
    facts_of,
    items_of,
    met_in,
)
from aura_core.types import Query

NS = 1_000_000_000


@dataclass(frozen=True)
class Sample:
    """One sequence of L tokens, V of them visual in order of `chunks`.

    `ids` int64 (L,); `positions` int64 (3, L); `visual` bool (L,). Supervision, N tokens: `at` (the
    position whose logits predict it), `target`, `silent`, `hard`, `event`, `chunk`. `answers`
    counts supervised answers. For the auxiliary losses, see `targets`: `awaited` float32 (chunks,
    12, AWAITED); and where each chunk is decided (the position whose logits choose silence or the
    first word), `decides` int64 (chunks,), with what its room is like there, `items` int64 (chunks,
    6, 3), `facts` float32 (chunks, F), `conditions` float32 (chunks, CONDITIONS), `met` float32
    (chunks, WAITS) and `asked` int64 (chunks,); where its answer ends, `ends` int64 (chunks,), with
    `closed` float32 (chunks, WAITS).
    """

    ids: NDArray[np.int64]
    positions: NDArray[np.int64]
    visual: NDArray[np.bool_]
    chunks: range
    at: NDArray[np.int64]
    target: NDArray[np.int64]
    silent: NDArray[np.bool_]
    hard: NDArray[np.bool_]
    event: NDArray[np.bool_]
    chunk: NDArray[np.int64]
    answers: int
    awaited: NDArray[np.float32]
    decides: NDArray[np.int64]
    items: NDArray[np.int64]
    facts: NDArray[np.float32]
    conditions: NDArray[np.float32]
    met: NDArray[np.float32]
    asked: NDArray[np.int64]
    ends: NDArray[np.int64]
    closed: NDArray[np.float32]


def play(episode: Episode, codec: PromptCodec, start: int, stop: int, groups: int) -> Conversation:
    """The perfect conversation about chunks 0 .. stop - 1, as the engine would have it in view when
    its window begins at chunk `start`: then its plan holds the prefix, and its turns are all."""
    asks: dict[int, Ask] = {a.chunk: a for a in episode.asks}
    dues = {d.chunk: d for d in episode.dues}
    script = episode.script()
    window = WindowConfig(keep=1, max=max(start, 1) + 1, qa_groups=groups, policy="floating")
    played = Conversation(codec, window)
    for chunk in range(stop):
        ask, text = asks.get(chunk), script.get(chunk)
        query = Query(ask.text, ask.id, chunk * NS, ask.kind) if ask else None
        if query is not None:
            played.ask(query)
        turn = played.open(chunk, Video(chunk, GRID), query)
        if text is not None:
            # the newest of several watches is named: it is nearest in the conversation
            owners = dues[chunk].ask_ids[::-1] if ask is None else ()
            turn = played.say(
                turn, codec.tokenizer.encode(text), query, chunk * NS, "", owners
            ).turn
        played.close(turn)
    return played


def build(episode: Episode, codec: PromptCodec, start: int, stop: int, groups: int = 10) -> Sample:
    """The sample whose window shows chunks start .. stop - 1."""
    played = play(episode, codec, start, stop, groups)
    turns = played.window.turns
    plan = played.window.plan
    script, end = episode.script(), codec.chat.end_id
    world = episode.world
    events = {e.chunk for e in world.events} | {d.chunk for d in episode.dues}
    half_done = {c for c in range(start, stop) if world.unsettled(c)}
    tricky = (
        events
        | half_done
        | {d.chunk + 1 for d in episode.dues}
        | {a.chunk + 1 for a in episode.asks}
    )
    # What the first chunk in view shows complete from the beginning may have happened before.
    since = start + 1 if start else 0
    blind = {a.chunk for a in episode.asks if a.evidence is not None and a.evidence < since}
    blind |= {d.chunk for d in episode.dues if any(e.chunk < since for e in d.events)}
    ids: list[int] = []
    visual: list[bool] = []
    pieces: list[Piece] = []
    decides: list[int] = []
    ends: list[int] = []
    sup: list[tuple[int, int, bool, bool, bool, int]] = []

    def put(piece: Tokens | Video) -> None:
        n = len(piece)
        ids.extend(piece.ids if isinstance(piece, Tokens) else [0] * n)
        visual.extend([isinstance(piece, Video)] * n)
        pieces.append(piece)

    put(codec.head(plan.prefix if start and plan is not None else codec.prefix()))
    for turn in turns[start:stop]:
        for piece in codec.user(turn.video, turn.question):
            put(piece)
        decides.append(len(ids) - 1)
        spoken = (*turn.answer_ids, end) if turn.answer_ids is not None else codec.silence
        quiet = turn.answer_ids is None
        hard = quiet and turn.chunk in tricky
        event = turn.chunk in events
        if turn.chunk not in blind:
            sup += [
                (len(ids) - 1 + i, t, quiet, hard, event and i == 0, turn.chunk)
                for i, t in enumerate(spoken)
            ]
        ends.append(len(ids) + len(codec.silence if quiet else spoken[:-1]))
        put(codec.assistant(turn.answer_ids))
    at, target, silent, hards, decisive, chunk = (np.asarray(c) for c in zip(*sup, strict=True))
    return Sample(
        np.asarray(ids),
        MRopePositions().extend(pieces),
        np.asarray(visual),
        range(start, stop),
        at,
        target,
        silent.astype(bool),
        hards.astype(bool),
        decisive.astype(bool),
        chunk,
        sum(c in script and c not in blind for c in range(start, stop)),
        awaited_in(episode, start, stop),
        np.asarray(decides),
        np.stack([items_of(episode.world, c) for c in range(start, stop)]),
        np.stack([facts_of(episode.world, c) for c in range(start, stop)]),
        conditions_in(episode, start, stop),
        met_in(episode, start, stop),
        asked_in(episode, start, stop),
        np.asarray(ends),
        closed_in(episode, start, stop),
    )
