"""A kind of inputs that crash, hang and die, for the process that feeds them. It imports little."""

from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path

from aura_core.errors import InputError
from aura_core.fuzz import Feed, generator

STATES = {generator("texts", s).getstate(): s for s in range(7)}


def open_trouble(log: Path, folder: Path) -> Feed:
    """Accepts 0, 4 and 6, refuses 1, crashes at 2, hangs at 3, dies at 5. Each leaves a line."""
    assert folder.is_dir()

    def feed(rng: random.Random) -> None:
        seed = STATES[rng.getstate()]
        with log.open("a") as f:
            f.write(f"{seed}\n")
        if seed == 1:
            raise InputError("no")
        if seed == 2:
            raise ValueError("oh")
        if seed == 3:
            time.sleep(60)
        if seed == 5:
            os.kill(os.getpid(), signal.SIGSEGV)

    return feed
