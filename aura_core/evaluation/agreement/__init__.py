"""Item-by-item agreement with the authors' own scripts, by benchmark (`aura eval agree`)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from aura_core.evaluation.agreement import (
    fastbench,
    omniduplex,
    omniinteract,
    omnimmi,
    omnipro,
    ovobench,
    proactivevideoqa,
    streameqa,
    streamgaze,
    streamingbench,
    svcbench,
)
from aura_core.evaluation.agreement.base import Table

Compare = Callable[[Path, Path, int, int], Table]
"""Compare both sides: a checkout of the authors' repository, a folder to write in, items, seed."""

COMPARISONS: dict[str, Compare] = {
    module.__name__.rpartition(".")[2]: module.compare
    for module in (
        *(streamingbench, ovobench, omnimmi, omniinteract, omnipro),
        *(fastbench, svcbench, streameqa, streamgaze, omniduplex, proactivevideoqa),
    )
}
