"""Training: the loss by its formula, and samples that are exactly what the engine would have in its
cache."""

from __future__ import annotations

import math
import time

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch")


from checkpoints import float32_steps  # noqa: E402

from aura_core.config import AssistantConfig, WindowConfig  # noqa: E402
from aura_core.errors import InputError  # noqa: E402
from aura_core.models.families.qwen_vl import patchify  # noqa: E402
from aura_core.models.scripted import ScriptedBackend, VisualToken  # noqa: E402
from aura_core.replay.lockstep import Lockstep  # noqa: E402
from aura_core.sim.episode import DENSE_PLAN, Episode  # noqa: E402
from aura_core.sim.render import Camera  # noqa: E402
from aura_core.stream.engine import StreamEngine  # noqa: E402
from aura_core.stream.prompt import PromptCodec  # noqa: E402
from aura_core.training.loss import (  # noqa: E402
    EVENT_WEIGHT,
    Supervised,
    balanced_loss,
    plain_loss,
)
from aura_core.training.tiny.model import PIXELS, build_model  # noqa: E402
from aura_core.training.tiny.samples import build  # noqa: E402
from aura_core.training.tiny.store import (  # noqa: E402
    CHUNKS,
    HELD,
    Store,
    chunk_frames,
    nothing_drawn,
    sensor_of,
    training_world,
)
from aura_core.training.tiny.targets import (  # noqa: E402
    FACT_TOKENS,
    GRID,
    HAPPENING,
    IGNORED,
    SLOT_TOKENS,
    STATES,
    facts_of,
    items_of,
)
from aura_core.training.tiny.vision import (  # noqa: E402
    READ_OUTS,
    batched_vision,
    conditions_met,
    exact,
    loss_of,
    patches_of,
)
from aura_core.types import Frame, Query  # noqa: E402

NS = 1_000_000_000
ROOM = 12  # whose picture shows nothing else, ever


def reference_loss(logits, row, target, silent, hard, event, answers, departures):
    """The formula, token by token, in plain Python floats."""
    total = 0.0
    for i in range(len(target)):
        p = math.exp(float(logits[i, target[i]])) / sum(math.exp(float(v)) for v in logits[i])
        weight = 1.0
        if silent[i]:
            n_silent = sum(1 for j in range(len(target)) if row[j] == row[i] and silent[j])
            weight = min(1.0, max(1, int(answers[row[i]])) / n_silent)
            if hard[i] and departures:
                weight = 1.0
        if event[i] and departures:
            weight = EVENT_WEIGHT
        total -= weight * math.log(p)
    return total / len(target)


@pytest.mark.parametrize("departures", [False, True])
def test_balanced_loss_equals_its_formula(departures):
    rng = np.random.default_rng(0)
    n, rows = 40, 3
    logits = rng.normal(size=(n, 7))
    row, target = rng.integers(0, rows, n), rng.integers(0, 7, n)
    silent = rng.random(n) < 0.6
    hard = silent & (rng.random(n) < 0.3)
    event = rng.random(n) < 0.2
    answers = np.array([1, 4, 0])
    s = Supervised(*(torch.from_numpy(a) for a in (row, target, silent, hard, event)))
    got = balanced_loss(torch.from_numpy(logits), s, rows, torch.from_numpy(answers), departures)
    assert got.dtype == torch.float64
    # the weights are float32: 1 / n is rounded by 2^-25 of it
    assert float(got) == pytest.approx(
        reference_loss(logits, row, target, silent, hard, event, answers, departures), rel=2**-24
    )


def test_one_answer_gives_silence_the_papers_weight():
    """With one answer among N silent turns, all silent turns together weigh as much as one
    token."""
    n = 9
    logits = torch.zeros((n + 1, 5))
    s = Supervised(
        torch.zeros(n + 1, dtype=torch.long),
        torch.zeros(n + 1, dtype=torch.long),
        torch.tensor([True] * n + [False]),
        *(torch.zeros(n + 1, dtype=torch.bool) for _ in range(2)),
    )
    loss = balanced_loss(logits, s, 1, torch.tensor([1]), departures=False)
    assert float(loss) == pytest.approx((n * (1 / n) + 1) * math.log(5) / (n + 1))
    assert float(plain_loss(logits, s)) == pytest.approx(math.log(5))


