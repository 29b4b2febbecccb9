"""Records, examples and rows: training sees what the engine sees, and packing changes nothing."""

from __future__ import annotations

import itertools
import json
from fractions import Fraction

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("accelerate")

import checkpoints  # noqa: E402
import tuning_rig  # noqa: E402

from aura_core.config import ModelConfig, WindowConfig  # noqa: E402
from aura_core.errors import ConfigError, InputError  # noqa: E402
from aura_core.models.backend import Video  # noqa: E402
from aura_core.stream.cache.policies import Floating  # noqa: E402
from aura_core.stream.prefix import QAGroup  # noqa: E402
from aura_core.stream.window import DualWindow, Turn  # noqa: E402
from aura_core.training.finetune.dataset import Examples, build, clip_chunks  # noqa: E402
from aura_core.training.finetune.opening import arguments, open_for_training  # noqa: E402
from aura_core.training.finetune.order import Order, at_random  # noqa: E402
from aura_core.training.finetune.packing import attention_of, pack, row_of  # noqa: E402
from aura_core.training.finetune.records import parse  # noqa: E402
from aura_core.training.finetune.settings import LoraSettings  # noqa: E402
from aura_core.training.finetune.shards import Shards  # noqa: E402
from aura_core.training.loss import LOSSES, loss_of  # noqa: E402

HISTORY = (
    QAGroup("s1", "tell me when a red cube appears", ("okay",)),
    QAGroup("r1", "what do you see?", ("nothing",)),
)


@pytest.fixture(scope="module", params=checkpoints.FAMILIES)
def opened(request, tmp_path_factory):
    folder = checkpoints.write(tmp_path_factory.mktemp("model"), request.param)
    config = ModelConfig(str(folder), "float32", "cpu", "sdpa", 4096)
    opened = open_for_training(config, LoraSettings(), "tuned", False, 0)
    checkpoints.in_float64(opened.backend)
    return opened


def record(tmp_path, **changes):
    data = tuning_rig.sample(10, 3, 11, HISTORY) | changes
    return parse(json.dumps(data).encode(), tmp_path / "shard-00000.jsonl", 1)


def examples_of(opened, tmp_path, windows=((7, 3, 9), (8, 0, 4), (9, 5, 8))):
    records = [
        parse(json.dumps(tuning_rig.sample(*w)).encode(), tmp_path / "x", 1) for w in windows
    ]
    return [build(r, opened.codec, opened.backend.family) for r in records]


def test_training_sees_what_the_engine_sees(opened, tmp_path):
    """The engine gets the same conversation.

    The ids are equal, and so are the logits at every decision.
    """
    r = record(tmp_path)
    example = build(r, opened.codec, opened.backend.family)
    with torch.no_grad():
        logits = opened.module(**arguments(row_of([example]))).numpy()
    window = DualWindow(WindowConfig(keep=20, max=40), opened.codec.prefix(HISTORY))
    policy = Floating(opened.backend.open, opened.codec, window)
    said = {t.chunk: t for t in r.turns}
    at = 0
    for i, chunk in enumerate(clip_chunks(r)):
        video = opened.backend.encode(chunk)
        words = said.get(chunk.index)
        question, answer = (words.question, words.answer) if words else (None, None)
        ids = None if answer is None else tuple(opened.codec.tokenizer.encode(answer))
        engine = policy.enter(opened.codec.user(video, question))
        assert example.turn[at] == i and example.silent[at] == (ids is None)
        np.testing.assert_allclose(
            logits[at], engine, rtol=0, atol=checkpoints.float32_steps(engine)
        )
        at += int((example.turn == i).sum())
        policy.leave(Turn(chunk.index, video, "q" if question else None, question, ids, answer))
    assert at == len(example.at)
    pieces = policy.window.pieces(opened.codec)
    ids = [
        t for p in pieces for t in (tuning_rig.placeholder(p) if isinstance(p, Video) else p.ids)
    ]
    assert example.ids.tolist() == ids
    assert example.answers == sum(t.answer is not None for t in r.turns)


