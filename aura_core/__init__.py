"""The engine of aura_ros: one VideoLLM that watches, and once a second decides to be silent or to
speak.

Start reading at `aura_core/stream/engine.py`. Nothing in this package knows ROS, and importing
it needs numpy alone: torch is imported inside `models/` and `training/` when a model is opened.
"""

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
