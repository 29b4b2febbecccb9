"""The engine of aura_ros: one VideoLLM watches a camera, and decides each second: silent or speak.

Start reading at `aura_core/stream/engine.py`. Nothing in this package knows ROS. Importing it needs
numpy only: `models/` and `training/` import torch when a model is opened.
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
