"""Each block of YAML in a document is read by what the document says reads it.

docs/regression.md and docs/reactions.md are in test_expect_format.py and test_reactions.py.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from documented import DOCUMENTS

from aura_core.config import AssistantConfig, ChatConfig
from aura_core.data.settings import DataConfig
from aura_core.errors import ConfigError
from aura_core.node_settings import NODES
from aura_core.plain import build, load_yaml
from aura_core.settings import expand, from_parameters, parameters
from aura_core.training.finetune.settings import TuneRecipe

READERS: dict[str, Callable[[Path], object]] = {
    "data.md": DataConfig.from_yaml,
    "evaluation.md": ChatConfig.from_yaml,
    "exchange.md": lambda file: build(
        TuneRecipe, {"model": "aura_tiny"} | load_yaml(file.read_text()), file.name
    ),
}
ELSEWHERE = ("regression.md",)
BLOCKS = [
    pytest.param(file.name, block, id=f"{file.name}-{number}")
    for file in DOCUMENTS
    if file.name not in ELSEWHERE
    for number, block in enumerate(
        re.findall(r"^```yaml\n(.*?)^```", file.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    )
]


def read(document: str, block: str, file: Path) -> None:
    """Raise ConfigError or AssertionError unless the block is read."""
    file.write_text(block)
    data = load_yaml(block)
    nodes = {name.rpartition("/")[2]: v for name, v in data.items() if name.startswith("/")}
    for node, given in nodes.items():
        flat = dict(_leaves(given["ros__parameters"]))
        known = {p.name: p for p in expand(parameters(NODES[node]), flat)}
        for name, value in flat.items():
            assert name in known, f"{node} has no parameter {name}"
            assert type(value) is type(known[name].default), f"{name} cannot be {value!r}"
        from_parameters(NODES[node], flat, node)
    if "assistant_node" in nodes or not nodes:
        READERS.get(document, AssistantConfig.from_yaml)(file)


def _leaves(values: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", tuple(value) if isinstance(value, list) else value


@pytest.mark.parametrize(("document", "block"), BLOCKS)
def test_a_block_of_settings_is_read(document: str, block: str, tmp_path: Path) -> None:
    read(document, block, tmp_path / "settings.yaml")


@pytest.mark.parametrize(
    ("document", "block"),
    [
        ("server.md", "server: {address: x}"),
        ("data.md", "seeds: 0"),
        ("evaluation.md", "server: {url: 'http://a/v1', model: m, temperatur: 0.0}"),
        ("exchange.md", "data: {train: a, mix: {b: {path: c, weights: 1.0}}}"),
        ("voice.md", "/**/tts_node: {ros__parameters: {voices: {zh: {backends: piper}}}}"),
        ("voice.md", "/**/tts_node: {ros__parameters: {voices: {zh: {backend: walk}}}}"),
        ("tools.md", "/**/assistant_node: {ros__parameters: {window.keep: 30.0}}"),
    ],
)
def test_a_block_that_is_wrong_is_found(document: str, block: str, tmp_path: Path) -> None:
    with pytest.raises((ConfigError, AssertionError)):
        read(document, block, tmp_path / "settings.yaml")


def test_blocks_of_every_reader_were_found() -> None:
    assert len(BLOCKS) >= 12 and READERS.keys() <= {p.values[0] for p in BLOCKS}
