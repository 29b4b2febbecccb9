"""`aura replay --expect`: exit codes, the table, and the files that it writes."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pytest
from bags import MS, START

from aura_core.cli import main
from aura_core.console import protocol as p
from aura_core.console.tape import read_tape
from aura_core.replay.lockstep import Asked, insert
from aura_core.replay.writer import write_bag
from aura_core.types import Frame

WATCH = "Tell me whenever the light changes."


def aura(*args: object) -> int:
    with pytest.raises(SystemExit) as e:
        main([str(a) for a in args])
    return int(e.value.code or 0)


@pytest.fixture(scope="module")
def bag(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten seconds whose light goes on at 4 s and off at 8 s, and a watch for it.

    The scripted model says "The brightness changed to 200." in second 4, and "... to 20." in 8.
    """
    path = tmp_path_factory.mktemp("bags") / "kitchen"
    frames = [
        Frame(np.full((8, 8, 3), 200 if 8 <= k < 16 else 20, np.uint8), START + k * 500 * MS)
        for k in range(20)
    ]
    write_bag(path, insert(frames, [Asked(WATCH, 0.0)]))
    return path


def replay(bag: Path, file: Path, *args: object) -> int:
    return aura("replay", bag, "--model", "scripted", "-q", "--expect", file, *args)


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "e.yaml"
    path.write_text(text)
    return path


GOOD = f"""
ask:
  - {{at: 6, text: "what is there?"}}
expect:
  - {{alert: "{WATCH}", window: [4, 5], words: [brightness, 200]}}
  - {{alert: any, at: 8.5, within_s: 0.5, matches: 'to \\d+'}}
  - {{answer: "What is there", at: 6, words: brightness is 200}}
forbidden:
  - {{words: fire}}
"""


def test_all_met_is_exit_code_0(bag, tmp_path, capsys):
    file = written(tmp_path, GOOD)
    assert replay(bag, file) == 0
    assert capsys.readouterr().out.splitlines()[1:] == [f"{file}: 5 of 5 expectations met"]


def test_a_miss_is_exit_code_1_and_a_table_with_times(bag, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "300")
    file = written(tmp_path, GOOD.replace("window: [4, 5]", "window: [2, 3]").replace("fire", "20"))
    assert replay(bag, file) == 1
    out = capsys.readouterr().out
    assert "missed" in out and "expect[0]" in out
    assert "'The brightness changed to 200.' at 4.5 s is 1.5 s too late" in out
    assert ".' at 0.5 s was said, and 1 more" in out
    assert "1 alerts meet no expectation: 'The brightness changed to 200.' at 4.5 s" in out
    last = out.splitlines()[-1]
    assert last == (f"{file}: 2 of 5 expectations met: 1 missed, 1 forbidden words, 1 false alarm")


def test_the_same_bag_twice_gives_the_same_verdict(bag, tmp_path, capsys):
    file = written(tmp_path, GOOD.replace("[4, 5]", "[2, 3]"))
    for name in ("a", "b"):
        args = ("--junit", tmp_path / f"{name}.xml", "--html", tmp_path / f"{name}.html")
        assert replay(bag, file, *args) == 1
    for ending in ("xml", "html"):
        first, second = ((tmp_path / f"{name}.{ending}").read_text() for name in ("a", "b"))
        assert first.replace("a.jsonl", "b.jsonl") == second
    root = ElementTree.parse(tmp_path / "a.xml").getroot()
    assert (root.get("tests"), root.get("failures"), root.get("errors")) == ("5", "2", "0")
    html = (tmp_path / "a.html").read_text(encoding="utf-8")
    assert "e.yaml over kitchen" in html and "failed</b>" in html
    # asked at 0 s, said at 4.5, asked and said at 6, said at 8.5, missed from 2 s
    assert html.count("<img ") == 5 and html.count("<image ") >= 3


def test_a_report_leads_to_the_replay_in_the_console(bag, tmp_path, capsys):
    """The lines beside the page hold every step, and the bag has the frame of each."""
    file = written(tmp_path, GOOD)
    assert replay(bag, file, "--html", tmp_path / "r.html") == 0
    lines = tmp_path / "r.jsonl"
    html = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert f"aura console --replay {lines} --frames {bag}" in html
    tape = read_tape(lines, str(bag))
    seconds = [e for _, e in tape.events if isinstance(e, p.Second)]
    assert len(seconds) >= 9
    for second in seconds:
        assert tape.film.picture("", second.stamp_ns) is not None
    begin_ms, _ = tape.span_ms
    assert begin_ms == tape.film.shots[""][0].at_ms, "the times of the report count from there"
    tape.film.close()


