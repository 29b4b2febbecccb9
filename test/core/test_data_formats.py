"""Samples to Parquet and WebDataset and back, read with the libraries that others use."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path
from typing import Any

import pytest
from data_rig import aura, small_run
from mllm_double import light_video
from PIL import Image

from aura_core.data.exchange.export import export, restore
from aura_core.data.exchange.importing import ImportConfig, import_files
from aura_core.data.exchange.webdataset import Group, write_groups
from aura_core.data.language import language_of
from aura_core.data.offline import Offline
from aura_core.data.review.desk import Desk
from aura_core.data.samples import lines_of, parse
from aura_core.data.schema import Sample
from aura_core.data.settings import DataConfig
from aura_core.errors import ConfigError, InputError

FORMATS = ("parquet", "webdataset")
NEEDS = {"parquet": "pyarrow", "webdataset": "tarfile"}


@pytest.fixture(scope="module")
def stream(tmp_path_factory) -> Path:
    """A run of the data engine on two simulated clips."""
    out = tmp_path_factory.mktemp("stream")
    small_run(out, range(1000, 1002))
    return out


@pytest.fixture(scope="module")
def offline(tmp_path_factory) -> Path:
    """A run with offline samples: a picture with a video, a picture twice, and text."""
    root = tmp_path_factory.mktemp("offline")
    Image.new("RGB", (8, 6), (200, 30, 30)).save(root / "a.b.png")
    light_video(root / "v.mp4")
    turns = [{"from": "human", "value": "Is it 红?"}, {"from": "gpt", "value": "是。"}]
    entries = [
        {"id": "one", "conversations": turns, "image": "a.b.png", "video": "v.mp4"},
        {"id": "two/x", "conversations": turns, "image": "a.b.png"},
        {"id": "two x", "conversations": turns},
    ]
    (root / "x.json").write_text(json.dumps(entries))
    import_files(root / "x.json", None, root / "run", ImportConfig(format="offline"), DataConfig())
    return root / "run"


@pytest.fixture(params=["stream", "offline"])
def source(request) -> Path:
    return request.getfixturevalue(request.param)


def plain(sample: Sample | Offline) -> Any:
    """A sample without the names of its files."""
    data = json.loads(json.dumps(sample, default=vars))
    if isinstance(sample, Sample):
        data["clip"].pop("video")
    for medium in data.get("media", ()):
        medium.pop("path")
    return data


def files(source: Path) -> list[bytes]:
    """The contents of all files of all samples, in order."""
    found = []
    for line in lines_of(str(source)):
        sample, root = line.sample, line.shard.media
        names = (
            [sample.clip.video] if isinstance(sample, Sample) else [m.path for m in sample.media]
        )
        found += [(root / name).read_bytes() for name in names]
    return found


@pytest.mark.parametrize("to", FORMATS)
def test_the_way_back_gives_the_same_samples_and_files(source, tmp_path, to):
    pytest.importorskip(NEEDS[to])
    done = export(str(source), tmp_path / "out", to)
    before = [line.sample for line in lines_of(str(source))]
    counted = restore(tmp_path / "out", tmp_path / "back")
    after = [line.sample for line in lines_of(str(tmp_path / "back"))]
    assert done.samples == len(before) == sum(counted.values())
    assert [plain(s) for s in after] == [plain(s) for s in before]
    assert files(tmp_path / "back") == files(source)
    assert done.files and done.bytes


def test_the_way_back_is_trained_on_as_the_run_was(stream, tmp_path):
    pytest.importorskip("torch")
    pytest.importorskip("pyarrow")
    from aura_core.training.finetune.shards import Shards

    export(str(stream), tmp_path / "out", "parquet")
    restore(tmp_path / "out", tmp_path / "back")
    one, other = Shards(str(stream), once=True), Shards(str(tmp_path / "back"), once=True)
    assert [(r.id, r.turns, r.since, r.ids_sha256) for r in one] == [
        (r.id, r.turns, r.since, r.ids_sha256) for r in other
    ]


def test_parquet_has_columns_to_filter_by(stream, tmp_path):
    pq = pytest.importorskip("pyarrow.parquet")
    export(str(stream), tmp_path / "out", "parquet")
    table = pq.read_table(tmp_path / "out" / "data", filters=[("kind", "=", "real-time")])
    rows = table.to_pylist()
    samples = {line.sample.id: line.sample for line in lines_of(str(stream))}
    wanted = [s for s in samples.values() if s.target.kind == "real-time" and s.target.answer]
    assert [r["id"] for r in rows] == [s.id for s in wanted]
    for row in rows:
        s = samples[row["id"]]
        assert (row["question"], row["answer"]) == (s.target.question, s.target.answer)
        assert (row["first"], row["stop"]) == (s.first, s.stop)
        assert row["language"] == language_of(s.target.answer)
        assert plain(parse(row["record"].encode(), "row")) == plain(s)
        assert all((tmp_path / "out" / name).is_file() for name in row["media"])


def test_hugging_face_datasets_opens_the_folder(source, tmp_path, monkeypatch):
    datasets = pytest.importorskip("datasets")
    monkeypatch.setenv("HF_DATASETS_OFFLINE", "1")
    export(str(source), tmp_path / "out", "parquet")
    cache = str(tmp_path / "cache")
    loaded = datasets.load_dataset(str(tmp_path / "out"), split="train", cache_dir=cache)
    lines = list(lines_of(str(source)))
    assert loaded["id"][:] == [line.sample.id for line in lines]
    assert loaded.column_names[0] == "id" and "media" in loaded.column_names
    loaded.save_to_disk(str(tmp_path / "disk"))
    again = datasets.load_from_disk(str(tmp_path / "disk"))
    for row, line in zip(again, lines, strict=True):
        assert plain(parse(row["record"].encode(), "row")) == plain(line.sample)


def test_webdataset_reads_the_shards(source, tmp_path):
    wds = pytest.importorskip("webdataset")
    export(str(source), tmp_path / "out", "webdataset")
    shards = sorted(str(p) for p in (tmp_path / "out").glob("*.tar"))
    found = list(wds.WebDataset(shards, shardshuffle=False).decode())
    samples = [s for group in found for s in group["json"]["samples"]]
    assert [s["id"] for s in samples] == [line.sample.id for line in lines_of(str(source))]
    for group in found:
        for sample in group["json"]["samples"]:
            names = [m["path"] for m in sample.get("media", ())] or [
                sample["clip"]["video"] for _ in (1,) if "clip" in sample
            ]
            for name in names:
                assert name.startswith(group["__key__"] + ".")
                assert name.removeprefix(group["__key__"] + ".") in group


def test_the_same_samples_give_the_same_tar_file(offline, tmp_path):
    for name in ("one", "two"):
        export(str(offline), tmp_path / name, "webdataset")
    one, two = ((tmp_path / n / "shard-00000.tar").read_bytes() for n in ("one", "two"))
    assert one == two


def test_tar_files_are_cut_by_size_and_never_within_a_group(tmp_path):
    (tmp_path / "x").write_bytes(b"x" * 100)
    groups = [Group(k, ("{}",) * 2, {f"{k}.0.bin": tmp_path / "x"}) for k in "abcd"]
    assert write_groups(groups, tmp_path / "out", most=250) == 8
    names = []
    for path in sorted((tmp_path / "out").iterdir()):
        with tarfile.open(path) as tar:
            names.append(tar.getnames())
    assert names == [
        ["a.json", "a.0.bin", "b.json", "b.0.bin"],
        ["c.json", "c.0.bin", "d.json", "d.0.bin"],
    ]


def test_rejected_samples_are_not_exported(offline, tmp_path):
    desk = Desk(str(offline))
    try:
        desk.decide(1, False, "")
        done = export(str(offline), tmp_path / "out", "webdataset")
        restore(tmp_path / "out", tmp_path / "back")
    finally:
        (offline / "offline" / "review.jsonl").unlink()
    assert done.samples == 2
    assert [line.sample.id for line in lines_of(str(tmp_path / "back"))] == ["one", "two x"]


def test_without_copies_the_samples_name_the_files_where_they_are(stream, tmp_path):
    pytest.importorskip("pyarrow")
    done = export(str(stream), tmp_path / "out", "parquet", media="none")
    restore(tmp_path / "out", tmp_path / "back")
    assert done.bytes == 0 and not (tmp_path / "out" / "media").exists()
    assert files(tmp_path / "back") == files(stream)


def test_a_folder_that_is_not_empty_is_refused_and_so_is_another_format(stream, tmp_path):
    (tmp_path / "x").write_text("")
    with pytest.raises(InputError, match="name a new folder"):
        export(str(stream), tmp_path, "webdataset")
    with pytest.raises(ConfigError, match="--to must be one of parquet, webdataset, not 'csv'"):
        export(str(stream), tmp_path / "out", "csv")


def test_a_missing_clip_is_named_with_its_sample(offline, tmp_path):
    line = (offline / "offline" / "shard-00000.jsonl").read_text()
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "x.jsonl").write_text(line)
    with pytest.raises(InputError, match=r"x\.jsonl:1: .*a\.b\.png: there is no such file"):
        export(str(tmp_path / "in" / "x.jsonl"), tmp_path / "out", "webdataset")


@pytest.mark.parametrize("name", ["../x.mp4", "/x.mp4", "a/x.0.mp4", "x"])
def test_a_tar_file_writes_nothing_outside_its_folder(tmp_path, name):
    (tmp_path / "in").mkdir()
    with tarfile.open(tmp_path / "in" / "x.tar", "w") as tar:
        tar.addfile(tarfile.TarInfo(name))
    with pytest.raises(InputError, match="a member that is no file of ours"):
        restore(tmp_path / "in", tmp_path / "run")
    assert not list((tmp_path / "run").rglob("*.mp4"))


def test_an_export_without_its_files_is_refused(offline, tmp_path):
    pytest.importorskip("pyarrow")
    export(str(offline), tmp_path / "out", "parquet")
    next((tmp_path / "out" / "media").glob("*.png")).unlink()
    with pytest.raises(InputError, match=r"\.png: there is no such file"):
        restore(tmp_path / "out", tmp_path / "back")


def test_what_is_no_export_is_refused(tmp_path):
    pytest.importorskip("pyarrow")
    with pytest.raises(InputError, match=r"no data/\*\.parquet there"):
        restore(tmp_path, tmp_path / "run")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "x.parquet").write_bytes(b"no")
    with pytest.raises(InputError, match=r"x\.parquet: cannot be read"):
        restore(tmp_path, tmp_path / "run")


def test_the_commands(offline, tmp_path):
    told = aura("export", offline, "--out", tmp_path / "out", "--to", "webdataset")
    assert told.returncode == 0 and "3 samples, 2 files" in told.stdout, told
    back = aura("import", tmp_path / "out", "--format", "export", "--out", tmp_path / "back")
    assert back.returncode == 0 and "3 samples" in back.stdout, back