def test_every_token_of_a_turn_and_its_end_is_supervised(opened, tmp_path):
    example = build(record(tmp_path), opened.codec, opened.backend.family)
    assert np.array_equal(example.ids[example.at + 1], example.target)
    silent, end = opened.codec.chat.silent_id, opened.codec.chat.end_id
    assert np.array_equal(example.silent, example.target == silent)
    last = np.flatnonzero(np.diff(example.turn, append=-1))
    assert set(example.target[last].tolist()) == {silent, end}


def loss_and_gradients(opened, rows, name):
    opened.module.zero_grad(set_to_none=True)
    total = sum(
        loss_of(name, opened.module(**arguments(r)), r.supervised, len(r.lengths), r.answers)
        for r in rows
    )
    total.backward()
    return total.item(), {
        n: p.grad for n, p in opened.module.named_parameters() if p.grad is not None
    }


@pytest.mark.parametrize("name", LOSSES)
def test_packed_equals_unpacked(opened, tmp_path, name):
    """Loss and all gradients are equal for three examples in one row, and in three rows."""
    examples = examples_of(opened, tmp_path)
    packed = row_of(examples)
    single = [row_of([e]) for e in examples]
    logits = [opened.module(**arguments(r)) for r in single]
    opened.module.zero_grad(set_to_none=True)
    unpacked = loss_of(name, torch.cat(logits), packed.supervised, 3, packed.answers)
    unpacked.backward()
    wanted = {n: p.grad.clone() for n, p in opened.module.named_parameters() if p.grad is not None}
    loss, got = loss_and_gradients(opened, [packed], name)
    assert loss == pytest.approx(unpacked.item(), abs=checkpoints.float32_steps(loss))
    assert got.keys() == wanted.keys() and len(got) > 30
    # all is computed in float64 but for the logits, which are rounded to float32
    largest = max(float(g.abs().max()) for g in wanted.values())
    for parameter, gradient in wanted.items():
        assert float((gradient - got[parameter]).abs().max()) <= 2**-24 * largest, parameter


def test_without_the_mask_examples_would_see_each_other(opened, tmp_path):
    packed = row_of(examples_of(opened, tmp_path))
    with torch.no_grad():
        apart = opened.module(**arguments(packed))
        mixed = opened.module(**(arguments(packed) | {"lengths": (len(packed.ids),)}))
    first = int((packed.supervised.row == 0).sum())
    torch.testing.assert_close(
        apart[:first], mixed[:first], rtol=0, atol=checkpoints.float32_steps(apart)
    )
    assert not torch.allclose(apart[first:], mixed[first:], atol=1e-2)


def test_flash_attention_gets_the_examples_ends():
    told = attention_of("flash_attention_2", (3, 5, 2), torch.device("cpu"))
    assert told["cu_seq_lens_q"].tolist() == told["cu_seq_lens_k"].tolist() == [0, 3, 8, 10]
    assert (told["max_length_q"], told["max_length_k"]) == (5, 5)


def test_rows_are_filled_in_order_and_never_overflow(opened, tmp_path):
    examples = examples_of(opened, tmp_path)
    lengths = [len(e.ids) for e in examples]
    assert [r.lengths for r in pack(iter(examples), sum(lengths[:2]))] == [
        tuple(lengths[:2]),
        (lengths[2],),
    ]
    with pytest.raises(
        ConfigError, match=rf"{examples[0].id} has {lengths[0]} tokens: batch.tokens \(10\)"
    ):
        list(pack(iter(examples), 10))


def test_the_order_goes_on_where_it_stood_and_processes_share_it():
    order = at_random(10, 5)
    whole = list(itertools.islice(Order(10, order), 25))
    first, second = whole[:10], [i - 10 for i in whole[10:20]]  # the next epoch has other numbers
    assert sorted(first) == sorted(second) == list(range(10)) and first != second
    assert list(itertools.islice(Order(10, order, skip=13), 12)) == whole[13:]
    parts = [list(itertools.islice(Order(10, order, 0, r, 3), 3)) for r in range(3)]
    assert len({i for p in parts for i in p}) == 9
    with pytest.raises(InputError, match="1 samples cannot be shared by 2"):
        Order(1, order, 0, 0, 2)


