"""What each of a chunk's visual tokens ought to know: the ground truth of stage 1, and of stage 2's
auxiliary loss.

Stage 1 sees a chunk alone, and is asked only for what its two frames show (`visible`): an event
that was completed between two chunks shows in neither, and what is half done is neither the one nor
the other. Stage 2 sees the chunks before, and is asked for the whole truth. `IGNORED` and NaN mark
what is not asked for.

A chunk of the room is 3 x 4 tokens. Every place on the table and everything else in the room has a
token of its own, the one where it is seen when the robot looks straight ahead; attention brings it
there when the head is turned.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from aura_core.sim.episode import Episode
from aura_core.sim.talk import Wait
from aura_core.sim.world import COLOURS, KINDS, SHAPES, Item, State, World

GRID = (3, 4)
TOKENS = GRID[0] * GRID[1]
SLOT_TOKENS = (5, 6, 7, 9, 10, 11)  # of the places on the table
STATES = (
    "empty",
    "present",
    "entering",
    "leaving",
    "moved in",
    "moved out",
    "coming",  # carried in, not there yet
    "going",  # carried away, not gone yet
)
IGNORED = -100
# Progress from which a hand shows what it carries in; until and from which it has not, has taken
# hold of what it carries away.
COMING, HOLD, GOING = 0.25, 0.3, 0.5
WITHDRAWN = 0.85  # progress from which little is seen of the hand that brought something

_DOOR, _WINDOW, _PERSON, _LAMP, _CUP, _CAT = 0, 1, 2, 3, 4, 8
_KETTLE = _LAMP
RESTING = {
    "foreign": _WINDOW,
    "door": _DOOR,
    "night": _WINDOW,
    "person 0": _PERSON,
    "person 1": _PERSON,
    "person 2": _PERSON,
    "lying": _PERSON,
    "lamp": _LAMP,
    "kettle": _KETTLE,
    "cup": _CUP,
    "cat floor": _CAT,
    "cat table": _CAT,
}
_SUBJECTS = {
    "person": _PERSON,
    "door": _DOOR,
    "lamp": _LAMP,
    "kettle": _KETTLE,
    "cat": _CAT,
    "cup": _CUP,
    "night": _WINDOW,
    "day": _WINDOW,
}
HAPPENING = {k: _SUBJECTS[k.split()[0]] for k in KINDS if not k.startswith("item")}
FACT_TOKENS = (*RESTING.values(), *HAPPENING.values())
AWAITED = 3 + len(HAPPENING)
ITEM_KINDS = ("item enters", "item leaves")
# that can be waited for: a colour or any, a shape or any
THINGS = (len(COLOURS) + 1) * (len(SHAPES) + 1)
WAITS = len(ITEM_KINDS) * THINGS + len(HAPPENING)  # conditions that may be waited for
QUESTIONS = 1 + WAITS  # about now; or one of them
CONDITIONS = WAITS + len(ITEM_KINDS) * THINGS


def items_of(room: World, chunk: int, visible: bool = False) -> NDArray[np.int64]:
    """(6, 3): colour + 1 or 0, shape + 1 or 0, index of the state, for each place on the table;
    `IGNORED` where it is not asked for."""
    out = np.zeros((len(SLOT_TOKENS), 3), np.int64)
    first_s, last_s = room.look(chunk)
    if room.is_foreign(first_s) or room.is_foreign(last_s):
        return np.full_like(out, IGNORED)

    def put(item: Item, state: str) -> None:
        out[item.slot] = (
            COLOURS.index(item.colour) + 1,
            SHAPES.index(item.shape) + 1,
            STATES.index(state),
        )

    for item in room.states[chunk].items:
        put(item, "present")
    for event in room.events_at(chunk):
        if event.item is None:
            continue
        shows = first_s < event.done_s  # not yet complete in the first frame
        if event.kind == "item enters":  # or the hand that brought it is there still
            shows = event.progress(first_s) < WITHDRAWN
        if event.kind == "item moves":
            there = next(i for i in event.after.items if i not in event.before.items)
            put(event.item, "moved out")
            put(there, "moved in")
            if visible and not shows:
                out[event.item.slot], out[there.slot, 2] = IGNORED, IGNORED
        else:
            put(event.item, "entering" if event.kind == "item enters" else "leaving")
            if visible and not shows:
                out[event.item.slot, 0 if event.kind == "item leaves" else 2 :] = IGNORED
    for event in room.under_way(last_s):
        if event.item is None or last_s >= event.done_s:
            continue
        p, slot = event.progress(last_s), event.item.slot
        if event.kind == "item enters":
            if p >= COMING:
                put(event.item, "coming")
            elif p > 0.05 and visible:
                out[slot] = IGNORED
        else:
            if p >= (GOING if event.kind == "item leaves" else HOLD + 0.1):
                out[slot, 2] = STATES.index("going")
            elif p > HOLD:
                out[slot, 2] = IGNORED
            if event.kind == "item moves":
                there = next(i for i in event.after.items if i not in event.before.items)
                if there.slot != slot:
                    out[there.slot] = IGNORED
    return out


def facts_of(room: World, chunk: int, visible: bool = False) -> NDArray[np.float32]:
    """float32 (len(FACT_TOKENS),): what is so at the end of the chunk, and what happened in it; NaN
    where it is not asked for."""
    first_s, last_s = room.look(chunk)
    foreign = room.is_foreign(last_s)
    out = np.full(len(FACT_TOKENS), np.nan, np.float32)
    if room.is_foreign(first_s) != foreign:
        return out
    if foreign:
        out[0] = 1.0
        return out
    resting = _resting(room.states[chunk])
    events = {e.kind: e for e in room.events_at(chunk)}
    out[:] = [*resting.values(), *(kind in events for kind in HAPPENING)]
    for kind, event in events.items():
        if kind in HAPPENING and visible and first_s >= event.done_s:
            out[len(RESTING) + list(HAPPENING).index(kind)] = np.nan
    for event in room.under_way(last_s):
        if event.kind not in HAPPENING or last_s >= event.done_s:
            continue
        if last_s > event.start_s + 0.05:
            for i, name in enumerate(RESTING):
                if event.subject == _CHANGED_WITH.get(name, name.split()[0]):
                    out[i] = np.nan
        if last_s > event.done_s - 0.1:
            out[len(RESTING) + list(HAPPENING).index(event.kind)] = np.nan
    return out


_CHANGED_WITH = {"lying": "person"}


def _resting(state: State) -> dict[str, bool]:
    told = {
        "foreign": False,
        "door": state.door,
        "night": state.night,
        "lying": state.lying,
        "lamp": state.lamp,
        "kettle": state.kettle,
        "cup": state.cup,
        "cat floor": state.cat == "floor",
        "cat table": state.cat == "table",
    } | {f"person {i}": state.person == i for i in range(3)}
    return {name: told[name] for name in RESTING}


def open_waits(episode: Episode, start: int, stop: int) -> list[list[Wait]]:
    """What standing questions wait for in each of the chunks start .. stop - 1, when it begins."""
    # first due of each question
    answered = {i: d.chunk for d in reversed(episode.dues) for i in d.ask_ids}
    return [
        [
            a.condition
            for a in episode.asks
            if a.condition is not None
            and a.chunk < chunk
            and (a.kind == "multi-response" or answered.get(a.id, chunk) >= chunk)
        ]
        for chunk in range(start, stop)
    ]


def conditions_in(episode: Episode, start: int, stop: int) -> NDArray[np.float32]:
    """Both sides of the decision in chunks start .. stop - 1, yes or no: which conditions are
    waited for, and which arrivals and departures that a question can name happen (what else happens
    is among `facts_of`). float32 (chunks, CONDITIONS)."""
    out = np.zeros((stop - start, CONDITIONS), np.float32)
    for i, waits in enumerate(open_waits(episode, start, stop)):
        out[i, [_condition(w) for w in waits]] = 1
        for event in episode.world.events_at(start + i):
            if event.item is None or event.kind not in ITEM_KINDS:
                continue
            for colour in (event.item.colour, None):
                for shape in (event.item.shape, None):
                    out[i, WAITS + _condition(Wait(event.kind, colour, shape))] = 1
    return out


def met_in(episode: Episode, start: int, stop: int) -> NDArray[np.float32]:
    """Which conditions are waited for and met in chunks start .. stop - 1, or were met before and
    are to be told there. float32 (chunks, WAITS)."""
    out = np.zeros((stop - start, WAITS), np.float32)
    late = {d.chunk: d.events for d in episode.dues}
    for i, waits in enumerate(open_waits(episode, start, stop)):
        happens = (*episode.world.events_at(start + i), *late.get(start + i, ()))
        for wait in waits:
            out[i, _condition(wait)] = any(wait.matches(e) for e in happens)
    return out


def asked_in(episode: Episode, start: int, stop: int) -> NDArray[np.int64]:
    """What is asked in chunks start .. stop - 1: -1 nothing, 0 a question about now or the past,
    else the condition of a standing question, counted from 1. int64 (chunks,)."""
    out = np.full(stop - start, -1, np.int64)
    for ask in episode.asks:
        if start <= ask.chunk < stop:
            out[ask.chunk - start] = 0 if ask.condition is None else 1 + _condition(ask.condition)
    return out


def closed_in(episode: Episode, start: int, stop: int) -> NDArray[np.float32]:
    """Which conditions nobody waits for any more after what is said in chunks start .. stop - 1:
    those of one-time questions that it answers. NaN where nothing is said of a standing question.
    float32 (chunks, WAITS)."""
    out = np.full((stop - start, WAITS), np.nan, np.float32)
    asks = {a.id: a for a in episode.asks}
    for due in episode.dues:
        if start <= due.chunk < stop:
            out[due.chunk - start] = 0
            answered = sorted(
                (asks[i] for i in due.ask_ids), key=lambda a: a.kind == "multi-response"
            )
            for ask in answered:  # what is also asked for every time stays open
                assert ask.condition is not None
                out[due.chunk - start, _condition(ask.condition)] = ask.kind == "proactive"
    return out


def _condition(wait: Wait) -> int:
    if wait.kind not in ITEM_KINDS:
        return len(ITEM_KINDS) * THINGS + list(HAPPENING).index(wait.kind)
    colour = COLOURS.index(wait.colour) if wait.colour else len(COLOURS)
    shape = SHAPES.index(wait.shape) if wait.shape else len(SHAPES)
    return ITEM_KINDS.index(wait.kind) * THINGS + colour * (len(SHAPES) + 1) + shape


def awaited_in(episode: Episode, start: int, stop: int) -> NDArray[np.float32]:
    """For each token of chunks start .. stop - 1, what open standing questions wait for: the
    arrival (0) and departure
    (1) of its object, whether it arrives or departs just so (2), and each other kind of event at
    its token (3 on). 1 yes, 0 no, NaN where there is no such thing. float32 (chunks, 12, AWAITED).
    """
    out = np.full((stop - start, TOKENS, AWAITED), np.nan, np.float32)
    for chunk, waits in enumerate(open_waits(episode, start, stop), start):
        if any(map(episode.world.is_foreign, episode.world.look(chunk))):
            continue
        kinds = {w.kind for w in waits}
        for i, (kind, token) in enumerate(HAPPENING.items()):
            out[chunk - start, token, 3 + i] = kind in kinds
        events = [e for e in episode.world.events_at(chunk) if e.item is not None]
        items = set(episode.world.states[chunk].items)
        items |= {e.item for e in events if e.item is not None}
        for item in items:
            cell = out[chunk - start, SLOT_TOKENS[item.slot]]
            for i, kind in enumerate(ITEM_KINDS):
                cell[i] = any(
                    w.kind == kind
                    and w.colour in (None, item.colour)
                    and w.shape in (None, item.shape)
                    for w in waits
                )
            cell[2] = any(item == e.item and any(w.matches(e) for w in waits) for e in events)
    return out
