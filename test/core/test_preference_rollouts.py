"""Rollouts through the engine: what it samples, what a copy of it does, and what a row says of it.

The embedded model computes in float64 here (`checkpoints.in_float64`), so two ways to the same
number differ by the float32 that the engine's logits are rounded to, and by nothing else.
"""

from __future__ import annotations

import copy
import math
from dataclasses import replace

import checkpoints
import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from aura_core.config import (  # noqa: E402
    DeciderConfig,
    GenerationConfig,
    ModelConfig,
    WindowConfig,
)
from aura_core.errors import InputError  # noqa: E402
from aura_core.evaluation.sim import play  # noqa: E402
from aura_core.models import load  # noqa: E402
from aura_core.replay.lockstep import Lockstep  # noqa: E402
from aura_core.stream.engine import StreamEngine  # noqa: E402
from aura_core.training.preference.acting import Acting, Draft, log_p  # noqa: E402
from aura_core.training.preference.forks import Seeing, forked  # noqa: E402
from aura_core.training.preference.rollouts import CONFIG, Rollouts  # noqa: E402
from aura_core.training.preference.rooms import chunks_of, room_of  # noqa: E402
from aura_core.training.preference.rows import predicted, row_of, sums  # noqa: E402
from aura_core.training.preference.settings import PreferenceRecipe  # noqa: E402

SEED, SECONDS = 200_048, 18
CPU = torch.device("cpu")


def opened(dtype: str = "float64"):
    backend = load(ModelConfig("aura_tiny", "float32", "cpu", "sdpa"))
    return checkpoints.in_float64(backend) if dtype == "float64" else backend


@pytest.fixture(scope="module")
def backend():
    return opened()


@pytest.fixture(scope="module")
def room():
    return room_of(SEED, SECONDS)


def recipe(method: str, **more) -> PreferenceRecipe:
    """Every decision is doubtful, so that all of them are tried."""
    return PreferenceRecipe(method=method, least=1e-30, group=4, **more)


@pytest.fixture(scope="module")
def played(backend, room):
    return Rollouts(Seeing(backend), recipe("dpo")).play(room)


@pytest.fixture(scope="module")
def sampled(backend, room):
    """Turns drawn from logits of a quarter of their size, so that most are words; some reach the
    limit, and are not ended by the model. The window switches in between."""
    flat = copy.copy(backend)
    flat.model = copy.deepcopy(backend.model)
    with torch.no_grad():
        flat.model.model.language_model.norm.weight.mul_(0.25)
    config = replace(
        CONFIG,
        generation=GenerationConfig(max_new_tokens=8),
        window=WindowConfig(keep=6, max=10, policy="floating"),
    )
    return flat, Rollouts(Seeing(flat), recipe("grpo"), config).play(room)


def test_the_conversation_is_the_one_of_the_benchmark(backend, room, played) -> None:
    lockstep = Lockstep(StreamEngine(backend, CONFIG), at_once=False)
    steps = play(lockstep, room.episode, SECONDS, room.sensor)
    assert [s.chunk for s in steps] == [s.chunk for s in played.steps]
    for one, other in zip(steps, played.steps, strict=True):
        assert one.decision == other.decision
        assert (one.response and one.response.text) == (other.response and other.response.text)


def test_seeds_of_tests_are_refused() -> None:
    with pytest.raises(InputError, match="held out for tests"):
        room_of(500_000, 20)


def test_a_copy_goes_on_with_the_same_bits_and_moves_nothing(backend, room) -> None:
    engine = StreamEngine(Seeing(backend), CONFIG, Acting(CONFIG.decider, backend.chat))
    chunks = list(chunks_of(room))
    for chunk, query in chunks[:10]:
        engine.step(chunk, query)
    other = forked(engine)
    assert other.session is not engine.session and other.backend is engine.backend
    ahead = [other.step(*pair) for pair in chunks[10:16]]
    assert len(engine.window.turns) == 10 and len(other.window.turns) == 16
    for expected, pair in zip(ahead, chunks[10:16], strict=True):
        step = engine.step(*pair)
        assert step.decision == expected.decision
        assert (step.response and step.response.text) == (
            expected.response and expected.response.text
        )


def test_every_output_has_the_same_prefix_and_silence_comes_first(played) -> None:
    choices = [c for v in played.views for c in v.choices]
    assert len(choices) >= 10
    for choice in choices:
        assert choice.outputs[0].ids == () and all(o.ids for o in choice.outputs[1:])
        assert len({o.ids for o in choice.outputs}) == len(choice.outputs) >= 2
        assert math.exp(choice.outputs[0].log_p) == pytest.approx(choice.p_silent, rel=1e-6)


