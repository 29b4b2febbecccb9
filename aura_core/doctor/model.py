"""The model: its files, its family, and the packages that it needs. Only `--load` reads weights."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from aura_core.config import ModelConfig, ServerConfig
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
    """The packages that the models need which were asked for."""
    for what, model, server in _models(asked) if asked.model or asked.params else ():
        if model.path == "scripted":
            continue
        extra = ("judge" if _any_model(server) else "server") if server.url else "model"
        gone = [r for r in EXTRAS[extra] if not is_there(module_of(r))]
        if gone:
            names = ", ".join(map(module_of, gone))
            found = f"not installed, and {model.path} needs it: {names}"
            yield Finding(f"{what} packages", FAULT, found, how_to_install(extra))


def files(asked: Asked) -> Iterator[Finding]:
    """The checkpoints: family, and whether they are complete."""
    for what, model, server in _models(asked):
        if _any_model(server):
            found = f"{server.model}, whatever it is: its server has all files"
            yield Finding(what, OK, found)
        else:
            yield _files(what, model.path, bool(server.url))


def _files(what: str, path: str, served: bool) -> Finding:
    if path == "scripted":
        return Finding(what, OK, "scripted: a stand-in for tests")
    from aura_core.models import checkpoint

    try:
        folder = _folder(path)
        if folder is None:
            found = f"{path} is a hub id that is not on this disk: the first start fetches it"
            fix = f"huggingface-cli download {path}, or name a folder"
            return Finding(what, WARN, found, fix)
        kind = (checkpoint.family if served else checkpoint.check)(folder, path)
    except ModelError as e:
        return Finding(what, FAULT, one_line(e), NAME)
    whole = "tokenizer and template" if served else "complete"
    return Finding(what, OK, f"{path}: {kind}, {whole}, in {folder}")


def load(asked: Asked) -> Iterator[Finding]:
    """Load the models, where that was asked for."""
    from aura_core.models import load as open_model

    for what, model, server in _models(asked) if asked.load else ():
        began = time.monotonic()
        try:
            backend = open_model(model, server)
        except AuraError as e:
            yield Finding(f"{what} load", FAULT, one_line(e), NAME)
        except (MemoryError, RuntimeError) as e:
            fix = "a smaller or quantized checkpoint, model.dtype, or a server.url"
            yield Finding(f"{what} load", FAULT, one_line(e, 200), fix)
        else:
            seconds = time.monotonic() - began
            found = f"{backend.description}; loaded in {seconds:.1f} s"
            yield Finding(f"{what} load", OK, found)


def _any_model(server: ServerConfig) -> bool:
    """Whether a server runs the model, and nothing of it is read here."""
    return bool(server.url) and getattr(server, "dialect", "vllm") == "openai"


def _models(asked: Asked) -> list[tuple[str, ModelConfig, ServerConfig]]:
    """The model and its fallback; none where the file is wrong, which `settings` tells."""
    try:
        config = asked.settings()
    except ConfigError:
        return []
    other = config.fallback
    more = [("fallback model", other.model, other.server)] if other.on else []
    return [("model", config.model, config.server), *more]


def _folder(path: str) -> Path | None:
    """The checkpoint's folder; None for a hub id that was not fetched yet. Fetches nothing."""
    from aura_core.models import checkpoint

    if path in checkpoint.EMBEDDED or path.count("/") != 1 or checkpoint.is_local(path):
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
