"""The choice of the device on which a recogniser runs."""

from __future__ import annotations

from aura_core.errors import ConfigError


def pick(device: str, gpus: int) -> tuple[str, int]:
    """Return ("cpu", 0) or ("cuda", index) for `device`, on a machine with `gpus` GPUs.

    `device` is auto, cpu, cuda or cuda:N. With `auto` the second GPU is taken if there is one,
    because the assistant's model runs on the first. Raises ConfigError where that GPU does not
    exist.
    """
    if device == "cpu" or (device == "auto" and not gpus):
        return "cpu", 0
    index = min(1, gpus - 1) if device == "auto" else int(device.partition(":")[2] or 0)
    if index >= gpus:
        raise ConfigError(
            f"asr.device: there is no {device}: this machine has {gpus} GPU(s); use auto or cpu"
        )
    return "cuda", index
