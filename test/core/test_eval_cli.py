"""`aura eval BENCHMARK` from annotation files and videos to figures, JSON and HTML.

`aura eval score` does the same without a model.
"""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from html.parser import HTMLParser
from pathlib import Path

import eval_rig as rig
import pytest

from aura_core.cli import main, output
from aura_core.cli.benchmark import INCOMPLETE
from aura_core.evaluation.html import PER_PAGE, report
from aura_core.evaluation.records import AT_END, Due, Outcome, Prediction, Question, Scores, Spoken
from aura_core.evaluation.statistics import proportion
from aura_core.models.scripted import ScriptedBackend

# answers "You asked: <question> The brightness is <b>."
SCRIPTED = ("--model", "scripted", "--quiet")


def aura(*args: object) -> int:
    with pytest.raises(SystemExit) as e:
        main([str(a) for a in args])
    return int(e.value.code or 0)


@pytest.fixture
def ovo(tmp_path: Path) -> Path:
    """Three items. The scripted model repeats the question, so `CRR` (Yes) is right."""
    data = tmp_path / "data"
    rows = [
        {
            "id": 0,
            "task": "EPM",
            "video": "a.mp4",
            "realtime": 2,
            "question": "what is it?",
            "answer": "x",
            "options": ["v", "w"],
            "gt": 1,
        },
        {
            "id": 1,
            "task": "OCR",
            "video": "gone.mp4",
            "realtime": 2,
            "question": "q",
            "answer": "x",
            "options": ["v", "w"],
            "gt": 0,
        },
        {
            "id": 2,
            "task": "CRR",
            "video": "b.mp4",
            "question": "why?",
            "answer": "a",
            "ask_time": 1,
            "clue_time": 2,
            "test_info": [{"realtime": 1, "type": 0}, {"realtime": 3, "type": 1}],
        },
    ]
    rig.write(data / "ovo_bench_new.json", rows)
    for name in ("a", "b"):
        rig.video(data / "src_videos" / f"{name}.mp4", [100] * 4)
    return data


def test_play_score_report_and_score_again(ovo, tmp_path, capsys):
    out, as_json, html = tmp_path / "p.jsonl", tmp_path / "new" / "s.json", tmp_path / "r.html"
    assert (
        aura(
            "eval",
            "ovobench",
            "--data",
            ovo,
            "--out",
            out,
            *SCRIPTED,
            "--json",
            as_json,
            "--html",
            html,
        )
        == INCOMPLETE
    )
    told = capsys.readouterr()
    line = "item 1: video src_videos/gone.mp4 is not in"
    assert f"warning: not played: 1 of 3 items: {line}" in told.err
    assert (tmp_path / "p.jsonl.missing.txt").read_text().startswith(line)
    assert "scripted, free-running: 2 of 3 items; judge: no judge: letters" in told.out
    assert "note: 1 items could not be played and are not in n" in told.out
    scores = json.loads(as_json.read_text())
    assert (scores["mode"], scores["items"], scores["scored"]) == ("free-running", 3, 2)
    # "You asked: ..." has no capital B except in the repeated options; it repeats both "Yes"
    # and "No"
    assert scores["figures"]["EPM"] == {"value": 1.0, "n": 1, "ci95": [0.2065, 1.0]}
    assert scores["figures"]["CRR"]["value"] == 1.0 and scores["figures"]["CRR"]["n"] == 2
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    assert [line.get("item") for line in lines] == [None, "0", "2"]
    assert [s["at_s"] for s in lines[2]["said"]] == [1, 3]
    page = html.read_text()
    assert page.count("<svg") == 2 and "what is it?" in page
    assert "<h2>EPM · src_videos/a.mp4 · 0 " in page
    again = tmp_path / "again.json"
    assert aura("eval", "score", "ovobench", out, "--data", ovo, "--json", again) == 0
    assert json.loads(again.read_text())["figures"] == scores["figures"]


def test_a_second_run_plays_nothing_and_needs_no_model(ovo, tmp_path, capsys, monkeypatch):
    (ovo / "src_videos" / "gone.mp4").write_bytes((ovo / "src_videos" / "a.mp4").read_bytes())
    args = ("eval", "ovobench", "--data", ovo, "--out", tmp_path / "p", *SCRIPTED)
    assert aura(*args) == 0
    first = (tmp_path / "p").read_bytes()
    monkeypatch.setattr("aura_core.models.load", lambda *a: pytest.fail("the model was loaded"))
    capsys.readouterr()
    assert aura(*args) == 0 and (tmp_path / "p").read_bytes() == first
    assert f"3 items were there already, in {tmp_path / 'p'}" in capsys.readouterr().err


