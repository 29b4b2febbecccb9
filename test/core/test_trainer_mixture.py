"""Offline samples and several sources in training: what is taught, and how often each comes."""

from __future__ import annotations

import json
from collections import Counter
from itertools import islice
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("accelerate")

import checkpoints  # noqa: E402
import tuning_rig  # noqa: E402
from mllm_double import light_video  # noqa: E402
from PIL import Image  # noqa: E402

from aura_core.config import ModelConfig  # noqa: E402
from aura_core.data.exchange.importing import ImportConfig, import_files  # noqa: E402
from aura_core.data.settings import DataConfig  # noqa: E402
from aura_core.errors import ConfigError, InputError  # noqa: E402
from aura_core.training.finetune.dataset import build  # noqa: E402
from aura_core.training.finetune.mixture import Mixture  # noqa: E402
from aura_core.training.finetune.offline import OfflineRecord, length  # noqa: E402
from aura_core.training.finetune.opening import arguments, open_for_training  # noqa: E402
from aura_core.training.finetune.order import Order, at_random  # noqa: E402
from aura_core.training.finetune.packing import row_of  # noqa: E402
from aura_core.training.finetune.settings import LoraSettings  # noqa: E402
from aura_core.training.finetune.shards import Shards  # noqa: E402
from aura_core.training.finetune.throughput import step_flops  # noqa: E402
from aura_core.training.finetune.trainer import Trainer  # noqa: E402
from aura_core.training.loss import LOSSES, loss_of, weighting  # noqa: E402

ENTRIES = {  # one of each kind
    "text": {
        "messages": [{"role": "user", "content": "Is it?"}, {"role": "assistant", "content": "No"}]
    },
    "picture": {
        "image": "a.png",
        "conversations": [
            {"from": "human", "value": "<image>What colour is it?"},
            {"from": "gpt", "value": "red"},
            {"from": "human", "value": "Is it the ball?"},
            {"from": "gpt", "value": "I will tell you"},
        ],
    },
    "video": {
        "video": "a.mp4",
        "conversations": [
            {"from": "human", "value": "<video>What has left?"},
            {"from": "gpt", "value": "The hand"},
        ],
    },
}


@pytest.fixture(autouse=True)
def one_process_many_precisions():
    """accelerate keeps its settings for the whole life of a process."""
    from accelerate.state import AcceleratorState

    AcceleratorState._reset_state(reset_partial_state=True)


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> dict[str, Path]:
    """A run folder of each kind of offline sample."""
    root = tmp_path_factory.mktemp("offline")
    Image.new("RGB", (64, 48), (200, 30, 30)).save(root / "a.png")
    light_video(root / "a.mp4")
    made = {}
    for name, entry in ENTRIES.items():
        (root / f"{name}.json").write_text(json.dumps([entry]))
        how = ImportConfig(format="offline", video_chunks=3)
        import_files(root / f"{name}.json", root, root / f"run-{name}", how, DataConfig())
        made[name] = root / f"run-{name}"
    return made


@pytest.fixture(scope="module", params=checkpoints.FAMILIES)
def opened(request, tmp_path_factory):
    folder = checkpoints.write(tmp_path_factory.mktemp("model"), request.param)
    config = ModelConfig(str(folder), "float32", "cpu", "sdpa", 4096)
    return open_for_training(config, LoraSettings(), "frozen", False, 0)


def record_of(run: Path) -> OfflineRecord:
    (record,) = Shards(str(run))
    assert isinstance(record, OfflineRecord)
    return record


# ---- what a sample teaches ---------------------------------------------------------------------


@pytest.mark.parametrize("kind", ENTRIES)
def test_all_answers_of_an_offline_sample_are_taught_and_nothing_else(opened, runs, kind):
    record = record_of(runs[kind])
    example = build(record, opened.codec, opened.backend.family)
    codec, said = opened.codec, []
    for r in record.sample.rounds:
        said += [*codec.answer_ids(r.answer), codec.chat.end_id]
    assert example.target.tolist() == said
    assert (example.ids[example.at + 1] == example.target).all()
    assert not example.silent.any()
    assert length(record, codec, opened.backend.family) == len(example.ids)
    assert example.positions.shape[-1] == len(example.ids)
    assert bool(example.pixels) == bool(example.visual.any()) == (kind != "text")
    row = row_of([example])
    for loss in LOSSES:
        weight, _ = weighting(loss, row.supervised, 1, row.answers)
        assert (weight > 0).all(), loss