@pytest.mark.parametrize(("start", "stop"), [(0, 20), (10, 30), (20, 35)])
def test_a_sample_is_what_the_engine_has_in_its_cache(start, stop):
    """The perfect assistant is played through the engine; its tokens equal the sample's, also after
    switches."""
    episode = Episode.generate(5, 90, DENSE_PLAN, training_world(ROOM))
    backend = ScriptedBackend(episode.script(), grid=GRID)
    keep = 10
    config = AssistantConfig(window=WindowConfig(keep=keep, max=2 * keep, qa_groups=10))
    assistant = Lockstep(StreamEngine(backend, config))
    asks = {a.chunk: a for a in episode.asks}
    for chunk in range(stop):
        if chunk in asks:
            assistant.ask(Query(asks[chunk].text, asks[chunk].id, chunk * NS))
        for half in range(2):
            assistant.push(Frame(np.zeros((8, 8, 3), np.uint8), chunk * NS + half * NS // 2))
        assistant.step()
    codec = PromptCodec(backend.tokenizer, backend.chat)
    sample = build(episode, codec, start, stop)
    tokens = assistant.engine.session.tokens
    tail = codec.assistant(assistant.engine.window.turns[-1].answer_ids).ids
    cached = [0 if isinstance(t, VisualToken) else t for t in tokens]
    n = len(cached)
    assert list(sample.ids[:n]) == cached and 0 < len(sample.ids) - n <= len(tail)
    assert list(sample.visual[:n]) == [isinstance(t, VisualToken) for t in tokens]


def test_supervision_points_at_the_tokens_that_follow():
    episode = Episode.generate(10, 90, DENSE_PLAN, training_world(ROOM))
    backend = ScriptedBackend(grid=GRID)
    sample = build(episode, PromptCodec(backend.tokenizer, backend.chat), 20, 50)
    assert np.array_equal(sample.ids[sample.at + 1], sample.target)
    script = episode.script()
    quiet = {int(c) for c in sample.chunk[sample.silent]}
    assert quiet == {c for c in range(20, 50) if c not in script}
    # what the first chunk in view shows complete may have happened before
    blind = {
        a.chunk
        for a in episode.asks
        if a.evidence is not None and a.evidence < 21 and a.chunk >= 20
    }
    blind |= {
        d.chunk for d in episode.dues if d.chunk >= 20 and any(e.chunk < 21 for e in d.events)
    }
    blind &= set(range(20, 50))
    # nobody can know what is out of view
    assert blind and not blind & {int(c) for c in sample.chunk}
    assert sample.answers == sum(20 <= c < 50 and c not in blind for c in script)
    assert not (sample.hard & ~sample.silent).any()
    events = {e.chunk for e in episode.world.events if 20 <= e.chunk < 50}
    assert events - set(script) <= {int(c) for c in sample.chunk[sample.hard]}


def test_held_out_seeds_are_refused():
    with pytest.raises(InputError, match="held out"):
        training_world(500_000)


def chunks_of(seed, count):
    """The first chunks of a training room: frames, items and facts, all of the truth asked for."""
    room = training_world(seed)
    camera = Camera(room, sensor=sensor_of(seed))
    return (
        np.stack([chunk_frames(camera, c) for c in range(count)]),
        np.stack([items_of(room, c) for c in range(count)]),
        np.stack([facts_of(room, c) for c in range(count)]),
    )


def test_the_batched_tower_equals_the_librarys():
    model, _ = build_model(1)
    frames, items, facts = chunks_of(5, 3)
    patches = patches_of(torch.from_numpy(frames))
    model.double()
    patches = patches.double()
    assert items.shape == (3, len(SLOT_TOKENS), 3) and facts.shape == (3, len(FACT_TOKENS))
    with torch.no_grad():
        merged, deep = batched_vision(model.model.visual, patches)
        for i in range(3):
            single, grid = patchify(frames[i], PIXELS)
            assert np.array_equal(single, patches[i].numpy())
            out = model.model.visual(torch.from_numpy(single).double(), torch.tensor([grid]))
            for theirs, ours in ((out.pooler_output, merged), (out.deepstack_features[0], deep)):
                # the library rotates queries and keys in float32, which rounds them
                assert float((theirs - ours[i]).abs().max()) <= float32_steps(theirs)


def test_the_towers_targets_are_the_rooms_state():
    room = training_world(ROOM)
    happened = list(HAPPENING)
    assert not room.foreign
    for chunk in range(90):
        items, facts = items_of(room, chunk), facts_of(room, chunk)
        state, events = room.states[chunk], room.events_at(chunk)
        known = {s for s in range(len(SLOT_TOKENS)) if items[s, 2] != IGNORED}
        shown = set(np.flatnonzero(items[:, 2] > 0))
        assert {i.slot for i in state.items} & known <= shown
        told = facts[-len(happened) :]
        assert {happened[i] for i in np.flatnonzero(told == 1)} <= {e.kind for e in events}
        for event in events:
            if event.item is None:
                assert told[happened.index(event.kind)] == 1
            elif event.kind == "item leaves":
                assert STATES[items[event.item.slot, 2]] in ("leaving", "coming")
        assert facts[0] == 0  # the room is in the picture
        assert facts[1] == state.door or np.isnan(facts[1])


def test_a_rooms_pictures_do_not_depend_on_who_renders_them():
    # threads of OpenCV's own: a worker that was forked from here would wait for them for ever
    cv2.GaussianBlur(np.zeros((2000, 2000, 3), np.uint8), (31, 31), 0)
    stores = [Store(HELD + 3, workers, nothing_drawn) for workers in (1, 2)]
    try:
        for store in stores:
            deadline = time.monotonic() + 120
            while not store.ready[HELD:].all() and time.monotonic() < deadline:
                time.sleep(0.05)
            assert store.ready[HELD:].all()
        one, two = stores
        assert np.array_equal(one.frames[HELD:], two.frames[HELD:]) and one.frames[HELD:].any()
        assert np.array_equal(one.items[HELD:], two.items[HELD:])
        assert np.array_equal(one.facts[HELD:], two.facts[HELD:], equal_nan=True)
        assert one.frames.shape[1] == CHUNKS
    finally:
        for store in stores:
            store.close()


def test_losses_and_scores_of_a_perfect_tower():
    _, items, facts = (torch.from_numpy(x) for x in chunks_of(5, 4))
    width = sum(READ_OUTS) + len(FACT_TOKENS)
    logits = torch.full((4, 12, width), -20.0)
    slots = list(SLOT_TOKENS)
    start = 0
    for head, size in enumerate(READ_OUTS[:3]):
        logits[:, slots, start : start + size] = torch.where(
            torch.nn.functional.one_hot(items[..., head], size).bool(), 20.0, -20.0
        )
        start += size
    for i, token in enumerate(SLOT_TOKENS):
        logits[:, token, start + i] = 20.0
    start += len(SLOT_TOKENS)
    met = conditions_met(items.flatten(0, 1)).reshape(4, len(slots), -1)
    logits[:, slots, start : start + met.shape[-1]] = met * 40 - 20
    for f, token in enumerate(FACT_TOKENS):
        logits[:, token, sum(READ_OUTS) + f] = facts[:, f] * 40 - 20
    assert float(loss_of(logits, items, facts)) < 1e-3
    assert exact(logits, items, facts) == (1.0, [1.0, 1.0, 1.0, 1.0])
    logits[0, FACT_TOKENS[0], sum(READ_OUTS)] *= -1
    assert exact(logits, items, facts) == (0.75, [1.0, 1.0, 1.0, 0.75])
