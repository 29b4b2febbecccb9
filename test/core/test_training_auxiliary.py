"""What the read-outs of stage 2 learn: the room, what is asked and what is awaited, each where it
is read."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import torch.nn.functional as F  # noqa: E402

from aura_core.models.scripted import ScriptedBackend  # noqa: E402
from aura_core.sim.episode import DENSE_PLAN, Episode  # noqa: E402
from aura_core.sim.world import COLOURS, SHAPES  # noqa: E402
from aura_core.stream.prompt import PromptCodec  # noqa: E402
from aura_core.training.tiny.auxiliary import Auxiliary  # noqa: E402
from aura_core.training.tiny.batches import FOCUS, ONCE, collate, on  # noqa: E402
from aura_core.training.tiny.forward import logits_of  # noqa: E402
from aura_core.training.tiny.model import build_model  # noqa: E402
from aura_core.training.tiny.model import codec as tiny_codec  # noqa: E402
from aura_core.training.tiny.samples import build  # noqa: E402
from aura_core.training.tiny.store import training_world  # noqa: E402
from aura_core.training.tiny.targets import (  # noqa: E402
    GRID,
    HAPPENING,
    ITEM_KINDS,
    RESTING,
    SLOT_TOKENS,
    STATES,
    THINGS,
    WAITS,
    asked_in,
    awaited_in,
    closed_in,
    conditions_in,
    facts_of,
    items_of,
    met_in,
)


def flat(hidden):
    return [h.flatten(0, 1) for h in hidden]


def test_every_decision_knows_its_second_in_a_batch_too():
    backend = ScriptedBackend(grid=GRID)
    codec = PromptCodec(backend.tokenizer, backend.chat)
    spans = ((5, 0, 12), (6, 3, 20))
    episodes = {
        seed: Episode.generate(seed, 30, DENSE_PLAN, training_world(seed)) for seed, _, _ in spans
    }
    samples = [build(episodes[seed], codec, start, stop) for seed, start, stop in spans]
    batch = on(collate(samples, [np.arange(len(s.chunks)) for s in samples]), "cpu")
    seconds = [(seed, c) for seed, start, stop in spans for c in range(start, stop)]
    ids, row = batch.ids.flatten(), batch.decides // batch.ids.shape[1]
    assert row.tolist() == [0] * 12 + [1] * 17
    first = {}  # the first supervised token of each second is predicted where the second is decided
    for at, chunk in zip(
        batch.at.tolist(), np.concatenate([s.chunk for s in samples]).tolist(), strict=True
    ):
        first.setdefault((at // batch.ids.shape[1], chunk), at)
    for i, (seed, chunk) in enumerate(seconds):
        if (int(row[i]), chunk) in first:
            assert first[int(row[i]), chunk] == batch.decides[i]
        assert np.array_equal(batch.items[i], items_of(episodes[seed].world, chunk))
        assert np.array_equal(batch.facts[i], facts_of(episodes[seed].world, chunk), equal_nan=True)
        assert np.array_equal(batch.met[i], met_in(episodes[seed], chunk, chunk + 1)[0])
        assert np.array_equal(
            batch.conditions[i], conditions_in(episodes[seed], chunk, chunk + 1)[0]
        )
        assert np.array_equal(
            batch.closed[i], closed_in(episodes[seed], chunk, chunk + 1)[0], equal_nan=True
        )
    assert len(set(ids[batch.decides].tolist())) == 1  # the end of the assistant's header
    assert set(ids[batch.ends].tolist()) == {backend.chat.end_id}
    spoken = batch.ends - batch.decides > 1 + len(codec.silence)
    assert spoken.tolist() == [chunk in episodes[seed].script() for seed, chunk in seconds]


def test_gathering_reads_colour_shape_state_and_facts_in_this_order():
    model, tokenizer = build_model(0)
    auxiliary = Auxiliary(model.model.language_model)
    sample = build(
        Episode.generate(5, 30, DENSE_PLAN, training_world(5)), tiny_codec(tokenizer), 0, 12
    )
    batch = on(collate([sample], [np.arange(12)]), "cpu")
    with torch.no_grad():
        hidden = flat(logits_of(model, batch, torch.zeros((12, 12, 384), dtype=torch.float16))[1])
        sizes = (len(COLOURS) + 1, len(SHAPES) + 1, len(STATES))
        places = [F.one_hot(batch.items[..., i].clamp(min=0), n) for i, n in enumerate(sizes)]
        facts = batch.facts.nan_to_num(0.0)
        assert not batch.facts[:, -1].isnan().any()
        said = torch.cat((torch.cat(places, -1).flatten(1), 2 * facts - 1), -1) * 30.0
        said[:, : sum(sizes) * 6] *= 2
        auxiliary.heads["gathering"].forward = lambda _hidden: said
        auxiliary.heads["conditions"].forward = lambda _hidden: 60.0 * batch.conditions - 30.0
        assert float(auxiliary.gathering(batch, hidden)) < 1e-6
        nothing_asked = replace(batch, asked=torch.full_like(batch.asked, -1))
        assert float(auxiliary.asking(nothing_asked, hidden)) == 0.0
        assert float(auxiliary.asking(batch, hidden)) > 0.0
        said[:, -1] *= -1
        wrong = float(auxiliary.gathering(batch, hidden))
        # every second wrong in one fact
        assert wrong == pytest.approx(30.0 / len(RESTING), rel=1e-4)


def test_what_is_awaited_where():
    episode = Episode.generate(5, 90, DENSE_PLAN, training_world(12))
    awaited = awaited_in(episode, 10, 60)
    dues = {d.chunk for d in episode.dues}
    kinds = list(HAPPENING)
    for chunk in range(10, 60):
        event = episode.world.event_at(chunk)
        if event is None or event.kind == "item moves":
            continue
        if event.item is None:
            said = awaited[chunk - 10, HAPPENING[event.kind], 3 + kinds.index(event.kind)]
        else:
            said = awaited[chunk - 10, SLOT_TOKENS[event.item.slot], 2]
        assert said == (chunk in dues)


def test_a_second_is_due_where_what_is_waited_for_happens():
    """What the decision needs: two sides whose product is the truth, for objects and for everything
    else."""
    things, seen = len(ITEM_KINDS) * THINGS, np.zeros(3, bool)
    for seed in range(5, 15):
        episode = Episode.generate(seed, 90, FOCUS, training_world(seed))
        if episode.world.foreign:
            continue
        dues = {e.chunk for d in episode.dues for e in d.events}
        conditions = conditions_in(episode, 0, 90)
        waited, others, happens = np.split(conditions, (things, WAITS), axis=1)
        happened = np.stack([facts_of(episode.world, c)[-len(HAPPENING) :] for c in range(90)])
        happened = happened == 1  # of what is nearly complete nothing is said
        due = (waited * happens).any(1) | (others * happened).any(1)
        asks = {a.chunk for a in episode.asks}
        # a question is answered first: what happens in the last second may never be told
        untold = {c for c in np.flatnonzero(due) if asks >= set(range(c, 90))}
        assert set(np.flatnonzero(due)) - untold == dues
        seen |= [(waited * happens).any(), (others * happened).any(), bool(dues)]
        assert np.array_equal(conditions_in(episode, 40, 60), conditions[40:60])
        asked, standing = asked_in(episode, 0, 90), np.concatenate((waited, others), axis=1)
        assert {c: asked[c] > 0 for c in np.flatnonzero(asked >= 0)} == {
            a.chunk: a.kind != "real-time" for a in episode.asks
        }
        assert all(standing[c + 1, asked[c] - 1] for c in np.flatnonzero(asked > 0) if c < 89)
    assert seen.all()


def test_what_is_waited_for_is_what_was_asked_less_what_is_closed():
    """Second by second, from both sides: what a decision has to know, and where it can read it."""
    closed_once = 0
    for seed in range(5, 15):
        episode = Episode.generate(seed, 90, ONCE, training_world(seed))
        waited, asked = conditions_in(episode, 0, 90)[:, :WAITS], asked_in(episode, 0, 90)
        closed = closed_in(episode, 0, 90)
        assert {*np.flatnonzero(~np.isnan(closed[:, 0]))} == {d.chunk for d in episode.dues}
        expected = np.zeros(WAITS, bool)
        for chunk in range(90):
            assert np.array_equal(waited[chunk] > 0, expected)
            expected &= closed[chunk] != 1
            if asked[chunk] > 0:
                expected[asked[chunk] - 1] = True
        closed_once += int(np.nansum(closed))
    assert closed_once > 10


def test_closing_and_meeting_cost_nothing_when_right():
    model, tokenizer = build_model(0)
    auxiliary = Auxiliary(model.model.language_model)
    episode = Episode.generate(6, 90, ONCE, training_world(6))
    sample = build(episode, tiny_codec(tokenizer), 0, 90)
    batch = on(collate([sample], [np.arange(90)]), "cpu")
    dues = {d.chunk for d in episode.dues}
    met = batch.met
    assert set(torch.nonzero(met.any(1)).flatten().tolist()) >= dues
    with torch.no_grad():
        hidden = flat(logits_of(model, batch, torch.zeros((90, 12, 384), dtype=torch.float16))[1])
        auxiliary.heads["meeting"].forward = lambda _hidden: 60.0 * met - 30.0
        assert float(auxiliary.meeting(batch, hidden)) < 1e-6
        auxiliary.heads["meeting"].forward = lambda _hidden: torch.full((90, WAITS), -30.0)
        assert float(auxiliary.meeting(batch, hidden)) == pytest.approx(
            30.0 * float(met.sum()) / 90, rel=1e-4
        )
        right = 60.0 * batch.closed.nan_to_num(0.0) - 30.0
        auxiliary.heads["closing"].forward = lambda _hidden: right
        assert float(auxiliary.closing(batch, hidden)) < 1e-6 < float(met.sum())
        silent = replace(batch, closed=torch.full_like(batch.closed, torch.nan))
        auxiliary.heads["closing"].forward = lambda hidden: hidden[:, :WAITS]
        assert (
            float(auxiliary.closing(silent, hidden)) == 0.0
        )  # nothing is said of a standing question
