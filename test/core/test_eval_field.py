"""`aura eval table`: own results beside the published ones."""

from __future__ import annotations

from pathlib import Path

import eval_rig as rig
import pytest

from aura_core.cli import main
from aura_core.evaluation import field
from aura_core.evaluation.published import HEADLINE, NOT_FOUND, PUBLISHED
from aura_core.evaluation.tasks import TASKS


def aura(*args: object) -> int:
    with pytest.raises(SystemExit) as e:
        main([str(a) for a in args])
    return int(e.value.code or 0)


def result(task: str, **figures: float) -> dict:
    return {
        "task": task,
        "model": "/models/mine",
        "mode": "polled",
        "items": 9,
        "scored": 8,
        "judge": "Qwen3-32B at http://gpu-box",
        "figures": {
            name: {"value": v, "n": 8, "ci95": [v - 0.1, v + 0.1]} for name, v in figures.items()
        },
    }


def test_own_results_stand_among_the_published_ones(tmp_path, capsys):
    rig.write(tmp_path / "a" / "ovo.json", result("ovobench", EPM=0.3, total=0.64))
    rig.write(tmp_path / "sv.json", result("svcbench", GPA=0.5, MoC=0.6, UDA=0.7))
    rig.write(tmp_path / "other.json", {"rows": []})
    png, md = tmp_path / "t.png", tmp_path / "t.md"
    assert aura("eval", "table", tmp_path, "--png", png, "--md", md) == 0
    text = capsys.readouterr().out
    assert text == md.read_text() and png.read_bytes().startswith(b"\x89PNG")
    lines = [line for line in text.splitlines() if line.startswith("|")]
    assert lines[0] == "| model | backward | realtime | forward | total | how | source |"
    assert lines[2].startswith("| MOSS-VL-Realtime 11B | - | - | - | 0.702 | frames not stated")
    assert lines[3].startswith("| AURA 8B | 0.604 | 0.798 | 0.558 | 0.653 | polled, the last 30 s")
    assert lines[4] == (
        "| **mine** | - | - | - | 0.640 (0.540 .. 0.740) |"
        " polled, 8 of 9 items, judge: Qwen3-32B at http://gpu-box | ovo.json |"
    )
    # without published rows, the last figures
    assert "| model | GPA | MoC | UDA | how | source |" in lines and "EPM" not in text


def test_the_last_figure_of_a_result_stands_beside_those_that_others_published(tmp_path, capsys):
    rig.write(tmp_path / "p.json", result("proactivevideoqa", **{"PAUC, omega 1": 0.4}))
    assert aura("eval", "table", tmp_path) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "| model | mean of parts, omega not stated | PAUC, omega 1 | how | source |" in lines
    assert any(line.startswith("| **mine** | - | 0.400 (0.300") for line in lines)


def test_a_total_made_in_another_way_is_another_column(tmp_path, capsys):
    """Regression: OmniMMI's mean of six parts stood in the column of published means of five."""
    six = result("omnimmi", proactive_alerting=0.1, **{"mean of six parts": 0.5})
    rig.write(tmp_path / "m.json", six)
    assert aura("eval", "table", tmp_path) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "| mean of five parts | how |" in lines[2] and " six parts" not in lines[2]
    (own,) = [line for line in lines if line.startswith("| **mine**")]
    assert own.startswith("| **mine** | 0.100 (0.000 .. 0.200) | - | - | - | - | - |")


def test_a_result_without_a_published_figure_has_a_column_of_its_own(tmp_path, capsys):
    rig.write(tmp_path / "s.json", result("streamingbench", **{"part omni": 0.4}))
    assert aura("eval", "table", tmp_path) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "| model | part real | part omni | overall | how | source |" in lines
    assert any(line.startswith("| **mine** | - | 0.400 (0.300") for line in lines)


def test_the_picture_has_a_bar_for_every_row(tmp_path):
    """Regression: rows without the last figure of the table were left out of the picture."""
    rig.write(tmp_path / "p.json", result("proactivevideoqa", **{"PAUC, omega 1": 0.4}))
    rig.write(tmp_path / "o.json", result("omniinteract", **{"IA-QTF1": 0.2}))
    every = {table.task: table for table in field.tables(field.results(tmp_path))}
    for task, table in every.items():
        rows = [row for row, _ in field.bars(table)]
        assert rows == list(table.rows)
        assert sum(not row.own for row in rows) == sum(row.task == task for row in PUBLISHED)
    names = {row.model: name for row, name in field.bars(every["proactivevideoqa"])}
    assert names["mine"] == "PAUC, omega 1"
    assert names["AURA 8B"] == "mean of parts, omega not stated"


def test_a_folder_without_results(tmp_path, capsys):
    assert aura("eval", "table", tmp_path) == 1
    assert "no result of a benchmark is in it" in capsys.readouterr().err
    broken = result("ovobench", total=0.5)
    del broken["mode"]
    rig.write(tmp_path / "r.json", broken)
    assert aura("eval", "table", tmp_path) == 1
    assert "r.json: not a result of `aura eval`: field 'mode' is wrong" in capsys.readouterr().err


def test_every_benchmark_has_published_rows_or_says_why_not():
    for row in PUBLISHED:
        assert row.task in TASKS and row.source and row.how and row.figures and not row.own
        assert all(0 <= v <= 1 for v in row.figures.values())
    found = {row.task for row in PUBLISHED}
    assert found | set(NOT_FOUND) == set(TASKS) and not found & set(NOT_FOUND)
    for task, name in HEADLINE.items():
        assert any(name in row.figures for row in PUBLISHED if row.task == task), task


def test_the_document_holds_what_the_command_prints(capsys):
    assert aura("eval", "table", "--published") == 0
    printed = capsys.readouterr().out
    document = Path(__file__).parents[2] / "docs" / "published.md"
    assert printed.strip() in document.read_text(encoding="utf-8")


def test_a_folder_or_the_published_rows(tmp_path, capsys):
    for args in ([], [tmp_path, "--published"]):
        assert aura("eval", "table", *args) == 1
        assert "one of the two" in capsys.readouterr().err
    assert aura("eval", "table", "--published", "--png", tmp_path / "t.png") == 1
    assert "--png shows own results" in capsys.readouterr().err
