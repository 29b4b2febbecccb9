"""Cameras: the devices of this machine, or one source that is opened for a frame."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

from aura_core.doctor.findings import FAULT, MISSING, OK, WARN, Asked, Check, Finding
from aura_core.errors import AuraError, one_line

DEV = Path("/dev")
KNOWN = "--camera takes what aura run takes: camera:0, a file, a folder, rtsp:// or http://"


def devices(_: Asked) -> Iterator[Finding]:
    """The video devices."""
    found = sorted(DEV.glob("video*"))
    closed = [str(p) for p in found if not os.access(p, os.R_OK | os.W_OK)]
    if not found:
        what = "a camera of this machine; files, streams and topics need none"
        fix = "plug one in; in a container: --device /dev/video0"
        yield Finding("camera", MISSING, what, fix)
    elif closed:
        fix = "sudo usermod -aG video $USER, and log in again"
        yield Finding("camera", WARN, f"this user may not open {', '.join(closed)}", fix)
    else:
        yield Finding("camera", OK, ", ".join(map(str, found)))


def source(asked: Asked) -> Iterator[Finding]:
    """The source that was named, opened for one frame."""
    if not asked.camera:
        return
    from aura_core.sources import open_source
    from aura_core.sources.address import shown

    began, name = time.monotonic(), shown(asked.camera)
    try:
        with open_source(asked.camera, None) as opened:
            frame = next(iter(opened), None)
            if frame is None:
                yield Finding(name, FAULT, "it has no frame", KNOWN)
                return
            height, width = frame.image.shape[:2]
            seconds = time.monotonic() - began
            found = f"{opened.description}; {width}x{height} after {seconds:.1f} s"
            yield Finding(name, OK, found)
    except AuraError as e:
        yield Finding(name, FAULT, one_line(e), KNOWN)


CHECKS = (
    Check("camera", devices),
    Check("camera source", source, "nothing comes from it: look at its cable, address and power"),
)
