"""The benchmark of memory: its notes, its figures, and the process that it kills."""

from __future__ import annotations

import json
import time

import pytest
from typer.testing import CliRunner

from aura_core.bench import memory as bench
from aura_core.bench.memory_text import BLOCK_NS, Household
from aura_core.cli import app
from aura_core.memory.notes import NoteKind
from aura_core.memory.store import Store
from aura_core.memory.words import language_of


def test_a_household_is_the_same_each_time_and_has_two_languages():
    end_ns = time.time_ns()
    notes = [n for first in (0, 200) for n in Household().notes(first, 200, end_ns, 400)]
    assert notes == [n for first in (0, 200) for n in Household().notes(first, 200, end_ns, 400)]
    assert len({n.id for n in notes}) == 400
    assert notes[-1].wall_ns == end_ns and notes[0].wall_ns == end_ns - 399 * BLOCK_NS
    assert 120 < sum(language_of(n.text) == "zh" for n in notes) < 280
    assert 40 < sum(n.kind is NoteKind.QUESTION for n in notes) < 120
    assert len({n.text for n in notes}) > 200
    questions = Household(seed=1).questions(40)
    assert [language_of(q) for q in questions] == ["en", "zh"] * 20


def test_the_command_measures_and_writes_json(tmp_path):
    out = tmp_path / "memory.json"
    args = ["--notes", "300", "--questions", "40", "--kills", "2", "--vectors", "8"]
    result = CliRunner().invoke(app, ["bench", "memory", *args, "--json", str(out)])
    assert result.exit_code == 0, result.output
    figures = json.loads(out.read_text())
    assert figures["notes"] == 300 and figures["questions"] == 40
    assert figures["bytes_per_hour"] == round(figures["file_bytes"] / 2.5)
    assert figures["remembered"] > 0.5
    assert figures["wrong"] == []
    assert 0 < figures["read_anew_tokens"] < figures["before_video_tokens"] / 4
    assert figures["before_video_tokens_max"] <= bench.BUDGET
    assert (figures["kills"], figures["kills_lost"], figures["kills_damaged"]) == (2, 0, 0)
    assert figures["load"]["cores"] >= 1 and figures["before"]["cpu"]


def test_a_kill_that_loses_a_note_is_counted(tmp_path, monkeypatch):
    count = Store.count
    monkeypatch.setattr(Store, "count", lambda *a: max(0, count(*a) - 3))
    monkeypatch.setattr(Store, "check", lambda store: ["wrong"])
    figures = bench.kill(tmp_path / "notes.db", 1)
    assert figures["kills_lost"] == figures["kills_damaged"] == 1


def test_a_writer_that_does_not_begin_is_one_line(tmp_path):
    (tmp_path / "notes.db").write_text("recipes")
    with pytest.raises(bench.InputError, match="the process that writes did not begin"):
        bench.kill(tmp_path / "notes.db", 1)
