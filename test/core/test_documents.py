"""The documents name only what exists: commands with their options, files, links and headings.

Regression: after a rebuild the documents named files, options and classes that had moved.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from aura_core.cli import app

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted(
    [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("aura_core/models/*/README.md")]
)
OWN = ("aura_core/", "aura_ros/", "config/", "docs/", "launch/", "msg/", "srv/", "test/", ".ci/")
FILES = [
    p.relative_to(ROOT) for f in ("aura_core", "aura_ros", "test") for p in (ROOT / f).rglob("*.py")
]
NO_FILE = re.compile(r"NAME|^aura_ros/[A-Z]\w+$")  # `asr/NAME.py`; the type of a message


def commands(text: str) -> Iterator[str]:
    """The `aura` command lines of a document: in code blocks and in backticks."""
    for line in text.replace("\\\n", "").splitlines():
        if line.startswith("aura "):
            yield line
    yield from re.findall(r"`(aura [a-z][^`\n]*)`", text)


def options_of(line: str) -> tuple[Any, list[str]]:
    """The command that a line calls, and the long options that it gives."""
    words = shlex.split(line, comments=True)[1:]
    command: Any = typer.main.get_command(app)
    while hasattr(command, "commands") and words and not words[0].startswith("-"):
        found = command.commands.get(words[0])
        assert found is not None, f"`{line}`: there is no command {words[0]}"
        command, words = found, words[1:]
    return command, [w.partition("=")[0] for w in words if w.startswith("--")]


def anchor(heading: str) -> str:
    """A heading's anchor, as GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda p: str(p.relative_to(ROOT)))
def test_every_command_has_the_options_that_a_document_gives(document: Path) -> None:
    for line in commands(document.read_text(encoding="utf-8")):
        command, given = options_of(line)
        if command.context_settings.get("ignore_unknown_options"):
            continue  # it is parsed by another program
        known = {o for p in command.params for o in (*p.opts, *p.secondary_opts)} | {"--help"}
        assert set(given) <= known, f"`{line}`: unknown are {sorted(set(given) - known)}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda p: str(p.relative_to(ROOT)))
def test_every_link_and_file_of_a_document_exists(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        path, _, section = target.partition("#")
        if "://" in target:
            continue
        file = document.parent / path if path else document
        assert file.exists(), f"{document.name}: {target} does not exist"
        if section:
            headings = re.findall(r"^#+ (.*)$", file.read_text(encoding="utf-8"), re.MULTILINE)
            assert section in map(anchor, headings), f"{document.name}: no heading for {target}"
    for name in re.findall(r"`([\w./-]+)`", text):
        if NO_FILE.search(name):
            continue
        if name.startswith(OWN):
            assert (ROOT / name).exists(), f"{document.name}: {name} does not exist"
        elif name.endswith(".py") and "/" in name:  # from the package or the folder spoken of
            found = any(f"/{file}".endswith(f"/{name}") for file in FILES)
            assert found, f"{document.name}: {name} does not exist"


def test_a_command_and_an_option_that_do_not_exist_are_found() -> None:
    with pytest.raises(AssertionError, match="no command walk"):
        options_of("aura walk sim:1")
    command, given = options_of("aura run sim:1 --ask '0:a' --asks=b  # --note")
    assert command.name == "run" and given == ["--ask", "--asks"]
