"""Samples of one clip close together: the same samples, and each second of a clip decoded once."""

from __future__ import annotations

import itertools
import json
import random
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("accelerate")
pytest.importorskip("peft")

import checkpoints  # noqa: E402
import tuning_rig  # noqa: E402
from accelerate.state import AcceleratorState  # noqa: E402
from mllm_double import light_video  # noqa: E402
from typer.testing import CliRunner  # noqa: E402

from aura_core.cli import app  # noqa: E402
from aura_core.data.video import ClipWriter  # noqa: E402
from aura_core.errors import ConfigError, InputError  # noqa: E402
from aura_core.sources import open_source  # noqa: E402
from aura_core.training.finetune import clips  # noqa: E402
from aura_core.training.finetune.clips import ClipReaders, clip_chunks  # noqa: E402
from aura_core.training.finetune.order import Order, arranged, in_runs  # noqa: E402
from aura_core.training.finetune.records import Record  # noqa: E402
from aura_core.training.finetune.settings import DataSettings  # noqa: E402
from aura_core.training.finetune.shards import Shards  # noqa: E402

SECONDS = 60
SAMPLES = {"a": 40, "b": 23, "c": 7, "d": 1}  # of each clip
# of each sample: its clip, and the second in which its window begins
WINDOWS = [(clip, first) for clip, n in SAMPLES.items() for first in range(n)]
random.Random(3).shuffle(WINDOWS)


@pytest.fixture(autouse=True)
def one_process_many_precisions():
    """accelerate keeps its settings for the whole life of a process."""
    AcceleratorState._reset_state(reset_partial_state=True)


def place(entry: int) -> tuple[str, int]:
    return WINDOWS[entry % len(WINDOWS)]


# ---- the order -----------------------------------------------------------------------------------