def test_a_model_that_was_trained_on_in_its_folder_is_not_given_the_old_figures(
    ovo, tmp_path, capsys, monkeypatch
):
    """Regression: the second run silently printed the figures of the first."""
    model = tmp_path / "model"
    model.mkdir()
    monkeypatch.setattr("aura_core.models.load", lambda *a: ScriptedBackend())
    args = ("eval", "ovobench", "--data", ovo, "--out", tmp_path / "p", "--model", model, "--quiet")
    (model / "model.safetensors").write_bytes(b"one")
    assert aura(*args) == aura(*args) == INCOMPLETE
    assert "2 items were there already" in capsys.readouterr().err
    (model / "model.safetensors").write_bytes(b"two")
    assert aura(*args) == 1
    assert f"what lies at {model} has changed; name another file" in capsys.readouterr().err


def test_polled_is_another_run(ovo, tmp_path, capsys):
    free = ("eval", "ovobench", "--data", ovo, *SCRIPTED, "--out")
    assert aura(*free, tmp_path / "free") == INCOMPLETE
    assert aura(*free, tmp_path / "polled", "--polled") == INCOMPLETE
    assert aura(*free, tmp_path / "free", "--polled") == 1
    assert (
        "its mode is free-running, this run's is polled; name another file"
        in capsys.readouterr().err
    )
    texts = [
        {
            line["item"]: [s["text"] for s in line["said"]]
            for line in map(json.loads, path.read_text().splitlines()[1:])
        }
        for path in (tmp_path / "free", tmp_path / "polled")
    ]
    # this model never speaks unasked of a still picture, and forgets nothing
    assert texts[0] == texts[1]


def test_polled_with_history_is_a_run_of_its_own(ovo, tmp_path, capsys):
    args = ("eval", "ovobench", "--data", ovo, *SCRIPTED, "--out", tmp_path / "p")
    assert aura(*args, "--history") == 1
    assert "--history belongs to --polled" in capsys.readouterr().err
    assert aura(*args, "--polled", "--history") == INCOMPLETE
    assert "scripted, polled with history: 2 of 3 items" in capsys.readouterr().out
    assert aura(*args, "--polled") == 1
    assert "its mode is polled with history, this run's is polled;" in capsys.readouterr().err


def test_memory_is_another_run(ovo, tmp_path, capsys):
    """Predictions made with memory are not mixed with those without."""
    out = tmp_path / "p.jsonl"
    args = ("eval", "ovobench", "--data", ovo, "--out", out, *SCRIPTED)
    assert aura(*args, "--memory") == INCOMPLETE
    assert "note: with memory: notes of each video" in capsys.readouterr().out
    assert aura(*args) == 1
    assert "its settings is" in capsys.readouterr().err


def test_a_benchmark_that_the_embedded_model_cannot_know_is_warned_of(ovo, capsys, monkeypatch):
    from aura_core import models

    monkeypatch.setattr(models, "load", lambda *_: ScriptedBackend())
    for model, warnings in (("aura_tiny", 1), ("scripted", 0)):
        out = ovo / f"{model}.jsonl"
        args = ("--data", ovo, "--out", out, "--model", model, "-q")
        assert aura("eval", "ovobench", *args) == INCOMPLETE
        assert capsys.readouterr().err.count("warning: aura_tiny, the embedded model") == warnings


def test_limit(ovo, tmp_path, capsys):
    assert (
        aura("eval", "ovobench", "--data", ovo, "--out", tmp_path / "p", *SCRIPTED, "--limit", 1)
        == 0
    )
    assert "1 of 1 items" in capsys.readouterr().out
    assert aura("eval", "score", "ovobench", tmp_path / "p", "--data", ovo) == 0
    assert "1 of 3 items" in capsys.readouterr().out


