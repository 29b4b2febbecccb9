"""The benchmarks by their names in `aura eval`. Each has one file (OmniInteract has two)."""

from __future__ import annotations

from aura_core.evaluation.tasks import (
    fastbench,
    omniduplex,
    omniinteract,
    omnimmi,
    omnipro,
    ovobench,
    proactivevideoqa,
    streameqa,
    streamgaze,
    streaming_eval,
    streamingbench,
    svcbench,
)
from aura_core.evaluation.tasks.base import Task

MODULES = (
    *(streamingbench, ovobench, omnimmi, omniinteract, omnipro, streaming_eval),
    *(fastbench, svcbench, streameqa, streamgaze, omniduplex, proactivevideoqa),
)
TASKS: dict[str, Task] = {module.TASK.name: module.TASK for module in MODULES}
