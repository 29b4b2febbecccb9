"""The presets of servers: settings that exist, and comments and documents that are true."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path

import pytest
import yaml

from aura_core.config import AssistantConfig, AssistantNodeConfig, ServerConfig
from aura_core.settings import parameters

ROOT = Path(__file__).resolve().parents[2]
PRESETS = sorted((ROOT / "config" / "servers").glob("*.yaml"))
DIALECT = any(f.name == "dialect" for f in dataclasses.fields(ServerConfig))


@pytest.mark.skipif(not DIALECT, reason="this version has one dialect")
@pytest.mark.parametrize("file", PRESETS, ids=lambda f: f.stem)
def test_a_preset_can_be_used(file: Path) -> None:
    config = AssistantConfig.from_yaml(file)
    assert config.server.url and config.server.dialect == (
        "vllm" if file.stem == "vllm" else "openai"
    )
    if config.server.dialect == "openai":
        assert config.server.model
        assert config.window.cap <= 20  # all of its images go with each request
        assert isinstance(json.loads(config.server.extra_body or "{}"), dict)


@pytest.mark.parametrize("file", PRESETS, ids=lambda f: f.stem)
def test_the_comments_of_a_preset_tell_the_defaults(file: Path) -> None:
    known = {p.name: p.default for p in parameters(AssistantNodeConfig)}
    section = ""
    for line in file.read_text().splitlines():
        name = re.match(r"    (  )?(\w+):", line)
        if name is None:
            continue
        section = section if name[1] else name[2]
        told = re.search(r"# default: ([^\s;]+)", line)
        if told and (value := known.get(f"{section}.{name[2]}")) is not None:
            assert yaml.safe_load(told[1]) == value, line


def test_the_document_names_each_preset() -> None:
    document = (ROOT / "docs" / "servers.md").read_text()
    named = set(re.findall(r"`config/servers/(\w+)\.yaml`", document))
    assert named == {file.stem for file in PRESETS}