def test_published_results_are_scored(ovo, tmp_path, capsys):
    rows = [
        {"id": 0, "question": "what is it?", "response": "B", "ground_truth": "B"},
        {"id": 77, "response": "A"},
    ]
    path = rig.write(tmp_path / "Their.json", {"backward": rows, "realtime": [], "forward": []})
    assert aura("eval", "score", "ovobench", path, "--data", ovo) == 1
    assert "item 77 is not in the annotation files" in capsys.readouterr().err
    assert aura("eval", "score", "ovobench", path, "--data", ovo, "--skip-broken") == 0
    told = capsys.readouterr()
    assert (
        "Their, published: 1 of 3 items" in told.out
        and "note: 1 predictions are left out" in told.out
    )
    assert "warning:" in told.err and "item 77" in told.err


@pytest.mark.parametrize("polled", [False, True])
def test_every_benchmark_runs_from_its_files(tmp_path, capsys, polled):
    rig.video(tmp_path / "videos" / "v.mp4", [100] * 6)
    rig.video(tmp_path / "1q1a" / "videos" / "v.mp4", [100] * 6)
    choice = {
        "task_type": "Counting",
        "question": "how many?",
        "time_stamp": "00:02",
        "answer": "B",
        "options": ["A. x", "B. y", "C. z", "D. w"],
    }
    rig.write(
        tmp_path / "questions_real.json", [{"video_path": "./videos/v.mp4", "questions": [choice]}]
    )
    rig.write(
        tmp_path / "speaker_identification.json",
        [{"video": "v.mp4", "question": "who?", "answer": "brightness", "timestamp": 3}],
    )
    row = {
        "question_time": 1,
        "question_text": "what?",
        "answer_time": 1,
        "answer_text": "brightness",
        "question_type": "realtime",
        "is_interrupted": False,
    }
    rig.write(tmp_path / "1q1a" / "annotations" / "v.json", [row])
    rig.write(
        tmp_path / "benchmark.json",
        [
            {
                "id": "x",
                "task": "instant_event_alert",
                "video_path": "videos/v.mp4",
                "question": "tell me when",
                "question_time": 1,
                "duration": 5,
                "ground_truth": [{"trigger_time_sec": 4, "response": "r"}],
            }
        ],
    )
    rig.write(
        tmp_path / "streaming_eval.json",
        [
            {
                "id": "x",
                "mode": "punctual",
                "position": "present",
                "video": "v.mp4",
                "question": "what?",
                "question_time": 2,
                "answers": [{"start": 2, "end": 4, "answer": "brightness"}],
            }
        ],
    )
    free = {
        "streamingbench": "part real",
        "omnimmi": "speaker_identification",
        "omniinteract": "IA-QTF1 realtime",
        "omnipro": "instant_event_alert time-F1",
        "streaming-eval": "SW-F1",
    }
    for task, figure in free.items():
        mode = ("--polled",) if polled else ()
        code = aura(
            "eval",
            task,
            "--data",
            tmp_path,
            "--out",
            tmp_path / task,
            *SCRIPTED,
            *mode,
            "--json",
            tmp_path / "j",
        )
        if polled and task not in ("streamingbench", "omnimmi"):
            assert (
                code == 1
                and "is free-running by its authors' own protocol" in capsys.readouterr().err
            )
            continue
        assert code == 0
        scores = json.loads((tmp_path / "j").read_text())
        totals = {"overall", "mean of five parts", "mean of six parts", "IA-QTF1", "mean joint-F1"}
        assert not totals & set(scores["figures"])  # of parts of the benchmark alone
        # no letter first; nothing said unasked
        right = {"streamingbench": 0.0, "omnipro": 0.0}.get(task, 1.0)
        assert scores["figures"][figure]["value"] == right and scores["figures"][figure]["n"] == 1


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (
            ("ovobench", "--data", "/no/such", "--out", "p"),
            "--data /no/such: there is no such folder",
        ),
        (
            ("ovobench", "--data", ".", "--out", "p"),
            "none of the annotation files ovo_bench_new.json is here",
        ),
        (
            ("score", "nobench", "p", "--data", "."),
            "task 'nobench': expected one of streamingbench, ovobench",
        ),
        (
            ("score", "ovobench", "/no/such", "--data", "."),
            "/no/such: there is no such file or folder",
        ),
        (
            ("ovobench", "--data", ".", "--out", "p", "--judge-url", "host"),
            "--judge-url host: server.url must be a plain http",
        ),
    ],
)
def test_errors_are_one_line(tmp_path, monkeypatch, capsys, args, says):
    monkeypatch.chdir(tmp_path)
    assert aura("eval", *args) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ") and says in line