def test_a_video_shows_the_seconds_that_the_sample_names(opened, runs):
    record = record_of(runs["video"])
    example = build(record, opened.codec, opened.backend.family)
    name = next(iter(example.pixels))
    one = build(record_of(runs["picture"]), opened.codec, opened.backend.family)
    assert record.sample.media[0].chunks == (0, 5, 10)  # dark, dark, bright: light comes at 8
    parts = len(example.pixels[name]) // 3
    dark, same, bright = (
        example.pixels[name][i * parts : (i + 1) * parts].mean() for i in range(3)
    )
    assert abs(dark - same) < 0.05 < 1.0 < bright - dark
    assert len(one.pixels) == len(example.pixels)


def test_samples_with_and_without_pictures_in_one_row_do_not_touch_each_other(
    opened, runs, tmp_path
):
    """Logits of a row of all kinds, and of each alone, are equal."""
    examples = [build(record_of(r), opened.codec, opened.backend.family) for r in runs.values()]
    source = tuning_rig.write_shards(tmp_path, range(30, 31), chunks=3, shards=1)
    examples.append(build(Shards(source)[0], opened.codec, opened.backend.family))
    with torch.no_grad():
        together = opened.module(**arguments(row_of(examples)))
        alone = torch.cat([opened.module(**arguments(row_of([e]))) for e in examples])
    torch.testing.assert_close(together, alone, rtol=0, atol=32 * checkpoints.float32_steps(alone))
    assert step_flops(opened.module, row_of(examples)) > 0


@pytest.mark.parametrize("kind", ENTRIES)
def test_one_step_on_each_kind_lowers_its_loss(runs, kind, tmp_path):
    """One real step of the trainer, on samples of this kind alone."""
    base = checkpoints.write(tmp_path / "base", "qwen3_vl", layers=1)
    recipe = tuning_rig.recipe(
        base, str(runs[kind]), schedule={"steps": 1, "lr": 1e-3, "warmup": 0.0}
    )
    done = Trainer(recipe, tmp_path / "run", device="cpu").run()
    assert done.steps == 1 and done.loss is not None

    def loss(folder: Path) -> float:
        config = ModelConfig(str(folder), "float32", "cpu", "sdpa", 4096)
        opened = open_for_training(config, LoraSettings(), "frozen", False, 0)
        row = row_of([build(record_of(runs[kind]), opened.codec, opened.backend.family)])
        with torch.no_grad():
            logits = opened.module(**arguments(row))
        return float(loss_of("balanced", logits, row.supervised, 1, row.answers))

    assert loss(base) == pytest.approx(done.loss, rel=1e-4)
    assert loss(done.model) < loss(base)


# ---- several sources ---------------------------------------------------------------------------


def sources(tmp_path: Path, *sizes: int) -> list[Shards]:
    """Sources with so many records, of different worlds."""
    made = []
    for i, size in enumerate(sizes):
        seeds = range(100 * (i + 1), 100 * (i + 1) + size)
        made.append(Shards(tuning_rig.write_shards(tmp_path / str(i), seeds, 2, 1)))
    return made


def places(mixture: Mixture, entries: int, skip: int = 0) -> list[tuple[int, int]]:
    order = Order(len(mixture), at_random(len(mixture), 3), skip)
    return [mixture.place(i) for i in islice(order, entries)]


