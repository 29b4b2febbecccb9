"""The prediction file: reading returns what was written; an interrupted run continues."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import eval_rig as rig
import pytest

from aura_core.config import ModelConfig, ServerConfig, WindowConfig
from aura_core.errors import InputError
from aura_core.evaluation.predictions import Header, Writer, is_ours, read, select
from aura_core.evaluation.records import Prediction, Question, Spoken
from aura_core.evaluation.runner import run
from aura_core.models.scripted import ScriptedBackend

HEADER = Header("ovobench", "m", "free-running", "abc", "f00d")
P = Prediction("7", (Spoken(1, "a cup ☕\n", "0", True), Spoken(2.5, "b", end_s=3.0)), 9, ("1",))


def test_what_is_read_is_what_was_written(tmp_path):
    path = tmp_path / "new" / "p.jsonl"
    with Writer(path, HEADER) as w:
        w.add(P)
        w.add(Prediction("8", (), None))
    f = read(path)
    assert f.header == HEADER and f.predictions == (P, Prediction("8", ())) and f.dropped == ""
    assert is_ours(path)
    assert json.loads(path.read_text().splitlines()[0])["version"] == 1


@pytest.mark.parametrize("cut", [1, 10, 40])
def test_a_half_line_is_dropped_named_and_written_anew(tmp_path, cut):
    path = tmp_path / "p.jsonl"
    with Writer(path, HEADER) as w:
        w.add(P)
        w.add(replace(P, item="8"))
    whole = path.read_bytes()
    path.write_bytes(whole[:-cut])
    assert (
        read(path).predictions == (P,)
        and read(path).dropped == f"{path}: line 3 was written half and is dropped"
    )
    with Writer(path, HEADER) as w:
        assert w.done == {"7": ""} and "line 3" in w.dropped
        w.add(replace(P, item="8"))
    assert path.read_bytes() == whole


def test_a_half_written_header_begins_anew(tmp_path):
    path = tmp_path / "p.jsonl"
    path.write_text('{"format": "aura-pred')
    with Writer(path, HEADER) as w:
        w.add(P)
    assert read(path).predictions == (P,)


def test_killed_anywhere_and_run_again_gives_the_same_bytes(tmp_path):
    items = []
    for k in range(3):
        rig.video(tmp_path / f"{k}.mp4", [10 * k + 10] * 3)
        items.append(rig.Item(str(k), (f"{k}.mp4",), (Question("q", 2, "?"),)))
    header = Header.of("t", rig.CONFIG, False)

    def finish(path: Path) -> bytes:
        with Writer(path, header) as w:
            run(items, tmp_path, ScriptedBackend(rig.seen), rig.CONFIG, w)
        return path.read_bytes()

    whole = finish(tmp_path / "whole.jsonl")
    for size in range(0, len(whole), 37):
        path = tmp_path / f"cut{size}.jsonl"
        path.write_bytes(whole[:size])
        assert finish(path) == whole


@pytest.mark.parametrize("name", ["task", "model", "mode", "settings", "weights"])
def test_a_file_of_another_run_is_not_continued(tmp_path, name):
    with Writer(tmp_path / "p", HEADER):
        pass
    with pytest.raises(
        InputError, match=f"its {name} is .* this run's is other.*; name another file"
    ):
        Writer(tmp_path / "p", replace(HEADER, **{name: "other"}))


def test_settings_are_told_apart_but_not_where_the_server_is():
    a = Header.of("t", rig.CONFIG, False)
    assert a.mode == "free-running" and Header.of("t", rig.CONFIG, True).mode == "polled"
    assert (
        Header.of("t", replace(rig.CONFIG, window=WindowConfig(keep=3, max=7)), False).settings
        != a.settings
    )
    there, elsewhere = (
        replace(rig.CONFIG, server=ServerConfig(url=f"http://{h}/v1")) for h in "ab"
    )
    assert Header.of("t", there, False) == Header.of("t", elsewhere, False)


def test_weights_are_told_apart_by_fingerprint_and_a_servers_by_name(tmp_path):
    folder = tmp_path / "m"
    folder.mkdir()
    (folder / "model.safetensors").write_bytes(b"before")
    config = replace(rig.CONFIG, model=ModelConfig(path=str(folder)))
    before = Header.of("t", config, False)
    (folder / "model.safetensors").write_bytes(b"after!")
    after = Header.of("t", config, False)
    assert replace(before, weights="") == replace(after, weights="") and before != after
    served = replace(config, server=ServerConfig(url="http://h/v1", model="big"))
    assert Header.of("t", served, False).weights == "served as big"
    with Writer(tmp_path / "p", before):
        pass
    with pytest.raises(
        InputError, match=f"its weights is .*: what lies at {folder} has changed; name another file"
    ):
        Writer(tmp_path / "p", after)
    with Writer(tmp_path / "old", replace(before, weights="")):
        pass
    with pytest.raises(InputError, match="old: does not say of which weights it is"):
        Writer(tmp_path / "old", after)


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        (["{}"], "line 1 is not its header"),
        (["[1]"], "line 1: not a JSON object"),
        ([""], "line 1: not a JSON object"),
        (["H", "{oops"], "line 2: not a JSON object; the file is damaged there"),
        (["H", '{"item": "1", "seconds": 3}'], "line 2: field 'said' is missing"),
        (
            ["H", '{"item": "1", "seconds": 3, "said": [{"at_s": 1}]}'],
            "line 2: field 'text' is missing",
        ),
        (["H", *['{"item": "1", "seconds": 3, "said": []}'] * 2], "line 3: item 1 is there twice"),
        (
            ['{"format": "aura-predictions", "version": 9}'],
            "is of version 9; this program reads version 1",
        ),
    ],
)
def test_a_damaged_file_is_refused_by_line(tmp_path, lines, says):
    header = '{"format": "aura-predictions", "version": 1, "task": "t"}'
    (tmp_path / "p").write_text("\n".join(lines).replace("H", header) + "\n")
    with pytest.raises(InputError, match=says):
        read(tmp_path / "p")


def test_unknown_and_double_items_are_refused_or_named():
    items = [rig.item(Question("0", 1, "?"))]
    known = Prediction("i", (), 1)
    twice, strange = [known, Prediction("i", (), 2)], [known, Prediction("x", ())]
    assert select([known], items, "f") == ({"i": known}, [])
    with pytest.raises(InputError, match="f: item x is not in the annotation files"):
        select(strange, items, "f")
    with pytest.raises(InputError, match="f: item i is there twice"):
        select(twice, items, "f")
    assert select([*twice, strange[1]], items, "f", skip=True) == (
        {"i": known},
        ["f: item i is there twice", "f: item x is not in the annotation files"],
    )


def test_an_item_whose_annotation_has_changed_is_noticed_by_its_fingerprint(tmp_path):
    """Regression: predictions were scored against another question of the same id."""
    rig.video(tmp_path / "v.mp4", [10, 20, 30])
    before = rig.item(Question("q", 2, "?", truth="A"))
    path = tmp_path / "p.jsonl"
    with Writer(path, HEADER) as w:
        run([before], tmp_path, ScriptedBackend(rig.seen), rig.CONFIG, w)
    (played,) = read(path).predictions
    assert played.annotation == before.fingerprint
    # other words around the same question are no other annotation
    reworded = rig.item(Question("q", 2, "now: ?", truth="A", shown="?"))
    for item in (before, reworded):
        assert select([played], [item], "f")[0] == {"i": played}
        with Writer(path, HEADER) as w:
            assert w.has(item)
    for other in (Question("q", 2, "?", truth="B"), Question("q", 3, "?", truth="A")):
        with pytest.raises(InputError, match="f: item i was played with another annotation"):
            select([played], [rig.item(other)], "f")
        assert select([played], [rig.item(other)], "f", skip=True)[0] == {}
        with Writer(path, HEADER) as w, pytest.raises(InputError, match="remove its line, or"):
            run([rig.item(other)], tmp_path, ScriptedBackend(rig.seen), rig.CONFIG, w)
