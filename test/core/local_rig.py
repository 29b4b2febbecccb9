"""The assistant behind `aura console` under test: sources for it, and all that it tells."""

from __future__ import annotations

import queue
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import cv2
from console_rig import WAIT_S, picture
from engine_rig import free

from aura_core.console.feed import Source
from aura_core.console.local import LocalRobot
from aura_core.console.robot import Told
from aura_core.models.scripted import ScriptedBackend

E = TypeVar("E")


class Heard:
    """All that a robot has told."""

    def __init__(self, robot: LocalRobot) -> None:
        self._told: queue.Queue[Told] = queue.Queue()
        robot.listen(self._told.put)

    def next(self, kind: type[E], wanted: Callable[[E], bool] = lambda _: True) -> E:
        """The next one of this kind; those before it are skipped."""
        while True:
            told = self._told.get(timeout=WAIT_S)
            if isinstance(told, kind) and wanted(told):
                return told

    def all(self) -> list[Told]:
        return [self._told.get() for _ in range(self._told.qsize())]


@contextmanager
def opened(robot: LocalRobot) -> Iterator[Heard]:
    told = Heard(robot)
    robot.open()
    try:
        yield told
    finally:
        robot.close()


def folder(path: Path, seconds: int = 3, grey: int = 0) -> str:
    """Pictures of some seconds, two a second."""
    path.mkdir()
    for i in range(2 * seconds):
        cv2.imwrite(str(path / f"{i}.png"), picture(grey + i))
    return str(path)


def scripted(*specs: str, script: Any = None, **options: Any) -> LocalRobot:
    """A robot whose model says what a script says."""
    backend = ScriptedBackend(script or {})
    config = options.pop("config", free())
    return LocalRobot(Source.parse_all(specs), config, load_model=lambda: backend, **options)