def test_where_words_are_due_the_true_ones_are_tried_and_are_worth_most(
    backend, room, played
) -> None:
    dues = {d.chunk: d.text for d in room.episode.dues if d.chunk + 2 < SECONDS - 1}
    choices = {c.chunk: c for v in played.views for c in v.choices}
    codec = StreamEngine(backend, CONFIG).codec
    met = sorted(dues.keys() & choices.keys())
    assert met
    for chunk in met:
        outputs = {o.ids: o.reward for o in choices[chunk].outputs}
        true = outputs[codec.answer_ids(dues[chunk])]
        assert true == max(outputs.values())


def bound(outputs, logits: float) -> float:
    """The engine's logits are rounded to float32, by half a step each; the log-probability of a
    token is a difference of two of them (a logsumexp moves no more than its largest term does)."""
    longest = max(len(o.ids) for o in outputs) + 1
    return longest * checkpoints.float32_steps(np.asarray([logits]), 2)


def rows(backend, views):
    codec = StreamEngine(backend, CONFIG).codec
    return [row_of(v, v.choices, codec, backend.family, CPU) for v in views if v.choices]


def told(backend, row):
    silent = Acting(CONFIG.decider, backend.chat).silent_ids
    with torch.no_grad():
        mine, _ = predicted(backend.family, backend.model, row, silent)
    return sums(mine.double(), row.owner, len(row.outputs)).numpy()


def test_a_row_gives_the_log_probabilities_that_the_engine_sampled_with(sampled) -> None:
    backend, played = sampled
    assert sum(bool(v.choices) for v in played.views) >= 2
    found = 0
    for row in rows(backend, played.views):
        theirs = np.asarray([o.log_p for o in row.outputs])
        assert sum(o.count for o in row.outputs) == 4 * len(row.choices)
        assert {o.ended for o in row.outputs} == {True, False}
        # log-probabilities are rounded to float32 too: they are larger than logits
        limit = bound(row.outputs, np.abs(theirs).max())
        assert np.abs(told(backend, row) - theirs).max() <= limit
        found += len(theirs)
    assert found >= 20


def test_a_row_gives_the_log_probabilities_of_the_models_own_words(backend, played) -> None:
    for row in rows(backend, played.views):
        theirs = np.asarray([o.log_p for o in row.outputs])
        known = ~np.isnan(theirs)
        assert known.sum() > len(row.choices)
        limit = bound(row.outputs, np.abs(theirs[known]).max())
        assert np.abs(told(backend, row) - theirs)[known].max() <= limit


@pytest.mark.parametrize("family", checkpoints.FAMILIES)
def test_other_families_have_the_same_log_probabilities_and_finite_gradients(
    tmp_path, family
) -> None:
    """Random checkpoints whose words are noise; words may come in every second."""
    folder = checkpoints.write(tmp_path / "base", family, layers=2)
    config = ModelConfig(str(folder), "float32", "cpu", "sdpa", max_pixels=4096)
    backend = checkpoints.in_float64(load(config))
    free = replace(
        CONFIG,
        decider=DeciderConfig(mode="token", unsolicited=True),
        generation=GenerationConfig(max_new_tokens=4),
    )
    played = Rollouts(Seeing(backend), recipe("grpo", horizon=1), free).play(room_of(SEED, 10))
    (row,) = rows(backend, played.views)
    theirs = np.asarray([o.log_p for o in row.outputs])
    assert len(row.choices) >= 5
    assert np.abs(told(backend, row) - theirs).max() <= bound(row.outputs, np.abs(theirs).max())
    silent = Acting(CONFIG.decider, backend.chat).silent_ids
    mine, _ = predicted(backend.family, backend.model, row, silent)
    mine.sum().backward()
    trained = backend.model.model.language_model.layers[0].self_attn.q_proj.weight
    assert bool(torch.isfinite(trained.grad).all()) and float(trained.grad.abs().max()) > 0
    assert all(p.grad is None for p in backend.family.vision(backend.model).parameters())


def test_float32_gives_the_same_up_to_its_rounding(room) -> None:
    """Each of the L layers adds sums of up to 512 products, rounded by 2^-24 each; errors of sums
    grow as a random walk. The bound is for logits of the size that is met."""
    backend = opened("float32")
    played = Rollouts(Seeing(backend), recipe("dpo")).play(room)
    text = backend.model.config.get_text_config()
    unit = (2 * text.num_hidden_layers + 1) * math.sqrt(text.intermediate_size) * 2.0**-24
    for row in rows(backend, played.views):
        theirs = np.asarray([o.log_p for o in row.outputs])
        known = ~np.isnan(theirs)
        tokens = np.asarray([len(o.ids) + 1 for o in row.outputs])
        error = np.abs(told(backend, row) - theirs) / tokens
        assert error[known].max() <= 2 * unit * np.abs(theirs[known]).max()


