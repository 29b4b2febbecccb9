"""Checkpoints with quantized weights: which packages read them, told before torch is imported and
before a weight is read.

transformers reads each kind through packages of its own. The table is that of the versions which
pyproject.toml allows; a kind that is not in it is left to transformers.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

from aura_core.errors import ModelError
from aura_core.extras import pip_install
from aura_core.models.sidecar import read_json

#: `quantization_config.quant_method` to (module, name for pip) of all packages that it needs
PACKAGES: dict[str, tuple[tuple[str, str], ...]] = {
    "aqlm": (("aqlm", "aqlm"), ("accelerate", "accelerate")),
    "auto-round": (("auto_round", "auto-round"),),
    "awq": (("gptqmodel", "gptqmodel"), ("accelerate", "accelerate")),
    "bitnet": (("accelerate", "accelerate"),),
    "bitsandbytes": (("bitsandbytes", "bitsandbytes"), ("accelerate", "accelerate")),
    "compressed-tensors": (("compressed_tensors", "compressed-tensors"),),
    "eetq": (("kernels", "kernels"), ("accelerate", "accelerate")),
    "fbgemm_fp8": (("fbgemm_gpu", "fbgemm-gpu"), ("accelerate", "accelerate")),
    "fp8": (("accelerate", "accelerate"),),
    "fp_quant": (("fp_quant", "fp_quant"),),
    "gptq": (("gptqmodel", "gptqmodel"), ("optimum", "optimum")),
    "hqq": (("hqq", "hqq"),),
    "mxfp4": (("kernels", "kernels"), ("accelerate", "accelerate")),
    "mxfp8": (("accelerate", "accelerate"),),
    "quanto": (("optimum.quanto", "optimum-quanto"), ("accelerate", "accelerate")),
    "quark": (("quark", "amd-quark"),),
    "spqr": (("spqr_quant", "spqr_quant"), ("accelerate", "accelerate")),
    "torchao": (("torchao", "torchao"),),
    "vptq": (("vptq", "vptq"), ("accelerate", "accelerate")),
}


def method(folder: Path) -> str:
    """How the weights in `folder` are quantized, as config.json names it; empty when they are
    not, or when it does not say."""
    config = read_json(folder / "config.json")
    text = config.get("text_config")
    for data in (config, text if isinstance(text, dict) else {}):
        quantization = data.get("quantization_config")
        if not isinstance(quantization, dict):
            continue
        if quantization.get("load_in_4bit") or quantization.get("load_in_8bit"):
            return "bitsandbytes"  # older ones do not name it
        name = str(quantization.get("quant_method") or "")
        return "bitsandbytes" if name.startswith("bitsandbytes") else name
    return ""


def check(folder: Path, name: str) -> None:
    """Raises `ModelError` naming the packages that reading the weights needs and that are not
    installed. `name`: what messages call the checkpoint."""
    how = method(folder)
    missing = [pip for module, pip in PACKAGES.get(how, ()) if not _installed(module)]
    if missing:
        be = "is" if len(missing) == 1 else "are"
        raise ModelError(
            f"{name}: its weights are quantized ({how}), and {' and '.join(missing)}, which reading"
            f" them needs, {be} not installed: {pip_install(*missing)}; or name one that is not"
            " quantized"
        )


def _installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:  # the package around it
        return False