def write_video(path, seconds, colour_step=10):
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=2)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        for i in range(2 * seconds):
            frame = av.VideoFrame.from_ndarray(
                np.full((64, 64, 3), colour_step * i % 256, np.uint8), format="rgb24"
            )
            frame.pts, frame.time_base = i, Fraction(1, 2)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def test_a_video_is_found_beside_its_shards_and_decoded(opened, tmp_path):
    (tmp_path / "run" / "verify").mkdir(parents=True)
    write_video(tmp_path / "run" / "a.mp4", 6)
    line = json.dumps(tuning_rig.sample(7, 2, 6) | {"clip": {"video": "a.mp4"}, "turns": []})
    r = parse(line.encode(), tmp_path / "run" / "verify" / "shard-00000.jsonl", 1)
    assert r.clip == str(tmp_path / "run" / "a.mp4")
    means = [round(float(f.image.mean())) for c in clip_chunks(r) for f in c.frames]
    assert means == pytest.approx([40, 50, 60, 70, 80, 90, 100, 110], abs=3)
    assert build(r, opened.codec, opened.backend.family).silent.all()


def test_decoder_threads_never_wait_for_python(tmp_path):
    """Regression: they waited for Python at every error that they logged.

    A worker that left a clip early then sometimes hung.
    """
    import av

    write_video(tmp_path / "a.mp4", 4)
    clip_chunks(
        record(tmp_path, clip={"video": str(tmp_path / "a.mp4")}, first=0, stop=2, turns=[])
    )
    assert av.logging.get_level() is None


def test_a_clip_that_is_too_short_broken_or_missing_is_named(tmp_path):
    write_video(tmp_path / "a.mp4", 4)
    (tmp_path / "b.mp4").write_bytes(b"no video")
    faults = {
        "a.mp4": "a.mp4 shows nothing in second 4",
        "b.mp4": "cannot open",
        "c.mp4": "no such file",
    }
    for clip, said in faults.items():
        r = record(tmp_path, clip={"video": str(tmp_path / clip)})
        with pytest.raises(InputError, match=f"shard-00000.jsonl:1: .*{said}"):
            clip_chunks(r)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"version": 2}, "version 2"),
        ({"type": "Clip"}, "type 'Clip'"),
        ({"first": 11}, "no range of chunks"),
        ({"clip": "sim:1"}, "'clip' must be dict"),
        ({"turns": [{"chunk": 40, "answer": "yes"}]}, "from 3 to 10"),
        ({"turns": [{"chunk": 5}, {"chunk": 5}]}, "different chunks"),
        ({"turns": [{"chunk": 5, "answer": " "}]}, "must be words"),
        ({"history": [{"question": "what?"}]}, "'answers' must be list"),
    ],
)
def test_a_record_that_is_wrong_is_named(tmp_path, change, said):
    with pytest.raises(InputError, match=f"shard-00000.jsonl:1: .*{said}"):
        record(tmp_path, **change)


def test_a_shard_that_was_cut_off_is_named_at_the_start(tmp_path):
    pattern = tuning_rig.write_shards(tmp_path / "data", range(3), shards=1)
    shard = tmp_path / "data" / "shard-00000.jsonl"
    whole = shard.read_bytes()
    assert len(Shards(pattern)) == 3 and Shards(pattern)[2].id == "2-8"
    shard.write_bytes(whole[:-20])
    with pytest.raises(InputError, match=r"shard-00000.jsonl:3: not a whole JSON record"):
        Shards(pattern)
    shard.write_bytes(b"\n")
    with pytest.raises(InputError, match="no record"):
        Shards(pattern)
    with pytest.raises(InputError, match="no file of this name"):
        Shards(str(tmp_path / "none-*"))


def test_examples_are_read_by_index(opened, tmp_path):
    shards = Shards(tuning_rig.write_shards(tmp_path / "data", range(4)))
    examples = Examples(shards, opened.codec, opened.backend.family)
    assert [examples[i].id for i in range(4)] == ["0-8", "2-8", "1-8", "3-8"] and len(examples) == 4