def test_branches_see_neither_each_other_nor_what_comes_after(backend, played) -> None:
    """A decision says the same with the others of its window and without them."""
    view = next(v for v in played.views if len(v.choices) >= 4)
    codec = StreamEngine(backend, CONFIG).codec
    whole = told(backend, row_of(view, view.choices, codec, backend.family, CPU))
    first = 0
    for choice in view.choices:
        alone = told(backend, row_of(view, [choice], codec, backend.family, CPU))
        end = first + len(choice.outputs)
        assert np.abs(whole[first:end] - alone).max() <= checkpoints.float32_steps(alone)
        first = end


def test_a_decision_has_gradients_at_its_own_tokens_and_their_prefix_alone(backend, played) -> None:
    view = next(v for v in played.views if len(v.choices) >= 4)
    codec = StreamEngine(backend, CONFIG).codec
    row = row_of(view, view.choices, codec, backend.family, CPU)
    embeds = []
    table = backend.model.model.language_model.embed_tokens

    def keep(module, args, out):
        out.requires_grad_(True)
        out.retain_grad()
        embeds.append(out)
        return out

    handle = table.register_forward_hook(keep)
    silent = Acting(CONFIG.decider, backend.chat).silent_ids
    try:
        mine, _ = predicted(backend.family, backend.model, row, silent)
    finally:
        handle.remove()
    index = next(i for i, o in enumerate(row.outputs) if len(o.ids) > 2 and row.of[i] == 1)
    (at, *branch) = row.at[row.owner == index].tolist()
    mine[row.owner == index].sum().backward()
    moved = set(embeds[0].grad[0].abs().sum(-1).nonzero()[:, 0].tolist())
    assert moved <= set(range(at + 1)) | set(branch)
    assert set(branch) <= moved and at in moved


def test_given_words_leave_the_cache_as_a_full_recompute_would(backend, room, played) -> None:
    """Words that were not decoded are prefilled with the next chunk."""
    choice = next(c for v in played.views for c in v.choices)
    rollouts = Rollouts(Seeing(backend), recipe("dpo"))
    engine, chunks = rollouts.engine, list(chunks_of(room))
    engine.reset()
    for chunk, query in chunks:
        if chunk.index == choice.chunk:
            engine.decider.draft = engine.generator.draft = Draft(choice.outputs[1].ids)
        engine.step(chunk, query)
        if chunk.index == choice.chunk:
            engine.decider.draft = engine.generator.draft = None
            assert engine.window.turns[-1].answer_ids == choice.outputs[1].ids
        if chunk.index == choice.chunk + 1:
            break
    turn = engine.window.turns[-1]
    session = backend.open()
    pieces = [engine.codec.head(engine.window.prefix)]
    for before in engine.window.turns[:-1]:
        pieces += before.pieces(engine.codec)
    logits = session.prefill([*pieces, *turn.user(engine.codec)])
    if turn.question is None:
        assert np.abs(engine.decider.logits - logits).max() <= checkpoints.float32_steps(logits)
    assert session.length == engine.session.length - len(turn.answer_ids or ())


def test_tokens_are_drawn_with_the_probabilities_of_the_model(backend) -> None:
    """Words, given that it is words: frequencies within four standard deviations."""
    acting = Acting(DeciderConfig(), backend.chat)
    size = backend.model.config.get_text_config().vocab_size
    logits = np.full(size, -40.0, np.float32)
    words = [i for i in range(20) if i not in acting.silent_ids][:3]
    logits[words], logits[acting.silent_ids[0]] = (1.0, 0.0, -1.0), 3.0
    rng, n = np.random.default_rng(4), 4000
    acting.draft = Draft(None, rng)
    drawn = [acting.decide(logits).token_id for _ in range(n)]
    p = np.exp([1.0, 0.0, -1.0])
    for token, share in zip(words, p / p.sum(), strict=True):
        deviation = math.sqrt(share * (1 - share) / n)
        assert abs(drawn.count(token) / n - share) < 4 * deviation
    acting.draft = Draft(())
    assert acting.decide(logits).silent
    acting.draft = Draft((words[2], 5))
    assert acting.decide(logits).token_id == words[2]
    acting.draft = None
    assert acting.decide(logits).silent and acting.logits is logits
    assert log_p(logits, words) == pytest.approx(
        math.log(p.sum() / (p.sum() + math.exp(3.0))), rel=1e-6
    )
