"""The cache changes nothing: every step equals a full recompute, and the library's own forward."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

import checkpoints  # noqa: E402
from checkpoints import float32_steps  # noqa: E402
from engine_rig import free  # noqa: E402
from exactness_rig import (  # noqa: E402
    CANCELLED,
    DISCARDED,
    SPOKEN,
    WINDOW,
    Calls,
    ForcedDecider,
    chunk,
    cold,
    decided_pieces,
    run,
    window_pieces,
)

from aura_core.config import ModelConfig, WindowConfig  # noqa: E402
from aura_core.errors import StreamError  # noqa: E402
from aura_core.models import kv_session as session  # noqa: E402
from aura_core.models import load  # noqa: E402
from aura_core.models.backend import Piece, Tokens, Video  # noqa: E402
from aura_core.models.families import qwen_vl  # noqa: E402
from aura_core.models.families.qwen_vl import patchify  # noqa: E402
from aura_core.models.pixels import resize  # noqa: E402
from aura_core.replay.lockstep import Lockstep  # noqa: E402
from aura_core.stream.engine import StreamEngine  # noqa: E402
from aura_core.stream.window import tokens_in  # noqa: E402
from aura_core.types import Chunk  # noqa: E402

STEPS = 150


@pytest.fixture(scope="module", params=checkpoints.FAMILIES)
def backend(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = checkpoints.write(tmp_path_factory.mktemp("checkpoint") / request.param, request.param)
    loaded: Any = load(ModelConfig(path=str(folder), dtype="float32", device="cpu", threads=1))
    checkpoints.in_float64(loaded)
    with torch.no_grad():  # a loud end token: some answers end by themselves, others at the limit
        loaded.model.lm_head.weight[loaded.chat.end_id] *= 2.0
    return loaded


@pytest.mark.parametrize("policy", ["shadow", pytest.param("floating", marks=pytest.mark.slow)])
def test_every_step_equals_a_full_recompute(
    backend: Any, policy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """150 steps with 23 switches, and spoken, cancelled, discarded and amended answers.

    Also the counters of silent steps.
    """
    monkeypatch.setattr(session, "BLOCK_TOKENS", 300)  # so that rebuilds run in several blocks
    calls = Calls(backend.model)
    worst, spread, ended, limited = 0.0, 0.0, 0, 0
    vision = language = background = 0
    for i, (assistant, step, logits) in enumerate(run(backend, STEPS, policy)):
        counters = assistant.engine.policy.counters
        assert calls.vision == vision + 1 == i + 1 and step.vision_encodes == 1
        assert (
            calls.language - language == step.forwards + counters.background_forwards - background
        )
        if step.response is None and i not in DISCARDED:
            assert step.forwards == 1 or (step.switched and policy == "floating")
            assert step.decode_tokens == 0
        # the cache is what it was before the chunk, whose logits were checked in other steps
        if i in DISCARDED:
            reference, logits = probe(backend, assistant, monkeypatch)
        else:
            turn = assistant.engine.window.turns[-1]
            assert turn.chunk == i and (turn.answer_ids is not None) == (i in SPOKEN)
            if turn.answer_ids is not None:
                ended += len(turn.answer_ids) < 6 and i not in CANCELLED
                limited += len(turn.answer_ids) == 6
                assert i not in CANCELLED or len(turn.answer_ids) <= 2
            reference = cold(backend, decided_pieces(assistant), monkeypatch)
        difference = float(np.abs(reference - logits).max())
        assert difference <= float32_steps(reference)
        worst = max(worst, difference)
        spread = max(spread, float(reference.std()))
        language, vision, background = calls.language, calls.vision, counters.background_forwards
    print(
        f"\n{backend.family.model_type} {policy}: {STEPS} steps, {counters.switches} switches, ",
        end="",
    )
    print(f"max logit difference {worst:.2e}, std {spread:.2f}")
    assert counters.switches == (STEPS - 1 - len(DISCARDED) - WINDOW.keep) // (
        WINDOW.max - WINDOW.keep
    )
    assert counters.rebuilds == counters.stretched == 0
    assert ended > 0 and limited > 0
    assert spread > 0.5  # the logits are not so flat that everything is equal


def probe(
    backend: Any, assistant: Lockstep, monkeypatch: pytest.MonkeyPatch
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Logits of a test token after the window: with an empty cache, and on the engine's cache.

    The engine's cache is as before afterwards.
    """
    extra = Tokens((assistant.engine.backend.chat.end_id,))
    kv = assistant.engine.policy.kv
    before = assistant.engine.session.length
    got = assistant.engine.session.prefill([*kv.waiting, extra])
    assistant.engine.session.rollback(before)
    return cold(backend, [*window_pieces(assistant), extra], monkeypatch), got


