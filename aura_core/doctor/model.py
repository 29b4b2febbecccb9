"""The model: its files, its family, and the packages that it needs. Only `--load` reads weights."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from aura_core.doctor.findings import FAULT, OK, WARN, Asked, Check, Finding
from aura_core.doctor.versions import is_there, module_of
from aura_core.errors import AuraError, ConfigError, ModelError, one_line
from aura_core.extras import EXTRAS, how_to_install

NAME = "set model.path to a folder with a complete checkpoint, a hub id, or aura_tiny"


def settings(asked: Asked) -> Iterator[Finding]:
    """The file of settings."""
    if not asked.params:
        return
    try:
        asked.settings()
    except ConfigError as e:
        fix = "correct the file; docs/parameters.md lists all settings"
        yield Finding("settings", FAULT, one_line(e), fix)
    else:
        yield Finding("settings", OK, asked.params)


def packages(asked: Asked) -> Iterator[Finding]:
    """The packages that the model needs which was asked for."""
    config = _settings(asked) if asked.model or asked.params else None
    if config is None or config.model.path == "scripted":
        return
    extra = "server" if config.server.url else "model"
    gone = [r for r in EXTRAS[extra] if not is_there(module_of(r))]
    if gone:
        names = ", ".join(map(module_of, gone))
        found = f"not installed, and {config.model.path} needs it: {names}"
        yield Finding("model packages", FAULT, found, how_to_install(extra))


def files(asked: Asked) -> Iterator[Finding]:
    """The checkpoint: its family, and whether it is complete."""
    config = _settings(asked)
    if config is None:
        return
    path = config.model.path
    if path == "scripted":
        return (yield Finding("model", OK, "scripted: a stand-in for tests"))
    from aura_core.models import checkpoint

    try:
        folder = _folder(path)
        if folder is None:
            found = f"{path} is a hub id that is not on this disk: the first start fetches it"
            fix = f"huggingface-cli download {path}, or name a folder"
            return (yield Finding("model", WARN, found, fix))
        served = bool(config.server.url)
        kind = (checkpoint.family if served else checkpoint.check)(folder, path)
    except ModelError as e:
        return (yield Finding("model", FAULT, one_line(e), NAME))
    whole = "tokenizer and template" if served else "complete"
    yield Finding("model", OK, f"{path}: {kind}, {whole}, in {folder}")


def load(asked: Asked) -> Iterator[Finding]:
    """Load the model, where that was asked for."""
    config = _settings(asked)
    if config is None or not asked.load:
        return
    from aura_core.models import load as open_model

    began = time.monotonic()
    try:
        backend = open_model(config.model, config.server)
    except AuraError as e:
        return (yield Finding("model load", FAULT, one_line(e), NAME))
    except (MemoryError, RuntimeError) as e:
        fix = "a smaller or quantized checkpoint, model.dtype, or a server.url"
        return (yield Finding("model load", FAULT, one_line(e, 200), fix))
    seconds = time.monotonic() - began
    yield Finding("model load", OK, f"{backend.description}; loaded in {seconds:.1f} s")


def _settings(asked: Asked) -> Any:
    """The settings; None where the file is wrong, which `settings` tells."""
    try:
        return asked.settings()
    except ConfigError:
        return None


def _folder(path: str) -> Path | None:
    """The checkpoint's folder; None for a hub id that was not fetched yet. Fetches nothing."""
    from aura_core.models import AURA_TINY, checkpoint

    if path == "aura_tiny":
        return AURA_TINY
    if path.count("/") != 1 or path.startswith(("/", ".", "~")) or Path(path).exists():
        return checkpoint.find(path, path)
    try:
        from huggingface_hub import snapshot_download

        return Path(snapshot_download(path, local_files_only=True))
    except Exception:  # not installed, not fetched, or no id: the start tells which
        return None


CHECKS = (
    Check("settings", settings),
    Check("model packages", packages),
    Check("model", files),
    Check("model load", load, "it takes too long or too much memory: a smaller checkpoint"),
)
