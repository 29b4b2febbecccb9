"""A camera of this machine, through OpenCV."""

from __future__ import annotations

import time
from collections.abc import Iterator

import cv2
from cv2.utils import logging as log

from aura_core.errors import InputError
from aura_core.sources.base import FrameSource
from aura_core.stream.sampling import Slots
from aura_core.types import Frame


class CameraSource(FrameSource):
    """A camera by its number or device path.

    A stamp is the time of the monotonic clock at which the frame was grabbed.
    """

    live = True

    def __init__(
        self, device: int | str, fps: float | None = 2.0, tolerance_s: float = 0.05
    ) -> None:
        self.device = device
        self._slots = Slots(fps, tolerance_s)
        level = log.getLogLevel()
        # OpenCV tries several drivers, and prints a line for each one that fails.
        log.setLogLevel(log.LOG_LEVEL_SILENT)
        try:
            self._capture = cv2.VideoCapture(device)
        finally:
            log.setLogLevel(level)
        if not self._capture.isOpened():
            raise InputError(
                f"camera:{device}: cannot open the camera; is it plugged in, and may this user"
                " read it?"
            )
        width, height = (
            int(self._capture.get(p)) for p in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT)
        )
        self.description = f"camera {device}, {width}x{height}"

    def close(self) -> None:
        self._capture.release()

    def frames(self) -> Iterator[Frame]:
        while self._capture.grab():  # grabbing every frame keeps the driver's queue short
            stamp = time.monotonic_ns()
            if not self._slots.wants(stamp):
                continue
            ok, image = self._capture.retrieve()
            if not ok:
                self.skipped += 1
                continue
            self._slots.took(stamp)
            yield Frame(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), stamp)
        raise InputError(
            f"camera:{self.device}: the camera gives no more frames; was it unplugged?"
        )
