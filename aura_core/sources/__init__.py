"""Where frames come from without ROS: files, cameras, network streams, folders and the simulator.

    with open_source("sim:7", duration_s=30) as source:
        for frame in source:
            lockstep.push(frame)

Each kind of source is one file, and is imported when it is opened.
"""

from __future__ import annotations

from pathlib import Path

from aura_core.errors import InputError
from aura_core.sources.base import FrameSource
from aura_core.sources.limit import Limited

KINDS = "a video file, a folder of images, camera:0, sim:SEED, rtsp://... or http://..."
SIM_SECONDS = 60

__all__ = ["KINDS", "FrameSource", "is_device", "open_source"]


def open_source(
    spec: str,
    fps: float | None = 2.0,
    duration_s: float | None = None,
    tolerance_s: float = 0.05,
    hold_s: float | None = None,
) -> FrameSource:
    """Open a source of frames.

    Args:
        spec: a video file, a folder of images, `camera:0` (or a device path: `/dev/video0`,
            `/dev/v4l/by-id/...`), `sim:SEED`, or a URL.
        fps: frames a second. Cameras and videos are sampled down to it by the sampling rule
            (`Slots`). A folder and the simulator produce frames at this rate. None: every frame (a
            folder and the simulator: 2).
        duration_s: seconds after the first frame at which the source ends; None: its own end (the
            simulator: 60 s).
        tolerance_s: how early a frame may be and still count for its slot, in seconds
            (`SamplingConfig.tolerance_s`).
        hold_s: how long a picture of a video file stands where no next one comes, in seconds; None:
            until the next one (`SamplingConfig.hold_s`).

    Raises:
        InputError: the source cannot be opened; while iterating: it fails.
    """
    if fps is not None and not 0.0 < fps <= 1000.0:
        raise InputError(f"frames a second must be above 0 and at most 1000, not {fps}")
    if duration_s is not None and not 0.0 < duration_s < 1e9:
        raise InputError(f"the duration must be more than 0 seconds, not {duration_s}")
    source = _open(spec, fps, duration_s, tolerance_s, hold_s)
    return source if duration_s is None else Limited(source, duration_s)


def is_device(spec: str) -> bool:
    """Whether `spec` is a camera of this machine, plugged in or not.

    That is `camera:N`, or a path in /dev, where udev gives cameras names of many kinds. Files,
    folders and pipes in /dev (/dev/shm, /dev/fd) are not.
    """
    path = Path(spec)
    return spec.startswith("camera:") or (
        spec.startswith("/dev/") and (path.is_char_device() or not path.exists())
    )


def _open(
    spec: str,
    fps: float | None,
    duration_s: float | None,
    tolerance_s: float,
    hold_s: float | None,
) -> FrameSource:
    # Each reader is imported where it is used: PyAV and OpenCV are slow to load.
    if spec.startswith("sim:"):
        from aura_core.sources.folder import SimSource

        seconds = SIM_SECONDS if duration_s is None else int(-(-duration_s // 1))
        return SimSource(_number(spec, "sim:", "a seed"), seconds, fps)
    if is_device(spec):
        from aura_core.sources.camera import CameraSource

        device = spec if spec.startswith("/dev/") else _number(spec, "camera:", "a device number")
        return CameraSource(device, fps, tolerance_s)
    if "://" in spec:
        from aura_core.sources.network import open_url

        return open_url(spec, fps, tolerance_s, hold_s)
    path = Path(spec)
    if spec and path.is_dir():
        from aura_core.sources.folder import FolderSource

        return FolderSource(path, fps)
    if not spec or not path.exists():
        raise InputError(
            f"{spec or repr(spec)}: there is no such file or folder; a source is {KINDS}"
        )
    from aura_core.sources.video import VideoSource

    return VideoSource(spec, fps, tolerance_s, hold_s=hold_s)


def _number(spec: str, prefix: str, what: str) -> int:
    text = spec.removeprefix(prefix)
    if not (text.isascii() and text.isdecimal()):
        raise InputError(f"{spec}: {what} must follow '{prefix}', as in {prefix}0")
    return int(text)
