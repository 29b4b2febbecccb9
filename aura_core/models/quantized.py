"""Checkpoints with quantized weights: which packages read them, told before torch is imported and
before a weight is read.

transformers reads each kind through packages of its own. The table is that of the versions which
pyproject.toml allows; a kind that is not in it is left to transformers. Weights of every kind are
put on their device while they are read, which takes accelerate.

A checkpoint that is not quantized can be quantized while it is read (`model.quantize`), by
bitsandbytes.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

from aura_core.errors import ModelError
from aura_core.extras import pip_install
from aura_core.models.sidecar import read_json

#: `quantization_config.quant_method` to (module, name for pip) of the packages that read it
_OWN: dict[str, tuple[tuple[str, str], ...]] = {
    "aqlm": (("aqlm", "aqlm"),),
    "auto-round": (("auto_round", "auto-round"),),
    "awq": (("gptqmodel", "gptqmodel"),),
    "bitnet": (),
    "bitsandbytes": (("bitsandbytes", "bitsandbytes"),),
    "compressed-tensors": (("compressed_tensors", "compressed-tensors"),),
    "eetq": (("kernels", "kernels"),),
    "fbgemm_fp8": (("fbgemm_gpu", "fbgemm-gpu"),),
    "fp8": (),
    "fp_quant": (("fp_quant", "fp_quant"),),
    "gptq": (("gptqmodel", "gptqmodel"), ("optimum", "optimum")),
    "hqq": (("hqq", "hqq"),),
    "mxfp4": (("kernels", "kernels"),),
    "mxfp8": (),
    "quanto": (("optimum.quanto", "optimum-quanto"),),
    "quark": (("quark", "amd-quark"),),
    "spqr": (("spqr_quant", "spqr_quant"),),
    "torchao": (("torchao", "torchao"),),
    "vptq": (("vptq", "vptq"),),
}

#: the same with accelerate, which all of them need
PACKAGES = {how: (*own, ("accelerate", "accelerate")) for how, own in _OWN.items()}


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


def check(folder: Path, name: str, wanted: str = "none") -> None:
    """Check that the weights in `folder` can be read.

    Args:
        folder: the checkpoint.
        name: what messages call it.
        wanted: `model.quantize`.

    Raises:
        ModelError: packages are not installed that reading the weights needs, or the weights are
            quantized already and would be quantized again.
    """
    how = method(folder)
    if how and wanted != "none":
        raise ModelError(
            f"{name}: its weights are quantized already ({how}); set model.quantize to none"
        )
    missing = _missing(how)
    if missing:
        be = "is" if len(missing) == 1 else "are"
        raise ModelError(
            f"{name}: its weights are quantized ({how}), and {' and '.join(missing)}, which reading"
            f" them needs, {be} not installed: {pip_install(*missing)}; or name one that is not"
            " quantized"
        )
    missing = _missing("bitsandbytes") if wanted != "none" else []
    if missing:
        be = "is" if len(missing) == 1 else "are"
        raise ModelError(
            f"{name}: model.quantize is {wanted}, and {' and '.join(missing)}, which that needs,"
            f" {be} not installed: {pip_install(*missing)}"
        )


def _missing(how: str) -> list[str]:
    return [pip for module, pip in PACKAGES.get(how, ()) if not _installed(module)]


def _installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:  # the package around it
        return False
