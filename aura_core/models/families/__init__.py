"""Model families, found by the `model_type` in a checkpoint's config.json.

Each family is one file. This table is all that is known before the file is imported. Neither the
table nor the files import torch.
"""

from __future__ import annotations

from importlib import import_module

from aura_core.errors import ModelError
from aura_core.models.families.base import Family

MODULES = {
    "qwen3_vl": "qwen_vl",
    "qwen2_5_vl": "qwen_vl",
}


def find(model_type: object, where: str) -> type[Family]:
    """The family of `model_type`.

    Raises `ModelError`, a line that begins with `where` (the checkpoint), when there is none.
    """
    if not isinstance(model_type, str) or model_type not in MODULES:
        raise ModelError(
            f"{where}: model_type {model_type!r} is not supported; supported are"
            f" {', '.join(MODULES)}"
        )
    family: type[Family] = import_module(f"{__name__}.{MODULES[model_type]}").FAMILY
    return family


__all__ = ["MODULES", "Family", "find"]
