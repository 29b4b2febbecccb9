"""Model families, found by the `model_type` of a checkpoint's config.json.

One file a family; this table is all that has to be known before one is imported. Neither the table
nor a family's file imports torch.
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
    """The family of `model_type`. Raises `ModelError`, one line that begins with `where` (the
    checkpoint), when there is none."""
    if not isinstance(model_type, str) or model_type not in MODULES:
        raise ModelError(
            f"{where}: model_type {model_type!r} is not supported; supported are"
            f" {', '.join(MODULES)}"
        )
    family: type[Family] = import_module(f"{__name__}.{MODULES[model_type]}").FAMILY
    return family


__all__ = ["MODULES", "Family", "find"]
