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
    "qwen3_vl_moe": "qwen_vl",
    "internvl": "internvl",
    "smolvlm": "smolvlm",
    "llava_onevision": "llava_onevision",
    "gemma3": "gemma3",
    "gemma3n": "gemma3n",
    "gemma4": "gemma4",
}

_RECURRENT = (
    "its linear-attention layers keep one running state, which transformers cannot take back by"
    " some tokens, and every cancelled answer needs that; choose a model with attention in all"
    " layers, such as Qwen3-VL"
)
_FOREIGN = "transformers has no class for it, and code that comes with a checkpoint is never run"

#: published types that look supported but are not, with the reason and the next step
REFUSED = {
    "qwen3_5": _RECURRENT,
    "qwen3_5_moe": _RECURRENT,
    "minicpmv4_6": _RECURRENT,
    "minicpmv4_7": _RECURRENT,
    "minicpmv": f"{_FOREIGN}; choose another family (docs/families.md)",
    "minicpmo": f"{_FOREIGN}; choose another family (docs/families.md)",
    "llavaonevision1_5": f"{_FOREIGN}; choose LLaVA-OneVision (1.0), or Qwen3-VL",
    "internvl_chat": f"{_FOREIGN}; choose the same model with -HF at the end of its name",
}


def find(model_type: object, where: str) -> type[Family]:
    """The family of `model_type`.

    Raises `ModelError`, a line that begins with `where` (the checkpoint), when there is none, or
    when it cannot work.
    """
    if isinstance(model_type, str) and model_type in REFUSED:
        raise ModelError(f"{where}: model_type {model_type!r}: {REFUSED[model_type]}")
    if not isinstance(model_type, str) or model_type not in MODULES:
        raise ModelError(
            f"{where}: model_type {model_type!r} is not supported; supported are"
            f" {', '.join(MODULES)}; docs/families.md tells how to add one"
        )
    family: type[Family] = import_module(f"{__name__}.{MODULES[model_type]}").FAMILY
    return family


__all__ = ["MODULES", "REFUSED", "Family", "find"]