def test_a_weight_says_how_often_each_record_comes(tmp_path):
    one, two, three = sources(tmp_path, 4, 6, 2)
    mixture = Mixture([(one, 1.0), (two, 0.5), (three, 2.0)], seed=1)
    assert mixture.counts == [4, 3, 4] and len(mixture) == 11
    epochs = 6
    seen = Counter(places(mixture, epochs * len(mixture)))
    assert seen == {
        **{(0, i): epochs for i in range(4)},
        **{(1, i): epochs // 2 for i in range(6)},
        **{(2, i): epochs * 2 for i in range(2)},
    }
    half = [p for p in places(mixture, len(mixture)) if p[0] == 1]
    other = [p for p in places(mixture, 2 * len(mixture))[len(mixture) :] if p[0] == 1]
    assert set(half).isdisjoint(other), "the other half comes in the next epoch"
    twice = [i for s, i in (mixture.place(e) for e in range(4 * len(mixture))) if s == 1]
    assert sorted(twice[:6]) == sorted(twice[6:]) and twice[:6] != twice[6:], "in another order"


def test_a_resumed_run_goes_on_where_it_was(tmp_path):
    one, two = sources(tmp_path, 5, 4)
    mixture = Mixture([(one, 1.0), (two, 0.3)], seed=1)
    whole = places(mixture, 40)
    fresh = Mixture([(one, 1.0), (two, 0.3)], seed=1)
    for skip in (1, 6, 17):
        assert places(fresh, 40 - skip, skip) == whole[skip:]
    assert places(Mixture([(one, 1.0), (two, 0.3)], seed=2), 40) != whole


def test_two_processes_share_a_mixture(tmp_path):
    one, two = sources(tmp_path, 5, 4)
    mixture = Mixture([(one, 1.0), (two, 0.75)], seed=1)  # 8 entries
    found = [
        [
            mixture.place(i)
            for i in islice(Order(len(mixture), at_random(len(mixture), 3), 0, rank, 2), 12)
        ]
        for rank in (0, 1)
    ]
    assert Counter(p for part in found for p in part if p[0] == 0) == {(0, i): 3 for i in range(5)}


def test_the_value_of_an_entry_is_that_of_its_record(tmp_path):
    """Steps of an epoch are counted with it: its entries are not the records in their order."""
    one, two = sources(tmp_path, 5, 4)
    mixture = Mixture([(one, 1.0), (two, 1.5)], seed=1)
    names = [record.where for record in mixture]
    value = mixture.by_entry(range(len(names)))
    entries = range(3 * len(mixture))
    assert [names[value(i)] for i in entries] == [mixture[i].where for i in entries]
    alone = one.by_entry(range(5))
    assert [alone(i) for i in range(12)] == [*range(5), *range(5), 0, 1]


def test_weights_and_records_are_part_of_what_a_run_is_resumed_by(tmp_path):
    one, two = sources(tmp_path, 3, 3)
    digests = {Mixture([(one, 1.0), (two, w)], 0).digest for w in (0.5, 1.0)}
    assert len(digests | {one.digest}) == 3


def test_a_recipe_mixes_streams_and_offline_samples(runs, tmp_path):
    base = checkpoints.write(tmp_path / "base", "qwen3_vl", layers=1)
    shards = tuning_rig.write_shards(tmp_path / "data", range(30, 33), chunks=2)
    mix = {n: {"path": str(r), "weight": 2.0} for n, r in runs.items()}
    recipe = tuning_rig.recipe(
        base,
        shards,
        data={"train": shards, "workers": 0, "mix": mix},
        batch={"tokens": 400, "rows": 1},
        schedule={"steps": 4, "lr": 1e-3},
        save_every=2,
    )
    trainer = Trainer(recipe, tmp_path / "run", device="cpu")
    assert len(trainer._examples) == 3 + 3 * 2
    assert trainer.run().loss is not None
    lighter = tuning_rig.recipe(
        base,
        shards,
        data={
            "train": shards,
            "workers": 0,
            "mix": {n: m | {"weight": 1.0} for n, m in mix.items()},
        },
        batch={"tokens": 400, "rows": 1},
        schedule={"steps": 4, "lr": 1e-3},
        save_every=2,
    )
    with pytest.raises(ConfigError, match=r"other recipe \(other: data\.mix\.picture\.weight"):
        Trainer(lighter, tmp_path / "run", resume=True, device="cpu")


def test_an_offline_sample_that_is_longer_than_a_row_is_named_before_the_first_step(runs, tmp_path):
    base = checkpoints.write(tmp_path / "base", "qwen3_vl", layers=1)
    recipe = tuning_rig.recipe(base, str(runs["video"]), batch={"tokens": 20, "rows": 1})
    with pytest.raises(ConfigError, match=r"shard-00000\.jsonl:1, has \d+ tokens"):
        Trainer(recipe, tmp_path / "run", device="cpu")


def test_a_file_that_is_gone_is_named_before_the_first_step(runs, tmp_path):
    line = (runs["picture"] / "offline" / "shard-00000.jsonl").read_text()
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "x.jsonl").write_text(line)
    with pytest.raises(InputError, match=r"1 of 1 clips are missing, the first is .*a\.png"):
        Shards(str(tmp_path / "a" / "x.jsonl"))
    (tmp_path / "a" / "x.jsonl").write_text(line.replace('"answer":"red"', '"answer":""'))
    with pytest.raises(InputError, match=r"x\.jsonl:1: an offline sample needs questions with"):
        Shards(str(tmp_path / "a" / "x.jsonl"))