def test_bless_writes_a_file_that_is_met(bag, tmp_path, capsys):
    file = tmp_path / "new" / "e.yaml"
    ask = ("--ask", "6:what is there?")
    assert replay(bag, file, *ask) == 1
    error = capsys.readouterr().err
    assert error.endswith(f"{file}: cannot read the expectations: No such file or directory\n")
    assert replay(bag, file, "--bless", *ask) == 0
    text = file.read_text()
    assert "words: [brightness, changed, '200']" in text and "at: 8.5" in text
    assert replay(bag, file) == 0
    assert capsys.readouterr().out.splitlines()[-1] == f"{file}: 4 of 4 expectations met"


def test_bless_overwrites_what_is_missed_and_keeps_the_rest(bag, tmp_path, capsys):
    file = written(tmp_path, "# ours\n" + GOOD.replace("[4, 5]", "[2, 3]"))
    assert replay(bag, file, "--bless") == 0
    text = file.read_text()
    assert text.startswith("# ours\n") and "window: [2, 3]" not in text and "at: 4.5" in text
    assert replay(bag, file) == 0


def test_bless_does_not_accept_forbidden_words(bag, tmp_path, capsys):
    text = "forbidden: [{words: brightness}]\n"
    file = written(tmp_path, text)
    assert replay(bag, file, "--bless") == 1
    assert "--bless changes only what is expected, and wrote nothing" in capsys.readouterr().err
    assert file.read_text() == text


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (("--bless",), "--bless needs --expect FILE"),
        (("--junit", "x.xml"), "--junit needs --expect FILE"),
        (("--html", "x.html"), "--html needs --expect FILE"),
        (("--expect", "{good}", "--junit", "/proc/x/j.xml"), "--junit /proc/x/j.xml: cannot write"),
        (("--expect", "{good}", "--bless", "--ask", "1:x?"), "--ask with --bless: {good} is there"),
        (("--expect", "{bad}"), "{bad}: expect[0]: unknown key 'word'; did you mean 'words'?"),
        (("--expect", "{bad}", "--bless"), "{bad}: expect[0]: unknown key 'word'"),
    ],
)
def test_mistakes_are_told_before_the_replay(bag, tmp_path, capsys, args, says):
    good = written(tmp_path, GOOD)
    bad = tmp_path / "bad.yaml"
    bad.write_text("expect: [{alert: any, word: [a]}]")
    args = [a.format(good=good, bad=bad) for a in args]
    assert aura("replay", bag, "--model", "scripted", *args) == 1
    captured = capsys.readouterr()
    assert captured.out == "" and captured.err.startswith(
        f"error: {says.format(good=good, bad=bad)}"
    )
    assert len(captured.err.splitlines()) == 1
    assert bad.read_text() == "expect: [{alert: any, word: [a]}]"


def test_questions_and_windows_behind_the_end_are_named(bag, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "300")
    text = "ask: [{at: 50, text: 'late?'}]\nforbidden: [{window: [40, 50]}]\nmost_false_alarms: 2"
    assert replay(bag, written(tmp_path, text)) == 1
    captured = capsys.readouterr()
    assert "question 'late?' was never seen: the frames end at 9.5 s" in captured.out
    assert "the window begins at 40 s, behind the end of the bag at 9.5 s" in captured.out


def test_a_replay_that_is_stopped_is_not_judged(bag, tmp_path, capsys, monkeypatch):
    def stopped(*_: object, **__: object):
        raise KeyboardInterrupt

    monkeypatch.setattr("aura_core.cli.stream.drive", stopped)
    file = tmp_path / "e.yaml"
    assert replay(bag, file, "--bless") == 1
    assert not file.exists() and "the replay is not judged" in capsys.readouterr().err


def test_topics_of_the_file_are_used(tmp_path, capsys):
    frames = [Frame(np.zeros((4, 4, 3), np.uint8), START + k * 500 * MS) for k in range(6)]
    write_bag(tmp_path / "bag", insert(frames, [Asked("hm?", 1.0)]), text_topic="/heard")
    text = "text_topic: /heard\nexpect: [{answer: 'hm?'}]"
    assert replay(tmp_path / "bag", written(tmp_path, text)) == 0
    assert replay(tmp_path / "bag", written(tmp_path, "expect: [{answer: 'hm?'}]")) == 1