def test_eviction_is_exact_for_one_layer_and_approximate_for_more(tmp_path: Path) -> None:
    """Re-rotated keys are those of the shorter conversation.

    One layer cannot tell the difference; a second one can.
    """
    worst = {}
    for layers in (1, 3):
        folder = checkpoints.write(tmp_path / str(layers), "qwen2_5_vl", layers=layers)
        backend: Any = load(ModelConfig(path=str(folder), dtype="float32", device="cpu", threads=1))
        checkpoints.in_float64(backend)
        config = free(window=WindowConfig(keep=3, max=6, policy="evict"))
        assistant = Lockstep(StreamEngine(backend, config))
        assistant.engine.decider = decider = ForcedDecider(assistant.engine.decider, spoken=set())
        differences = []
        for i in range(14):
            for f in chunk(i).frames:
                assistant.push(f)
            assert assistant.step() is not None
            fresh = backend.open()
            differences.append(
                float(np.abs(fresh.prefill(decided_pieces(assistant)) - decider.seen[-1]).max())
            )
        worst[layers] = max(differences)
        assert max(differences[:6]) <= float32_steps(decider.seen[-1])  # before the first cut
    # Keys are rotated in float32, where an angle of some hundred radians is rounded to 1e-5. One
    # layer shows only this rounding; more layers show more than a thousand times as much.
    assert 1000 * worst[1] < worst[3]


def test_a_step_prefills_the_chunk_and_the_tail_of_the_previous_turn(backend: Any) -> None:
    tail = 0
    for assistant, step, _ in run(backend, WINDOW.max):
        turn = assistant.engine.window.turns[-1]
        head = (
            0 if step.chunk else len(assistant.engine.codec.head(assistant.engine.codec.prefix()))
        )
        assert step.prefill_tokens == head + tail + tokens_in(
            assistant.engine.codec.user(turn.video, turn.question)
        )
        # What was decoded is in the cache already (all but the last token, where the limit ended
        # the answer).
        cached = assistant.engine.session.length - tokens_in(decided_pieces(assistant))
        tail = len(assistant.engine.codec.assistant(turn.answer_ids)) - cached


