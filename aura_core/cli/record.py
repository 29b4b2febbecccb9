"""`aura record SOURCE --out BAG`: record frames and questions as a rosbag2 bag, without ROS."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from aura_core.cli import options


class Storage(StrEnum):
    """File format of the bag."""

    MCAP = "mcap"
    SQLITE3 = "sqlite3"


class Images(StrEnum):
    """How images are stored: `png` is lossless, `jpeg` is smallest."""

    RAW = "raw"
    PNG = "png"
    JPEG = "jpeg"


def record(
    source: Annotated[
        str, typer.Argument(help="Video file, folder of images, camera:0, sim:SEED or rtsp://...")
    ],
    out: Annotated[Path, typer.Option("--out", help="Bag folder to create.")],
    ask: options.Ask = [],  # noqa: B006 - typer reads the default and never changes it
    seconds: options.Seconds = None,
    fps: Annotated[float, typer.Option(help="Frames a second to keep.")] = 2.0,
    storage: Annotated[Storage, typer.Option(help="File format of the bag.")] = Storage.MCAP,
    images: Annotated[
        Images, typer.Option(help="sensor_msgs/Image, or CompressedImage as PNG or JPEG.")
    ] = Images.RAW,
) -> None:
    """Record SOURCE, with questions on /asr/text, as a bag.

    `aura replay` and `ros2 bag play` read it. Its stamps are the time of day: that of the camera's
    frames, and for a file as if it were shown now.
    """
    import time

    from aura_core.replay.lockstep import Asked, insert, shifted
    from aura_core.replay.writer import write_bag
    from aura_core.sources import open_source

    questions = [Asked.parse(a) for a in ask]
    with open_source(source, fps, seconds) as opened:
        # a live source has stamps of the steady clock, others count from 0
        begins = time.time_ns() - (time.monotonic_ns() if opened.live else 0)
        events = shifted(insert(opened, questions), begins)
        frames = write_bag(out, events, storage.value, images.value)
    asked = "1 question" if len(questions) == 1 else f"{len(questions)} questions"
    print(f"{out}: {frames} frames and {asked}")
