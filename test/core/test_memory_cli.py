"""`aura memory`: what it prints, what it deletes, and what it refuses."""

from __future__ import annotations

import json
import sqlite3
import stat
import time
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest
from memory_rig import S, note

from aura_core.cli import main
from aura_core.live.events import Asked
from aura_core.live.watch_keeper import WatchKeeper
from aura_core.memory.notes import NoteKind
from aura_core.memory.paths import default_path
from aura_core.memory.store import Store, Wanted
from aura_core.types import Before, Query

pytest.importorskip("aura_core.memory.times")

DAY = datetime(2026, 3, 2, 8, 0).timestamp()  # local time
JPEG = b"\xff\xd8 a picture"


def aura(*args: object) -> int:
    with pytest.raises(SystemExit) as e:
        main(["memory", *map(str, args)])
    return int(e.value.code or 0)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Five notes, one an hour from 8:00."""
    texts = ["the cat came in", "a red cup on the table", "猫跳上桌子", "yes", "the cat left"]
    notes = [
        replace(note(i, text), wall_ns=round((DAY + 3600 * i) * S)) for i, text in enumerate(texts)
    ]
    notes[1] = replace(notes[1], picture=JPEG, stream="kitchen")
    notes[3] = replace(notes[3], kind=NoteKind.QUESTION, question="is the dog\nthere?")
    store = Store.open(tmp_path / "notes.db")
    store.add(notes)
    store.close()
    return tmp_path / "notes.db"


def listed(capsys: pytest.CaptureFixture[str]) -> list[str]:
    """The ids that were printed."""
    return [line.split("  ")[0] for line in capsys.readouterr().out.splitlines()]


def test_list_prints_the_newest_last(file, capsys):
    assert aura("list", "--file", file) == 0
    out = capsys.readouterr().out.splitlines()
    assert len(out) == 5 and out[0].endswith("  seen  the cat came in")
    assert out[1].endswith("  seen [kitchen]  a red cup on the table")
    assert out[3].endswith("  question  is the dog there? -> yes")
    assert aura("list", "--file", file, "--limit", 2) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[0] == "(3 more notes before these: --limit)"
    assert [line.split("  ")[0] for line in out[1:]] == ["run-n3", "run-n4"]


def test_list_of_a_time_and_a_kind(file, capsys):
    span = ("--since", "2026-03-02T09:00", "--until", "2026-03-02 11:00")
    assert aura("list", "--file", file, *span) == 0
    assert listed(capsys) == ["run-n1", "run-n2"]
    assert aura("list", "--file", file, "--kind", "question", "--kind", "alert") == 0
    assert listed(capsys) == ["run-n3"]
    assert aura("list", "--file", file, "--until", "2026-03-02") == 0
    assert listed(capsys) == []


def test_times_in_words(tmp_path, capsys):
    now = time.time()
    store = Store.open(tmp_path / "now.db")
    for i, ago_s in enumerate((3 * 86_400, 7200, 60)):
        store.add([replace(note(i), wall_ns=round((now - ago_s) * S))])
    store.close()
    file = ("--file", tmp_path / "now.db")
    assert aura("list", *file, "--since", "one hour ago") == 0
    assert listed(capsys) == ["run-n2"]
    assert aura("list", *file, "--since", "121 minutes ago", "--until", "119 minutes ago") == 0
    assert listed(capsys) == ["run-n1"]
    assert aura("list", *file, "--until", "2 days ago") == 0
    assert listed(capsys) == ["run-n0"]


def test_list_as_json(file, capsys):
    assert aura("list", "--file", file, "--json", "--limit", 1, "--kind", "question") == 0
    record = json.loads(capsys.readouterr().out)
    assert record["id"] == "run-n3" and record["question"] == "is the dog\nthere?"
    assert datetime.fromisoformat(record["time"]).timestamp() == DAY + 3 * 3600


def test_a_limit_of_any_size(file, capsys):
    assert aura("list", "--file", file, "--limit", 10**30) == 0
    assert len(listed(capsys)) == 5
    assert aura("search", "cat", "--file", file, "--limit", 10**30) == 0
    assert len(listed(capsys)) > 1


def test_control_characters_do_not_reach_the_terminal(file, capsys):
    store = Store.open(file)
    store.add([replace(note(9, "a \x1b[31mred\x07 cup\u202e"), wall_ns=round(DAY * S))])
    store.close()
    for args in (("list",), ("search", "red cup"), ("show", "run-n9")):
        assert aura(*args, "--file", file) == 0
        out = capsys.readouterr().out
        assert "red" in out and all(c.isprintable() or c == "\n" for c in out)


def test_search(file, capsys):
    assert aura("search", "cats?", "--file", file) == 0
    assert set(listed(capsys)) >= {"run-n0", "run-n4"}
    assert aura("search", "红色的杯子", "--file", file, "--limit", 1) == 0
    assert listed(capsys) == ["run-n1"]
    assert aura("search", "桌子", "--file", file, "--since", "2026-03-02T10:00") == 0
    assert listed(capsys) == ["run-n2"]
    assert aura("search", 'zebra" AND NOT *', "--file", file) == 0
    assert capsys.readouterr().out == "nothing\n"


def test_show_and_its_picture(file, capsys, tmp_path):
    out = tmp_path / "out" / "cup.jpg"
    assert aura("show", "run-n1", "--file", file, "--picture", out) == 0
    shown = capsys.readouterr().out
    assert "text: a red cup on the table\n" in shown and f"picture: {len(JPEG)} bytes" in shown
    assert out.read_bytes() == JPEG and stat.S_IMODE(out.stat().st_mode) == 0o600
    assert aura("show", "run-n0", "--file", file, "--picture", out) == 1
    assert "error: note run-n0 has no picture" in capsys.readouterr().err
    assert aura("show", "run-n9", "--file", file) == 1
    assert f"error: {file}: there is no note run-n9" in capsys.readouterr().err


def test_export(file, capsys, tmp_path):
    out, pictures = tmp_path / "notes.jsonl", tmp_path / "pictures"
    assert aura("export", out, "--file", file, "--pictures", pictures) == 0
    records = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    assert [r["id"] for r in records] == [f"run-n{i}" for i in range(5)]
    assert [r.get("picture") for r in records] == [
        None,
        str(pictures / "run-n1.jpg"),
        None,
        None,
        None,
    ]
    assert (pictures / "run-n1.jpg").read_bytes() == JPEG
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    capsys.readouterr()
    assert aura("export", "-", "--file", file, "--since", "2026-03-02T12:00") == 0
    assert json.loads(capsys.readouterr().out)["text"] == "the cat left"
    assert aura("export", tmp_path, "--file", file) == 1
    assert "Is a directory" in capsys.readouterr().err


def test_an_export_over_a_file_of_others_is_private_too(file, tmp_path):
    out = tmp_path / "out.jsonl"
    out.touch(mode=0o644)
    assert aura("export", out, "--file", file) == 0
    assert stat.S_IMODE(out.stat().st_mode) == 0o600


def test_picture(file, capsys, tmp_path):
    out = tmp_path / "day.png"
    assert aura("picture", out, "--file", file) == 0
    assert capsys.readouterr().out == f"{out}: 5 notes\n"
    assert out.read_bytes().startswith(b"\x89PNG")
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    assert aura("picture", out, "--file", file, "--since", "2031-01-01") == 1
    assert capsys.readouterr().err == "error: there are no notes of this time\n"


def left(file: Path) -> list[str]:
    store = Store.open(file, read_only=True)
    ids = [n.id for n in store.find(Wanted())]
    store.close()
    return ids


def test_forget(file, capsys):
    assert aura("forget", "--id", "run-n0", "--id", "run-n4", "--yes", "--file", file) == 0
    assert capsys.readouterr().out == "2 notes deleted\n"
    assert left(file) == ["run-n1", "run-n2", "run-n3"]
    assert b"the cat came in" not in file.read_bytes()
    until = ("--until", "2026-03-02T10:30")
    assert aura("forget", "--since", "2026-03-02T09:30", *until, "--yes", "--file", file) == 0
    assert left(file) == ["run-n1", "run-n3"]
    assert aura("forget", "--all", "--yes", "--file", file) == 0
    assert left(file) == []


def test_forget_beside_an_assistant(file, capsys):
    assistant = Store.open(file)
    assistant.add([note(7, "the kettle boils")])
    assert assistant.count(Wanted(terms=("kettl",))) + assistant.count(Wanted(terms=("kettle",)))
    for args in (("--id", "run-n7"), ("--all",)):
        assert aura("forget", *args, "--yes", "--file", file) == 0
        assert assistant.get("run-n7") is None
        assistant.add([note(8, "the kettle is hot")])
        assert [n.id for n in assistant.find(Wanted(substring="kettle"))] == ["run-n8"]
    assert assistant.check() == []
    assistant.close()


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ((), "say what to forget: --id, or --since and --until, or --all"),
        (("--all", "--id", "x"), "say what to forget"),
        (("--all",), "5 notes would be deleted: say --yes"),
        (("--since", "soon"), "--since soon: not a time"),
        (("--since", "2026-03-03", "--until", "2026-03-02"), "is not after --since 2026-03-03"),
        (("--since", "99999-01-01"), "--since 99999-01-01: not a time"),
    ],
)
def test_what_forget_refuses(file, capsys, args, said):
    assert aura("forget", *args, "--file", file) == 1
    assert said in capsys.readouterr().err
    assert len(left(file)) == 5


def test_check(file, capsys, tmp_path):
    assert aura("check", "--file", file) == 0
    out = capsys.readouterr().out
    assert out.startswith("5 notes from 2026-03-02T08:00:00") and out.endswith("ok: version 2\n")
    db = sqlite3.connect(file)
    db.execute("DELETE FROM letters_docsize")
    db.commit()
    db.close()
    assert aura("check", "--file", file) == 1
    assert "wrong: search index letters: 0 rows for 5 notes" in capsys.readouterr().out
    (tmp_path / "other.db").write_text("recipes")
    assert aura("check", "--file", tmp_path / "other.db") == 1
    assert "wrong: " in (out := capsys.readouterr().out) and "not a file of notes" in out
    assert aura("check", "--file", tmp_path / "none.db") == 1
    assert "there is no such file of notes" in capsys.readouterr().out


def test_stats(file, capsys):
    assert aura("stats", "--file", file, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["notes"] == 5 and found["kinds"] == {"seen": 4, "question": 1}
    assert found["picture_bytes"] == len(JPEG) and found["file_bytes"] == file.stat().st_size


def test_without_a_file_that_of_the_node_is_meant(file, capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("ROS_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("ROS_DOMAIN_ID", "7")
    assert aura("stats") == 1
    place = tmp_path / "home" / "aura" / "assistant_node.7.memory.db"
    assert f"error: {place}: there is no such file of notes; name one with --file" in (
        capsys.readouterr().err
    )
    assert default_path() == place
    assert default_path("/kitchen/eye").name == "kitchen.eye.7.memory.db"
    place.parent.mkdir(parents=True)
    file.rename(place)
    assert aura("list") == 0
    assert len(listed(capsys)) == 5


def test_forget_says_what_becomes_of_watches(file, tmp_path, capsys):
    assert aura("forget", "--file", file, "--id", "run-n1", "--yes") == 0
    assert capsys.readouterr().out == "1 notes deleted\n"
    assert aura("forget", "--file", file, "--all", "--yes") == 0
    assert "open watches stay open" in capsys.readouterr().out
    named = tmp_path / "assistant_node.0.memory.db"
    file.rename(named)
    keeper = WatchKeeper(tmp_path / "assistant_node.0.watches.json", print)
    query = Query("tell me when it rains", "rain", before=Before(4, 9, "rain on the roof"))
    keeper.on_event(Asked("", query, "aura/ask"))
    assert aura("forget", "--file", named, "--all", "--yes") == 0
    out = capsys.readouterr().out
    assert f"{keeper.path}: 1 watch stays open" in out
    assert "roof" not in keeper.path.read_text() and "when it rains" in keeper.path.read_text()


def test_stats_say_that_it_is_paused(file, capsys):
    assert aura("stats", "--file", file, "--json") == 0
    assert json.loads(capsys.readouterr().out)["paused"] is None
    store = Store.open(file)
    store.keep("paused", str(round(DAY * S)))
    store.close()
    assert aura("stats", "--file", file) == 0
    assert "paused since 2026-03-02T08:00:00" in capsys.readouterr().out
