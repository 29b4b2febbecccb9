"""Videos made for tests."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np


def write_grey_video(
    path: Path, times_ms: list[int], size: tuple[int, int] = (64, 48), codec: str = "mpeg4"
) -> Path:
    """Frame k is grey of level 10 * (k mod 25), shown at `times_ms[k]`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as out:
        stream = out.add_stream(codec, rate=30)
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        stream.time_base = stream.codec_context.time_base = Fraction(1, 1000)
        stream.codec_context.gop_size = 5
        for k, ms in enumerate(times_ms):
            picture = av.VideoFrame.from_ndarray(
                np.full((size[1], size[0], 3), 10 * k % 250, np.uint8), format="rgb24"
            )
            picture.pts, picture.time_base = ms, Fraction(1, 1000)
            out.mux(stream.encode(picture))
        out.mux(stream.encode())
    return path