@pytest.mark.parametrize("place", ["file/x", "folder"])
@pytest.mark.parametrize(
    ("args", "option"),
    [
        (("sim", "--json"), "--json"),
        (("watches", "--json"), "--json"),
        (("ovobench", "--data", "data", "--out", "p", "--json"), "--json"),
        (("ovobench", "--data", "data", "--out", "p", "--html"), "--html"),
        (("ovobench", "--data", "data", "--out"), "--out"),
        (("score", "ovobench", "data/ovo_bench_new.json", "--data", "data", "--html"), "--html"),
    ],
)
def test_outputs_that_cannot_be_written_are_told_before_anything_is_played(
    ovo, tmp_path, monkeypatch, capsys, args, option, place
):
    """Regression: there was a traceback after the whole run."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("aura_core.models.load", lambda *a: pytest.fail("the model was loaded"))
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("kept")
    assert aura("eval", *args, place) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: {option} {place}: cannot write the file: ")
    assert (tmp_path / "file").read_text() == "kept" and not (tmp_path / "p").exists()


def test_checking_an_output_leaves_it_as_it_was(tmp_path):
    output.check("--json", tmp_path / "new" / "a")
    (tmp_path / "b").write_text("before")
    output.check("--json", tmp_path / "b")
    output.check("--json", None)
    assert not (tmp_path / "new" / "a").exists() and (tmp_path / "b").read_text() == "before"


def test_predictions_of_another_task_and_broken_annotations(ovo, tmp_path, capsys):
    assert (
        aura("eval", "ovobench", "--data", ovo, "--out", tmp_path / "p", *SCRIPTED, "--limit", 1)
        == 0
    )
    rows = json.loads((ovo / "ovo_bench_new.json").read_text())
    del rows[1]["gt"]
    rig.write(ovo / "ovo_bench_new.json", rows)
    capsys.readouterr()
    assert aura("eval", "score", "ovobench", tmp_path / "p", "--data", ovo) == 1
    assert (
        "ovo_bench_new.json: item 1: field 'gt' is missing (--skip-broken"
        in capsys.readouterr().err
    )
    assert aura("eval", "score", "ovobench", tmp_path / "p", "--data", ovo, "--skip-broken") == 0
    told = capsys.readouterr()
    assert "warning: left out: " in told.err and "note: 1 broken items are left out" in told.out
    rig.write(ovo / "streaming_eval.json", [])
    assert aura("eval", "score", "streaming-eval", tmp_path / "p", "--data", ovo) == 1
    assert "not one item of Streaming-Eval can be used" in capsys.readouterr().err


def test_items_and_questions_of_annotation_files_are_counted(ovo, tmp_path, capsys):
    rows = json.loads((ovo / "ovo_bench_new.json").read_text())
    questions = sum(len(row.get("test_info", [0])) for row in rows)
    args = ("count", "ovobench", "--data", ovo, "--json", tmp_path / "c.json")
    assert aura("eval", *args) == 0
    videos = json.loads((tmp_path / "c.json").read_text())["videos"]
    told = f"{len(rows)} items of {videos} videos, {questions} questions\n"
    assert capsys.readouterr().out == told and 1 <= videos <= len(rows)
    del rows[1]["id"]
    rig.write(ovo / "ovo_bench_new.json", rows)
    assert aura("eval", *args) == 1 and "'id' is missing" in capsys.readouterr().err
    assert aura("eval", *args, "--skip-broken") == 0
    counts = json.loads((tmp_path / "c.json").read_text())
    assert (counts["items"], counts["broken"]) == (len(rows) - 1, 1)
    assert aura("eval", "count", "nobench", "--data", ovo) == 1
    assert "expected one of streamingbench" in capsys.readouterr().err


def test_nothing_could_be_played(ovo, tmp_path, capsys):
    for path in (ovo / "src_videos").iterdir():
        path.unlink()
    assert aura("eval", "ovobench", "--data", ovo, "--out", tmp_path / "p", *SCRIPTED) == 1
    told = capsys.readouterr()  # an error, and no figures: exit code 1 and not INCOMPLETE
    assert "not one of 3 items could be played" in told.err and told.out == ""


def test_killed_in_the_middle_and_run_again(tmp_path):
    """A real process is killed while it plays.

    After the second run, the file is as one run would have written it.
    """
    data = tmp_path / "data"
    rows = [
        {
            "id": k,
            "task": "EPM",
            "video": "v.mp4",
            "realtime": 10,
            "question": f"q{k}?",
            "answer": "x",
            "options": ["v", "w"],
            "gt": 1,
        }
        for k in range(14)
    ]
    rig.write(data / "ovo_bench_new.json", rows)
    rig.video(data / "src_videos" / "v.mp4", [100] * 10)
    args = ("eval", "ovobench", "--data", str(data), *SCRIPTED, "--out")
    assert aura(*args, tmp_path / "whole") == 0
    command = [sys.executable, "-m", "aura_core.cli", *args, str(tmp_path / "cut")]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while not (tmp_path / "cut").exists() or (tmp_path / "cut").read_bytes().count(b"\n") < 3:
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert (tmp_path / "cut").read_bytes() != (tmp_path / "whole").read_bytes()
    assert aura(*args, tmp_path / "cut") == 0
    assert (tmp_path / "cut").read_bytes() == (tmp_path / "whole").read_bytes()


class _Tags(HTMLParser):
    """Checks that every tag is closed in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_report_is_whole_escaped_and_self_contained():
    due = Due(6, "<due>", 4, 8)
    item = rig.item(
        Question("0", 2, "<script>x</script>", due=(due,)), Question("1", AT_END, "end?")
    )
    p = Prediction("i", (Spoken(2, "okay & so", "0", True), Spoken(6, '"said"', "0")), 10)
    scores = Scores(
        {"f": proportion(1, 2), "none": proportion(0, 0)},
        (Outcome("i", "0", "g", 1.0, "s", "t", 6),),
        "j",
        ("n1",),
    )
    (page,) = report("T", "sub", scores, [item], {"i": p}).values()
    tags = _Tags()
    tags.feed(page)
    assert tags.open == [] and "<script>" not in page and "&lt;script&gt;x" in page
    assert not re.search(r"https?://|src=|@import", page)
    assert (
        page.count("<circle") == 2
        and page.count('fill="none"') == 1
        and "n1" in page
        and "0.500" in page
    )
    # 880 pixels for 10 seconds, from 70 on: the window of 4..8 s, and the dot at 6 s
    assert '<rect x="422.0" y="31" width="352.0"' in page and '<circle cx="598.0"' in page


