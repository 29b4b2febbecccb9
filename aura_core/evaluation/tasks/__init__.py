"""The benchmarks by their names in `aura eval`. Each has one file (OmniInteract has two)."""

from __future__ import annotations

from aura_core.evaluation.tasks import (
    omniinteract,
    omnimmi,
    omnipro,
    ovobench,
    streaming_eval,
    streamingbench,
)
from aura_core.evaluation.tasks.base import Task

TASKS: dict[str, Task] = {
    module.TASK.name: module.TASK
    for module in (streamingbench, ovobench, omnimmi, omniinteract, omnipro, streaming_eval)
}
