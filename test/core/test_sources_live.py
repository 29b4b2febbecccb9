"""Live sources: a camera that is unplugged, and how devices are named."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from videos import write_grey_video

from aura_core.errors import InputError
from aura_core.sources import is_device, open_source
from aura_core.sources.camera import CameraSource


class _Capture:
    """Stands in for cv2.VideoCapture: a device that gives `count` frames and is then unplugged."""

    def __init__(self, count: int) -> None:
        self.left, self.released = count, False

    def isOpened(self) -> bool:
        return True

    def get(self, _property: int) -> float:
        return 2.0

    def grab(self) -> bool:
        self.left -= 1
        return self.left >= 0

    def retrieve(self) -> tuple[bool, np.ndarray | None]:
        return (False, None) if self.left == 0 else (True, np.full((2, 2, 3), (1, 2, 3), np.uint8))

    def release(self) -> None:
        self.released = True


def test_camera_gives_rgb_with_rising_stamps_and_says_when_it_is_unplugged(monkeypatch):
    capture = _Capture(4)
    monkeypatch.setattr(cv2, "VideoCapture", lambda device: capture)
    source = CameraSource(0, fps=None)
    frames = []
    with pytest.raises(InputError, match="camera:0: the camera gives no more frames"):
        for frame in source:
            frames.append(frame)
    source.close()
    assert len(frames) == 3 and source.skipped == 1 and capture.released and source.live
    assert frames[0].image[0, 0].tolist() == [3, 2, 1]
    assert frames[0].stamp_ns <= frames[1].stamp_ns <= frames[2].stamp_ns


@pytest.mark.parametrize(
    "path", ["/dev/v4l/by-id/usb-none-video-index0", "/dev/front_camera", "/dev/null"]
)
def test_udev_names_are_cameras(monkeypatch, path):
    monkeypatch.setattr(cv2, "VideoCapture", lambda device: opened.append(device) or _Capture(2))
    opened: list[str] = []
    with open_source(path) as source:
        assert source.live and len(next(iter(source)).image) == 2
    assert opened == [path] and is_device(path)


def test_a_device_path_without_a_device_is_a_camera_that_cannot_be_opened():
    with pytest.raises(
        InputError, match="camera:/dev/front_camera: cannot open the camera; is it plugged in"
    ):
        open_source("/dev/front_camera")


def test_a_file_among_the_devices_is_a_file(tmp_path):
    path = write_grey_video(tmp_path / "v.mp4", [0, 500, 1000])
    with path.open("rb") as file:
        name = f"/dev/fd/{file.fileno()}"
        assert not is_device(name)
        assert [f.stamp_ns for f in open_source(name)] == [0, 500_000_000, 1_000_000_000]
