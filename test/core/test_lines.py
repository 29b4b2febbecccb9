"""Lines of several threads on one terminal."""

from __future__ import annotations

import io
import sys

import pytest
from rich.console import Console

from aura_core.cli import main
from aura_core.cli.show import Show
from aura_core.lines import say


class Terminal(io.StringIO):
    """Keeps what is written, by calls: what is not buffered goes out by calls."""

    def __init__(self) -> None:
        super().__init__()
        self.writes: list[str] = []

    def write(self, text: str) -> int:
        if text:
            self.writes.append(text)
        return len(text)


def test_a_line_is_written_in_one_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    """Regression: a warning of the model's thread and the address stood on one line."""
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.setattr(sys, "stderr", terminal)
    say("console: http://127.0.0.1:8640/")
    Show(Console(), None, quiet=True).warn("the camera\nis gone")
    with pytest.raises(SystemExit):
        main(["console", "sim:7", "--frames", "x"])
    assert terminal.writes[:2] == [
        "console: http://127.0.0.1:8640/\n",
        "warning: the camera is gone\n",
    ]
    assert len(terminal.writes) == 3 and terminal.writes[2].startswith("error: --frames")
