"""The documents name only what exists: files, links and headings.

Their commands: test_document_commands.py; their settings: test_document_settings.py.

Regression: after a rebuild the documents named files and classes that had moved.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from documented import DOCUMENTS, ROOT

OWN = ("aura_core/", "aura_ros/", "config/", "docs/", "launch/", "msg/", "srv/", "test/", ".ci/")
FILES = [
    p.relative_to(ROOT) for f in ("aura_core", "aura_ros", "test") for p in (ROOT / f).rglob("*.py")
]
NO_FILE = re.compile(r"NAME|^aura_ros/[A-Z]\w+$")  # `asr/NAME.py`; the type of a message


def anchor(heading: str) -> str:
    """A heading's anchor, as GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


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
