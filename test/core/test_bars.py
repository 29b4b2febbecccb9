"""transformers shows no progress bars of its own: they would go into files and pipes."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from aura_core.models.bars import without_bars

ROOT = Path(__file__).parents[2] / "aura_core"


def test_bars_are_off_within_the_block_and_as_before_after_it():
    logging = pytest.importorskip("transformers.utils.logging")
    before = logging.is_progress_bar_enabled()
    try:
        for shown in (True, False):
            (logging.enable_progress_bar if shown else logging.disable_progress_bar)()
            with pytest.raises(OSError), without_bars():
                assert not logging.is_progress_bar_enabled()
                raise OSError
            assert logging.is_progress_bar_enabled() is shown
    finally:
        (logging.enable_progress_bar if before else logging.disable_progress_bar)()


def bare(tree: ast.AST) -> list[int]:
    """The lines that save a model outside of `without_bars`."""
    quiet = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.With)
        and any(ast.unparse(i.context_expr) == "without_bars()" for i in node.items)
    ]
    inside = {id(n) for block in quiet for n in ast.walk(block)}
    return [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and ast.unparse(node.func).endswith("model.save_pretrained")
        and id(node) not in inside
    ]


def test_every_model_is_saved_without_a_bar():
    """Regression: "Writing model shards" stood in the logs of runs without a terminal."""
    found = {}
    for path in ROOT.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        if "save_pretrained" in text:
            found[str(path.relative_to(ROOT))] = bare(ast.parse(text))
    assert len(found) >= 4 and not any(found.values()), found
    assert bare(ast.parse("model.save_pretrained(out)")) == [1]