def test_a_long_report_has_several_pages_with_all_items():
    items = [
        rig.Item(str(k), (f"{k}.mp4",), (Question("0", 1, "?", "task"),))
        for k in range(PER_PAGE + 2)
    ]
    played = {i.id: Prediction(i.id, (), 3) for i in items}
    pages = report("T", "s", Scores({}, (), "j"), items, played, "r.html")
    assert [*pages] == ["r.html", "r-2.html"]
    assert [p.count("<svg") for p in pages.values()] == [PER_PAGE, 2]
    assert '<b>1</b> <a href="r-2.html">2</a>' in pages["r.html"]
    assert "<h2>task · 101.mp4 · 101 " in pages["r-2.html"] and "Judge" not in pages["r-2.html"]


def test_many_missing_videos_are_one_line_and_a_list(ovo, tmp_path, capsys):
    (ovo / "src_videos" / "b.mp4").unlink()
    args = ("eval", "ovobench", "--data", ovo, "--out", tmp_path / "p", *SCRIPTED)
    listed = tmp_path / "p.missing.txt"
    assert aura(*args) == INCOMPLETE
    (line,) = [w for w in capsys.readouterr().err.splitlines() if "not played" in w]
    assert line.endswith(f"not played: 2 of 3 items: they are listed in {listed}")
    assert len(listed.read_text().splitlines()) == 2
    for name in ("b", "gone"):
        rig.video(ovo / "src_videos" / f"{name}.mp4", [100] * 3)
    assert aura(*args) == 0 and not listed.exists()


def test_figures_of_nothing_are_an_error(ovo, tmp_path, capsys):
    """Regression: it printed nan with n 0, and ended as if all was well."""
    row = {"id": 0, "task": "EPM", "question": "what is it?", "ground_truth": "B", "response": None}
    results = rig.write(tmp_path / "r.json", {"backward": [row]})
    assert aura("eval", "score", "ovobench", results, "--data", ovo, "--limit", 2) == 0
    empty = rig.write(tmp_path / "e.json", {"backward": []})
    capsys.readouterr()
    assert aura("eval", "score", "ovobench", empty, "--data", ovo) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "there is nothing to score: 0 of 3 items have a prediction" in line
