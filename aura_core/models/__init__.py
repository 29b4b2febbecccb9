"""Models behind the `Backend` protocol. Importing this package imports no torch; `load` may."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from aura_core.config import AssistantConfig, ModelConfig, ServerConfig
from aura_core.errors import ModelError
from aura_core.models import checkpoint
from aura_core.models.backend import Backend

AURA_TINY = Path(__file__).parent / "aura_tiny"


def load(config: ModelConfig, server: ServerConfig | None = None) -> Backend:
    """Open the model that `config` names: in this process, or on a server where `server` has a url.

    Raises `ModelError`, one line that says what is wrong with the model and what to do.
    """
    if server is not None and server.url:
        return _load_served(config, server)
    if config.path == "scripted":
        from aura_core.models.scripted import ScriptedBackend

        return ScriptedBackend()
    if config.path == "aura_tiny" and not (AURA_TINY / "config.json").is_file():
        raise ModelError(
            f"aura_tiny: incomplete checkpoint: config.json is missing in {AURA_TINY}; "
            "install the package again, or name another model"
        )
    # Checked before torch is imported, which takes seconds.
    if config.path.startswith(("/", ".", "~")) or Path(config.path).exists():
        folder = checkpoint.find(config.path, config.path)
        checkpoint.check(folder, config.path, config.quantize)
    from aura_core.models.local import LocalBackend

    if config.path == "aura_tiny":
        return LocalBackend.load(replace(config, path=str(AURA_TINY)), name="aura_tiny")
    return LocalBackend.load(config)


def fallback(config: AssistantConfig) -> Callable[[], Backend] | None:
    """Opens the model that takes over while the first one fails; None: there is none."""
    other = config.fallback
    return (lambda: load(other.model, other.server)) if other.on else None


def release() -> None:
    """Give back the memory of models that nothing refers to any more, the GPU's too."""
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        torch.cuda.empty_cache()


def foreign(config: ModelConfig, source: str, server: ServerConfig | None = None) -> str:
    """What is to be warned of before the model watches `source` (what messages call it, or a spec
    such as sim:7); empty when nothing is.

    The embedded model has seen nothing but the simulator, and answers about everything else just as
    confidently. A bag's or a topic's frames may be the simulator's: nobody can tell.
    """
    embedded = config.path == "aura_tiny" or Path(config.path).absolute() == AURA_TINY
    elsewhere = server is not None and server.url and server.dialect == "openai"
    if not embedded or elsewhere or source.startswith("sim:"):
        return ""
    return (
        f"aura_tiny, the embedded model, knows the simulator's room alone: its words about {source}"
        " mean nothing unless that shows this room; choose a model that knows the world"
    )


def _load_served(config: ModelConfig, server: ServerConfig) -> Backend:
    if config.path == "scripted":
        raise ModelError(
            "scripted: has no tokenizer for server.url; model.path must name what the server serves"
        )
    from aura_core.models.server.backend import ServerBackend

    if config.path == "aura_tiny":
        return ServerBackend(replace(config, path=str(AURA_TINY)), server, name="aura_tiny")
    return ServerBackend(config, server)


__all__ = ["AURA_TINY", "fallback", "foreign", "load", "release"]
