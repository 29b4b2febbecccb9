"""Which seconds of the data engine's samples each loss supervises.

Windows overlap, and some answers were rejected.
"""

from __future__ import annotations

import json
from collections import Counter

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("accelerate")

import data_rig  # noqa: E402

from aura_core.config import ModelConfig, WindowConfig  # noqa: E402
from aura_core.data.settings import StructureConfig  # noqa: E402
from aura_core.data.store import read_samples  # noqa: E402
from aura_core.training.finetune import held_out  # noqa: E402
from aura_core.training.finetune.dataset import Examples  # noqa: E402
from aura_core.training.finetune.opening import open_for_training  # noqa: E402
from aura_core.training.finetune.packing import row_of  # noqa: E402
from aura_core.training.finetune.settings import LoraSettings  # noqa: E402
from aura_core.training.finetune.shards import Shards  # noqa: E402
from aura_core.training.loss import LOSSES, weighting  # noqa: E402

OTHERS = [name for name in LOSSES if name != "balanced"]


@pytest.fixture(scope="module")
def opened():
    return open_for_training(
        ModelConfig("aura_tiny", "float32", "cpu", "sdpa"), LoraSettings(), "frozen", False, 0
    )


def structured(silent):
    """Settings of stage 4, with this share of the samples that end in silence."""
    window = WindowConfig(keep=8, max=20)
    return StructureConfig("aura_tiny", window, after_last=silent, unasked=silent)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run with several switches of the window; one answer in four was rejected by hand.

    Returns the pattern of its shards, the samples that were kept, and those that were not.
    """
    out = tmp_path_factory.mktemp("run")
    data_rig.small_run(out, range(1000, 1003), 70, structure=structured(0.0))
    samples = list(read_samples(out))
    kept = [s for i, s in enumerate(samples) if i % 4 != 1]
    names = {s.id for s in kept}
    for shard in (out / "verify").glob("shard-*.jsonl"):
        lines = shard.read_text().splitlines(keepends=True)
        shard.write_text("".join(line for line in lines if json.loads(line)["id"] in names))
    assert len({(s.clip.id, s.first) for s in kept}) > 9 and len(kept) > 20
    return str(out / "verify" / "shard-*.jsonl"), kept, [s for s in samples if s.id not in names]


def built(opened, pattern, **more):
    """Each record with its example."""
    examples = Examples(Shards(pattern, **more), opened.codec, opened.backend.family)
    return [(examples.shards[i], examples[i]) for i in range(len(examples))]


@pytest.fixture(scope="module")
def whole(opened, run):
    """A record of each sample."""
    return built(opened, run[0])


@pytest.fixture(scope="module")
def once(opened, run):
    """A record of each window: no second is in two of them."""
    return built(opened, run[0], once=True)


def taught(examples, loss):
    """Return (clip, chunk) of each supervised second, once for each time, and the first targets."""
    seconds, firsts = Counter(), {}
    for record, example in examples:
        row = row_of([example])
        weight, _ = weighting(loss, row.supervised, 1, row.answers)
        turns = row.supervised.turn[weight > 0].unique().tolist()
        for turn in turns:
            second = (record.clip.rsplit("/")[-1], record.first + turn)
            seconds[second] += 1
            at = int(row.at[row.supervised.turn == turn][0])
            firsts[second] = row.ids[: at + 1].tolist(), row.positions[:, at].tolist()
    return seconds, firsts


def of_clip(sample):
    return sample.clip.video.rsplit("/")[-1]


@pytest.mark.parametrize("loss", OTHERS)
def test_every_second_is_supervised_once_and_rejected_answers_never(once, run, loss):
    _, kept, rejected = run
    seconds, _ = taught(once, loss)
    assert set(seconds.values()) == {1}
    answers = {(of_clip(s), s.target.chunk) for s in kept}
    assert answers <= seconds.keys()
    assert rejected and not seconds.keys() & {(of_clip(s), s.target.chunk) for s in rejected}
    said = {
        (of_clip(s), w.chunk) for s in [*kept, *rejected] for w in s.turns if w.answer is not None
    }
    assert seconds.keys() & said == answers  # the rest is silence
    in_view = {(of_clip(s), c) for s in kept for c in range(s.first, s.stop)}
    assert seconds.keys() | said == in_view | said


def test_an_answer_is_supervised_behind_what_the_engine_had_then(once, whole):
    """In a later window, its question may be only text, and its evidence may be missing."""
    _, firsts = taught(once, "plain")
    for record, example in whole:
        at = int(example.at[example.turn == example.turn[-1]][0])
        second = (record.clip.rsplit("/")[-1], record.stop - 1)
        assert firsts[second] == (example.ids[: at + 1].tolist(), example.positions[:, at].tolist())


def test_balanced_takes_every_sample_as_before(whole, run):
    """It supervises silence and the last answer, and ignores the other marks."""
    _, kept, _ = run
    assert len(whole) == len(kept)
    for _, example in whole:
        row = row_of([example])
        weight, total = weighting("balanced", row.supervised, 1, row.answers)
        last = ~example.silent & (example.turn == example.turn[-1])
        quiet = int(example.silent.sum())
        expected = np.where(
            last, np.float32(1), np.where(example.silent, np.float32(1) / np.float32(quiet), 0)
        )
        assert weight.numpy().tobytes() == expected.astype(np.float32).tobytes()
        assert float(total) == quiet + last.sum()


def test_rejected_answers_are_not_evaluated_on(opened, run, whole):
    _, kept, rejected = run
    gone = {(of_clip(s), s.target.chunk) for s in rejected}
    rows = [row_of([example]) for _, example in whole]
    told = held_out.teacher_forced(
        opened.module, rows, opened.codec.chat, torch.device("cpu")
    ).as_json()
    counted = sum(told["right"][kind]["n"] for kind in ("due", "asked"))
    shown = [
        (r.first, of_clip(s), w.chunk)
        for (r, _), s in zip(whole, kept, strict=True)
        for w in s.turns
        if w.answer is not None
    ]
    own = {(of_clip(s), s.target.chunk): s.first for s in kept}
    assert any((clip, chunk) in gone for _, clip, chunk in shown)
    assert (
        counted == sum(own.get((clip, chunk)) == first for first, clip, chunk in shown) < len(shown)
    )


def test_the_trainer_asks_for_samples_by_its_loss(run, tmp_path):
    import tuning_rig
    from accelerate.state import AcceleratorState

    from aura_core.training.finetune.trainer import Trainer

    pattern, kept, _ = run
    counts = {}
    for loss in LOSSES:
        AcceleratorState._reset_state(reset_partial_state=True)
        recipe = tuning_rig.recipe("aura_tiny", pattern, loss=loss, max_pixels=None)
        counts[loss] = len(Trainer(recipe, tmp_path / loss, device="cpu")._examples)
    windows = len({(s.clip.id, s.first) for s in kept})
    assert counts == {"balanced": len(kept), **dict.fromkeys(OTHERS, windows)}


# ---- samples that end in silence -----------------------------------------------------------------


def test_a_sample_that_ends_in_silence_teaches_it_and_no_answer_twice(opened, tmp_path):
    data_rig.small_run(tmp_path, range(1000, 1002), 50, structure=structured(1.0))
    pattern = str(tmp_path / "verify" / "shard-*.jsonl")
    ends = {s.id: s.target.silent for s in read_samples(tmp_path)}
    assert sum(ends.values()) == 4
    spoken = 0
    for record, example in built(opened, pattern):
        row = row_of([example])
        weight, _ = weighting("balanced", row.supervised, 1, row.answers)
        taught_answers = row.supervised.turn[(weight > 0) & ~row.supervised.silent].unique()
        assert len(taught_answers) == (not ends[record.id])
        assert bool((weight[row.supervised.silent] > 0).all())
        spoken += ends[record.id] and any(t.answer is not None for t in record.turns)
    assert spoken  # one of them has answers in view
    seconds = Counter()
    for record, example in built(opened, pattern, once=True):
        row = row_of([example])
        weight, _ = weighting("plain", row.supervised, 1, row.answers)
        for turn in row.supervised.turn[weight > 0].unique().tolist():
            seconds[record.conversation, record.first + turn] += 1
    assert set(seconds.values()) == {1}
