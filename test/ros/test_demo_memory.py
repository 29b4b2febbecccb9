"""The demo of memory: an hour in a minute, asked about at its end."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("rclpy")

pytest.importorskip("torch")

from aura_ros.demo.__main__ import main


@pytest.mark.parametrize(
    ("args", "problem"),
    [
        (["--memory", "--voice"], "cannot be spoken (--voice)"),
        (["--memory", "--seconds", "60"], "needs at least 900 seconds, not 60"),
        (["--memory", "--png", "/proc/x/day.png"], "--png /proc/x/day.png: cannot write"),
    ],
)
def test_what_cannot_be_demonstrated_is_one_line(
    args: list[str], problem: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*args, "--headless"]) == 1
    err = capsys.readouterr().err
    assert err.startswith("error: ") and problem in err and err.count("\n") == 1


def test_a_model_that_knows_no_memory_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--memory", "--headless", "--model", "aura_tiny"]) == 1
    err = capsys.readouterr().err
    assert "was not trained to write notes" in err and "--model" in err and err.count("\n") == 1


@pytest.mark.slow
def test_a_quarter_of_an_hour(tmp_path: Path) -> None:
    """Every question is answered, and the picture, the notes and the figures are written."""
    out, png = tmp_path / "demo.json", tmp_path / "day.png"
    args = ["--memory", "--headless", "--seconds", "900", "--seed", "900002"]
    assert main([*args, "--png", str(png), "--json", str(out)]) in (
        0,
        1,
    )  # an answer may be missing
    told = json.loads(out.read_text())
    assert told["seconds"] == 900 and len(told["questions"]) >= 3
    assert all(q["said"]["memory"] for q in told["questions"])
    assert png.read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "day.db").is_file()
