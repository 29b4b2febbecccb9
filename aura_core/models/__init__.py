"""Models behind the `Backend` protocol. Importing this package imports no torch; `load` does, when it must."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from aura_core.config import ModelConfig
from aura_core.errors import ModelError
from aura_core.models import checkpoint
from aura_core.models.backend import Backend

AURA_TINY = Path(__file__).parent / "aura_tiny"


def load(config: ModelConfig) -> Backend:
    """Open the model that `config` names. Raises `ModelError`: one line with the model and what to mend."""
    if config.path == "scripted":
        from aura_core.models.scripted import ScriptedBackend

        return ScriptedBackend()
    if config.path == "aura_tiny" and not (AURA_TINY / "config.json").is_file():
        raise ModelError(
            f"aura_tiny: incomplete checkpoint: config.json is missing in {AURA_TINY}; "
            "install the package again, or name another model"
        )
    if config.path.startswith(("/", ".", "~")) or Path(config.path).exists():  # told at once: torch takes seconds
        checkpoint.check(checkpoint.find(config.path, config.path), config.path)
    from aura_core.models.qwen_vl import QwenVLBackend

    if config.path == "aura_tiny":
        return QwenVLBackend(replace(config, path=str(AURA_TINY)), name="aura_tiny")
    return QwenVLBackend(config)


__all__ = ["AURA_TINY", "load"]
