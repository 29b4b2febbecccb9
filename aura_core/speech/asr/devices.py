"""On which device a recogniser runs."""

from __future__ import annotations

from aura_core.errors import ConfigError


def pick(device: str, gpus: int) -> tuple[str, int]:
    """("cpu", 0) or ("cuda", index) for auto, cpu, cuda or cuda:N on a machine with `gpus` GPUs.

    `auto` leaves the first GPU to the assistant's model where there is a second. Raises
    ConfigError.
    """
    if device == "cpu" or (device == "auto" and not gpus):
        return "cpu", 0
    index = min(1, gpus - 1) if device == "auto" else int(device.partition(":")[2] or 0)
    if index >= gpus:
        raise ConfigError(
            f"asr.device: there is no {device}: this machine has {gpus} GPU(s); use auto or cpu"
        )
    return "cuda", index
