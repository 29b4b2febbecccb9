"""No process is left behind by a parent that was killed."""

from __future__ import annotations

import os
import threading
import time


def end_with(parent: int) -> None:
    """End this process when its parent, of this process id, has ended.

    A worker whose parent was killed would otherwise wait for work for ever.
    """
    threading.Thread(target=_watch, args=(parent,), daemon=True).start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.2)
    os._exit(1)