def test_the_library_itself_gives_the_same_logits_and_positions(backend: Any) -> None:
    """The whole conversation through the library's own forward: vision, scatter and positions."""
    *_, (assistant, _, logits) = run(backend, 21)
    pieces = decided_pieces(assistant)
    pad, merge = backend.model.config.video_token_id, backend.pixels.merge
    ids: list[int] = []
    for piece in pieces:
        ids += [pad] * len(piece) if isinstance(piece, Video) else piece.ids
    patches, grids = zip(
        *(raw(backend, chunk(t.chunk)) for t in assistant.engine.window.turns), strict=True
    )
    tokens = torch.tensor([ids])
    kinds = (tokens == pad).int() * 2  # 2 marks video tokens
    with torch.inference_mode():
        out = backend.model(
            input_ids=tokens,
            pixel_values_videos=torch.from_numpy(np.concatenate(patches)),
            video_grid_thw=torch.tensor(grids),
            mm_token_type_ids=kinds,
            logits_to_keep=1,
        )
        theirs, _ = backend.model.model.get_rope_index(
            tokens, kinds, video_grid_thw=torch.tensor(grids)
        )
    ours = backend.family.positions()
    assert np.array_equal(ours.extend(pieces), theirs[:, 0].numpy())
    assert ours.next_position == int(theirs.max()) + 1
    assert [(g[1] // merge, g[2] // merge) for g in grids] == [
        p.grid for p in pieces if isinstance(p, Video)
    ]
    assert float(np.abs(out.logits[0, -1].numpy() - logits).max()) <= float32_steps(logits)
    backend.model.model.rope_deltas = None


def raw(backend: Any, c: Chunk) -> tuple[NDArray[np.float32], tuple[int, int, int]]:
    side = 64 // backend.pixels.factor * backend.pixels.factor
    return patchify(np.stack([resize(f.image, side, side) for f in c.frames]), backend.pixels)


@pytest.mark.parametrize("size", [(64, 64), (96, 128), (240, 180)])
def test_a_chunk_is_encoded_as_the_library_encodes_it(backend: Any, size: tuple[int, int]) -> None:
    """Equal to the bit alone, deepstack features included, and up to rounding in a batch of chunks.

    At the largest size the windows of Qwen2.5-VL do not divide the grid.
    """
    chunks = [chunk(i, size) for i in range(3)]
    videos = [backend.encode(c) for c in chunks]
    rows, columns = (s * backend.pixels.factor for s in videos[0].grid)
    inputs = [
        patchify(np.stack([resize(f.image, rows, columns) for f in c.frames]), backend.pixels)
        for c in chunks
    ]
    batched = library_features(backend, inputs)
    for video, single, many in zip(videos, inputs, batched, strict=True):
        ours = [video.features[0], *video.features[1]]
        assert len(ours) == (3 if backend.family.model_type == "qwen3_vl" else 1)
        for a, b, c in zip(ours, library_features(backend, [single])[0], many, strict=True):
            assert torch.equal(a, b)
            assert float((a - c).abs().max()) <= float32_steps(a)


def library_features(
    backend: Any, inputs: list[tuple[NDArray[np.float32], tuple[int, int, int]]]
) -> list[list[Any]]:
    """Merged and deepstack features of each input, by the library's own entry point."""
    with torch.inference_mode():
        out = backend.model.model.get_video_features(
            torch.from_numpy(np.concatenate([p for p, _ in inputs])),
            torch.tensor([g for _, g in inputs]),
        )
    levels = [out.pooler_output, *(getattr(out, "deepstack_features", None) or [])]
    return [list(features) for features in zip(*levels, strict=True)]


def test_a_prefill_of_nothing_is_refused(backend: Any) -> None:
    with pytest.raises(StreamError, match="a prefill needs at least one token"):
        backend.open().prefill([Tokens(())])


def test_rollback_then_redo_is_exact_to_the_bit(backend: Any) -> None:
    codec = StreamEngine(backend).codec
    a, b = backend.encode(chunk(0)), backend.encode(chunk(1))
    s = backend.open()
    s.prefill([codec.head(codec.prefix()), *codec.user(a, None)])
    length = s.length
    first = s.prefill([codec.assistant((40, 41, 42)), *codec.user(b, "Why?")])
    other = s.prefill([Tokens((50, 51))])
    s.rollback(length)
    assert s.length == length
    assert np.array_equal(s.prefill([codec.assistant((40, 41, 42)), *codec.user(b, "Why?")]), first)
    assert np.array_equal(s.prefill([Tokens((50, 51))]), other)
    s.rollback(0)
    assert s.length == 0
    fresh = backend.open()
    assert np.array_equal(
        s.prefill([codec.head(codec.prefix())]), fresh.prefill([codec.head(codec.prefix())])
    )


def test_sessions_of_one_model_do_not_disturb_each_other(backend: Any) -> None:
    codec = StreamEngine(backend).codec
    videos = [backend.encode(chunk(i)) for i in range(4)]

    def turns(order: list[int]) -> list[list[Piece]]:
        return [[codec.head(codec.prefix()), *codec.user(videos[order[0]], None)]] + [
            [codec.assistant(None), *codec.user(videos[i], None)] for i in order[1:]
        ]

    alone = backend.open()
    expected = [alone.prefill(t) for t in turns([0, 1, 2])]
    one, two = backend.open(), backend.open()
    for mine, theirs, want in zip(turns([0, 1, 2]), turns([3, 2, 1]), expected, strict=True):
        two.prefill(theirs)
        assert np.array_equal(one.prefill(mine), want)


def test_a_wrong_position_is_detected(backend: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tolerance is tight.

    One grid that is placed as if it were text moves the logits a thousand times more.
    """
    codec = StreamEngine(backend).codec
    pieces = [codec.head(codec.prefix()), *codec.user(backend.encode(chunk(0)), None)]
    right = backend.open().prefill(pieces)

    def as_text(start: int, grid: tuple[int, int]) -> NDArray[np.int64]:
        return np.tile(np.arange(start, start + grid[0] * grid[1]), (3, 1))

    monkeypatch.setattr(qwen_vl, "grid_positions", as_text)
    moved = float(np.abs(backend.open().prefill(pieces) - right).max())
    assert moved > 1000 * float32_steps(right)


def test_half_precision_runs(tmp_path: Path) -> None:
    folder = checkpoints.write(tmp_path / "half", "qwen3_vl")
    half: Any = load(
        ModelConfig(path=str(folder), dtype="bfloat16", device="cpu", attention="eager", threads=1)
    )
    codec = StreamEngine(half).codec
    logits = half.open().prefill(
        [codec.head(codec.prefix()), *codec.user(half.encode(chunk(0)), None)]
    )
    assert logits.dtype == np.float32 and np.isfinite(logits).all()
    assert half.model.dtype == torch.bfloat16 and "bfloat16, eager" in half.description
