"""The prompts of the MLLM: text files beside this one, in which `$name` is a field.

A user may replace them (`--prompts`).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from string import Template

from aura_core.errors import ConfigError

NAMES = (
    "system",
    "scenes",
    "now",
    "later",
    "times",
    "visible",
    "missed",
    "siblings",
    "answer",
    "rephrase",
    "grounded",
    "repair",
)
ASKER = {"persona", "language", "least", "most"}  # who asks, see `AskingConfig`
FIELDS = {
    "scenes": {"seconds", "cuts"},
    "now": {"count", "first", "last", *ASKER},
    "later": {"proactive", "multi_response", "never", "first", "last", "end", *ASKER},
    "times": {"requests", "before", "first", "last"},
    "visible": {"question", "answer", "second"},
    "missed": {"question", "asked", "told", "before", "first", "last"},
    "siblings": {"question", "level", "levels", "count", "second"},
    "answer": {"question", "second"},
    "rephrase": {"question"},
    "grounded": {"history", "turns", "question", "answer", "second", "first"},
    "repair": {"fault"},
}


@dataclass(frozen=True)
class Prompts:
    """All prompts by name. A hash of them is part of a run's settings."""

    texts: dict[str, str]

    @classmethod
    def load(cls, folder: Path | None = None) -> Prompts:
        """Load the package's prompts. Files of the same name in `folder` replace them.

        Raises `ConfigError`.
        """
        texts = {}
        if folder is not None:
            if not folder.is_dir():
                raise ConfigError(f"--prompts {folder}: not a folder")
            strange = {p.name for p in folder.glob("*.md")} - {f"{n}.md" for n in NAMES}
            if strange:
                known = ", ".join(f"{n}.md" for n in NAMES)
                raise ConfigError(f"{folder}: unknown prompt {min(strange)}; known are {known}")
        for name in NAMES:
            own = folder / f"{name}.md" if folder is not None else None
            try:
                if own is not None and own.exists():
                    texts[name] = own.read_text(encoding="utf-8").strip()
                else:
                    texts[name] = (
                        resources.files(__name__)
                        .joinpath(f"{name}.md")
                        .read_text(encoding="utf-8")
                        .strip()
                    )
            except (OSError, UnicodeDecodeError) as e:
                raise ConfigError(f"{own or name}: the prompt cannot be read: {e}") from e
            _check(name, texts[name], str(own or f"{name}.md"))
        return cls(texts)

    @property
    def sha256(self) -> str:
        """A hash that changes when any word changes."""
        return hashlib.sha256(
            "\0".join(f"{n}\0{self.texts[n]}" for n in NAMES).encode()
        ).hexdigest()

    def fill(self, name: str, **fields: object) -> str:
        """Return the prompt with its fields filled in."""
        return Template(self.texts[name]).substitute(fields)


def _check(name: str, text: str, where: str) -> None:
    template = Template(text)
    if not template.is_valid():
        raise ConfigError(f"{where}: a $ that begins no field; write $$ for the sign itself")
    found, known = set(template.get_identifiers()), FIELDS.get(name, set())
    if found - known:
        raise ConfigError(
            f"{where}: unknown field ${min(found - known)}; known are"
            f" {', '.join(sorted(known)) or 'none'}"
        )
    if known - found:
        raise ConfigError(f"{where}: the field ${min(known - found)} is missing")
