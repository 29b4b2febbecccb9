"""The engine of aura_ros: one VideoLLM watches a camera, and decides each second: silent or speak.

Start reading at `aura_core/stream/engine.py`. Nothing in this package knows ROS. Using it needs
numpy only: `models/` and `training/` import torch when a model is opened. `import aura_core` itself
imports nothing until a name is used, because pytest loads `pytest_plugin.py` in every test run of
an environment.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aura_core.config import AssistantConfig
    from aura_core.errors import AuraError, ConfigError, InputError, ModelError
    from aura_core.types import Chunk, Decision, Frame, Kind, Query, Response, Step

__version__ = "0.1.0"
__all__ = [
    "AssistantConfig",
    "AuraError",
    "Chunk",
    "ConfigError",
    "Decision",
    "Frame",
    "InputError",
    "Kind",
    "ModelError",
    "Query",
    "Response",
    "Step",
]
_MODULES = {
    "AssistantConfig": "config",
    "AuraError": "errors",
    "ConfigError": "errors",
    "InputError": "errors",
    "ModelError": "errors",
}


def __getattr__(name: str) -> Any:
    """Import a name of `__all__` when it is used first."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_MODULES.get(name, 'types')}"), name)
    globals()[name] = value
    return value
