"""What runs a model in this process: torch, the GPU, attention code, transformers."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from aura_core.doctor.findings import FAULT, MISSING, OK, WARN, Asked, Check, Finding
from aura_core.doctor.versions import allows, is_there, limits, name_of, version_of
from aura_core.extras import EXTRAS, how_to_install, pip_install

GIB = 2**30
CUDA_INDEX = "https://download.pytorch.org/whl/cu128"
DRIVER = Path("/proc/driver/nvidia/version")  # is there while NVIDIA's driver is loaded
TORCH, TRANSFORMERS = EXTRAS["model"][:2]


def torch(_: Asked) -> Iterator[Finding]:
    """torch: its build, and the GPUs that it sees."""
    if not is_there("torch"):
        found = "runs a model in this process; without it a server does (server.url)"
        return (yield Finding("torch", MISSING, found, _install_torch()))
    import torch

    version, cuda = torch.__version__, torch.version.cuda
    build = f"{version}, built for {f'CUDA {cuda}' if cuda else 'the CPU'}"
    if not allows(TORCH, version):
        fix = pip_install("--upgrade", TORCH)
        yield Finding("torch", FAULT, f"{build}; needed is torch{limits(TORCH)}", fix)
    else:
        yield Finding("torch", OK, build)
    yield from _gpu(torch, cuda)


def _gpu(torch: Any, cuda: str | None) -> Iterator[Finding]:
    """The GPUs, with their memory."""
    driver = has_driver()
    if torch.cuda.is_available():
        for i in range(torch.cuda.device_count()):
            free, total = torch.cuda.mem_get_info(i)
            name = torch.cuda.get_device_name(i)
            found = f"{name}, {free / GIB:.1f} of {total / GIB:.1f} GiB are free"
            crowded = free < total / 2
            fix = "end what else uses it: nvidia-smi lists the processes" if crowded else ""
            yield Finding(f"cuda:{i}", WARN if crowded else OK, found, fix)
        yield from _flash()
    elif driver and cuda is None:
        found = "NVIDIA's driver is there, but this torch is built for the CPU"
        fix = pip_install("--force-reinstall", "torch", "--index-url", CUDA_INDEX)
        yield Finding("GPU", WARN, found, fix)
    elif driver:
        found = f"torch sees none; the driver may be too old for CUDA {cuda}, or hidden"
        fix = "nvidia-smi tells the newest CUDA of the driver; look at CUDA_VISIBLE_DEVICES"
        yield Finding("GPU", WARN, found, fix)
    else:
        found = "runs models of billions of parameters; the CPU is enough for aura_tiny"
        yield Finding("GPU", MISSING, found, "an NVIDIA GPU and its driver, or a server.url")


def _flash() -> Iterator[Finding]:
    if is_there("flash_attn"):
        yield Finding("flash-attn", OK, version_of("flash_attn") or "installed")
    else:
        found = "attention in half precision with less memory; without it sdpa is used"
        yield Finding(
            "flash-attn", MISSING, found, pip_install("--no-build-isolation", "flash-attn")
        )


def transformers(_: Asked) -> Iterator[Finding]:
    """transformers: models, and the tokenizer of a served one."""
    version = version_of("transformers")
    if not is_there("transformers"):
        found = "reads checkpoints and their tokenizers, those of a served model too"
        yield Finding("transformers", MISSING, found, how_to_install("model"))
    elif not allows(TRANSFORMERS, version):
        found = f"{version}; tested is {name_of(TRANSFORMERS)}{limits(TRANSFORMERS)}"
        yield Finding("transformers", WARN, found, pip_install(TRANSFORMERS))
    else:
        yield Finding("transformers", OK, version or "installed")


def has_driver() -> bool:
    """Whether NVIDIA's driver is loaded."""
    return DRIVER.exists() or shutil.which("nvidia-smi") is not None


def _install_torch() -> str:
    build = "" if has_driver() else " (torch first and alone for its CPU build)"
    return f"{how_to_install('model')}{build}"


CHECKS = (
    Check("torch", torch, "import torch by hand; a build for another CPU or CUDA may be installed"),
    Check("transformers", transformers),
)
