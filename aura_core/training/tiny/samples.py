"""Episodes to training sequences, through the very window and prompt code that inference uses.

A sample is what the engine's cache holds at the end of a stretch of chunks: system turn, text
history of what left the window, then one turn a chunk, and between some of them requests for notes.
Supervised are all assistant turns in view whose evidence is in view, and the notes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from aura_core.config import WindowConfig
from aura_core.models.backend import Tokens, Video
from aura_core.models.families.qwen_vl import MRopePositions
from aura_core.sim.episode import Ask, Episode
from aura_core.stream.conversation import Conversation
from aura_core.stream.prompt import PromptCodec
from aura_core.training.tiny.remembered import Noted
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
    `closed` float32 (chunks, WAITS). `branch` int64 (L,): see `forward.hidden_of`; `of_branch`
    int64 (N,): the branch that a supervised token is in, 0 for the conversation; `labels` tell what
    the branches are: "note", "nothing new" or the topic of a question.
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
    branch: NDArray[np.int64]
    of_branch: NDArray[np.int64]
    labels: tuple[str, ...]


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
        if ask is not None and ask.recalled:
            turn = replace(turn, recalled=ask.recalled)
        if text is not None:
            # the newest of several watches is named: it is nearest in the conversation
            owners = dues[chunk].ask_ids[::-1] if ask is None else ()
            turn = played.say(
                turn, codec.tokenizer.encode(text), query, chunk * NS, "", owners
            ).turn
        played.close(turn)
    return played


def build(
    episode: Episode,
    codec: PromptCodec,
    start: int,
    stop: int,
    groups: int = 10,
    memory: str = "",
    asides: Sequence[Noted | Ask] = (),
) -> Sample:
    """The sample whose window shows chunks start .. stop - 1, with `memory` in its system turn.

    `asides` are notes that are asked for between chunks, and questions that are asked in one. The
    conversation goes on as if they were not: they are branches, which no later token sees. So one
    window can be asked about many things.
    """
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
    positions: list[NDArray[np.int64]] = []
    branch: list[int] = []
    track = MRopePositions()
    decides: list[int] = []
    ends: list[int] = []
    labels: list[str] = []  # of the branches
    sup: list[tuple[int, int, bool, bool, bool, int, int]] = []

    def put(piece: Tokens | Video) -> None:
        n = len(piece)
        ids.extend(piece.ids if isinstance(piece, Tokens) else [0] * n)
        visual.extend([isinstance(piece, Video)] * n)
        positions.append(track.extend([piece]))
        branch.extend([0] * n)

    def fork(request: Sequence[int], text: str, chunk: int, label: str) -> None:
        labels.append(label)
        words = codec.answer_ids(text)
        spoken = (*words, end) if words else codec.silence
        first = len(ids) + len(request) - 1
        number = len(labels)
        # what is said next, and whether anything is, is decided between facts
        between = {*codec.tokenizer.encode(";"), end}
        choices = [i == 0 or t in between or spoken[i - 1] in between for i, t in enumerate(spoken)]
        sup.extend(
            (first + i, t, not words, True, choices[i], chunk, number) for i, t in enumerate(spoken)
        )
        told = (*request, *spoken[:-1])
        ids.extend(told)
        visual.extend([False] * len(told))
        at = track.next_position + np.arange(len(told))
        positions.append(np.broadcast_to(at, (3, len(told))))
        branch.extend([number] * len(told))

    prefix = plan.prefix if start and plan is not None else codec.prefix()
    put(codec.head(replace(prefix, memory=memory)))
    for turn in turns[start:stop]:
        *seen, rest = turn.user(codec)
        for piece in seen:
            put(piece)
        for ask in asides:
            if isinstance(ask, Ask) and ask.chunk == turn.chunk:
                last = codec.user(turn.video, ask.text, None, ask.recalled)[-1]
                assert isinstance(last, Tokens)
                fork(last.ids, ask.answer, turn.chunk, ask.topic)
        put(rest)
        decides.append(len(ids) - 1)
        spoken = (*turn.answer_ids, end) if turn.answer_ids is not None else codec.silence
        quiet = turn.answer_ids is None
        hard = quiet and turn.chunk in tricky
        event = turn.chunk in events
        if turn.chunk not in blind:
            sup += [
                (len(ids) - 1 + i, t, quiet, hard, event and i == 0, turn.chunk, 0)
                for i, t in enumerate(spoken)
            ]
        ends.append(len(ids) + len(codec.silence if quiet else spoken[:-1]))
        put(codec.assistant(turn.answer_ids))
        for note in asides:
            if isinstance(note, Noted) and note.stop == turn.chunk + 1:
                label = "note" if note.text else "nothing new"
                fork(codec.noting(note.request).ids, note.text, turn.chunk, label)
    columns = np.asarray(sup, np.int64).reshape(-1, 7).T
    at, target, silent, hards, decisive, chunk, of_branch = columns
    return Sample(
        np.asarray(ids),
        np.concatenate(positions, axis=1),
        np.asarray(visual),
        range(start, stop),
        at,
        target,
        silent.astype(bool),
        hards.astype(bool),
        decisive.astype(bool),
        chunk,
        sum(c in script and c not in blind for c in range(start, stop)) + len(labels),
        awaited_in(episode, start, stop),
        np.asarray(decides),
        np.stack([items_of(episode.world, c) for c in range(start, stop)]),
        np.stack([facts_of(episode.world, c) for c in range(start, stop)]),
        conditions_in(episode, start, stop),
        met_in(episode, start, stop),
        asked_in(episode, start, stop),
        np.asarray(ends),
        closed_in(episode, start, stop),
        np.asarray(branch),
        of_branch,
        tuple(labels),
    )