@pytest.mark.parametrize("run", [1, 5, 100])
@pytest.mark.parametrize("at_once", [1, 2, 4])
def test_each_epoch_has_every_sample_once_in_runs_of_one_clip(run, at_once):
    order = in_runs(len(WINDOWS), 7, run, at_once, place)
    epochs = [order(e) for e in range(3)]
    for entries in epochs:
        assert sorted(entries) == list(range(len(WINDOWS)))
    assert epochs[0] != epochs[1] != epochs[2]
    assert in_runs(len(WINDOWS), 7, run, at_once, place)(1) == epochs[1]
    assert in_runs(len(WINDOWS), 8, run, at_once, place)(1) != epochs[1]
    # as long as all lines have samples, each position belongs to one of them
    whole = max(0, (len(WINDOWS) - (at_once - 1) * min(run, 40)) // at_once) * at_once
    stretches = 0
    for line in range(at_once):
        shown = [place(i) for i in epochs[0][:whole][line::at_once]]
        pairs = itertools.pairwise(shown)
        stretches += bool(shown) + sum((a[0], a[1] + 1) != b for a, b in pairs)
    assert stretches <= sum(1 if n <= run else 1 - (1 - n) // run for n in SAMPLES.values())


def test_a_run_is_not_longer_than_it_may_be_and_mixes_with_other_clips():
    """With runs of 5 on 4 lines, the longest clip is spread over the epoch."""
    entries = in_runs(len(WINDOWS), 7, 5, 4, place)(0)
    at = [i for i, entry in enumerate(entries) if place(entry)[0] == "a"]
    assert max(at) - min(at) > len(WINDOWS) // 2
    # in one run for each clip it is one line, and its samples are in the order of time
    whole = in_runs(len(WINDOWS), 7, 100, 4, place)(0)
    firsts = [place(i)[1] for i in whole if place(i)[0] == "a"]
    assert firsts == sorted(firsts)


def test_it_goes_on_where_it_stood_and_processes_share_the_lines():
    arrange = in_runs(len(WINDOWS), 7, 5, 4, place)
    whole = list(itertools.islice(Order(len(WINDOWS), arrange), 2 * len(WINDOWS)))
    assert list(itertools.islice(Order(len(WINDOWS), arrange, skip=90), 20)) == whole[90:110]
    parts = [list(itertools.islice(Order(len(WINDOWS), arrange, 0, r, 2), 10)) for r in range(2)]
    assert [i for pair in zip(*parts, strict=True) for i in pair] == whole[:20]


def test_runs_that_the_processes_cannot_share_are_refused():
    data = DataSettings(train="x", run=8, runs_at_once=6, workers=4)
    with pytest.raises(ConfigError, match=r"runs_at_once \(6\) cannot be shared .*: take 4 or 8"):
        arranged(data, len(WINDOWS), 0, place, 1)
    with pytest.raises(ConfigError, match=r"\(16\) cannot be shared equally by 6 processes"):
        arranged(DataSettings(train="x", run=8, workers=3), len(WINDOWS), 0, place, 2)
    assert len(arranged(DataSettings(train="x", run=8, workers=0), 71, 0, place, 2)(0)) == 71


# ---- the clips -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def long_clip(tmp_path_factory) -> Path:
    """A clip whose frames all differ, with key frames 10 s apart."""
    path = tmp_path_factory.mktemp("clip") / "long.mp4"
    writer = ClipWriter(path, (64, 64), 18)
    for slot in range(2 * SECONDS):
        image = np.full((64, 64, 3), slot % 2 * 30, np.uint8)
        image[:, : 1 + slot % 64] = 2 * slot % 256
        writer.add(image)
    writer.close()
    return path


def record(clip: Path | str, first: int, stop: int) -> Record:
    return Record(f"{first}", str(clip), first, stop, (), (), (), f"x.jsonl:{first}")


def same(one, other) -> bool:
    return len(one) == len(other) and all(
        (a.index, a.start_ns, a.end_ns, a.repeated) == (b.index, b.start_ns, b.end_ns, b.repeated)
        and all(
            f.stamp_ns == g.stamp_ns and np.array_equal(f.image, g.image)
            for f, g in zip(a.frames, b.frames, strict=True)
        )
        for a, b in zip(one, other, strict=True)
    )


@pytest.mark.parametrize("seed", range(3))
def test_open_clips_give_what_each_sample_alone_gives(long_clip, tmp_path, seed):
    """In any order, with windows that overlap, touch, lie apart and go back."""
    light_video(tmp_path / "other.mp4")  # another rate, and another codec's settings
    rng = random.Random(seed)
    readers = ClipReaders(2)
    for _ in range(40):
        clip, seconds = rng.choice(((long_clip, SECONDS), (tmp_path / "other.mp4", 16)))
        first = rng.randrange(seconds)
        r = record(clip, first, rng.randint(first + 1, min(seconds, first + 12)))
        assert same(readers.chunks(r), clip_chunks(r))
    readers.close()


def test_each_second_of_a_clip_is_decoded_once_in_the_order_of_time(long_clip, monkeypatch):
    opened, frames = [], []

    def counted(*args, **settings):
        source = open_source(*args, **settings)
        opened.append(args)
        iterate = source.frames
        monkeypatch.setattr(
            source, "frames", lambda: map(lambda f: frames.append(f) or f, iterate())
        )
        return source

    monkeypatch.setattr(clips, "open_source", counted)
    readers = ClipReaders(1)
    for first in range(5, 40, 3):
        readers.chunks(record(long_clip, first, first + 20))
    assert len(opened) == 1 and len(frames) == 2 * (38 + 20 - 5)
    # two runs of one clip at the same time are read in two places
    opened.clear()
    two = ClipReaders(2)
    for step in range(5):
        for begin in (0, 35):
            two.chunks(record(long_clip, begin + step, begin + step + 10))
    assert len(opened) == 2


def test_a_fault_names_the_sample_and_the_next_one_is_read(long_clip, tmp_path):
    readers = ClipReaders(1)
    with pytest.raises(InputError, match=rf"x.jsonl:55: .*shows nothing in second {SECONDS}"):
        readers.chunks(record(long_clip, 55, SECONDS + 5))
    assert same(readers.chunks(record(long_clip, 50, 55)), clip_chunks(record(long_clip, 50, 55)))
    (tmp_path / "bad.mp4").write_bytes(b"no video")
    with pytest.raises(InputError, match=r"x.jsonl:0: .*bad.mp4"):
        readers.chunks(record(tmp_path / "bad.mp4", 0, 5))


def test_simulated_worlds_are_not_shared(monkeypatch):
    """A world that lasts longer has other events."""
    readers = ClipReaders(1)
    for stop in (6, 9):
        r = record("sim:31", 2, stop)
        assert same(readers.chunks(r), clip_chunks(r))


# ---- training ------------------------------------------------------------------------------------


def test_training_in_runs_uses_the_same_samples(long_clip, tmp_path):
    """With all samples in each step, the weights after two epochs are those of a random order."""
    base = checkpoints.write(tmp_path / "base", "qwen3_vl", silent=False, layers=1)
    folder = tmp_path / "data"
    folder.mkdir()
    lines = [
        tuning_rig.sample(30, 2, 8)
        | {"id": f"{first}", "clip": {"video": str(long_clip)}, "first": first, "stop": first + 4}
        | {"turns": [{"chunk": first + 2, "question": "what is it?", "answer": "a red cube"}]}
        for first in range(0, 24, 3)
    ]
    lines += [tuning_rig.sample(seed, 2, 5) for seed in (31, 32)]
    (folder / "shard-0.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    shards = str(folder / "shard-*.jsonl")
    assert Shards(shards).window_of(9) == ("sim:32", 2)
    runs = {}
    for name, workers, how in (("any", 0, {}), ("runs", 0, {"run": 3}), ("workers", 2, {"run": 3})):
        AcceleratorState._reset_state(reset_partial_state=True)
        recipe = tuning_rig.recipe(
            base,
            shards,
            data={"train": shards, "workers": workers} | how,
            batch={"tokens": 4000, "samples": 10},
            schedule={"epochs": 2.0, "lr": 1e-3},
        )
        trainer = tuning_rig.Float64Trainer(recipe, tmp_path / name, device="cpu")
        order = list(itertools.islice(trainer.order, 20))
        assert sorted(order) == list(range(20)), "an entry of each epoch is there once"
        runs[name] = trainer.run()
        assert runs[name].steps == 2
    for name in ("runs", "workers"):
        tuning_rig.equal_weights(runs["any"].model, runs[name].model)


@pytest.mark.parametrize("workers", [0, 2])
def test_the_benchmark_reads_the_same_samples_both_times(tmp_path, workers):
    path = tmp_path / "figures.json"
    words = [
        "--clips",
        "2",
        "--seconds",
        "30",
        "--size",
        "64x64",
        "--samples",
        "5",
        "--window",
        "8",
    ]
    words += ["--at-once", "2", "--workers", str(workers), "--json", str(path)]
    result = CliRunner().invoke(app, ["bench", "data", "clips", *words])
    assert result.exit_code == 0, result.exception
    figures = json.loads(path.read_text())
    for name in ("any", "runs"):
        assert all(v > 0 for v in figures[name].values())
    one, other = (figures[n]["tokens_per_s"] / figures[n]["samples_per_s"] for n in ("any", "runs"))
    assert one == pytest.approx(other, rel=0.01), "tokens of a sample"
    for wrong, told in (
        (["--size", "64"], "--size must be WIDTHxHEIGHT"),
        (["--seconds", "30", "--window", "31"], "--window 31 is longer than a clip, 30 s"),
    ):
        result = CliRunner().invoke(app, ["bench", "data", "clips", *wrong])
        assert told in str(result.exception)
