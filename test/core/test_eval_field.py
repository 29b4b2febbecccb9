"""`aura eval table`: own results beside the published ones."""

from __future__ import annotations

import eval_rig as rig
import pytest

from aura_core.cli import main
from aura_core.evaluation.field import PUBLISHED
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
    assert lines[0] == "| model | backward | realtime | forward | total | source |"
    assert lines[2].startswith("| AURA 8B | 0.604 | 0.798 | 0.558 | 0.653 | arXiv 2604.04184")
    assert lines[3].startswith(
        "| **mine** | - | - | - | 0.640 (0.540 .. 0.740) | ovo.json: polled,"
    )
    assert "8 of 9 items, judge: Qwen3-32B" in lines[3] and "| Gemini 1.5 Pro |" in lines[4]
    # without published rows, the last figures
    assert "| model | GPA | MoC | UDA | source |" in lines and "EPM" not in text


def test_a_folder_without_results(tmp_path, capsys):
    assert aura("eval", "table", tmp_path) == 1
    assert "no result of a benchmark is in it" in capsys.readouterr().err
    broken = result("ovobench", total=0.5)
    del broken["mode"]
    rig.write(tmp_path / "r.json", broken)
    assert aura("eval", "table", tmp_path) == 1
    assert "r.json: not a result of `aura eval`: field 'mode' is wrong" in capsys.readouterr().err


def test_published_rows_are_of_known_benchmarks_with_their_sources():
    for row in PUBLISHED:
        assert row.task in TASKS and row.source and row.figures and not row.own
        assert all(0 <= v <= 1 for v in row.figures.values())
