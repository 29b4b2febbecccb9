"""Models behind the `Backend` protocol. Importing this package imports no torch; `load` may."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable
from pathlib import Path

from aura_core.config import AssistantConfig, ModelConfig, ServerConfig
from aura_core.errors import ModelError
from aura_core.models import checkpoint
from aura_core.models.backend import Backend

AURA_TINY = checkpoint.EMBEDDED["aura_tiny"]


def load(config: ModelConfig, server: ServerConfig | None = None) -> Backend:
    """Open the model that `config` names: in this process, or on a server where `server` has a url.

    Raises `ModelError`, one line that says what is wrong with the model and what to do.
    """
    if server is not None and server.url:
        return _load_served(config, server)
    if config.path == "scripted":
        from aura_core.models.scripted import ScriptedBackend

        return ScriptedBackend()
    # Checked before torch is imported, which takes seconds.
    if config.path in checkpoint.EMBEDDED or checkpoint.is_local(config.path):
        folder = checkpoint.find(config.path, config.path)
        checkpoint.check(folder, config.path, config.quantize)
    from aura_core.models.local import LocalBackend

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
    name = embedded(config.path)
    elsewhere = server is not None and server.url and server.dialect == "openai"
    if name is None or elsewhere or source.startswith("sim:"):
        return ""
    return (
        f"{name}, the embedded model, knows the simulator's room alone: its words about {source}"
        " mean nothing unless that shows this room; choose a model that knows the world"
    )


def _load_served(config: ModelConfig, server: ServerConfig) -> Backend:
    if config.path == "scripted":
        raise ModelError(
            "scripted: has no tokenizer for server.url; model.path must name what the server serves"
        )
    from aura_core.models.server.backend import ServerBackend

    return ServerBackend(config, server)


def embedded(path: str) -> str | None:
    """Name of the embedded model that `path` names or is the folder of; None: another model."""
    place = Path(path).absolute()
    return next((n for n, f in checkpoint.EMBEDDED.items() if n == path or f == place), None)


__all__ = ["AURA_TINY", "embedded", "fallback", "foreign", "load", "release"]
